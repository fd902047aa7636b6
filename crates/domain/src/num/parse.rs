//! Reading and printing decimal text without floats.

use super::{DECIMALS, NumError};

/// Reads plain decimal text (`-12.5`, `0.00000100`) as a count of 10⁻⁸. No exponent, no blank, no sign `+`.
///
/// # Errors
/// [`NumError::Syntax`] for anything but digits with one optional point and sign, [`NumError::TooPrecise`] for a ninth
/// decimal that is not zero, [`NumError::Overflow`] beyond ±92 233 720 368.54775807.
pub fn parse_fixed(text: &[u8]) -> Result<i64, NumError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut value: i64 = 0;
    let mut seen = false;
    let mut places: Option<u32> = None;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen = true;
                if let Some(count) = places {
                    if count == DECIMALS {
                        if byte != b'0' {
                            return Err(NumError::TooPrecise);
                        }
                        continue;
                    }
                    places = Some(count + 1);
                }
                let digit = i64::from(byte - b'0');
                value = value.checked_mul(10).and_then(|v| v.checked_sub(digit)).ok_or(NumError::Overflow)?;
            }
            b'.' if places.is_none() && seen => places = Some(0),
            _ => return Err(NumError::Syntax),
        }
    }
    if !seen || (places == Some(0)) {
        return Err(NumError::Syntax);
    }
    let missing = DECIMALS - places.unwrap_or(0);
    let scaled = value.checked_mul(10_i64.pow(missing)).ok_or(NumError::Overflow)?;
    if negative { Ok(scaled) } else { scaled.checked_neg().ok_or(NumError::Overflow) }
}

/// Prints a count of 10⁻⁸ with at least `min_places` decimals and no needless zeros beyond them.
pub(super) fn write_fixed(raw: i64, min_places: u32, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    let magnitude = raw.unsigned_abs();
    let unit = super::SCALE.unsigned_abs();
    let (whole, mut part) = (magnitude / unit, magnitude % unit);
    if raw < 0 {
        f.write_str("-")?;
    }
    let mut places = DECIMALS;
    while places > min_places && part % 10 == 0 {
        part /= 10;
        places -= 1;
    }
    if places == 0 { write!(f, "{whole}") } else { write!(f, "{whole}.{part:0width$}", width = places as usize) }
}
