//! What can be tuned at a strategy: names, ranges, checked values. Fixed-point, so that a configuration has a digest.

use std::collections::BTreeMap;

use crate::num::{Ratio, SCALE};

/// One tunable number of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterRange {
    /// Name in the configuration.
    pub name: &'static str,
    /// What it does, one line.
    pub about: &'static str,
    /// Smallest value.
    pub min: Ratio,
    /// Value where the configuration is silent.
    pub default: Ratio,
    /// Largest value.
    pub max: Ratio,
    /// Only whole numbers make sense.
    pub whole: bool,
}

impl ParameterRange {
    /// A count, such as a period in bars.
    #[must_use]
    pub const fn count(name: &'static str, about: &'static str, [min, default, max]: [i64; 3]) -> Self {
        Self {
            name,
            about,
            min: Ratio::from_raw(min * SCALE),
            default: Ratio::from_raw(default * SCALE),
            max: Ratio::from_raw(max * SCALE),
            whole: true,
        }
    }

    /// A number with decimals, given in thousandths.
    #[must_use]
    pub const fn thousandths(name: &'static str, about: &'static str, [min, default, max]: [i64; 3]) -> Self {
        Self {
            name,
            about,
            min: Ratio::from_raw(min * (SCALE / 1_000)),
            default: Ratio::from_raw(default * (SCALE / 1_000)),
            max: Ratio::from_raw(max * (SCALE / 1_000)),
            whole: false,
        }
    }
}

/// Why parameters were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The strategy has no parameter of that name.
    #[error("unknown parameter `{name}`: known are {known}")]
    Unknown {
        /// The name as given.
        name: String,
        /// All names.
        known: String,
    },
    /// Outside of its range.
    #[error("parameter `{name}` is {value}: choose {min} to {max}")]
    Range {
        /// Name.
        name: &'static str,
        /// Value as given.
        value: Ratio,
        /// Smallest value.
        min: Ratio,
        /// Largest value.
        max: Ratio,
    },
    /// Not a whole number.
    #[error("parameter `{name}` is {value}: it must be a whole number")]
    NotWhole {
        /// Name.
        name: &'static str,
        /// Value as given.
        value: Ratio,
    },
    /// Parameters that do not go together.
    #[error("parameters do not go together: {0}")]
    Together(String),
}

/// A value for every parameter of one strategy, each within its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters(BTreeMap<&'static str, Ratio>);

impl Parameters {
    /// Fills `given` up with defaults.
    ///
    /// # Errors
    /// All violations together: unknown names, values out of range or not whole.
    pub fn resolve(ranges: &'static [ParameterRange], given: &BTreeMap<String, Ratio>) -> Result<Self, Vec<ParameterError>> {
        let mut errors = Vec::new();
        for name in given.keys() {
            if !ranges.iter().any(|range| range.name == name) {
                let known = ranges.iter().map(|range| range.name).collect::<Vec<_>>().join(", ");
                errors.push(ParameterError::Unknown { name: name.clone(), known });
            }
        }
        let mut values = BTreeMap::new();
        for range in ranges {
            let value = given.get(range.name).copied().unwrap_or(range.default);
            if value < range.min || value > range.max {
                errors.push(ParameterError::Range { name: range.name, value, min: range.min, max: range.max });
            } else if range.whole && !value.is_multiple_of(Ratio::ONE) {
                errors.push(ParameterError::NotWhole { name: range.name, value });
            }
            values.insert(range.name, value);
        }
        if errors.is_empty() { Ok(Self(values)) } else { Err(errors) }
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// [`ParameterError::Unknown`] for a name that the strategy did not declare.
    pub fn get(&self, name: &str) -> Result<Ratio, ParameterError> {
        self.0
            .get(name)
            .copied()
            .ok_or_else(|| ParameterError::Unknown { name: name.to_owned(), known: self.0.keys().copied().collect::<Vec<_>>().join(", ") })
    }

    /// The value of `name` as a count.
    ///
    /// # Errors
    /// As [`Parameters::get`]; [`ParameterError::Together`] where the declared range exceeds a period.
    pub fn count(&self, name: &str) -> Result<u16, ParameterError> {
        let units = self.get(name)?.raw() / SCALE;
        u16::try_from(units).map_err(|_| ParameterError::Together(format!("`{name}` = {units} is no count of bars")))
    }
}
