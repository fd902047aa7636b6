//! Where the exchange is and how it may be asked. Every address is a setting, so tests and the simulated exchange use loopback.

use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Span;
use fulmar_ports::secrets::Secret;
use std::time::Duration;

/// Requests per window that the exchange allows (`exchangeInfo.rateLimits`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Request weight per minute and address.
    pub weight_per_minute: u32,
    /// Orders per ten seconds and account.
    pub orders_per_10s: u32,
    /// Orders per minute and account.
    pub orders_per_minute: u32,
}

impl Default for RequestLimits {
    /// The documented limits of the live exchange.
    fn default() -> Self {
        Self { weight_per_minute: 2_400, orders_per_10s: 300, orders_per_minute: 1_200 }
    }
}

/// The settings of the adapter. [`BinanceSettings::new`] gives the documented defaults for everything but the addresses.
#[derive(Debug, Clone)]
pub struct BinanceSettings {
    /// Base address of REST, such as `https://fapi.binance.com`, without a slash at the end.
    pub rest_url: String,
    /// Socket base for book tickers and depth, such as `wss://fstream.binance.com/public`.
    pub ws_public: String,
    /// Socket base for trades, bars, marks, tickers and liquidations, such as `wss://fstream.binance.com/market`.
    pub ws_market: String,
    /// Socket base of the account's own events, such as `wss://fstream.binance.com/private`; without it there is no user stream.
    pub ws_private: Option<String>,
    /// API key; empty for market data alone.
    pub api_key: Secret,
    /// Secret that signs.
    pub api_secret: Secret,
    /// `recvWindow` of orders and cancels, at most 60 s.
    pub recv_window_orders: Span,
    /// `recvWindow` of everything else that is signed.
    pub recv_window: Span,
    /// What is added to timestamp + recvWindow before "not found" can be believed.
    pub fence_margin: Span,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long an answer may take, connection included.
    pub request_timeout: Duration,
    /// Requests in flight at once; 1 in lock-step.
    pub rest_concurrency: usize,
    /// The limits that the own budget keeps.
    pub limits: RequestLimits,
    /// The contract whose `commissionRate` stands for the account.
    pub fee_symbol: Symbol,
    /// Seed of the back-off's jitter.
    pub seed: u64,
    /// The exchange is simulated and waits for us: its protocol clock is market time and request limits are its own business.
    pub lock_step: bool,
    /// Name of our group at the barrier.
    pub lock_step_group: String,
    /// Longest silence of a socket; half of it asks with a ping, the whole of it drops the socket.
    pub half_open_after: Duration,
    /// Silence of one contract's market data after which it counts as stale.
    pub stale_after: Duration,
    /// First wait before a redial; doubles up to `redial_max`, with jitter.
    pub redial_min: Duration,
    /// Longest wait before a redial.
    pub redial_max: Duration,
    /// Age at which a socket is replaced by a second one with overlap, less up to 5 % of jitter.
    pub socket_age_max: Duration,
    /// How long old and new socket are read side by side.
    pub overlap: Duration,
    /// How often the listen key is extended.
    pub key_renewal: Duration,
    /// Closed bars are compared with `klines`.
    pub verify_bars: bool,
}

impl BinanceSettings {
    /// Settings for an exchange at the given addresses.
    ///
    /// `ws_base` is the part before `/public`, `/market` and `/private`, such as `wss://fstream.binance.com`.
    #[must_use]
    pub fn new(rest_url: &str, ws_base: &str, api_key: Secret, api_secret: Secret, fee_symbol: Symbol) -> Self {
        let base = ws_base.trim_end_matches('/');
        Self {
            rest_url: rest_url.trim_end_matches('/').to_owned(),
            ws_public: format!("{base}/public"),
            ws_market: format!("{base}/market"),
            ws_private: Some(format!("{base}/private")),
            api_key,
            api_secret,
            recv_window_orders: Span(2_000),
            recv_window: Span(5_000),
            fence_margin: Span::secs(5),
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(10),
            rest_concurrency: 16,
            limits: RequestLimits::default(),
            fee_symbol,
            seed: 0,
            lock_step: false,
            lock_step_group: "fulmar".to_owned(),
            half_open_after: Duration::from_secs(5),
            stale_after: Duration::from_secs(5),
            redial_min: Duration::from_millis(250),
            redial_max: Duration::from_secs(30),
            socket_age_max: Duration::from_secs(23 * 3_600),
            overlap: Duration::from_secs(3),
            key_renewal: Duration::from_secs(30 * 60),
            verify_bars: true,
        }
    }

    /// The same exchange in lock-step: one request at a time, no budget of our own, no clock but the market's.
    #[must_use]
    pub fn in_lock_step(mut self, group: &str) -> Self {
        self.lock_step = true;
        self.lock_step_group = group.to_owned();
        self.rest_concurrency = 1;
        self.verify_bars = false;
        self.half_open_after = Duration::from_secs(60);
        self
    }
}
