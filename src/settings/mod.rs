//! Settings: from layers of text to one checked value. Every violation is reported, with file, line and key.

mod layers;
mod strategies;

pub use layers::{Origin, Violation};

use std::path::{Path, PathBuf};

use fulmar_domain::breaker::BreakerSettings;
use fulmar_domain::market::Timeframe;
use fulmar_domain::num::Usdt;
use fulmar_domain::risk::RiskLimits;
use fulmar_domain::strategy::StrategySettings;
use fulmar_domain::symbol::Symbol;
use layers::{Tree, lay};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// The defaults and the schema: every key that exists.
pub const DEFAULT: &str = include_str!("../../config/default.toml");
/// Prefix of settings in the environment: `FULMAR__RISK__LEVERAGE_MAX=5`.
pub const ENVIRONMENT_PREFIX: &str = "FULMAR__";

/// Where orders go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The simulated exchange inside this process.
    Simex,
    /// The exchange whose addresses stand in `[exchange]`: simulated elsewhere, test network, or real.
    Exchange,
}

/// `[engine]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct EngineSettings {
    pub mode: Mode,
    pub instance: String,
    pub data_dir: PathBuf,
    pub symbols: Vec<Symbol>,
    pub faults: bool,
    pub flatten_on_exit: bool,
}

/// `[exchange]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct ExchangeSettings {
    pub rest_url: String,
    pub ws_url: String,
    pub api_key: String,
    pub api_secret: String,
    pub recv_window_orders_ms: i64,
    pub recv_window_ms: i64,
    pub request_timeout_ms: u64,
    pub rest_concurrency: usize,
    pub survey_every_ms: u64,
}

/// `[simex]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct SimexSettings {
    pub listen: String,
    pub seed: u64,
    pub speed: String,
    pub source: String,
    pub start: String,
    pub minutes: u64,
    pub balance: Usdt,
    pub history_bars: u16,
    pub request_limits: bool,
}

/// `[execution]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct ExecutionSettings {
    pub stop_deadline_ms: i64,
    pub unknown_interval_ms: i64,
    pub unknown_answers: u8,
    pub fills_late_ms: i64,
    pub retry_ms: i64,
}

/// `[lease]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct LeaseSettings {
    pub holder: String,
    pub ttl_ms: i64,
    pub renew_ms: i64,
}

/// `[journal]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct JournalSettings {
    pub segment_mib: u64,
    pub lazy_sync_ms: u64,
    pub reserve_mib: u64,
    pub fsync: bool,
}

/// `[api]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct ApiSettings {
    pub listen: String,
    pub workers: usize,
}

/// `[notify]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct NotifySettings {
    pub gather_ms: i64,
    pub webhook_url: String,
    pub webhook_hosts: Vec<String>,
    pub webhook_private: bool,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each key is described in config/default.toml")]
pub struct LogSettings {
    pub filter: String,
    pub format: String,
}

/// Everything, checked.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each section is described in config/default.toml")]
pub struct Settings {
    pub engine: EngineSettings,
    pub exchange: ExchangeSettings,
    pub simex: SimexSettings,
    pub execution: ExecutionSettings,
    pub risk: RiskLimits,
    pub breaker: BreakerSettings,
    pub lease: LeaseSettings,
    pub journal: JournalSettings,
    pub api: ApiSettings,
    pub notify: NotifySettings,
    pub log: LogSettings,
    pub strategies: Vec<StrategySettings>,
    /// Digest of all settings in force, for the journal.
    pub digest: String,
}

/// What the settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Files, in order; a later one wins.
    pub files: Vec<PathBuf>,
    /// `KEY=value` pairs of the environment that begin with [`ENVIRONMENT_PREFIX`].
    pub environment: Vec<(String, String)>,
    /// Dotted keys given as flags.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// The files given, this process's environment, and no flags.
    #[must_use]
    pub fn of_process(files: Vec<PathBuf>) -> Self {
        let environment = std::env::vars().filter(|(key, _)| key.starts_with(ENVIRONMENT_PREFIX)).collect();
        Self { files, environment, flags: Vec::new() }
    }
}

/// Reads and checks.
///
/// # Errors
/// Every violation there is.
pub fn load(sources: &Sources) -> Result<Settings, Vec<Violation>> {
    let mut found = Vec::new();
    let schema = layers::read(DEFAULT, "config/default.toml").map_err(|v| vec![v])?;
    let mut tree = schema.clone();
    for file in &sources.files {
        match read_file(file) {
            Ok(layer) => lay(&mut tree, layer, &schema, "", &mut found),
            Err(violation) => found.push(violation),
        }
    }
    for (name, value) in &sources.environment {
        let key = name.trim_start_matches(ENVIRONMENT_PREFIX).to_lowercase().replace("__", ".");
        lay(&mut tree, Tree::of_pair(&key, value, "environment"), &schema, "", &mut found);
    }
    for (key, value) in &sources.flags {
        lay(&mut tree, Tree::of_pair(key, value, "flag"), &schema, "", &mut found);
    }
    let settings = typed(&tree, &schema, &mut found);
    match settings {
        Some(settings) if found.is_empty() => Ok(settings),
        _ => Err(found),
    }
}

fn read_file(file: &Path) -> Result<Tree, Violation> {
    let place = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| Violation {
        origin: Origin { place: place.clone(), line: 0 },
        key: "(file)".to_owned(),
        text: format!("cannot be read: {error}"),
    })?;
    layers::read(&text, &place)
}

/// One section as a typed value. Where it cannot be read, every key that is at fault is reported, and the defaults stand in so
/// that the other checks still find what else is wrong.
fn section<T: DeserializeOwned>(tree: &Tree, json: &Json, defaults: &Json, name: &str, found: &mut Vec<Violation>) -> Option<T> {
    let part = json.get(name).cloned().unwrap_or_default();
    let error = match serde_json::from_value(part.clone()) {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let fallback = defaults.get(name).cloned().unwrap_or_default();
    let before = found.len();
    for (key, value) in part.as_object().into_iter().flatten() {
        let mut alone = fallback.clone();
        if let Some(place) = alone.get_mut(key) {
            *place = value.clone();
        }
        if let Err(error) = serde_json::from_value::<T>(alone) {
            let key = format!("{name}.{key}");
            found.push(Violation { origin: tree.origin(&key), key, text: error.to_string() });
        }
    }
    if found.len() == before {
        found.push(Violation { origin: tree.origin(name), key: name.to_owned(), text: error.to_string() });
    }
    serde_json::from_value(fallback).ok()
}

fn typed(tree: &Tree, schema: &Tree, found: &mut Vec<Violation>) -> Option<Settings> {
    let (json, defaults) = (tree.json(), schema.json());
    let engine: Option<EngineSettings> = section(tree, &json, &defaults, "engine", found);
    let symbols = engine.as_ref().map(|e| e.symbols.clone()).unwrap_or_default();
    let exchange = section(tree, &json, &defaults, "exchange", found);
    let simex = section(tree, &json, &defaults, "simex", found);
    let execution = section(tree, &json, &defaults, "execution", found);
    let risk: Option<RiskLimits> = section(tree, &json, &defaults, "risk", found);
    let breaker: Option<BreakerSettings> = section(tree, &json, &defaults, "breaker", found);
    let lease = section(tree, &json, &defaults, "lease", found);
    let journal = section(tree, &json, &defaults, "journal", found);
    let api = section(tree, &json, &defaults, "api", found);
    let notify = section(tree, &json, &defaults, "notify", found);
    let log = section(tree, &json, &defaults, "log", found);
    let strategies = strategies::read(tree, &json, &symbols, found);
    let settings = Settings {
        engine: engine?,
        exchange: exchange?,
        simex: simex?,
        execution: execution?,
        risk: risk?,
        breaker: breaker?,
        lease: lease?,
        journal: journal?,
        api: api?,
        notify: notify?,
        log: log?,
        strategies,
        digest: digest(&json),
    };
    check(&settings, tree, found);
    Some(settings)
}

/// SHA-256 over the settings in force without their secrets.
fn digest(json: &serde_json::Value) -> String {
    use sha2::{Digest, Sha256};
    let mut public = json.clone();
    for secret in ["api_key", "api_secret"] {
        if let Some(exchange) = public.get_mut("exchange").and_then(serde_json::Value::as_object_mut) {
            exchange.remove(secret);
        }
    }
    let hash = Sha256::digest(public.to_string().as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn check(settings: &Settings, tree: &Tree, found: &mut Vec<Violation>) {
    let mut need = |holds: bool, key: &str, text: &str| {
        if !holds {
            found.push(Violation { origin: tree.origin(key), key: key.to_owned(), text: text.to_owned() });
        }
    };
    let instance = &settings.engine.instance;
    need(
        !instance.is_empty() && instance.len() <= 8 && instance.bytes().all(|b| b.is_ascii_alphanumeric()),
        "engine.instance",
        "1 to 8 ASCII letters or digits are needed: it is the head of every client order id",
    );
    need(!settings.engine.symbols.is_empty(), "engine.symbols", "at least one symbol is needed");
    let window = settings.exchange.recv_window_orders_ms;
    need((1..=60_000).contains(&window), "exchange.recv_window_orders_ms", "1 to 60000 ms are allowed by the exchange");
    need((1..=60_000).contains(&settings.exchange.recv_window_ms), "exchange.recv_window_ms", "1 to 60000 ms are allowed by the exchange");
    need(settings.exchange.rest_concurrency > 0, "exchange.rest_concurrency", "at least 1 is needed");
    need(
        settings.lease.ttl_ms > window + settings.lease.renew_ms,
        "lease.ttl_ms",
        "the lease must outlast a receive window and a renewal, else nothing could ever be signed",
    );
    need(settings.lease.renew_ms > 0, "lease.renew_ms", "a span above 0 is needed");
    need(
        settings.simex.speed == "max" || settings.simex.speed.parse::<u32>().is_ok_and(|n| (1..=3_600).contains(&n)),
        "simex.speed",
        "1 to 3600 (times real time) or \"max\" (lock-step) is needed",
    );
    need(
        settings.simex.start.is_empty() || start_ms(&settings.simex.start).is_some(),
        "simex.start",
        "a date such as 2025-06-01 is needed",
    );
    need(settings.api.listen.parse::<std::net::SocketAddr>().is_ok(), "api.listen", "an address such as 127.0.0.1:8080 is needed");
    need(settings.simex.listen.parse::<std::net::SocketAddr>().is_ok(), "simex.listen", "an address such as 127.0.0.1:0 is needed");
    need(matches!(settings.log.format.as_str(), "auto" | "human" | "json"), "log.format", "auto, human or json is needed");
    if settings.engine.mode == Mode::Exchange {
        need(settings.exchange.rest_url.starts_with("http"), "exchange.rest_url", "the address of the exchange is needed in this mode");
        need(settings.exchange.ws_url.starts_with("ws"), "exchange.ws_url", "the address of the exchange is needed in this mode");
        need(
            !settings.exchange.api_key.is_empty() && !settings.exchange.api_secret.is_empty(),
            "exchange.api_key",
            "set FULMAR__EXCHANGE__API_KEY and FULMAR__EXCHANGE__API_SECRET in the environment",
        );
    }
    for (section, violations) in [("risk", settings.risk.validate()), ("breaker", settings.breaker.validate())] {
        for violation in violations.err().unwrap_or_default() {
            let key = format!("{section}.{}", violation.key);
            found.push(Violation { origin: tree.origin(&key), key, text: format!("{} stands here: {}", violation.value, violation.rule) });
        }
    }
}

/// Midnight UTC of a date such as `2025-06-01`, in milliseconds since 1970 (days from civil, Howard Hinnant).
#[must_use]
pub fn start_ms(date: &str) -> Option<i64> {
    let mut parts = date.splitn(3, '-');
    let (y, m, d): (i64, i64, i64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    if !(1970..=9999).contains(&y) || !(1..=12).contains(&m) || !(1..=31).contains(&d) {
        return None;
    }
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    Some((era * 146_097 + doe - 719_468) * 86_400_000)
}

/// Timeframes that the strategies decide on.
#[must_use]
pub fn timeframes(strategies: &[StrategySettings]) -> Vec<Timeframe> {
    let mut all: Vec<Timeframe> =
        strategies.iter().filter_map(|s| s.timeframe.or_else(|| s.make().ok().map(|made| made.spec().timeframe))).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
