//! The notional of a strategy's entries of one UTC day is at most a multiple of equity.

use super::{Rule, Scope};
use crate::num::{Rounding, notional};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::NotionalPerDay, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.notional_per_day.get() else { return Ok(()) };
    let spent = c.facts.notional_of_day(c.intent.strategy, c.now.market);
    let sum = spent.checked_add(notional(c.dear_price()?, c.intent.qty, Rounding::Ceil)?)?;
    let share = sum.share_of(c.equity()?, Rounding::Ceil)?;
    if share > limit { beyond(share, limit, format!("entries of today would sum up to {sum} USDT")) } else { Ok(()) }
}
