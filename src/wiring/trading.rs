//! `fulmar run`: from settings to a trading engine, and back to an exit code.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use fulmar_actors::engine::{Engine, EngineParts, Placement};
use fulmar_actors::gate_desk::GateDesk;
use fulmar_actors::recent::Recent;
use fulmar_actors::shell::Wakening;
use fulmar_actors::supervision::policy::SupervisionPolicy;
use fulmar_adapters::channel::log::LogChannel;
use fulmar_adapters::channel::webhook::{WebhookChannel, WebhookSettings};
use fulmar_adapters::exchange::binance::{BinanceSettings, BinanceVenue};
use fulmar_adapters::journal::recorder::JournalRecorder;
use fulmar_adapters::lease::file::FileLease;
use fulmar_adapters::store::sqlite::{SqliteStore, StoreSettings};
use fulmar_domain::execution::Outcome;
use fulmar_domain::failover::LeaseRules;
use fulmar_domain::feed::FeedIn;
use fulmar_domain::gate::{GateOwner, GateState};
use fulmar_domain::id::Epoch;
use fulmar_domain::indicator::IndicatorSpec;
use fulmar_domain::market::{Timeframe, WarmupBars};
use fulmar_domain::record::Record;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Span;
use fulmar_ports::channel::Channel;
use fulmar_ports::clock::Clock;
use fulmar_ports::exchange::{MarketReference, QueryError, StreamPlan, TradingVenue};
use fulmar_ports::journal::{Journal, JournalHealth};
use fulmar_ports::lease::{Lease, LeaseError, LeaseGrant};
use fulmar_ports::recorder::Recorder;
use fulmar_ports::secrets::Secret;
use fulmar_ports::store::Store;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use super::clock::{MarketClock, wall_ms};
use super::io_runtime::{self, IoRuntime};
use super::simulator::{self, BadInput, OWN_KEY, OWN_SECRET, Simulator};
use super::{EXIT_JOURNAL, closing, drain, feed, order_log, recovery, showing, signals};
use crate::cli::{EXIT_FAILED, RunArgs};
use crate::inspect::STORE_FILE;
use crate::settings::{Mode, Settings, timeframes};

/// Folder of the lease below the data folder.
const LEASE_FOLDER: &str = "lease";
/// What is added to a receive window before "not found" can be believed.
const FENCE_MARGIN: Span = Span::secs(5);
/// How long a webhook may take.
const WEBHOOK_TIMEOUT_MS: u64 = 5_000;
/// How often an exchange that cannot be reached is asked again at the start, a second apart.
const REACH_TRIES: u32 = 10;
/// Bars that are asked for at the start, at least.
const WARMUP_MIN: u16 = 300;

/// Trades until told to stop, the market ends, or the engine gives up.
pub(super) fn run(settings: Settings, args: &RunArgs) -> Result<u8> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
    std::fs::create_dir_all(&settings.engine.data_dir)
        .with_context(|| format!("the data folder {} cannot be made", settings.engine.data_dir.display()))?;
    let io = io_runtime::start().context("the io runtime cannot be started")?;
    let _inside = io.enter();
    let lease: Arc<dyn Lease> =
        Arc::new(FileLease::open(settings.engine.data_dir.join(LEASE_FOLDER)).context("the lease cannot be opened")?);
    let grant = io.block_on(become_leader(&settings, lease.as_ref()))?;
    let simulator = match settings.engine.mode {
        Mode::Simex => Some(simulator::start(&settings, simulator::own_account(), args.exchange_ledger.clone())?),
        Mode::Exchange => None,
    };
    let lock_step = simulator.is_some() && settings.simex.speed == "max";
    let venue = venue(&settings, simulator.as_ref(), lock_step, io.handle().clone())?;
    let (known, grant) = io.block_on(learn_as_leader(&settings, &venue, lease.as_ref(), grant))?;
    let market_now = known.recent.marks().iter().map(|m| m.time).max().unwrap_or_default();
    let clock = Arc::new(MarketClock::new(market_now, lock_step));
    let desk: Arc<OnceLock<GateDesk>> = Arc::default();
    let (exit_tx, exit_rx) = mpsc::unbounded_channel();
    let recovered = recovery::open(
        &settings,
        Epoch(grant.epoch),
        &settings.engine.symbols,
        market_now.minus(Span::minutes(1)),
        journal_watch(Arc::clone(&desk), exit_tx.clone()),
    )?;
    let parts = Parts {
        settings,
        lease,
        grant,
        lock_step,
        venue,
        known,
        clock,
        desk,
        exit_tx,
        exit_rx,
        recovered,
        io: IoRuntime(io.handle().clone()),
    };
    let code = actix::System::new().block_on(trade(parts, simulator, args))?;
    io.shutdown_timeout(Duration::from_secs(2));
    Ok(code)
}

/// Everything that was made before the engine.
struct Parts {
    settings: Settings,
    lease: Arc<dyn Lease>,
    grant: LeaseGrant,
    lock_step: bool,
    venue: BinanceVenue,
    known: Known,
    clock: Arc<MarketClock>,
    desk: Arc<OnceLock<GateDesk>>,
    exit_tx: mpsc::UnboundedSender<u8>,
    exit_rx: mpsc::UnboundedReceiver<u8>,
    recovered: recovery::Recovered,
    io: IoRuntime,
}

/// Waits until this process holds the lease; says so while another one does.
async fn become_leader(settings: &Settings, lease: &dyn Lease) -> Result<LeaseGrant> {
    let mut said = false;
    loop {
        match lease.acquire(&settings.lease.holder, settings.lease.ttl_ms, wall_ms()).await {
            Ok(grant) => return Ok(grant),
            Err(LeaseError::Held { holder, epoch, expiry_ms }) => {
                if !said {
                    println!("fulmar: `{holder}` (epoch {epoch}) holds the lease; this process stands by");
                    said = true;
                }
                let wait = expiry_ms.saturating_sub(wall_ms()).clamp(50, settings.lease.renew_ms);
                tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(50))).await;
            }
            Err(LeaseError::Contended) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => return Err(error).context("the lease cannot be had"),
        }
    }
}

fn venue(settings: &Settings, simulator: Option<&Simulator>, lock_step: bool, io: tokio::runtime::Handle) -> Result<BinanceVenue> {
    let exchange = &settings.exchange;
    let (rest, ws, key, secret) = match simulator {
        Some(simulator) => (simulator.rest_url.as_str(), simulator.ws_url.as_str(), OWN_KEY, OWN_SECRET),
        None => (exchange.rest_url.as_str(), exchange.ws_url.as_str(), exchange.api_key.as_str(), exchange.api_secret.as_str()),
    };
    let first = settings.engine.symbols.first().copied().ok_or_else(|| anyhow!("no symbol to trade"))?;
    let mut binance = BinanceSettings::new(rest, ws, Secret::new(key), Secret::new(secret), first);
    binance.recv_window_orders = Span(exchange.recv_window_orders_ms);
    binance.recv_window = Span(exchange.recv_window_ms);
    binance.request_timeout = Duration::from_millis(exchange.request_timeout_ms);
    binance.rest_concurrency = exchange.rest_concurrency;
    binance.fence_margin = FENCE_MARGIN;
    if lock_step {
        binance = binance.in_lock_step("fulmar");
    }
    BinanceVenue::new(binance, io).context("the exchange's client cannot be made")
}

/// What the exchange says before anything moves.
struct Known {
    recent: Recent,
    specs: Vec<IndicatorSpec>,
    warmup_bars: u16,
    timeframes: Vec<Timeframe>,
    warmups: Vec<WarmupBars>,
}

/// Asks until there is an answer: a restart in a minute whose requests are spent, or while the exchange is away for a moment,
/// must not fail. A refusal is told at once, an exchange that stays away after [`REACH_TRIES`].
async fn patient<T>(ask: impl AsyncFn() -> Result<T, QueryError>) -> Result<T, QueryError> {
    let mut tries = 0;
    loop {
        match ask().await {
            Err(QueryError::Throttled(span)) => {
                let wait = Duration::from_millis(u64::try_from(span.0).unwrap_or(0).clamp(100, 60_000));
                tracing::warn!(wait_ms = wait.as_millis(), "the exchange takes no more requests for now: waiting");
                tokio::time::sleep(wait).await;
            }
            Err(QueryError::Unreachable(why)) if tries < REACH_TRIES => {
                tries += 1;
                tracing::warn!(%why, tries, "the exchange does not answer: asking again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            answer => return answer,
        }
    }
}

/// Learns and keeps the lease meanwhile: an exchange that makes us wait must not cost the lead.
async fn learn_as_leader(
    settings: &Settings,
    venue: &BinanceVenue,
    lease: &dyn Lease,
    mut grant: LeaseGrant,
) -> Result<(Known, LeaseGrant)> {
    let learning = learn(settings, venue);
    tokio::pin!(learning);
    let mut ticks = tokio::time::interval(Duration::from_millis(u64::try_from(settings.lease.renew_ms).unwrap_or(1_000).max(1)));
    loop {
        tokio::select! {
            known = &mut learning => return Ok((known?, grant)),
            _ = ticks.tick() => {
                grant = lease.renew(&grant, settings.lease.ttl_ms, wall_ms()).await.context("the lease was lost while the exchange was asked")?;
            }
        }
    }
}

async fn learn(settings: &Settings, venue: &BinanceVenue) -> Result<Known> {
    if !venue.settings().lock_step {
        patient(async || venue.sync_clock().await).await.context("the exchange's clock cannot be read")?;
    }
    let symbols = &settings.engine.symbols;
    let recent = Recent::default();
    for instrument in patient(async || venue.instruments().await).await.context("the contracts cannot be read")? {
        if symbols.contains(&instrument.symbol) {
            recent.set_instrument(&Arc::new(instrument));
        }
    }
    let missing: Vec<&str> = symbols.iter().filter(|s| !recent.instruments().iter().any(|i| i.symbol == **s)).map(Symbol::as_str).collect();
    if !missing.is_empty() {
        return Err(BadInput(format!("the exchange does not know {}: put other symbols into engine.symbols", missing.join(", "))).into());
    }
    for brackets in patient(async || venue.brackets().await).await.context("the leverage brackets cannot be read")? {
        if symbols.contains(&brackets.symbol) {
            recent.set_brackets(&Arc::new(brackets));
        }
    }
    let mut specs: Vec<IndicatorSpec> = Vec::new();
    let mut warmup_bars = WARMUP_MIN;
    for strategy in &settings.strategies {
        let made = strategy.make().map_err(|errors| anyhow!("strategy {}: {errors:?}", strategy.id))?;
        let spec = made.spec();
        specs.extend(spec.indicators.iter().copied().filter(|i| !specs.contains(i)).collect::<Vec<_>>());
        warmup_bars = warmup_bars.max(u16::try_from(spec.warmup_bars).unwrap_or(u16::MAX));
    }
    let timeframes = timeframes(&settings.strategies);
    let mut warmups = Vec::new();
    for symbol in symbols {
        recent.set_mark(
            &patient(async || venue.mark(*symbol).await).await.with_context(|| format!("the mark price of {symbol} cannot be read"))?,
        );
        for timeframe in &timeframes {
            let bars = patient(async || venue.bars(*symbol, *timeframe, None, warmup_bars.min(1_500)).await)
                .await
                .with_context(|| format!("bars of {symbol} cannot be read"))?;
            warmups.push(WarmupBars { symbol: *symbol, timeframe: *timeframe, bars: bars.into() });
        }
    }
    one_way(venue).await?;
    Ok(Known { recent, specs, warmup_bars, timeframes, warmups })
}

/// Sets one-way mode. It may be set twice, so an answer that was lost is no trouble: it is asked again.
async fn one_way(venue: &BinanceVenue) -> Result<()> {
    let mut tries = 0;
    loop {
        match venue.set_hedge_mode(false).await {
            Outcome::Done(()) => return Ok(()),
            Outcome::NotExecuted { error, .. } | Outcome::Unknown { error, .. } if tries < REACH_TRIES => {
                tries += 1;
                tracing::warn!(%error, tries, "one-way mode is not known to be set: asking again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return Err(anyhow!("one-way mode cannot be set: {other:?}; close all positions and orders of the account first")),
        }
    }
}

/// What the journal's health does to trading.
fn journal_watch(desk: Arc<OnceLock<GateDesk>>, exit: mpsc::UnboundedSender<u8>) -> Box<dyn Fn(JournalHealth) + Send> {
    Box::new(move |health| {
        if let Some(desk) = desk.get() {
            match health {
                JournalHealth::Healthy => desk.hold(GateOwner::Journal, GateState::Open, "the journal is written again"),
                JournalHealth::DiskFull => {
                    desk.hold(GateOwner::Journal, GateState::ReduceOnly, "the disk is full: exits go by the reserve")
                }
                JournalHealth::Broken => {
                    desk.hold(GateOwner::Journal, GateState::Halted, "the journal cannot be written: the process leaves")
                }
            };
        }
        if health == JournalHealth::Broken && exit.send(EXIT_JOURNAL).is_err() {
            tracing::error!("the journal broke while the process was leaving");
        }
    })
}

fn channels(settings: &Settings) -> Result<Vec<Arc<dyn Channel>>> {
    let mut channels: Vec<Arc<dyn Channel>> = vec![Arc::new(LogChannel)];
    if !settings.notify.webhook_url.is_empty() {
        let webhook = WebhookSettings {
            name: "webhook".to_owned(),
            url: settings.notify.webhook_url.clone(),
            allowed_hosts: settings.notify.webhook_hosts.clone(),
            allow_private: settings.notify.webhook_private,
            timeout_ms: WEBHOOK_TIMEOUT_MS,
            bearer: None,
        };
        channels.push(Arc::new(WebhookChannel::new(webhook).map_err(|e| BadInput(e.to_string()))?));
    }
    Ok(channels)
}

async fn trade(parts: Parts, simulator: Option<Simulator>, args: &RunArgs) -> Result<u8> {
    let Parts { settings, lease, grant, lock_step, venue, known, clock, desk, exit_tx, mut exit_rx, recovered, io } = parts;
    let journal: Arc<dyn Journal> = Arc::clone(&recovered.journal) as Arc<dyn Journal>;
    let fence = Span(settings.exchange.recv_window_orders_ms).0.saturating_add(FENCE_MARGIN.0);
    let exit = Arc::new(move |code: i32| {
        if exit_tx.send(u8::try_from(code).unwrap_or(1)).is_err() {
            tracing::error!(code, "asked to leave while leaving");
        }
    });
    let metrics = showing::metrics()?;
    let outlook = showing::start(&settings, &known.timeframes, &known.specs)?;
    let commands = showing::Commands::new();
    let recorder: Arc<dyn Recorder> =
        Arc::new(showing::Counted { inner: Arc::new(JournalRecorder::new(Arc::clone(&journal))), view: Arc::clone(&outlook) });
    let engine_parts = EngineParts {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        wakening: if lock_step { Wakening::MarketTime } else { Wakening::Timers },
        recorder,
        fold: recovered.fold,
        recent: known.recent.clone(),
        venue: Arc::new(venue.clone()) as Arc<dyn TradingVenue>,
        reference: Arc::new(venue.clone()),
        background: Arc::new(io.clone()),
        lease,
        grant: Some(grant.clone()),
        holder: settings.lease.holder.clone(),
        channels: channels(&settings)?,
        outlook: Arc::new(order_log::OrderLog { view: Arc::clone(&outlook), loud: !lock_step }),
        acknowledge: commands.acknowledge(),
        strategies: settings.strategies.clone(),
        specs: known.specs.clone(),
        warmup_bars: known.warmup_bars,
        limits: settings.risk.clone(),
        breaker: settings.breaker.clone(),
        breaker_state: Arc::new(Mutex::new(Some(recovered.breaker.clone()))),
        lease_rules: LeaseRules {
            ttl: Span(settings.lease.ttl_ms),
            renew_every: Span(settings.lease.renew_ms),
            recv_window: Span(settings.exchange.recv_window_orders_ms),
        },
        fence: Span(fence),
        first_fence: recovered.last_wall.map(|last| last.plus(Span(fence))),
        notice_window: Span(settings.notify.gather_ms),
        supervision: SupervisionPolicy::default(),
        faults: settings.engine.faults,
        exit,
    };
    let (safety, platform) = (actix::Arbiter::new(), actix::Arbiter::new());
    // In lock-step everything runs on one thread: results do not depend on how threads take turns.
    let placement = if lock_step {
        Placement::default()
    } else {
        Placement { trading: None, safety: Some(safety.handle()), platform: Some(platform.handle()) }
    };
    let started = Record::SessionStarted {
        epoch: Epoch(grant.epoch),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_digest: settings.digest.clone(),
    };
    let engine = Engine::start(engine_parts, &placement)?;
    engine.facts.note(started, clock.now());
    if desk.set(engine.gate.clone()).is_err() {
        tracing::error!("the journal's watch was connected twice");
    }
    commands.connect(&engine);
    for warmup in known.warmups {
        engine.recent.set_warmup(&warmup);
        engine.links.feed.push(FeedIn::Warmup(warmup));
    }
    let store = Arc::new(SqliteStore::new(StoreSettings::at(settings.engine.data_dir.join(STORE_FILE))));
    let (store_stop, store_told) = watch::channel(false);
    let projecting = io.0.spawn({
        let (store, journal) = (Arc::clone(&store), Arc::clone(&journal));
        async move { store.follow(journal, store_told).await }
    });
    let shown =
        showing::serve(&settings, &engine, &outlook, &commands, Arc::clone(&store) as Arc<dyn Store>, journal.clone(), metrics).await?;
    let watchdog = drain::watchdog(&engine, (!lock_step).then_some((&safety, &platform)))?;
    let ended = Arc::new(Notify::new());
    let plan = StreamPlan {
        symbols: settings.engine.symbols.clone(),
        timeframes: known.timeframes,
        book_tops: !lock_step,
        trades: false,
        depth: false,
        tickers: !lock_step,
        liquidations: false,
        user: true,
        lock_step,
    };
    let streams = feed::start(&venue, plan, &engine, &clock, &ended);
    if !lock_step {
        drain::watch_bans(venue.clone(), engine.gate.clone());
    }
    if !lock_step && settings.exchange.survey_every_ms > 0 {
        drain::poll(engine.links.execution.clone(), Duration::from_millis(settings.exchange.survey_every_ms));
    }
    showing::banner(&settings, simulator.as_ref(), shown.address, recovered.records, Path::new(&settings.engine.data_dir));
    let began = std::time::Instant::now();
    let leaving = tokio::select! {
        told = signals::told_to_stop() => drain::Leaving::Told(told),
        () = ended.notified() => drain::Leaving::MarketEnded,
        code = exit_rx.recv() => drain::Leaving::GaveUp(code.unwrap_or(1)),
    };
    tracing::info!(?leaving, "leaving");
    drop(watchdog);
    let mut code = drain::drain(&leaving, &engine, &venue, settings.engine.flatten_on_exit, lock_step).await;
    if leaving == drain::Leaving::MarketEnded {
        journal.flush().await.context("the last records could not be written")?;
        let end = closing::End {
            engine: &engine,
            view: &outlook,
            simulator: simulator.as_ref(),
            venue: &venue,
            journal_dir: recovered.journal.dir(),
        };
        if !closing::report(&end, args, began.elapsed()).await? {
            code = EXIT_FAILED;
        }
    }
    drop(streams);
    engine.facts.note(Record::SessionEnded { reason: format!("{leaving:?}") }, clock.now());
    if let Err(error) = journal.flush().await {
        tracing::error!(%error, "the last records could not be written");
    }
    shown.stop().await;
    if let Some(simulator) = simulator {
        simulator.run.stop();
        simulator.server.stop().await;
    }
    recovered.journal.close();
    if store_stop.send(true).is_ok() && tokio::time::timeout(Duration::from_secs(3), projecting).await.is_err() {
        tracing::warn!("the store had not caught up; it goes on from the journal at the next start");
    }
    Ok(code)
}
