//! Orders in a second and in a minute (protocol clock) stay below the exchange's own limits. Exits count, and pass.

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;
use crate::time::Span;

pub(super) const RULE: Rule = Rule { code: RefusalCode::OrderRate, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let windows = [(c.limits.orders_per_second.get(), Span::secs(1)), (c.limits.orders_per_minute.get(), Span::minutes(1))];
    for (limit, span) in windows {
        let Some(limit) = limit else { continue };
        let count = i64::try_from(c.facts.sent_within(span, c.now) + 1).unwrap_or(i64::MAX);
        if count > i64::from(limit) {
            let text = format!("too many orders within {} s", span.0 / 1_000);
            return beyond(Measure::Count(count), Measure::Count(i64::from(limit)), text);
        }
    }
    Ok(())
}
