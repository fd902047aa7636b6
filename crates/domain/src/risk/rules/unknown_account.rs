//! The account must be known: a snapshot was adopted and some equity is there.

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::UnknownAccount, scope: Scope::Any, run };

fn run(c: &Check<'_>) -> Verdict {
    c.account()?;
    // An exit needs no equity.
    if c.intent.is_entry() { c.equity().map(|_| ()) } else { Ok(()) }
}
