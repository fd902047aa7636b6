//! When a conditional order fires.

use crate::num::{NumError, Price, Ratio, Rounding};

/// The side from which the price must reach a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerDirection {
    /// Fires at the trigger or above: buy stops and sell take-profits.
    Rising,
    /// Fires at the trigger or below: sell stops and buy take-profits.
    Falling,
}

/// A condition on one price series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Fires once the price reaches a level.
    Level {
        /// From where.
        direction: TriggerDirection,
        /// The level.
        at: Price,
    },
    /// Follows the price's extreme and fires when the price comes back by a share of it. A falling trail (for selling)
    /// follows the highest price, a rising one (for buying) the lowest.
    Trail {
        /// `Falling` for sell, `Rising` for buy.
        direction: TriggerDirection,
        /// The price from which on it follows; at once where missing.
        activation: Option<Price>,
        /// How far the price comes back, as a share of the extreme.
        callback: Ratio,
        /// The extreme so far, once active.
        extreme: Option<Price>,
    },
}

impl Trigger {
    /// Takes the next price and says whether the order fires. A trail may move by it.
    ///
    /// # Errors
    /// [`NumError::Overflow`] for prices near the end of the number range.
    pub fn on_price(&mut self, price: Price) -> Result<bool, NumError> {
        match self {
            Self::Level { direction: TriggerDirection::Rising, at } => Ok(price >= *at),
            Self::Level { direction: TriggerDirection::Falling, at } => Ok(price <= *at),
            Self::Trail { direction, activation, callback, extreme } => {
                let sells = *direction == TriggerDirection::Falling;
                let top = match *extreme {
                    Some(top) if sells => top.max(price),
                    Some(top) => top.min(price),
                    None => {
                        let active = activation.is_none_or(|from| if sells { price >= from } else { price <= from });
                        if !active {
                            return Ok(false);
                        }
                        price
                    }
                };
                *extreme = Some(top);
                let distance = top.times(*callback, Rounding::HalfEven)?;
                Ok(if sells { price <= top.checked_sub(distance)? } else { price >= top.checked_add(distance)? })
            }
        }
    }
    /// The level at which it fires now, where it has one.
    ///
    /// # Errors
    /// [`NumError::Overflow`].
    pub fn level(&self) -> Result<Option<Price>, NumError> {
        Ok(match *self {
            Self::Level { at, .. } => Some(at),
            Self::Trail { extreme: None, .. } => None,
            Self::Trail { direction, callback, extreme: Some(top), .. } => {
                let distance = top.times(callback, Rounding::HalfEven)?;
                Some(if direction == TriggerDirection::Falling { top.checked_sub(distance)? } else { top.checked_add(distance)? })
            }
        })
    }
}
