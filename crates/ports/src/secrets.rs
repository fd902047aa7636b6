//! Secrets: where API keys and tokens come from, and the wrapper that never prints them.
//!
//! Invariant: no `Debug`, `Display` or serde output of a [`Secret`] holds a byte of its value; reading it takes the
//! explicit call [`Secret::expose`].

use std::fmt;

use crate::{BoxFuture, FaultKind};

/// A secret text. Prints as `***`; compares in time that depends on length alone.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<Box<str>>) -> Self {
        Self(value.into())
    }

    /// The value itself: hand it to a signer or a header, never to a log line.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when the value has no characters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y)) == 0
    }
}

impl Eq for Secret {}

/// Why a secret could not be had. Messages name the secret and its source, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The source knows no secret of that name.
    #[error("secret `{name}` is not set in {source_name}: provide it there")]
    Missing {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        source_name: String,
    },
    /// The source exists but must not be used as it stands (file mode, text that is not UTF-8, empty value).
    #[error("secret `{name}` in {source_name} is refused: {reason}")]
    Refused {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        source_name: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The source could not be asked.
    #[error("secret source {source_name} cannot be read: {reason}")]
    Unavailable {
        /// Where it was looked for.
        source_name: String,
        /// The cause.
        reason: String,
    },
}

impl SecretError {
    /// What the caller may do.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Missing { .. } | Self::Refused { .. } => FaultKind::Fatal,
            Self::Unavailable { .. } => FaultKind::Retryable,
        }
    }
}

/// A place that keeps secrets by name.
pub trait Secrets: Send + Sync {
    /// The secret of that name (ASCII letters, digits, `_` and `-`).
    ///
    /// # Errors
    /// [`SecretError`]: missing, refused for safety, or source unavailable.
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Secret, SecretError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_its_value() {
        let secret = Secret::new("hunter2-canary");
        let printed = format!("{secret:?} {secret} {secret:#?} {:?}", Some(&secret));
        assert!(!printed.contains("canary") && printed.contains("***"));
        assert_eq!(secret.expose(), "hunter2-canary");
        assert_eq!(secret, Secret::new("hunter2-canary"));
        assert_ne!(secret, Secret::new("hunter2-canarz"));
        assert_ne!(secret, Secret::new("hunter2"));
    }
}
