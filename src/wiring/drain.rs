//! The end: in order when told to, at once when an arbiter hangs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use fulmar_actors::engine::Engine;
use fulmar_actors::gate_desk::GateDesk;
use fulmar_actors::link::Link;
use fulmar_actors::supervision::policy::WatchdogPolicy;
use fulmar_actors::supervision::watchdog::{Stall, Watchdog, WatchdogHooks};
use fulmar_adapters::exchange::binance::BinanceVenue;
use fulmar_domain::control::Command;
use fulmar_domain::execution::ExecIn;
use fulmar_domain::gate::{GateOwner, GateState};
use fulmar_domain::order::OrderRole;
use fulmar_domain::strategy::StrategyIn;
use fulmar_ports::exchange::TradingVenue;

/// Why the process leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// By a signal.
    Told(&'static str),
    /// A replay or a generated market of limited length is over.
    MarketEnded,
    /// The engine asks for it with this exit code.
    GaveUp(u8),
}

/// How long what is under way may take to settle.
const SETTLE: Duration = Duration::from_secs(5);

/// No new risk; entries that stand are withdrawn; what is under way settles or stays unknown, to be asked for at the next start.
pub(super) async fn drain(leaving: &Leaving, engine: &Engine, venue: &(impl TradingVenue + ?Sized), flatten: bool, lock_step: bool) -> u8 {
    let code = match leaving {
        Leaving::Told(_) | Leaving::MarketEnded => 0,
        Leaving::GaveUp(code) => *code,
    };
    if code != 0 {
        return code;
    }
    if !lock_step {
        engine.gate.hold(GateOwner::Shutdown, GateState::ReduceOnly, "the process was told to stop");
        if flatten {
            engine.links.each_strategy(&StrategyIn::Command(Command::Flatten { symbol: None }));
        }
        let fold = engine.facts.fold();
        let entries: Vec<_> = fold
            .execution
            .open_orders()
            .filter(|o| o.sent && matches!(o.order.role, OrderRole::Entry { .. }))
            .map(fulmar_domain::execution::LiveOrder::reference)
            .collect();
        for order in entries {
            let outcome = tokio::time::timeout(Duration::from_secs(1), venue.cancel(order)).await;
            tracing::info!(client_id = %order.client_id, ?outcome, "standing entry withdrawn");
        }
    }
    if tokio::time::timeout(SETTLE, engine.quiescence.idle()).await.is_err() {
        tracing::warn!("something is still under way; it is asked for at the next start");
    }
    0
}

struct Hang(GateDesk);

impl WatchdogHooks for Hang {
    fn stalled(&self, stall: &Stall) {
        tracing::error!(arbiter = %stall.heart, silent_ms = stall.silent_for.as_millis(), "an arbiter hangs: halting and leaving");
        self.0.gate.close(GateOwner::Supervisor, GateState::Halted, "an arbiter hangs");
    }
    fn exit(&self, code: i32) {
        std::process::exit(code);
    }
}

/// Watches the arbiters with a plain thread; a hang ends the process.
pub(super) fn watchdog(engine: &Engine, others: Option<(&actix::Arbiter, &actix::Arbiter)>) -> Result<Watchdog> {
    let watchdog =
        Watchdog::start(WatchdogPolicy::default(), Arc::new(Hang(engine.gate.clone()))).context("the watchdog cannot be started")?;
    actix::spawn(watchdog.heart("trading"));
    if let Some((safety, platform)) = others {
        watchdog.watch_arbiter("safety", &safety.handle());
        watchdog.watch_arbiter("platform", &platform.handle());
    }
    Ok(watchdog)
}

/// How often the exchange's bans are looked at.
const BAN_EVERY: Duration = Duration::from_millis(500);

/// No new risk while the exchange bans this address or refuses the key.
pub(super) fn watch_bans(venue: BinanceVenue, gate: GateDesk) {
    actix::spawn(async move {
        let mut ticks = tokio::time::interval(BAN_EVERY);
        loop {
            ticks.tick().await;
            if let Some(error) = venue.signing_stopped() {
                gate.hold(GateOwner::Exchange, GateState::Halted, &format!("the exchange refuses the key ({error}); nothing is signed"));
            } else if let Some(span) = venue.banned_for() {
                gate.hold(
                    GateOwner::Exchange,
                    GateState::Halted,
                    &format!("the exchange bans this address; the ban began with {} s to go", span.0 / 1_000),
                );
            } else {
                gate.hold(GateOwner::Exchange, GateState::Open, "the exchange answers again");
            }
        }
    });
}

/// Compares with the exchange now and then.
pub(super) fn poll(execution: Link<ExecIn>, every: Duration) {
    actix::spawn(async move {
        let mut ticks = tokio::time::interval(every);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            execution.push(ExecIn::Poll);
        }
    });
}
