//! Keys, signatures, timestamps, parameters, limits, faults on requests.

use crate::client::{Socket, fault, get, ok, raw, signed, signed_query, wall};
use crate::market::{KEY, Market, OTHER_KEY, SECRET, config};
use fulmar_simex::server::{LimitConfig, ServerConfig, sign};

#[test]
fn whatever_is_wrong_with_key_signature_time_or_parameters_has_its_own_code() {
    let market = Market::open(config());
    let path = "/fapi/v1/openOrders";
    let with = |text: &str| format!("{path}?{text}&signature={}", sign(SECRET, &[text.as_bytes()]).unwrap());
    let now = wall();
    for (what, path, key, status, code) in [
        ("no key", with(&format!("timestamp={now}")), None, 401, -2014),
        ("key of another form", with(&format!("timestamp={now}")), Some("not a key!"), 401, -2014),
        ("unknown key", with(&format!("timestamp={now}")), Some("nobody"), 401, -2015),
        ("another's key", with(&format!("timestamp={now}")), Some(OTHER_KEY), 400, -1022),
        ("no signature", format!("{path}?timestamp={now}"), Some(KEY), 400, -1102),
        ("wrong signature", format!("{path}?timestamp={now}&signature=00"), Some(KEY), 400, -1022),
        ("changed after signing", with(&format!("timestamp={now}")).replace('?', "?symbol=BTCUSDT&"), Some(KEY), 400, -1022),
        ("no timestamp", with("symbol=BTCUSDT"), Some(KEY), 400, -1102),
        ("timestamp is no number", with("timestamp=soon"), Some(KEY), 400, -1100),
        ("too old", with(&format!("timestamp={}", now - 6_000)), Some(KEY), 400, -1021),
        ("too old for its window", with(&format!("recvWindow=10&timestamp={}", now - 500)), Some(KEY), 400, -1021),
        ("from the future", with(&format!("timestamp={}", now + 5_000)), Some(KEY), 400, -1021),
        ("window too long", with(&format!("recvWindow=60001&timestamp={now}")), Some(KEY), 400, -1131),
        ("unknown contract", with(&format!("symbol=NOPE&timestamp={now}")), Some(KEY), 400, -1121),
        ("no such path", "/fapi/v1/nothing".to_owned(), None, 404, -5000),
        ("no such method", "/fapi/v1/listenKey".to_owned(), Some(KEY), 405, -5000),
    ] {
        let answer = raw(&market, "GET", &path, "", key).unwrap();
        assert_eq!((answer.status, answer.code()), (status, code), "{what}: {}", answer.json);
        assert!(answer.json["msg"].is_string(), "{what}");
    }
    assert_eq!(signed(&market, "GET", path, "").status, 200);
}

#[test]
fn parameters_may_stand_in_query_or_body_in_any_order_with_unknown_ones_among_them() {
    let market = Market::open(config());
    let now = wall();
    for (query, body) in [
        (String::new(), format!("timestamp={now}&leverage=7&symbol=BTCUSDT&unknown=1")),
        (format!("symbol=BTCUSDT&timestamp={now}"), "leverage=7".to_owned()),
        (format!("leverage=7&symbol=BTCUSDT&timestamp={now}"), String::new()),
    ] {
        let signature = sign(SECRET, &[query.as_bytes(), body.as_bytes()]).unwrap();
        let (path, body) = if body.is_empty() {
            (format!("/fapi/v1/leverage?signature={signature}&{query}"), body)
        } else {
            (format!("/fapi/v1/leverage?{query}"), format!("{body}&signature={signature}"))
        };
        let answer = raw(&market, "POST", &path, &body, Some(KEY)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.json);
        assert_eq!(answer.json["leverage"], 7);
    }
}

#[test]
fn bad_order_parameters_have_their_codes() {
    let market = Market::open(config());
    for (params, code) in [
        ("side=BUY&type=MARKET&quantity=0.01", -1102),
        ("symbol=BTCUSDT&type=MARKET&quantity=0.01", -1102),
        ("symbol=BTCUSDT&side=BUY&quantity=0.01", -1102),
        ("symbol=BTCUSDT&side=UP&type=MARKET&quantity=0.01", -1117),
        ("symbol=BTCUSDT&side=BUY&type=ICEBERG&quantity=0.01", -1116),
        ("symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.01&price=50000&timeInForce=SOON", -1115),
        ("symbol=BTCUSDT&side=BUY&type=STOP_MARKET&quantity=0.01&stopPrice=1", -4120),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.0000000001", -1111),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=x", -1100),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=", -1105),
    ] {
        let answer = signed(&market, "POST", "/fapi/v1/order", params);
        assert_eq!((answer.status, answer.code()), (400, code), "{params}: {}", answer.json);
    }
}

#[test]
fn weight_and_order_counts_are_shown_and_enforced() {
    let limits =
        LimitConfig { weight_per_minute: 60, orders_per_10_seconds: 2, orders_per_minute: 1_000, refusals_before_ban: 2, ban_ms: 60_000 };
    let market = Market::open(ServerConfig { limits, lock_step: true, ..config() });
    // In lock-step the limits count on market time, which stands still here.
    let at = |params: &str| {
        let text = format!("{params}&timestamp={}", market.now());
        format!("{text}&signature={}", sign(SECRET, &[text.as_bytes()]).unwrap())
    };
    let order = |price: u32| {
        format!("/fapi/v1/order?{}", at(&format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}")))
    };
    let first = raw(&market, "POST", &order(49_000), "", Some(KEY)).unwrap();
    assert_eq!(first.status, 200, "{}", first.json);
    assert_eq!((first.header("x-mbx-order-count-10s"), first.header("x-mbx-order-count-1m")), (Some("1"), Some("1")));
    assert_eq!(first.header("x-mbx-used-weight-1m"), Some("0"), "orders weigh nothing");
    assert_eq!(raw(&market, "POST", &order(49_001), "", Some(KEY)).unwrap().status, 200);
    let third = raw(&market, "POST", &order(49_002), "", Some(KEY)).unwrap();
    assert_eq!((third.status, third.code()), (429, -1015));
    assert!(third.header("retry-after").is_some());
    assert_eq!(get(&market, "/fapi/v1/aggTrades?symbol=BTCUSDT").header("x-mbx-used-weight-1m"), Some("20"));
    assert_eq!(get(&market, "/fapi/v1/ticker/24hr").status, 200);
    for expected in [429, 429, 418, 418] {
        let answer = get(&market, "/fapi/v1/time");
        assert_eq!((answer.status, answer.code()), (expected, -1003), "{}", answer.json);
        assert!(answer.header("retry-after").is_some());
    }
    market.step_by(121_000, "50000", "3000");
    assert_eq!(get(&market, "/fapi/v1/time").status, 200);
    assert_eq!(get(&market, "/fapi/v1/time").json["serverTime"], market.now());
}

#[test]
fn each_request_fault_does_what_it_says() {
    let market = Market::open(config());
    let order = |id: &str| format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=49000&newClientOrderId={id}");
    let place = |id: &str| raw(&market, "POST", &format!("/fapi/v1/order?{}", signed_query(&order(id))), "", Some(KEY));
    let stands = |id: &str| signed(&market, "GET", "/fapi/v1/order", &format!("symbol=BTCUSDT&origClientOrderId={id}")).status == 200;
    for (id, json, status, code, executed) in [
        ("a", r#"{"fault":"drop_before","path":"/fapi/v1/order","method":"POST"}"#, None, 0, false),
        ("b", r#"{"fault":"drop_after","path":"/fapi/v1/order","method":"POST"}"#, None, 0, true),
        ("c", r#"{"fault":"unavailable","text":"A","execute":true,"method":"POST"}"#, Some(503), -1000, true),
        ("d", r#"{"fault":"unavailable","text":"A","method":"POST"}"#, Some(503), -1000, false),
        ("e", r#"{"fault":"unavailable","text":"B","method":"POST"}"#, Some(503), -1, false),
        ("f", r#"{"fault":"unavailable","text":"C","method":"POST"}"#, Some(503), -1001, false),
        ("g", r#"{"fault":"unavailable","text":"D","method":"POST"}"#, Some(503), -1008, false),
        ("h", r#"{"fault":"timeout","execute":true,"method":"POST"}"#, Some(408), -1007, true),
        ("i", r#"{"fault":"timeout","method":"POST"}"#, Some(408), -1007, false),
        ("j", r#"{"fault":"too_many_requests","retry_after":3,"method":"POST"}"#, Some(429), -1003, false),
        ("k", r#"{"fault":"bad_timestamp","method":"POST"}"#, Some(400), -1021, false),
        ("l", r#"{"fault":"recv_window","method":"POST"}"#, Some(400), -5028, false),
        ("m", r#"{"fault":"delay","ms":50,"method":"POST"}"#, Some(200), 0, true),
    ] {
        fault(&market, json);
        let answer = place(id);
        assert_eq!(answer.as_ref().map(|a| a.status), status, "{json}");
        if code != 0 {
            assert_eq!(answer.unwrap().code(), code, "{json}");
        }
        assert_eq!(stands(id), executed, "{json}");
    }
    fault(&market, r#"{"fault":"banned","ms":60000,"path":"/fapi/v1/ping"}"#);
    assert_eq!(get(&market, "/fapi/v1/ping").status, 418);
    assert_eq!(get(&market, "/fapi/v1/time").status, 418, "a ban is by address");
    let listed = raw(&market, "GET", "/sim/faults", "", None).unwrap();
    assert_eq!(listed.json["struck"], 14);
    assert_eq!(raw(&market, "DELETE", "/sim/faults", "", None).unwrap().status, 200);
    assert_eq!(get(&market, "/fapi/v1/time").status, 200);
    assert_eq!(raw(&market, "POST", "/sim/faults", r#"{"fault":"earthquake"}"#, None).unwrap().status, 400);
}

#[test]
fn a_delay_beyond_the_window_is_refused_by_the_matching_engine() {
    let market = Market::open(config());
    fault(&market, r#"{"fault":"delay","ms":300,"method":"POST"}"#);
    let text = format!("symbol=BTCUSDT&leverage=5&recvWindow=200&timestamp={}", wall());
    let path = format!("/fapi/v1/leverage?{text}&signature={}", sign(SECRET, &[text.as_bytes()]).unwrap());
    let answer = raw(&market, "POST", &path, "", Some(KEY)).unwrap();
    assert_eq!((answer.status, answer.code()), (400, -5028));
}

#[test]
fn a_throttled_exchange_spares_cancels_and_orders_that_only_reduce() {
    let market = Market::open(config());
    ok(
        &market,
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=49000&newClientOrderId=x",
    );
    fault(&market, r#"{"fault":"unavailable","text":"D","path":"/fapi/v1/order","count":9}"#);
    ok(&market, "DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=x");
    assert_eq!(signed(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01").status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trading_socket_places_cancels_and_queries_with_sorted_signatures() {
    let market = Market::open(config());
    let mut socket = Socket::open(&market, "/ws-fapi/v1").await;
    let request = |method: &str, id: &str, params: &[(&str, &str)]| {
        let now = wall().to_string();
        let mut all: Vec<(&str, &str)> = params.to_vec();
        all.extend([("apiKey", KEY), ("timestamp", now.as_str())]);
        all.sort_unstable();
        let text = all.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
        let signature = sign(SECRET, &[text.as_bytes()]).unwrap();
        let mut object: serde_json::Map<String, serde_json::Value> = all.iter().map(|(n, v)| ((*n).to_owned(), (*v).into())).collect();
        object.insert("signature".to_owned(), signature.into());
        serde_json::json!({"id": id, "method": method, "params": object}).to_string()
    };
    let place = [
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "0.01"),
        ("price", "49000"),
        ("newClientOrderId", "w1"),
    ];
    let placed = socket.ask(&request("order.place", "p", &place)).await;
    assert_eq!((&placed["id"], &placed["status"]), (&"p".into(), &200.into()), "{placed}");
    assert_eq!(placed["result"]["clientOrderId"], "w1");
    let name = [("symbol", "BTCUSDT"), ("origClientOrderId", "w1")];
    assert_eq!(socket.ask(&request("order.status", "s", &name)).await["result"]["status"], "NEW");
    assert_eq!(socket.ask(&request("order.cancel", "c", &name)).await["result"]["status"], "CANCELED");
    let again = socket.ask(&request("order.cancel", "d", &name)).await;
    assert_eq!((&again["status"], &again["error"]["code"]), (&400.into(), &(-2011).into()));
    let unsigned = socket.ask(r#"{"id":1,"method":"order.status","params":{"symbol":"BTCUSDT","orderId":1}}"#).await;
    assert_eq!((&unsigned["id"], &unsigned["error"]["code"]), (&1.into(), &(-2014).into()));
}
