//! The command line: raw arguments to validated ones, and errors to exit codes in one place.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Exit code of wrong arguments or settings, or of bad input.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of a failure that nobody caused by wrong input.
pub const EXIT_FAILED: u8 = 1;

/// A trading engine for Binance USDT-margined perpetual futures that runs unattended.
#[derive(Debug, Parser)]
#[command(name = "fulmar", version, about, long_about = None)]
pub struct Cli {
    /// What to do; `run` where missing.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade: on the built-in simulated exchange unless the settings name another one.
    Run(RunArgs),
    /// Serve the simulated exchange alone.
    Simex(SimexArgs),
    /// Check settings and report every violation with file, line and key.
    CheckConfig(ConfigArgs),
    /// Look into the journal.
    Journal {
        /// What to look at.
        #[command(subcommand)]
        what: JournalCommand,
    },
    /// Work on the queryable store.
    Store {
        /// What to do.
        #[command(subcommand)]
        what: StoreCommand,
    },
    /// List the strategies with their parameters and ranges.
    Strategies,
}

/// Where settings come from.
#[derive(Debug, Args, Default, Clone)]
pub struct ConfigArgs {
    /// A settings file; may be given more than once, a later one wins.
    #[arg(long, short, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// One setting, such as --set risk.leverage_max=5; wins over files and environment.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
}

/// How to run.
#[derive(Debug, Args, Default)]
pub struct RunArgs {
    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Trade on recorded bars from this folder instead of the generator.
    #[arg(long, value_name = "FOLDER")]
    pub replay: Option<PathBuf>,
    /// Contracts, such as BTCUSDT,ETHUSDT.
    #[arg(long, value_delimiter = ',', value_name = "SYMBOLS")]
    pub symbols: Vec<String>,
    /// How fast market time passes: 1 to 3600 times real time, or max for lock-step.
    #[arg(long, value_name = "SPEED")]
    pub speed: Option<String>,
    /// Seed of the simulated market.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// End after this much market time, in minutes.
    #[arg(long, value_name = "MINUTES")]
    pub minutes: Option<u64>,
    /// Folder of journal, store and lease.
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Write the simulated exchange's own ledger to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub exchange_ledger: Option<PathBuf>,
    /// Write the engine's ledger to this file at the end of a replay, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// How to serve the simulated exchange.
#[derive(Debug, Args)]
pub struct SimexArgs {
    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub listen: String,
    /// Recorded bars to serve instead of the generator.
    #[arg(long, value_name = "FOLDER")]
    pub replay: Option<PathBuf>,
    /// Contracts, such as BTCUSDT,ETHUSDT.
    #[arg(long, value_delimiter = ',', value_name = "SYMBOLS")]
    pub symbols: Vec<String>,
    /// How fast market time passes: 1 to 3600 times real time, or max for lock-step.
    #[arg(long, value_name = "SPEED")]
    pub speed: Option<String>,
    /// Seed of the simulated market.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// API key and secret of an account; may be given more than once. Default: fulmar:fulmar-secret.
    #[arg(long = "account", value_name = "KEY:SECRET")]
    pub accounts: Vec<String>,
    /// Write the exchange's own ledger to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// Ways to look into the journal.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Check every record: checksum, chain, order.
    Verify(JournalArgs),
    /// Print records as JSON, one a line.
    Show {
        /// Which journal.
        #[command(flatten)]
        journal: JournalArgs,
        /// First record.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Last record; the newest where missing.
        #[arg(long)]
        to: Option<u64>,
        /// Only this kind, such as order_planned.
        #[arg(long)]
        kind: Option<String>,
    },
    /// Count records by kind, bytes and times.
    Stats(JournalArgs),
}

/// Which journal.
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Folder of journal, store and lease.
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// Work on the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Drop the store and make it anew from the journal.
    Rebuild(JournalArgs),
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| "KEY=VALUE is needed, such as risk.leverage_max=5".to_owned())
}

impl ConfigArgs {
    /// The settings that these arguments and this process's environment name, `more` flags on top.
    ///
    /// # Errors
    /// Every violation.
    pub fn load(&self, more: Vec<(String, String)>) -> Result<crate::settings::Settings, Vec<crate::settings::Violation>> {
        let mut sources = crate::settings::Sources::of_process(self.config.clone());
        sources.flags.clone_from(&self.set);
        sources.flags.extend(more);
        crate::settings::load(&sources)
    }
}

fn list(symbols: &[String]) -> String {
    let quoted: Vec<String> = symbols.iter().map(|s| format!("\"{}\"", s.trim().to_uppercase())).collect();
    format!("[{}]", quoted.join(", "))
}

impl RunArgs {
    /// The flags as settings.
    #[must_use]
    pub fn flags(&self) -> Vec<(String, String)> {
        let mut flags = market_flags(&self.symbols, self.speed.as_deref(), self.seed, self.replay.as_ref());
        if let Some(minutes) = self.minutes {
            flags.push(("simex.minutes".into(), minutes.to_string()));
        }
        if let Some(folder) = &self.data_dir {
            flags.push(("engine.data_dir".into(), format!("{:?}", folder.display().to_string())));
        }
        flags
    }
}

impl SimexArgs {
    /// The flags as settings.
    #[must_use]
    pub fn flags(&self) -> Vec<(String, String)> {
        let mut flags = market_flags(&self.symbols, self.speed.as_deref(), self.seed, self.replay.as_ref());
        flags.push(("simex.listen".into(), format!("{:?}", self.listen)));
        flags
    }
}

impl JournalArgs {
    /// The flags as settings.
    #[must_use]
    pub fn flags(&self) -> Vec<(String, String)> {
        self.data_dir.iter().map(|folder| ("engine.data_dir".into(), format!("{:?}", folder.display().to_string()))).collect()
    }
}

fn market_flags(symbols: &[String], speed: Option<&str>, seed: Option<u64>, replay: Option<&PathBuf>) -> Vec<(String, String)> {
    let mut flags = Vec::new();
    if !symbols.is_empty() {
        flags.push(("engine.symbols".into(), list(symbols)));
    }
    if let Some(speed) = speed {
        flags.push(("simex.speed".into(), format!("{speed:?}")));
    }
    if let Some(seed) = seed {
        flags.push(("simex.seed".into(), seed.to_string()));
    }
    if let Some(folder) = replay {
        flags.push(("simex.source".into(), format!("{:?}", folder.display().to_string())));
    }
    flags
}
