//! Σ |notional| of all positions, with every entry under way filled, is at most a multiple of equity.

use super::{Rule, Scope};
use crate::num::{Rounding, Usdt, notional};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::GrossExposure, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.gross_exposure_max.get() else { return Ok(()) };
    let own = (c.intent.symbol, c.intent.position_side);
    let mut sum = Usdt::ZERO;
    for (key, exposure) in c.exposures()? {
        let price = if *key == own { c.dear_price()? } else { c.mark_of(key.0)?.price };
        sum = sum.checked_add(notional(price, exposure.largest()?, Rounding::Ceil)?)?;
    }
    let share = sum.share_of(c.equity()?, Rounding::Ceil)?;
    if share > limit { beyond(share, limit, format!("all positions together would be worth {sum} USDT")) } else { Ok(()) }
}
