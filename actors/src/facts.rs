//! Facts: the journal's hand-over, and the running fold of what was handed over.
//!
//! Every record that an actor makes goes through here: to the journal, and into the fold. An actor that failed is rebuilt from
//! the fold, never from its own remains.
//! Invariant: the fold is a pure function of the records handed to the journal, in their order.

use std::sync::Arc;

use fulmar_domain::execution::ExecutionNode;
use fulmar_domain::position::node::PositionNode;
use fulmar_domain::record::Record;
use fulmar_domain::time::Now;
use fulmar_ports::journal::{Completion, Durability, Priority};
use fulmar_ports::recorder::{Recorder, Stamped};
use parking_lot::Mutex;

use crate::supervision::failure::in_hand;

/// What the records say so far.
#[derive(Clone, Debug)]
pub struct Fold {
    /// Orders and brackets.
    pub execution: ExecutionNode,
    /// Positions and ledger.
    pub position: PositionNode,
}

impl Fold {
    /// Takes one record.
    pub fn apply(&mut self, record: &Record) {
        self.execution.replay(record);
        if let Err(error) = self.position.replay(record) {
            // The position actor meets the same figure and says so; the fold keeps what it had.
            tracing::error!(kind = record.kind(), %error, "a record could not be folded into the books");
        }
    }
}

/// The way to the journal. Cloning shares it.
#[derive(Clone)]
pub struct Facts {
    recorder: Arc<dyn Recorder>,
    fold: Arc<Mutex<Fold>>,
}

impl Facts {
    /// Facts whose fold begins at `fold`: what recovery read from the journal.
    pub fn new(recorder: Arc<dyn Recorder>, fold: Fold) -> Self {
        Self { recorder, fold: Arc::new(Mutex::new(fold)) }
    }

    /// Hands a record to the journal and folds it in.
    pub fn record(&self, record: Record, now: Now, durability: Durability, priority: Priority, done: Option<Completion>) {
        self.fold.lock().apply(&record);
        let cause = in_hand().map_or(0, |h| h.id);
        self.recorder.record(Stamped { record, now, cause }, durability, priority, done);
    }

    /// Hands over a record whose durability nobody waits for.
    pub fn note(&self, record: Record, now: Now) {
        self.record(record, now, Durability::Lazy, Priority::Protective, None);
    }

    /// A copy of the fold as it stands.
    pub fn fold(&self) -> Fold {
        self.fold.lock().clone()
    }
}
