//! Which column of a row of indicator values holds what.
//!
//! The set that computes the row and the strategies that read it build their layout from the same list of specs, so they
//! agree without exchanging names. Invariant: a spec has one place, its outputs lie side by side.

use super::IndicatorSpec;

/// The columns of a row, fixed at construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    specs: Box<[IndicatorSpec]>,
    starts: Box<[usize]>,
    columns: Box<[String]>,
}

impl Layout {
    /// Lays the specs side by side in the order given; one named twice has its first place only.
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
        Self { specs: unique.into_boxed_slice(), starts: starts.into_boxed_slice(), columns: columns.into_boxed_slice() }
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Names of the columns, such as `ema(12)` or `macd(12,26,9).signal`.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The specs, each once.
    #[must_use]
    pub fn specs(&self) -> &[IndicatorSpec] {
        &self.specs
    }

    /// First column of `spec`, for look-ups made once at start; `None` where it is not part of the layout.
    #[must_use]
    pub fn first_column(&self, spec: &IndicatorSpec) -> Option<usize> {
        let at = self.specs.iter().position(|own| own == spec)?;
        self.starts.get(at).copied()
    }
}
