//! The initial margin of the position after the fill is at most a share of equity. Entries under way count as filled.

use super::{Rule, Scope};
use crate::num::Rounding;
use crate::position::margin::initial_margin;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::PositionTooLarge, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.position_margin_max.get() else { return Ok(()) };
    let margin = initial_margin(c.notional_after()?, c.intent.leverage)?;
    let share = margin.share_of(c.equity()?, Rounding::Ceil)?;
    if share > limit { beyond(share, limit, format!("the position would bind {margin} USDT of margin")) } else { Ok(()) }
}
