//! The gate with its consequences: whoever holds or lets go says why, and strategies, journal and tap hear of it.

use std::sync::Arc;

use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::gate::{GateOwner, GateState, GateWord};
use fulmar_domain::record::Record;
use fulmar_domain::strategy::StrategyIn;
use fulmar_ports::clock::Clock;
use fulmar_ports::outlook::{Happening, Outlook};

use crate::facts::Facts;
use crate::links::Links;
use crate::trade_gate::TradeGate;

/// The gate for those who move it. Cloning shares it.
#[derive(Clone)]
pub struct GateDesk {
    /// The word itself.
    pub gate: TradeGate,
    /// Who hears of it.
    pub links: Links,
    /// The journal.
    pub facts: Facts,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
    /// Stamps the change.
    pub clock: Arc<dyn Clock>,
}

impl GateDesk {
    /// Holds the gate at `state` for `owner`; [`GateState::Open`] lets go. Holding the same again says nothing new.
    pub fn hold(&self, owner: GateOwner, state: GateState, cause: &str) -> GateWord {
        let before = self.gate.read();
        let gate = self.gate.close(owner, state, cause);
        if gate == before {
            return gate;
        }
        let now = self.clock.now();
        self.facts.note(Record::GateChanged { owner, gate, cause: cause.to_owned() }, now);
        self.outlook.show(Happening::Gate { owner, held: state, gate, cause: cause.to_owned() }, now);
        if gate.state != before.state {
            self.links.each_strategy(&StrategyIn::Gate(gate.state));
            let ordinary = gate.state == GateState::Open || owner == GateOwner::Shutdown;
            let severity = if ordinary { Severity::Info } else { Severity::Critical };
            let code = match gate.state {
                GateState::Open => "TRADING_OPEN",
                GateState::ReduceOnly => "TRADING_REDUCE_ONLY",
                GateState::Halted => "TRADING_HALTED",
            };
            self.links.notify(Notice::new(severity, code, cause));
        }
        gate
    }
}
