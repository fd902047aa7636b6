//! The filters of the contract must be known.

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::UnknownSymbol, scope: Scope::Any, run };

fn run(c: &Check<'_>) -> Verdict {
    c.instrument().map(|_| ())
}
