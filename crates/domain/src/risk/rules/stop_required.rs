//! No entry without its stop.

use super::{Rule, Scope};
use crate::risk::check::{Check, Fault, Verdict};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::StopRequired, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    c.protection().map(|_| ()).ok_or(Fault::Missing("an entry needs a stop price"))
}
