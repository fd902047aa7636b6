//! Every price of the order (limit, trigger, stop, targets) must be on the tick and inside the price filter.

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::PriceTick, scope: Scope::Any, run };

fn run(c: &Check<'_>) -> Verdict {
    let filter = c.instrument()?;
    let protection = c.protection();
    let stop = protection.map(|p| p.stop);
    let targets = protection.iter().flat_map(|p| p.targets.iter().map(|t| t.price));
    for price in c.named_price().into_iter().chain(stop).chain(targets) {
        if !price.is_positive() || !price.is_multiple_of(filter.tick) {
            return beyond(price, filter.tick, format!("price {price} is no positive multiple of the tick"));
        }
        if price < filter.price_min {
            return beyond(price, filter.price_min, "the price is below the exchange's least");
        }
        if filter.price_max.is_positive() && price > filter.price_max {
            return beyond(price, filter.price_max, "the price is above the exchange's highest");
        }
    }
    Ok(())
}
