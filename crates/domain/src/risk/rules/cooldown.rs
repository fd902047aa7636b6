//! After a round trip of one strategy and symbol its next entry waits (market clock).

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::Cooldown, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.cooldown.get() else { return Ok(()) };
    let record = c.record()?;
    let since = c.now.market.since(record.last_close);
    if record.trades == 0 || since.0 >= limit.0 || c.forgiven(record.last_close) {
        return Ok(());
    }
    beyond(since, limit, format!("entries wait until {}", record.last_close.plus(limit)))
}
