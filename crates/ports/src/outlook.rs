//! The tap behind the lanes: what the outside may see. Never a link in the order path.

use fulmar_domain::account::AccountFrame;
use fulmar_domain::control::Notice;
use fulmar_domain::gate::{GateOwner, GateState, GateWord, Role};
use fulmar_domain::market::{FeedStatus, IndicatorFrame, MarketEvent};
use fulmar_domain::order::{OrderIntent, OrderUpdate};
use fulmar_domain::record::{LedgerEntry, RefusalRecord, RoundTrip};
use fulmar_domain::time::Now;
use std::sync::Arc;

/// Something that happened, for the API, the event bus and the dashboard.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A market fact.
    Market(MarketEvent),
    /// A symbol's data state.
    Feed(FeedStatus),
    /// Indicator values.
    Indicators(IndicatorFrame),
    /// A strategy or the operator wants to trade.
    Intent(OrderIntent),
    /// Risk refused.
    Refused(RefusalRecord),
    /// Risk approved; the order is on its way to execution.
    Approved(OrderIntent),
    /// A fact about an order.
    Order(OrderUpdate),
    /// The complete account.
    Account(Arc<AccountFrame>),
    /// A ledger booking.
    Ledger(LedgerEntry),
    /// A round trip ended.
    Trade(RoundTrip),
    /// The gate moved.
    Gate {
        /// Who moved it.
        owner: GateOwner,
        /// What the owner itself holds it at since; open when it let go, whatever others still hold.
        held: GateState,
        /// The gate now.
        gate: GateWord,
        /// Why.
        cause: String,
    },
    /// The role of this process changed.
    Role(Role),
    /// For people.
    Notice(Notice),
    /// Journal and exchange agree since now.
    Reconciled,
}

/// Takes what happened. Called on the actors' threads: must be quick and must not block.
pub trait Outlook: Send + Sync {
    /// Shows it.
    fn show(&self, happening: Happening, now: Now);
}

/// An outlook that nobody looks through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blind;
impl Outlook for Blind {
    fn show(&self, _happening: Happening, _now: Now) {}
}
