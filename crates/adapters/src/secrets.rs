//! Secrets from places that need no server: the environment and files only their owner can read.

pub mod env;
pub mod file;

use fulmar_ports::secrets::SecretError;

/// Longest secret taken: far above any key, low enough that a wrong path cannot fill the memory.
const MAX_SECRET_BYTES: usize = 64 << 10;

/// Names come from settings: letters, digits, `_` and `-`, so that none can leave a folder or change a variable's meaning.
fn check_name(name: &str, source: &str) -> Result<(), SecretError> {
    if !name.is_empty() && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Ok(());
    }
    Err(refused(&name.chars().take(64).collect::<String>(), source, "a name has 1 to 128 letters, digits, `_` or `-`"))
}

fn refused(name: &str, source: &str, reason: impl Into<String>) -> SecretError {
    SecretError::Refused { name: name.to_owned(), source_name: source.to_owned(), reason: reason.into() }
}

fn missing(name: &str, source: &str) -> SecretError {
    SecretError::Missing { name: name.to_owned(), source_name: source.to_owned() }
}
