//! An exit must work against a position that stands and be no larger than it.

use super::{Rule, Scope};
use crate::num::Qty;
use crate::order::Side;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::NotReducing, scope: Scope::Exit, run };

fn run(c: &Check<'_>) -> Verdict {
    let held = c.position()?.map(|p| p.qty).unwrap_or_default();
    let reducing = match c.intent.side {
        Side::Sell => held.is_positive(),
        Side::Buy => held.is_negative(),
    };
    if !reducing {
        return beyond(c.intent.qty, Qty::ZERO, "no position stands that this order would reduce");
    }
    if c.intent.qty > held.abs() {
        return beyond(c.intent.qty, held.abs(), "the order is larger than the position that it should reduce");
    }
    Ok(())
}
