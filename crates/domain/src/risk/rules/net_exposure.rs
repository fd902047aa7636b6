//! |Σ signed notional| of all positions, in the worst mix of entries under way, is at most a multiple of equity.

use super::{Rule, Scope};
use crate::num::{Rounding, Usdt, notional};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::NetExposure, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.net_exposure_max.get() else { return Ok(()) };
    let own = (c.intent.symbol, c.intent.position_side);
    let (mut up, mut down) = (Usdt::ZERO, Usdt::ZERO);
    for (key, exposure) in c.exposures()? {
        let price = if *key == own { c.dear_price()? } else { c.mark_of(key.0)?.price };
        up = up.checked_add(notional(price, exposure.bought()?, Rounding::AwayFromZero)?)?;
        down = down.checked_add(notional(price, exposure.sold()?, Rounding::AwayFromZero)?)?;
    }
    let worst = up.abs().max(down.abs());
    let share = worst.share_of(c.equity()?, Rounding::Ceil)?;
    if share > limit { beyond(share, limit, format!("long less short would be worth {worst} USDT")) } else { Ok(()) }
}
