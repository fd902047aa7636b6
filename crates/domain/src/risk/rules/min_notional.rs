//! The order's value must reach the exchange's least; orders that only reduce are exempt there and here.

use super::{Rule, Scope};
use crate::num::{Rounding, notional};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::MinNotional, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let least = c.instrument()?.notional_min;
    let value = notional(c.price()?, c.intent.qty, Rounding::Floor)?;
    if value < least { beyond(value, least, "the order's value is below the exchange's least") } else { Ok(()) }
}
