//! Parameters of a request: query and form body, in any order; a name in the query beats the same name in the body.
//!
//! Unknown names are tolerated, as Binance does. A value that cannot be read is refused with the code that Binance uses.

use super::signing::without_signature;
use crate::venue::ApiError;
use fulmar_domain::num::NumError;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::str::FromStr;

/// Read parameters.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

/// Longest text that a parameter may have, batch lists included.
const VALUE_BYTES_MAX: usize = 32_768;

impl Params {
    /// Reads query and body as sent.
    ///
    /// # Errors
    /// −1100 for escapes that are no text, −1101 for too much of it.
    pub(crate) fn read(query: &str, body: &str) -> Result<Self, ApiError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').chain(body.split('&')).filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (unescape(name)?, unescape(value)?);
            if value.len() > VALUE_BYTES_MAX || pairs.len() >= 64 {
                return Err(ApiError::new(-1101, "Too many parameters sent for this endpoint."));
            }
            if !pairs.iter().any(|(n, _)| *n == name) {
                pairs.push((name, value));
            }
        }
        Ok(Self { pairs })
    }
    /// The pairs of a JSON object; numbers and flags count as their text.
    pub(crate) fn of_json(object: &serde_json::Map<String, serde_json::Value>) -> Self {
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Null => None,
            other => Some(other.to_string()),
        };
        Self { pairs: object.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect() }
    }
    /// All pairs.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }
    /// A value, empty ones included.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    /// A value that is not empty.
    ///
    /// # Errors
    /// −1105 when it was sent empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            Some("") => Err(ApiError::new(-1105, format!("Parameter '{name}' was empty."))),
            other => Ok(other),
        }
    }
    /// A value that must be there.
    ///
    /// # Errors
    /// −1102 when it is missing or empty.
    pub(crate) fn need<'a>(&'a self, name: &str) -> Result<&'a str, ApiError> {
        self.get(name).filter(|v| !v.is_empty()).ok_or_else(|| mandatory(name))
    }
    /// A contract name that must be there.
    ///
    /// # Errors
    /// −1102 when it is missing, −1121 when it is no name.
    pub(crate) fn need_symbol(&self) -> Result<Symbol, ApiError> {
        Symbol::new(self.need("symbol")?).map_err(|_| invalid_symbol())
    }
    /// A contract name.
    ///
    /// # Errors
    /// −1121 when it is no name.
    pub(crate) fn symbol(&self) -> Result<Option<Symbol>, ApiError> {
        self.text("symbol")?.map(|text| Symbol::new(text).map_err(|_| invalid_symbol())).transpose()
    }
    /// A fixed-point number.
    ///
    /// # Errors
    /// −1111 for too many places, −1100 for text that is no number.
    pub(crate) fn decimal<T: FromStr<Err = NumError>>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.text(name)?
            .map(|text| {
                let plain = text.strip_prefix('+').unwrap_or(text);
                plain.parse().map_err(|error| match error {
                    NumError::TooPrecise => ApiError::new(-1111, "Precision is over the maximum defined for this asset."),
                    _ => illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$"),
                })
            })
            .transpose()
    }
    /// A whole number.
    ///
    /// # Errors
    /// −1100 for text that is no whole number.
    pub(crate) fn int<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.text(name)?.map(|text| text.parse().map_err(|_| illegal(name, "^[0-9]{1,20}$"))).transpose()
    }
    /// An instant in milliseconds.
    ///
    /// # Errors
    /// As [`Params::int`].
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        Ok(self.int(name)?.map(Timestamp))
    }
    /// `true` or `false`, in any case.
    ///
    /// # Errors
    /// −1130 for anything else.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.text(name)?
            .map(|text| {
                if text.eq_ignore_ascii_case("true") {
                    Ok(true)
                } else if text.eq_ignore_ascii_case("false") {
                    Ok(false)
                } else {
                    Err(not_valid(name))
                }
            })
            .transpose()
    }
    /// One of the exchange's words.
    ///
    /// # Errors
    /// `code` with `message` for any other word.
    pub(crate) fn one_of<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>, code: i32, message: &str) -> Result<Option<T>, ApiError> {
        self.text(name)?.map(|text| parse(text).ok_or_else(|| ApiError::new(code, message))).transpose()
    }
}

/// −1102.
pub(crate) fn mandatory(name: &str) -> ApiError {
    ApiError::new(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
}
/// −1121.
pub(crate) fn invalid_symbol() -> ApiError {
    ApiError::new(-1121, "Invalid symbol.")
}
/// −1130.
pub(crate) fn not_valid(name: &str) -> ApiError {
    ApiError::new(-1130, format!("Data sent for parameter '{name}' is not valid."))
}
fn illegal(name: &str, pattern: &str) -> ApiError {
    ApiError::new(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{pattern}'."))
}

/// Undoes percent escapes and `+`.
fn unescape(text: &str) -> Result<String, ApiError> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let broken = || ApiError::new(-1100, "Illegal characters found in a parameter.");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or_else(broken);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).map_err(|_| broken())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

/// What was signed of a request: query and body without the signature, and the signature itself, where there is one.
pub(crate) fn signed_parts(query: &str, body: &str, params: &Params) -> (String, String, Option<String>) {
    (without_signature(query), without_signature(body), params.get("signature").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulmar_domain::num::{Price, Qty};
    use proptest::prelude::*;

    #[test]
    fn the_query_beats_the_body_and_unknown_names_stay_harmless() {
        let p = Params::read("symbol=BTCUSDT&x=%5B1%5D", "symbol=ETHUSDT&quantity=1.5&unknown=1").expect("reads");
        assert_eq!(p.need_symbol().expect("symbol").as_str(), "BTCUSDT");
        assert_eq!(p.get("x"), Some("[1]"));
        assert_eq!(p.decimal::<Qty>("quantity").expect("number"), Some(Qty::parse("1.5").expect("number")));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_right_code() {
        let p = Params::read("a=&price=1.123456789&qty=abc&side=UP&flag=maybe&symbol=A/B", "").expect("reads");
        let code = |r: Result<(), ApiError>| r.expect_err("refused").code;
        assert_eq!(code(p.need("missing").map(drop)), -1102);
        assert_eq!(code(p.text("a").map(drop)), -1105);
        assert_eq!(code(p.decimal::<Price>("price").map(drop)), -1111);
        assert_eq!(code(p.decimal::<Qty>("qty").map(drop)), -1100);
        assert_eq!(code(p.int::<i64>("qty").map(drop)), -1100);
        assert_eq!(code(p.flag("flag").map(drop)), -1130);
        assert_eq!(code(p.need_symbol().map(drop)), -1121);
        assert_eq!(Params::read("a=%zz", "").expect_err("escape").code, -1100);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(query in ".{0,80}", body in ".{0,80}") {
            if let Ok(p) = Params::read(&query, &body) {
                let parts = signed_parts(&query, &body, &p);
                prop_assert!(parts.0.len() <= query.len());
            }
        }
    }
}
