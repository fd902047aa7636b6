//! What a fill costs.

use crate::num::{NumError, Ratio, Rounding, Usdt};

/// Reckons the fee of a fill.
pub trait FeeModel: Send + std::fmt::Debug {
    /// Fee in USDT, positive when paid, of a fill worth `value`.
    ///
    /// # Errors
    /// [`NumError::Overflow`].
    fn fee(&self, value: Usdt, maker: bool) -> Result<Usdt, NumError>;
}

/// A share of the value: one rate for makers, one for takers; halves go to the even neighbour at eight decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedRates {
    /// Maker rate.
    pub maker: Ratio,
    /// Taker rate.
    pub taker: Ratio,
}
impl FeeModel for FixedRates {
    fn fee(&self, value: Usdt, maker: bool) -> Result<Usdt, NumError> {
        value.times(if maker { self.maker } else { self.taker }, Rounding::HalfEven)
    }
}
