//! What an answer means for the order behind it. The table is Binance's: error codes, HTTP statuses and the three texts of 503.
//!
//! Invariant: whatever is not known to be a refusal or known to have failed counts as *unknown*, never as failed.

use fulmar_domain::order::VenueError;
use fulmar_domain::time::Span;
use serde::Deserialize;

/// What an answer that is no success means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// Certainly refused.
    Refused,
    /// Certainly not executed; send again after a short while (503 B and C, −1008).
    Retry,
    /// Certainly not executed: timestamp outside of the window. Measure the clock, sign anew.
    Clock,
    /// Certainly not executed: too many requests; nothing but risk until the span is over.
    Throttled(Span),
    /// Certainly not executed: the address is banned; nothing at all until the span is over.
    Banned(Span),
    /// Certainly refused, and so will everything be that is signed with this key.
    KeyDead,
    /// Nobody knows.
    Unknown,
}

/// Waits after a 429 without `Retry-After`.
const THROTTLE_DEFAULT: Span = Span::secs(60);
/// Shortest documented ban, for a 418 that does not say.
const BAN_DEFAULT: Span = Span::minutes(2);
/// Texts of the exchange are cut to this many characters.
const MESSAGE_CHARS_MAX: usize = 256;

/// The error body of an answer; code 0 and the beginning of the text where it has not the documented shape.
#[must_use]
pub fn read_error(status: u16, body: &[u8]) -> VenueError {
    #[derive(Deserialize)]
    struct Body {
        code: i32,
        #[serde(default)]
        msg: String,
    }
    let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect::<String>();
    match serde_json::from_slice::<Body>(body) {
        Ok(body) => VenueError { code: body.code, message: cut(&body.msg) },
        Err(_) => {
            VenueError { code: 0, message: cut(&format!("HTTP {status} {}", String::from_utf8_lossy(body.get(..1_024).unwrap_or(body)))) }
        }
    }
}

/// Milliseconds at which a ban ends, from "banned until 1784774983833".
fn banned_until(message: &str) -> Option<i64> {
    let (_, rest) = message.split_once("banned until ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Classifies an answer that is no success. `retry_after`: the header in seconds; `now`: the exchange's clock in milliseconds.
#[must_use]
pub fn classify(status: u16, error: &VenueError, retry_after: Option<i64>, now: i64) -> Class {
    let after = retry_after.filter(|s| (0..=4 * 86_400).contains(s)).map(Span::secs);
    match status {
        418 => {
            let told = banned_until(&error.message).map(|until| Span((until - now).clamp(0, 4 * 86_400_000)));
            return Class::Banned(after.or(told).unwrap_or(BAN_DEFAULT));
        }
        429 => return Class::Throttled(after.unwrap_or(THROTTLE_DEFAULT)),
        _ => {}
    }
    match error.code {
        -1000 | -1001 | -1006 | -1007 => Class::Unknown,
        -1008 => Class::Retry,
        -1003 | -1015 => Class::Throttled(after.unwrap_or(THROTTLE_DEFAULT)),
        -1021 | -5028 => Class::Clock,
        -1002 | -1022 | -2014 | -2015 => Class::KeyDead,
        _ => match status {
            408 => Class::Unknown,
            503 if error.message.contains("Unknown error") => Class::Unknown,
            503 if error.message.contains("Service Unavailable") || error.message.contains("unable to process your request") => {
                Class::Retry
            }
            400..=499 => Class::Refused,
            _ => Class::Unknown,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str) -> Class {
        classify(status, &read_error(status, body.as_bytes()), None, 0)
    }

    #[test]
    fn every_row_of_the_table_has_its_class() {
        for code in [-1000, -1001, -1006, -1007] {
            assert_eq!(class(400, &format!(r#"{{"code":{code},"msg":"x"}}"#)), Class::Unknown, "{code}");
        }
        for (status, text) in [(408, ""), (502, "<html>"), (504, ""), (500, "x"), (503, "?")] {
            assert_eq!(class(status, text), Class::Unknown, "{status} {text}");
        }
        assert_eq!(class(503, r#"{"code":0,"msg":"Unknown error, please check your request or try again later."}"#), Class::Unknown);
        assert_eq!(class(503, "Unknown error, please check your request or try again later."), Class::Unknown);
        assert_eq!(class(503, "Service Unavailable."), Class::Retry);
        assert_eq!(class(503, r#"{"code":-1,"msg":"Service Unavailable."}"#), Class::Retry);
        assert_eq!(class(503, "Internal error; unable to process your request. Please try again."), Class::Retry);
        assert_eq!(class(503, r#"{"code":-1008,"msg":"Request throttled by system-level protection."}"#), Class::Retry);
        for code in [-1021, -5028] {
            assert_eq!(class(400, &format!(r#"{{"code":{code},"msg":"x"}}"#)), Class::Clock);
        }
        for code in [-1002, -1022, -2014, -2015] {
            assert_eq!(class(401, &format!(r#"{{"code":{code},"msg":"x"}}"#)), Class::KeyDead);
        }
        for code in [-1111, -1013, -2010, -2011, -2013, -2018, -2019, -2021, -2022, -4116, -4120, -4131, -5022, -4400] {
            assert_eq!(class(400, &format!(r#"{{"code":{code},"msg":"x"}}"#)), Class::Refused, "{code}");
        }
        assert_eq!(class(403, "<html>forbidden"), Class::Refused);
    }

    #[test]
    fn a_ban_lasts_as_long_as_header_or_text_say() {
        let error = read_error(418, br#"{"code":-1003,"msg":"Way too many requests; IP(1.2.3.4) banned until 1784774983833."}"#);
        assert_eq!(classify(418, &error, None, 1_784_774_000_000), Class::Banned(Span(983_833)));
        assert_eq!(classify(418, &error, Some(200), 0), Class::Banned(Span::secs(200)));
        assert_eq!(classify(418, &read_error(418, b""), None, 0), Class::Banned(BAN_DEFAULT));
        assert_eq!(classify(429, &read_error(429, b""), Some(7), 0), Class::Throttled(Span::secs(7)));
    }
}
