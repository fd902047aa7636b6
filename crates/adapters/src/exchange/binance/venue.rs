//! The exchange behind the ports: one [`BinanceVenue`] serves trading, reference questions and the streams.

use super::answers;
use super::clock::VenueClock;
use super::rest::{Call, Rest, Security, SetupError};
use super::settings::BinanceSettings;
use super::sign::Query;
use fulmar_domain::account::SymbolSettings;
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, DepthSnapshot, Mark, Timeframe};
use fulmar_domain::order::VenueError;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::exchange::{BoxFuture, MarketReference, QueryError};
use reqwest::Method;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Binance USDⓈ-M, simulated or real. Cheap to clone; all clones share budget, clock and connections.
#[derive(Debug, Clone)]
pub struct BinanceVenue {
    pub(super) rest: Arc<Rest>,
}

impl BinanceVenue {
    /// A venue whose requests run on `runtime` (a multi-thread runtime with io and time). Nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupError`] when the HTTP client cannot be made.
    pub fn new(settings: BinanceSettings, runtime: Handle) -> Result<Self, SetupError> {
        Rest::new(settings, runtime).map(|rest| Self { rest })
    }
    /// Measures the exchange's clock. To be called before the first signed request; later ones do it themselves on −1021.
    pub fn sync_clock(&self) -> BoxFuture<Result<(), QueryError>> {
        let rest = Arc::clone(&self.rest);
        self.rest.on_runtime(async move { rest.sync_clock(true).await })
    }
    /// The exchange's clock: the protocol clock of the engine, on which fences and `sign_until` are given.
    #[must_use]
    pub fn clock(&self) -> Arc<VenueClock> {
        Arc::clone(&self.rest.clock)
    }
    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &BinanceSettings {
        &self.rest.settings
    }
    /// How long the exchange has banned this address for; trading must halt meanwhile.
    #[must_use]
    pub fn banned_for(&self) -> Option<Span> {
        self.rest.budget.banned_for(self.rest.clock.now())
    }
    /// How long only cancels and reducing orders are sent.
    #[must_use]
    pub fn throttled_for(&self) -> Option<Span> {
        self.rest.budget.throttled_for(self.rest.clock.now())
    }
    /// The exchange's refusal of our key, after which nothing is signed any more.
    #[must_use]
    pub fn signing_stopped(&self) -> Option<VenueError> {
        self.rest.dead_key()
    }
    /// The key was put right at the exchange (address list, permissions): sign again.
    pub fn resume_signing(&self) {
        self.rest.revive_key();
    }

    /// Leverage and margin mode of one contract.
    pub(super) fn symbol_settings(&self, symbol: Symbol) -> BoxFuture<Result<SymbolSettings, QueryError>> {
        let signed = Security::Signed(self.rest.settings.recv_window);
        let query = Query::new().with("symbol", symbol);
        let asked = self.rest.ask(Call::new(Method::GET, "/fapi/v1/symbolConfig", query, signed, 5));
        Box::pin(async move { answers::symbol_config(&asked.await?)?.into_iter().find(|s| s.symbol == symbol).ok_or(QueryError::NotFound) })
    }
    pub(super) fn listen_key(&self) -> BoxFuture<Result<String, QueryError>> {
        let asked = self.rest.ask(Call::new(Method::POST, "/fapi/v1/listenKey", Query::new(), Security::Key, 1));
        Box::pin(async move { answers::listen_key(&asked.await?) })
    }
    pub(super) fn extend_listen_key(&self) -> BoxFuture<Result<(), QueryError>> {
        let asked = self.rest.ask(Call::new(Method::PUT, "/fapi/v1/listenKey", Query::new(), Security::Key, 1));
        Box::pin(async move { asked.await.map(drop) })
    }
    pub(super) fn depth_snapshot(&self, symbol: Symbol) -> BoxFuture<Result<DepthSnapshot, QueryError>> {
        let query = Query::new().with("symbol", symbol).with("limit", 1_000);
        let asked = self.rest.ask(Call::new(Method::GET, "/fapi/v1/depth", query, Security::Open, 20));
        Box::pin(async move { answers::depth(symbol, &asked.await?) })
    }
}

/// Weight of `klines` by number of rows.
const fn klines_weight(limit: u16) -> u32 {
    match limit {
        0..100 => 1,
        100..500 => 2,
        500..=1_000 => 5,
        _ => 10,
    }
}

async fn mark_now(rest: &Rest, symbol: Symbol) -> Result<Mark, QueryError> {
    let query = Query::new().with("symbol", symbol);
    answers::mark(&rest.ask_now(Call::new(Method::GET, "/fapi/v1/premiumIndex", query, Security::Open, 1)).await?)
}

async fn bars_now(
    rest: Arc<Rest>,
    symbol: Symbol,
    timeframe: Timeframe,
    from: Option<Timestamp>,
    limit: u16,
) -> Result<Vec<Bar>, QueryError> {
    // A bar is closed when the market's own clock has passed its end. That clock is read first, so it can only err to the
    // side of "not closed yet"; the protocol's clock will not do, since a simulated market may run faster than it.
    let now = if rest.settings.lock_step { rest.clock.now() } else { mark_now(&rest, symbol).await?.time };
    let limit = limit.clamp(1, 1_500);
    // The forming bar may take one place.
    let asked = if from.is_none() { limit.saturating_add(1).min(1_500) } else { limit };
    let query = Query::new()
        .with("symbol", symbol)
        .with("interval", timeframe)
        .with_some("startTime", from.map(Timestamp::millis))
        .with("limit", asked);
    let body = rest.ask_now(Call::new(Method::GET, "/fapi/v1/klines", query, Security::Open, klines_weight(asked))).await?;
    let mut bars = answers::bars(symbol, timeframe, &body)?;
    bars.retain(|bar| bar.end() <= now);
    if from.is_none() && bars.len() > usize::from(limit) {
        bars.drain(..bars.len() - usize::from(limit));
    }
    Ok(bars)
}

impl MarketReference for BinanceVenue {
    fn instruments(&self) -> BoxFuture<Result<Vec<Instrument>, QueryError>> {
        let rest = Arc::clone(&self.rest);
        self.rest.on_runtime(async move {
            let open = |path| Call::new(Method::GET, path, Query::new(), Security::Open, 1);
            let intervals = answers::funding_intervals(&rest.ask_now(open("/fapi/v1/fundingInfo")).await?)?;
            let (instruments, limits) = answers::instruments(&rest.ask_now(open("/fapi/v1/exchangeInfo")).await?, &intervals)?;
            rest.budget.set_limits(limits);
            Ok(instruments)
        })
    }
    fn brackets(&self) -> BoxFuture<Result<Vec<Brackets>, QueryError>> {
        let signed = Security::Signed(self.rest.settings.recv_window);
        let asked = self.rest.ask(Call::new(Method::GET, "/fapi/v1/leverageBracket", Query::new(), signed, 1));
        Box::pin(async move { answers::brackets(&asked.await?) })
    }
    fn bars(&self, symbol: Symbol, timeframe: Timeframe, from: Option<Timestamp>, limit: u16) -> BoxFuture<Result<Vec<Bar>, QueryError>> {
        self.rest.on_runtime(bars_now(Arc::clone(&self.rest), symbol, timeframe, from, limit))
    }
    fn mark(&self, symbol: Symbol) -> BoxFuture<Result<Mark, QueryError>> {
        let rest = Arc::clone(&self.rest);
        self.rest.on_runtime(async move { mark_now(&rest, symbol).await })
    }
}
