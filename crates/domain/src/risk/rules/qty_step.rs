//! The quantity must be a multiple of the lot's step; of the market lot's step as well for market orders.

use super::{Rule, Scope};
use crate::order::OrderKind;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::QtyStep, scope: Scope::Any, run };

fn run(c: &Check<'_>) -> Verdict {
    let filter = c.instrument()?;
    if !c.intent.qty.is_multiple_of(filter.step) {
        return beyond(c.intent.qty, filter.step, "the quantity is off the step");
    }
    if matches!(c.intent.kind, OrderKind::Market) && !c.intent.qty.is_multiple_of(filter.market_step) {
        return beyond(c.intent.qty, filter.market_step, "the quantity is off the step of market orders");
    }
    Ok(())
}
