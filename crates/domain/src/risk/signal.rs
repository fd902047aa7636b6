//! The operator's signal as an intent: sized by equity, protected by its stop, closing where the size is zero.
//!
//! Invariant: what cannot be sized (no account, price or filters) becomes an intent of quantity zero, which the rules refuse with
//! the facts that are missing.

use super::facts::Facts;
use crate::account::AccountFrame;
use crate::control::Signal;
use crate::id::StrategyId;
use crate::num::{Price, Qty, Ratio, Rounding, qty_for};
use crate::order::{
    ExitReason, MarginMode, OrderIntent, OrderKind, PositionSide, Protection, Purpose, Side, Target, TimeInForce, WorkingType,
};
use crate::time::Now;

/// Makes the intent that a signal asks for.
pub(super) fn intent_of(signal: &Signal, facts: &Facts, now: Now) -> OrderIntent {
    let account = facts.account.as_deref().filter(|a| a.known);
    let strategy = signal.strategy.unwrap_or_else(StrategyId::operator);
    let mark = facts.marks.get(&signal.symbol).map(|(mark, _)| mark.price);
    let closes = signal.size_percent.is_zero();
    let position_side = side_of(signal, account, closes);
    let held = account.and_then(|a| a.position(signal.symbol, position_side));
    let margin_mode = held.map_or(MarginMode::Isolated, |p| p.margin_mode);
    let (qty, purpose, side) = if closes {
        let held = held.map(|p| p.qty).unwrap_or_default();
        // The side of the signal is that of the position to close or of the closing order: the position decides.
        let side = if held.is_negative() { Side::Buy } else { Side::Sell };
        (held.abs(), Purpose::Exit { reason: ExitReason::Operator }, side)
    } else {
        (size(signal, facts, account, mark), Purpose::Entry { protection: protection(signal) }, signal.side)
    };
    OrderIntent {
        decision: signal.decision,
        strategy,
        symbol: signal.symbol,
        side,
        position_side,
        kind: signal.price.map_or(OrderKind::Market, |price| OrderKind::Limit { price, tif: TimeInForce::Gtc }),
        qty,
        leverage: signal.leverage,
        margin_mode,
        purpose,
        reference: signal.price.or(mark).unwrap_or(Price::ZERO),
        seen: account.map(|a| a.fact(strategy, signal.symbol)).unwrap_or_default(),
        decided: now.market,
    }
}

/// In hedge mode a buy opens the long leg and a sell the short one; a close takes the leg that stands.
fn side_of(signal: &Signal, account: Option<&AccountFrame>, closes: bool) -> PositionSide {
    let Some(account) = account.filter(|a| a.hedge_mode) else { return PositionSide::Both };
    let by_side = match signal.side {
        Side::Buy => PositionSide::Long,
        Side::Sell => PositionSide::Short,
    };
    let other = if by_side == PositionSide::Long { PositionSide::Short } else { PositionSide::Long };
    if closes && account.position(signal.symbol, by_side).is_none() && account.position(signal.symbol, other).is_some() {
        other
    } else {
        by_side
    }
}

/// equity · size / price, down to the step; zero where anything is missing.
fn size(signal: &Signal, facts: &Facts, account: Option<&AccountFrame>, mark: Option<Price>) -> Qty {
    let sized = || {
        let instrument = facts.instruments.get(&signal.symbol)?;
        let value = account?.equity.times(signal.size_percent, Rounding::Floor).ok()?;
        let step = if signal.price.is_some() { instrument.step } else { instrument.step.max(instrument.market_step) };
        qty_for(value, signal.price.or(mark)?, Rounding::Floor).ok()?.round_to(step, Rounding::Floor).ok()
    };
    sized().unwrap_or(Qty::ZERO)
}

fn protection(signal: &Signal) -> Option<Protection> {
    let targets = signal.take_profit.map(|price| Target { price, share: Ratio::ONE }).into_iter().collect();
    signal.stop.map(|stop| Protection { stop, working: WorkingType::MarkPrice, targets, trailing: None })
}
