//! From the exchange's streams to the engine's links, on the thread that reads the sockets.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use fulmar_actors::engine::Engine;
use fulmar_actors::link::Origin;
use fulmar_adapters::exchange::binance::{Acknowledger, BinanceStreams, BinanceVenue, StreamStart};
use fulmar_domain::breaker::BreakerIn;
use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::execution::ExecIn;
use fulmar_domain::feed::FeedIn;
use fulmar_domain::market::MarketEvent;
use fulmar_domain::position::node::PositionIn;
use fulmar_domain::time::Timestamp;
use fulmar_ports::clock::Clock;
use fulmar_ports::exchange::{BarrierAck, StreamEvent, StreamPlan, StreamSink};
use tokio::sync::Notify;

use super::clock::MarketClock;

/// When a market fact happened.
fn time_of(event: &MarketEvent) -> Timestamp {
    match event {
        MarketEvent::Trade(x) => x.time,
        MarketEvent::BookTop(x) => x.time,
        MarketEvent::Depth(x) => x.time,
        MarketEvent::BarClosed(x) => x.end(),
        MarketEvent::BarForming(x) => x.open_time,
        MarketEvent::Mark(x) => x.time,
        MarketEvent::Funding(x) => x.time,
        MarketEvent::Ticker(x) => x.time,
        MarketEvent::Liquidation(x) => x.time,
    }
}

/// Starts the streams on this thread.
pub(super) fn start(
    venue: &BinanceVenue,
    plan: StreamPlan,
    engine: &Engine,
    clock: &Arc<MarketClock>,
    ended: &Arc<Notify>,
) -> BinanceStreams {
    let lock_step = plan.lock_step;
    let ack: Rc<OnceCell<Acknowledger>> = Rc::default();
    let mut known_bars = BTreeMap::new();
    for warmup in engine.recent.warmups() {
        if let Some(last) = warmup.bars.last() {
            known_bars.insert((warmup.symbol, warmup.timeframe), last.open_time);
        }
    }
    let monotonic = Arc::clone(clock);
    let start = StreamStart { known_bars, monotonic_ns: Some(Box::new(move || monotonic.monotonic_ns())) };
    let sink = sink(engine.clone(), Arc::clone(clock), Rc::clone(&ack), Arc::clone(ended), lock_step);
    let streams = BinanceStreams::start(venue, plan, start, sink);
    if ack.set(streams.acknowledger()).is_err() {
        tracing::error!("the barrier was connected twice");
    }
    streams
}

/// Hands stream events on. In lock-step a barrier is acknowledged once nothing is under way any more; `ended` hears of the last one.
fn sink(engine: Engine, clock: Arc<MarketClock>, ack: Rc<OnceCell<Acknowledger>>, ended: Arc<Notify>, lock_step: bool) -> StreamSink {
    Box::new(move |event| {
        let links = &engine.links;
        match event {
            StreamEvent::Market { event, received_ns } => {
                if !lock_step {
                    clock.advance(time_of(&event));
                }
                let origin = Origin::frame(received_ns);
                match &event {
                    MarketEvent::Mark(_) | MarketEvent::BookTop(_) => links.feed.push_latest_from(origin, FeedIn::Event(event)),
                    _ => links.feed.push_from(origin, FeedIn::Event(event)),
                }
            }
            StreamEvent::Feed(status) => links.feed.push(FeedIn::Status(status)),
            StreamEvent::Order(event) => links.execution.push(ExecIn::Order(event)),
            StreamEvent::Algo(event) => links.execution.push(ExecIn::Algo(event)),
            StreamEvent::Account(event) => links.execution.push(ExecIn::Account(event)),
            StreamEvent::Settings(settings) => links.position.push(PositionIn::Settings(settings)),
            StreamEvent::MarginCall { symbols } => {
                let names: Vec<&str> = symbols.iter().map(fulmar_domain::symbol::Symbol::as_str).collect();
                let text = format!("the exchange warns that liquidation is near: {}", names.join(", "));
                links.notify(Notice::new(Severity::Critical, "MARGIN_CALL", text));
            }
            StreamEvent::AccountGap { reason } => {
                links.breaker.push(BreakerIn::Errors { failed: true });
                fulmar_actors::execution::account_gap(&links.execution, links, &reason);
            }
            StreamEvent::Barrier { number, at, last } => {
                clock.advance(at);
                links.tick();
                let (quiescence, ack, ended) = (engine.quiescence.clone(), Rc::clone(&ack), Arc::clone(&ended));
                actix::spawn(async move {
                    quiescence.idle().await;
                    if let Some(ack) = ack.get() {
                        ack.acknowledge(number);
                    }
                    if last {
                        ended.notify_one();
                    }
                });
            }
        }
    })
}
