//! Query strings and their signature: HMAC-SHA256 in hex over everything before `&signature=` (Binance, "SIGNED Endpoint Security").

use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::secrets::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::{self, Write};

/// A query string under construction. Values are percent-encoded where they need it, before anything is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(String::with_capacity(256))
    }
    /// With one more parameter.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(key);
        self.0.push('=');
        // Writing into a `String` cannot fail.
        if write!(Encoded(&mut self.0), "{value}").is_err() {
            tracing::error!(key, "a parameter could not be written");
        }
        self
    }
    /// With one more parameter, where there is one.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

struct Encoded<'a>(&'a mut String);
impl Write for Encoded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                self.0.push(char::from(byte));
            } else {
                write!(self.0, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// Holds the key schedule of the secret.
#[derive(Clone)]
pub struct Signer {
    mac: Option<Hmac<Sha256>>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(***)")
    }
}

impl Signer {
    /// A signer with this secret; one that signs nothing when the secret is empty.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let mac = if secret.is_empty() { None } else { Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok() };
        Self { mac }
    }
    /// Is there a secret?
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.mac.is_some()
    }
    /// The signature of a text in lower-case hex; `None` without a secret.
    #[must_use]
    pub fn signature(&self, text: &str) -> Option<String> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut mac = self.mac.clone()?;
        mac.update(text.as_bytes());
        let mut hex = String::with_capacity(64);
        for byte in mac.finalize().into_bytes() {
            for nibble in [byte >> 4, byte & 15] {
                hex.push(char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')));
            }
        }
        Some(hex)
    }
    /// `query` with receive window, timestamp and signature; `None` without a secret.
    #[must_use]
    pub fn sign(&self, query: &Query, recv_window: Span, timestamp: Timestamp) -> Option<String> {
        let mut text = query.clone().with("recvWindow", recv_window.0).with("timestamp", timestamp.millis()).0;
        let signature = self.signature(&text)?;
        text.push_str("&signature=");
        text.push_str(&signature);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of Binance's API documentation.
    #[test]
    fn the_documented_example_gives_the_documented_signature() {
        let secret = Secret::new("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j");
        let query = Query::new()
            .with("symbol", "LTCBTC")
            .with("side", "BUY")
            .with("type", "LIMIT")
            .with("timeInForce", "GTC")
            .with("quantity", 1)
            .with("price", "0.1");
        let signed = Signer::new(&secret).sign(&query, Span(5_000), Timestamp(1_499_827_319_559)).expect("secret");
        assert!(signed.ends_with("&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"), "{signed}");
        assert!(signed.starts_with("symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp="));
    }

    #[test]
    fn names_of_any_script_are_encoded_before_they_are_signed() {
        let query = Query::new().with("symbol", "币USDT").with("id", "a:b/c-d_e.f");
        assert_eq!(query.as_str(), "symbol=%E5%B8%81USDT&id=a%3Ab%2Fc-d_e.f");
    }

    #[test]
    fn without_a_secret_nothing_is_signed_and_nothing_is_printed() {
        assert_eq!(Signer::new(&Secret::new("")).sign(&Query::new(), Span(1), Timestamp(1)), None);
        assert!(!format!("{:?}", Signer::new(&Secret::new("canary"))).contains("canary"));
    }
}
