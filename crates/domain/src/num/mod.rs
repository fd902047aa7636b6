//! Fixed-point numbers for prices, quantities, money and rates.
//!
//! [`Price`], [`Qty`], [`Usdt`] and [`Ratio`] are `i64` counts of 10⁻⁸. They are read from the exchange's strings without
//! passing through a float, their sums are checked, and every product or quotient goes through `i128` with a rounding named
//! at the call. Overflow is an error, never a wrap.

mod fixed;
mod parse;

pub use fixed::{Price, Qty, Ratio, Usdt};
pub use parse::parse_fixed;

/// How many units make one: all four types count 10⁻⁸.
pub const SCALE: i64 = 100_000_000;
/// Decimal places of all four types.
pub const DECIMALS: u32 = 8;

/// Why a number could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumError {
    /// The text is not a plain decimal number.
    #[error("not a decimal number")]
    Syntax,
    /// The text has more than eight decimal places that are not zero.
    #[error("more than eight decimal places")]
    TooPrecise,
    /// The result does not fit into 64 bits with eight decimals (about ±92 billion).
    #[error("number out of range")]
    Overflow,
    /// A quotient by zero was asked for.
    #[error("division by zero")]
    DivisionByZero,
}

/// What happens to the part below the last kept place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity.
    Floor,
    /// Towards plus infinity.
    Ceil,
    /// Towards zero: the part is cut.
    TowardZero,
    /// Away from zero.
    AwayFromZero,
    /// To the nearest, halves to the even neighbour.
    HalfEven,
}

/// `numerator / denominator` rounded as told.
pub(crate) fn div_round(numerator: i128, denominator: i128, rounding: Rounding) -> Result<i128, NumError> {
    if denominator == 0 {
        return Err(NumError::DivisionByZero);
    }
    let (n, d) = if denominator < 0 {
        (numerator.checked_neg().ok_or(NumError::Overflow)?, denominator.checked_neg().ok_or(NumError::Overflow)?)
    } else {
        (numerator, denominator)
    };
    let quotient = n / d;
    let rest = n % d;
    if rest == 0 {
        return Ok(quotient);
    }
    let away = if n < 0 { quotient - 1 } else { quotient + 1 };
    Ok(match rounding {
        Rounding::TowardZero => quotient,
        Rounding::AwayFromZero => away,
        Rounding::Floor => {
            if n < 0 {
                away
            } else {
                quotient
            }
        }
        Rounding::Ceil => {
            if n < 0 {
                quotient
            } else {
                away
            }
        }
        Rounding::HalfEven => {
            let twice = rest.unsigned_abs() * 2;
            match twice.cmp(&d.unsigned_abs()) {
                std::cmp::Ordering::Less => quotient,
                std::cmp::Ordering::Greater => away,
                std::cmp::Ordering::Equal => {
                    if quotient % 2 == 0 {
                        quotient
                    } else {
                        away
                    }
                }
            }
        }
    })
}

/// `a · b / c` in 10⁻⁸ units, rounded as told; all three are raw counts of 10⁻⁸ except that `c` names the divisor.
pub(crate) fn mul_div(a: i64, b: i64, c: i64, rounding: Rounding) -> Result<i64, NumError> {
    let wide = div_round(i128::from(a) * i128::from(b), i128::from(c), rounding)?;
    i64::try_from(wide).map_err(|_| NumError::Overflow)
}

/// The value of `qty` at `price`, in USDT.
///
/// # Errors
/// [`NumError::Overflow`] when the product does not fit.
pub fn notional(price: Price, qty: Qty, rounding: Rounding) -> Result<Usdt, NumError> {
    mul_div(price.raw(), qty.raw(), SCALE, rounding).map(Usdt::from_raw)
}

/// The quantity that `value` buys at `price`.
///
/// # Errors
/// [`NumError::DivisionByZero`] at price zero, [`NumError::Overflow`] when the quotient does not fit.
pub fn qty_for(value: Usdt, price: Price, rounding: Rounding) -> Result<Qty, NumError> {
    mul_div(value.raw(), SCALE, price.raw(), rounding).map(Qty::from_raw)
}

/// The average price of `value` spent on `qty`.
///
/// # Errors
/// [`NumError::DivisionByZero`] at quantity zero, [`NumError::Overflow`] when the quotient does not fit.
pub fn average_price(value: Usdt, qty: Qty, rounding: Rounding) -> Result<Price, NumError> {
    mul_div(value.raw(), SCALE, qty.raw(), rounding).map(Price::from_raw)
}

#[cfg(test)]
mod tests;
