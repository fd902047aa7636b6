//! What a strategy sees: the bar that closed, the indicator rows of it and of the bar before, its own position.
//!
//! The view borrows closed facts and nothing else, so a strategy cannot look ahead: there is nothing later to reach.

use crate::account::PositionView;
use crate::market::{Bar, IndicatorFrame};
use crate::num::{Price, Qty, Usdt};
use crate::order::Side;
use crate::time::Timestamp;

/// The strategy's own position in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnPosition {
    /// Buy for long, sell for short.
    pub side: Side,
    /// Quantity, positive.
    pub qty: Qty,
    /// Average entry price.
    pub entry: Price,
    /// First fill.
    pub opened: Timestamp,
    /// Leverage.
    pub leverage: u16,
    /// Realised profit so far less fees, plus funding received.
    pub booked: Usdt,
}

impl OwnPosition {
    /// As the account frame has it; amounts that do not fit are kept at the nearest that does.
    #[must_use]
    pub fn of(position: &PositionView) -> Self {
        let booked =
            position.realized.checked_sub(position.fees).and_then(|net| net.checked_add(position.funding)).unwrap_or(position.realized);
        Self {
            side: if position.qty.is_negative() { Side::Sell } else { Side::Buy },
            qty: position.qty.abs(),
            entry: position.entry,
            opened: position.opened,
            leverage: position.leverage,
            booked,
        }
    }
}

/// One closed bar as a strategy sees it.
#[derive(Debug, Clone, Copy)]
pub struct BarView<'a> {
    frame: &'a IndicatorFrame,
    columns: &'a [usize],
    position: Option<OwnPosition>,
}

impl<'a> BarView<'a> {
    /// A view of `frame`; `columns[k]` is the place in the frame of the strategy's own column `k`.
    #[must_use]
    pub const fn new(frame: &'a IndicatorFrame, columns: &'a [usize], position: Option<OwnPosition>) -> Self {
        Self { frame, columns, position }
    }

    /// The bar that closed.
    #[must_use]
    pub const fn bar(&self) -> &Bar {
        &self.frame.bar
    }

    /// Own position, `None` when flat.
    #[must_use]
    pub const fn position(&self) -> Option<OwnPosition> {
        self.position
    }

    /// Value of the strategy's column `k` at this bar; NaN where there is none, so that comparisons are false.
    #[must_use]
    pub fn value(&self, k: usize) -> f64 {
        self.columns.get(k).and_then(|&at| self.frame.values.get(at)).copied().unwrap_or(f64::NAN)
    }

    /// The same at the bar directly before; NaN where that bar is not known.
    #[must_use]
    pub fn before(&self, k: usize) -> f64 {
        let row = self.frame.previous.as_deref();
        self.columns.get(k).and_then(|&at| row?.get(at)).copied().unwrap_or(f64::NAN)
    }

    /// Column `a` rose above column `b` at this bar.
    #[must_use]
    pub fn crossed_above(&self, a: usize, b: usize) -> bool {
        self.before(a) <= self.before(b) && self.value(a) > self.value(b)
    }

    /// Column `a` fell below column `b` at this bar.
    #[must_use]
    pub fn crossed_below(&self, a: usize, b: usize) -> bool {
        self.before(a) >= self.before(b) && self.value(a) < self.value(b)
    }
}
