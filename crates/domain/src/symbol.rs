//! Contract names, cheap to copy.

use crate::text::InlineText;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Longest contract name in bytes; the exchange's longest today has 19.
pub const SYMBOL_BYTES_MAX: usize = 31;

/// A contract such as `BTCUSDT`, kept inline. Upper case; letters of any script occur in real names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(InlineText<SYMBOL_BYTES_MAX>);

/// The text cannot be a contract name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no contract name: 1 to {SYMBOL_BYTES_MAX} bytes of letters, digits, '_' or '-' expected")]
pub struct BadSymbol(pub String);

impl Symbol {
    /// Checks and keeps a name.
    ///
    /// # Errors
    /// [`BadSymbol`] when the text is empty, too long or holds anything but letters, digits, `_` and `-`.
    pub fn new(text: &str) -> Result<Self, BadSymbol> {
        if text.is_empty() || text.len() > SYMBOL_BYTES_MAX || !text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            return Err(BadSymbol(text.chars().take(64).collect()));
        }
        InlineText::new(text).map(Self).ok_or_else(|| BadSymbol(text.chars().take(64).collect()))
    }
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl FromStr for Symbol {
    type Err = BadSymbol;
    fn from_str(text: &str) -> Result<Self, BadSymbol> {
        Self::new(text)
    }
}
impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_are_kept_and_rubbish_is_refused() {
        for name in ["BTCUSDT", "1000PEPEUSDT", "BTCUSDT_250926", "币安人生USDT"] {
            assert_eq!(Symbol::new(name).expect("name").as_str(), name);
        }
        for text in ["", "BTC/USDT", "A B", "A\n", &"X".repeat(32)] {
            assert!(Symbol::new(text).is_err(), "{text:?}");
        }
    }
}
