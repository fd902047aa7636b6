//! The clocks of the program: wall time from the system, market time from the exchange's events.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use fulmar_domain::time::{Now, Timestamp};
use fulmar_ports::clock::Clock;

/// Both clocks. Market time is what the newest event said; in lock-step it is all the time there is.
#[derive(Debug)]
pub struct MarketClock {
    market: AtomicI64,
    lock_step: bool,
    start: Instant,
}

impl MarketClock {
    /// Clocks whose market time begins at `market`.
    #[must_use]
    pub fn new(market: Timestamp, lock_step: bool) -> Self {
        Self { market: AtomicI64::new(market.0), lock_step, start: Instant::now() }
    }

    /// An event of this time came: market time never goes back.
    pub fn advance(&self, to: Timestamp) {
        self.market.fetch_max(to.0, Ordering::Relaxed);
    }
}

/// Wall time in milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

impl Clock for MarketClock {
    fn now(&self) -> Now {
        let market = Timestamp(self.market.load(Ordering::Relaxed));
        if self.lock_step { Now::both(market) } else { Now { market, protocol: Timestamp(wall_ms()) } }
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
