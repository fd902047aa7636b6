//! What the protocol side of the simulated exchange can be told.

use std::path::PathBuf;
use std::time::Duration;

/// Request limits; zero switches one off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitConfig {
    /// Request weight per minute and address.
    pub weight_per_minute: u32,
    /// New orders per 10 s and account.
    pub orders_per_10_seconds: u32,
    /// New orders per minute and account.
    pub orders_per_minute: u32,
    /// Refused requests in a row after which an address is banned; zero never bans.
    pub refusals_before_ban: u32,
    /// First ban in milliseconds; each further one is twice as long, up to three days.
    pub ban_ms: i64,
}
impl Default for LimitConfig {
    /// Binance's own: 2400 weight a minute, 300 orders in 10 s, 1200 a minute, bans from 2 minutes on.
    fn default() -> Self {
        Self { weight_per_minute: 2_400, orders_per_10_seconds: 300, orders_per_minute: 1_200, refusals_before_ban: 20, ban_ms: 120_000 }
    }
}
impl LimitConfig {
    /// No limits at all.
    #[must_use]
    pub const fn off() -> Self {
        Self { weight_per_minute: 0, orders_per_10_seconds: 0, orders_per_minute: 0, refusals_before_ban: 0, ban_ms: 0 }
    }
}

/// An API key with its secret; each key has an account of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiAccount {
    /// The key, sent in `X-MBX-APIKEY`.
    pub key: String,
    /// The secret that signs.
    pub secret: String,
}
impl std::fmt::Debug for ApiAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiAccount").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Where the exchange's own ledger goes besides memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerConfig {
    /// This file, made anew.
    pub file: Option<PathBuf>,
}

/// How the server speaks.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// API keys.
    pub accounts: Vec<ApiAccount>,
    /// The exchange's own ledger.
    pub ledger: LedgerConfig,
    /// Request limits.
    pub limits: LimitConfig,
    /// Lock-step: the protocol clock is market time and the barrier counts. Otherwise the protocol clock is the wall clock.
    pub lock_step: bool,
    /// Lock-step: how many groups must have joined before the market moves.
    pub groups: usize,
    /// How often the server pings a socket.
    pub ping_every: Duration,
    /// How long a socket may go without a pong.
    pub pong_within: Duration,
    /// How long a connection may live; Binance cuts at 24 h.
    pub connection_life: Option<Duration>,
    /// How long a listen key lives without renewal, in milliseconds; in lock-step it lives until it is closed.
    pub listen_key_ms: i64,
    /// Messages that a client may send per second on one socket; zero for any number.
    pub messages_per_second: u32,
    /// Streams that one connection may hold.
    pub streams_per_connection: usize,
    /// Frames that may wait for a slow reader before it is cut (not in lock-step, where the market waits).
    pub backlog_frames_max: usize,
    /// Seed of chance in faults.
    pub seed: u64,
    /// Threads that serve; one is enough for loopback and keeps the order of everything plain.
    pub workers: usize,
}
impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            ledger: LedgerConfig::default(),
            limits: LimitConfig::default(),
            lock_step: false,
            groups: 1,
            ping_every: Duration::from_secs(180),
            pong_within: Duration::from_secs(600),
            connection_life: Some(Duration::from_secs(86_400)),
            listen_key_ms: 3_600_000,
            messages_per_second: 10,
            streams_per_connection: 1_024,
            backlog_frames_max: 100_000,
            seed: 1,
            workers: 1,
        }
    }
}
