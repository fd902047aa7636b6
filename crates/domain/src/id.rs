//! Identities as types of their own, so that none can stand in for another.

use crate::text::InlineText;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number_id {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    )*};
}

number_id! {
    /// The exchange's number of a regular order.
    OrderId(i64);
    /// The exchange's number of a conditional (algo) order.
    AlgoId(i64);
    /// The exchange's number of a fill, unique per symbol.
    TradeId(i64);
    /// The exchange's number of an income record (`tranId`).
    TranId(i64);
    /// Sequence of a journalled order intent; the heart of the client order id.
    IntentSeq(u64);
    /// Number of the last order, fill or position fact of one strategy and symbol. A decision carries the one it has seen.
    FactSeq(u64);
    /// Correlation of a decision with its verdict, unique within one process run.
    DecisionId(u64);
    /// Fencing token: grows with each leader and with each process start; part of every client order id.
    Epoch(u64);
    /// A wake-up asked for by a node. A timer that was replaced is recognised by its stale number and ignored.
    TimerId(u64);
}

/// Name of a strategy instance, at most 31 bytes, such as `ema_rsi`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StrategyId(InlineText<31>);

impl StrategyId {
    /// Owner of positions and orders that no strategy of ours made: the operator by hand, or another program.
    pub const EXTERNAL_NAME: &'static str = "external";
    /// Owner of orders given over the API.
    pub const OPERATOR_NAME: &'static str = "operator";
    /// Keeps `name`, or gives `None` when it is empty or longer than 31 bytes.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        if name.is_empty() { None } else { InlineText::new(name).map(Self) }
    }
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
    /// The owner of foreign positions.
    #[must_use]
    pub fn external() -> Self {
        Self(InlineText::new(Self::EXTERNAL_NAME).unwrap_or_else(|| unreachable!()))
    }
    /// The owner of orders given over the API.
    #[must_use]
    pub fn operator() -> Self {
        Self(InlineText::new(Self::OPERATOR_NAME).unwrap_or_else(|| unreachable!()))
    }
}
impl fmt::Display for StrategyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Longest client order id that the exchange takes.
pub const CLIENT_ID_BYTES_MAX: usize = 36;

/// A client order id: `^[\.A-Z\:/a-z0-9_-]{1,36}$` (Binance, "New Order").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientOrderId(InlineText<CLIENT_ID_BYTES_MAX>);

/// What the client order id of one of our own orders says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnOrder {
    /// Epoch in which it was made.
    pub epoch: Epoch,
    /// Its journalled intent.
    pub intent: IntentSeq,
    /// How many times the same intent had been tried before.
    pub attempt: u8,
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn base62(mut value: u64, into: &mut String) {
    let mut digits = [0_u8; 11];
    let mut used = 0;
    loop {
        if let (Some(slot), Some(digit)) = (digits.get_mut(used), BASE62.get((value % 62) as usize)) {
            *slot = *digit;
        }
        used += 1;
        value /= 62;
        if value == 0 {
            break;
        }
    }
    into.extend(digits.iter().take(used).rev().map(|d| char::from(*d)));
}

fn from_base62(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |sum, byte| {
        let digit = BASE62.iter().position(|b| *b == byte)? as u64;
        sum.checked_mul(62)?.checked_add(digit)
    })
}

impl ClientOrderId {
    /// Takes an id as the exchange reports or a client sends it; `None` when it breaks the exchange's pattern.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'/' | b'_' | b'-'));
        if fits { InlineText::new(text).map(Self) } else { None }
    }
    /// The id of one of our own orders: a pure function `<instance>-<epoch>-<intent>-<attempt>` in base62, never reused
    /// since the intent sequence never repeats within an epoch and no epoch comes twice.
    /// `instance` is 1 to 8 ASCII letters or digits; `None` otherwise.
    #[must_use]
    pub fn own(instance: &str, order: OwnOrder) -> Option<Self> {
        if instance.is_empty() || instance.len() > 8 || !instance.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let mut text = String::with_capacity(CLIENT_ID_BYTES_MAX);
        text.push_str(instance);
        for part in [order.epoch.0, order.intent.0, u64::from(order.attempt)] {
            text.push('-');
            base62(part, &mut text);
        }
        InlineText::new(&text).map(Self)
    }
    /// Reads back what [`ClientOrderId::own`] made for this instance; `None` for foreign ids.
    #[must_use]
    pub fn parse_own(&self, instance: &str) -> Option<OwnOrder> {
        let mut parts = self.as_str().split('-');
        if parts.next()? != instance {
            return None;
        }
        let order = OwnOrder {
            epoch: Epoch(from_base62(parts.next()?)?),
            intent: IntentSeq(from_base62(parts.next()?)?),
            attempt: u8::try_from(from_base62(parts.next()?)?).ok()?,
        };
        if parts.next().is_some() { None } else { Some(order) }
    }
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn own_ids_read_back_and_differ_for_different_orders(
            a in (0_u64..1 << 40, any::<u32>(), any::<u8>()), b in (0_u64..1 << 40, any::<u32>(), any::<u8>())
        ) {
            let make = |(e, i, n): (u64, u32, u8)| OwnOrder { epoch: Epoch(e), intent: IntentSeq(u64::from(i)), attempt: n };
            let id = |o| ClientOrderId::own("FULMAR01", o).expect("fits");
            prop_assert_eq!(id(make(a)).parse_own("FULMAR01"), Some(make(a)));
            prop_assert_eq!(id(make(a)).parse_own("OTHER"), None);
            prop_assert!(ClientOrderId::new(id(make(a)).as_str()).is_some());
            prop_assert_eq!(a == b, id(make(a)) == id(make(b)));
        }
    }
}
