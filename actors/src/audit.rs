//! The audit actor: commands are written first, then acknowledged and carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use fulmar_domain::audit::{AuditIn, AuditNode, AuditOut};
use fulmar_domain::breaker::BreakerIn;
use fulmar_domain::control::Command;
use fulmar_domain::gate::GateOwner;
use fulmar_domain::id::TimerId;
use fulmar_domain::node::WakeAt;
use fulmar_domain::operator::OperatorIn;
use fulmar_domain::record::Record;
use fulmar_domain::strategy::StrategyIn;
use fulmar_domain::time::Now;
use fulmar_ports::journal::{Durability, Priority};

use crate::facts::Facts;
use crate::gate_desk::GateDesk;
use crate::link::quiescence::Quiescence;
use crate::links::Links;
use crate::shell::Role;

/// Hears what became of a command: it was written and goes to its target, or why not.
pub type Acknowledge = Arc<dyn Fn(u64, Result<(), String>) + Send + Sync>;

/// What audit needs.
pub struct Audit {
    /// Where commands go.
    pub links: Links,
    /// The journal.
    pub facts: Facts,
    /// The gate and who hears of it.
    pub gate: GateDesk,
    /// Work under way.
    pub quiescence: Quiescence,
    /// Tells whoever ordered.
    pub acknowledge: Acknowledge,
    /// Commands handed to the journal whose writing has not been told yet: they outlive a failure of this actor.
    pub waiting: BTreeMap<u64, Command>,
}

impl Audit {
    fn deliver(&self, command: Command) {
        match &command {
            Command::Signal(_) => self.links.operator.push(OperatorIn::Command(command)),
            Command::Pause { .. } | Command::Resume { .. } | Command::Flatten { .. } => {
                self.links.each_strategy(&StrategyIn::Command(command));
            }
            Command::ResetBreaker => self.links.breaker.push(BreakerIn::Command(command)),
            Command::SetGate { state } => {
                self.gate.hold(GateOwner::Operator, *state, "by order of the operator");
            }
        }
    }
}

impl Role for Audit {
    type Node = AuditNode;

    const NAME: &'static str = "audit";

    fn rebuild(&mut self, _now: Now) -> AuditNode {
        AuditNode::waiting_for(self.waiting.clone())
    }

    fn before(&mut self, input: &mut AuditIn, _now: Now) {
        // Off the list before it is carried out: a command whose carrying out fails is never carried out twice.
        if let AuditIn::Written { id } | AuditIn::NotWritten { id, .. } = input {
            self.waiting.remove(id);
        }
    }

    fn route(&mut self, _node: &AuditNode, out: AuditOut, now: Now) -> Option<WakeAt> {
        match out {
            AuditOut::Journal { id, record } => {
                if let Record::Command(command) = &record {
                    self.waiting.insert(id, command.clone());
                }
                let (link, hold) = (self.links.audit.clone(), self.quiescence.hold());
                let done = Box::new(move |written: Result<u64, fulmar_ports::journal::JournalError>| {
                    link.push(match written {
                        Ok(_) => AuditIn::Written { id },
                        Err(error) => AuditIn::NotWritten { id, cause: error.to_string() },
                    });
                    drop(hold);
                });
                self.facts.record(record, now, Durability::Synced, Priority::Protective, Some(done));
            }
            AuditOut::Acknowledge { id, outcome } => (self.acknowledge)(id, outcome),
            AuditOut::Deliver(command) => self.deliver(command),
        }
        None
    }

    fn wake(_timer: TimerId) -> Option<AuditIn> {
        None
    }
}
