//! Which indicator with which parameters, as text and as a value: `ema(12)`, `macd(12,26,9)`, `bbands(20,2)`, `vwap`.
//!
//! Invariant: parsing what was printed gives the same spec.

use std::fmt;
use std::str::FromStr;

use super::{IndicatorSpec, Period};

/// Why a text names no indicator that can be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The text is not `name` or `name(arguments)`.
    #[error("indicator `{text}` is malformed: write a name, or a name with arguments such as ema(12)")]
    Malformed {
        /// The text as given.
        text: String,
    },
    /// No indicator of that name is in the catalog.
    #[error("unknown indicator `{name}`: known are {known}")]
    Unknown {
        /// The name as given.
        name: String,
        /// Examples of all that exist.
        known: String,
    },
    /// Too few or too many arguments.
    #[error("wrong number of arguments: expected {want}, got {got}")]
    Arguments {
        /// What the indicator takes.
        want: &'static str,
        /// How many were given.
        got: usize,
    },
    /// An argument is no number of the form expected.
    #[error("`{text}` is not a number the indicator takes: write digits, for a width at most two decimals")]
    Number {
        /// The argument as given.
        text: String,
    },
    /// A period outside of its range.
    #[error("period {value} is out of range: choose {} to {} bars", Period::MIN, Period::MAX)]
    Period {
        /// The period as given.
        value: u64,
    },
    /// A band width outside of its range.
    #[error("a width of {hundredths}/100 σ is out of range: choose 0.01 to 10")]
    Deviations {
        /// The width in hundredths of σ.
        hundredths: u16,
    },
    /// The fast period of a MACD must be the smaller one.
    #[error("fast period {fast} is not below slow period {slow}: exchange or change them")]
    FastNotBelowSlow {
        /// The fast period.
        fast: u16,
        /// The slow period.
        slow: u16,
    },
}

impl FromStr for IndicatorSpec {
    type Err = SpecError;

    /// Reads `name` or `name(a,b,…)`; spaces around names and arguments are allowed.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let malformed = || SpecError::Malformed { text: text.to_owned() };
        let trimmed = text.trim();
        let (name, args) = match trimmed.split_once('(') {
            None => (trimmed, None),
            Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(')').ok_or_else(malformed)?)),
        };
        if name.is_empty() || args.is_some_and(|a| a.contains(['(', ')'])) {
            return Err(malformed());
        }
        let args: Vec<&str> = match args {
            None => Vec::new(),
            Some(list) => list.split(',').map(str::trim).collect(),
        };
        Self::from_parts(name, &args)
    }
}

impl fmt::Display for IndicatorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if self.takes_arguments() {
            f.write_str("(")?;
            self.print_arguments(f)?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl IndicatorSpec {
    /// Names of the output columns: the spec's text, with `.output` behind it where there are several.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.outputs().iter().map(|output| if output.is_empty() { self.to_string() } else { format!("{self}.{output}") }).collect()
    }
}
