//! Secrets from environment variables: `binance_api_key` with prefix `FULMAR_SECRET_` is `FULMAR_SECRET_BINANCE_API_KEY`.

use std::env::{self, VarError};

use fulmar_ports::{
    BoxFuture,
    secrets::{Secret, SecretError, Secrets},
};

use super::{check_name, missing, refused};

/// Reads variables with a common prefix.
#[derive(Debug, Clone)]
pub struct EnvSecrets {
    prefix: String,
}

impl EnvSecrets {
    /// Variables whose names begin with `prefix`.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The variable that holds a secret.
    pub fn variable(&self, name: &str) -> String {
        format!("{}{}", self.prefix, name.to_ascii_uppercase().replace('-', "_"))
    }

    fn read(&self, name: &str) -> Result<Secret, SecretError> {
        check_name(name, "the environment")?;
        let variable = self.variable(name);
        let source = format!("environment variable {variable}");
        match env::var(&variable) {
            Ok(value) if value.trim().is_empty() => Err(refused(name, &source, "it is empty")),
            Ok(value) => Ok(Secret::new(value.trim())),
            Err(VarError::NotPresent) => Err(missing(name, &source)),
            Err(VarError::NotUnicode(_)) => Err(refused(name, &source, "it is not UTF-8 text")),
        }
    }
}

impl Secrets for EnvSecrets {
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Secret, SecretError>> {
        Box::pin(async move { self.read(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_found_by_prefix_and_upper_case_name() {
        let secrets = EnvSecrets::new("CARGO_PKG_");
        assert_eq!(secrets.variable("api-key"), "CARGO_PKG_API_KEY");
        assert_eq!(secrets.read("name").unwrap().expose(), "fulmar-adapters");
        assert!(matches!(secrets.read("no_such_thing"), Err(SecretError::Missing { .. })));
        assert!(matches!(secrets.read("a=b"), Err(SecretError::Refused { .. })));
        assert!(matches!(secrets.read(""), Err(SecretError::Refused { .. })));
    }
}
