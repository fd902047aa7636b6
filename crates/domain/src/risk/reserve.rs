//! Setting margin aside for an entry, from its approval until the account frame accounts for it.

use super::check::{Check, Fault};
use super::facts::Reservation;
use crate::num::{Rounding, Usdt, notional};
use crate::position::margin::initial_margin;

/// Margin of the part that opens or adds, and taker fee of the whole, at the dearer of price and mark.
pub(super) fn amount(c: &Check<'_>) -> Result<Usdt, Fault> {
    let price = c.dear_price()?;
    let margin = initial_margin(notional(price, c.opening()?, Rounding::Ceil)?, c.intent.leverage)?;
    let fee = notional(price, c.intent.qty, Rounding::Ceil)?.times(c.limits.taker_fee, Rounding::Ceil)?;
    Ok(margin.checked_add(fee)?)
}

/// What is to be kept in mind of an approved entry.
pub(super) fn reservation(c: &Check<'_>) -> Result<Reservation, Fault> {
    Ok(Reservation {
        decision: c.intent.decision,
        symbol: c.intent.symbol,
        position_side: c.intent.position_side,
        side: c.intent.side,
        qty: c.intent.qty,
        price: c.dear_price()?,
        amount: amount(c)?,
        since: c.now.protocol,
    })
}
