//! The operator's desk: signals given by hand, on the same way as a strategy's.

use std::sync::Arc;

use fulmar_domain::id::TimerId;
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::operator::{OperatorIn, OperatorNode, OperatorOut};
use fulmar_domain::record::Record;
use fulmar_domain::risk::node::RiskIn;
use fulmar_domain::time::Now;
use fulmar_ports::outlook::{Happening, Outlook};

use crate::facts::Facts;
use crate::links::Links;
use crate::recent::Recent;
use crate::shell::Role;
use crate::trade_gate::TradeGate;

/// What the operator's desk needs.
pub struct Operator {
    /// The gate.
    pub gate: TradeGate,
    /// Where intents go.
    pub links: Links,
    /// The journal.
    pub facts: Facts,
    /// What restarted actors are told.
    pub recent: Recent,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
}

impl Role for Operator {
    type Node = OperatorNode;

    const NAME: &'static str = "operator";

    fn rebuild(&mut self, now: Now) -> OperatorNode {
        let mut node = OperatorNode::default();
        let mut unseen = Vec::new();
        let instruments = self.recent.instruments().into_iter().map(OperatorIn::Instrument);
        let marks = self.recent.marks().into_iter().map(OperatorIn::Mark);
        for fact in instruments.chain(marks).chain(self.recent.account().map(OperatorIn::Account)) {
            node.on(&fact, now, &mut unseen);
        }
        node
    }

    fn route(&mut self, _node: &OperatorNode, out: OperatorOut, now: Now) -> Option<WakeAt> {
        match out {
            OperatorOut::Intent(intent) => {
                self.facts.note(Record::IntentRaised(intent.clone()), now);
                self.outlook.show(Happening::Intent(intent.clone()), now);
                self.links.risk.push(RiskIn::Intent { intent, gate: self.gate.read() });
            }
            OperatorOut::Notice(notice) => self.links.notify(notice),
        }
        None
    }

    fn wake(_timer: TimerId) -> Option<OperatorIn> {
        None
    }
}
