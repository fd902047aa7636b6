//! No entry on a symbol that is locked, or frozen by an order of unknown fate.

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::SymbolLocked, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    if c.facts.frozen.contains(&c.intent.symbol) {
        return beyond(Measure::Word("frozen"), Measure::Word("free"), "an order of unknown fate stands on this symbol");
    }
    let locks = |side: Option<crate::order::Side>| side.is_none_or(|s| s == c.intent.side);
    let found = c.facts.locks.iter().find(|l| l.symbol == c.intent.symbol && locks(l.side) && l.until > c.now.market);
    match found {
        None => Ok(()),
        Some(lock) => {
            let text = format!("locked until {}: {}", lock.until, lock.reason);
            beyond(Measure::Word("locked"), Measure::Word("free"), text)
        }
    }
}
