//! The four number types, alike in shape and kept apart by the compiler.

use super::parse::{parse_fixed, write_fixed};
use super::{DECIMALS, NumError, Rounding, SCALE, div_round, mul_div};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// One whole unit.
            pub const ONE: Self = Self(SCALE);
            /// The largest value.
            pub const MAX: Self = Self(i64::MAX);

            /// From a count of 10⁻⁸.
            #[must_use]
            pub const fn from_raw(raw: i64) -> Self { Self(raw) }
            /// From whole units.
            ///
            /// # Errors
            /// [`NumError::Overflow`] beyond ±92 billion.
            pub fn from_int(units: i64) -> Result<Self, NumError> {
                units.checked_mul(SCALE).map(Self).ok_or(NumError::Overflow)
            }
            /// The count of 10⁻⁸.
            #[must_use]
            pub const fn raw(self) -> i64 { self.0 }
            /// Reads the exchange's decimal text.
            ///
            /// # Errors
            /// As [`parse_fixed`].
            pub fn parse(text: &str) -> Result<Self, NumError> { parse_fixed(text.as_bytes()).map(Self) }
            /// Reads the exchange's decimal text from raw bytes of a frame.
            ///
            /// # Errors
            /// As [`parse_fixed`].
            pub fn parse_bytes(text: &[u8]) -> Result<Self, NumError> { parse_fixed(text).map(Self) }
            /// Sum.
            ///
            /// # Errors
            /// [`NumError::Overflow`].
            pub fn checked_add(self, other: Self) -> Result<Self, NumError> { self.0.checked_add(other.0).map(Self).ok_or(NumError::Overflow) }
            /// Difference.
            ///
            /// # Errors
            /// [`NumError::Overflow`].
            pub fn checked_sub(self, other: Self) -> Result<Self, NumError> { self.0.checked_sub(other.0).map(Self).ok_or(NumError::Overflow) }
            /// With the sign turned.
            ///
            /// # Errors
            /// [`NumError::Overflow`] for the smallest value only.
            pub fn checked_neg(self) -> Result<Self, NumError> { self.0.checked_neg().map(Self).ok_or(NumError::Overflow) }
            /// Without sign, at most [`Self::MAX`].
            #[must_use]
            pub const fn abs(self) -> Self { Self(self.0.saturating_abs()) }
            /// Below zero?
            #[must_use]
            pub const fn is_negative(self) -> bool { self.0 < 0 }
            /// Above zero?
            #[must_use]
            pub const fn is_positive(self) -> bool { self.0 > 0 }
            /// Exactly zero?
            #[must_use]
            pub const fn is_zero(self) -> bool { self.0 == 0 }
            /// Times a ratio, rounded as told.
            ///
            /// # Errors
            /// [`NumError::Overflow`].
            pub fn times(self, ratio: Ratio, rounding: Rounding) -> Result<Self, NumError> {
                mul_div(self.0, ratio.raw(), SCALE, rounding).map(Self)
            }
            /// Divided by a ratio, rounded as told.
            ///
            /// # Errors
            /// [`NumError::DivisionByZero`], [`NumError::Overflow`].
            pub fn over(self, ratio: Ratio, rounding: Rounding) -> Result<Self, NumError> {
                mul_div(self.0, SCALE, ratio.raw(), rounding).map(Self)
            }
            /// Times a whole number.
            ///
            /// # Errors
            /// [`NumError::Overflow`].
            pub fn times_int(self, factor: i64) -> Result<Self, NumError> { self.0.checked_mul(factor).map(Self).ok_or(NumError::Overflow) }
            /// Divided by a whole number, rounded as told.
            ///
            /// # Errors
            /// [`NumError::DivisionByZero`], [`NumError::Overflow`].
            pub fn over_int(self, divisor: i64, rounding: Rounding) -> Result<Self, NumError> {
                let wide = div_round(i128::from(self.0), i128::from(divisor), rounding)?;
                i64::try_from(wide).map(Self).map_err(|_| NumError::Overflow)
            }
            /// This value as a share of `whole`.
            ///
            /// # Errors
            /// [`NumError::DivisionByZero`], [`NumError::Overflow`].
            pub fn share_of(self, whole: Self, rounding: Rounding) -> Result<Ratio, NumError> {
                mul_div(self.0, SCALE, whole.0, rounding).map(Ratio::from_raw)
            }
            /// Rounded to a multiple of `step` (a positive value of the same kind).
            ///
            /// # Errors
            /// [`NumError::DivisionByZero`] for a zero step, [`NumError::Overflow`].
            pub fn round_to(self, step: Self, rounding: Rounding) -> Result<Self, NumError> {
                let count = div_round(i128::from(self.0), i128::from(step.0), rounding)?;
                i64::try_from(count * i128::from(step.0)).map(Self).map_err(|_| NumError::Overflow)
            }
            /// Is this a whole multiple of `step`? A zero step forbids nothing.
            #[must_use]
            pub const fn is_multiple_of(self, step: Self) -> bool { step.0 == 0 || self.0 % step.0 == 0 }
            /// Decimal places needed to print this value exactly; of a tick or step it is the symbol's precision.
            #[must_use]
            pub fn places(self) -> u32 {
                let mut left = self.0.unsigned_abs() % SCALE.unsigned_abs();
                if left == 0 { return 0; }
                let mut places = DECIMALS;
                while left % 10 == 0 { left /= 10; places -= 1; }
                places
            }
            /// As text with at least `places` decimals, for interfaces that pad with zeros.
            #[must_use]
            pub fn padded(self, places: u32) -> String { format!("{}", Padded(self.0, places.min(DECIMALS))) }
            /// The nearest `f64`. For indicators, statistics and display only, never for money.
            #[must_use]
            pub fn to_f64(self) -> f64 { self.0 as f64 / SCALE as f64 }
            /// From an `f64` of recorded data or a model, rounded to the nearest 10⁻⁸.
            ///
            /// # Errors
            /// [`NumError::Syntax`] for NaN and infinities, [`NumError::Overflow`] beyond ±92 billion.
            pub fn from_f64(value: f64) -> Result<Self, NumError> {
                if !value.is_finite() { return Err(NumError::Syntax); }
                let scaled = (value * SCALE as f64).round();
                if scaled.abs() >= 9.2e18 { return Err(NumError::Overflow); }
                Ok(Self(scaled as i64))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write_fixed(self.0, 0, f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write_fixed(self.0, 0, f) }
        }
        impl FromStr for $name {
            type Err = NumError;
            fn from_str(text: &str) -> Result<Self, NumError> { Self::parse(text) }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> { serializer.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = i64;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("a decimal number as text") }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<i64, E> {
                        parse_fixed(text.as_bytes()).map_err(|error| E::custom(format_args!("{error}: {text:?}")))
                    }
                }
                deserializer.deserialize_str(Text).map($name)
            }
        }
    };
}

fixed!(
    /// A price in USDT per unit of the base asset.
    Price
);
fixed!(
    /// A quantity of the base asset; negative for a short position.
    Qty
);
fixed!(
    /// An amount of USDT.
    Usdt
);
fixed!(
    /// A plain number: a rate, a share, a multiple.
    Ratio
);

struct Padded(i64, u32);
impl fmt::Display for Padded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed(self.0, self.1, f)
    }
}
