//! The same order of the same strategy is not taken again within a short span (market clock).

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::RepeatedOrder, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.repeat_span.get() else { return Ok(()) };
    let Some(last) = c.facts.last_alike(c.intent) else { return Ok(()) };
    let since = c.now.market.since(last);
    if since.0 < limit.0 { beyond(since, limit, "the same order was approved a moment ago") } else { Ok(()) }
}
