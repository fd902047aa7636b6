//! The trade gate: one word that says whether an entry order may leave, and a number that fences old approvals.
//!
//! Several owners hold the gate shut independently of each other; what counts is the strictest of them. The word is
//! read at the instant of use, by risk when it approves and by execution when it sends: an approval whose epoch is
//! no longer the gate's is void.
//!
//! Invariant: the state is the strictest of all owners', the epoch grows by one with each change of what an owner
//! holds and never otherwise, and a new gate is shut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fulmar_domain::gate::{GateOwner, GateState, GateWord};
use parking_lot::Mutex;
use tokio::sync::watch;

/// The gate. Cloning shares it.
#[derive(Clone)]
pub struct TradeGate {
    inner: Arc<Inner>,
}

struct Inner {
    /// Epoch in the upper 62 bits, state in the lower two.
    word: AtomicU64,
    held: Mutex<Vec<Held>>,
    changes: watch::Sender<GateWord>,
}

/// What one owner holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who holds.
    pub owner: GateOwner,
    /// What it allows at most.
    pub state: GateState,
    /// Why, for the API and the log.
    pub why: Arc<str>,
}

const fn pack(word: GateWord) -> u64 {
    let state = match word.state {
        GateState::Open => 0,
        GateState::ReduceOnly => 1,
        GateState::Halted => 2,
    };
    (word.epoch << 2) | state
}

const fn unpack(word: u64) -> GateWord {
    let state = match word & 3 {
        0 => GateState::Open,
        1 => GateState::ReduceOnly,
        _ => GateState::Halted,
    };
    GateWord { state, epoch: word >> 2 }
}

impl Default for TradeGate {
    fn default() -> Self {
        Self::new()
    }
}

impl TradeGate {
    /// A gate held shut by [`GateOwner::Recovery`]: it opens when recovery says so.
    pub fn new() -> Self {
        let first = GateWord { state: GateState::Halted, epoch: 1 };
        let held = Held { owner: GateOwner::Recovery, state: GateState::Halted, why: "not reconciled yet".into() };
        Self {
            inner: Arc::new(Inner { word: AtomicU64::new(pack(first)), held: Mutex::new(vec![held]), changes: watch::Sender::new(first) }),
        }
    }

    /// The word now. One atomic load.
    #[inline]
    pub fn read(&self) -> GateWord {
        unpack(self.inner.word.load(Ordering::Acquire))
    }

    /// Holds the gate at `state` for `owner`, in place of what it held before; [`GateState::Open`] lets go.
    ///
    /// Returns the word that is in force afterwards. Holding the same again changes neither epoch nor reason.
    pub fn close(&self, owner: GateOwner, state: GateState, why: &str) -> GateWord {
        let mut held = self.inner.held.lock();
        let now = held.iter().position(|h| h.owner == owner);
        match (now, state) {
            (None, GateState::Open) => return self.read(),
            (Some(i), GateState::Open) => {
                held.remove(i);
            }
            (Some(i), _) if held[i].state == state => return self.read(),
            (Some(i), _) => held[i] = Held { owner, state, why: why.into() },
            (None, _) => held.push(Held { owner, state, why: why.into() }),
        }
        let strictest = held.iter().map(|h| h.state).max().unwrap_or(GateState::Open);
        let word = GateWord { state: strictest, epoch: self.read().epoch + 1 };
        self.inner.word.store(pack(word), Ordering::Release);
        self.inner.changes.send_replace(word);
        word
    }

    /// Lets go what `owner` held. Others may still hold the gate shut.
    pub fn open(&self, owner: GateOwner) -> GateWord {
        self.close(owner, GateState::Open, "")
    }

    /// Who holds the gate, in the order in which they closed it.
    pub fn held(&self) -> Vec<Held> {
        self.inner.held.lock().clone()
    }

    /// Follows the word: the receiver sees the newest, and may miss those between.
    pub fn subscribe(&self) -> watch::Receiver<GateWord> {
        self.inner.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const OWNERS: [GateOwner; 7] = [
        GateOwner::Recovery,
        GateOwner::Supervisor,
        GateOwner::Breaker,
        GateOwner::Operator,
        GateOwner::Failover,
        GateOwner::Journal,
        GateOwner::Shutdown,
    ];
    const STATES: [GateState; 3] = [GateState::Open, GateState::ReduceOnly, GateState::Halted];

    #[test]
    fn a_new_gate_is_shut_until_recovery_opens_it() {
        let gate = TradeGate::new();
        assert_eq!(gate.read().state, GateState::Halted);
        assert_eq!(gate.open(GateOwner::Recovery).state, GateState::Open);
        assert_eq!(gate.held(), []);
    }

    #[test]
    fn a_subscriber_sees_the_newest_word() {
        let gate = TradeGate::new();
        let mut seen = gate.subscribe();
        gate.open(GateOwner::Recovery);
        let word = gate.close(GateOwner::Breaker, GateState::ReduceOnly, "drawdown");
        assert!(seen.has_changed().expect("the gate lives"));
        assert_eq!(*seen.borrow_and_update(), word);
    }

    proptest! {
        /// Against a plain map: strictest wins, the epoch counts exactly the changes.
        #[test]
        fn the_strictest_owner_rules_and_the_epoch_counts_changes(
            steps in proptest::collection::vec((0_usize..7, 0_usize..3), 0..200)
        ) {
            let gate = TradeGate::new();
            let mut model = BTreeMap::from([(GateOwner::Recovery, GateState::Halted)]);
            let mut epoch = 1;
            for (owner, state) in steps {
                let (owner, state) = (OWNERS[owner], STATES[state]);
                let before = model.get(&owner).copied().unwrap_or(GateState::Open);
                if state == GateState::Open { model.remove(&owner); } else { model.insert(owner, state); }
                if before != state { epoch += 1; }
                let word = gate.close(owner, state, "test");
                let state = model.values().copied().max().unwrap_or(GateState::Open);
                prop_assert_eq!(word, GateWord { state, epoch });
                prop_assert_eq!(gate.read(), word);
                prop_assert_eq!(gate.held().len(), model.len());
            }
        }
    }

    #[test]
    fn many_threads_lose_no_change() {
        let gate = TradeGate::new();
        std::thread::scope(|s| {
            for owner in OWNERS {
                let gate = gate.clone();
                s.spawn(move || {
                    for _ in 0..500 {
                        gate.close(owner, GateState::ReduceOnly, "on");
                        gate.open(owner);
                    }
                });
            }
        });
        // Recovery held Halted at first: its first close changed that too. 7 × 500 × 2 changes in all.
        assert_eq!(gate.read(), GateWord { state: GateState::Open, epoch: 1 + 7 * 500 * 2 });
    }
}
