//! Which symbols' data are lost, and since when.
//!
//! Invariant: a symbol is lost only after it was stale or incomplete without interruption for longer than the limit.

use super::BreakerSettings;
use crate::market::{FeedState, FeedStatus};
use crate::num::SCALE;
use crate::symbol::Symbol;
use crate::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// Since when each known symbol is stale (protocol clock); `None` while its data are fresh.
#[derive(Clone, Debug, Default)]
pub(super) struct Feeds {
    since: BTreeMap<Symbol, Option<Timestamp>>,
}

impl Feeds {
    /// Takes a change in.
    pub fn take(&mut self, status: FeedStatus, now: Timestamp) {
        let known = self.since.entry(status.symbol).or_default();
        *known = match status.state {
            FeedState::Up | FeedState::Resynced => None,
            FeedState::Stale | FeedState::Gap => Some(known.unwrap_or(now)),
        };
    }
    /// The operator has reset: what is stale must be so for the whole span anew.
    pub fn forgive(&mut self, now: Timestamp) {
        for since in self.since.values_mut().filter(|s| s.is_some()) {
            *since = Some(now);
        }
    }
    /// Lost symbols and known ones.
    pub fn lost(&self, settings: &BreakerSettings, now: Timestamp) -> (usize, usize) {
        let gone = |since: &&Option<Timestamp>| since.is_some_and(|at| now.since(at).0 > settings.feed_stale_after.0);
        (self.since.values().filter(gone).count(), self.since.len())
    }
    /// So many lost symbols of so many trip.
    pub fn too_many(lost: usize, known: usize, settings: &BreakerSettings) -> bool {
        let wide = |n: usize| i128::try_from(n).unwrap_or(i128::MAX / i128::from(SCALE));
        lost > 0 && wide(lost) * i128::from(SCALE) >= i128::from(settings.feed_stale_share.raw()) * wide(known)
    }
    /// When, if nothing changes, so many symbols will be lost that it trips.
    pub fn due(&self, settings: &BreakerSettings) -> Option<Timestamp> {
        let mut stale: Vec<Timestamp> = self.since.values().filter_map(|s| *s).collect();
        stale.sort_unstable();
        let enough = |lost: &usize| Self::too_many(*lost, self.since.len(), settings);
        let needed = (1..=stale.len()).find(enough)?;
        stale.get(needed - 1).map(|at| at.plus(settings.feed_stale_after).plus(Span(1)))
    }
}
