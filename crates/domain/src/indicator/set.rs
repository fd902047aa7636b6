//! All indicators of one symbol and timeframe, fed together, with their values in one flat row.
//!
//! The layout is fixed at construction; a bar costs one pass over the indicators, no look-up and no allocation.
//! Invariant: a column is either finite or NaN (not warm), and a bar that cannot be computed with changes nothing.

use super::{BarF64, IndicatorSpec, Layout, Slot};

/// A bar that was refused because a number in it is not finite, too large, or a negative volume.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "bar at {open_time_ms} ms holds a number that cannot be computed with (not finite, above {}, or a negative volume): the indicators stay as they were",
    BarF64::LIMIT
)]
pub struct UncomputableBar {
    /// Start of the refused bar.
    pub open_time_ms: i64,
}

/// A fixed set of indicators over one series of bars.
#[derive(Debug, Clone)]
pub struct IndicatorSet {
    layout: Layout,
    slots: Box<[Slot]>,
    values: Box<[f64]>,
    warmup: usize,
    warm: bool,
}

impl IndicatorSet {
    /// Builds the indicators in the order given; one named twice is computed once, at its first place.
    #[must_use]
    pub fn new(specs: &[IndicatorSpec]) -> Self {
        let layout = Layout::new(specs);
        let slots: Box<[Slot]> = layout.specs().iter().map(IndicatorSpec::build).collect();
        Self {
            warmup: slots.iter().map(Slot::warmup).max().unwrap_or(0),
            values: vec![f64::NAN; layout.width()].into_boxed_slice(),
            layout,
            slots,
            warm: false,
        }
    }

    /// Feeds the next closed bar; gives all values, NaN where an indicator is not warm.
    ///
    /// # Errors
    /// [`UncomputableBar`]; nothing has changed then.
    #[inline]
    pub fn update(&mut self, bar: &BarF64) -> Result<&[f64], UncomputableBar> {
        if !bar.is_computable() {
            return Err(UncomputableBar { open_time_ms: bar.open_time_ms });
        }
        let mut warm = true;
        let mut rest = &mut self.values[..];
        for slot in &mut self.slots {
            let (own, others) = rest.split_at_mut(slot.width());
            warm &= slot.update(bar, own);
            rest = others;
        }
        self.warm = warm;
        Ok(&self.values)
    }

    /// Whether the last bar gave a value in every column.
    #[must_use]
    pub const fn is_warm(&self) -> bool {
        self.warm
    }

    /// Bars after which the slowest indicator gives its first value.
    #[must_use]
    pub const fn warmup(&self) -> usize {
        self.warmup
    }

    /// The values after the last bar, NaN where not warm, in the order of the layout's columns.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Which column holds what.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }
}
