//! A plausible path through a bar.
//!
//! A bar tells four prices of its minute, so four things happen in it: the open at its first instant, the two extremes after
//! a third and two thirds of its length, the close one millisecond before its end. At each of them somebody trades and the
//! book moves. Each price of the path is one of the bar's own four, so the path never leaves the bar's range, touches both
//! of its ends, and the traded quantities add up to the bar's volume exactly.
//!
//! The best bid and ask stand `spread` ticks apart, with the traded price as one of them: the ask when a buyer took it, the
//! bid when a seller did. Where that would put the other side outside the bar, the sides change roles; only in a bar that is
//! narrower than the spread the bid stands below the bar's low, since bid and ask may not be equal.

use super::candles::Candle;
use fulmar_domain::num::{Price, Qty};
use fulmar_domain::order::Side;
use fulmar_domain::time::{Span, Timestamp};

/// Instants in a bar.
pub(super) const POINTS: usize = 4;

/// Which extreme comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathOrder {
    /// The extreme nearer to the open; on a tie the low in a rising bar, else the high.
    NearestFirst,
    /// By a seeded coin for each bar.
    Seeded(u64),
}

/// One instant of the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PathPoint {
    pub price: Price,
    /// Zero where nothing is traded: the bar's volume has fewer steps than the path has points.
    pub qty: Qty,
    pub taker: Side,
    pub bid: Price,
    pub ask: Price,
    pub top_qty: Qty,
}

/// Time of each instant.
pub(super) fn instant(open_time: Timestamp, length: Span, point: usize) -> Timestamp {
    let third = length.0 / 3;
    open_time.plus(Span(match point {
        0 => 0,
        1 => third,
        2 => 2 * third,
        _ => length.0 - 1,
    }))
}

/// The path of `candle`. `tick`, `step`: the contract's; `spread`: distance of bid and ask.
pub(super) fn path(candle: &Candle, step: Qty, spread: Price, order: PathOrder) -> [PathPoint; POINTS] {
    let prices = if low_first(candle, order) {
        [candle.open, candle.low, candle.high, candle.close]
    } else {
        [candle.open, candle.high, candle.low, candle.close]
    };
    let quantities = split(candle.volume, step);
    let top_qty = Qty::from_raw((candle.volume.raw() / 8).max(step.raw()));
    let top_qty = Qty::from_raw(top_qty.raw() - top_qty.raw() % step.raw().max(1));
    let mut before = if candle.close >= candle.open { Price::ZERO } else { Price::MAX };
    std::array::from_fn(|index| {
        let price = prices[index];
        let taker = if price > before || (price == before && candle.close >= candle.open) { Side::Buy } else { Side::Sell };
        before = price;
        let (bid, ask) = top(price, taker, spread, candle);
        PathPoint { price, qty: quantities[index], taker, bid, ask, top_qty }
    })
}

fn low_first(candle: &Candle, order: PathOrder) -> bool {
    match order {
        PathOrder::NearestFirst => {
            let (down, up) = (candle.open.raw() - candle.low.raw(), candle.high.raw() - candle.open.raw());
            down < up || (down == up && candle.close >= candle.open)
        }
        PathOrder::Seeded(seed) => mix(seed ^ candle.open_time.0.unsigned_abs()) & 1 == 0,
    }
}

/// Sebastiano Vigna's splitmix64 finaliser: one well-mixed word from another.
fn mix(word: u64) -> u64 {
    let a = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

fn top(price: Price, taker: Side, spread: Price, candle: &Candle) -> (Price, Price) {
    let (below, above) = (Price::from_raw(price.raw() - spread.raw()), Price::from_raw(price.raw().saturating_add(spread.raw())));
    let (fits_below, fits_above) = (below >= candle.low && below.is_positive(), above <= candle.high || !below.is_positive());
    match taker {
        Side::Buy if fits_below || !fits_above => (below, price),
        Side::Sell if !fits_above => (below, price),
        _ => (price, above),
    }
}

/// Four near-equal parts in whole steps; the last takes what is left over.
fn split(volume: Qty, step: Qty) -> [Qty; POINTS] {
    let step = step.raw().max(1);
    let steps = volume.raw() / step;
    let (each, mut extra) = (steps / POINTS as i64, steps % POINTS as i64);
    let mut left = volume.raw();
    std::array::from_fn(|index| {
        if index == POINTS - 1 {
            return Qty::from_raw(left);
        }
        let part = (each + i64::from(extra > 0)) * step;
        extra = (extra - 1).max(0);
        left -= part;
        Qty::from_raw(part)
    })
}
