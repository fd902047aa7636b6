//! The sockets: public, market and private streams, read on the current thread.
//!
//! [`BinanceStreams::start`] spawns one task per socket on the thread's `LocalSet`. Each task dials, subscribes, reads, notices
//! silence, and redials; all hand their frames to one `Hub`, which removes doubles, keeps bars and books without gap and calls
//! the sink. Invariant: the sink sees each closed bar once and in order, and a symbol whose data are not complete is called
//! stale or gapped before anything else of it is seen.

mod hub;
mod lockstep;
mod socket;

use super::venue::BinanceVenue;
use fulmar_domain::market::Timeframe;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_ports::exchange::{BarrierAck, StreamPlan, StreamSink};
use hub::Hub;
use socket::{Control, SocketSpec};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Streams that one connection holds; the exchange once allowed 200, one place stays for the barrier.
const STREAMS_MAX: usize = 190;

/// Which socket base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    /// The account's own events.
    Private,
    /// Book tickers and depth.
    Public,
    /// Everything else of the market.
    Market,
}

/// What the streams start from.
#[derive(Default)]
pub struct StreamStart {
    /// Open time of the last bar that is already known (from warm-up) per series; what closed since is fetched.
    pub known_bars: BTreeMap<(Symbol, Timeframe), Timestamp>,
    /// Monotonic nanoseconds for `received_ns`; the exchange clock's own monotonic time where missing.
    pub monotonic_ns: Option<Box<dyn Fn() -> u64>>,
}

impl std::fmt::Debug for StreamStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamStart").field("known_bars", &self.known_bars).finish_non_exhaustive()
    }
}

/// Running streams. Dropping it ends them.
#[derive(Debug)]
pub struct BinanceStreams {
    tasks: Vec<JoinHandle<()>>,
    controls: Vec<(Route, mpsc::UnboundedSender<Control>)>,
}

impl BinanceStreams {
    /// Starts the streams of `plan` on the current thread. Must be called within a `LocalSet` (an actix arbiter is one).
    #[must_use]
    pub fn start(venue: &BinanceVenue, plan: StreamPlan, start: StreamStart, sink: StreamSink) -> Self {
        let specs = specs(venue, &plan);
        let (ready, _) = watch::channel(vec![false; specs.len()]);
        let ready = Rc::new(ready);
        let hub = Rc::new(RefCell::new(Hub::new(venue.clone(), plan, start, sink, &specs)));
        Hub::adopt(&hub);
        let mut tasks = Vec::new();
        let mut controls = Vec::new();
        if !venue.settings().lock_step {
            tasks.push(tokio::task::spawn_local(Hub::watch_silence(Rc::downgrade(&hub))));
        }
        for (index, spec) in specs.into_iter().enumerate() {
            let (sender, receiver) = mpsc::unbounded_channel();
            controls.push((spec.route, sender));
            tasks.push(tokio::task::spawn_local(socket::run(Rc::clone(&hub), venue.clone(), index, spec, receiver, Rc::clone(&ready))));
        }
        Self { tasks, controls }
    }
    /// Drops and redials the account's socket, after a poll found the account changed without an event.
    pub fn redial_private(&self) {
        for (_, control) in self.controls.iter().filter(|(route, _)| *route == Route::Private) {
            if control.send(Control::Redial).is_err() {
                tracing::debug!("the private socket's task has ended");
            }
        }
    }
    /// A handle that acknowledges barriers, to be kept by whoever decides that a step is done.
    #[must_use]
    pub fn acknowledger(&self) -> Acknowledger {
        Acknowledger { control: self.controls.first().map(|(_, control)| control.clone()) }
    }
}

impl Drop for BinanceStreams {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl BarrierAck for BinanceStreams {
    fn acknowledge(&self, number: u64) {
        self.acknowledger().acknowledge(number);
    }
}

/// Acknowledges barriers; may be cloned and sent to any thread.
#[derive(Debug, Clone)]
pub struct Acknowledger {
    control: Option<mpsc::UnboundedSender<Control>>,
}

impl BarrierAck for Acknowledger {
    fn acknowledge(&self, number: u64) {
        let sent = self.control.as_ref().is_some_and(|control| control.send(Control::Acknowledge(number)).is_ok());
        if !sent {
            tracing::debug!(number, "no socket is there to acknowledge the barrier");
        }
    }
}

/// The sockets of a plan, private first, then public, then market: the order in which a lock-step is handed on.
fn specs(venue: &BinanceVenue, plan: &StreamPlan) -> Vec<SocketSpec> {
    let settings = venue.settings();
    let mut specs = Vec::new();
    if plan.user {
        match &settings.ws_private {
            Some(base) => specs.push(SocketSpec { route: Route::Private, base: base.clone(), streams: Vec::new() }),
            None => tracing::warn!("the plan wants the account's events, but no private socket address is set"),
        }
    }
    let (mut public, mut market) = (Vec::new(), Vec::new());
    for symbol in &plan.symbols {
        let name = symbol.as_str().to_lowercase();
        let add = |wanted: bool, list: &mut Vec<(Symbol, String)>, stream: &str| {
            if wanted {
                list.push((*symbol, format!("{name}@{stream}")));
            }
        };
        add(plan.book_tops, &mut public, "bookTicker");
        add(plan.depth, &mut public, "depth@100ms");
        add(true, &mut market, "markPrice@1s");
        add(plan.trades, &mut market, "aggTrade");
        add(plan.tickers, &mut market, "ticker");
        add(plan.liquidations, &mut market, "forceOrder");
        for timeframe in &plan.timeframes {
            add(true, &mut market, &format!("kline_{timeframe}"));
        }
    }
    for (route, base, streams) in [(Route::Public, &settings.ws_public, public), (Route::Market, &settings.ws_market, market)] {
        for part in streams.chunks(STREAMS_MAX) {
            specs.push(SocketSpec { route, base: base.clone(), streams: part.to_vec() });
        }
    }
    specs
}
