//! The decision must have seen the newest order, fill or position fact of its strategy and symbol.

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::AccountStale, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let newest = c.account()?.fact(c.intent.strategy, c.intent.symbol);
    if c.intent.seen == newest {
        return Ok(());
    }
    let count = |n: u64| Measure::Count(i64::try_from(n).unwrap_or(i64::MAX));
    beyond(count(c.intent.seen.0), count(newest.0), "the decision was made on an older state of its strategy and symbol; decide anew")
}
