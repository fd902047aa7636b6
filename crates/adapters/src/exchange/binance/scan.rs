//! A scanner over the bytes of a JSON frame: names and raw values of an object, no tree, no allocation, no recursion.
//!
//! Invariant: every step checks its bounds, every loop moves forward, nesting is counted and limited, so any bytes end in a
//! value or an error.

/// What was wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no JSON object of the expected shape.
    #[error("not a JSON object of the expected shape")]
    Shape,
    /// A field is not there.
    #[error("field {0:?} is missing")]
    Missing(&'static str),
    /// A field is not what it should be.
    #[error("field {0:?} is not what it should be")]
    Bad(&'static str),
    /// A field came twice.
    #[error("a field came twice")]
    Twice,
    /// A price or quantity that no market has.
    #[error("absurd value in field {0:?}")]
    Absurd(&'static str),
}

/// Deepest nesting that is skipped.
const DEPTH_MAX: u32 = 32;

/// A position in a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }
    /// The next byte that is no blank, without taking it.
    #[inline]
    pub fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        if byte > b' ' {
            return Some(byte);
        }
        self.blanks();
        self.peek()
    }
    /// Takes `byte`, after blanks.
    #[inline]
    pub fn take(&mut self, byte: u8) -> Result<(), DecodeError> {
        if self.next() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(DecodeError::Shape)
        }
    }
    /// A string's raw bytes between its quotes, escapes left as they are.
    #[inline]
    pub fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        self.take(b'"')?;
        let start = self.at;
        let rest = self.bytes.get(start..).ok_or(DecodeError::Shape)?;
        // Names and numbers are short: a plain loop is faster than a vector search.
        for (length, &byte) in rest.iter().enumerate() {
            if byte == b'"' {
                self.at = start + length + 1;
                return Ok(rest.get(..length).unwrap_or_default());
            }
            if byte == b'\\' || byte < 0x20 {
                return self.string_with_escapes(start);
            }
        }
        Err(DecodeError::Shape)
    }
    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<&'a [u8], DecodeError> {
        let mut at = start;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return self.bytes.get(start..at).ok_or(DecodeError::Shape);
                }
                Some(b'\\') => at += 2,
                Some(0..=0x1f) | None => return Err(DecodeError::Shape),
                Some(_) => at += 1,
            }
        }
    }
    /// The raw bytes of the value here: strings with quotes, objects and arrays whole.
    #[inline]
    pub fn value(&mut self) -> Result<&'a [u8], DecodeError> {
        let first = self.next().ok_or(DecodeError::Shape)?;
        let start = self.at;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.nested()?,
            _ => {
                while matches!(self.peek(), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.')) {
                    self.at += 1;
                }
                if self.at == start {
                    return Err(DecodeError::Shape);
                }
            }
        }
        self.bytes.get(start..self.at).ok_or(DecodeError::Shape)
    }
    fn nested(&mut self) -> Result<(), DecodeError> {
        let mut depth = 0_u32;
        loop {
            match self.peek().ok_or(DecodeError::Shape)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return Err(DecodeError::Shape);
                    }
                }
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Ok(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }
    /// Calls `field` with each name and a raw value of the object here.
    #[inline]
    pub fn object(&mut self, mut field: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
        self.take(b'{')?;
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.next();
            let name = self.string()?;
            self.take(b':')?;
            let value = self.value()?;
            field(name, value)?;
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(DecodeError::Shape),
            }
        }
    }
    /// Nothing but blanks follow?
    pub fn end(&mut self) -> Result<(), DecodeError> {
        if self.next().is_none() { Ok(()) } else { Err(DecodeError::Shape) }
    }
}

/// The fields of one message by their short names: one letter each, plus `pu`. The rest is skipped.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    letters: [&'a [u8]; 64],
    pub pu: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads the object that `bytes` is.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Self { letters: [&[]; 64], pu: &[] };
        let mut scan = Scan::new(bytes);
        scan.object(|name, value| fields.keep(name, value))?;
        scan.end()?;
        Ok(fields)
    }
    #[inline]
    fn keep(&mut self, name: &'a [u8], value: &'a [u8]) -> Result<(), DecodeError> {
        let slot = match name {
            [letter @ (b'A'..=b'Z' | b'a'..=b'z')] => match self.letters.get_mut(usize::from(letter & 0x3f)) {
                Some(slot) => slot,
                None => return Ok(()),
            },
            b"pu" => &mut self.pu,
            _ => return Ok(()),
        };
        if !slot.is_empty() {
            return Err(DecodeError::Twice);
        }
        *slot = value;
        Ok(())
    }
    /// The raw value of a one-letter field.
    #[inline]
    pub fn raw(&self, name: &'static str) -> Result<&'a [u8], DecodeError> {
        let letter = name.as_bytes().first().copied().unwrap_or_default();
        match self.letters.get(usize::from(letter & 0x3f)) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(DecodeError::Missing(name)),
        }
    }
    /// Text without escapes.
    #[inline]
    pub fn text(&self, name: &'static str) -> Result<&'a [u8], DecodeError> {
        text_of(self.raw(name)?, name)
    }
    /// A whole number, bare.
    #[inline]
    pub fn whole(&self, name: &'static str) -> Result<i64, DecodeError> {
        whole_of(self.raw(name)?, name)
    }
    /// `true` or `false`.
    #[inline]
    pub fn flag(&self, name: &'static str) -> Result<bool, DecodeError> {
        match self.raw(name)? {
            b"true" => Ok(true),
            b"false" => Ok(false),
            _ => Err(DecodeError::Bad(name)),
        }
    }
}

/// The text inside the quotes of a raw value.
#[inline]
pub(super) fn text_of<'a>(raw: &'a [u8], name: &'static str) -> Result<&'a [u8], DecodeError> {
    match raw {
        [b'"', text @ .., b'"'] => Ok(text),
        _ => Err(DecodeError::Bad(name)),
    }
}

/// A bare whole number.
#[inline]
pub(super) fn whole_of(raw: &[u8], name: &'static str) -> Result<i64, DecodeError> {
    let (negative, digits) = match raw {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 18 {
        return Err(DecodeError::Bad(name));
    }
    let mut value = 0_i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(DecodeError::Bad(name));
        }
        value = value * 10 + i64::from(digit);
    }
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_found_in_any_order_with_blanks_and_strangers() {
        let bytes = br#" { "x" : {"a":[1,"}",{"b":"]"}]} , "pu":-5,"s":"A\"B", "zz":null,"t":true,"T": 12 } "#;
        let fields = Fields::read(bytes).expect("object");
        assert_eq!(fields.whole("T"), Ok(12));
        assert_eq!(fields.flag("t"), Ok(true));
        assert_eq!(whole_of(fields.pu, "pu"), Ok(-5));
        assert_eq!(fields.text("s"), Ok(&br#"A\"B"#[..]));
        assert_eq!(fields.raw("x"), Ok(&br#"{"a":[1,"}",{"b":"]"}]}"#[..]));
        assert_eq!(fields.whole("q"), Err(DecodeError::Missing("q")));
    }

    #[test]
    fn torn_doubled_and_bottomless_frames_are_errors() {
        for bytes in [
            &b"{"[..],
            b"",
            b"[]",
            b"{\"a\":1",
            b"{\"a\":1}x",
            b"{\"a\":}",
            b"{\"a\" 1}",
            b"{\"a\":1,}",
            b"{\"a\":\"x}",
            b"{\"a\":1,\"a\":2}",
        ] {
            assert!(Fields::read(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Fields::read(deep.as_bytes()).is_err());
        assert_eq!(whole_of(b"9999999999999999999", "x"), Err(DecodeError::Bad("x")));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\",:\\\\ 0-9a-z]{0,80}") {
            let _first = Fields::read(&bytes);
            let _second = Fields::read(json.as_bytes());
            let _third = Fields::read(format!("{{\"a\":{json}").as_bytes());
        }
    }
}
