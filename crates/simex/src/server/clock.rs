//! The protocol clock of the simulated exchange: `/time`, timestamps, recvWindow, listen keys, request limits, heartbeats.
//!
//! In real time, and when the market runs faster than time, it is the wall clock. In lock-step it is market time, so that
//! results do not depend on the machine.

use fulmar_domain::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Which clock the protocol runs on.
#[derive(Debug)]
pub(crate) enum ProtocolClock {
    /// The machine's clock.
    Wall,
    /// Market time, set by the run loop with each step.
    Market(AtomicI64),
}

impl ProtocolClock {
    /// Market time, from here on.
    pub(crate) const fn market(at: Timestamp) -> Self {
        Self::Market(AtomicI64::new(at.millis()))
    }
    /// Now, in milliseconds since 1970.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Wall => wall(),
            Self::Market(at) => Timestamp(at.load(Ordering::Acquire)),
        }
    }
    /// Market time went on.
    pub(crate) fn advance(&self, market: Timestamp) {
        if let Self::Market(at) = self {
            at.store(market.millis(), Ordering::Release);
        }
    }
}

/// The machine's clock; an instant before 1970 reads as zero.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
