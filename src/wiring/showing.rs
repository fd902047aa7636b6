//! What people see: the view behind the API, the desks by which the API reaches the engine, banner and closing report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use fulmar_actors::audit::Acknowledge;
use fulmar_actors::engine::Engine;
use fulmar_actors::link::Link;
use fulmar_actors::supervision::fault::{FaultSite, InjectError};
use fulmar_actors::supervision::policy::SupervisionPolicy;
use fulmar_domain::audit::AuditIn;
use fulmar_domain::control::Command;
use fulmar_domain::gate::GateState;
use fulmar_domain::id::DecisionId;
use fulmar_domain::indicator::{IndicatorSpec, Layout};
use fulmar_domain::market::Timeframe;
use fulmar_ports::BoxFuture;
use fulmar_ports::journal::{Completion, Durability, Journal, JournalHealth, Priority};
use fulmar_ports::recorder::{Recorder, Stamped};
use fulmar_ports::store::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::clock::wall_ms;
use super::simulator::Simulator;
use crate::api::desk::{
    CheckStatus, ChildShape, CommandDesk, FailureShape, GroupShape, HealthCheck, HealthDesk, InjectFault, SupervisionDesk, SupervisionView,
};
use crate::api::{ApiConfig, ApiState, Identity, serve as serve_api};
use crate::settings::{Mode, Settings};
use crate::view::{LiveView, StrategyInfo, ViewConfig};

/// The token's name in the environment.
pub const TOKEN: &str = "FULMAR_API_TOKEN";

/// Starts the view.
pub(super) fn start(settings: &Settings, timeframes: &[Timeframe], specs: &[IndicatorSpec]) -> Result<Arc<LiveView>> {
    let mut strategies = Vec::new();
    for strategy in &settings.strategies {
        let Ok(made) = strategy.make() else { continue };
        let spec = made.spec();
        strategies.push(StrategyInfo {
            id: strategy.id,
            name: spec.name.to_owned(),
            aliases: spec.aliases.iter().map(|&a| a.to_owned()).collect(),
            symbols: strategy.symbols.clone(),
            timeframe: strategy.timeframe.or(timeframes.first().copied()).unwrap_or(spec.timeframe),
            leverage: strategy.leverage,
        });
    }
    let config = ViewConfig {
        symbols: settings.engine.symbols.clone(),
        strategies,
        columns: Layout::new(specs).columns().iter().map(ToString::to_string).collect(),
        bars_kept: 1_000,
        flush_every: Duration::from_millis(250),
        stream: wall_ms().to_string(),
    };
    LiveView::start(config).context("the view cannot be started")
}

/// A recorder that lets the view count what is journalled.
pub(super) struct Counted {
    pub(super) inner: Arc<dyn Recorder>,
    pub(super) view: Arc<LiveView>,
}

impl Recorder for Counted {
    fn record(&self, stamped: Stamped, durability: Durability, priority: Priority, done: Option<Completion>) {
        self.view.recorded(&stamped.record);
        self.inner.record(stamped, durability, priority, done);
    }
}

type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Result<(), String>>>>>;

/// Commands of people on their way to audit, and the acknowledgements on their way back.
#[derive(Clone)]
pub(super) struct Commands {
    waiting: Waiting,
    next: Arc<AtomicU64>,
    audit: Arc<OnceLock<Link<AuditIn>>>,
}

impl Commands {
    pub(super) fn new() -> Self {
        Self { waiting: Arc::default(), next: Arc::new(AtomicU64::new(1)), audit: Arc::default() }
    }

    pub(super) fn acknowledge(&self) -> Acknowledge {
        let waiting = Arc::clone(&self.waiting);
        Arc::new(move |id, outcome| {
            if let Some(answer) = waiting.lock().remove(&id)
                && answer.send(outcome).is_err()
            {
                tracing::debug!(id, "nobody waits for the acknowledgement any more");
            }
        })
    }

    pub(super) fn connect(&self, engine: &Engine) {
        if self.audit.set(engine.links.audit.clone()).is_err() {
            tracing::error!("commands were connected twice");
        }
    }
}

impl CommandDesk for Commands {
    fn submit(&self, command: Command) -> BoxFuture<'static, Result<(), String>> {
        let Some(audit) = self.audit.get().cloned() else {
            return Box::pin(async { Err("the engine is starting: try again in a moment".to_owned()) });
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().insert(id, answer);
        audit.push(AuditIn::Command { id, command });
        Box::pin(async move {
            answered.await.unwrap_or_else(|_| Err("the command was lost in a restart: look before ordering again".to_owned()))
        })
    }

    /// Lane 0 is the operator's; the wall clock in the upper part keeps numbers apart over restarts.
    fn next_decision(&self) -> DecisionId {
        let low = self.next.fetch_add(1, Ordering::Relaxed) & 0xffff;
        let time = u64::try_from(wall_ms()).unwrap_or(0) & 0xff_ffff_ffff;
        DecisionId((time << 16) | low)
    }
}

/// The intensity of a group, in words.
fn intensity_of(group: &str) -> String {
    let policy = SupervisionPolicy::default();
    let group = match group {
        "trading" => &policy.trading,
        "market" => &policy.market,
        "strategies" => &policy.strategies,
        "safety" => &policy.safety,
        "audit" => &policy.audit,
        _ => &policy.platform,
    };
    format!("{} in {} s", group.intensity.max, group.intensity.window.as_secs())
}

struct Tree {
    engine: Engine,
    faults: bool,
}

impl SupervisionDesk for Tree {
    fn tree(&self) -> SupervisionView {
        let groups = self.engine.supervisor.tree().groups.into_iter().map(|group| GroupShape {
            name: group.name.to_string(),
            strategy: group.strategy.to_owned(),
            intensity: intensity_of(&group.name),
            escalated: group.escalated,
            children: group
                .children
                .into_iter()
                .map(|child| ChildShape {
                    name: child.name.to_string(),
                    state: child.state.as_str().to_owned(),
                    restarts: child.restarts_total,
                    failures_in_window: child.failures_in_window,
                    generation: child.generation,
                    last_failure: child.last_failure.map(|failure| FailureShape {
                        kind: failure.kind.as_str().to_owned(),
                        text: failure.what,
                        place: failure.at,
                        message_type: failure.message_type.map(str::to_owned),
                        message_id: failure.message_id,
                        ago_ms: u64::try_from(failure.ago.as_millis()).unwrap_or(u64::MAX),
                    }),
                })
                .collect(),
        });
        SupervisionView { groups: groups.collect() }
    }

    fn inject(&self, actor: &str, site: &str) -> Result<(), InjectFault> {
        let site = FaultSite::parse(site).ok_or_else(|| {
            let known: Vec<&str> = FaultSite::NINE.iter().map(|s| s.as_str()).collect();
            InjectFault::BadSite(format!("{site:?} is no site: {} or hang", known.join(", ")))
        })?;
        self.engine.supervisor.inject(actor, site).map_err(|error| match error {
            InjectError::UnknownChild(name) => InjectFault::UnknownActor(name),
            other => InjectFault::NotNow(other.to_string()),
        })
    }

    fn faults_enabled(&self) -> bool {
        self.faults
    }
}

struct Health {
    engine: Engine,
    journal: Arc<dyn Journal>,
}

impl HealthDesk for Health {
    fn checks(&self) -> Vec<HealthCheck> {
        let check = |name: &str, status, detail: String| HealthCheck { name: name.to_owned(), status, detail };
        let gate = self.engine.gate.gate.read();
        let held: Vec<String> = self.engine.gate.gate.held().iter().map(|h| format!("{:?}: {}", h.owner, h.why)).collect();
        let gate_status = if gate.state == GateState::Open { CheckStatus::Ok } else { CheckStatus::Degraded };
        let journal = match self.journal.health() {
            JournalHealth::Healthy => check("journal", CheckStatus::Ok, format!("{} records durable", self.journal.durable_seq())),
            JournalHealth::DiskFull => check("journal", CheckStatus::Degraded, "disk full: exits go by the reserve".to_owned()),
            JournalHealth::Broken => check("journal", CheckStatus::Failing, "broken".to_owned()),
        };
        let tree = self.engine.supervisor.tree();
        let down: Vec<String> =
            tree.groups.iter().flat_map(|g| &g.children).filter(|c| c.state.as_str() == "suspended").map(|c| c.name.to_string()).collect();
        let actors = if down.is_empty() { CheckStatus::Ok } else { CheckStatus::Degraded };
        let stale: Vec<String> = self
            .engine
            .recent
            .feeds()
            .iter()
            .filter(|f| matches!(f.state, fulmar_domain::market::FeedState::Stale | fulmar_domain::market::FeedState::Gap))
            .map(|f| f.symbol.to_string())
            .collect();
        let feed = if stale.is_empty() { CheckStatus::Ok } else { CheckStatus::Degraded };
        vec![
            check("gate", gate_status, if held.is_empty() { "open".to_owned() } else { held.join("; ") }),
            journal,
            check("actors", actors, format!("{} restarts, down: [{}]", tree.restarts_total(), down.join(", "))),
            check("feed", feed, format!("stale: [{}]", stale.join(", "))),
        ]
    }
}

/// The API, served.
pub(super) struct Shown {
    pub(super) address: std::net::SocketAddr,
    handle: actix_web::dev::ServerHandle,
    _pulse: crate::api::ApiPulse,
    view: Arc<LiveView>,
}

impl Shown {
    pub(super) async fn stop(self) {
        self.handle.stop(false).await;
        self.view.stop();
    }
}

/// Bounds of the latency histograms, in seconds: from a hop within a thread to a lost answer.
const LATENCIES: [f64; 12] = [1e-6, 5e-6, 2e-5, 1e-4, 5e-4, 2e-3, 5e-3, 1e-2, 5e-2, 0.25, 1.0, 5.0];

/// Installs the recorder of metrics; to be done before any actor makes its own.
pub(super) fn metrics() -> Result<PrometheusHandle> {
    let builder =
        metrics_exporter_prometheus::PrometheusBuilder::new().set_buckets(&LATENCIES).context("the latency bounds do not hold")?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if ::metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("metrics are recorded elsewhere already");
    }
    let upkeep = handle.clone();
    actix::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// Serves the API.
pub(super) async fn serve(
    settings: &Settings,
    engine: &Engine,
    view: &Arc<LiveView>,
    commands: &Commands,
    store: Arc<dyn Store>,
    journal: Arc<dyn Journal>,
    metrics: PrometheusHandle,
) -> Result<Shown> {
    let state = ApiState {
        identity: Identity {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: mode(settings),
            exchange: if settings.engine.mode == Mode::Simex { "simex".to_owned() } else { settings.exchange.rest_url.clone() },
            instance: settings.engine.instance.clone(),
        },
        token: std::env::var(TOKEN).ok().filter(|t| !t.is_empty()),
        view: Arc::clone(view),
        commands: Arc::new(commands.clone()),
        supervision: Arc::new(Tree { engine: engine.clone(), faults: settings.engine.faults }),
        health: Arc::new(Health { engine: engine.clone(), journal }),
        store: Some(store),
        metrics: Some(metrics),
    };
    let listen = settings.api.listen.parse().with_context(|| format!("api.listen {:?}", settings.api.listen))?;
    let config = ApiConfig { listen, workers: settings.api.workers, ..ApiConfig::default() };
    let api = serve_api(config, state).context("the API cannot be served")?;
    actix::spawn(async move {
        if let Err(error) = api.server.await {
            tracing::error!(%error, "the API stopped serving");
        }
    });
    Ok(Shown { address: api.addr, handle: api.handle, _pulse: api.pulse, view: Arc::clone(view) })
}

fn mode(settings: &Settings) -> String {
    match settings.engine.mode {
        Mode::Exchange => "exchange".to_owned(),
        Mode::Simex if settings.simex.source == "generator" => "simex".to_owned(),
        Mode::Simex => "replay".to_owned(),
    }
}

/// What runs, in a few lines.
pub(super) fn banner(settings: &Settings, simulator: Option<&Simulator>, address: std::net::SocketAddr, records: u64, data: &Path) {
    let symbols: Vec<&str> = settings.engine.symbols.iter().map(fulmar_domain::symbol::Symbol::as_str).collect();
    let strategies: Vec<&str> = settings.strategies.iter().map(|s| s.id.as_str()).collect();
    println!("fulmar {}", env!("CARGO_PKG_VERSION"));
    let pace = match (simulator, settings.simex.speed.as_str()) {
        (None, _) => "market time is real time".to_owned(),
        (Some(_), "max") => "market time waits for the engine".to_owned(),
        (Some(_), times) => format!("market time {times} x"),
    };
    println!("  mode        {} ({pace})", mode(settings));
    println!("  exchange    {}", simulator.map_or(settings.exchange.rest_url.as_str(), |s| s.rest_url.as_str()));
    println!("  symbols     {}", symbols.join(" "));
    println!("  strategies  {}", strategies.join(" "));
    println!("  journal     {} records in {}", records, data.display());
    println!("  dashboard   http://{address}/");
    for remark in simulator.map(|s| s.remarks.as_slice()).unwrap_or_default() {
        println!("  note        {remark}");
    }
}
