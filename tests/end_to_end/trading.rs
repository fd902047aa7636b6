//! It trades, shows it, obeys its limits, and ends in order.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client};

use crate::process::books::{assert_agree, journal};
use crate::process::http;
use crate::process::{Engine, Simex, alone, wait_for};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

/// The first order sent, filled, and protected by a stop at the exchange; from the journal and the API alone.
fn wait_protected(engine: &Engine, within: Duration) -> Value {
    wait_for("an order was filled and its stop stands", within, || {
        let positions = engine.get("/api/v1/positions");
        let filled = !journal(&engine.data, "order_updated").iter().all(|u| u["fill"].is_null());
        let guarded = positions.as_array().into_iter().flatten().find(|p| !p["stop"].is_null()).cloned();
        guarded.filter(|_| filled).ok_or_else(|| positions.to_string())
    })
}

#[test]
fn the_default_run_sends_fills_and_protects_an_order_within_a_minute() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let mut engine = Engine::start(&folder.path().join("data"), None, &[]);
    let position = wait_protected(&engine, Duration::from_secs(55));
    println!("first protected position after {:.1} s: {}", began.elapsed().as_secs_f64(), position["symbol"]);
    assert!(began.elapsed() < Duration::from_secs(60));
    let said = engine.program.said();
    for part in ["mode", "exchange", "symbols", "strategies", "dashboard"] {
        assert!(said.contains(part), "the banner does not tell {part}:\n{said}");
    }
    let (code, took) = engine.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "took {took:?} to end");
}

#[test]
fn while_it_trades_every_path_answers_limits_hold_and_the_books_agree() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let simex = Simex::start(folder.path(), &["--speed", "600", "--seed", "11"]);
    let mut engine = Engine::start(&folder.path().join("data"), Some(&simex), &[]);
    engine.wait_open(Duration::from_secs(10));
    let position = wait_protected(&engine, Duration::from_secs(50));
    let symbol = position["symbol"].as_str().expect("a symbol").to_owned();
    wait_for("the stop is the exchange's own", Duration::from_secs(10), || {
        let open = simex.ask("/fapi/v1/openAlgoOrders", &format!("symbol={symbol}"));
        let stands = open.as_array().into_iter().flatten().any(|o| o["orderType"] == "STOP_MARKET" && o["closePosition"] == true);
        stands.then_some(()).ok_or_else(|| format!("{symbol}: {open}"))
    });
    every_path_answers(&engine);
    ticker_comes(&engine);
    parallel_status(&engine);
    too_much_is_refused(&engine, &simex);
    let agreed = assert_agree(&engine, &simex, &SYMBOLS);
    println!("books agree while trading: {agreed:?}");
    assert!(agreed.fills > 0);
    let (code, took) = engine.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "took {took:?} to end");
    drained(&engine.data);
}

fn every_path_answers(engine: &Engine) {
    wait_for("the store is open", Duration::from_secs(10), || {
        let answer = http::get(&engine.api, "/api/v1/trades").expect("an answer");
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    });
    let one = engine.get("/api/v1/signals").as_array().and_then(|s| s.first().cloned()).expect("signals of the strategy");
    let paths = [
        "ping",
        "version",
        "status",
        "trades",
        "orders",
        "fills",
        "balance",
        "positions",
        "strategies",
        "strategies/ema_rsi",
        "signals",
        "supervision",
        "health",
        "gate",
        "ledger",
        "equity",
        "events",
        "refusals",
        "notifications",
        "dead_letters",
        "ticker",
        "bars?symbol=BTCUSDT",
        "indicators?symbol=BTCUSDT",
    ];
    for path in paths {
        let answer = http::get(&engine.api, &format!("/api/v1/{path}")).expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(!answer.json().is_null(), "{path} gives no JSON: {}", answer.body);
    }
    let id = one["id"].as_str().expect("ids are text: they do not fit a browser's numbers");
    assert_eq!(engine.get(&format!("/api/v1/signals/{id}"))["id"], one["id"]);
    let strategies = engine.get("/api/v1/strategies");
    let first = &strategies.as_array().expect("a list")[0];
    assert!(first["strategy_name"].is_string() && first["symbols"].as_array().is_some_and(|s| s.contains(&json!("BTCUSDT"))), "{first}");
    let status = engine.get("/api/v1/status");
    let position = &status["positions"].as_array().expect("a list").first().cloned().unwrap_or_default();
    if position.is_object() {
        for key in ["stop", "liquidation_price", "unrealized_pnl"] {
            assert!(position.get(key).is_some(), "status tells no {key}: {position}");
        }
    }
    let metrics = http::get(&engine.api, "/metrics").expect("an answer").body;
    for name in ["fulmar_bars_total", "fulmar_fills_total", "fulmar_actor_restarts_total"] {
        assert!(metrics.contains(name), "{name} is not measured");
    }
    let page = http::get(&engine.api, "/").expect("an answer");
    assert!(page.status == 200 && page.body.contains("<html"), "{}", page.status);
}

fn ticker_comes(engine: &Engine) {
    let stream = TcpStream::connect(&engine.api).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let (mut socket, _) = client(format!("ws://{}/api/v1/ws", engine.api), stream).expect("a socket");
    socket.send(Message::text(r#"{"type":"subscribe","data":"ticker"}"#)).expect("sent");
    let end = Instant::now() + Duration::from_secs(10);
    let mut updates = Vec::new();
    while updates.len() < 2 {
        assert!(Instant::now() < end, "{updates:?}");
        if let Message::Text(text) = socket.read().expect("a frame") {
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if frame["type"] == "ticker_update" {
                updates.push(frame);
            }
        }
    }
    let first: BTreeSet<&str> = updates[0]["data"].as_object().expect("keyed by symbol").keys().map(String::as_str).collect();
    assert_eq!(first, BTreeSet::from(SYMBOLS), "the first frame holds all symbols");
}

fn parallel_status(engine: &Engine) {
    let api = Arc::new(engine.api.clone());
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let api = Arc::clone(&api);
            std::thread::spawn(move || http::get(&api, "/api/v1/status"))
        })
        .collect();
    let answers: Vec<_> = asked.into_iter().map(|a| a.join().expect("no panic")).collect();
    let good = answers.iter().filter(|a| a.as_ref().is_ok_and(|a| a.status == 200 && a.json()["positions"].is_array())).count();
    assert_eq!(good, 100, "{:?}", answers.iter().find(|a| a.as_ref().is_ok_and(|a| a.status != 200) || a.is_err()));
}

fn too_much_is_refused(engine: &Engine, simex: &Simex) {
    let answer = engine.post("/api/v1/signals", r#"{"symbol":"BTCUSDT","side":"buy","leverage":50,"size_percent":0.8}"#);
    assert_eq!(answer.status, 400, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body["error"], "risk_limit_exceeded", "{body}");
    assert_eq!(body["code"], "LEVERAGE_TOO_HIGH", "{body}");
    let id: u64 = body["id"].as_str().and_then(|id| id.parse().ok()).expect("the decision's id");
    std::thread::sleep(Duration::from_millis(300));
    assert!(journal(&engine.data, "intent_refused").iter().any(|r| r["intent"]["decision"] == id), "the refusal is not journalled");
    assert!(!journal(&engine.data, "order_planned").iter().any(|o| o["decision"] == id), "an order was planned");
    let leverages: Vec<i64> =
        simex.ask("/fapi/v1/symbolConfig", "").as_array().expect("a list").iter().filter_map(|c| c["leverage"].as_i64()).collect();
    assert!(!leverages.contains(&50), "the leverage reached the exchange: {leverages:?}");
}

fn drained(data: &Path) {
    let ended = journal(data, "session_ended");
    assert_eq!(ended.len(), 1, "the end of the session is journalled");
    let (code, out, errors) = crate::process::run(&["journal", "verify", "--data-dir", &data.display().to_string()]);
    assert_eq!(code, 0, "{out}{errors}");
}

#[test]
fn a_refused_signal_leaves_no_trace_at_the_exchange() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    // At real speed no bar closes within the few seconds of this test: all that could reach the exchange is the signal's.
    let simex = Simex::start(folder.path(), &["--speed", "1", "--seed", "5"]);
    let engine = Engine::start(&folder.path().join("data"), Some(&simex), &[]);
    engine.wait_open(Duration::from_secs(10));
    engine.post("/api/v1/strategies/ema_rsi/pause", "");
    wait_for("prices flow", Duration::from_secs(10), || {
        let ticker = engine.get("/api/v1/ticker")["BTCUSDT"].clone();
        if ticker["feed"] == "up" && !ticker["mark"].is_null() { Ok(()) } else { Err(ticker.to_string()) }
    });
    let asked = |ledger: &[Value]| ledger.iter().filter(|r| r["record"] != "mark").count();
    let before = asked(&simex.ledger(0));
    let answer = engine.post("/api/v1/signals", r#"{"symbol":"BTCUSDT","side":"long","leverage":50,"size_percent":0.8}"#);
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("risk_limit_exceeded")), "{}", answer.body);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(asked(&simex.ledger(0)), before, "something reached the exchange");
    // The same path with an order within the limits does reach it: the silence above was the gate's.
    let mark = engine.get("/api/v1/ticker")["BTCUSDT"]["mark"].as_f64().expect("a mark price");
    let stop = (mark * 0.99).round();
    let body = format!(r#"{{"symbol":"BTCUSDT","side":"long","leverage":3,"size_percent":0.1,"stop":{stop}}}"#);
    let answer = engine.post("/api/v1/signals", &body);
    assert!(answer.status == 200 || answer.status == 202, "{}: {}", answer.status, answer.body);
    wait_for("its stop stands", Duration::from_secs(10), || {
        let open = simex.ask("/fapi/v1/openAlgoOrders", "symbol=BTCUSDT");
        let one = open.as_array().is_some_and(|o| o.len() == 1);
        one.then_some(()).ok_or_else(|| format!("{open} {}", engine.get("/api/v1/orders?status=open&source=live")))
    });
    assert_agree(&engine, &simex, &SYMBOLS);
}

#[test]
fn a_second_instance_stands_by_says_so_and_takes_over() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let simex = Simex::start(folder.path(), &["--speed", "60", "--seed", "6"]);
    let data = folder.path().join("data");
    let mut first = Engine::start(&data, Some(&simex), &[]);
    first.wait_open(Duration::from_secs(10));
    let mut second = Engine::spawn(&data, Some(&simex), &["--set", "lease.holder=fulmar-2"]);
    let line = second.line_after("holds the lease", Duration::from_secs(10));
    assert!(line.contains("stands by"), "{line}");
    std::thread::sleep(Duration::from_secs(1));
    assert!(second.runs() && first.program.runs());
    let (code, _) = first.stop();
    assert_eq!(code, Some(0));
    second.line_after("dashboard ", Duration::from_secs(20));
    second.terminate();
    assert_eq!(second.end(Duration::from_secs(10)).code(), Some(0));
}
