//! The simulated exchange, inside this process or alone.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_simex::run::{RunHandle, Speed, open_exchange, spawn};
use fulmar_simex::server::{ApiAccount, Floor, LedgerConfig, LimitConfig, ServerConfig, ServerHandle, serve};
use fulmar_simex::source::generator::{GeneratorOptions, GeneratorSource};
use fulmar_simex::source::replay::ReplayOptions;
use fulmar_simex::source::{MarketSource, SymbolPlan, open_recorded};

use super::clock::wall_ms;
use crate::cli::SimexArgs;
use crate::settings::{Settings, start_ms};

/// Key of the account that the engine uses on its own simulated exchange. It opens nothing but play money on loopback.
pub const OWN_KEY: &str = "fulmar";
/// Secret of that key.
pub const OWN_SECRET: &str = "fulmar-secret";

/// A running simulated exchange.
pub struct Simulator {
    /// Base address of REST.
    pub rest_url: String,
    /// Base address of the sockets.
    pub ws_url: String,
    /// The exchange behind its lock.
    pub floor: Arc<Floor>,
    /// The market.
    pub run: RunHandle,
    /// The server.
    pub server: ServerHandle,
    /// What the source gives, by symbol.
    pub plan: Vec<SymbolPlan>,
    /// When the market opens.
    pub start: Timestamp,
    /// What the reader of a result must know about the data.
    pub remarks: Vec<String>,
}

/// Wrong input that ends the program with the exit code of wrong usage.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

fn bad(error: impl std::fmt::Display) -> anyhow::Error {
    BadInput(error.to_string()).into()
}

fn source(settings: &Settings, symbols: &[Symbol]) -> Result<Box<dyn MarketSource>> {
    let simex = &settings.simex;
    if simex.source == "generator" {
        let start = if simex.start.is_empty() { Some(wall_ms()) } else { start_ms(&simex.start) };
        let mut options = GeneratorOptions::new(simex.seed, symbols, Timestamp(start.unwrap_or_default()));
        options.history_bars = u32::from(simex.history_bars).max(options.history_bars);
        options.minutes = Some(simex.minutes).filter(|m| *m > 0);
        return Ok(Box::new(GeneratorSource::new(&options).map_err(bad)?));
    }
    let mut options = ReplayOptions::new(PathBuf::from(&simex.source), symbols.to_vec());
    options.history_bars = u32::from(simex.history_bars);
    open_recorded(&options).map_err(bad)
}

/// Starts exchange, server and market. In lock-step the market waits for one client.
///
/// # Errors
/// Data that cannot be read, an address that cannot be used.
pub fn start(settings: &Settings, accounts: Vec<ApiAccount>, ledger: Option<PathBuf>) -> Result<Simulator> {
    let simex = &settings.simex;
    let source = source(settings, &settings.engine.symbols)?;
    let speed: Speed = simex.speed.parse().map_err(bad)?;
    let (plan, opens, remarks) = (source.plan(), source.start(), source.remarks());
    let exchange = open_exchange(source.as_ref(), |config| {
        config.start_balance = simex.balance;
        // Between two instants of a bar the price is meant to have gone all the way.
        config.fills.stops_at_trigger = true;
    })
    .map_err(|error| bad(format!("{error:?}")))?;
    let server_config = ServerConfig {
        accounts,
        ledger: LedgerConfig { file: ledger },
        limits: if simex.request_limits && speed != Speed::Max { LimitConfig::default() } else { LimitConfig::off() },
        lock_step: speed == Speed::Max,
        seed: simex.seed,
        ..ServerConfig::default()
    };
    let marks = server_config.ledger.file.is_some();
    let floor = Floor::new(exchange, server_config);
    // An independent reckoning of liquidations needs every mark price; without a file they would only fill memory.
    floor.with_exchange(|exchange| exchange.log_mut().record_marks(marks));
    let listener = TcpListener::bind(&simex.listen).map_err(|e| bad(format!("cannot listen on {}: {e}", simex.listen)))?;
    let server = serve(listener, Arc::clone(&floor)).map_err(bad)?;
    let address = server.address();
    let run = spawn(Arc::clone(&floor), source, speed).context("the market cannot be started")?;
    Ok(Simulator {
        rest_url: format!("http://{address}"),
        ws_url: format!("ws://{address}"),
        floor,
        run,
        server,
        plan,
        start: opens,
        remarks,
    })
}

/// The account of the engine.
#[must_use]
pub fn own_account() -> Vec<ApiAccount> {
    vec![ApiAccount { key: OWN_KEY.to_owned(), secret: OWN_SECRET.to_owned() }]
}

/// `fulmar simex`: serves until told to stop or the data end.
///
/// # Errors
/// As [`start`].
pub fn serve_alone(settings: &Settings, args: &SimexArgs) -> Result<u8> {
    super::logging::start(&settings.log)?;
    let mut accounts = Vec::new();
    for account in &args.accounts {
        let (key, secret) = account.split_once(':').ok_or_else(|| bad(format!("--account {account:?}: KEY:SECRET is needed")))?;
        accounts.push(ApiAccount { key: key.to_owned(), secret: secret.to_owned() });
    }
    if accounts.is_empty() {
        accounts = own_account();
    }
    let runtime = super::io_runtime::start().context("no runtime")?;
    let _inside = runtime.enter();
    let simulator = start(settings, accounts, args.ledger.clone())?;
    println!("simex listening on {}", simulator.rest_url);
    for remark in &simulator.remarks {
        println!("simex: {remark}");
    }
    runtime.block_on(async {
        let stopper = simulator.run.stopper();
        let finished = simulator.run.finished();
        tokio::pin!(finished);
        let told = super::signals::told_to_stop();
        tokio::pin!(told);
        let report = tokio::select! {
            report = &mut finished => Some(report),
            _ = &mut told => { stopper.stop(); None }
        };
        if let Some(report) = report {
            let report = report.context("the market broke off")?;
            println!("simex: market ended at {} after {} bars", report.market_time, report.bars);
            told.await;
        }
        simulator.server.stop().await;
        anyhow::Ok(0)
    })
}
