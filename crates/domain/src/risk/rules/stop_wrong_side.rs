//! The stop must be on the losing side of the entry price and of mark, else it would trigger at once.

use super::{Rule, Scope};
use crate::order::Side;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::StopWrongSide, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    // Without a stop there is none on the wrong side: STOP_REQUIRED speaks for that.
    let Some(stop) = c.protection().map(|p| p.stop) else { return Ok(()) };
    let (price, mark) = (c.price()?, c.mark()?.price);
    match c.intent.side {
        Side::Buy if stop >= price.min(mark) => beyond(stop, price.min(mark), "the stop of a long must be below entry and mark"),
        Side::Sell if stop <= price.max(mark) => beyond(stop, price.max(mark), "the stop of a short must be above entry and mark"),
        _ => Ok(()),
    }
}
