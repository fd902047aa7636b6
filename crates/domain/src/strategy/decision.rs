//! What a strategy can want at the close of a bar.

use crate::num::{Price, Ratio};
use crate::order::{ExitReason, Side};

/// A price, given as such or by its distance from the close of the bar as a share of it.
///
/// The distance counts against the position for a stop and in its favour for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Share of the close, such as 0.02.
    Distance(Ratio),
    /// The price itself; brought onto the tick.
    At(Price),
}

/// A rung of the take-profit ladder that shall live at the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetAt {
    /// Where.
    pub level: Level,
    /// Share of the filled quantity to close there.
    pub share: Ratio,
}

/// A trailing stop that shall live at the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailingAt {
    /// From where on it follows; at once where missing.
    pub activation: Option<Level>,
    /// Distance from the extreme as a share of the price.
    pub distance: Ratio,
}

/// A position that is wanted, with the protection that travels with the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Buy for long, sell for short.
    pub side: Side,
    /// Where it was wrong: placed at the exchange at the first fill.
    pub stop: Level,
    /// Take-profit ladder at the exchange, possibly empty.
    pub targets: Vec<TargetAt>,
    /// Trailing stop at the exchange.
    pub trailing: Option<TrailingAt>,
    /// Notional as a share of equity in place of the configured one.
    pub size: Option<Ratio>,
    /// Leverage in place of the configured one.
    pub leverage: Option<u16>,
}

impl Entry {
    /// A market entry with nothing but a stop; size and leverage as configured.
    #[must_use]
    pub const fn with_stop(side: Side, stop: Level) -> Self {
        Self { side, stop, targets: Vec::new(), trailing: None, size: None, leverage: None }
    }
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Hold,
    /// A position, where none stands; ignored otherwise.
    Enter(Entry),
    /// Out of whatever stands.
    Exit(ExitReason),
    /// Out of what stands on the other side, then in. Where nothing stands this is an entry, where the wanted side
    /// stands already it is nothing.
    Reverse(Entry),
}
