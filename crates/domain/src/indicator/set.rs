//! All indicators of one symbol and timeframe, fed together, with their values in one flat row.
//!
//! The layout is fixed at construction; a bar costs one pass over the indicators, no look-up and no allocation.
//! Invariant: a column is either finite or NaN (not warm), and a bar that cannot be computed with changes nothing.

use super::{BarF64, IndicatorSpec, Slot};

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
    specs: Box<[IndicatorSpec]>,
    slots: Box<[Slot]>,
    starts: Box<[usize]>,
    columns: Box<[String]>,
    values: Box<[f64]>,
    warmup: usize,
    warm: bool,
}

impl IndicatorSet {
    /// Builds the indicators in the order given; one named twice is computed once, at its first place.
    #[must_use]
    pub fn new(specs: &[IndicatorSpec]) -> Self {
        let mut unique: Vec<IndicatorSpec> = Vec::with_capacity(specs.len());
        for spec in specs {
            if !unique.contains(spec) {
                unique.push(*spec);
            }
        }
        let mut starts = Vec::with_capacity(unique.len());
        let mut columns = Vec::new();
        for spec in &unique {
            starts.push(columns.len());
            columns.extend(spec.columns());
        }
        let slots: Box<[Slot]> = unique.iter().map(IndicatorSpec::build).collect();
        Self {
            warmup: slots.iter().map(Slot::warmup).max().unwrap_or(0),
            values: vec![f64::NAN; columns.len()].into_boxed_slice(),
            specs: unique.into_boxed_slice(),
            slots,
            starts: starts.into_boxed_slice(),
            columns: columns.into_boxed_slice(),
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

    /// The values after the last bar, NaN where not warm, in the order of [`IndicatorSet::columns`].
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The specs computed, each once.
    #[must_use]
    pub fn specs(&self) -> &[IndicatorSpec] {
        &self.specs
    }

    /// First column of `spec`, for look-ups made once at start; `None` where it is not part of the set.
    #[must_use]
    pub fn first_column(&self, spec: &IndicatorSpec) -> Option<usize> {
        let at = self.specs.iter().position(|own| own == spec)?;
        self.starts.get(at).copied()
    }
}
