//! The position actor: books facts, publishes the account.

use std::sync::Arc;

use fulmar_domain::breaker::BreakerIn;
use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::execution::ExecIn;
use fulmar_domain::gate::{GateOwner, GateState};
use fulmar_domain::id::TimerId;
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::operator::OperatorIn;
use fulmar_domain::position::node::{PositionIn, PositionNode, PositionOut};
use fulmar_domain::record::Record;
use fulmar_domain::risk::node::RiskIn;
use fulmar_domain::strategy::StrategyIn;
use fulmar_domain::time::Now;
use fulmar_ports::outlook::{Happening, Outlook};

use crate::facts::Facts;
use crate::gate_desk::GateDesk;
use crate::links::Links;
use crate::recent::Recent;
use crate::shell::Role;

/// What the position actor needs.
pub struct Position {
    /// The gate, closed when the books do not agree.
    pub gate: GateDesk,
    /// Where frames go.
    pub links: Links,
    /// The journal and its fold.
    pub facts: Facts,
    /// What restarted actors are told.
    pub recent: Recent,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
}

impl Role for Position {
    type Node = PositionNode;

    const NAME: &'static str = "position";

    fn rebuild(&mut self, now: Now) -> PositionNode {
        let mut node = self.facts.fold().position;
        let mut unseen = Vec::new();
        let recent = &self.recent;
        // Whoever counts frames must not see the count go back.
        if let Some(frame) = recent.account() {
            node.resume_frames(frame.seq);
        }
        let contracts =
            recent.instruments().into_iter().map(PositionIn::Instrument).chain(recent.brackets().into_iter().map(PositionIn::Brackets));
        for fact in contracts.chain(recent.marks().into_iter().map(PositionIn::Mark)) {
            node.on(&fact, now, &mut unseen);
        }
        if let Some(account) = recent.account() {
            node.resume_frames(account.seq);
        }
        node
    }

    fn before(&mut self, input: &mut PositionIn, now: Now) {
        // Facts are written before they are booked: what follows from them is computed, not believed.
        match input {
            PositionIn::Update(update) => self.facts.note(Record::OrderUpdated(update.clone()), now),
            PositionIn::Account(event) => self.facts.note(Record::AccountChanged(event.clone()), now),
            PositionIn::Snapshot(snapshot) => self.facts.note(Record::SnapshotAdopted(snapshot.clone()), now),
            PositionIn::Polled(_)
            | PositionIn::Income(_)
            | PositionIn::Mark(_)
            | PositionIn::Settings(_)
            | PositionIn::Instrument(_)
            | PositionIn::Brackets(_) => {}
        }
    }

    fn route(&mut self, _node: &PositionNode, out: PositionOut, now: Now) -> Option<WakeAt> {
        match out {
            PositionOut::Frame(frame) => {
                self.recent.set_account(&frame);
                self.links.risk.push_latest(RiskIn::Account(Arc::clone(&frame)));
                for strategy in &self.links.strategies {
                    strategy.push_latest(StrategyIn::Account(Arc::clone(&frame)));
                }
                self.links.operator.push_latest(OperatorIn::Account(Arc::clone(&frame)));
                self.links.breaker.push_latest(BreakerIn::Account(Arc::clone(&frame)));
                self.outlook.show(Happening::Account(frame), now);
            }
            PositionOut::Journal(record) => {
                match &record {
                    Record::LedgerBooked(entry) => self.outlook.show(Happening::Ledger(entry.clone()), now),
                    Record::TradeClosed(trip) => self.outlook.show(Happening::Trade(trip.clone()), now),
                    // Written before they were booked.
                    Record::AccountChanged(_) | Record::SnapshotAdopted(_) => return None,
                    _ => {}
                }
                self.facts.note(record, now);
            }
            PositionOut::Notice(notice) => self.links.notify(notice),
            PositionOut::Mismatch { text } => {
                self.gate.hold(GateOwner::Recovery, GateState::Halted, &text);
                self.links.notify(Notice::new(Severity::Critical, "BOOKS_DIFFER", text));
                self.links.execution.push(ExecIn::Reconcile { cause: "books and exchange differ" });
            }
        }
        None
    }

    fn wake(_timer: TimerId) -> Option<PositionIn> {
        None
    }
}
