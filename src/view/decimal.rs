//! Decimals on the outside: JSON numbers with the exact digits of the fixed-point value.
//!
//! Inside, prices and money serialise as text so that no reader passes them through a float by accident. Outside, clients expect
//! numbers. [`with_numbers`] takes the quotes off, by name of the field; no digit is touched.
//! Invariant: the result is the same JSON document but for the quotes of decimal fields.

/// Fields whose text is a decimal number.
const DECIMAL_FIELDS: &[&str] = &[
    "activation",
    "amount",
    "ask",
    "ask_qty",
    "available",
    "average",
    "average_price",
    "bid",
    "bid_qty",
    "callback",
    "change_24h",
    "close",
    "day_pnl",
    "day_start",
    "day_start_equity",
    "distance",
    "drawdown",
    "entry",
    "entry_price",
    "equity",
    "exit",
    "exit_price",
    "fee",
    "fees",
    "filled",
    "free",
    "funding",
    "funding_rate",
    "high",
    "high_24h",
    "index",
    "index_price",
    "initial_margin",
    "isolated_wallet",
    "last",
    "limit",
    "liquidation_price",
    "low",
    "low_24h",
    "maintenance_margin",
    "mark",
    "mark_price",
    "notional",
    "open",
    "open_24h",
    "peak",
    "peak_equity",
    "pnl",
    "price",
    "profit",
    "profit_factor",
    "qty",
    "quote_volume",
    "quote_volume_24h",
    "realized",
    "realized_pnl",
    "reference",
    "roi",
    "share",
    "size_percent",
    "stop",
    "take_profit",
    "trigger",
    "unrealized",
    "unrealized_pnl",
    "used",
    "value",
    "volume",
    "volume_24h",
    "wallet",
    "win_rate",
];

/// Fields that are empty where a fact was missing.
const EMPTY_MEANS_MISSING: &[&str] = &["limit", "value"];

fn is_decimal(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, part) = match digits.iter().position(|b| *b == b'.') {
        Some(at) => (digits.get(..at).unwrap_or_default(), digits.get(at + 1..)),
        None => (digits, None),
    };
    let all_digits = |s: &[u8]| !s.is_empty() && s.iter().all(u8::is_ascii_digit);
    all_digits(whole) && (whole.len() == 1 || whole.first() != Some(&b'0')) && part.is_none_or(all_digits)
}

/// End of the JSON string that begins after `from` (index of its closing quote), if it has one.
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at),
            _ => at += 1,
        }
    }
}

/// Takes the quotes off the decimals of a JSON document written by `serde_json` without blanks.
#[must_use]
pub fn with_numbers(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut out = String::with_capacity(json.len());
    let (mut at, mut kept) = (0, 0);
    let mut field: &str = "";
    let mut after_colon = false;
    while let Some(byte) = bytes.get(at) {
        if *byte != b'"' {
            after_colon = *byte == b':';
            at += 1;
            continue;
        }
        let Some(end) = string_end(bytes, at + 1) else { break };
        let inner = json.get(at + 1..end).unwrap_or_default();
        if after_colon {
            let decimal = DECIMAL_FIELDS.binary_search(&field).is_ok() && is_decimal(inner.as_bytes());
            let missing = inner.is_empty() && EMPTY_MEANS_MISSING.contains(&field);
            if decimal || missing {
                out.push_str(json.get(kept..at).unwrap_or_default());
                out.push_str(if decimal { inner } else { "null" });
                kept = end + 1;
            }
        } else if bytes.get(end + 1) == Some(&b':') {
            field = inner;
        }
        after_colon = false;
        at = end + 1;
    }
    out.push_str(json.get(kept..).unwrap_or_default());
    out
}

/// Serialises with decimals as numbers.
///
/// # Errors
/// As `serde_json`: a map key that is no text.
pub fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(|text| with_numbers(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_list_of_fields_is_sorted_so_that_it_can_be_searched() {
        assert!(DECIMAL_FIELDS.is_sorted());
    }

    #[test]
    fn decimals_lose_their_quotes_and_nothing_else_changes() {
        let given = r#"{"price":"0.10","symbol":"1","qty":"-12","note":"\"price\":\"1\"","list":["1"],"value":"","limit":"halted","stop":null,"last":"007"}"#;
        let wanted = r#"{"price":0.10,"symbol":"1","qty":-12,"note":"\"price\":\"1\"","list":["1"],"value":null,"limit":"halted","stop":null,"last":"007"}"#;
        assert_eq!(with_numbers(given), wanted);
    }

    proptest! {
        #[test]
        fn any_document_stays_a_document(text in "\\PC*", key in "[a-z]{1,9}|price|value", number in any::<i64>()) {
            let given = serde_json::json!({ key.clone(): text, "price": number.to_string(), "nested": [{ key: "1.5" }] });
            let out = with_numbers(&given.to_string());
            let read: serde_json::Value = serde_json::from_str(&out).expect("still JSON");
            prop_assert_eq!(&read["price"], &serde_json::json!(number));
        }
    }
}
