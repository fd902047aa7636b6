//! The state machine of one order. Its status never goes back, its fills are counted once.

use super::orders::OrderRef;
use crate::id::{AlgoId, OrderId};
use crate::num::Qty;
use crate::order::{AlgoEvent, Fill, OrderEvent, OrderStatus, VenueOrder};
use crate::time::Timestamp;

/// An order of ours with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOrder {
    /// As journalled.
    pub order: VenueOrder,
    /// Where it stands.
    pub status: OrderStatus,
    /// Sum of the fills applied.
    pub filled: Qty,
    /// What the exchange says is filled; above `filled` while fills are still on their way.
    pub filled_at_venue: Qty,
    /// The exchange says that it is over; it becomes final here once its fills are in.
    pub ended_as: Option<OrderStatus>,
    /// The exchange's number of the regular order (of an algo order: of its child).
    pub order_id: Option<OrderId>,
    /// The exchange's number of the algo order.
    pub algo_id: Option<AlgoId>,
    /// It was handed to the wire in this process.
    pub sent: bool,
    /// A cancellation was asked for.
    pub cancelling: bool,
    /// While unknown: from when on "not found" counts (protocol clock), and how often it was said.
    pub doubt: Option<Doubt>,
}

/// Waiting for certainty about an order whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// From when on "not found" can be believed.
    pub fence: Timestamp,
    /// How many times in a row it was not found since.
    pub not_found: u8,
}

/// What an event changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The status moved.
    pub status: bool,
    /// A fill that had not been counted yet.
    pub fill: Option<Fill>,
}
impl Change {
    /// Something changed.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.status || self.fill.is_some()
    }
}

impl LiveOrder {
    /// A journalled order that has not left yet.
    #[must_use]
    pub const fn planned(order: VenueOrder) -> Self {
        Self {
            order,
            status: OrderStatus::Pending,
            filled: Qty::ZERO,
            filled_at_venue: Qty::ZERO,
            ended_as: None,
            order_id: None,
            algo_id: None,
            sent: false,
            cancelling: false,
            doubt: None,
        }
    }

    /// How to name it to the exchange.
    #[must_use]
    pub const fn reference(&self) -> OrderRef {
        OrderRef { symbol: self.order.symbol, client_id: self.order.client_id, algo: self.order.kind.is_algo() }
    }

    /// Nothing more will come of it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.status.is_final()
    }

    /// It stands at the exchange as far as we know.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.status, OrderStatus::New | OrderStatus::Triggered | OrderStatus::PartiallyFilled)
    }

    /// Fills are missing that the exchange counts already.
    #[must_use]
    pub fn misses_fills(&self) -> bool {
        self.filled < self.filled_at_venue
    }

    /// Moves to a status unless that would go back. True when it moved.
    pub fn advance(&mut self, status: OrderStatus) -> bool {
        if status == self.status || self.is_final() || status.rank() < self.status.rank() {
            return false;
        }
        self.status = status;
        if status.rank() >= OrderStatus::New.rank() {
            self.doubt = None;
        }
        true
    }

    /// The algo order was seen in this status.
    pub fn on_algo(&mut self, event: &AlgoEvent) -> Change {
        self.algo_id = Some(event.algo);
        if event.child.is_some() {
            self.order_id = event.child;
        }
        let status = match event.status {
            None => return Change::default(),
            // Finished means that the child ended. How it ended and what it filled comes with the child's own events.
            Some(OrderStatus::Filled) if self.filled.is_zero() => OrderStatus::Triggered,
            Some(status) => status,
        };
        Change { status: self.advance(status), fill: None }
    }

    /// The regular order (of an algo order: its child) was seen. `fresh` says that the event's fill had not been counted.
    pub fn on_regular(&mut self, event: &OrderEvent, fresh: bool) -> Change {
        self.order_id = Some(event.order);
        self.filled_at_venue = self.filled_at_venue.max(event.filled);
        let mut change = Change::default();
        if let Some(fill) = event.fill.filter(|_| fresh) {
            change = self.on_fill(fill);
        }
        let algo = self.order.kind.is_algo();
        let status = match event.status {
            Some(OrderStatus::New) if algo => Some(OrderStatus::Triggered),
            other => other,
        };
        if let Some(status) = status {
            if status.is_final() {
                self.ended_as = Some(status);
            } else {
                change.status |= self.advance(status);
            }
        }
        change.status |= self.settle();
        change
    }

    /// A fill that had not been counted, however it became known.
    pub fn on_fill(&mut self, fill: Fill) -> Change {
        self.order_id = Some(fill.order);
        self.filled = self.filled.checked_add(fill.qty).unwrap_or(Qty::MAX);
        self.filled_at_venue = self.filled_at_venue.max(self.filled);
        let whole = !self.order.close_position && self.filled >= self.order.qty;
        if whole {
            self.ended_as = Some(OrderStatus::Filled);
        }
        let mut status = self.advance(OrderStatus::PartiallyFilled);
        status |= self.settle();
        Change { status, fill: Some(fill) }
    }

    /// Becomes final once the exchange has ended it and all its fills are in.
    fn settle(&mut self) -> bool {
        match self.ended_as {
            Some(status) if !self.misses_fills() => self.advance(status),
            _ => false,
        }
    }
}
