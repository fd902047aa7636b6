//! The complete account as the rest of the engine reads it.
//!
//! Invariant: a frame needs nothing but itself to be understood; it is built whole from books and market.

use super::books::{Books, PositionKey};
use super::holding::Holding;
use super::liquidation::{Leg, Liquidation, liquidation};
use super::margin::{initial_margin, maintenance_margin, position_notional, profit};
use crate::account::{AccountFrame, OrderView, PositionView};
use crate::instrument::Brackets;
use crate::num::{NumError, Price, Rounding, Usdt, notional};
use crate::order::{MarginMode, OrderKind, OrderRole};
use crate::symbol::Symbol;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the market and the exchange say that is not in the journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Market {
    pub marks: BTreeMap<Symbol, Price>,
    pub brackets: BTreeMap<Symbol, Arc<Brackets>>,
}

/// Equity figures that outlive a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct EquityMarks {
    pub day: Option<i64>,
    pub day_start: Usdt,
    pub peak: Usdt,
}

impl Books {
    fn mark_of(&self, held: &Holding, market: &Market) -> Price {
        market.marks.get(&held.symbol).copied().unwrap_or(held.entry)
    }
    /// Σ unrealised.
    pub fn unrealized(&self, market: &Market) -> Result<Usdt, NumError> {
        self.holdings.values().try_fold(Usdt::ZERO, |sum, held| sum.checked_add(profit(held.entry, self.mark_of(held, market), held.qty)?))
    }
    /// Wallet + Σ unrealised.
    pub fn equity(&self, market: &Market) -> Result<Usdt, NumError> {
        self.wallet.checked_add(self.unrealized(market)?)
    }

    /// The frame number `seq`.
    pub fn frame(&self, seq: u64, market: &Market, marks: EquityMarks) -> Result<AccountFrame, NumError> {
        let unrealized = self.unrealized(market)?;
        let equity = self.wallet.checked_add(unrealized)?;
        let mut positions = Vec::with_capacity(self.holdings.len());
        for (key, held) in &self.holdings {
            positions.push(self.position_view(*key, held, market)?);
        }
        let mut used = positions.iter().try_fold(Usdt::ZERO, |sum, p| sum.checked_add(p.initial_margin))?;
        for order in self.orders.iter() {
            used = used.checked_add(self.order_margin(order, market)?)?;
        }
        Ok(AccountFrame {
            seq,
            known: self.known,
            hedge_mode: self.hedge,
            wallet: self.wallet,
            equity,
            unrealized,
            available: equity.checked_sub(used)?.max(Usdt::ZERO),
            day_start_equity: marks.day_start,
            peak_equity: marks.peak,
            positions,
            orders: self.orders.iter().cloned().collect(),
            facts: self.facts.clone(),
            records: self.records.clone(),
            heard: self.heard.iter().copied().collect(),
            time: self.time,
        })
    }

    /// The exchange's figure once it speaks of the same quantity, until then our own estimate.
    fn isolated_wallet(&self, key: PositionKey, held: &Holding) -> Usdt {
        match self.reported.positions.get(&key) {
            Some(theirs) if theirs.qty == held.qty => theirs.isolated_wallet,
            _ => held.isolated_wallet,
        }
    }

    fn position_view(&self, key: PositionKey, held: &Holding, market: &Market) -> Result<PositionView, NumError> {
        let mark = self.mark_of(held, market);
        let notional = position_notional(held.qty, mark)?;
        let (leverage, _) = self.terms(held.symbol);
        let maintenance = match market.brackets.get(&held.symbol) {
            Some(tiers) => maintenance_margin(notional, tiers)?,
            None => None,
        };
        Ok(PositionView {
            symbol: held.symbol,
            side: held.side,
            strategy: held.strategy,
            qty: held.qty,
            entry: held.entry,
            mark,
            notional,
            unrealized: profit(held.entry, mark, held.qty)?,
            leverage,
            margin_mode: held.margin_mode,
            isolated_wallet: self.isolated_wallet(key, held),
            initial_margin: initial_margin(notional, leverage)?,
            maintenance_margin: maintenance.unwrap_or_default(),
            liquidation: self.liquidation_of(key, held, mark, market)?.and_then(Liquidation::price),
            stop: self.orders.stop_of(held.symbol, held.side, held.qty.is_positive(), held.strategy),
            realized: held.realized,
            fees: held.fees,
            funding: held.funding,
            opened: held.opened,
        })
    }

    /// `None` where brackets of a position that shares the collateral are not known.
    fn liquidation_of(&self, key: PositionKey, held: &Holding, mark: Price, market: &Market) -> Result<Option<Liquidation>, NumError> {
        let Some(tiers) = market.brackets.get(&held.symbol) else { return Ok(None) };
        if held.margin_mode == MarginMode::Isolated {
            let leg = Leg { qty: held.qty, entry: held.entry };
            return liquidation(&[leg], tiers, self.isolated_wallet(key, held), mark).map(Some);
        }
        let mut collateral = self.wallet;
        let mut legs = Vec::with_capacity(2);
        for (other_key, other) in &self.holdings {
            if other.margin_mode == MarginMode::Isolated {
                collateral = collateral.checked_sub(self.isolated_wallet(*other_key, other))?;
            } else if other.symbol == held.symbol {
                legs.push(Leg { qty: other.qty, entry: other.entry });
            } else {
                let Some(their_tiers) = market.brackets.get(&other.symbol) else { return Ok(None) };
                let other_mark = self.mark_of(other, market);
                let Some(kept) = maintenance_margin(position_notional(other.qty, other_mark)?, their_tiers)? else {
                    return Ok(None);
                };
                collateral = collateral.checked_sub(kept)?.checked_add(profit(other.entry, other_mark, other.qty)?)?;
            }
        }
        liquidation(&legs, tiers, collateral, mark).map(Some)
    }

    /// Initial margin that a standing entry order will need: at its limit price, else at mark, else at its stop.
    fn order_margin(&self, order: &OrderView, market: &Market) -> Result<Usdt, NumError> {
        let Some(OrderRole::Entry { protection }) = &order.role else { return Ok(Usdt::ZERO) };
        let price = match order.kind {
            Some(OrderKind::Limit { price, .. }) => price,
            _ => market.marks.get(&order.symbol).copied().unwrap_or(protection.stop),
        };
        let left = order.qty.checked_sub(order.filled)?;
        initial_margin(notional(price, left.abs(), Rounding::Ceil)?, self.terms(order.symbol).0)
    }
}
