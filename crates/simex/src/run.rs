//! The run loop: takes steps from a [`MarketSource`] and plays them to the market at the right moment.
//!
//! - Real time, or N times faster: market time is start + N · time passed since the run began. Between steps the market
//!   clock ticks, so that requests carry a fresh market time. A step that is late is played at once, none is left out.
//! - Lock-step ([`Speed::Max`]): a barrier before the first step and after every step; the next one comes when every group
//!   has acknowledged. Where user-data frames went out after a barrier, a further one follows at the same market time. No
//!   clock is read and nothing sleeps, so the result does not depend on the machine.
//!
//! The loop runs on a thread of its own with its own runtime, since a source may block for a moment and since the market must
//! not wait for the server's threads. Invariant: steps are played in the source's order, each exactly once.

use crate::server::Floor;
use crate::source::{MarketSource, PointKind, SourceError, Step};
use crate::venue::{ApiError, Exchange, ExchangeConfig};
use fulmar_domain::time::{Span, Timestamp};
use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Longest time between two ticks of the market clock.
const TICK: Duration = Duration::from_millis(250);

/// What the run loop drives.
pub trait Market: Send + Sync + 'static {
    /// Applies one instant of the market and sends everything that follows from it.
    fn advance(&self, step: &Step);
    /// Lets market time pass without an event.
    fn tick(&self, now: Timestamp);
    /// Sends a barrier at the present market time and gives its number; `last`: no market event follows.
    fn send_barrier(&self, last: bool) -> u64;
    /// Waits until all groups have acknowledged barrier `number`, and as many groups as configured are there.
    fn acknowledged(&self, number: u64) -> impl Future<Output = ()> + Send;
    /// User-data frames that went out since the newest barrier.
    fn private_frames_since_barrier(&self) -> u64;
}

impl Market for Floor {
    fn advance(&self, step: &Step) {
        Self::advance(self, step);
    }
    fn tick(&self, now: Timestamp) {
        Self::tick(self, now);
    }
    fn send_barrier(&self, last: bool) -> u64 {
        Self::send_barrier(self, last)
    }
    fn acknowledged(&self, number: u64) -> impl Future<Output = ()> + Send {
        Self::acknowledged(self, number)
    }
    fn private_frames_since_barrier(&self) -> u64 {
        Self::private_frames_since_barrier(self)
    }
}

/// An exchange that lists what `source` trades, with the source's history; `configure` may change the configuration before.
///
/// # Errors
/// As [`Exchange::new`].
pub fn open_exchange(source: &dyn MarketSource, configure: impl FnOnce(&mut ExchangeConfig)) -> Result<Exchange, ApiError> {
    let mut config = ExchangeConfig::new(source.start(), source.instruments(), source.brackets());
    configure(&mut config);
    let mut exchange = Exchange::new(config)?;
    for plan in source.plan() {
        exchange.add_history(plan.symbol, plan.timeframe, &source.history(plan.symbol, plan.timeframe));
    }
    Ok(exchange)
}

/// How fast market time goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speed {
    /// So many times as fast as time; 1 is real time.
    Times(NonZeroU32),
    /// As fast as every client acknowledges.
    Max,
}

impl Speed {
    /// Market time and wall time are the same.
    pub const REAL: Self = Self::Times(NonZeroU32::MIN);
}

/// The text is no speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no speed: a whole number from 1 (real time) or \"max\" (lock-step) expected")]
pub struct BadSpeed(pub String);

impl FromStr for Speed {
    type Err = BadSpeed;
    fn from_str(text: &str) -> Result<Self, BadSpeed> {
        if text == "max" {
            return Ok(Self::Max);
        }
        text.parse().map(Self::Times).map_err(|_| BadSpeed(text.chars().take(16).collect()))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(n) => write!(f, "{n}"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// How far a run is; read at any time.
#[derive(Debug, Default)]
pub struct Progress {
    steps: AtomicU64,
    bars: AtomicU64,
    market: AtomicI64,
}

impl Progress {
    /// Steps played.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Acquire)
    }
    /// Closed bars played, all symbols together.
    #[must_use]
    pub fn bars(&self) -> u64 {
        self.bars.load(Ordering::Acquire)
    }
    /// Time of the newest step.
    #[must_use]
    pub fn market_time(&self) -> Timestamp {
        Timestamp(self.market.load(Ordering::Acquire))
    }
}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunEnd {
    /// The source has no more steps, and in lock-step the last barrier was acknowledged.
    DataEnded,
    /// Somebody asked.
    Stopped,
}

/// What a run did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunReport {
    /// Why it ended.
    pub end: RunEnd,
    /// Steps played.
    pub steps: u64,
    /// Closed bars played, all symbols together.
    pub bars: u64,
    /// Time of the last step.
    pub market_time: Timestamp,
    /// What the source remarks on its data.
    pub remarks: Vec<String>,
}

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source failed.
    #[error("the market source failed after {steps} steps: {source}")]
    Source {
        /// Steps played before.
        steps: u64,
        /// Why.
        source: SourceError,
    },
    /// The thread could not be started.
    #[error("the run loop could not be started: {0}")]
    Start(String),
    /// The thread panicked.
    #[error("the run loop panicked; the market stands still")]
    Panicked,
}

/// A run on its own thread.
#[derive(Debug)]
pub struct RunHandle {
    stop: Arc<Stop>,
    progress: Arc<Progress>,
    done: oneshot::Receiver<Result<RunReport, RunError>>,
}

impl RunHandle {
    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
    /// A handle that stops the run from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.stop))
    }
    /// Asks the run to end before its next step.
    pub fn stop(&self) {
        self.stop.set();
    }
    /// Waits for the end.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn finished(self) -> Result<RunReport, RunError> {
        self.done.await.unwrap_or(Err(RunError::Panicked))
    }
}

/// Stops a run.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Stop>);

impl Stopper {
    /// Asks the run to end before its next step.
    pub fn stop(&self) {
        self.0.set();
    }
}

#[derive(Debug, Default)]
struct Stop {
    asked: AtomicBool,
    wake: Notify,
}

impl Stop {
    fn set(&self) {
        self.asked.store(true, Ordering::Release);
        self.wake.notify_one();
    }
    fn asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
    /// Runs `work` unless the stop comes first; `None` when it came.
    async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        if self.asked() {
            return None;
        }
        tokio::select! {
            biased;
            () = self.wake.notified() => { self.wake.notify_one(); None }
            done = work => Some(done),
        }
    }
}

/// Starts a run on a thread of its own.
///
/// # Errors
/// [`RunError::Start`] when the thread or its runtime cannot be had.
pub fn spawn<M: Market>(market: Arc<M>, source: Box<dyn MarketSource>, speed: Speed) -> Result<RunHandle, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|e| RunError::Start(e.to_string()))?;
    let (sender, done) = oneshot::channel();
    let (stop, progress) = (Arc::new(Stop::default()), Arc::new(Progress::default()));
    let mut run = Run { market, source, progress: Arc::clone(&progress), stop: Arc::clone(&stop) };
    std::thread::Builder::new()
        .name("simex-market".to_owned())
        .spawn(move || {
            let result = runtime.block_on(run.play(speed));
            if sender.send(result).is_err() {
                tracing::debug!("nobody waits for the end of the run");
            }
        })
        .map_err(|e| RunError::Start(e.to_string()))?;
    Ok(RunHandle { stop, progress, done })
}

struct Run<M> {
    market: Arc<M>,
    source: Box<dyn MarketSource>,
    progress: Arc<Progress>,
    stop: Arc<Stop>,
}

impl<M: Market> Run<M> {
    async fn play(&mut self, speed: Speed) -> Result<RunReport, RunError> {
        let end = match speed {
            Speed::Times(times) => self.paced(times).await?,
            Speed::Max => self.in_lock_step().await?,
        };
        let p = &self.progress;
        Ok(RunReport { end, steps: p.steps(), bars: p.bars(), market_time: p.market_time(), remarks: self.source.remarks() })
    }
    fn next(&mut self) -> Result<Option<Step>, RunError> {
        let steps = self.progress.steps();
        self.source.next_step().map_err(|source| RunError::Source { steps, source })
    }
    fn advance(&self, step: &Step) {
        self.market.advance(step);
        let bars = step.points.iter().filter(|p| matches!(p.kind, PointKind::BarClosed(_))).count() as u64;
        self.progress.bars.fetch_add(bars, Ordering::AcqRel);
        self.progress.market.store(step.time.millis(), Ordering::Release);
        self.progress.steps.fetch_add(1, Ordering::AcqRel);
    }
    async fn paced(&mut self, times: NonZeroU32) -> Result<RunEnd, RunError> {
        let (start, began) = (self.source.start(), Instant::now());
        while let Some(step) = self.next()? {
            let due = began + wall_span(step.time.since(start), times);
            loop {
                let now = Instant::now();
                if now >= due {
                    break;
                }
                let stop = Arc::clone(&self.stop);
                if stop.unless(tokio::time::sleep_until(due.min(now + TICK))).await.is_none() {
                    return Ok(RunEnd::Stopped);
                }
                let market = start.plus(market_span(began.elapsed(), times));
                if Instant::now() < due && market < step.time {
                    self.market.tick(market);
                }
            }
            if self.stop.asked() {
                return Ok(RunEnd::Stopped);
            }
            self.advance(&step);
        }
        Ok(RunEnd::DataEnded)
    }
    async fn in_lock_step(&mut self) -> Result<RunEnd, RunError> {
        let mut next = self.next()?;
        loop {
            if !self.barrier(next.is_none()).await {
                return Ok(RunEnd::Stopped);
            }
            let Some(step) = next else { return Ok(RunEnd::DataEnded) };
            self.advance(&step);
            next = self.next()?;
        }
    }
    /// Sends barriers until one has been acknowledged and nothing private went out since; false when the run is to stop.
    async fn barrier(&self, last: bool) -> bool {
        loop {
            let number = self.market.send_barrier(last);
            if self.stop.unless(self.market.acknowledged(number)).await.is_none() {
                return false;
            }
            if self.market.private_frames_since_barrier() == 0 {
                return true;
            }
        }
    }
}

fn wall_span(market: Span, times: NonZeroU32) -> Duration {
    Duration::from_millis(u64::try_from(market.0).unwrap_or(0)) / times.get()
}

fn market_span(wall: Duration, times: NonZeroU32) -> Span {
    Span(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX).saturating_mul(i64::from(times.get())))
}

#[cfg(test)]
mod tests;
