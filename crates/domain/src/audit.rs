//! Commands of the operator: written before they take effect, acknowledged after they are written.

use crate::control::Command;
use crate::node::Node;
use crate::record::Record;
use crate::time::Now;
use std::collections::BTreeMap;

/// What audit takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditIn {
    /// The operator orders something; `id` is unique in the process.
    Command {
        /// Correlation of the acknowledgement.
        id: u64,
        /// The order.
        command: Command,
    },
    /// The record of this command is on disk.
    Written {
        /// Which.
        id: u64,
    },
    /// The record of this command could not be written.
    NotWritten {
        /// Which.
        id: u64,
        /// Why.
        cause: String,
    },
}

/// What audit gives.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "moved once from node to link; boxing would cost an allocation per command")]
pub enum AuditOut {
    /// Write, and answer [`AuditIn::Written`].
    Journal {
        /// Which command.
        id: u64,
        /// The record.
        record: Record,
    },
    /// Carry it out.
    Deliver(Command),
    /// Tell the operator: it was written and goes to its target, or why not.
    Acknowledge {
        /// Which.
        id: u64,
        /// The outcome.
        outcome: Result<(), String>,
    },
}

/// Holds commands until they are written. Invariant: no command takes effect unwritten.
#[derive(Debug, Clone, Default)]
pub struct AuditNode {
    waiting: BTreeMap<u64, Command>,
}

impl AuditNode {
    /// A node that knows of commands handed to the journal whose writing has not been told yet.
    #[must_use]
    pub const fn waiting_for(waiting: BTreeMap<u64, Command>) -> Self {
        Self { waiting }
    }
}

impl Node for AuditNode {
    type In = AuditIn;
    type Out = AuditOut;

    fn on(&mut self, input: &AuditIn, _now: Now, out: &mut Vec<AuditOut>) {
        match input {
            AuditIn::Command { id, command } => {
                self.waiting.insert(*id, command.clone());
                out.push(AuditOut::Journal { id: *id, record: Record::Command(command.clone()) });
            }
            AuditIn::Written { id } => {
                if let Some(command) = self.waiting.remove(id) {
                    out.push(AuditOut::Acknowledge { id: *id, outcome: Ok(()) });
                    out.push(AuditOut::Deliver(command));
                }
            }
            AuditIn::NotWritten { id, cause } => {
                if self.waiting.remove(id).is_some() {
                    out.push(AuditOut::Acknowledge { id: *id, outcome: Err(cause.clone()) });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_takes_effect_before_it_is_written() {
        let mut node = AuditNode::default();
        let mut out = vec![];
        node.on(&AuditIn::Command { id: 1, command: Command::ResetBreaker }, Now::default(), &mut out);
        assert!(matches!(out.as_slice(), [AuditOut::Journal { id: 1, .. }]));
        out.clear();
        node.on(&AuditIn::Written { id: 1 }, Now::default(), &mut out);
        assert_eq!(out, [AuditOut::Acknowledge { id: 1, outcome: Ok(()) }, AuditOut::Deliver(Command::ResetBreaker)]);
        out.clear();
        node.on(&AuditIn::Written { id: 1 }, Now::default(), &mut out);
        assert!(out.is_empty(), "once only");
        node.on(&AuditIn::Command { id: 2, command: Command::ResetBreaker }, Now::default(), &mut out);
        out.clear();
        node.on(&AuditIn::NotWritten { id: 2, cause: "disk full".into() }, Now::default(), &mut out);
        assert!(matches!(out.as_slice(), [AuditOut::Acknowledge { id: 2, outcome: Err(_) }]));
    }
}
