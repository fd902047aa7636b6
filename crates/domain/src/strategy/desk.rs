//! One strategy on one contract: from decisions to orders, one at a time.
//!
//! A desk has at most one decision on its way. What it wants meanwhile waits: first out (`leaving`), then in (`pending`).
//! An entry waits until the account shows the contract flat and lapses when the next bar closes; a wish to leave stays
//! until nothing is left to leave. A decision that risk calls out of date is made again on the newer account.
//! Invariant: entries never leave while paused, while the gate is shut, while an order stands, or into a position.

use std::sync::Arc;

use super::exits::{ExitWatch, ExitWish};
use super::node::{Shared, StrategyOut};
use super::orders::{exit_qty, plan_entry};
use super::{BarView, Decision, Entry, OwnPosition, Strategy};
use crate::control::{Notice, Severity};
use crate::id::{DecisionId, FactSeq};
use crate::instrument::Instrument;
use crate::market::{Bar, IndicatorFrame};
use crate::num::{Price, Qty};
use crate::order::{CancelIntent, ExitReason, OrderIntent, OrderKind, OrderRole, PositionSide, Purpose, Side};
use crate::record::RefusalRecord;
use crate::risk::RefusalCode;
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};

/// Orders a desk may try for within one bar; bounds what a refusal loop can cost.
const ATTEMPTS_PER_BAR: u8 = 6;

/// Bars after which a decision that nobody spoke of is taken for lost.
const LOST_AFTER_BARS: u8 = 2;

/// Codes with which risk refuses a decision that was made on an account which has moved since.
const OUT_OF_DATE: [RefusalCode; 2] = [RefusalCode::AccountStale, RefusalCode::NotReducing];

/// A decision that has left and of which the account has not told the outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InFlight {
    decision: DecisionId,
    /// The entry, so that it can be made again; `None` for an exit.
    entry: Option<Entry>,
    bars: u8,
}

/// What the API shows of a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskStatus {
    /// Contract.
    pub symbol: Symbol,
    /// Start of the last bar decided on.
    pub last_bar: Option<Timestamp>,
    /// The last bar had all indicators.
    pub warm: bool,
    /// Own position.
    pub position: Option<OwnPosition>,
    /// A decision is on its way.
    pub in_flight: Option<DecisionId>,
    /// An entry waits for the contract to be flat.
    pub entry_pending: bool,
    /// Why it is leaving, if it is.
    pub leaving: Option<ExitReason>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    symbol: Symbol,
    strategy: Box<dyn Strategy>,
    instrument: Option<Arc<Instrument>>,
    last_bar: Option<Bar>,
    warm: bool,
    position: Option<OwnPosition>,
    account_seen: bool,
    watch: Option<ExitWatch>,
    in_flight: Option<InFlight>,
    leaving: Option<ExitWish>,
    pending: Option<Entry>,
    attempts: u8,
    retry_after: Option<FactSeq>,
}

impl Desk {
    pub(super) fn new(symbol: Symbol, strategy: Box<dyn Strategy>) -> Self {
        Self {
            symbol,
            strategy,
            instrument: None,
            last_bar: None,
            warm: false,
            position: None,
            account_seen: false,
            watch: None,
            in_flight: None,
            leaving: None,
            pending: None,
            attempts: 0,
            retry_after: None,
        }
    }

    pub(super) fn status(&self) -> DeskStatus {
        DeskStatus {
            symbol: self.symbol,
            last_bar: self.last_bar.map(|bar| bar.open_time),
            warm: self.warm,
            position: self.position,
            in_flight: self.in_flight.as_ref().map(|flight| flight.decision),
            entry_pending: self.pending.is_some(),
            leaving: self.leaving.map(|wish| wish.reason),
        }
    }

    pub(super) fn set_instrument(&mut self, instrument: &Arc<Instrument>) {
        self.instrument = Some(Arc::clone(instrument));
    }

    /// The close of a bar: decide, then act.
    pub(super) fn on_frame(&mut self, frame: &IndicatorFrame, shared: &mut Shared, now: Now, out: &mut Vec<StrategyOut>) {
        if self.last_bar.is_some_and(|last| frame.bar.open_time <= last.open_time) {
            return;
        }
        self.last_bar = Some(frame.bar);
        self.warm = frame.warm;
        self.begin_bar(out);
        let decision = if frame.warm { self.strategy.on_bar(&BarView::new(frame, &shared.columns, self.position)) } else { Decision::Hold };
        if frame.history {
            return;
        }
        let wish = self.common_exits(&frame.bar, shared, out);
        self.take(decision, wish, shared);
        self.act(shared, now, out);
    }

    /// What was left over from the bar before lapses; a decision that nobody spoke of for long is given up.
    fn begin_bar(&mut self, out: &mut Vec<StrategyOut>) {
        (self.pending, self.attempts, self.retry_after) = (None, 0, None);
        let Some(flight) = &mut self.in_flight else { return };
        flight.bars = flight.bars.saturating_add(1);
        if flight.bars >= LOST_AFTER_BARS {
            let text = format!("nothing was heard of decision {} for {LOST_AFTER_BARS} bars: it counts as lost", flight.decision);
            out.push(StrategyOut::Notice(Notice::new(Severity::Warning, "DECISION_LOST", text).about(self.symbol)));
            self.in_flight = None;
        }
    }

    fn common_exits(&mut self, bar: &Bar, shared: &Shared, out: &mut Vec<StrategyOut>) -> Option<ExitWish> {
        let (watch, own) = self.watch.as_mut().zip(self.position)?;
        match watch.on_bar(&shared.settings.exits, &own, bar) {
            Ok(wish) => wish,
            Err(error) => {
                let text = format!("exit rules of {} cannot be computed: {error}", shared.settings.id);
                out.push(StrategyOut::Notice(Notice::new(Severity::Critical, "EXIT_RULES_FAILED", text).about(self.symbol)));
                None
            }
        }
    }

    /// Side of what stands or is on its way in.
    fn side(&self) -> Option<Side> {
        let standing = self.position.map(|own| own.side);
        standing.or_else(|| self.in_flight.as_ref()?.entry.as_ref().map(|entry| entry.side))
    }

    /// Turns the decision of this bar into what is wanted from now on.
    fn take(&mut self, decision: Decision, wish: Option<ExitWish>, shared: &Shared) {
        let out_of_all = |reason| ExitWish { reason, keep: Qty::ZERO };
        let (leave, enter) = match decision {
            Decision::Hold => (wish, None),
            Decision::Exit(reason) => (Some(out_of_all(reason)), None),
            Decision::Enter(entry) => (wish, Some(entry)),
            Decision::Reverse(entry) => match self.side() {
                Some(side) if side == entry.side => (wish, None),
                Some(_) => (Some(out_of_all(ExitReason::Signal)), Some(entry)),
                None => (None, Some(entry)),
            },
        };
        let stands = self.side().is_some();
        if let Some(leave) = leave.filter(|_| stands) {
            // A wish to leave whole is never weakened to a part.
            if !self.leaving.is_some_and(|wish| wish.keep.is_zero()) {
                self.leaving = Some(leave);
            }
        }
        let leaves_whole = self.leaving.is_some_and(|wish| wish.keep.is_zero());
        self.pending = enter.filter(|_| shared.entries_allowed() && (!stands || leaves_whole));
    }

    /// The account as it now is.
    pub(super) fn on_account(&mut self, shared: &mut Shared, now: Now, out: &mut Vec<StrategyOut>) {
        let Some(account) = shared.account.clone() else { return };
        let (id, symbol) = (shared.settings.id, self.symbol);
        let own = account.positions.iter().find(|p| p.strategy == id && p.symbol == symbol).map(OwnPosition::of);
        self.watch = own.map(|own| match self.watch {
            Some(mut watch) => {
                watch.follow(&own);
                watch
            }
            None => ExitWatch::new(&own, !self.account_seen),
        });
        (self.position, self.account_seen) = (own, true);
        let settled = self.in_flight.as_ref().is_some_and(|flight| {
            account.heard.contains(&flight.decision) && !account.orders.iter().any(|order| order.decision == flight.decision)
        });
        if settled {
            self.in_flight = None;
        }
        self.act(shared, now, out);
    }

    /// Risk refused a decision of this desk.
    pub(super) fn on_refused(&mut self, refusal: &RefusalRecord, shared: &mut Shared, now: Now, out: &mut Vec<StrategyOut>) {
        let Some(flight) = self.in_flight.take_if(|flight| flight.decision == refusal.intent.decision) else { return };
        let moved = |code: &str| OUT_OF_DATE.iter().any(|own| own.as_str() == code);
        let out_of_date = !refusal.failures.is_empty() && refusal.failures.iter().all(|failure| moved(&failure.code));
        if out_of_date {
            self.retry_after = Some(refusal.intent.seen);
            if self.leaving.is_none() && self.pending.is_none() {
                self.pending = flight.entry;
            }
        } else if flight.entry.is_none() {
            // The reason will not be gone in an instant: the wish to leave is taken up again with the next bar.
            self.attempts = ATTEMPTS_PER_BAR;
        }
        self.act(shared, now, out);
    }

    /// Entries are no longer allowed: those that wait lapse.
    pub(super) fn drop_pending(&mut self) {
        self.pending = None;
    }

    /// Out of everything, at once.
    pub(super) fn flatten(&mut self, shared: &mut Shared, now: Now, out: &mut Vec<StrategyOut>) {
        (self.pending, self.attempts) = (None, 0);
        let entry_stands = shared.account.as_ref().is_some_and(|account| {
            account.orders.iter().any(|order| {
                order.strategy == shared.settings.id && order.symbol == self.symbol && matches!(order.role, Some(OrderRole::Entry { .. }))
            })
        });
        if entry_stands || self.in_flight.as_ref().is_some_and(|flight| flight.entry.is_some()) {
            let cancel = CancelIntent { strategy: shared.settings.id, symbol: self.symbol, client_id: None, decided: now.market };
            out.push(StrategyOut::Cancel(cancel));
        }
        if self.side().is_some() || entry_stands {
            self.leaving = Some(ExitWish { reason: ExitReason::Flatten, keep: Qty::ZERO });
        }
        self.act(shared, now, out);
    }

    /// An order of ours that opens or closes still stands.
    fn order_stands(&self, shared: &Shared) -> bool {
        shared.account.as_ref().is_some_and(|account| {
            account.orders.iter().any(|order| {
                order.strategy == shared.settings.id
                    && order.symbol == self.symbol
                    && matches!(order.role, Some(OrderRole::Entry { .. } | OrderRole::Exit { .. }))
            })
        })
    }

    /// Sends the next order that is due, if one is.
    fn act(&mut self, shared: &mut Shared, now: Now, out: &mut Vec<StrategyOut>) {
        if self.leaving.is_none() && self.pending.is_none() {
            return;
        }
        if self.in_flight.is_some() || self.attempts >= ATTEMPTS_PER_BAR || self.order_stands(shared) {
            return;
        }
        if self.retry_after.is_some_and(|seen| shared.fact(self.symbol) <= seen) {
            return;
        }
        self.retry_after = None;
        if let Some(wish) = self.leaving {
            if self.leave(wish, shared, now, out) {
                return;
            }
            self.leaving = None;
        }
        if let Some(entry) = self.pending.take().filter(|_| self.position.is_none() && shared.entries_allowed()) {
            self.enter(entry, shared, now, out);
        }
    }

    /// Sends an exit; false when there is nothing to leave.
    fn leave(&mut self, wish: ExitWish, shared: &mut Shared, now: Now, out: &mut Vec<StrategyOut>) -> bool {
        let Some(own) = self.position else { return false };
        // A size that cannot be computed must not keep anyone in: then all of it goes.
        let qty = exit_qty(&own, wish.keep, self.instrument.as_deref()).unwrap_or(own.qty);
        if !qty.is_positive() {
            return false;
        }
        let purpose = Purpose::Exit { reason: wish.reason };
        let Some(mut intent) = self.intent(own.side.opposite(), qty, purpose, shared, now) else { return false };
        intent.position_side = position_side(own.side, shared.settings.hedge_mode);
        intent.leverage = own.leverage;
        self.send(intent, None, out);
        true
    }

    fn enter(&mut self, entry: Entry, shared: &mut Shared, now: Now, out: &mut Vec<StrategyOut>) {
        let equity = shared.account.as_ref().filter(|account| account.known).map(|account| account.equity);
        let (Some(equity), Some(instrument), Some(bar)) = (equity, &self.instrument, &self.last_bar) else {
            let text = format!("{} wanted to enter {}, but account or instrument is not known yet", shared.settings.id, self.symbol);
            out.push(StrategyOut::Notice(Notice::new(Severity::Warning, "ENTRY_SKIPPED", text).about(self.symbol)));
            return;
        };
        match plan_entry(&entry, bar.close, equity, instrument, &shared.settings) {
            Err(fault) => {
                let text = format!("{} wanted to enter {}: {fault}", shared.settings.id, self.symbol);
                out.push(StrategyOut::Notice(Notice::new(Severity::Warning, "ENTRY_SKIPPED", text).about(self.symbol)));
            }
            Ok(plan) => {
                let purpose = Purpose::Entry { protection: Some(plan.protection) };
                if let Some(mut intent) = self.intent(entry.side, plan.qty, purpose, shared, now) {
                    intent.position_side = position_side(entry.side, shared.settings.hedge_mode);
                    intent.leverage = plan.leverage;
                    self.send(intent, Some(entry), out);
                }
            }
        }
    }

    fn intent(&self, side: Side, qty: Qty, purpose: Purpose, shared: &mut Shared, now: Now) -> Option<OrderIntent> {
        Some(OrderIntent {
            decision: shared.ids.take()?,
            strategy: shared.settings.id,
            symbol: self.symbol,
            side,
            position_side: PositionSide::Both,
            kind: OrderKind::Market,
            qty,
            leverage: shared.settings.leverage,
            margin_mode: shared.settings.margin_mode,
            purpose,
            reference: self.reference(),
            seen: shared.fact(self.symbol),
            decided: now.market,
        })
    }

    /// Close of the last bar; before the first one, the entry price of the position that is left.
    fn reference(&self) -> Price {
        let close = self.last_bar.map(|bar| bar.close);
        close.or(self.position.map(|own| own.entry)).unwrap_or_default()
    }

    fn send(&mut self, intent: OrderIntent, entry: Option<Entry>, out: &mut Vec<StrategyOut>) {
        self.attempts += 1;
        self.in_flight = Some(InFlight { decision: intent.decision, entry, bars: 0 });
        out.push(StrategyOut::Intent(intent));
    }
}

/// The net position, or in hedge mode the one of that side.
const fn position_side(side: Side, hedge_mode: bool) -> PositionSide {
    match (hedge_mode, side) {
        (false, _) => PositionSide::Both,
        (true, Side::Buy) => PositionSide::Long,
        (true, Side::Sell) => PositionSide::Short,
    }
}
