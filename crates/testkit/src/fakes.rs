//! Ports without an outside: clocks, recorder, exchange, background, lease, outlook, exit.

use std::sync::Arc;
use std::time::Duration;

use fulmar_domain::account::{AccountSnapshot, Income};
use fulmar_domain::execution::{OrderRef, OrderState, Outcome};
use fulmar_domain::id::{OrderId, TradeId};
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, Mark, Timeframe};
use fulmar_domain::order::{Fill, MarginMode, OrderEvent, VenueOrder};
use fulmar_domain::record::Record;
use fulmar_domain::replay::Venue;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Span, Timestamp};
use fulmar_ports::background::Background;
use fulmar_ports::clock::Clock;
use fulmar_ports::exchange::{BoxFuture, MarketReference, QueryError, TradingVenue};
use fulmar_ports::journal::{Completion, Durability, JournalError, Priority};
use fulmar_ports::lease::{Lease, LeaseError, LeaseGrant};
use fulmar_ports::outlook::{Happening, Outlook};
use fulmar_ports::recorder::{Recorder, Stamped};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::exchange::Exchange;

/// Both clocks, moved by hand.
#[derive(Debug, Clone)]
pub struct HandClock(Arc<Mutex<Timestamp>>);
impl HandClock {
    /// A clock that stands at `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(at)))
    }
    /// Moves it.
    pub fn set(&self, at: Timestamp) {
        *self.0.lock() = at;
    }
}
impl Clock for HandClock {
    fn now(&self) -> Now {
        Now::both(*self.0.lock())
    }
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.lock().0).unwrap_or(0).saturating_mul(1_000_000)
    }
}

/// Both clocks, moving with tokio's, which a test can hold still.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    at: Timestamp,
    since: Instant,
}
impl TokioClock {
    /// A clock that stands at `at` now.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self { at, since: Instant::now() }
    }
}
impl Clock for TokioClock {
    fn now(&self) -> Now {
        Now::both(self.at.plus(Span(i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX))))
    }
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A journal in memory: complete at once, or when told.
#[derive(Clone, Default)]
pub struct MemoryRecorder(Arc<Mutex<Written>>);

#[derive(Default)]
struct Written {
    records: Vec<Stamped>,
    held: Option<Vec<(u64, Completion)>>,
}

impl MemoryRecorder {
    /// From now on nothing is durable until [`MemoryRecorder::release`].
    pub fn hold(&self) {
        self.0.lock().held.get_or_insert_default();
    }
    /// Everything held is durable (or failed, where an error is given), and what comes is at once again.
    pub fn release(&self, error: Option<&JournalError>) {
        let held = self.0.lock().held.take().unwrap_or_default();
        for (seq, done) in held {
            done(error.map_or(Ok(seq), |error| Err(error.clone())));
        }
    }
    /// What was handed over, oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.0.lock().records.iter().map(|stamped| stamped.record.clone()).collect()
    }
    /// The same with the papers.
    #[must_use]
    pub fn stamped(&self) -> Vec<Stamped> {
        self.0.lock().records.clone()
    }
    /// How many of them are so.
    pub fn count(&self, wanted: impl Fn(&Record) -> bool) -> usize {
        self.0.lock().records.iter().filter(|stamped| wanted(&stamped.record)).count()
    }
}

impl Recorder for MemoryRecorder {
    fn record(&self, stamped: Stamped, _durability: Durability, _priority: Priority, done: Option<Completion>) {
        let mut written = self.0.lock();
        written.records.push(stamped);
        let seq = written.records.len() as u64;
        let Some(done) = done else { return };
        match &mut written.held {
            Some(held) => held.push((seq, done)),
            None => {
                drop(written);
                done(Ok(seq));
            }
        }
    }
}

/// The small exchange behind the ports. Cloning shares it.
#[derive(Clone)]
pub struct ExchangePort {
    exchange: Arc<Mutex<Exchange>>,
    /// How long a request is under way, half before and half after it takes effect; none: answered in the turn of asking.
    latency: Duration,
    instruments: Arc<Vec<Instrument>>,
    brackets: Arc<Vec<Brackets>>,
}

impl ExchangePort {
    /// Ports to an exchange.
    #[must_use]
    pub fn new(exchange: Exchange, latency: Duration, instruments: Vec<Instrument>, brackets: Vec<Brackets>) -> Self {
        Self { exchange: Arc::new(Mutex::new(exchange)), latency, instruments: Arc::new(instruments), brackets: Arc::new(brackets) }
    }
    /// Looks at or moves the exchange.
    pub fn with<T>(&self, look: impl FnOnce(&mut Exchange) -> T) -> T {
        look(&mut self.exchange.lock())
    }
    fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&mut Exchange) -> T + Send + 'static) -> BoxFuture<T> {
        let (exchange, half) = (Arc::clone(&self.exchange), self.latency / 2);
        Box::pin(async move {
            if !half.is_zero() {
                tokio::time::sleep(half).await;
            }
            let answer = ask(&mut exchange.lock());
            if !half.is_zero() {
                tokio::time::sleep(half).await;
            }
            answer
        })
    }
}

impl TradingVenue for ExchangePort {
    fn place(&self, order: VenueOrder, _sign_until: Option<Timestamp>) -> BoxFuture<Outcome<OrderState>> {
        self.ask(move |exchange| exchange.place(&order))
    }
    fn cancel(&self, order: OrderRef) -> BoxFuture<Outcome<OrderState>> {
        self.ask(move |exchange| exchange.cancel(order))
    }
    fn set_leverage(&self, symbol: Symbol, leverage: u16) -> BoxFuture<Outcome<u16>> {
        self.ask(move |exchange| exchange.set_leverage(symbol, leverage))
    }
    fn set_margin_mode(&self, symbol: Symbol, mode: MarginMode) -> BoxFuture<Outcome<()>> {
        self.ask(move |exchange| exchange.set_margin_mode(symbol, mode))
    }
    fn set_hedge_mode(&self, _hedge: bool) -> BoxFuture<Outcome<()>> {
        self.ask(|_| Outcome::Done(()))
    }
    fn countdown_cancel(&self, _symbol: Symbol, _after: Span) -> BoxFuture<Outcome<()>> {
        self.ask(|_| Outcome::Done(()))
    }
    fn query(&self, order: OrderRef) -> BoxFuture<Result<OrderState, QueryError>> {
        self.ask(move |exchange| exchange.query(order).ok_or(QueryError::NotFound))
    }
    fn open_orders(&self) -> BoxFuture<Result<Vec<OrderState>, QueryError>> {
        self.ask(|exchange| Ok(exchange.open_orders()))
    }
    fn query_child(&self, _symbol: Symbol, _order: OrderId) -> BoxFuture<Result<OrderEvent, QueryError>> {
        self.ask(|_| Err(QueryError::NotFound))
    }
    fn fills(&self, symbol: Symbol, from: Option<TradeId>, since: Timestamp) -> BoxFuture<Result<Vec<Fill>, QueryError>> {
        self.ask(move |exchange| Ok(exchange.fills(symbol, from, since)))
    }
    fn incomes(&self, since: Timestamp) -> BoxFuture<Result<Vec<Income>, QueryError>> {
        self.ask(move |exchange| Ok(exchange.incomes(since)))
    }
    fn account(&self) -> BoxFuture<Result<AccountSnapshot, QueryError>> {
        self.ask(|exchange| Ok(exchange.account()))
    }
    fn server_time(&self) -> BoxFuture<Result<Timestamp, QueryError>> {
        self.ask(|exchange| Ok(exchange.account().time))
    }
}

impl MarketReference for ExchangePort {
    fn instruments(&self) -> BoxFuture<Result<Vec<Instrument>, QueryError>> {
        let instruments = Arc::clone(&self.instruments);
        self.ask(move |_| Ok(instruments.to_vec()))
    }
    fn brackets(&self) -> BoxFuture<Result<Vec<Brackets>, QueryError>> {
        let brackets = Arc::clone(&self.brackets);
        self.ask(move |_| Ok(brackets.to_vec()))
    }
    fn bars(&self, symbol: Symbol, timeframe: Timeframe, _from: Option<Timestamp>, limit: u16) -> BoxFuture<Result<Vec<Bar>, QueryError>> {
        self.ask(move |exchange| Ok(exchange.bars(symbol, timeframe, limit)))
    }
    fn mark(&self, _symbol: Symbol) -> BoxFuture<Result<Mark, QueryError>> {
        self.ask(|_| Err(QueryError::NotFound))
    }
}

/// Runs work as tasks of the thread that asks, in the order of asking.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalBackground;
impl Background for LocalBackground {
    fn spawn(&self, work: fulmar_ports::BoxFuture<'static, ()>) {
        drop(tokio::task::spawn_local(work));
    }
}

/// A lease that only one process ever asks for.
#[derive(Debug, Clone, Default)]
pub struct OwnLease(Arc<Mutex<Option<LeaseGrant>>>);
impl Lease for OwnLease {
    fn acquire<'a>(&'a self, holder: &'a str, ttl_ms: i64, now_ms: i64) -> fulmar_ports::BoxFuture<'a, Result<LeaseGrant, LeaseError>> {
        let mut newest = self.0.lock();
        let epoch = newest.as_ref().map_or(1, |grant| grant.epoch + 1);
        let grant = LeaseGrant { holder: holder.to_owned(), epoch, expiry_ms: now_ms + ttl_ms };
        *newest = Some(grant.clone());
        Box::pin(std::future::ready(Ok(grant)))
    }
    fn renew<'a>(&'a self, grant: &'a LeaseGrant, ttl_ms: i64, now_ms: i64) -> fulmar_ports::BoxFuture<'a, Result<LeaseGrant, LeaseError>> {
        let renewed = LeaseGrant { expiry_ms: now_ms + ttl_ms, ..grant.clone() };
        *self.0.lock() = Some(renewed.clone());
        Box::pin(std::future::ready(Ok(renewed)))
    }
    fn release<'a>(&'a self, _grant: &'a LeaseGrant) -> fulmar_ports::BoxFuture<'a, Result<(), LeaseError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn read(&self) -> fulmar_ports::BoxFuture<'_, Result<Option<LeaseGrant>, LeaseError>> {
        Box::pin(std::future::ready(Ok(self.0.lock().clone())))
    }
}

/// Counts what is shown, and keeps the times of reconciliation.
#[derive(Debug, Clone, Default)]
pub struct Probe(Arc<Mutex<Vec<Timestamp>>>);
impl Probe {
    /// When journal and exchange were found to agree, each time.
    #[must_use]
    pub fn reconciled(&self) -> Vec<Timestamp> {
        self.0.lock().clone()
    }
}
impl Outlook for Probe {
    fn show(&self, happening: Happening, now: Now) {
        if matches!(happening, Happening::Reconciled) {
            self.0.lock().push(now.market);
        }
    }
}

/// Keeps the exit codes instead of leaving.
#[derive(Debug, Clone, Default)]
pub struct Exits(Arc<Mutex<Vec<i32>>>);
impl Exits {
    /// The hook.
    #[must_use]
    pub fn hook(&self) -> Arc<dyn Fn(i32) + Send + Sync> {
        let codes = Arc::clone(&self.0);
        Arc::new(move |code| codes.lock().push(code))
    }
    /// The codes so far.
    #[must_use]
    pub fn codes(&self) -> Vec<i32> {
        self.0.lock().clone()
    }
}
