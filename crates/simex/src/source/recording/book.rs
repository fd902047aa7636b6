//! The book of a recording, as far as it is known.
//!
//! Invariant: after a snapshot the book is whole: the snapshot's levels with every later change applied.

use fulmar_domain::market::Level;
use fulmar_domain::num::{Price, Qty};
use std::collections::{BTreeMap, VecDeque};

/// Deltas kept so that a snapshot that comes late can be brought up to date.
const DELTAS_KEPT: usize = 256;

/// The recorded book, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Book {
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
    last: Option<i64>,
    deltas: VecDeque<(i64, Vec<Level>, Vec<Level>)>,
    snapshot: bool,
}

impl Book {
    fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels {
                if level.qty.is_zero() {
                    side.remove(&level.price);
                } else {
                    side.insert(level.price, level.qty);
                }
            }
        }
    }
    /// Number of the newest update.
    pub fn last(&self) -> Option<i64> {
        self.last
    }
    /// Is every level known, since there was a snapshot?
    pub fn whole(&self) -> bool {
        self.snapshot
    }
    /// Takes changed levels, up to update `last`.
    pub fn take_delta(&mut self, last: i64, bids: &[Level], asks: &[Level]) {
        self.last = Some(last);
        self.apply(bids, asks);
        if !self.snapshot {
            if self.deltas.len() == DELTAS_KEPT {
                self.deltas.pop_front();
            }
            self.deltas.push_back((last, bids.to_vec(), asks.to_vec()));
        }
    }
    /// Takes a snapshot, brings it up to date, and gives what changes: its levels and the removal of those it does not have.
    pub fn take_snapshot(&mut self, last: i64, bids: &[Level], asks: &[Level]) -> (Vec<Level>, Vec<Level>) {
        let (old_bids, old_asks) = (std::mem::take(&mut self.bids), std::mem::take(&mut self.asks));
        self.apply(bids, asks);
        for (_, bids, asks) in std::mem::take(&mut self.deltas).iter().filter(|(u, ..)| *u > last) {
            self.apply(bids, asks);
        }
        self.snapshot = true;
        (changes(&old_bids, &self.bids), changes(&old_asks, &self.asks))
    }
    /// Best bid and ask, where they do not cross.
    pub fn top(&self) -> Option<(Level, Level)> {
        let (bid, ask) = (self.bids.last_key_value()?, self.asks.first_key_value()?);
        (bid.0 < ask.0).then_some((Level { price: *bid.0, qty: *bid.1 }, Level { price: *ask.0, qty: *ask.1 }))
    }
}

fn changes(old: &BTreeMap<Price, Qty>, new: &BTreeMap<Price, Qty>) -> Vec<Level> {
    let gone = old.keys().filter(|p| !new.contains_key(p)).map(|&price| Level { price, qty: Qty::ZERO });
    gone.chain(new.iter().map(|(&price, &qty)| Level { price, qty })).collect()
}
