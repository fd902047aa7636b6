//! One position and the average-entry rules.
//!
//! Adding moves the entry by quantity weight, reducing realises (exit − entry) · closed quantity and leaves the entry, crossing
//! zero closes and opens the rest at the fill price.
//!
//! Invariant: a holding is never flat; one that becomes flat ends in a [`RoundTrip`].

use super::margin::{initial_margin, profit};
use crate::id::StrategyId;
use crate::num::{NumError, Price, Qty, Rounding, Usdt, div_round, mul_div, notional};
use crate::order::{ExitReason, Fill, MarginMode, PositionSide};
use crate::record::RoundTrip;
use crate::symbol::Symbol;
use crate::time::Timestamp;

/// Value and quantity traded in one direction, for averages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Traded {
    value: i128,
    qty: i128,
}

impl Traded {
    fn add(&mut self, price: Price, qty: Qty) {
        self.value += i128::from(price.raw()) * i128::from(qty.raw());
        self.qty += i128::from(qty.raw());
    }
    fn average(self) -> Option<Price> {
        let raw = div_round(self.value, self.qty, Rounding::HalfEven).ok()?;
        i64::try_from(raw).ok().map(Price::from_raw)
    }
}

/// A position that is not flat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Holding {
    pub symbol: Symbol,
    pub side: PositionSide,
    pub strategy: StrategyId,
    pub qty: Qty,
    pub entry: Price,
    pub margin_mode: MarginMode,
    pub isolated_wallet: Usdt,
    pub realized: Usdt,
    pub fees: Usdt,
    pub funding: Usdt,
    pub opened: Timestamp,
    largest: Qty,
    entries: Traded,
    exits: Traded,
}

/// Who and how, for a position that a fill opens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub strategy: StrategyId,
    pub margin_mode: MarginMode,
    pub leverage: u16,
    pub reason: ExitReason,
}

/// What a fill did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Applied {
    /// Realised profit by our own arithmetic.
    pub own_realized: Usdt,
    /// What stands now.
    pub left: Option<Holding>,
    /// The round trip that ended.
    pub closed: Option<RoundTrip>,
}

impl Holding {
    /// A position out of nothing: by a fill, or adopted from the exchange.
    pub fn open(symbol: Symbol, side: PositionSide, qty: Qty, price: Price, terms: Terms, opened: Timestamp) -> Result<Self, NumError> {
        let mut entries = Traded::default();
        entries.add(price, qty.abs());
        let isolated_wallet = match terms.margin_mode {
            MarginMode::Isolated => initial_margin(notional(price, qty.abs(), Rounding::Ceil)?, terms.leverage)?,
            MarginMode::Cross => Usdt::ZERO,
        };
        Ok(Self {
            symbol,
            side,
            strategy: terms.strategy,
            qty,
            entry: price,
            margin_mode: terms.margin_mode,
            isolated_wallet,
            realized: Usdt::ZERO,
            fees: Usdt::ZERO,
            funding: Usdt::ZERO,
            opened,
            largest: qty.abs(),
            entries,
            exits: Traded::default(),
        })
    }
    /// Takes the exchange's word for quantity and entry.
    pub fn adopt(&mut self, qty: Qty, entry: Price) {
        self.qty = qty;
        self.entry = entry;
        self.largest = self.largest.max(qty.abs());
    }
    /// The story of this position, ended at `closed`.
    pub fn round_trip(&self, reason: ExitReason, closed: Timestamp, last_price: Price) -> RoundTrip {
        RoundTrip {
            strategy: self.strategy,
            symbol: self.symbol,
            long: self.qty.is_positive(),
            qty: self.largest,
            entry: self.entries.average().unwrap_or(self.entry),
            exit: self.exits.average().unwrap_or(last_price),
            realized: self.realized,
            fees: self.fees,
            funding: self.funding,
            reason,
            opened: self.opened,
            closed,
        }
    }
    fn add(&mut self, fill: &Fill, signed: Qty, leverage: u16) -> Result<(), NumError> {
        let total = self.qty.checked_add(signed)?;
        let value = i128::from(self.entry.raw()) * i128::from(self.qty.raw()) + i128::from(fill.price.raw()) * i128::from(signed.raw());
        let entry = div_round(value, i128::from(total.raw()), Rounding::HalfEven)?;
        self.entry = i64::try_from(entry).map(Price::from_raw).map_err(|_| NumError::Overflow)?;
        self.qty = total;
        self.largest = self.largest.max(total.abs());
        self.entries.add(fill.price, fill.qty);
        if self.margin_mode == MarginMode::Isolated {
            let margin = initial_margin(notional(fill.price, fill.qty, Rounding::Ceil)?, leverage)?;
            self.isolated_wallet = self.isolated_wallet.checked_add(margin)?;
        }
        Ok(())
    }
    fn reduce(&mut self, fill: &Fill, closed: Qty) -> Result<Usdt, NumError> {
        let before = self.qty;
        let part = if before.is_negative() { closed.checked_neg()? } else { closed };
        let own = profit(self.entry, fill.price, part)?;
        self.qty = before.checked_sub(part)?;
        self.exits.add(fill.price, closed);
        self.isolated_wallet = mul_div(self.isolated_wallet.raw(), self.qty.raw(), before.raw(), Rounding::Floor).map(Usdt::from_raw)?;
        Ok(own)
    }
}

/// Applies `fill` to what stood before. `fee` is the fee in USDT, zero where it was paid in another asset.
pub(super) fn apply_fill(before: Option<Holding>, fill: &Fill, fee: Usdt, terms: Terms) -> Result<Applied, NumError> {
    let signed = Qty::from_raw(fill.qty.raw().checked_mul(fill.side.sign()).ok_or(NumError::Overflow)?);
    let Some(mut held) = before else {
        let mut opened = Holding::open(fill.symbol, fill.position_side, signed, fill.price, terms, fill.time)?;
        opened.fees = fee;
        opened.realized = fill.realized;
        return Ok(Applied { own_realized: Usdt::ZERO, left: Some(opened), closed: None });
    };
    if held.qty.is_positive() == signed.is_positive() {
        held.add(fill, signed, terms.leverage)?;
        held.fees = held.fees.checked_add(fee)?;
        held.realized = held.realized.checked_add(fill.realized)?;
        return Ok(Applied { own_realized: Usdt::ZERO, left: Some(held), closed: None });
    }
    let closed = fill.qty.min(held.qty.abs());
    let rest = fill.qty.checked_sub(closed)?;
    let fee_of_rest = mul_div(fee.raw(), rest.raw(), fill.qty.raw(), Rounding::HalfEven).map(Usdt::from_raw)?;
    let long = held.qty.is_positive();
    let own_realized = held.reduce(fill, closed)?;
    held.fees = held.fees.checked_add(fee)?.checked_sub(fee_of_rest)?;
    held.realized = held.realized.checked_add(fill.realized)?;
    if !held.qty.is_zero() {
        return Ok(Applied { own_realized, left: Some(held), closed: None });
    }
    let mut trip = held.round_trip(terms.reason, fill.time, fill.price);
    trip.long = long;
    let left = if rest.is_zero() {
        None
    } else {
        let signed = if signed.is_negative() { rest.checked_neg()? } else { rest };
        let mut opened = Holding::open(fill.symbol, fill.position_side, signed, fill.price, terms, fill.time)?;
        opened.fees = fee_of_rest;
        Some(opened)
    };
    Ok(Applied { own_realized, left, closed: Some(trip) })
}
