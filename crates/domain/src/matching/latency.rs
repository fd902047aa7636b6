//! How long an order is under way.

use crate::time::{Span, Timestamp};

/// Says when a request reaches the book.
pub trait LatencyModel: Send + std::fmt::Debug {
    /// The instant from which on the first market event meets the order that was sent at `sent`.
    fn ready(&self, sent: Timestamp) -> Timestamp;
}

/// The same span for every order; zero is no latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedLatency(pub Span);
impl LatencyModel for FixedLatency {
    fn ready(&self, sent: Timestamp) -> Timestamp {
        sent.plus(self.0)
    }
}
