//! After the fill the liquidation price must be beyond the stop, and no nearer to mark than the limit.

use super::{Rule, Scope};
use crate::num::{Price, Ratio, Rounding, Usdt};
use crate::num::{Qty, div_round, notional};
use crate::order::{MarginMode, Side};
use crate::position::liquidation::{Leg, Liquidation, liquidation};
use crate::position::margin::{initial_margin, maintenance_margin, position_notional, profit};
use crate::risk::check::{Check, Fault, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::LiquidationDistance, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let mark = c.mark()?.price;
    let price = match after_fill(c, mark)? {
        Liquidation::Safe => return Ok(()),
        Liquidation::Gone => return beyond(Ratio::ZERO, c.limits.liquidation_distance_min, "the position would be liquidated at once"),
        Liquidation::At(price) => price,
    };
    let distance = Price::from_raw(mark.checked_sub(price)?.raw()).abs().share_of(mark, Rounding::Floor)?;
    if distance < c.limits.liquidation_distance_min {
        let text = format!("the liquidation price {price} would be too near to mark {mark}; lower the leverage");
        return beyond(distance, c.limits.liquidation_distance_min, text);
    }
    let Some(stop) = c.protection().map(|p| p.stop) else { return Ok(()) };
    let before_stop = match c.intent.side {
        Side::Buy => price >= stop,
        Side::Sell => price <= stop,
    };
    if before_stop { beyond(price, stop, "the position would be liquidated before its stop; lower the leverage") } else { Ok(()) }
}

/// Solves for the position as it is once this order has filled at its price.
fn after_fill(c: &Check<'_>, mark: Price) -> Result<Liquidation, Fault> {
    let price = c.price()?;
    let held = c.position()?;
    let opening = c.opening()?;
    let leg = leg_after(c, price)?;
    let added = initial_margin(notional(price, opening, Rounding::Floor)?, c.intent.leverage)?;
    let mode = held.map_or(c.intent.margin_mode, |p| p.margin_mode);
    if mode == MarginMode::Isolated {
        let kept = held.filter(|p| p.qty.is_positive() == leg.qty.is_positive()).map(|p| p.isolated_wallet).unwrap_or_default();
        return Ok(liquidation(&[leg], c.brackets()?, kept.checked_add(added)?, mark)?);
    }
    let account = c.account()?;
    let fee = notional(price, c.intent.qty, Rounding::Ceil)?.times(c.limits.taker_fee, Rounding::Ceil)?;
    let mut collateral = account.wallet.checked_sub(fee)?;
    let mut legs = vec![leg];
    for other in &account.positions {
        if other.margin_mode == MarginMode::Isolated {
            collateral = collateral.checked_sub(other.isolated_wallet)?;
        } else if other.symbol != c.intent.symbol {
            let maintenance = maintenance_margin(position_notional(other.qty, other.mark)?, c.brackets_of(other.symbol)?)?;
            let maintenance = maintenance.ok_or(Fault::Missing("no leverage brackets are known for another position"))?;
            collateral = collateral.checked_sub(maintenance)?.checked_add(other.unrealized)?;
        } else if other.side != c.intent.position_side {
            legs.push(Leg { qty: other.qty, entry: other.entry });
        }
    }
    collateral = collateral.checked_add(realised(c, price)?)?;
    Ok(liquidation(&legs, c.brackets()?, collateral, mark)?)
}

/// Quantity and average entry once the order has filled.
fn leg_after(c: &Check<'_>, price: Price) -> Result<Leg, Fault> {
    let signed = c.signed()?;
    let Some(held) = c.position()? else { return Ok(Leg { qty: signed, entry: price }) };
    let qty = held.qty.checked_add(signed)?;
    if qty.is_zero() {
        return Ok(Leg { qty, entry: price });
    }
    let same_side = held.qty.is_positive() == signed.is_positive();
    let entry = if same_side {
        let value = i128::from(held.entry.raw()) * i128::from(held.qty.raw()) + i128::from(price.raw()) * i128::from(signed.raw());
        let raw = div_round(value, i128::from(qty.raw()), Rounding::HalfEven)?;
        Price::from_raw(i64::try_from(raw).map_err(|_| crate::num::NumError::Overflow)?)
    } else if held.qty.is_positive() == qty.is_positive() {
        held.entry
    } else {
        price
    };
    Ok(Leg { qty, entry })
}

/// Profit that the closing part of the order realises.
fn realised(c: &Check<'_>, price: Price) -> Result<Usdt, Fault> {
    let Some(held) = c.position()? else { return Ok(Usdt::ZERO) };
    let closing = c.intent.qty.checked_sub(c.opening()?)?;
    let signed = if held.qty.is_negative() { closing.checked_neg()? } else { closing };
    Ok(if closing == Qty::ZERO { Usdt::ZERO } else { profit(held.entry, price, signed)? })
}
