//! The next funding payment of the position is at most a share of its margin. Only the side that pays is held up.

use super::{Rule, Scope};
use crate::num::{Ratio, Rounding};
use crate::order::Side;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::FundingCost, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.funding_cost_max.get() else { return Ok(()) };
    let rate = c.mark()?.funding_rate;
    let pays = match c.intent.side {
        Side::Buy => rate.is_positive(),
        Side::Sell => rate.is_negative(),
    };
    if !pays {
        return Ok(());
    }
    // notional · |rate| / (notional / leverage)
    let share = Ratio::from_raw(rate.raw()).abs().times_int(i64::from(c.intent.leverage))?.times(Ratio::ONE, Rounding::Ceil)?;
    if share > limit { beyond(share, limit, format!("the next funding at {rate} costs too much of the margin")) } else { Ok(()) }
}
