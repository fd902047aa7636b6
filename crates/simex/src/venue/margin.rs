//! What an account can still afford, and what its positions need.

use super::account::LEGS;
use super::exchange::Exchange;
use super::report::AccountId;
use fulmar_domain::instrument::Bracket;
use fulmar_domain::num::{NumError, Price, Qty, Rounding, Usdt, notional};
use fulmar_domain::order::{MarginMode, PositionSide, Side};
use fulmar_domain::position::margin::{initial_margin, maintenance_margin};

/// Value of the open orders of a symbol and leg that could open something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OpenValue {
    pub bids: Usdt,
    pub asks: Usdt,
}

/// An order about to be added, for the question whether it can be afforded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub at: usize,
    pub side: Side,
    pub leg: PositionSide,
    pub value: Usdt,
}

/// An order on a leg of hedge mode that can only close.
pub(super) const fn closes_leg(side: Side, leg: PositionSide) -> bool {
    matches!((side, leg), (Side::Sell, PositionSide::Long) | (Side::Buy, PositionSide::Short))
}

impl Exchange {
    /// Value of open orders on a leg; reduce-only ones count nothing.
    pub(super) fn open_value(&self, account: AccountId, at: usize, leg: PositionSide) -> Result<OpenValue, NumError> {
        let mut sum = OpenValue::default();
        let symbol = self.symbol(at).instrument.symbol;
        let stand_in = self.mark_of(at).unwrap_or(Price::ZERO);
        for order in self.account(account).open.iter().filter_map(|o| self.orders.get(*o as usize)) {
            let report = &order.report;
            if report.symbol != symbol || report.position_side != leg || report.reduce_only || closes_leg(report.side, leg) {
                continue;
            }
            let price = if report.price.is_zero() { stand_in } else { report.price };
            let value = notional(price, report.qty.checked_sub(report.filled)?, Rounding::HalfEven)?;
            let slot = if report.side == Side::Buy { &mut sum.bids } else { &mut sum.asks };
            *slot = slot.checked_add(value)?;
        }
        Ok(sum)
    }
    /// Initial margin of the open orders of a leg: that of the larger exposure that they could lead to, above the position's.
    pub(super) fn order_margin(&self, account: AccountId, at: usize, leg: PositionSide, extra: Option<Wanted>) -> Result<Usdt, NumError> {
        let mut open = self.open_value(account, at, leg)?;
        if let Some(wanted) = extra.filter(|w| w.at == at && w.leg == leg && !closes_leg(w.side, w.leg)) {
            let slot = if wanted.side == Side::Buy { &mut open.bids } else { &mut open.asks };
            *slot = slot.checked_add(wanted.value)?;
        }
        if open.bids.is_zero() && open.asks.is_zero() {
            return Ok(Usdt::ZERO);
        }
        let holder = self.account(account);
        let position = holder.position(at, leg);
        let mark = self.mark_of(at).unwrap_or(position.entry);
        let held = position.value(mark)?;
        let signed = held.times_int(position.sign())?;
        let worst = signed.checked_add(open.bids)?.abs().max(signed.checked_sub(open.asks)?.abs());
        let extra = Usdt::from_raw(worst.checked_sub(held)?.raw().max(0));
        initial_margin(extra, holder.setting(at).leverage)
    }
    fn all_order_margin(&self, account: AccountId, extra: Option<Wanted>) -> Result<Usdt, NumError> {
        let mut sum = Usdt::ZERO;
        if self.account(account).open.is_empty() && extra.is_none() {
            return Ok(sum);
        }
        for at in 0..self.symbols.len() {
            for leg in LEGS {
                sum = sum.checked_add(self.order_margin(account, at, leg, extra)?)?;
            }
        }
        Ok(sum)
    }
    /// (initial, maintenance, unrealised) over the positions of one margin mode, or of both.
    pub(super) fn position_sums(&self, account: AccountId, mode: Option<MarginMode>) -> Result<(Usdt, Usdt, Usdt), NumError> {
        let holder = self.account(account);
        let (mut initial, mut maintenance, mut unrealized) = (Usdt::ZERO, Usdt::ZERO, Usdt::ZERO);
        for (at, legs) in holder.positions.iter().enumerate() {
            if legs.iter().all(|p| p.qty.is_zero()) {
                continue;
            }
            let setting = holder.setting(at);
            if mode.is_some_and(|m| m != setting.mode) {
                continue;
            }
            for position in legs.iter().filter(|p| !p.qty.is_zero()) {
                let mark = self.mark_of(at).unwrap_or(position.entry);
                let value = position.value(mark)?;
                initial = initial.checked_add(initial_margin(value, setting.leverage)?)?;
                maintenance = maintenance.checked_add(self.maintenance(at, value)?)?;
                unrealized = unrealized.checked_add(position.unrealized(mark)?)?;
            }
        }
        Ok((initial, maintenance, unrealized))
    }
    /// What can be used for new orders: cross wallet + unrealised of cross positions − their initial margin − that of open
    /// orders; never below zero.
    pub(super) fn available(&self, account: AccountId) -> Result<Usdt, NumError> {
        self.free(account, None).map(|free| Usdt::from_raw(free.raw().max(0)))
    }
    /// As [`Exchange::available`] with one more order, and below zero where it does not suffice.
    pub(super) fn free(&self, account: AccountId, extra: Option<Wanted>) -> Result<Usdt, NumError> {
        let (initial, _, unrealized) = self.position_sums(account, Some(MarginMode::Cross))?;
        let orders = self.all_order_margin(account, extra)?;
        self.account(account).cross_wallet().checked_add(unrealized)?.checked_sub(initial)?.checked_sub(orders)
    }
    /// Whether one more order would take more than is free.
    pub(super) fn too_dear(&self, account: AccountId, wanted: Wanted) -> Result<bool, NumError> {
        let before = self.order_margin(account, wanted.at, wanted.leg, None)?;
        let after = self.order_margin(account, wanted.at, wanted.leg, Some(wanted))?;
        if after <= before {
            return Ok(false);
        }
        Ok(self.free(account, Some(wanted))?.is_negative())
    }
    /// The tier of a notional.
    pub(super) fn tier(&self, at: usize, value: Usdt) -> Bracket {
        let brackets = &self.symbol(at).brackets;
        brackets.tier_of(value).or(brackets.tiers.first()).copied().unwrap_or_else(|| unreachable!())
    }
    /// notional · mmr − cum, rounded up; never below zero.
    pub(super) fn maintenance(&self, at: usize, value: Usdt) -> Result<Usdt, NumError> {
        Ok(maintenance_margin(value, &self.symbol(at).brackets)?.unwrap_or(Usdt::ZERO))
    }
    /// The largest notional that a leverage allows.
    pub(super) fn notional_max(&self, at: usize, leverage: u16) -> Usdt {
        let tiers = &self.symbol(at).brackets.tiers;
        tiers.iter().rev().find(|t| t.leverage_max >= leverage).map_or(Usdt::ZERO, |t| t.cap)
    }
    /// How much of an order may fill when it may only reduce; `None` when it may open.
    pub(super) fn reduce_cap(&self, account: AccountId, at: usize, side: Side, leg: PositionSide, reduce_only: bool) -> Option<Qty> {
        if !reduce_only && !closes_leg(side, leg) {
            return None;
        }
        let held = self.account(account).position(at, leg).qty;
        let against = held.raw().signum() * side.sign() < 0;
        Some(if against { held.abs() } else { Qty::ZERO })
    }
}
