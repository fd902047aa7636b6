//! The WebSocket over a real client: snapshot, numbers, resume, filters, errors, and readers that do not read.

mod api_rig;

use api_rig::{Rig, Wish, account, bar, position, refusal, symbol, update};
use fulmar::api::ApiConfig;
use fulmar_domain::market::{BookTop, Mark, MarketEvent};
use fulmar_domain::num::Ratio;
use fulmar_domain::order::OrderStatus;
use fulmar_domain::time::Timestamp;
use fulmar_ports::outlook::Happening;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn open(rig: &Rig) -> Self {
        Self(connect_async(format!("ws://{}/api/v1/ws", rig.addr)).await.expect("connects").0)
    }
    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.expect("sends");
    }
    async fn next(&mut self) -> Option<Message> {
        tokio::time::timeout(Duration::from_secs(3), self.0.next()).await.expect("a frame in time").map(|m| m.expect("a frame"))
    }
    async fn json(&mut self) -> Value {
        loop {
            match self.next().await.expect("open") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    /// The next frame of a channel that is not the snapshot.
    async fn update(&mut self) -> Value {
        loop {
            let frame = self.json().await;
            if frame["snapshot"] != json!(true) {
                return frame;
            }
        }
    }
}

fn mark(rig: &Rig, name: &str, price: &str) {
    rig.show(Happening::Market(MarketEvent::Mark(Mark {
        symbol: symbol(name),
        price: api_rig::price(price),
        index: api_rig::price(price),
        funding_rate: Ratio::ZERO,
        next_funding: Timestamp(0),
        time: Timestamp(api_rig::START),
    })));
}

#[actix_web::test]
async fn the_first_ticker_frame_holds_all_symbols_and_later_ones_what_changed() {
    let rig = Rig::start();
    rig.furnish();
    let mut client = Client::open(&rig).await;
    client.say(&json!({"type":"subscribe","data":"ticker"})).await;
    let first = client.json().await;
    assert_eq!((&first["type"], &first["snapshot"], &first["stream"]), (&json!("ticker_update"), &json!(true), &json!("run-1")));
    let symbols: Vec<&String> = first["data"].as_object().expect("keyed by symbol").keys().collect();
    assert_eq!(symbols, ["BTCUSDT", "ETHUSDT"]);
    assert_eq!(first["data"]["BTCUSDT"]["last"], json!(60000));
    let number = first["seq"].as_u64().expect("number");
    mark(&rig, "ETHUSDT", "3000.5");
    let second = client.update().await;
    assert_eq!(second["seq"].as_u64(), Some(number + 1));
    assert_eq!(second["data"]["ETHUSDT"]["mark"], json!(3000.5));
    assert!(second["data"].get("BTCUSDT").is_none());
    rig.stop().await;
}

#[actix_web::test]
async fn every_channel_answers_a_subscription_with_its_snapshot() {
    let rig = Rig::start();
    rig.furnish();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut client = Client::open(&rig).await;
    for channel in ["ticker", "bars", "indicators", "signals", "orders", "positions", "equity", "events", "supervision"] {
        client.say(&json!({"type":"subscribe","data":channel})).await;
        loop {
            let frame = client.json().await;
            if frame["type"] == json!(format!("{channel}_update")) {
                assert_eq!(frame["snapshot"], json!(true), "{channel}");
                assert!(frame["seq"].is_u64() && (frame["data"].is_array() || frame["data"].is_object()), "{frame}");
                break;
            }
        }
    }
    rig.stop().await;
}

#[actix_web::test]
async fn facts_come_as_numbered_frames_of_their_channels() {
    let rig = Rig::start();
    let mut client = Client::open(&rig).await;
    client.say(&json!({"type":"subscribe","data":["orders","signals","positions","equity","bars"]})).await;
    for _ in 0..5 {
        assert_eq!(client.json().await["snapshot"], json!(true));
    }
    rig.show(Happening::Intent(api_rig::intent(5, "BTCUSDT")));
    rig.show(Happening::Order(update(5, 1, "BTCUSDT", OrderStatus::Filled, Some("60001.5"))));
    rig.show(Happening::Refused(refusal(6, &[("DAILY_LOSS", "0.06", "0.05")])));
    rig.show(Happening::Account(account(2, "10005", vec![position("BTCUSDT", "-0.01", "5")])));
    rig.show(Happening::Market(MarketEvent::BarClosed(bar("BTCUSDT", 1, "60010"))));
    let mut seen = std::collections::BTreeMap::<String, Vec<Value>>::new();
    while seen.len() < 5 || seen.get("signals_update").map_or(0, Vec::len) < 3 {
        let frame = client.json().await;
        seen.entry(frame["type"].as_str().expect("type").to_owned()).or_default().push(frame);
    }
    for (channel, frames) in &seen {
        let numbers: Vec<u64> = frames.iter().map(|f| f["seq"].as_u64().expect("number")).collect();
        let first = numbers[0];
        assert_eq!(numbers, (first..first + numbers.len() as u64).collect::<Vec<_>>(), "{channel}");
    }
    assert_eq!(seen["orders_update"][0]["data"][0]["fill"]["price"], json!(60001.5));
    let refused = seen["signals_update"].iter().find(|f| f["data"][0]["id"] == json!("6")).expect("refused");
    assert_eq!((&refused["data"][0]["code"], &refused["data"][0]["failures"][0]["limit"]), (&json!("DAILY_LOSS"), &json!(0.05)));
    assert_eq!(seen["positions_update"][0]["data"][0]["side"], json!("short"));
    assert_eq!(seen["equity_update"][0]["data"][0]["equity"], json!(10005));
    assert_eq!(seen["bars_update"][0]["data"][0]["close"], json!(60010));
    rig.stop().await;
}

#[actix_web::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_no_snapshot() {
    let rig = Rig::start();
    for seq in 1..=10 {
        rig.show(Happening::Order(update(seq, seq, "BTCUSDT", OrderStatus::New, None)));
    }
    rig.view.take_up(true);
    let mut client = Client::open(&rig).await;
    client.say(&json!({"type":"subscribe","data":{"channel":"orders","from":7,"stream":"run-1"}})).await;
    for number in 8..=10_u64 {
        let frame = client.json().await;
        assert_eq!((frame["seq"].as_u64(), frame.get("snapshot")), (Some(number), None));
        assert_eq!(frame["data"][0]["decision"], json!(number.to_string()));
    }
    for stale in [json!({"channel":"orders","from":11}), json!({"channel":"orders","from":7,"stream":"run-0"})] {
        client.say(&json!({"type":"subscribe","data":stale})).await;
        let frame = client.json().await;
        assert_eq!((&frame["snapshot"], frame["seq"].as_u64()), (&json!(true), Some(10)), "of another run: begins anew");
    }
    rig.stop().await;
}

#[actix_web::test]
async fn a_filter_on_symbols_holds_for_snapshot_and_updates() {
    let rig = Rig::start();
    let mut client = Client::open(&rig).await;
    client.say(&json!({"type":"subscribe","data":{"channel":"ticker","symbols":["ethusdt"]}})).await;
    let first = client.json().await;
    assert_eq!(first["data"].as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()), Some(vec!["ETHUSDT".to_owned()]));
    rig.show(Happening::Market(MarketEvent::BookTop(BookTop {
        symbol: symbol("BTCUSDT"),
        update: 1,
        bid: api_rig::price("1"),
        bid_qty: api_rig::qty("1"),
        ask: api_rig::price("2"),
        ask_qty: api_rig::qty("1"),
        time: Timestamp(api_rig::START),
    })));
    tokio::time::sleep(Duration::from_millis(60)).await;
    mark(&rig, "ETHUSDT", "3001");
    let frame = client.update().await;
    assert_eq!(frame["data"]["ETHUSDT"]["mark"], json!(3001));
    assert!(frame["data"].get("BTCUSDT").is_none());
    rig.stop().await;
}

#[actix_web::test]
async fn unsubscribe_ends_a_channel_ping_is_answered_and_nonsense_gets_an_error_frame() {
    let rig = Rig::start();
    let mut client = Client::open(&rig).await;
    client.say(&json!({"type":"subscribe","data":"orders"})).await;
    client.json().await;
    client.say(&json!({"type":"unsubscribe","data":"orders"})).await;
    assert_eq!(client.json().await, json!({"type":"unsubscribed","data":"orders"}));
    rig.show(Happening::Order(update(1, 1, "BTCUSDT", OrderStatus::New, None)));
    client.say(&json!({"type":"ping","data":7})).await;
    assert_eq!(client.json().await, json!({"type":"pong","data":7}));
    for text in ["{", "\"x\"", r#"{"type":"subscribe","data":"weather"}"#] {
        client.0.send(Message::text(text)).await.expect("sends");
        assert_eq!(client.json().await["type"], "error");
    }
    client.0.send(Message::binary(vec![1, 2, 3])).await.expect("sends");
    assert_eq!(client.json().await["error"], "text_expected");
    rig.stop().await;
}

#[actix_web::test]
async fn a_message_beyond_64_kib_is_closed_with_1009() {
    let rig = Rig::start();
    let mut client = Client::open(&rig).await;
    let sent = client.0.send(Message::text("x".repeat(70 * 1024))).await;
    let end = client.next().await;
    match end {
        Some(Message::Close(Some(close))) => assert_eq!(u16::from(close.code), 1009),
        other => panic!("{sent:?} {other:?}"),
    }
    rig.stop().await;
}

#[actix_web::test]
async fn the_token_may_come_in_the_query_where_a_browser_can_set_no_header() {
    let token = "correct-horse-battery-staple";
    let rig = Rig::with(Wish { token: Some(token.to_owned()), ..Wish::default() });
    assert!(connect_async(format!("ws://{}/api/v1/ws", rig.addr)).await.is_err());
    assert!(connect_async(format!("ws://{}/api/v1/ws?token=wrong", rig.addr)).await.is_err());
    let (mut socket, _) = connect_async(format!("ws://{}/api/v1/ws?token={token}", rig.addr)).await.expect("let in");
    socket.send(Message::text(json!({"type":"subscribe","data":"ticker"}).to_string())).await.expect("sends");
    assert!(matches!(socket.next().await, Some(Ok(Message::Text(_) | Message::Ping(_)))));
    rig.stop().await;
}

async fn metric(rig: &Rig, name: &str) -> u64 {
    let mut socket = TcpStream::connect(rig.addr).await.expect("connects");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", rig.addr);
    socket.write_all(request.as_bytes()).await.expect("sends");
    let mut text = String::new();
    socket.read_to_string(&mut text).await.expect("reads");
    let found = text.lines().find_map(|l| l.strip_prefix(name).and_then(|v| v.trim().parse().ok()));
    found.unwrap_or_else(|| panic!("{name} in {text}"))
}

#[actix_web::test]
async fn a_reader_that_does_not_read_is_dropped_and_disturbs_nobody() {
    let mut wish = Wish::default();
    wish.config = ApiConfig { slow_reader_max: Duration::from_millis(700), ..wish.config };
    let rig = Rig::with(wish);
    let mut stalled = Client::open(&rig).await;
    stalled.say(&json!({"type":"subscribe","data":"orders"})).await;
    stalled.json().await;
    let mut lively = Client::open(&rig).await;
    lively.say(&json!({"type":"subscribe","data":"equity"})).await;
    lively.json().await;
    assert_eq!(metric(&rig, "fulmar_ws_clients").await, 2);
    // From here on the first client reads nothing, while far more is sent than its socket holds.
    let begun = Instant::now();
    let mut seq = 0;
    let mut points = 0;
    while metric(&rig, "fulmar_ws_kicked_total").await == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "not dropped");
        for _ in 0..500 {
            seq += 1;
            rig.show(Happening::Order(update(seq, seq, "BTCUSDT", OrderStatus::New, None)));
        }
        points += 1;
        rig.show(Happening::Account(account(seq, "10005", vec![])));
        let sent = Instant::now();
        lively.update().await;
        assert!(sent.elapsed() < Duration::from_millis(500), "the other client waits for nothing");
    }
    assert!(points > 1);
    assert_eq!(metric(&rig, "fulmar_ws_clients").await, 1, "its place is free again");
    // What was on the way may still be read; then the connection is over.
    let end = tokio::time::timeout(Duration::from_secs(5), async { while let Some(Ok(_)) = stalled.0.next().await {} }).await;
    assert!(end.is_ok(), "the stalled client's connection ends");
    rig.stop().await;
}

#[actix_web::test]
async fn clients_beyond_the_bound_are_told_so() {
    let mut wish = Wish::default();
    wish.config = ApiConfig { ws_clients_max: 2, ..wish.config };
    let rig = Rig::with(wish);
    let first = Client::open(&rig).await;
    let _second = Client::open(&rig).await;
    assert!(connect_async(format!("ws://{}/api/v1/ws", rig.addr)).await.is_err());
    drop(first);
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(Client::open(&rig).await);
    rig.stop().await;
}

#[actix_web::test]
async fn the_supervision_tree_is_shown_anew_when_an_actor_was_restarted() {
    let rig = Rig::start();
    let mut client = Client::open(&rig).await;
    client.say(&json!({"type":"subscribe","data":"supervision"})).await;
    client.json().await;
    rig.tree.restarts.fetch_add(1, Ordering::Relaxed);
    loop {
        let frame = client.update().await;
        if frame["data"][0]["groups"][0]["children"][0]["restarts"] == json!(1) {
            break;
        }
    }
    rig.stop().await;
}
