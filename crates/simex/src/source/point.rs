//! One thing that happens in a market, and all that happens at one instant.

use fulmar_domain::market::{Bar, Level};
use fulmar_domain::num::{Price, Qty, Ratio};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PointKind {
    /// Somebody traded.
    Trade {
        /// At this price.
        price: Price,
        /// This much; above zero.
        qty: Qty,
        /// Side of the taker.
        taker: Side,
    },
    /// The best bid and ask from now on.
    Top {
        /// Best bid.
        bid: Price,
        /// Quantity there.
        bid_qty: Qty,
        /// Best ask, above the bid.
        ask: Price,
        /// Quantity there.
        ask_qty: Qty,
    },
    /// Levels of a recorded book as they stand from now on (absolute; quantity zero removes).
    Depth {
        /// Changed bids.
        bids: Vec<Level>,
        /// Changed asks.
        asks: Vec<Level>,
    },
    /// Mark and index price from now on.
    Mark {
        /// Mark price.
        price: Price,
        /// Index price.
        index: Price,
    },
    /// The rate of the next funding as it stands from now on. The rate that is really paid at a funding time comes at the
    /// latest one millisecond before it.
    FundingRate(Ratio),
    /// A bar of the source's timeframe is complete; always the last point of its symbol in a step.
    BarClosed(Bar),
}

/// One thing that happens in the market of one symbol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarketPoint {
    /// Market time.
    pub time: Timestamp,
    /// Contract.
    pub symbol: Symbol,
    /// What.
    pub kind: PointKind,
}

/// All that happens at one instant, in the order in which it is to be applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The instant; every point of the step has it.
    pub time: Timestamp,
    /// The points, those of one symbol together, symbols in the source's order. Empty when only time passes.
    pub points: Vec<MarketPoint>,
}
