//! The exchange's words in our types, and the numbers that it writes in more than one way.

use fulmar_domain::num::{NumError, Price, Rounding};
use fulmar_domain::order::{MarginMode, OrderStatus, Side};
use serde::{Deserialize, Deserializer, de};
use std::borrow::Cow;

/// Status of a regular order; `None` for a word that this version does not know.
pub(super) fn order_status(word: &str) -> Option<OrderStatus> {
    Some(match word {
        "NEW" => OrderStatus::New,
        "PARTIALLY_FILLED" => OrderStatus::PartiallyFilled,
        "FILLED" => OrderStatus::Filled,
        "CANCELED" => OrderStatus::Canceled,
        "REJECTED" => OrderStatus::Rejected,
        "EXPIRED" | "EXPIRED_IN_MATCH" => OrderStatus::Expired,
        _ => return None,
    })
}

/// Status of an algo order.
pub(super) fn algo_status(word: &str) -> Option<OrderStatus> {
    Some(match word {
        "NEW" => OrderStatus::New,
        "TRIGGERING" | "TRIGGERED" => OrderStatus::Triggered,
        "FINISHED" => OrderStatus::Filled,
        "CANCELED" => OrderStatus::Canceled,
        "REJECTED" => OrderStatus::Rejected,
        "EXPIRED" => OrderStatus::Expired,
        _ => return None,
    })
}

/// `cross`, `CROSSED`, `isolated`, `ISOLATED`.
pub(super) fn margin_mode<'de, D: Deserializer<'de>>(d: D) -> Result<MarginMode, D::Error> {
    let word = Cow::<'de, str>::deserialize(d)?;
    match &*word {
        "cross" | "CROSSED" | "CROSS" | "crossed" => Ok(MarginMode::Cross),
        "isolated" | "ISOLATED" => Ok(MarginMode::Isolated),
        other => Err(de::Error::custom(format_args!("{other:?} is no margin type"))),
    }
}

/// `BUY` or `SELL` from raw bytes.
pub(super) const fn side(word: &[u8]) -> Option<Side> {
    match word {
        b"BUY" => Some(Side::Buy),
        b"SELL" => Some(Side::Sell),
        _ => None,
    }
}

/// A whole number that comes as number or as text.
pub(super) fn whole<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    struct Whole;
    impl de::Visitor<'_> for Whole {
        type Value = i64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a whole number, also as text")
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
            Ok(value)
        }
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
            i64::try_from(value).map_err(|_| E::custom("number out of range"))
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
            text.parse().map_err(|_| E::custom(format_args!("{text:?} is no whole number")))
        }
    }
    d.deserialize_any(Whole)
}

/// The number of a child order: missing, `null`, empty text and 0 mean that there is none.
pub(super) fn child<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape<'a> {
        Number(i64),
        Text(#[serde(borrow)] Cow<'a, str>),
    }
    match Option::<Shape<'de>>::deserialize(d)? {
        None => Ok(None),
        Some(Shape::Number(n)) => Ok((n > 0).then_some(n)),
        Some(Shape::Text(text)) if text.is_empty() || text == "null" => Ok(None),
        Some(Shape::Text(text)) => text.parse::<i64>().map(|n| (n > 0).then_some(n)).map_err(|_| de::Error::custom("no order number")),
    }
}

/// A decimal of any length, cut to eight places with the last one rounded half to even. For averages, which the exchange
/// prints with more digits than any price has.
pub(super) fn rounded(text: &str) -> Result<i64, NumError> {
    match fulmar_domain::num::parse_fixed(text.as_bytes()) {
        Err(NumError::TooPrecise) => {}
        other => return other,
    }
    let Some(point) = text.find('.') else { return Err(NumError::Syntax) };
    let (kept, rest) = match (text.get(..point + 9), text.get(point + 9..)) {
        (Some(kept), Some(rest)) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()) => (kept, rest),
        _ => return Err(NumError::Syntax),
    };
    let raw = fulmar_domain::num::parse_fixed(kept.as_bytes())?;
    // Nine places are enough to tell which side of the half it lies on, once the rest is folded in.
    let ninth = i64::from(rest.as_bytes().first().map_or(0, |b| b - b'0'));
    let more = i64::from(rest.bytes().skip(1).any(|b| b != b'0'));
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let tail = Price::from_raw(sign * (ninth * 10 + more)).over_int(100, Rounding::HalfEven)?.raw();
    let half_to_even = ninth == 5 && more == 0;
    let step = if half_to_even { if raw % 2 == 0 { 0 } else { sign } } else { tail };
    raw.checked_add(step).ok_or(NumError::Overflow)
}

/// An average price, see [`rounded`].
pub(super) fn average<'de, D: Deserializer<'de>>(d: D) -> Result<Price, D::Error> {
    let text = Cow::<'de, str>::deserialize(d)?;
    rounded(&text).map(Price::from_raw).map_err(|e| de::Error::custom(format_args!("{e}: {text:?}")))
}

/// An average price that may be missing; zero means "none yet".
pub(super) fn average_if_any<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Price>, D::Error> {
    let Some(text) = Option::<Cow<'de, str>>::deserialize(d)? else { return Ok(None) };
    if text.is_empty() {
        return Ok(None);
    }
    let price = rounded(&text).map(Price::from_raw).map_err(|e| de::Error::custom(format_args!("{e}: {text:?}")))?;
    Ok(price.is_positive().then_some(price))
}

/// A decimal that the exchange writes as text or as a bare JSON number, also with an exponent; from its raw JSON text.
pub(super) fn loose(raw: &str) -> Result<i64, NumError> {
    let text = raw.trim().trim_matches('"');
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return rounded(text) };
    let exponent: i32 = exponent.parse().map_err(|_| NumError::Syntax)?;
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if !(-32..=32).contains(&exponent) || whole.is_empty() || !whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(NumError::Syntax);
    }
    let all = format!("{whole}{part}");
    let point = i32::try_from(whole.len()).map_err(|_| NumError::Overflow)? + exponent;
    let plain = if point <= 0 {
        format!("0.{}{all}", "0".repeat(point.unsigned_abs() as usize))
    } else {
        let point = point.unsigned_abs() as usize;
        let padded = if all.len() < point { format!("{all}{}", "0".repeat(point - all.len())) } else { all };
        let (left, right) = padded.split_at(point);
        if right.is_empty() { left.to_owned() } else { format!("{left}.{right}") }
    };
    rounded(&if negative { format!("-{plain}") } else { plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_of_any_length_are_rounded_half_to_even() {
        for (text, raw) in [
            ("0.123456785", 12_345_678),
            ("0.123456775", 12_345_678),
            ("0.1234567851", 12_345_679),
            ("0.123456784999", 12_345_678),
            ("-0.123456786", -12_345_679),
            ("80.19", 8_019_000_000),
        ] {
            assert_eq!(rounded(text), Ok(raw), "{text}");
        }
        for text in ["", "0.123456789x", "NaN", "1e5", "0.12345678-1"] {
            assert!(rounded(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bare_numbers_and_exponents_are_read_exactly() {
        for (text, raw) in [
            ("5000", 500_000_000_000),
            ("0.0065", 650_000),
            ("\"1.5\"", 150_000_000),
            ("1e-05", 1_000),
            ("2.5E3", 250_000_000_000),
            ("-1e-8", -1),
        ] {
            assert_eq!(loose(text), Ok(raw), "{text}");
        }
        for text in ["", "1e", "e5", "1e99", "true", "[]"] {
            assert!(loose(text).is_err(), "{text}");
        }
    }
}
