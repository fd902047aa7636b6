//! The risk actor: the one place where a wish becomes an approval.

use std::sync::Arc;

use fulmar_domain::execution::ExecIn;
use fulmar_domain::id::TimerId;
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::record::Record;
use fulmar_domain::risk::RiskLimits;
use fulmar_domain::risk::node::{RiskIn, RiskNode, RiskOut};
use fulmar_domain::strategy::StrategyIn;
use fulmar_domain::time::Now;
use fulmar_ports::outlook::{Happening, Outlook};

use crate::facts::Facts;
use crate::links::Links;
use crate::recent::Recent;
use crate::shell::Role;
use crate::trade_gate::TradeGate;

/// What the risk actor needs.
pub struct Risk {
    /// Its limits.
    pub limits: RiskLimits,
    /// The gate, read at the instant of use.
    pub gate: TradeGate,
    /// Where verdicts go.
    pub links: Links,
    /// The journal.
    pub facts: Facts,
    /// What restarted actors are told.
    pub recent: Recent,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
}

impl Role for Risk {
    type Node = RiskNode;

    const NAME: &'static str = "risk";

    fn rebuild(&mut self, now: Now) -> RiskNode {
        let mut node = RiskNode::new(self.limits.clone());
        let mut unseen = Vec::new();
        let recent = &self.recent;
        let contracts = recent.instruments().into_iter().map(RiskIn::Instrument).chain(recent.brackets().into_iter().map(RiskIn::Brackets));
        let market = recent.marks().into_iter().map(RiskIn::Mark).chain(recent.feeds().into_iter().map(RiskIn::Feed));
        for fact in contracts.chain(market).chain(recent.account().map(RiskIn::Account)) {
            node.on(&fact, now, &mut unseen);
        }
        node
    }

    fn before(&mut self, input: &mut RiskIn, _now: Now) {
        if let RiskIn::Intent { gate, .. } | RiskIn::Cancel { gate, .. } = input {
            *gate = self.gate.read();
        }
    }

    fn route(&mut self, _node: &RiskNode, out: RiskOut, now: Now) -> Option<WakeAt> {
        match out {
            RiskOut::Approved(order) => {
                self.outlook.show(Happening::Approved(order.intent().clone()), now);
                self.links.execution.push(ExecIn::Approved { order, gate: self.gate.read() });
            }
            RiskOut::Protect(protection) => {
                if let fulmar_domain::risk::ProtectiveAction::Exit(intent) = protection.action() {
                    self.outlook.show(Happening::Approved(intent.clone()), now);
                }
                self.links.execution.push(ExecIn::Protect(protection));
            }
            RiskOut::Refused(refusal) => {
                self.facts.note(Record::IntentRefused(refusal.clone()), now);
                self.outlook.show(Happening::Refused(refusal.clone()), now);
                self.links.each_strategy(&StrategyIn::Refused(refusal));
            }
        }
        None
    }

    fn wake(_timer: TimerId) -> Option<RiskIn> {
        None
    }
}
