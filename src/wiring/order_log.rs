//! The log of what trading does: one line per fact, all lines of one order in a span of its decision.
//!
//! Beside the view, behind the lanes. In a replay the lines are at debug level: there are a hundred thousand of them.

use std::sync::Arc;

use fulmar_domain::order::{OrderIntent, OrderUpdate, Purpose};
use fulmar_domain::record::{RefusalRecord, RoundTrip};
use fulmar_domain::time::Now;
use fulmar_ports::outlook::{Happening, Outlook};
use tracing::{debug, info, info_span};

use crate::view::LiveView;

/// Shows to the view, and writes the facts of trading to the log.
pub(super) struct OrderLog {
    pub(super) view: Arc<LiveView>,
    pub(super) loud: bool,
}

macro_rules! line {
    ($loud:expr, $($what:tt)*) => {
        if $loud { info!($($what)*) } else { debug!($($what)*) }
    };
}

impl OrderLog {
    fn intent(&self, intent: &OrderIntent, stage: &'static str) {
        let _span = info_span!("order", decision = intent.decision.0, strategy = %intent.strategy, symbol = %intent.symbol).entered();
        let purpose = match &intent.purpose {
            Purpose::Entry { .. } => "entry",
            Purpose::Exit { .. } => "exit",
        };
        line!(self.loud, side = intent.side.as_str(), qty = %intent.qty, reference = %intent.reference, purpose, bar_end = %intent.decided, "{stage}");
    }

    fn refused(&self, refusal: &RefusalRecord) {
        let intent = &refusal.intent;
        let _span = info_span!("order", decision = intent.decision.0, strategy = %intent.strategy, symbol = %intent.symbol).entered();
        for failure in &refusal.failures {
            line!(self.loud, code = %failure.code, value = %failure.value, limit = %failure.limit, "order refused: {}", failure.message);
        }
    }

    fn order(&self, update: &OrderUpdate) {
        let client_id = update.client_id.map(|id| id.to_string()).unwrap_or_default();
        let _span = info_span!("order", decision = update.decision.0, strategy = %update.strategy, symbol = %update.symbol).entered();
        let status = crate::view::summary::status_word(update.status);
        match &update.fill {
            Some(fill) => line!(
                self.loud, %client_id, status, side = update.side.as_str(), price = %fill.price, qty = %fill.qty, fee = %fill.fee,
                realized = %fill.realized, trade = fill.trade.0, "order filled"
            ),
            None => {
                line!(self.loud, %client_id, status, side = update.side.as_str(), qty = %update.qty, filled = %update.filled, "order updated")
            }
        }
    }

    fn trade(&self, trip: &RoundTrip) {
        line!(
            self.loud, strategy = %trip.strategy, symbol = %trip.symbol, long = trip.long, qty = %trip.qty, entry = %trip.entry, exit = %trip.exit,
            realized = %trip.realized, fees = %trip.fees, funding = %trip.funding, reason = ?trip.reason, "round trip ended"
        );
    }
}

impl Outlook for OrderLog {
    fn show(&self, happening: Happening, now: Now) {
        match &happening {
            Happening::Intent(intent) => self.intent(intent, "order wanted"),
            Happening::Approved(intent) => self.intent(intent, "order approved"),
            Happening::Refused(refusal) => self.refused(refusal),
            Happening::Order(update) => self.order(update),
            Happening::Trade(trip) => self.trade(trip),
            Happening::Gate { owner, gate, cause, .. } => info!(?owner, state = ?gate.state, epoch = gate.epoch, "gate: {cause}"),
            _ => {}
        }
        self.view.show(happening, now);
    }
}
