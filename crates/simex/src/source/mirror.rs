//! The mirror of a live public feed, for paper trading: prices are real, orders are simulated.
//!
//! A thread of its own keeps two sockets open, `/public` for best bids and asks and `/market` for trades, marks and bars, and
//! hands what comes over a bounded channel. A socket that closes or is silent for too long is dialled again with growing
//! pauses; after too many failures in a row the source ends with an error. In a quiet market a step without points comes
//! every quarter of a second, so that the market clock moves on.
//!
//! Invariant: time never goes back. The two sockets have no common order, so a point counts at the newest time seen.

use super::frames::{Frame, decode};
use super::{MarketPoint, MarketSource, PointKind, SourceError, Step, SymbolPlan, aggregate};
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// Points that may wait between the sockets and the market. At 100,000 messages a second this is one second.
const QUEUE_MAX: usize = 100_000;
/// Longest time without a step.
const IDLE: Duration = Duration::from_millis(250);
/// Points that are folded into one step at most.
const STEP_POINTS_MAX: usize = 4_096;

/// Where and what to mirror.
#[derive(Clone, PartialEq, Debug)]
pub struct MirrorOptions {
    /// WebSocket base, such as `wss://fstream.binance.com`.
    pub url: String,
    /// The contracts with their filters, as the mirrored exchange tells them.
    pub instruments: Vec<Instrument>,
    /// Their brackets, in the same order.
    pub brackets: Vec<Brackets>,
    /// Closed bars by symbol, fetched from the mirrored exchange before the start.
    pub history: BTreeMap<Symbol, Vec<Bar>>,
    /// Market time at the start.
    pub start: Timestamp,
    /// Length of the bars to follow.
    pub timeframe: Timeframe,
    /// A socket without a frame for so long is dialled again, in milliseconds.
    pub silence_ms_max: u64,
    /// First pause before dialling again, in milliseconds; doubles up to thirty seconds.
    pub redial_ms: u64,
    /// Failures in a row after which the feed is lost.
    pub failures_max: u32,
}

/// What a socket thread tells.
#[derive(Debug)]
enum News {
    Points(Timestamp, Vec<(Symbol, PointKind)>),
    Lost(SourceError),
}

/// A live feed as a market.
#[derive(Debug)]
pub struct MirrorSource {
    options: MirrorOptions,
    news: Receiver<News>,
    now: Timestamp,
    read: Instant,
    /// Goes when the source is dropped: then the thread ends.
    _alive: std::sync::Arc<()>,
}

impl MirrorSource {
    /// Starts to listen.
    ///
    /// # Errors
    /// [`SourceError::Feed`] when the thread cannot be started.
    pub fn connect(options: MirrorOptions) -> Result<Self, SourceError> {
        let (sender, news) = sync_channel(QUEUE_MAX);
        let alive = std::sync::Arc::new(());
        let lost = |reason: String| SourceError::Feed { url: options.url.clone(), reason };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| lost(e.to_string()))?;
        let (watch, settings) = (std::sync::Arc::downgrade(&alive), options.clone());
        std::thread::Builder::new()
            .name("simex-mirror".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let [public, market] = urls(&settings);
                    tokio::join!(listen(public, &settings, &sender, &watch), listen(market, &settings, &sender, &watch))
                })
            })
            .map_err(|e| lost(e.to_string()))?;
        let now = options.start;
        Ok(Self { options, news, now, read: Instant::now(), _alive: alive })
    }
    fn step(&mut self, time: Timestamp, points: Vec<(Symbol, PointKind)>) -> Step {
        self.now = self.now.max(time);
        let time = self.now;
        Step { time, points: points.into_iter().map(|(symbol, kind)| MarketPoint { time, symbol, kind }).collect() }
    }
}

/// The addresses of the two sockets.
fn urls(options: &MirrorOptions) -> [String; 2] {
    let base = options.url.trim_end_matches('/');
    let streams = |names: &[String]| {
        let all = options.instruments.iter().flat_map(|i| names.iter().map(move |n| format!("{}@{n}", i.symbol.as_str().to_lowercase())));
        all.collect::<Vec<_>>().join("/")
    };
    let public = streams(&["bookTicker".to_owned()]);
    let market = streams(&["aggTrade".to_owned(), "markPrice@1s".to_owned(), format!("kline_{}", options.timeframe)]);
    [format!("{base}/public/stream?streams={public}"), format!("{base}/market/stream?streams={market}")]
}

async fn listen(url: String, options: &MirrorOptions, sender: &SyncSender<News>, alive: &std::sync::Weak<()>) {
    const REDIAL_MAX: Duration = Duration::from_secs(30);
    let mut failures = 0;
    let mut pause = Duration::from_millis(options.redial_ms.max(1));
    while alive.strong_count() > 0 {
        let reason = match one_connection(&url, options, sender, alive).await {
            Ok(frames) => {
                if frames > 0 {
                    (failures, pause) = (0, Duration::from_millis(options.redial_ms.max(1)));
                }
                "closed or silent".to_owned()
            }
            Err(reason) => reason,
        };
        failures += 1;
        if failures > options.failures_max {
            let lost = SourceError::Feed { url, reason: format!("{failures} failures in a row, the last: {reason}") };
            if sender.send(News::Lost(lost)).is_err() {
                tracing::debug!("the mirror was dropped before it learnt that its feed is lost");
            }
            return;
        }
        tracing::warn!(%url, %reason, ?pause, "mirrored feed is down; dialling again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(REDIAL_MAX);
    }
}

/// Reads one connection to its end; gives the number of frames that came.
async fn one_connection(url: &str, options: &MirrorOptions, sender: &SyncSender<News>, alive: &std::sync::Weak<()>) -> Result<u64, String> {
    let silence = Duration::from_millis(options.silence_ms_max.max(1));
    let dial = tokio::time::timeout(silence, tokio_tungstenite::connect_async(url));
    let (mut socket, _) = dial.await.map_err(|_| "no answer to the dial".to_owned())?.map_err(|e| e.to_string())?;
    let mut frames = 0;
    while alive.strong_count() > 0 {
        let Ok(next) = tokio::time::timeout(silence, socket.next()).await else { return Ok(frames) };
        let text = match next {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_))) | None => return Ok(frames),
            Some(Ok(_)) => continue,
            Some(Err(e)) => return Err(e.to_string()),
        };
        frames += 1;
        match decode(&text) {
            Ok(frame) => {
                let Some((time, points)) = points(frame, options) else { continue };
                match sender.try_send(News::Points(time, points)) {
                    Ok(()) => {}
                    Err(TrySendError::Disconnected(_)) => return Ok(frames),
                    Err(TrySendError::Full(_)) => return Err(format!("{QUEUE_MAX} points wait; the market is not played fast enough")),
                }
            }
            Err(reason) => tracing::warn!(%reason, "a frame of the mirrored feed does not read; it is left out"),
        }
    }
    Ok(frames)
}

/// What a frame means for the market; `None` for frames of other contracts and kinds.
fn points(frame: Frame, options: &MirrorOptions) -> Option<(Timestamp, Vec<(Symbol, PointKind)>)> {
    let (symbol, time, kinds) = match frame {
        Frame::Trade { symbol, time, price, qty, taker, aggregate: true } => (symbol, time, vec![PointKind::Trade { price, qty, taker }]),
        Frame::Top { symbol, time, bid, ask } => {
            (symbol, time, vec![PointKind::Top { bid: bid.price, bid_qty: bid.qty, ask: ask.price, ask_qty: ask.qty }])
        }
        Frame::Mark { symbol, time, price, index, rate } => {
            (symbol, time, rate.map(PointKind::FundingRate).into_iter().chain([PointKind::Mark { price, index }]).collect())
        }
        Frame::Bar { time, bar } if bar.timeframe == options.timeframe => (bar.symbol, time, vec![PointKind::BarClosed(bar)]),
        _ => return None,
    };
    let known = options.instruments.iter().any(|i| i.symbol == symbol);
    known.then(|| (time, kinds.into_iter().map(|kind| (symbol, kind)).collect()))
}

impl MarketSource for MirrorSource {
    fn instruments(&self) -> Vec<Instrument> {
        self.options.instruments.clone()
    }
    fn brackets(&self) -> Vec<Brackets> {
        self.options.brackets.clone()
    }
    fn start(&self) -> Timestamp {
        self.options.start
    }
    fn plan(&self) -> Vec<SymbolPlan> {
        let plan = |i: &Instrument| SymbolPlan {
            symbol: i.symbol,
            timeframe: self.options.timeframe,
            history_bars: self.options.history.get(&i.symbol).map_or(0, |b| b.len() as u64),
            live_bars: None,
        };
        self.options.instruments.iter().map(plan).collect()
    }
    fn history(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar> {
        self.options.history.get(&symbol).map(|bars| aggregate(bars, timeframe)).unwrap_or_default()
    }
    fn next_step(&mut self) -> Result<Option<Step>, SourceError> {
        match self.news.recv_timeout(IDLE) {
            Ok(News::Lost(error)) => Err(error),
            Err(RecvTimeoutError::Timeout) => {
                let passed = Span(i64::try_from(self.read.elapsed().as_millis()).unwrap_or(0));
                self.read = Instant::now();
                Ok(Some(self.step(self.now.plus(passed), Vec::new())))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(SourceError::Feed { url: self.options.url.clone(), reason: "its thread has ended".to_owned() })
            }
            Ok(News::Points(mut time, mut all)) => {
                self.read = Instant::now();
                // What came in the meantime belongs to the same instant of the mirror.
                while all.len() < STEP_POINTS_MAX {
                    match self.news.try_recv() {
                        Ok(News::Points(later, more)) => {
                            time = time.max(later);
                            all.extend(more);
                        }
                        Ok(News::Lost(error)) => return Err(error),
                        Err(_) => break,
                    }
                }
                Ok(Some(self.step(time, all)))
            }
        }
    }
    fn remarks(&self) -> Vec<String> {
        vec![format!("the market mirrors {}; fills are simulated", self.options.url)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts;
    use futures_util::SinkExt;

    fn options(url: String) -> MirrorOptions {
        let contract = contracts::contract(Symbol::new("BTCUSDT").unwrap()).unwrap();
        MirrorOptions {
            url,
            instruments: vec![contract.instrument],
            brackets: vec![contract.brackets],
            history: BTreeMap::new(),
            start: Timestamp(1_000),
            timeframe: Timeframe::M1,
            silence_ms_max: 2_000,
            redial_ms: 5,
            failures_max: 3,
        }
    }

    #[test]
    fn public_and_market_sockets_are_addressed_apart() {
        let [public, market] = urls(&options("ws://127.0.0.1:1/".to_owned()));
        assert_eq!(public, "ws://127.0.0.1:1/public/stream?streams=btcusdt@bookTicker");
        assert_eq!(market, "ws://127.0.0.1:1/market/stream?streams=btcusdt@aggTrade/btcusdt@markPrice@1s/btcusdt@kline_1m");
    }

    /// Serves every dialler `frames` and closes.
    fn serve(frames: &'static [&'static str]) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for stream in listener.incoming().take(4) {
                    let stream = stream.unwrap();
                    stream.set_nonblocking(true).unwrap();
                    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                    for frame in frames {
                        socket.send(Message::text(*frame)).await.unwrap();
                    }
                    socket.close(None).await.unwrap();
                }
            });
        });
        format!("ws://{address}")
    }

    #[test]
    fn frames_become_points_time_never_goes_back_and_rubbish_is_left_out() {
        let url = serve(&[
            r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"100.0","B":"2","a":"100.1","A":"3","T":5000,"E":5001}}"#,
            "rubbish",
            r#"{"stream":"x","data":{"e":"bookTicker","u":1,"s":"OTHERUSDT","b":"1.0","B":"2","a":"1.1","A":"3","T":9000,"E":9001}}"#,
            r#"{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":4000,"s":"BTCUSDT","p":"100.05","i":"100.02","r":"0.0001","T":9}}"#,
        ]);
        let mut source = MirrorSource::connect(options(url)).unwrap();
        let (mut kinds, mut last) = (Vec::new(), source.start());
        for _ in 0..40 {
            let step = source.next_step().unwrap().unwrap();
            assert!(step.time >= last);
            last = step.time;
            assert!(step.points.iter().all(|p| p.time == step.time && p.symbol.as_str() == "BTCUSDT"));
            kinds.extend(step.points.into_iter().map(|p| p.kind));
            if kinds.len() >= 3 {
                break;
            }
        }
        assert!(last >= Timestamp(5_000) && last < Timestamp(9_000));
        assert!(matches!(kinds[0], PointKind::Top { .. }));
        assert!(matches!((&kinds[1], &kinds[2]), (PointKind::FundingRate(_), PointKind::Mark { .. }) | (PointKind::Top { .. }, _)));
    }

    #[test]
    fn a_feed_that_cannot_be_reached_is_an_error_after_a_few_dials() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        drop(listener);
        let mut source = MirrorSource::connect(options(url.clone())).unwrap();
        let error = (0..40).find_map(|_| source.next_step().err()).unwrap().to_string();
        assert!(error.contains(&url) && error.contains("4 failures in a row"), "{error}");
    }
}
