//! What was applied already: fills by trade number, income by its kind and number.
//!
//! Invariant: nothing is applied twice. Memory is bounded; numbers that fell out of a full window count as seen, since trade
//! numbers of a symbol grow.

use crate::id::{TradeId, TranId};
use std::collections::{BTreeSet, VecDeque};

/// Fills of one symbol that are remembered singly: more than can arrive out of order.
const FILLS_MAX: usize = 4_096;
/// Income records that are remembered: months of fundings of many symbols.
const INCOMES_MAX: usize = 16_384;

/// Trade numbers of one symbol.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct SeenFills {
    recent: BTreeSet<TradeId>,
    floor: Option<TradeId>,
}

impl SeenFills {
    /// Marks `trade` as seen; `false` when it was already.
    pub fn first(&mut self, trade: TradeId) -> bool {
        if self.floor.is_some_and(|floor| trade <= floor) || !self.recent.insert(trade) {
            return false;
        }
        if self.recent.len() > FILLS_MAX {
            self.floor = self.recent.pop_first();
        }
        true
    }
}

/// Income records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct SeenIncomes {
    known: BTreeSet<(String, TranId)>,
    order: VecDeque<(String, TranId)>,
}

impl SeenIncomes {
    /// Marks the record as seen; `false` when it was already.
    pub fn first(&mut self, kind: &str, id: TranId) -> bool {
        let key = (kind.to_owned(), id);
        if !self.known.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > INCOMES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
