//! The circuit breaker actor: its hold on the gate.

use std::sync::Arc;

use fulmar_domain::breaker::{BreakerIn, BreakerNode, BreakerOut, BreakerSettings, BreakerState};
use fulmar_domain::gate::GateOwner;
use fulmar_domain::id::TimerId;
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::time::Now;
use parking_lot::Mutex;

use crate::facts::Facts;
use crate::gate_desk::GateDesk;
use crate::links::Links;
use crate::recent::Recent;
use crate::shell::Role;

/// The breaker's state as stored outside of it; `None` while nothing was stored: tripped.
pub type StoredState = Arc<Mutex<Option<BreakerState>>>;

/// What the circuit breaker needs.
pub struct CircuitBreaker {
    /// Its limits.
    pub settings: BreakerSettings,
    /// Its stored state.
    pub stored: StoredState,
    /// The gate and who hears of it.
    pub gate: GateDesk,
    /// Where notices go.
    pub links: Links,
    /// The journal.
    pub facts: Facts,
    /// What restarted actors are told.
    pub recent: Recent,
}

impl Role for CircuitBreaker {
    type Node = BreakerNode;

    const NAME: &'static str = "circuit_breaker";

    fn rebuild(&mut self, _now: Now) -> BreakerNode {
        BreakerNode::new(self.settings.clone())
    }

    fn begin(&mut self, node: &mut BreakerNode, now: Now, out: &mut Vec<BreakerOut>) {
        node.on(&BreakerIn::Restore(self.stored.lock().clone()), now, out);
        for status in self.recent.feeds() {
            node.on(&BreakerIn::Feed(status), now, out);
        }
        if let Some(account) = self.recent.account() {
            node.on(&BreakerIn::Account(account), now, out);
        }
    }

    fn route(&mut self, node: &BreakerNode, out: BreakerOut, now: Now) -> Option<WakeAt> {
        *self.stored.lock() = Some(node.state().clone());
        match out {
            BreakerOut::Gate { state, cause } => {
                self.gate.hold(GateOwner::Breaker, state, &cause);
            }
            BreakerOut::Notice(notice) => self.links.notify(notice),
            BreakerOut::Wake(wake) => return Some(wake),
            BreakerOut::Journal(record) => self.facts.note(record, now),
        }
        None
    }

    fn wake(timer: TimerId) -> Option<BreakerIn> {
        Some(BreakerIn::Wake(timer))
    }
}
