//! The mark price must be young (protocol clock) and the symbol's feed complete.

use super::{Rule, Scope};
use crate::market::FeedState;
use crate::risk::check::{Check, Fault, Verdict, beyond};
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::DataStale, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let (_, received) = c.facts.marks.get(&c.intent.symbol).ok_or(Fault::Missing("no mark price is known"))?;
    let age = c.now.protocol.since(*received);
    if age.0 > c.limits.mark_age_max.0 {
        return beyond(age, c.limits.mark_age_max, format!("the mark price is {} ms old", age.0));
    }
    match c.facts.feeds.get(&c.intent.symbol) {
        None | Some(FeedState::Up | FeedState::Resynced) => Ok(()),
        Some(FeedState::Stale) => beyond(Measure::Word("stale"), Measure::Word("up"), "the symbol's feed is stale"),
        Some(FeedState::Gap) => beyond(Measure::Word("gap"), Measure::Word("up"), "the symbol's feed has a gap that is being repaired"),
    }
}
