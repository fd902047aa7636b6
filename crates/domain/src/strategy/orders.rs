//! From a wish to an order: size, prices on the tick, bracket.
//!
//! Quantities are rounded down, never up: rounding cannot make a position larger than was asked for. Stops are rounded
//! towards the entry: rounding cannot make a loss larger than was asked for.

use super::exits::in_favour;
use super::{Entry, Level, OwnPosition, Sizing, StrategySettings};
use crate::instrument::Instrument;
use crate::num::{NumError, Price, Qty, Rounding, Usdt, notional, qty_for};
use crate::order::{Protection, Side, Target, Trailing, WorkingType};

/// An entry ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryPlan {
    pub(super) qty: Qty,
    pub(super) leverage: u16,
    pub(super) protection: Protection,
}

/// Why an entry was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum EntryFault {
    #[error("no equity to size with")]
    NoEquity,
    #[error("{qty} at {price} is below the smallest order ({qty_min}, {notional_min} USDT): raise the size or drop the symbol")]
    TooSmall { qty: Qty, price: Price, qty_min: Qty, notional_min: Usdt },
    #[error("stop {stop} is not beyond {price} on the losing side")]
    StopWrongSide { stop: Price, price: Price },
    #[error("a number cannot be formed: {0}")]
    Number(#[from] NumError),
}

/// Coarser of the two steps: market orders must meet both filters.
fn step(instrument: &Instrument) -> Qty {
    instrument.step.max(instrument.market_step)
}

/// Plans a market entry on the close of the bar.
pub(super) fn plan_entry(
    entry: &Entry,
    close: Price,
    equity: Usdt,
    instrument: &Instrument,
    settings: &StrategySettings,
) -> Result<EntryPlan, EntryFault> {
    let Sizing::FixedFraction(configured) = settings.sizing;
    let value = equity.times(entry.size.unwrap_or(configured), Rounding::Floor)?;
    if !value.is_positive() {
        return Err(EntryFault::NoEquity);
    }
    let largest = instrument.qty_max.min(instrument.market_qty_max);
    let qty = qty_for(value, close, Rounding::Floor)?.min(largest).round_to(step(instrument), Rounding::Floor)?;
    let qty_min = instrument.qty_min.max(instrument.market_qty_min);
    if !qty.is_positive() || qty < qty_min || notional(close, qty, Rounding::Floor)? < instrument.notional_min {
        return Err(EntryFault::TooSmall { qty, price: close, qty_min, notional_min: instrument.notional_min });
    }
    let towards_entry = if entry.side == Side::Buy { Rounding::Ceil } else { Rounding::Floor };
    let stop = match entry.stop {
        Level::At(price) => price,
        Level::Distance(share) => in_favour(entry.side, close, share.checked_neg()?)?,
    };
    let stop = stop.round_to(instrument.tick, towards_entry)?;
    let beyond = if entry.side == Side::Buy { stop < close } else { stop > close };
    if !beyond || !stop.is_positive() {
        return Err(EntryFault::StopWrongSide { stop, price: close });
    }
    let favourable = |level: Level| -> Result<Price, NumError> {
        let price = match level {
            Level::At(price) => price,
            Level::Distance(share) => in_favour(entry.side, close, share)?,
        };
        price.round_to(instrument.tick, Rounding::HalfEven)
    };
    let targets =
        entry.targets.iter().map(|t| Ok(Target { price: favourable(t.level)?, share: t.share })).collect::<Result<_, NumError>>()?;
    let trailing = match entry.trailing {
        None => None,
        Some(t) => Some(Trailing { activation: t.activation.map(favourable).transpose()?, distance: t.distance }),
    };
    let protection = Protection { stop, working: WorkingType::default(), targets, trailing };
    Ok(EntryPlan { qty, leverage: entry.leverage.unwrap_or(settings.leverage), protection })
}

/// Quantity to close so that `keep` stays; zero when nothing (or too little for an order) is to be closed.
///
/// The whole position goes without rounding, in pieces where it exceeds the largest market order.
pub(super) fn exit_qty(own: &OwnPosition, keep: Qty, instrument: Option<&Instrument>) -> Result<Qty, NumError> {
    let Some(instrument) = instrument else {
        return Ok(if keep.is_zero() { own.qty } else { Qty::ZERO });
    };
    if keep.is_zero() {
        return Ok(own.qty.min(instrument.market_qty_max));
    }
    let excess = own.qty.checked_sub(keep)?.round_to(step(instrument), Rounding::Floor)?;
    let smallest = instrument.qty_min.max(instrument.market_qty_min);
    Ok(if excess.is_positive() && excess >= smallest { excess.min(instrument.market_qty_max) } else { Qty::ZERO })
}
