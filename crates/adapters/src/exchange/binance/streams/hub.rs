//! Where the frames of all sockets meet: doubles removed, bars and books kept without gap, each symbol's data state told.

use super::super::bars::{BarOut, BarTrack};
use super::super::decode::{self, Frame};
use super::super::depth::{DepthOut, DepthSync};
use super::super::user::UserEvent;
use super::super::venue::BinanceVenue;
use super::lockstep::LockStep;
use super::socket::SocketSpec;
use super::{Route, StreamStart};
use fulmar_domain::market::{Bar, DepthDelta, FeedState, FeedStatus, MarketEvent, Timeframe};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_ports::exchange::{MarketReference, StreamEvent, StreamPlan, StreamSink};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// Unreadable frames in a row after which a socket is dropped.
const SUSPECT_MAX: u32 = 3;
/// Account frames remembered so that a frame read from two sockets counts once.
const REMEMBERED: usize = 1_024;
/// At most one book snapshot per contract in this time, and one try of a repair.
const RETRY: Duration = Duration::from_secs(1);
/// Bars per request of a repair.
const REPAIR_BARS: u16 = 1_500;
/// A series is compared with `klines` at most this often.
const VERIFY_EVERY: Duration = Duration::from_secs(30);
/// How long after its close a bar is compared.
const VERIFY_AFTER: Duration = Duration::from_secs(2);

type Series = (Symbol, Timeframe);

/// What the socket that brought a frame has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// Drop it and dial again.
    Redial(String),
    /// The listen key is gone.
    KeyGone,
}

/// Numbers of the newest event of one contract, against doubles and late frames.
#[derive(Debug, Default)]
struct Newest {
    top: Option<i64>,
    trade: Option<i64>,
    mark: Option<Timestamp>,
    ticker: Option<Timestamp>,
}

#[derive(Debug)]
struct Health {
    down: usize,
    silent: bool,
    doubtful: bool,
    seen: Instant,
    shown: Option<FeedState>,
}

pub(super) struct Hub {
    me: Weak<RefCell<Self>>,
    venue: BinanceVenue,
    plan: StreamPlan,
    sink: StreamSink,
    monotonic_ns: Option<Box<dyn Fn() -> u64>>,
    /// Contracts of each socket.
    carried: Vec<(Route, HashSet<Symbol>)>,
    was_up: Vec<bool>,
    errors: Vec<u32>,
    health: BTreeMap<Symbol, Health>,
    bars: HashMap<Series, BarTrack>,
    verified: HashMap<Series, Instant>,
    depth: HashMap<Symbol, DepthSync>,
    newest: HashMap<Symbol, Newest>,
    remembered: VecDeque<u64>,
    lock_step: Option<LockStep>,
}

impl Hub {
    pub fn new(venue: BinanceVenue, plan: StreamPlan, start: StreamStart, sink: StreamSink, specs: &[SocketSpec]) -> Self {
        let carried: Vec<_> =
            specs.iter().map(|s| (s.route, s.streams.iter().map(|(symbol, _)| *symbol).collect::<HashSet<_>>())).collect();
        let now = Instant::now();
        let health = plan
            .symbols
            .iter()
            .map(|s| {
                let down = carried.iter().filter(|(_, symbols)| symbols.contains(s)).count();
                (*s, Health { down, silent: false, doubtful: false, seen: now, shown: None })
            })
            .collect();
        let series = plan.symbols.iter().flat_map(|s| plan.timeframes.iter().map(move |t| (*s, *t)));
        let bars = series.map(|key| (key, BarTrack::new(key.1, start.known_bars.get(&key).copied()))).collect();
        let depth = if plan.depth { plan.symbols.iter().map(|s| (*s, DepthSync::default())).collect() } else { HashMap::new() };
        let lock_step = plan.lock_step.then(|| LockStep::new(specs.len()));
        Self {
            me: Weak::new(),
            venue,
            sink,
            monotonic_ns: start.monotonic_ns,
            was_up: vec![false; specs.len()],
            errors: vec![0; specs.len()],
            carried,
            health,
            bars,
            verified: HashMap::new(),
            depth,
            newest: HashMap::new(),
            remembered: VecDeque::with_capacity(REMEMBERED),
            lock_step,
            plan,
        }
    }
    /// Lets the hub reach itself from the tasks that it spawns.
    pub fn adopt(hub: &Rc<RefCell<Self>>) {
        hub.borrow_mut().me = Rc::downgrade(hub);
    }
    pub fn now_ns(&self) -> u64 {
        match &self.monotonic_ns {
            Some(clock) => clock(),
            None => u64::try_from(self.venue.clock().elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }
    fn tell(&mut self, event: StreamEvent) {
        (self.sink)(event);
    }

    /// A socket is up and subscribed.
    pub fn up(&mut self, index: usize) {
        let again = self.was_up.get(index).copied().unwrap_or(false);
        if let Some(up) = self.was_up.get_mut(index) {
            *up = true;
        }
        if let Some(errors) = self.errors.get_mut(index) {
            *errors = 0;
        }
        let Some((route, symbols)) = self.carried.get(index).cloned() else { return };
        if route == Route::Private {
            if again {
                self.tell(StreamEvent::AccountGap { reason: "the account's stream was interrupted and is back".to_owned() });
            }
            return;
        }
        for symbol in self.plan.symbols.clone().into_iter().filter(|s| symbols.contains(s)) {
            if let Some(health) = self.health.get_mut(&symbol) {
                health.down = health.down.saturating_sub(1);
                health.seen = Instant::now();
                health.silent = false;
            }
            // In lock-step the market has not moved before the first barrier, so nothing can be missing at the start.
            if route == Route::Market && (again || self.lock_step.is_none()) {
                for timeframe in self.plan.timeframes.clone() {
                    self.track((symbol, timeframe), BarTrack::reconnected);
                }
            }
            self.refresh(symbol);
        }
    }

    /// A socket was lost.
    pub fn down(&mut self, index: usize, was_up: bool) {
        if let Some(lock) = &mut self.lock_step {
            lock.reset(index);
        }
        let Some((route, symbols)) = self.carried.get(index).cloned() else { return };
        if route == Route::Private || !was_up {
            return;
        }
        for symbol in self.plan.symbols.clone().into_iter().filter(|s| symbols.contains(s)) {
            if let Some(health) = self.health.get_mut(&symbol) {
                health.down += 1;
            }
            if let Some(newest) = self.newest.get_mut(&symbol) {
                match route {
                    Route::Public => newest.top = None,
                    _ => *newest = Newest { top: newest.top, ..Newest::default() },
                }
            }
            if route == Route::Public {
                self.synchronise(symbol, DepthSync::reset);
            }
            self.refresh(symbol);
        }
    }

    /// Tells a symbol's data state where it has changed.
    fn refresh(&mut self, symbol: Symbol) {
        let repairing = self.plan.timeframes.iter().any(|t| self.bars.get(&(symbol, *t)).is_some_and(BarTrack::is_repairing));
        let book = self.depth.get(&symbol).is_none_or(DepthSync::is_valid);
        let Some(health) = self.health.get_mut(&symbol) else { return };
        let state = if health.down > 0 || health.silent {
            FeedState::Stale
        } else if repairing || !book || health.doubtful {
            FeedState::Gap
        } else {
            FeedState::Up
        };
        let before = health.shown;
        if before == Some(state) || (before.is_none() && state == FeedState::Stale) {
            return;
        }
        health.shown = Some(state);
        if before == Some(FeedState::Gap) && state == FeedState::Up {
            self.tell(StreamEvent::Feed(FeedStatus { symbol, state: FeedState::Resynced }));
        }
        self.tell(StreamEvent::Feed(FeedStatus { symbol, state }));
    }

    /// Reads a frame and hands on what it brings.
    pub fn on_frame(&mut self, index: usize, bytes: &[u8]) -> Verdict {
        let received_ns = self.now_ns();
        let private = self.carried.get(index).is_some_and(|(route, _)| *route == Route::Private);
        let frame = match decode::frame(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.unreadable(index, private, bytes, error),
        };
        if let Some(errors) = self.errors.get_mut(index) {
            *errors = 0;
        }
        match &frame {
            Frame::Reply { refused: Some(why), .. } => return Verdict::Redial(format!("a request on the socket was refused: {why}")),
            Frame::Reply { .. } | Frame::Other => return Verdict::Go,
            Frame::User(UserEvent::KeyExpired) => return Verdict::KeyGone,
            Frame::User(_) | Frame::Market(MarketEvent::Liquidation(_)) if self.is_double(bytes) => return Verdict::Go,
            _ => {}
        }
        if let Some(lock) = &mut self.lock_step {
            if let Some(step) = lock.push(index, frame, received_ns) {
                self.venue.rest.clock.set_market(step.at);
                for (frame, received_ns) in step.frames {
                    self.hand_on(frame, received_ns);
                }
                self.tell(StreamEvent::Barrier { number: step.number, at: step.at, last: step.last });
            }
        } else {
            self.hand_on(frame, received_ns);
        }
        Verdict::Go
    }

    fn unreadable(&mut self, index: usize, private: bool, bytes: &[u8], error: decode::DecodeError) -> Verdict {
        let start = String::from_utf8_lossy(bytes.get(..160).unwrap_or(bytes)).into_owned();
        tracing::warn!(%error, start, "a frame is refused");
        if private {
            // What it said about the account is lost, so the account is compared as a whole.
            self.tell(StreamEvent::AccountGap { reason: format!("an event of the account could not be read: {error}") });
            return Verdict::Go;
        }
        let Some(errors) = self.errors.get_mut(index) else { return Verdict::Go };
        *errors += 1;
        if *errors >= SUSPECT_MAX { Verdict::Redial(format!("{SUSPECT_MAX} unreadable frames in a row")) } else { Verdict::Go }
    }

    fn is_double(&mut self, bytes: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let hash = hasher.finish();
        if self.remembered.contains(&hash) {
            return true;
        }
        if self.remembered.len() == REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back(hash);
        false
    }

    fn hand_on(&mut self, frame: Frame, received_ns: u64) {
        match frame {
            Frame::Market(event) => self.market(event, received_ns),
            Frame::User(event) => self.user(event),
            Frame::Reply { .. } | Frame::Barrier { .. } | Frame::Other => {}
        }
    }

    fn user(&mut self, event: UserEvent) {
        match event {
            UserEvent::Order(event) => self.tell(StreamEvent::Order(event)),
            UserEvent::Algo(event) => self.tell(StreamEvent::Algo(event)),
            UserEvent::Account(event) => self.tell(StreamEvent::Account(event)),
            UserEvent::MarginCall { symbols } => self.tell(StreamEvent::MarginCall { symbols }),
            UserEvent::TriggerRejected { symbol, order, reason } => {
                tracing::warn!(%symbol, %order, reason, "a triggered order was refused by the exchange");
                self.tell(StreamEvent::AccountGap { reason: format!("{symbol}: a triggered order was refused: {reason}") });
            }
            UserEvent::Leverage { symbol, leverage } => {
                tracing::info!(%symbol, leverage, "leverage was changed; the margin mode is asked for");
                let (me, asked) = (self.me.clone(), self.venue.symbol_settings(symbol));
                tokio::task::spawn_local(async move {
                    let answer = asked.await;
                    let Some(hub) = me.upgrade() else { return };
                    let event = match answer {
                        Ok(settings) => StreamEvent::Settings(settings),
                        Err(error) => {
                            StreamEvent::AccountGap { reason: format!("{symbol}: settings changed and could not be read: {error}") }
                        }
                    };
                    hub.borrow_mut().tell(event);
                });
            }
            UserEvent::TradeLite { .. } | UserEvent::KeyExpired => {}
        }
    }

    fn market(&mut self, event: MarketEvent, received_ns: u64) {
        let symbol = event.symbol();
        if let Some(health) = self.health.get_mut(&symbol) {
            health.seen = Instant::now();
            if health.silent {
                health.silent = false;
                self.refresh(symbol);
            }
        }
        let newest = self.newest.entry(symbol).or_default();
        let fresh = match &event {
            MarketEvent::BookTop(x) => newer(&mut newest.top, x.update),
            MarketEvent::Trade(x) => newer(&mut newest.trade, x.id),
            MarketEvent::Mark(x) => newer(&mut newest.mark, x.time),
            MarketEvent::Ticker(x) => newer(&mut newest.ticker, x.time),
            _ => true,
        };
        if !fresh {
            return;
        }
        match event {
            MarketEvent::BarClosed(bar) => {
                let key = (symbol, bar.timeframe);
                self.track(key, |track, out| track.on_closed(bar, out));
                self.refresh(symbol);
            }
            MarketEvent::BarForming(bar) => {
                self.track((symbol, bar.timeframe), |track, out| track.on_forming(&bar, out));
                self.refresh(symbol);
                self.tell(StreamEvent::Market { event, received_ns });
            }
            MarketEvent::Depth(delta) => {
                self.synchronise(symbol, |sync, out| sync.on_frame(delta, out));
                self.refresh(symbol);
            }
            event => self.tell(StreamEvent::Market { event, received_ns }),
        }
    }

    fn track(&mut self, key: Series, step: impl FnOnce(&mut BarTrack, &mut Vec<BarOut>)) {
        let Some(track) = self.bars.get_mut(&key) else { return };
        let mut out = Vec::new();
        step(track, &mut out);
        for o in out {
            match o {
                BarOut::Bar(bar) => {
                    let received_ns = self.now_ns();
                    self.tell(StreamEvent::Market { event: MarketEvent::BarClosed(bar), received_ns });
                    self.verify(bar);
                }
                BarOut::Fetch(from) => self.repair(key, from),
                BarOut::Repaired => {}
            }
        }
    }

    fn repair(&self, key: Series, from: Timestamp) {
        let (me, venue) = (self.me.clone(), self.venue.clone());
        tokio::task::spawn_local(async move {
            let started = Instant::now();
            let answer = venue.bars(key.0, key.1, Some(from), REPAIR_BARS).await;
            let Some(hub) = me.upgrade() else { return };
            let (bars, failed) = match answer {
                Ok(bars) => (bars, false),
                Err(error) => {
                    tracing::warn!(symbol = %key.0, timeframe = %key.1, %from, %error, "missing bars could not be fetched; trying again");
                    (Vec::new(), true)
                }
            };
            // A full answer may not be the last one; an empty or failed one is asked for again, once a second.
            let more = bars.len() == usize::from(REPAIR_BARS);
            if failed || bars.is_empty() {
                drop(hub);
                tokio::time::sleep_until(started + RETRY).await;
            }
            let Some(hub) = me.upgrade() else { return };
            let mut hub = hub.borrow_mut();
            hub.track(key, |track, out| track.on_fetched(&bars, failed, out));
            if more {
                hub.track(key, BarTrack::reconnected);
            }
            hub.refresh(key.0);
        });
    }

    /// Compares a closed bar with what `klines` says of it.
    fn verify(&mut self, bar: Bar) {
        let key = (bar.symbol, bar.timeframe);
        let due = self.verified.get(&key).is_none_or(|at| at.elapsed() >= VERIFY_EVERY);
        if !self.venue.settings().verify_bars || !due {
            return;
        }
        self.verified.insert(key, Instant::now());
        let (me, venue) = (self.me.clone(), self.venue.clone());
        tokio::task::spawn_local(async move {
            tokio::time::sleep(VERIFY_AFTER).await;
            let answer = venue.bars(bar.symbol, bar.timeframe, Some(bar.open_time), 1).await;
            let Some(hub) = me.upgrade() else { return };
            let mut hub = hub.borrow_mut();
            let doubtful = match answer.as_deref() {
                Ok([of_rest]) if of_rest.open_time == bar.open_time => *of_rest != bar,
                Ok(_) => return,
                Err(error) => {
                    tracing::debug!(symbol = %bar.symbol, %error, "a closed bar could not be compared");
                    return;
                }
            };
            if doubtful {
                tracing::error!(symbol = %bar.symbol, timeframe = %bar.timeframe, at = %bar.open_time, "a closed bar of the stream differs from klines");
            }
            if let Some(health) = hub.health.get_mut(&bar.symbol) {
                health.doubtful = doubtful;
            }
            hub.refresh(bar.symbol);
        });
    }

    fn synchronise(&mut self, symbol: Symbol, step: impl FnOnce(&mut DepthSync, &mut Vec<DepthOut>)) {
        let Some(sync) = self.depth.get_mut(&symbol) else { return };
        let mut out = Vec::new();
        step(sync, &mut out);
        for o in out {
            let delta = match o {
                DepthOut::Invalid => {
                    self.refresh(symbol);
                    continue;
                }
                DepthOut::NeedSnapshot => {
                    self.snapshot(symbol);
                    continue;
                }
                // The whole book as a change that follows nothing: `previous` 0 means "forget what was".
                DepthOut::Book(b) => {
                    DepthDelta { symbol, first: b.last, last: b.last, previous: 0, bids: b.bids, asks: b.asks, time: b.time }
                }
                DepthOut::Delta(delta) => delta,
            };
            let received_ns = self.now_ns();
            self.tell(StreamEvent::Market { event: MarketEvent::Depth(delta), received_ns });
        }
    }

    fn snapshot(&self, symbol: Symbol) {
        let (me, venue) = (self.me.clone(), self.venue.clone());
        tokio::task::spawn_local(async move {
            loop {
                // First wait, then ask: the stream must have begun before the snapshot, and one a second is enough.
                tokio::time::sleep(RETRY).await;
                let answer = venue.depth_snapshot(symbol).await;
                let Some(hub) = me.upgrade() else { return };
                match answer {
                    Ok(snapshot) => {
                        let mut hub = hub.borrow_mut();
                        hub.synchronise(symbol, |sync, out| sync.on_snapshot(snapshot, out));
                        hub.refresh(symbol);
                        return;
                    }
                    Err(error) => tracing::warn!(%symbol, %error, "a book snapshot could not be fetched; trying again"),
                }
            }
        });
    }

    /// Once a second: whose market data have been silent for too long?
    pub async fn watch_silence(me: Weak<RefCell<Self>>) {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let Some(hub) = me.upgrade() else { return };
            let mut hub = hub.borrow_mut();
            let limit = hub.venue.settings().stale_after;
            let silent: Vec<Symbol> =
                hub.health.iter().filter(|(_, h)| h.down == 0 && !h.silent && h.seen.elapsed() > limit).map(|(s, _)| *s).collect();
            for symbol in silent {
                if let Some(health) = hub.health.get_mut(&symbol) {
                    health.silent = true;
                }
                hub.refresh(symbol);
            }
        }
    }
}

fn newer<T: Ord + Copy>(known: &mut Option<T>, now: T) -> bool {
    if known.is_some_and(|known| now <= known) {
        return false;
    }
    *known = Some(now);
    true
}
