//! One intent in the light of what is known: what every rule may ask.
//!
//! Invariant: a question whose fact is missing answers with a [`Fault`], so a rule that forgets to handle it refuses.

use super::facts::Facts;
use super::limits::RiskLimits;
use super::refusal::Measure;
use crate::account::{AccountFrame, PositionView, TrackRecord};
use crate::gate::GateWord;
use crate::instrument::{Brackets, Instrument};
use crate::market::Mark;
use crate::num::{NumError, Price, Qty, Rounding, Usdt, notional};
use crate::order::{OrderIntent, OrderKind, OrderRole, PositionSide, Protection, Purpose, Side};
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};
use std::cell::OnceCell;

/// Why a rule fails.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// A fact is missing.
    Missing(&'static str),
    /// A figure does not fit.
    Number(NumError),
    /// Measured and found beyond the limit.
    Beyond { value: Measure, limit: Measure, message: String },
}
impl From<NumError> for Fault {
    fn from(error: NumError) -> Self {
        Self::Number(error)
    }
}

/// What a rule says.
pub(super) type Verdict = Result<(), Fault>;

/// Refuses with value and limit.
pub(super) fn beyond(value: impl Into<Measure>, limit: impl Into<Measure>, message: impl Into<String>) -> Verdict {
    Err(Fault::Beyond { value: value.into(), limit: limit.into(), message: message.into() })
}

/// An intent under examination.
pub(super) struct Check<'a> {
    pub intent: &'a OrderIntent,
    pub gate: GateWord,
    pub now: Now,
    pub limits: &'a RiskLimits,
    pub facts: &'a Facts,
    /// Reckoned once, by the first rule that asks.
    exposures: OnceCell<Result<Exposures, Fault>>,
}

/// One exposure for each position that stands or may come; few, so a list.
pub(super) type Exposures = Vec<(PositionKey, Exposure)>;
/// One position of the account.
pub(super) type PositionKey = (Symbol, PositionSide);

fn exposure_of(all: &mut Exposures, key: PositionKey) -> &mut Exposure {
    let index = all.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        all.push((key, Exposure::default()));
        all.len() - 1
    });
    &mut all[index].1
}

/// What stands and what may still come on one position: signed quantity, entries to buy and to sell that are under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exposure {
    pub qty: Qty,
    pub buying: Qty,
    pub selling: Qty,
}

impl Exposure {
    fn add(&mut self, side: Side, qty: Qty) -> Result<(), NumError> {
        match side {
            Side::Buy => self.buying = self.buying.checked_add(qty)?,
            Side::Sell => self.selling = self.selling.checked_add(qty)?,
        }
        Ok(())
    }
    /// Signed quantity once all buys have filled.
    pub fn bought(self) -> Result<Qty, NumError> {
        self.qty.checked_add(self.buying)
    }
    /// Signed quantity once all sells have filled.
    pub fn sold(self) -> Result<Qty, NumError> {
        self.qty.checked_sub(self.selling)
    }
    /// Largest absolute quantity that may come of it.
    pub fn largest(self) -> Result<Qty, NumError> {
        Ok(self.bought()?.abs().max(self.sold()?.abs()).max(self.qty.abs()))
    }
}

impl<'a> Check<'a> {
    /// An intent that arrived at `now` under `gate`.
    pub const fn new(intent: &'a OrderIntent, gate: GateWord, now: Now, limits: &'a RiskLimits, facts: &'a Facts) -> Self {
        Self { intent, gate, now, limits, facts, exposures: OnceCell::new() }
    }
    /// The account, once known.
    pub fn account(&self) -> Result<&'a AccountFrame, Fault> {
        self.facts.account.as_deref().filter(|a| a.known).ok_or(Fault::Missing("no account is known yet"))
    }
    /// Equity above zero; shares of anything else mean nothing.
    pub fn equity(&self) -> Result<Usdt, Fault> {
        let equity = self.account()?.equity;
        if equity.is_positive() { Ok(equity) } else { Err(Fault::Missing("no equity above zero is left")) }
    }
    /// Mark price of a symbol, above zero.
    pub fn mark_of(&self, symbol: Symbol) -> Result<&'a Mark, Fault> {
        let known = self.facts.marks.get(&symbol).filter(|(mark, _)| mark.price.is_positive());
        known.map(|(mark, _)| mark).ok_or(Fault::Missing("no mark price is known"))
    }
    /// Mark price of the order's symbol.
    pub fn mark(&self) -> Result<&'a Mark, Fault> {
        self.mark_of(self.intent.symbol)
    }
    /// Filters of the symbol.
    pub fn instrument(&self) -> Result<&'a Instrument, Fault> {
        self.facts.instruments.get(&self.intent.symbol).map(AsRef::as_ref).ok_or(Fault::Missing("no filters are known for the symbol"))
    }
    /// Brackets of a symbol.
    pub fn brackets_of(&self, symbol: Symbol) -> Result<&'a Brackets, Fault> {
        let known = self.facts.brackets.get(&symbol).filter(|b| !b.tiers.is_empty());
        known.map(AsRef::as_ref).ok_or(Fault::Missing("no leverage brackets are known for the symbol"))
    }
    /// Brackets of the order's symbol.
    pub fn brackets(&self) -> Result<&'a Brackets, Fault> {
        self.brackets_of(self.intent.symbol)
    }
    /// The price that the order names, if any: its limit, else its trigger.
    pub const fn named_price(&self) -> Option<Price> {
        match self.intent.kind {
            OrderKind::Market | OrderKind::TrailingStopMarket { .. } => None,
            OrderKind::Limit { price, .. } | OrderKind::Stop { price, .. } | OrderKind::TakeProfit { price, .. } => Some(price),
            OrderKind::StopMarket { trigger, .. } | OrderKind::TakeProfitMarket { trigger, .. } => Some(trigger),
        }
    }
    /// The price at which to reckon: the named one, else mark.
    pub fn price(&self) -> Result<Price, Fault> {
        match self.named_price() {
            Some(price) => Ok(price),
            None => Ok(self.mark()?.price),
        }
    }
    /// The dearer of price and mark: what margin must cover.
    pub fn dear_price(&self) -> Result<Price, Fault> {
        Ok(self.price()?.max(self.mark()?.price))
    }
    /// Stop and targets of an entry.
    pub const fn protection(&self) -> Option<&'a Protection> {
        match &self.intent.purpose {
            Purpose::Entry { protection } => protection.as_ref(),
            Purpose::Exit { .. } => None,
        }
    }
    /// The position that the order works on.
    pub fn position(&self) -> Result<Option<&'a PositionView>, Fault> {
        Ok(self.account()?.position(self.intent.symbol, self.intent.position_side))
    }
    /// Signed quantity of the order.
    pub fn signed(&self) -> Result<Qty, Fault> {
        Ok(self.intent.qty.times_int(self.intent.side.sign())?)
    }
    /// The part of the order that opens or adds, positive: crossing zero closes first.
    pub fn opening(&self) -> Result<Qty, Fault> {
        let held = self.position()?.map(|p| p.qty).unwrap_or_default();
        let against = !held.is_zero() && held.is_positive() != (self.intent.side == Side::Buy);
        let closes = if against { self.intent.qty.min(held.abs()) } else { Qty::ZERO };
        Ok(self.intent.qty.checked_sub(closes)?)
    }
    /// What the strategy did on this symbol so far.
    pub fn record(&self) -> Result<TrackRecord, Fault> {
        let desk = (self.intent.strategy, self.intent.symbol);
        Ok(self.account()?.records.get(&desk).copied().unwrap_or_default())
    }
    /// The strategy's trades on the symbol up to now are forgiven.
    pub fn forgiven(&self, closed: Timestamp) -> bool {
        closed <= self.facts.forgiven_until((self.intent.strategy, self.intent.symbol))
    }

    /// Everything that stands or is under way, this order included.
    pub fn exposures(&self) -> Result<&Exposures, Fault> {
        self.exposures.get_or_init(|| self.reckon_exposures()).as_ref().map_err(Clone::clone)
    }
    fn reckon_exposures(&self) -> Result<Exposures, Fault> {
        let account = self.account()?;
        let mut all = Exposures::with_capacity(account.positions.len() + 4);
        for position in &account.positions {
            exposure_of(&mut all, (position.symbol, position.side)).qty = position.qty;
        }
        for order in account.orders.iter().filter(|o| matches!(o.role, Some(OrderRole::Entry { .. }))) {
            let left = order.qty.checked_sub(order.filled)?;
            exposure_of(&mut all, (order.symbol, order.position_side)).add(order.side, left)?;
        }
        for held in &self.facts.reservations {
            exposure_of(&mut all, (held.symbol, held.position_side)).add(held.side, held.qty)?;
        }
        exposure_of(&mut all, (self.intent.symbol, self.intent.position_side)).add(self.intent.side, self.intent.qty)?;
        Ok(all)
    }
    /// Largest absolute quantity of the order's position once it has filled, alone or with all others of its side.
    pub fn qty_after(&self) -> Result<Qty, Fault> {
        let key = (self.intent.symbol, self.intent.position_side);
        let own = self.exposures()?.iter().find(|(known, _)| *known == key).map(|(_, own)| *own).unwrap_or_default();
        let together = match self.intent.side {
            Side::Buy => own.bought()?,
            Side::Sell => own.sold()?,
        };
        let alone = own.qty.checked_add(self.signed()?)?;
        Ok(together.abs().max(alone.abs()))
    }
    /// |quantity after| at the dearer of price and mark.
    pub fn notional_after(&self) -> Result<Usdt, Fault> {
        Ok(notional(self.dear_price()?, self.qty_after()?, Rounding::Ceil)?)
    }
}
