//! After a number of losing trades in a row of one strategy and symbol its entries wait (market clock).

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::ConsecutiveLosses, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.consecutive_losses.get() else { return Ok(()) };
    let record = c.record()?;
    let until = record.last_close.plus(limit.lock);
    if record.losses_in_a_row < limit.losses || c.now.market >= until || c.forgiven(record.last_close) {
        return Ok(());
    }
    let count = |n: u32| Measure::Count(i64::from(n));
    beyond(count(record.losses_in_a_row), count(limit.losses), format!("too many losses in a row; entries wait until {until}"))
}
