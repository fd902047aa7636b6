//! The exchange's clock as seen from here: an offset to the monotonic clock, measured, never the wall clock itself.
//!
//! Timestamps, receive windows and fences live on this clock. A step of the machine's wall clock does not move it. In
//! lock-step it stands still until the market moves it.

use fulmar_domain::time::{Span, Timestamp};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How many `time` calls one measurement takes; the median counts.
pub const PROBES: usize = 5;

/// A wall-clock jump beyond this is reported.
pub const JUMP_REPORTED: Span = Span::secs(1);

/// One `time` call: when it was sent and answered (monotonic, since the clock's start) and what the exchange said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Sent.
    pub sent: Duration,
    /// Answered.
    pub answered: Duration,
    /// The exchange's clock.
    pub server: Timestamp,
}

/// The exchange's clock. Share it by `Arc`.
#[derive(Debug)]
pub struct VenueClock {
    start: Instant,
    /// The exchange's time at `start`, as known best; in lock-step the market's time now.
    base: AtomicI64,
    synced: AtomicBool,
    market: bool,
    wall_minus_mono: Mutex<i64>,
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl VenueClock {
    /// A clock that starts from the machine's wall clock until it is measured. `market`: lock-step, moved by [`Self::set_market`] alone.
    #[must_use]
    pub fn new(market: bool) -> Self {
        let now = wall();
        // Market time may lie in the past: until it is known, it has not begun.
        let base = AtomicI64::new(if market { 0 } else { now });
        Self { start: Instant::now(), base, synced: AtomicBool::new(false), market, wall_minus_mono: Mutex::new(now) }
    }
    /// Monotonic time since the clock was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
    /// The exchange's time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let base = Timestamp(self.base.load(Ordering::Acquire));
        if self.market { base } else { base.plus(Span(millis(self.elapsed()))) }
    }
    /// Has it been measured?
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }
    /// An instant of the machine's wall clock on the exchange's clock (for a lease's expiry, for example).
    #[must_use]
    pub fn to_venue(&self, local: Timestamp) -> Timestamp {
        if self.market { local } else { self.now().plus(local.since(Timestamp(wall()))) }
    }
    /// Lock-step: market time is this now. Never goes back.
    pub fn set_market(&self, at: Timestamp) {
        if self.market {
            self.base.fetch_max(at.millis(), Ordering::AcqRel);
        }
    }
    /// Takes a measurement: the median of (server time − middle of the call). Gives the correction made.
    pub fn adopt(&self, probes: &[Probe]) -> Span {
        let mut offsets: Vec<i64> = probes
            .iter()
            .map(|p| if self.market { p.server.millis() } else { p.server.millis() - (millis(p.sent) + millis(p.answered)) / 2 })
            .collect();
        offsets.sort_unstable();
        let Some(median) = offsets.get(offsets.len() / 2).copied() else { return Span(0) };
        let before = self.base.swap(median, Ordering::AcqRel);
        self.synced.store(true, Ordering::Release);
        Span(median - before)
    }
    /// How far the machine's wall clock has jumped against the monotonic one since the last call; the exchange's clock did not follow.
    #[must_use]
    pub fn wall_jump(&self) -> Span {
        let now = wall() - millis(self.elapsed());
        let mut known = self.wall_minus_mono.lock();
        let jump = now - *known;
        *known = now;
        Span(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(sent: u64, answered: u64, server: i64) -> Probe {
        Probe { sent: Duration::from_millis(sent), answered: Duration::from_millis(answered), server: Timestamp(server) }
    }

    #[test]
    fn one_slow_answer_does_not_move_the_offset() {
        let clock = VenueClock::new(false);
        let at = 1_800_000_000_000;
        // True offset `at`; one answer took four seconds on its way back.
        let _correction = clock.adopt(&[
            probe(0, 10, at + 5),
            probe(10, 20, at + 15),
            probe(20, 4_020, at + 25),
            probe(4_020, 4_030, at + 4_025),
            probe(4_030, 4_040, at + 4_035),
        ]);
        let now = clock.now().millis() - at;
        assert!((0..1_000).contains(&now), "{now}");
        assert!(clock.is_synced());
    }

    #[test]
    fn in_lock_step_only_the_market_moves_it() {
        let clock = VenueClock::new(true);
        let _correction = clock.adopt(&[probe(0, 900, 60_000)]);
        assert_eq!(clock.now(), Timestamp(60_000));
        clock.set_market(Timestamp(120_000));
        clock.set_market(Timestamp(90_000));
        assert_eq!(clock.now(), Timestamp(120_000));
    }

    #[test]
    fn instants_of_the_wall_clock_are_carried_over() {
        let clock = VenueClock::new(false);
        let _correction = clock.adopt(&[probe(0, 0, wall() + 60_000)]);
        let carried = clock.to_venue(Timestamp(wall())).millis() - wall();
        assert!((59_000..=61_000).contains(&carried), "{carried}");
    }
}
