//! The quantity must be inside the lot filter; inside the market lot's as well for market orders.

use super::{Rule, Scope};
use crate::order::OrderKind;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::QtyRange, scope: Scope::Any, run };

fn run(c: &Check<'_>) -> Verdict {
    let filter = c.instrument()?;
    let (mut least, mut most) = (filter.qty_min, filter.qty_max);
    if matches!(c.intent.kind, OrderKind::Market) {
        least = least.max(filter.market_qty_min);
        most = most.min(filter.market_qty_max);
    }
    if !c.intent.qty.is_positive() || c.intent.qty < least {
        return beyond(c.intent.qty, least, "the quantity is below the exchange's least");
    }
    if c.intent.qty > most {
        return beyond(c.intent.qty, most, "the quantity is above the exchange's most; split the order");
    }
    Ok(())
}
