//! The strategy actor: one instance, its decisions on their way to risk.

use std::sync::Arc;

use fulmar_domain::control::Command;
use fulmar_domain::id::TimerId;
use fulmar_domain::indicator::Layout;
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::record::Record;
use fulmar_domain::risk::node::RiskIn;
use fulmar_domain::strategy::{DecisionIds, StrategyIn, StrategyNode, StrategyOut, StrategySettings, StrategyStart};
use fulmar_domain::time::Now;
use fulmar_ports::outlook::{Happening, Outlook};

use crate::facts::Facts;
use crate::links::Links;
use crate::recent::Recent;
use crate::shell::Role;
use crate::supervision::failure::fail;
use crate::trade_gate::TradeGate;

/// What a strategy actor needs.
pub struct Strategy {
    /// Its settings.
    pub settings: StrategySettings,
    /// Columns of the frames.
    pub layout: Layout,
    /// Its lane of decision numbers: its place in the configuration, from 1.
    pub lane: u8,
    /// How often its node was built.
    pub generation: u32,
    /// The operator paused it.
    pub paused: bool,
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

impl Role for Strategy {
    type Node = StrategyNode;

    const NAME: &'static str = "strategy";

    fn rebuild(&mut self, now: Now) -> StrategyNode {
        self.generation = self.generation.wrapping_add(1);
        let start = StrategyStart { gate: self.gate.read().state, paused: self.paused, ids: DecisionIds::new(self.lane, self.generation) };
        let mut node = match StrategyNode::new(self.settings.clone(), &self.layout, start) {
            Ok(node) => node,
            Err(errors) => {
                let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
                fail(format!("strategy {} cannot be built: {}", self.settings.id, all.join("; ")))
            }
        };
        let mut unseen = Vec::new();
        for instrument in self.recent.instruments() {
            node.on(&StrategyIn::Instrument(instrument), now, &mut unseen);
        }
        for frame in self.recent.frames() {
            node.on(&StrategyIn::Frame(frame), now, &mut unseen);
        }
        node
    }

    fn begin(&mut self, node: &mut StrategyNode, now: Now, out: &mut Vec<StrategyOut>) {
        if let Some(account) = self.recent.account() {
            node.on(&StrategyIn::Account(account), now, out);
        }
    }

    fn before(&mut self, input: &mut StrategyIn, _now: Now) {
        let ours = |strategy: &Option<_>| strategy.is_none_or(|id| id == self.settings.id);
        match input {
            StrategyIn::Command(Command::Pause { strategy }) if ours(strategy) => self.paused = true,
            StrategyIn::Command(Command::Resume { strategy }) if ours(strategy) => self.paused = false,
            _ => {}
        }
    }

    fn route(&mut self, _node: &StrategyNode, out: StrategyOut, now: Now) -> Option<WakeAt> {
        match out {
            StrategyOut::Intent(intent) => {
                self.facts.note(Record::IntentRaised(intent.clone()), now);
                self.outlook.show(Happening::Intent(intent.clone()), now);
                self.links.risk.push(RiskIn::Intent { intent, gate: self.gate.read() });
            }
            StrategyOut::Cancel(intent) => {
                self.facts.note(Record::CancelRaised(intent), now);
                self.links.risk.push(RiskIn::Cancel { intent, gate: self.gate.read() });
            }
            StrategyOut::Notice(notice) => self.links.notify(notice),
        }
        None
    }

    fn wake(_timer: TimerId) -> Option<StrategyIn> {
        None
    }
}
