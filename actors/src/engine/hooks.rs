//! What the engine does when a group restarts or gives up.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::gate::{GateOwner, GateState};
use fulmar_domain::id::StrategyId;
use fulmar_domain::order::{CancelIntent, OrderRole};
use fulmar_domain::risk::node::RiskIn;
use fulmar_domain::strategy::StrategySettings;
use fulmar_domain::symbol::Symbol;
use fulmar_ports::background::Background;
use fulmar_ports::clock::Clock;
use fulmar_ports::exchange::TradingVenue;

use super::Exit;
use crate::facts::Facts;
use crate::gate_desk::GateDesk;
use crate::links::Links;
use crate::supervision::hooks::{Escalation, GroupHooks, RestartEvent};
use crate::supervision::policy::EXIT_ESCALATED;

/// How long the last cancellations may take before the process ends.
const LAST_CANCELS: Duration = Duration::from_secs(2);

struct TradingParts {
    gate: GateDesk,
    facts: Facts,
    venue: Arc<dyn TradingVenue>,
    background: Arc<dyn Background>,
    exit: Exit,
}

/// Trading: the gate closes first and opens on `Reconciled`. Given up: halt, withdraw entries (never protective stops), leave.
#[derive(Default)]
pub(super) struct TradingHooks {
    parts: OnceLock<TradingParts>,
}

impl TradingHooks {
    pub(super) fn connect(&self, gate: GateDesk, facts: Facts, venue: Arc<dyn TradingVenue>, background: Arc<dyn Background>, exit: Exit) {
        if self.parts.set(TradingParts { gate, facts, venue, background, exit }).is_err() {
            tracing::error!("hooks are connected once: the second time was ignored");
        }
    }
}

impl GroupHooks for TradingHooks {
    fn before_restart(&self, event: &RestartEvent) {
        if let Some(parts) = self.parts.get() {
            parts.gate.hold(GateOwner::Supervisor, GateState::Halted, &format!("{} failed; the trading group restarts", event.cause));
        }
    }

    fn escalated(&self, event: &Escalation) {
        let Some(parts) = self.parts.get() else { return };
        parts.gate.hold(GateOwner::Supervisor, GateState::Halted, &format!("{} failed too often; the process leaves", event.child));
        let fold = parts.facts.fold();
        let entries: Vec<_> = fold
            .execution
            .open_orders()
            .filter(|o| matches!(o.order.role, OrderRole::Entry { .. }))
            .map(fulmar_domain::execution::LiveOrder::reference)
            .collect();
        let (venue, exit) = (Arc::clone(&parts.venue), Arc::clone(&parts.exit));
        parts.background.spawn(Box::pin(async move {
            let withdraw = async {
                for order in entries {
                    let outcome = venue.cancel(order).await;
                    tracing::warn!(client_id = %order.client_id, ?outcome, "entry order withdrawn before leaving");
                }
            };
            if tokio::time::timeout(LAST_CANCELS, withdraw).await.is_err() {
                tracing::error!("not all entry orders could be withdrawn before leaving");
            }
            exit(EXIT_ESCALATED);
        }));
    }
}

/// Market: without data no new risk.
#[derive(Default)]
pub(super) struct MarketHooks {
    gate: OnceLock<GateDesk>,
}

impl MarketHooks {
    pub(super) fn connect(&self, gate: GateDesk) {
        if self.gate.set(gate).is_err() {
            tracing::error!("hooks are connected once: the second time was ignored");
        }
    }
}

impl GroupHooks for MarketHooks {
    fn escalated(&self, event: &Escalation) {
        if let Some(gate) = self.gate.get() {
            gate.hold(GateOwner::Supervisor, GateState::ReduceOnly, &format!("{} failed too often: no market data", event.child));
        }
    }
}

struct StrategyParts {
    links: Links,
    desks: Vec<(StrategyId, Vec<Symbol>)>,
    clock: Arc<dyn Clock>,
}

/// Strategies: the one that fails too often is disabled, its entries are withdrawn, its stops stay.
#[derive(Default)]
pub(super) struct StrategyHooks {
    parts: OnceLock<StrategyParts>,
}

impl StrategyHooks {
    pub(super) fn connect(&self, links: Links, strategies: &[StrategySettings], clock: Arc<dyn Clock>) {
        let desks = strategies.iter().map(|s| (s.id, s.symbols.clone())).collect();
        if self.parts.set(StrategyParts { links, desks, clock }).is_err() {
            tracing::error!("hooks are connected once: the second time was ignored");
        }
    }
}

impl GroupHooks for StrategyHooks {
    fn escalated(&self, event: &Escalation) {
        let Some(parts) = self.parts.get() else { return };
        let gate = fulmar_domain::gate::GateWord { state: GateState::ReduceOnly, epoch: 0 };
        for (strategy, symbols) in parts.desks.iter().filter(|(id, _)| *event.child == *format!("strategy:{id}")) {
            for symbol in symbols {
                let intent = CancelIntent { strategy: *strategy, symbol: *symbol, client_id: None, decided: parts.clock.now().market };
                parts.links.risk.push(RiskIn::Cancel { intent, gate });
            }
        }
        let text = format!("{} failed too often and is disabled; its stops stay", event.child);
        parts.links.notify(Notice::new(Severity::Critical, "STRATEGY_DISABLED", text));
    }
}

/// Safety and audit: nothing may go on without them.
#[derive(Default)]
pub(super) struct HaltAndExit {
    parts: OnceLock<(GateDesk, Exit)>,
}

impl HaltAndExit {
    pub(super) fn connect(&self, gate: GateDesk, exit: Exit) {
        if self.parts.set((gate, exit)).is_err() {
            tracing::error!("hooks are connected once: the second time was ignored");
        }
    }
}

impl GroupHooks for HaltAndExit {
    fn escalated(&self, event: &Escalation) {
        if let Some((gate, exit)) = self.parts.get() {
            gate.hold(GateOwner::Supervisor, GateState::Halted, &format!("{} failed too often; the process leaves", event.child));
            exit(EXIT_ESCALATED);
        }
    }
}

/// Platform: trading goes on without it; a gauge and the log say so.
pub(super) struct PlatformHooks;

impl GroupHooks for PlatformHooks {
    fn escalated(&self, event: &Escalation) {
        metrics::gauge!("fulmar_degraded", "actor" => event.child.to_string()).set(1.0);
        tracing::error!(actor = %event.child, failures = event.failures_in_window, "failed too often: stays down, trading goes on");
    }
}
