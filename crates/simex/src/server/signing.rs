//! HMAC-SHA256 signatures over the parameters exactly as sent, as Binance's "SIGNED endpoint security" describes.
//!
//! Invariant: the comparison takes the same time wherever the signatures differ.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The signature of `payload` under `secret`, in lower-case hexadecimal.
///
/// `None` only when the key cannot be used, which HMAC allows for no key.
#[must_use]
pub fn sign(secret: &str, payload: &[&[u8]]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    for part in payload {
        mac.update(part);
    }
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(*HEX.get(usize::from(nibble))?));
        }
    }
    Some(text)
}

/// Is `given` (hexadecimal, either case) the signature of `payload` under `secret`?
pub(crate) fn verifies(secret: &str, payload: &[&[u8]], given: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    for part in payload {
        mac.update(part);
    }
    unhex(given).is_some_and(|bytes| mac.verify_slice(&bytes).is_ok())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| u8::try_from(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?).ok()).collect()
}

/// `text` (a query or a form body) without its `signature` pair, so that what is left is what was signed.
pub(crate) fn without_signature(text: &str) -> String {
    if !text.contains("signature=") {
        return text.to_owned();
    }
    let mut left = String::with_capacity(text.len());
    for pair in text.split('&').filter(|pair| !pair.starts_with("signature=")) {
        if !left.is_empty() {
            left.push('&');
        }
        left.push_str(pair);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    // Binance, USDⓈ-M futures, General Info, "SIGNED Endpoint Examples for POST /fapi/v1/order".
    const SECRET: &str = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
    const PAYLOAD: &str =
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943";
    const SIGNATURE: &str = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9";

    #[test]
    fn the_worked_example_of_the_documentation_verifies() {
        assert_eq!(sign(SECRET, &[PAYLOAD.as_bytes()]).as_deref(), Some(SIGNATURE));
        assert!(verifies(SECRET, &[PAYLOAD.as_bytes()], SIGNATURE));
        assert!(verifies(SECRET, &[PAYLOAD.as_bytes()], &SIGNATURE.to_uppercase()));
    }

    #[test]
    fn query_and_body_are_signed_as_one_text_without_a_separator() {
        let (query, body) = PAYLOAD.split_at(40);
        assert!(verifies(SECRET, &[query.as_bytes(), body.as_bytes()], SIGNATURE));
    }

    #[test]
    fn anything_else_does_not_verify() {
        for bad in ["", "00", "zz", &SIGNATURE[..62], &SIGNATURE.replace('3', "4")] {
            assert!(!verifies(SECRET, &[PAYLOAD.as_bytes()], bad), "{bad}");
        }
        assert!(!verifies("another", &[PAYLOAD.as_bytes()], SIGNATURE));
    }

    #[test]
    fn the_signature_is_taken_out_wherever_it_stands() {
        for text in ["a=1&b=2&signature=ff", "signature=ff&a=1&b=2", "a=1&signature=ff&b=2"] {
            assert_eq!(without_signature(text), "a=1&b=2");
        }
        assert_eq!(without_signature("signature=ff"), "");
        assert_eq!(without_signature("a=1"), "a=1");
    }
}
