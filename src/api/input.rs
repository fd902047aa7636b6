//! What comes from outside: bodies within bounds, JSON of bounded depth without unknown fields, decimals without floats.

use super::error::ApiError;
use actix_web::http::StatusCode;
use actix_web::web;
use fulmar_domain::num::NumError;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::time::Duration;

/// Longest body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of JSON.
pub const JSON_DEPTH_MAX: usize = 32;
/// A body must be there within this time: a slow sender holds no place for long.
const BODY_TIME_MAX: Duration = Duration::from_secs(5);

/// Reads a body.
///
/// # Errors
/// 413 beyond [`BODY_BYTES_MAX`], 408 when it does not come, 400 when it breaks off.
pub async fn body(mut payload: web::Payload) -> Result<web::BytesMut, ApiError> {
    let read = async {
        let mut all = web::BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| ApiError::bad_request(format!("the body broke off: {error}")))?;
            if all.len() + chunk.len() > BODY_BYTES_MAX {
                let text = format!("a body has at most {BODY_BYTES_MAX} bytes");
                return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", text));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    };
    tokio::time::timeout(BODY_TIME_MAX, read).await.unwrap_or_else(|_| {
        let text = format!("the body did not come within {} s", BODY_TIME_MAX.as_secs());
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", text))
    })
}

/// Does the text nest deeper than [`JSON_DEPTH_MAX`]?
#[must_use]
pub fn too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Reads JSON.
///
/// # Errors
/// 400 with the place and what was expected.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    if too_deep(text) {
        return Err(ApiError::bad_request(format!("JSON nests at most {JSON_DEPTH_MAX} deep here")));
    }
    serde_json::from_slice(text).map_err(|error| ApiError::bad_request(format!("the body is not what this path takes: {error}")))
}

/// Plain decimal text of a JSON number or string; an exponent is written out.
fn plain(raw: &str) -> Result<String, NumError> {
    let text = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')).unwrap_or(raw);
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return Ok(text.to_owned()) };
    let shift: i32 = exponent.parse().map_err(|_| NumError::Syntax)?;
    if !(-30..=30).contains(&shift) {
        return Err(if shift < 0 { NumError::TooPrecise } else { NumError::Overflow });
    }
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(NumError::Syntax);
    }
    let point = i32::try_from(whole.len()).map_err(|_| NumError::Overflow)? + shift;
    let all: String = format!("{whole}{part}");
    let written = if point <= 0 {
        format!("0.{}{all}", "0".repeat(usize::try_from(-point).unwrap_or_default()))
    } else {
        let point = usize::try_from(point).unwrap_or_default();
        let padded = format!("{all:0<point$}");
        let (whole, part) = padded.split_at(point);
        if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
    };
    Ok(format!("{sign}{written}"))
}

/// Reads a decimal given as JSON number or string, exactly.
///
/// # Errors
/// 400 naming the field.
pub fn decimal<T: std::str::FromStr<Err = NumError>>(field: &str, raw: &RawValue) -> Result<T, ApiError> {
    plain(raw.get()).and_then(|text| text.parse()).map_err(|error| {
        let shown: String = raw.get().chars().take(40).collect();
        ApiError::bad_request(format!("{field}: {error}: {shown}; a decimal such as 0.8 is expected"))
    })
}

/// Reads an optional decimal; null counts as missing.
///
/// # Errors
/// As [`decimal`].
pub fn decimal_or_none<T: std::str::FromStr<Err = NumError>>(field: &str, raw: Option<&RawValue>) -> Result<Option<T>, ApiError> {
    raw.filter(|r| r.get() != "null").map(|r| decimal(field, r)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulmar_domain::num::Ratio;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Ratio, ApiError> {
        decimal("x", &RawValue::from_string(text.to_owned()).expect("JSON"))
    }

    #[test]
    fn decimals_are_exact_as_number_or_text_with_or_without_exponent() {
        for (text, raw) in
            [("0.8", 80_000_000), ("\"0.8\"", 80_000_000), ("8e-1", 80_000_000), ("1.5E2", 15_000_000_000), ("-1e-8", -1), ("0", 0)]
        {
            assert_eq!(read(text).expect(text).raw(), raw, "{text}");
        }
        for text in ["1e-9", "1e99", "true", "\"\"", "\"abc\"", "[]", "1e31", "99999999999999999999", "\"1e\""] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_counted_outside_of_texts_only() {
        assert!(!too_deep("[".repeat(32).as_bytes()));
        assert!(too_deep("[".repeat(33).as_bytes()));
        assert!(!too_deep(format!("\"{}\\\"{}\"", "[".repeat(99), "{".repeat(99)).as_bytes()));
    }

    proptest! {
        #[test]
        fn any_number_text_is_read_as_the_number_or_refused(raw in any::<i64>(), text in "[0-9eE+.\"-]{0,12}") {
            let exact = Ratio::from_raw(raw);
            prop_assert_eq!(read(&exact.to_string()).ok(), Some(exact));
            if let Ok(value) = RawValue::from_string(text) {
                let read: Result<Ratio, ApiError> = decimal("x", &value);
                prop_assert!(read.is_ok() || read.is_err());
            }
        }
    }
}
