//! Error rate of the calls to the exchange: a sliding window, a pause, a trial of a few calls.
//!
//! Invariant: what counts is the share of failures, not their sequence; a trial is decided by exactly its quota of calls.

use super::BreakerSettings;
use crate::num::{Ratio, SCALE};
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Calls that are remembered at most: the exchange allows far fewer in a window.
const CALLS_MAX: usize = 8_192;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Watching,
    Paused { until: Timestamp },
    Trial { calls: u32, failed: u32 },
}

/// What a call changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Nothing,
    /// Too many failed: out of so many calls so many.
    Tripped {
        calls: u32,
        failed: u32,
    },
    /// The trial went well.
    Healed,
}

/// The calls so far.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    window: VecDeque<(Timestamp, bool)>,
    failed: u32,
    phase: Phase,
}

/// failed / calls above the limit?
fn too_many(calls: u32, failed: u32, limit: Ratio) -> bool {
    i128::from(failed) * i128::from(SCALE) > i128::from(limit.raw()) * i128::from(calls)
}

impl Calls {
    pub const fn new() -> Self {
        Self { window: VecDeque::new(), failed: 0, phase: Phase::Watching }
    }
    /// From now on paused, as after a trip.
    pub fn pause(&mut self, settings: &BreakerSettings, now: Timestamp) {
        self.window.clear();
        self.failed = 0;
        self.phase = Phase::Paused { until: now.plus(settings.error_pause) };
    }
    fn drop_oldest(&mut self) {
        if let Some((_, true)) = self.window.pop_front() {
            self.failed = self.failed.saturating_sub(1);
        }
    }
    /// One call has ended.
    pub fn ended(&mut self, failed: bool, settings: &BreakerSettings, now: Timestamp) -> Change {
        if matches!(self.phase, Phase::Paused { until } if now >= until) {
            self.phase = Phase::Trial { calls: 0, failed: 0 };
        }
        match self.phase {
            Phase::Paused { .. } => Change::Nothing,
            Phase::Trial { calls, failed: before } => self.trial(calls + 1, before + u32::from(failed), settings, now),
            Phase::Watching => {
                self.window.push_back((now, failed));
                self.failed += u32::from(failed);
                while self.window.len() > CALLS_MAX
                    || self.window.front().is_some_and(|(at, _)| now.since(*at).0 >= settings.error_window.0)
                {
                    self.drop_oldest();
                }
                let (calls, failed) = (u32::try_from(self.window.len()).unwrap_or(u32::MAX), self.failed);
                if calls < settings.error_calls_min || !too_many(calls, failed, settings.error_rate_max) {
                    return Change::Nothing;
                }
                self.pause(settings, now);
                Change::Tripped { calls, failed }
            }
        }
    }
    fn trial(&mut self, calls: u32, failed: u32, settings: &BreakerSettings, now: Timestamp) -> Change {
        if calls < settings.trial_calls {
            self.phase = Phase::Trial { calls, failed };
            return Change::Nothing;
        }
        if too_many(calls, failed, settings.error_rate_max) {
            self.pause(settings, now);
            return Change::Tripped { calls, failed };
        }
        *self = Self::new();
        Change::Healed
    }
}
