//! The REST paths over a real socket: each path, each error, who may call.

mod api_rig;

use api_rig::{OnSignal, Rig, Wish, account, position};
use fulmar::api::ApiConfig;
use fulmar::api::desk::CheckStatus;
use fulmar_domain::control::Command;
use fulmar_domain::gate::{GateOwner, GateState, GateWord};
use fulmar_domain::num::Ratio;
use fulmar_ports::outlook::Happening;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

struct Reply {
    status: u16,
    head: String,
    body: String,
}
impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// Sends bytes and reads until the server has answered and closed, or a second has passed in silence.
async fn raw(addr: SocketAddr, bytes: &[u8]) -> Reply {
    let mut socket = TcpStream::connect(addr).await.expect("connects");
    socket.write_all(bytes).await.expect("sends");
    let mut all = vec![];
    let mut buffer = [0; 8192];
    while let Ok(Ok(n)) = tokio::time::timeout(Duration::from_secs(8), socket.read(&mut buffer)).await {
        all.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&all);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").and_then(|n| n.parse::<usize>().ok()));
            length.is_some_and(|l| body.len() >= l)
        });
        if n == 0 || whole {
            break;
        }
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

async fn call_with(addr: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let extra: String = headers.iter().map(|(k, v)| format!("{k}: {v}\r\n")).collect();
    let host = if headers.iter().any(|(k, _)| *k == "Host") { String::new() } else { format!("Host: {addr}\r\n") };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    raw(addr, format!("{method} {path} HTTP/1.1\r\n{host}{extra}{length}\r\n{body}").as_bytes()).await
}
async fn get(rig: &Rig, path: &str) -> Reply {
    call_with(rig.addr, "GET", path, &[], "").await
}
async fn post(rig: &Rig, path: &str, body: &str) -> Reply {
    call_with(rig.addr, "POST", path, &[("Content-Type", "application/json")], body).await
}

#[actix_web::test]
async fn every_reading_path_answers_200_with_json() {
    let rig = Rig::start();
    rig.furnish();
    for path in [
        "/api/v1/ping",
        "/api/v1/version",
        "/api/v1/status",
        "/api/v1/balance",
        "/api/v1/positions",
        "/api/v1/positions?symbol=BTCUSDT",
        "/api/v1/health",
        "/api/v1/strategies",
        "/api/v1/strategies/EmaRsiStrategy",
        "/api/v1/strategies/ema_rsi",
        "/api/v1/signals",
        "/api/v1/gate",
        "/api/v1/supervision",
        "/api/v1/trades",
        "/api/v1/orders",
        "/api/v1/orders?status=open&source=live",
        "/api/v1/orders?status=filled&symbol=btcusdt&limit=5",
        "/api/v1/fills",
        "/api/v1/ledger",
        "/api/v1/equity",
        "/api/v1/equity?source=live",
        "/api/v1/events",
        "/api/v1/events?source=live",
        "/api/v1/refusals?code=MAX_POSITIONS",
        "/api/v1/refusals?source=live",
        "/api/v1/notifications",
        "/api/v1/dead_letters",
        "/api/v1/ticker",
        "/api/v1/bars?symbol=BTCUSDT",
        "/api/v1/bars?symbol=BTCUSDT&timeframe=1m&limit=2&before=1780000020000",
        "/api/v1/indicators?symbol=BTCUSDT",
    ] {
        let reply = get(&rig, path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert!(reply.head.contains("application/json"), "{path}");
        reply.json();
    }
    rig.stop().await;
}

#[actix_web::test]
async fn status_shows_positions_with_stop_liquidation_price_and_exact_unrealised_pnl() {
    let rig = Rig::start();
    rig.furnish();
    let reply = get(&rig, "/api/v1/status").await;
    let json = reply.json();
    let position = &json["positions"][0];
    assert_eq!((&position["symbol"], &position["side"]), (&json!("BTCUSDT"), &json!("long")));
    assert!(reply.body.contains("\"unrealized_pnl\":1.00000001"), "exact digits as a number: {}", reply.body);
    assert!(reply.body.contains("\"liquidation_price\":40321.12345678"));
    assert!(reply.body.contains("\"stop\":58800.5"));
    assert_eq!((&json["gate"]["state"], &json["role"], &json["epoch"]), (&json!("open"), &json!("leader"), &json!(7)));
    assert_eq!(json["balance"]["day_pnl"], json!(1.5));
    assert!(reply.head.contains("no-store"));
    rig.stop().await;
}

#[actix_web::test]
async fn strategies_are_an_array_of_objects_with_name_state_symbols_and_performance() {
    let rig = Rig::start();
    rig.furnish();
    rig.show(Happening::Trade(api_rig::trip("BTCUSDT", "12")));
    rig.view.take_up(true);
    let json = get(&rig, "/api/v1/strategies").await.json();
    let one = &json[0];
    assert_eq!((&one["strategy_name"], &one["state"]), (&json!("EmaRsiStrategy"), &json!("running")));
    assert_eq!(one["symbols"], json!(["BTCUSDT", "ETHUSDT"]));
    assert_eq!((&one["performance"]["trades"], &one["performance"]["wins"]), (&json!(5), &json!(1)));
    assert_eq!(one["by_symbol"]["BTCUSDT"]["realized_pnl"], json!(12.5));
    assert_eq!(one["open_positions"], json!(1));
    assert_eq!(get(&rig, "/api/v1/strategies/nobody").await.status, 404);
    rig.stop().await;
}

#[actix_web::test]
async fn pause_and_resume_are_recorded_before_they_show() {
    let rig = Rig::start();
    let reply = post(&rig, "/api/v1/strategies/EmaRsiStrategy/pause", "").await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("paused")));
    assert_eq!(rig.engine.commands.lock().as_slice(), [Command::Pause { strategy: Some(api_rig::ema_rsi()) }]);
    *rig.engine.on_signal.lock() = OnSignal::Lose;
    let lost = post(&rig, "/api/v1/strategies/ema_rsi/resume", "{}").await;
    assert_eq!((lost.status, &lost.json()["error"]), (503, &json!("command_not_recorded")));
    assert_eq!(get(&rig, "/api/v1/strategies/ema_rsi").await.json()["state"], "paused", "what was not recorded had no effect");
    *rig.engine.on_signal.lock() = OnSignal::Fill;
    assert_eq!(post(&rig, "/api/v1/strategies/ema_rsi/resume", "").await.json()["state"], "running");
    rig.stop().await;
}

#[actix_web::test]
async fn the_operators_commands_reach_the_engine() {
    let rig = Rig::start();
    assert_eq!(post(&rig, "/api/v1/flatten", "").await.status, 200);
    assert_eq!(post(&rig, "/api/v1/flatten", r#"{"symbol":"BTCUSDT"}"#).await.status, 200);
    assert_eq!(post(&rig, "/api/v1/breaker/reset", "").await.status, 200);
    assert_eq!(post(&rig, "/api/v1/gate", r#"{"state":"reduce_only"}"#).await.status, 200);
    assert_eq!(post(&rig, "/api/v1/gate", r#"{"state":"wide_open"}"#).await.status, 400);
    let expected = [
        Command::Flatten { symbol: None },
        Command::Flatten { symbol: Some(api_rig::symbol("BTCUSDT")) },
        Command::ResetBreaker,
        Command::SetGate { state: GateState::ReduceOnly },
    ];
    assert_eq!(rig.engine.commands.lock().as_slice(), expected);
    rig.stop().await;
}

#[actix_web::test]
async fn a_refused_signal_is_400_with_code_value_limit_and_all_failures() {
    let rig = Rig::start();
    *rig.engine.on_signal.lock() = OnSignal::Refuse;
    let reply = post(&rig, "/api/v1/signals", r#"{"symbol":"BTCUSDT","side":"buy","leverage":50,"size_percent":0.8}"#).await;
    let json = reply.json();
    assert_eq!(reply.status, 400);
    assert_eq!((&json["error"], &json["code"]), (&json!("risk_limit_exceeded"), &json!("LEVERAGE_TOO_HIGH")));
    assert_eq!((&json["value"], &json["limit"]), (&json!(50), &json!(10)));
    assert!(json["message"].as_str().is_some_and(|m| !m.is_empty()));
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["failures"][1]["value"], Value::Null, "a missing fact is null");
    match rig.engine.commands.lock().as_slice() {
        [Command::Signal(signal)] => {
            assert_eq!((signal.leverage, signal.size_percent), (50, Ratio::parse("0.8").expect("ratio")));
        }
        other => panic!("{other:?}"),
    }
    let id = json["id"].as_str().expect("an id as text, whole in every client").to_owned();
    assert_eq!(get(&rig, &format!("/api/v1/signals/{id}")).await.json()["verdict"], "refused");
    rig.stop().await;
}

#[actix_web::test]
async fn an_accepted_signal_is_200_with_the_order() {
    let rig = Rig::start();
    let body = r#"{"symbol":"btcusdt","side":"LONG","leverage":"3","size_percent":"0.1","stop_loss":58800.5,"take_profit":null,"strategy":"ema_rsi"}"#;
    let reply = post(&rig, "/api/v1/signals", body).await;
    let json = reply.json();
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!((&json["verdict"], &json["order"]["order_id"]), (&json!("approved"), &json!(77)));
    match rig.engine.commands.lock().as_slice() {
        [Command::Signal(signal)] => {
            assert_eq!((signal.stop, signal.strategy), (Some(api_rig::price("58800.5")), Some(api_rig::ema_rsi())));
        }
        other => panic!("{other:?}"),
    }
    rig.stop().await;
}

#[actix_web::test]
async fn a_signal_without_verdict_in_time_is_202_with_an_id_to_follow() {
    let mut wish = Wish::default();
    wish.config = ApiConfig { verdict_wait: Duration::from_millis(150), ..wish.config };
    let rig = Rig::with(wish);
    *rig.engine.on_signal.lock() = OnSignal::Nothing;
    let body = r#"{"symbol":"BTCUSDT","side":"sell","leverage":3,"size_percent":1e-1,"stop":61000}"#;
    let begun = Instant::now();
    let reply = post(&rig, "/api/v1/signals", body).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < Duration::from_secs(1));
    let follow = reply.json()["follow"].as_str().expect("path").to_owned();
    assert_eq!(get(&rig, &follow).await.json()["verdict"], "pending");
    for (what, status, error) in
        [(OnSignal::Reject, 409, "order_rejected"), (OnSignal::Void, 409, "order_voided"), (OnSignal::Lose, 503, "command_not_recorded")]
    {
        *rig.engine.on_signal.lock() = what;
        let reply = post(&rig, "/api/v1/signals", body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(error)));
    }
    rig.stop().await;
}

#[actix_web::test]
async fn wrong_requests_get_a_clear_400_and_do_nothing() {
    let rig = Rig::start();
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    for (body, part) in [
        ("", "EOF"),
        ("nonsense", "expected"),
        (r#"{"symbol":"BTCUSDT"}"#, "missing field"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":3,"size_percent":0.1,"colour":"red"}"#, "unknown field `colour`"),
        (r#"{"symbol":"BTC/USDT","side":"buy","leverage":3,"size_percent":0.1}"#, "symbol"),
        (r#"{"symbol":"BTCUSDT","side":"up","leverage":3,"size_percent":0.1}"#, "side"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":0,"size_percent":0.1}"#, "leverage"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":2.5,"size_percent":0.1}"#, "leverage"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":70000,"size_percent":0.1}"#, "leverage"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":3,"size_percent":0}"#, "size_percent"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":3,"size_percent":"a lot"}"#, "size_percent"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":3,"size_percent":0.1,"stop":-5}"#, "stop"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":3,"size_percent":0.1,"stop":5,"stop_loss":5}"#, "stop_loss"),
        (r#"{"symbol":"BTCUSDT","side":"buy","leverage":3,"size_percent":0.1,"strategy":"none"}"#, "strategy"),
        (deep.as_str(), "deep"),
    ] {
        let reply = post(&rig, "/api/v1/signals", body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("bad_request")), "{body}");
        let message = reply.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(part), "{body}: {message}");
    }
    for path in [
        "/api/v1/status?x=1",
        "/api/v1/orders?limit=0",
        "/api/v1/orders?limit=many",
        "/api/v1/orders?limit=99999999999",
        "/api/v1/orders?status=lost",
        "/api/v1/orders?source=live",
        "/api/v1/orders?before=-1",
        "/api/v1/bars",
        "/api/v1/bars?symbol=BTCUSDT&timeframe=7m",
        "/api/v1/signals/abc",
        "/api/v1/equity?source=else",
        "/api/v1/trades?symbol=%00",
    ] {
        let reply = get(&rig, path).await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.body);
        assert!(reply.json()["message"].is_string());
    }
    assert_eq!(get(&rig, "/api/v1/bars?symbol=NOUSDT").await.status, 404);
    assert_eq!(get(&rig, "/api/v1/signals/123456").await.status, 404);
    assert!(rig.engine.commands.lock().is_empty());
    rig.stop().await;
}

#[actix_web::test]
async fn other_methods_get_405_with_allow_and_other_paths_404_all_as_json() {
    let rig = Rig::start();
    for (method, path, allow) in [
        ("POST", "/api/v1/status", "GET"),
        ("DELETE", "/api/v1/signals", "GET, POST"),
        ("GET", "/api/v1/flatten", "POST"),
        ("PUT", "/api/v1/gate", "GET, POST"),
        ("GET", "/api/v1/supervision/risk/fault", "POST"),
        ("POST", "/", "GET"),
        ("OPTIONS", "/api/v1/status", "GET"),
    ] {
        let reply = call_with(rig.addr, method, path, &[], "").await;
        assert_eq!((reply.status, &reply.json()["error"]), (405, &json!("method_not_allowed")), "{method} {path}");
        assert!(reply.head.to_lowercase().contains(&format!("allow: {}", allow.to_lowercase())), "{}", reply.head);
    }
    for path in ["/api/v1/nothing", "/api", "/../../etc/passwd", "/assets/main.rs", "/assets/..%2f..%2fCargo.toml"] {
        let reply = get(&rig, path).await;
        assert_eq!((reply.status, &reply.json()["error"]), (404, &json!("not_found")), "{path}");
    }
    rig.stop().await;
}

#[actix_web::test]
async fn a_large_body_is_413_and_a_slow_one_408() {
    let rig = Rig::start();
    let reply = post(&rig, "/api/v1/signals", &"x".repeat(65 * 1024)).await;
    assert_eq!((reply.status, &reply.json()["error"]), (413, &json!("body_too_large")));
    let begun = Instant::now();
    let head = format!("POST /api/v1/signals HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\n\r\n{{", rig.addr);
    let reply = raw(rig.addr, head.as_bytes()).await;
    assert_eq!(reply.status, 408, "{}", reply.head);
    assert!(begun.elapsed() < Duration::from_secs(7));
    rig.stop().await;
}

#[actix_web::test]
async fn smuggling_and_broken_heads_are_refused() {
    let rig = Rig::start();
    let host = rig.addr;
    for request in [
        format!("POST /api/v1/flatten HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST /api/v1/flatten HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        format!("POST /api/v1/flatten HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n"),
        format!("POST /api/v1/flatten HTTP/1.1\r\nHost: {host}\r\nContent-Length : 2\r\n\r\n{{}}"),
        "GET  HTTP/1.1\r\n\r\n".to_owned(),
        "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(),
    ] {
        let reply = raw(rig.addr, request.as_bytes()).await;
        assert!(matches!(reply.status, 0 | 400), "{request:?}: {}", reply.head);
    }
    assert!(rig.engine.commands.lock().is_empty());
    assert_eq!(get(&rig, "/api/v1/ping").await.status, 200);
    rig.stop().await;
}

#[actix_web::test]
async fn without_a_token_only_our_own_names_and_our_own_page_may_call() {
    let rig = Rig::start();
    let port = rig.addr.port();
    let (own, local) = (format!("127.0.0.1:{port}"), format!("localhost:{port}"));
    for (headers, status, error) in [
        (vec![("Host", own.as_str())], 200, None),
        (vec![("Host", local.as_str())], 200, None),
        (vec![("Host", "evil.example")], 403, Some("host_refused")),
        (vec![("Host", "localhost.evil.example")], 403, Some("host_refused")),
        (vec![("Host", local.as_str()), ("Origin", "http://evil.example")], 403, Some("origin_refused")),
        (vec![("Host", local.as_str()), ("Origin", "null")], 403, Some("origin_refused")),
    ] {
        let reply = call_with(rig.addr, "GET", "/api/v1/ping", &headers, "").await;
        assert_eq!(reply.status, status, "{headers:?}: {}", reply.body);
        if let Some(error) = error {
            assert_eq!(reply.json()["error"], error);
        }
    }
    let origin = format!("http://{local}");
    let same = call_with(rig.addr, "GET", "/api/v1/ping", &[("Host", &local), ("Origin", &origin)], "").await;
    assert_eq!(same.status, 200);
    assert!(!same.head.to_lowercase().contains("access-control"), "no page of another origin is ever let in");
    rig.stop().await;
}

#[actix_web::test]
async fn with_a_token_every_call_needs_it() {
    let token = "correct-horse-battery-staple";
    let rig = Rig::with(Wish { token: Some(token.to_owned()), ..Wish::default() });
    let bearer = format!("Bearer {token}");
    for path in ["/api/v1/ping", "/api/v1/status", "/metrics", "/api/v1/ws", "/api/v1/nothing"] {
        for headers in [
            vec![],
            vec![("Authorization", "Bearer wrong-token-of-some-size")],
            vec![("Authorization", "Basic abc")],
            vec![("Authorization", token)],
        ] {
            let reply = call_with(rig.addr, "GET", path, &headers, "").await;
            assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("unauthorized")), "{path} {headers:?}");
            assert!(reply.head.to_lowercase().contains("www-authenticate: bearer"));
        }
    }
    assert_eq!(call_with(rig.addr, "GET", "/api/v1/status", &[("Authorization", &bearer)], "").await.status, 200);
    assert_eq!(call_with(rig.addr, "GET", "/metrics", &[("Authorization", &bearer), ("Host", "fulmar:8080")], "").await.status, 200);
    let query = format!("/api/v1/ping?token={token}");
    assert_eq!(call_with(rig.addr, "GET", &query, &[], "").await.status, 401, "a token in a query is taken for the WebSocket only");
    assert_eq!(call_with(rig.addr, "GET", "/", &[], "").await.status, 200, "the page holds no data and asks for the token");
    rig.stop().await;
}

#[actix_web::test]
async fn an_address_of_the_network_needs_a_token() {
    let view = fulmar::view::LiveView::still(fulmar::view::ViewConfig {
        symbols: vec![],
        strategies: vec![],
        columns: vec![],
        bars_kept: 1,
        flush_every: Duration::from_millis(1),
        stream: "x".to_owned(),
    });
    drop(view);
    let refused = fulmar::api::guard::check_listen("0.0.0.0:0".parse().expect("address"), None).expect_err("refused");
    assert!(refused.to_string().contains("FULMAR_API_TOKEN"), "{refused}");
}

#[actix_web::test]
async fn a_locked_store_is_503_where_it_is_asked_and_nowhere_else() {
    let rig = Rig::start();
    rig.furnish();
    rig.store.locked.store(true, Ordering::Relaxed);
    for path in ["trades", "orders", "fills", "ledger", "equity", "events", "refusals", "notifications", "dead_letters"] {
        let reply = get(&rig, &format!("/api/v1/{path}")).await;
        assert_eq!((reply.status, &reply.json()["error"]), (503, &json!("store_unavailable")), "{path}");
        assert!(reply.json()["message"].as_str().is_some_and(|m| m.contains("trading is not affected")));
    }
    for path in ["status", "balance", "strategies", "supervision", "equity?source=live", "orders?status=open&source=live"] {
        assert_eq!(get(&rig, &format!("/api/v1/{path}")).await.status, 200, "{path}");
    }
    assert_eq!(post(&rig, "/api/v1/flatten", "").await.status, 200);
    rig.stop().await;
}

#[actix_web::test]
async fn history_pages_by_sequence_with_numbers_as_numbers() {
    let rig = Rig::start();
    let reply = get(&rig, "/api/v1/orders?before=10&limit=7&strategy=EmaRsiStrategy").await;
    assert_eq!((&reply.json()[0]["seq"], &reply.json()[0]["average_price"]), (&json!(9), &json!(60001.25)));
    let asked = rig.store.asked.lock().join("|");
    assert!(asked.contains("before: Some(10), limit: 7") && asked.contains("ema_rsi"), "{asked}");
    let trades = get(&rig, "/api/v1/trades").await.json();
    assert_eq!((&trades[0]["pnl"], &trades[0]["side"]), (&json!(11.3), &json!("long")));
    assert_eq!(get(&rig, "/api/v1/events").await.json()[0]["body"]["reason"], "SIGTERM");
    rig.stop().await;
}

#[actix_web::test]
async fn faults_are_403_unless_the_configuration_allows_them() {
    let rig = Rig::start();
    let path = "/api/v1/supervision/risk/fault";
    assert_eq!(post(&rig, path, r#"{"site":"handler"}"#).await.json()["error"], "faults_disabled");
    rig.tree.enabled.store(true, Ordering::Relaxed);
    assert_eq!(post(&rig, path, r#"{"site":"handler"}"#).await.status, 200);
    assert_eq!(post(&rig, path, r#"{"site":"moon"}"#).await.status, 400);
    assert_eq!(post(&rig, path, r#"{"site":"hang"}"#).await.status, 409);
    assert_eq!(post(&rig, "/api/v1/supervision/nobody/fault", r#"{"site":"handler"}"#).await.status, 404);
    let tree = get(&rig, "/api/v1/supervision").await.json();
    let risk = &tree["groups"][0]["children"][0];
    assert_eq!((&risk["name"], &risk["restarts"], &risk["last_failure"]["kind"]), (&json!("risk"), &json!(1), &json!("panic")));
    rig.stop().await;
}

#[actix_web::test]
async fn health_is_503_only_when_a_part_is_failing() {
    let rig = Rig::start();
    for (status, code, word) in
        [(CheckStatus::Ok, 200, "ok"), (CheckStatus::Degraded, 200, "degraded"), (CheckStatus::Failing, 503, "failing")]
    {
        *rig.health.0.lock() = status;
        let reply = get(&rig, "/api/v1/health").await;
        assert_eq!((reply.status, &reply.json()["status"]), (code, &json!(word)));
    }
    rig.stop().await;
}

#[actix_web::test]
async fn metrics_count_what_went_through() {
    let rig = Rig::start();
    rig.furnish();
    rig.show(Happening::Refused(api_rig::refusal(5, &[("MAX_POSITIONS", "11", "10")])));
    rig.show(Happening::Gate {
        owner: GateOwner::Breaker,
        held: GateState::Halted,
        gate: GateWord { state: GateState::Halted, epoch: 3 },
        cause: "drawdown".to_owned(),
    });
    rig.view.take_up(true);
    let reply = get(&rig, "/metrics").await;
    assert_eq!(reply.status, 200);
    for line in [
        "fulmar_bars_total{symbol=\"BTCUSDT\"} 1",
        "fulmar_intents_refused_total{code=\"MAX_POSITIONS\"} 1",
        "fulmar_gate_state 2",
        "fulmar_equity_usdt 10001.5",
        "fulmar_actor_restarts_total{actor=\"risk\"} 0",
        "fulmar_positions_without_stop 0",
    ] {
        assert!(reply.body.lines().any(|l| l == line), "{line} in\n{}", reply.body);
    }
    rig.stop().await;
}

#[actix_web::test]
async fn the_page_is_served_whole_and_may_load_nothing_foreign() {
    let rig = Rig::start();
    let page = get(&rig, "/").await;
    assert_eq!(page.status, 200);
    assert!(page.head.to_lowercase().contains("content-security-policy: default-src 'self'"));
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "no foreign request");
    assert!(!page.body.contains("style=\"") && !page.body.contains("onclick"), "inline code and style would be blocked");
    for part in page.body.split('"').filter(|p| p.starts_with("/assets/")) {
        let file = get(&rig, part).await;
        assert_eq!(file.status, 200, "{part}");
        assert!(!file.body.trim().is_empty(), "{part}");
    }
    rig.stop().await;
}

#[actix_web::test]
async fn a_hundred_status_calls_at_once_are_all_answered_200_while_facts_pour_in() {
    let rig = Rig::start();
    rig.furnish();
    let view = std::sync::Arc::clone(&rig.view);
    let pouring = std::thread::spawn(move || {
        use fulmar_ports::outlook::Outlook as _;
        for seq in 2..5_000 {
            view.show(Happening::Account(account(seq, "10001.5", vec![position("BTCUSDT", "0.01", "1")])), api_rig::at(0));
        }
    });
    let calls = (0..100).map(|_| call_with(rig.addr, "GET", "/api/v1/status", &[], ""));
    let replies = futures_util::future::join_all(calls).await;
    assert_eq!(replies.iter().filter(|r| r.status == 200).count(), 100);
    pouring.join().expect("thread");
    rig.stop().await;
}
