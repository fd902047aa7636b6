//! Notional, margins and unrealised profit of a position (trading rules, "Account").
//!
//! Invariant: margins are rounded up, so that the engine never believes to have more room than the exchange grants.

use crate::instrument::Brackets;
use crate::num::{NumError, Price, Qty, Rounding, SCALE, Usdt, mul_div, notional};

/// |qty| · mark, rounded up.
///
/// # Errors
/// [`NumError::Overflow`].
pub fn position_notional(qty: Qty, mark: Price) -> Result<Usdt, NumError> {
    notional(mark, qty.abs(), Rounding::Ceil)
}

/// notional / leverage, rounded up. Leverage zero counts as one.
///
/// # Errors
/// [`NumError::Overflow`].
pub fn initial_margin(notional: Usdt, leverage: u16) -> Result<Usdt, NumError> {
    notional.over_int(i64::from(leverage.max(1)), Rounding::Ceil)
}

/// notional · mmr − cum at the tier of the notional, rounded up and never below zero; `None` without tiers.
///
/// # Errors
/// [`NumError::Overflow`].
pub fn maintenance_margin(notional: Usdt, tiers: &Brackets) -> Result<Option<Usdt>, NumError> {
    let Some(tier) = tiers.tier_of(notional) else { return Ok(None) };
    let margin = notional.times(tier.mmr, Rounding::Ceil)?.checked_sub(tier.cum)?;
    Ok(Some(margin.max(Usdt::ZERO)))
}

/// (mark − entry) · qty, signed quantity, to the nearest.
///
/// # Errors
/// [`NumError::Overflow`].
pub fn profit(entry: Price, mark: Price, qty: Qty) -> Result<Usdt, NumError> {
    mul_div(mark.checked_sub(entry)?.raw(), qty.raw(), SCALE, Rounding::HalfEven).map(Usdt::from_raw)
}

/// What funding brings to a position: −qty · mark · rate; a long pays when the rate is positive.
///
/// # Errors
/// [`NumError::Overflow`].
pub fn funding_payment(qty: Qty, mark: Price, rate: crate::num::Ratio) -> Result<Usdt, NumError> {
    notional(mark, qty, Rounding::HalfEven)?.times(rate, Rounding::HalfEven)?.checked_neg()
}
