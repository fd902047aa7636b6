//! Where a resting order stands in the queue of its price, and what reaches it there.

use crate::num::Qty;

/// Quantity of others that must trade at the price before the order does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueuePlace {
    /// What stands ahead.
    pub ahead: Qty,
}

/// Decides how much of a resting order fills when the market trades exactly at its price. A market that trades through the
/// price fills the rest under every model.
pub trait QueueModel: Send + std::fmt::Debug {
    /// The place of an order that joins a price where `standing` of others stands.
    fn join(&self, standing: Qty) -> QueuePlace;
    /// How much of `left` fills after `traded` traded at the price, of which `spent` already went to orders of ours before
    /// this one.
    fn at_price(&self, place: &mut QueuePlace, traded: Qty, spent: Qty, left: Qty) -> Qty;
    /// Whether the other side's quote standing at the price fills it.
    fn quote_touches(&self) -> bool {
        false
    }
}

/// Touching the price fills nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThroughOnly;
impl QueueModel for ThroughOnly {
    fn join(&self, _standing: Qty) -> QueuePlace {
        QueuePlace::default()
    }
    fn at_price(&self, _place: &mut QueuePlace, _traded: Qty, _spent: Qty, _left: Qty) -> Qty {
        Qty::ZERO
    }
}

/// Touching the price fills everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnTouch;
impl QueueModel for OnTouch {
    fn join(&self, _standing: Qty) -> QueuePlace {
        QueuePlace::default()
    }
    fn at_price(&self, _place: &mut QueuePlace, _traded: Qty, _spent: Qty, left: Qty) -> Qty {
        left
    }
    fn quote_touches(&self) -> bool {
        true
    }
}

/// Everything that was visible at the price when the order joined trades first; cancellations of others are not assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BehindVisible;
impl QueueModel for BehindVisible {
    fn join(&self, standing: Qty) -> QueuePlace {
        QueuePlace { ahead: standing }
    }
    fn at_price(&self, place: &mut QueuePlace, traded: Qty, spent: Qty, left: Qty) -> Qty {
        let ahead = place.ahead.raw();
        place.ahead = Qty::from_raw(ahead.saturating_sub(traded.raw()).max(0));
        let reaches = traded.raw().saturating_sub(ahead).saturating_sub(spent.raw()).max(0);
        Qty::from_raw(reaches.min(left.raw()))
    }
}
