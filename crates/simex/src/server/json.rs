//! Writes JSON text field by field into one reusable buffer: no tree, no float, keys in the order in which they are written.
//!
//! Invariant: every value that is not ours (client ids, names) passes through the escaping writer.

use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use std::fmt::Write as _;

/// A fixed-point number that can be printed: a count of 10⁻⁸.
pub(crate) trait Fixed: Copy {
    /// The count of 10⁻⁸.
    fn count(self) -> i64;
}
macro_rules! fixed {
    ($($name:ident),*) => { $(impl Fixed for $name { fn count(self) -> i64 { self.raw() } })* };
}
fixed!(Price, Qty, Ratio, Usdt);

/// The buffer with what has been written so far.
#[derive(Default, Debug)]
pub(crate) struct Json {
    text: String,
}

const UNIT: u64 = 100_000_000;

impl Json {
    /// An empty buffer with room for a usual answer.
    pub(crate) fn new() -> Self {
        Self { text: String::with_capacity(512) }
    }
    /// What was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
    /// Hands over what was written.
    pub(crate) fn into_string(self) -> String {
        self.text
    }
    /// Forgets what was written and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
    }
    fn comma(&mut self) {
        if !matches!(self.text.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.text.push(',');
        }
    }
    fn key(&mut self, key: &str) {
        self.comma();
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }
    /// Opens an object as element of an array, or at the top.
    pub(crate) fn open(&mut self) -> &mut Self {
        self.comma();
        self.text.push('{');
        self
    }
    /// Opens an object as a field.
    pub(crate) fn open_at(&mut self, key: &str) -> &mut Self {
        self.key(key);
        self.text.push('{');
        self
    }
    /// Closes an object.
    pub(crate) fn close(&mut self) -> &mut Self {
        self.text.push('}');
        self
    }
    /// Opens an array as element of an array, or at the top.
    pub(crate) fn list(&mut self) -> &mut Self {
        self.comma();
        self.text.push('[');
        self
    }
    /// Opens an array as a field.
    pub(crate) fn list_at(&mut self, key: &str) -> &mut Self {
        self.key(key);
        self.text.push('[');
        self
    }
    /// Closes an array.
    pub(crate) fn end(&mut self) -> &mut Self {
        self.text.push(']');
        self
    }
    /// Text that needs no escaping: words of the protocol, symbols, checked ids.
    pub(crate) fn word(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        self.text.push('"');
        self.text.push_str(value);
        self.text.push('"');
        self
    }
    /// Any text.
    pub(crate) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        self.escaped(value);
        self
    }
    /// Any text as element of an array.
    pub(crate) fn item(&mut self, value: &str) -> &mut Self {
        self.comma();
        self.escaped(value);
        self
    }
    /// JSON that was written elsewhere, as a field.
    pub(crate) fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key);
        self.text.push_str(json);
        self
    }
    /// JSON that was written elsewhere, as element of an array.
    pub(crate) fn raw_item(&mut self, json: &str) -> &mut Self {
        self.comma();
        self.text.push_str(json);
        self
    }
    fn escaped(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                c if u32::from(c) < 0x20 => {
                    if write!(self.text, "\\u{:04x}", u32::from(c)).is_err() {
                        self.text.push('?');
                    }
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
    fn digits(&mut self, value: impl itoa::Integer) {
        self.text.push_str(itoa::Buffer::new().format(value));
    }
    /// A whole number.
    pub(crate) fn int(&mut self, key: &str, value: impl itoa::Integer) -> &mut Self {
        self.key(key);
        self.digits(value);
        self
    }
    /// A whole number as element of an array.
    pub(crate) fn int_item(&mut self, value: impl itoa::Integer) -> &mut Self {
        self.comma();
        self.digits(value);
        self
    }
    /// A whole number sent as text.
    pub(crate) fn int_text(&mut self, key: &str, value: impl itoa::Integer) -> &mut Self {
        self.key(key);
        self.text.push('"');
        self.digits(value);
        self.text.push('"');
        self
    }
    /// True or false.
    pub(crate) fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }
    /// A number as text, with at least `places` decimals and never a needless zero beyond them.
    pub(crate) fn dec(&mut self, key: &str, value: impl Fixed, places: u32) -> &mut Self {
        self.key(key);
        self.text.push('"');
        self.push_fixed(value.count(), places);
        self.text.push('"');
        self
    }
    /// As [`Json::dec`], as element of an array.
    pub(crate) fn dec_item(&mut self, value: impl Fixed, places: u32) -> &mut Self {
        self.comma();
        self.text.push('"');
        self.push_fixed(value.count(), places);
        self.text.push('"');
        self
    }
    /// A number without quotes.
    pub(crate) fn num(&mut self, key: &str, value: impl Fixed) -> &mut Self {
        self.key(key);
        self.push_fixed(value.count(), 0);
        self
    }
    fn push_fixed(&mut self, raw: i64, places: u32) {
        if raw < 0 {
            self.text.push('-');
        }
        let magnitude = raw.unsigned_abs();
        self.digits(magnitude / UNIT);
        let mut part = magnitude % UNIT;
        let places = places.min(8);
        let mut width = 8;
        while width > places && part.is_multiple_of(10) {
            part /= 10;
            width -= 1;
        }
        if width == 0 {
            return;
        }
        self.text.push('.');
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(part);
        for _ in digits.len()..width as usize {
            self.text.push('0');
        }
        self.text.push_str(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commas_stand_between_values_and_nowhere_else() {
        let mut j = Json::new();
        j.open().word("a", "x").int("b", 1_i64).list_at("c").end().list_at("d").int_item(1).int_item(2).list().item("q").end().end();
        j.open_at("e").flag("f", true).close().close();
        assert_eq!(j.as_str(), r#"{"a":"x","b":1,"c":[],"d":[1,2,["q"]],"e":{"f":true}}"#);
    }

    #[test]
    fn foreign_text_cannot_break_out_of_its_string() {
        let mut j = Json::new();
        let hostile = "\"},{\"x\\\n\u{1}";
        j.open().text("a", hostile).close();
        let back: serde_json::Value = serde_json::from_str(j.as_str()).expect("valid");
        assert_eq!(back["a"], hostile);
    }

    proptest! {
        #[test]
        fn numbers_print_as_the_domain_prints_them(raw in any::<i64>(), places in 0_u32..=8) {
            let mut j = Json::new();
            j.open().dec("v", Price::from_raw(raw), places).close();
            prop_assert_eq!(j.as_str(), format!("{{\"v\":\"{}\"}}", Price::from_raw(raw).padded(places)));
        }
    }
}
