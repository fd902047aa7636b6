//! The sockets: nothing lost, nothing doubled, silence noticed, everything redialled.

mod binance_server;

use binance_server::{Asked, Say, btc, ok, serve, settings};
use fulmar_adapters::exchange::binance::{BinanceSettings, BinanceStreams, BinanceVenue, StreamStart};
use fulmar_domain::market::{FeedState, MarketEvent, Timeframe};
use fulmar_domain::time::Timestamp;
use fulmar_ports::exchange::{BarrierAck, StreamEvent, StreamPlan};
use futures_util::{SinkExt, StreamExt};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

type Ws = WebSocketStream<TcpStream>;

/// Sends `frames`, confirms subscriptions, answers pings, until the peer goes.
async fn talk(mut ws: Ws, frames: Vec<String>, then_close: bool) {
    let mut frames = Some(frames);
    while let Some(Ok(message)) = ws.next().await {
        let Message::Text(text) = message else { continue };
        let request: serde_json::Value = serde_json::from_str(&text).expect("json");
        if request["method"] == "SUBSCRIBE" {
            let reply = format!(r#"{{"result":null,"id":{}}}"#, request["id"]);
            ws.send(Message::text(reply)).await.expect("sent");
            for frame in frames.take().into_iter().flatten() {
                ws.send(Message::text(frame)).await.expect("sent");
            }
            if then_close {
                return;
            }
        }
    }
}

/// A socket server; `script` gets the number of the connection and its path.
async fn sockets<F: Future<Output = ()> + Send + 'static>(script: impl Fn(usize, String, Ws) -> F + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("address");
    let (count, script) = (Arc::new(AtomicUsize::new(0)), Arc::new(script));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (count, script) = (Arc::clone(&count), Arc::clone(&script));
            tokio::spawn(async move {
                let mut path = String::new();
                #[expect(clippy::result_large_err, reason = "the library's signature")]
                let look = |request: &Request, response: Response| {
                    path = request.uri().to_string();
                    Ok(response)
                };
                if let Ok(ws) = tokio_tungstenite::accept_hdr_async(tcp, look).await {
                    script(count.fetch_add(1, Ordering::SeqCst), path, ws).await;
                }
            });
        }
    });
    format!("ws://{address}")
}

fn plan() -> StreamPlan {
    StreamPlan {
        symbols: vec![btc()],
        timeframes: vec![Timeframe::M1],
        book_tops: false,
        trades: false,
        depth: false,
        tickers: false,
        liquidations: false,
        user: false,
        lock_step: false,
    }
}

type Seen = Rc<RefCell<Vec<StreamEvent>>>;

fn start(settings: BinanceSettings, plan: StreamPlan, known: Option<i64>) -> (BinanceStreams, Seen) {
    let venue = BinanceVenue::new(settings, tokio::runtime::Handle::current()).expect("venue");
    let seen = Seen::default();
    let sink = Rc::clone(&seen);
    let known_bars = known.map(|t| BTreeMap::from([((btc(), Timeframe::M1), Timestamp(t * 60_000))])).unwrap_or_default();
    let streams =
        BinanceStreams::start(&venue, plan, StreamStart { known_bars, monotonic_ns: None }, Box::new(move |e| sink.borrow_mut().push(e)));
    (streams, seen)
}

async fn until(seen: &Seen, what: &str, reached: impl Fn(&[StreamEvent]) -> bool) {
    let started = Instant::now();
    while !reached(&seen.borrow()) {
        assert!(started.elapsed() < Duration::from_secs(8), "{what}: {:?}", seen.borrow());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn kline(n: i64) -> String {
    let (t, e) = (n * 60_000, n * 60_000 + 59_999);
    format!(
        r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{e},"s":"BTCUSDT","k":{{"t":{t},"T":{e},"s":"BTCUSDT","i":"1m","o":"10","c":"10","h":"10","l":"10","v":"1","n":1,"x":true,"q":"10"}}}}}}"#
    )
}
/// A reference server with bars from 1 to `newest`.
async fn reference(newest: i64) -> (String, Asked) {
    serve(move |line| {
        let number = |name: &str| line.split(name).nth(1).and_then(|r| r.split('&').next()).and_then(|n| n.parse::<i64>().ok());
        match line {
            l if l.contains("listenKey") => ok(r#"{"listenKey":"K"}"#),
            l if l.contains("premiumIndex") => ok(format!(
                r#"{{"symbol":"BTCUSDT","markPrice":"10","indexPrice":"10","lastFundingRate":"0.0001","nextFundingTime":1,"time":{}}}"#,
                (newest + 1) * 60_000
            )),
            l if l.contains("klines") => {
                let from = number("startTime=").unwrap_or(60_000) / 60_000;
                let rows: Vec<_> = (from..=newest)
                    .map(|n| format!(r#"[{},"10","10","10","10","1",{},"10",1,"0","0","0"]"#, n * 60_000, n * 60_000 + 59_999))
                    .collect();
                ok(format!("[{}]", rows.join(",")))
            }
            _ => Say::Answer(404, String::new(), b"{}".to_vec()),
        }
    })
    .await
}

fn bars(events: &[StreamEvent]) -> Vec<i64> {
    events
        .iter()
        .filter_map(|e| match e {
            StreamEvent::Market { event: MarketEvent::BarClosed(b), .. } => Some(b.open_time.millis() / 60_000),
            _ => None,
        })
        .collect()
}
fn states(events: &[StreamEvent]) -> Vec<FeedState> {
    events.iter().filter_map(|e| if let StreamEvent::Feed(s) = e { Some(s.state) } else { None }).collect()
}

async fn local(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn bars_that_the_stream_loses_are_fetched_and_come_once_in_order() {
    local(async {
        let (rest, _) = reference(8).await;
        // Known up to 3; 4 and 5 closed before the stream began, 7 is lost, 6 and 8 come twice.
        let ws = sockets(|_, _, ws| talk(ws, vec![kline(6), kline(6), kline(8), kline(8)], false)).await;
        let (_streams, seen) = start(settings(&rest, &ws), plan(), Some(3));
        until(&seen, "five bars", |e| bars(e).len() >= 5 && states(e).last() == Some(&FeedState::Up)).await;
        assert_eq!(bars(&seen.borrow()), vec![4, 5, 6, 7, 8]);
        assert_eq!(states(&seen.borrow())[..3], [FeedState::Gap, FeedState::Resynced, FeedState::Up]);
    })
    .await;
}

#[tokio::test]
async fn a_cut_socket_is_stale_at_once_redialled_and_misses_nothing() {
    local(async {
        let (rest, _) = reference(6).await;
        let ws = sockets(|n, _, ws| talk(ws, if n == 0 { vec![kline(4)] } else { vec![kline(6)] }, n == 0)).await;
        let (_streams, seen) = start(settings(&rest, &ws), plan(), Some(3));
        until(&seen, "bar 6", |e| bars(e).contains(&6) && states(e).last() == Some(&FeedState::Up)).await;
        assert_eq!(bars(&seen.borrow()), vec![4, 5, 6]);
        assert!(states(&seen.borrow()).contains(&FeedState::Stale));
    })
    .await;
}

#[tokio::test]
async fn a_half_open_socket_is_found_by_its_silence_and_redialled() {
    local(async {
        let (rest, _) = reference(4).await;
        let ws = sockets(|n, _, mut ws| async move {
            if n > 0 {
                return talk(ws, vec![], false).await;
            }
            // Confirms the subscription and then neither reads nor writes any more.
            if let Some(Ok(Message::Text(_))) = ws.next().await {
                ws.send(Message::text(r#"{"result":null,"id":1}"#)).await.expect("sent");
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        })
        .await;
        let mut settings = settings(&rest, &ws);
        assert!(settings.half_open_after <= Duration::from_secs(5), "found within five seconds by default");
        settings.half_open_after = Duration::from_millis(600);
        let (_streams, seen) = start(settings, plan(), None);
        until(&seen, "up", |e| states(e).contains(&FeedState::Up)).await;
        let muted = Instant::now();
        until(&seen, "stale", |e| states(e).contains(&FeedState::Stale)).await;
        assert!(muted.elapsed() < Duration::from_millis(1_200), "{:?}", muted.elapsed());
        until(&seen, "up again", |e| states(e).last() == Some(&FeedState::Up)).await;
    })
    .await;
}

#[tokio::test]
async fn a_quiet_but_living_socket_is_kept() {
    local(async {
        let (rest, _) = reference(4).await;
        let ws = sockets(|_, _, ws| talk(ws, vec![], false)).await;
        let mut settings = settings(&rest, &ws);
        settings.half_open_after = Duration::from_millis(200);
        settings.stale_after = Duration::from_secs(60);
        let (_streams, seen) = start(settings, plan(), None);
        until(&seen, "up", |e| states(e).contains(&FeedState::Up)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(states(&seen.borrow()), vec![FeedState::Up], "pongs are life");
    })
    .await;
}

#[tokio::test]
async fn three_unreadable_frames_in_a_row_drop_the_socket() {
    local(async {
        let (rest, _) = reference(4).await;
        let bad = kline(4).replace(r#""c":"10""#, r#""c":"-1""#);
        let ws =
            sockets(move |n, _, ws| talk(ws, if n == 0 { vec![bad.clone(), bad.clone(), bad.clone()] } else { vec![kline(4)] }, false))
                .await;
        let (_streams, seen) = start(settings(&rest, &ws), plan(), Some(3));
        until(&seen, "bar 4 after a redial", |e| {
            bars(e) == vec![4] && states(e).contains(&FeedState::Stale) && states(e).last() == Some(&FeedState::Up)
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_listen_key_brings_a_new_one_and_an_account_gap() {
    local(async {
        let (rest, asked) = reference(4).await;
        let ws = sockets(|_, path, mut ws| async move {
            if path.starts_with("/private/ws?listenKey=K&events=ORDER_TRADE_UPDATE/") {
                ws.send(Message::text(r#"{"e":"MARGIN_CALL","E":1,"p":[{"s":"BTCUSDT"}]}"#)).await.expect("sent");
                ws.send(Message::text(r#"{"e":"listenKeyExpired","E":"1736996475556","listenKey":"K"}"#)).await.expect("sent");
            }
            talk(ws, vec![], false).await;
        })
        .await;
        let (_streams, seen) = start(settings(&rest, &ws), StreamPlan { user: true, ..plan() }, None);
        until(&seen, "gap", |e| e.iter().any(|e| matches!(e, StreamEvent::AccountGap { .. }))).await;
        assert!(seen.borrow().contains(&StreamEvent::MarginCall { symbols: vec![btc()] }));
        assert!(asked.lock().iter().filter(|l| l.starts_with("POST /fapi/v1/listenKey")).count() >= 2);
    })
    .await;
}

#[tokio::test]
async fn a_socket_is_replaced_with_overlap_and_nothing_comes_twice() {
    local(async {
        let (rest, _) = reference(5).await;
        let ws = sockets(|n, _, ws| talk(ws, if n == 0 { vec![kline(4)] } else { vec![kline(4), kline(5)] }, false)).await;
        let mut settings = settings(&rest, &ws);
        settings.socket_age_max = Duration::from_millis(400);
        settings.overlap = Duration::from_millis(100);
        let (_streams, seen) = start(settings, plan(), Some(3));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(bars(&seen.borrow()), vec![4, 5]);
        assert!(!states(&seen.borrow()).contains(&FeedState::Stale), "no interruption: {:?}", states(&seen.borrow()));
    })
    .await;
}

#[tokio::test]
async fn in_lock_step_frames_wait_for_the_barrier_on_every_socket() {
    local(async {
        let (rest, _) = reference(4).await;
        let (told, mut acks) = tokio::sync::mpsc::unbounded_channel();
        let ws = sockets(move |_, path, mut ws| {
            let told = told.clone();
            async move {
                while let Some(Ok(message)) = ws.next().await {
                    let Message::Text(text) = message else { continue };
                    let request: serde_json::Value = serde_json::from_str(&text).expect("json");
                    if request["method"] == "ACK_BARRIER" {
                        told.send(request["params"][0].as_u64()).expect("test waits");
                    }
                    ws.send(Message::text(format!(r#"{{"result":null,"id":{}}}"#, request["id"]))).await.expect("sent");
                    if request["params"][0] == "simex@barrier@fulmar" {
                        // The market's socket is the first to come.
                        if path.starts_with("/public") {
                            tokio::time::sleep(Duration::from_millis(300)).await;
                            let top = r#"{"e":"bookTicker","u":4,"s":"BTCUSDT","b":"25.35","B":"3","a":"25.36","A":"4","T":15,"E":16}"#;
                            ws.send(Message::text(top)).await.expect("sent");
                        } else {
                            ws.send(Message::text(kline(4))).await.expect("sent");
                        }
                        ws.send(Message::text(r#"{"e":"simexBarrier","n":1,"T":300000,"last":true}"#)).await.expect("sent");
                    }
                }
            }
        })
        .await;
        let plan = StreamPlan { book_tops: true, lock_step: true, ..plan() };
        let (streams, seen) = start(settings(&rest, &ws).in_lock_step("fulmar"), plan, Some(3));
        until(&seen, "barrier", |e| e.iter().any(|e| matches!(e, StreamEvent::Barrier { number: 1, last: true, .. }))).await;
        let order: Vec<_> = seen
            .borrow()
            .iter()
            .filter_map(|e| match e {
                StreamEvent::Market { event: MarketEvent::BookTop(_), .. } => Some("top"),
                StreamEvent::Market { event: MarketEvent::BarClosed(_), .. } => Some("bar"),
                StreamEvent::Barrier { .. } => Some("barrier"),
                _ => None,
            })
            .collect();
        assert_eq!(order, vec!["top", "bar", "barrier"], "public before market, whoever came first");
        streams.acknowledge(1);
        let ack = tokio::time::timeout(Duration::from_secs(5), acks.recv()).await.expect("in time");
        assert_eq!(ack, Some(Some(1)));
    })
    .await;
}
