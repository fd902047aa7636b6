//! Positions, entries under way included, are at most a number.

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::MaxPositions, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.positions_max.get() else { return Ok(()) };
    let count = i64::try_from(c.exposures()?.len()).unwrap_or(i64::MAX);
    if count <= i64::from(limit) {
        return Ok(());
    }
    beyond(Measure::Count(count), Measure::Count(i64::from(limit)), "too many positions")
}
