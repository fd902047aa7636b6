//! A price must be near mark: entries within our own band (market orders by the price on which they were decided), limit
//! prices of any order within the exchange's `PERCENT_PRICE`.

use super::{Rule, Scope};
use crate::num::{Price, Ratio, Rounding};
use crate::order::Side;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::PriceBand, scope: Scope::Any, run };

fn run(c: &Check<'_>) -> Verdict {
    if c.intent.is_entry() {
        let mark = c.mark()?.price;
        let price = c.named_price().unwrap_or(c.intent.reference);
        let apart = Price::from_raw(price.checked_sub(mark)?.raw()).abs().share_of(mark, Rounding::Ceil)?;
        if apart > c.limits.price_band {
            return beyond(apart, c.limits.price_band, format!("price {price} is too far from mark {mark}"));
        }
    }
    // An exit is not held up by a missing mark: the exchange itself checks its band.
    match (c.named_price(), c.mark()) {
        (Some(price), Ok(mark)) => exchange_band(c, price, mark.price),
        _ => Ok(()),
    }
}

fn exchange_band(c: &Check<'_>, price: Price, mark: Price) -> Verdict {
    let filter = c.instrument()?;
    let bound = |ratio: Ratio, rounding| mark.times(ratio, rounding);
    match c.intent.side {
        Side::Buy if filter.band_up.is_positive() => {
            let most = bound(filter.band_up, Rounding::Floor)?;
            if price > most { beyond(price, most, "the exchange takes no buy so far above mark") } else { Ok(()) }
        }
        Side::Sell if filter.band_down.is_positive() => {
            let least = bound(filter.band_down, Rounding::Ceil)?;
            if price < least { beyond(price, least, "the exchange takes no sell so far below mark") } else { Ok(()) }
        }
        _ => Ok(()),
    }
}
