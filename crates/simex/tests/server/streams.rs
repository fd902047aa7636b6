//! Subscriptions, every stream, user data, heartbeat, the barrier, faults on sockets.

use crate::client::{Socket, fault, ok, raw};
use crate::market::{KEY, Market, config};
use fulmar_simex::server::ServerConfig;
use serde_json::{Value, json};
use std::time::Duration;

fn listen_key(market: &Market) -> String {
    raw(market, "POST", "/fapi/v1/listenKey", "", Some(KEY)).unwrap().json["listenKey"].as_str().unwrap().to_owned()
}
/// Waits until the exchange knows of so many sockets.
async fn sockets(market: &Market, count: u64) {
    for _ in 0..200 {
        if raw(market, "GET", "/sim/state", "", None).unwrap().json["sockets"] == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the sockets did not come");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_made_listed_and_taken_back_with_ids_of_either_kind() {
    let market = Market::open(config());
    let mut socket = Socket::open(&market, "/market/ws").await;
    assert_eq!(
        socket.ask(r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","ethusdt@bookTicker"],"id":1}"#).await,
        json!({"result": null, "id": 1})
    );
    assert_eq!(
        socket.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":"two"}"#).await,
        json!({"result": ["btcusdt@aggTrade", "ethusdt@bookTicker"], "id": "two"})
    );
    assert_eq!(socket.ask(r#"{"method":"UNSUBSCRIBE","params":["btcusdt@aggTrade"],"id":3}"#).await, json!({"result": null, "id": 3}));
    assert_eq!(socket.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":4}"#).await["result"], json!(["ethusdt@bookTicker"]));
    for bad in [
        "rubbish",
        r#"{"method":"DANCE","id":5}"#,
        r#"{"method":"SUBSCRIBE","params":7,"id":5}"#,
        r#"{"id":5}"#,
        r#"{"method":"SUBSCRIBE","params":[],"id":{}}"#,
    ] {
        let answer = socket.ask(bad).await;
        assert!(answer["error"]["code"].is_i64(), "{bad}: {answer}");
    }
    market.step("50001", "3001");
    let frame = socket.next().await.unwrap();
    assert_eq!((&frame["e"], &frame["s"]), (&"bookTicker".into(), &"ETHUSDT".into()), "only what is subscribed comes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_base_serves_raw_and_combined_addresses() {
    let market = Market::open(config());
    for base in ["", "/public", "/market", "/private"] {
        let mut plain = Socket::open(&market, &format!("{base}/ws/btcusdt@trade/ethusdt@trade")).await;
        let mut combined = Socket::open(&market, &format!("{base}/stream?streams=btcusdt@trade/ethusdt@trade")).await;
        sockets(&market, 2).await;
        market.step("50002", "3002");
        assert_eq!(plain.next().await.unwrap()["s"], "BTCUSDT");
        assert_eq!(plain.next().await.unwrap()["s"], "ETHUSDT");
        let frame = combined.next().await.unwrap();
        assert_eq!((&frame["stream"], &frame["data"]["e"]), (&"btcusdt@trade".into(), &"trade".into()));
        drop((plain, combined));
        sockets(&market, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stream_sends() {
    let market = Market::open(config());
    let names = [
        ("btcusdt@aggTrade", "aggTrade"),
        ("btcusdt@trade", "trade"),
        ("btcusdt@kline_1m", "kline"),
        ("btcusdt_perpetual@continuousKline_1m", "continuous_kline"),
        ("btcusdt@markPrice", "markPriceUpdate"),
        ("btcusdt@markPrice@1s", "markPriceUpdate"),
        ("btcusdt@bookTicker", "bookTicker"),
        ("btcusdt@depth", "depthUpdate"),
        ("btcusdt@depth@0ms", "depthUpdate"),
        ("btcusdt@depth@100ms", "depthUpdate"),
        ("btcusdt@depth@250ms", "depthUpdate"),
        ("btcusdt@depth@500ms", "depthUpdate"),
        ("btcusdt@depth5", "depthUpdate"),
        ("btcusdt@depth10@100ms", "depthUpdate"),
        ("btcusdt@depth20@500ms", "depthUpdate"),
        ("btcusdt@ticker", "24hrTicker"),
        ("btcusdt@miniTicker", "24hrMiniTicker"),
        ("!bookTicker", "bookTicker"),
        ("!markPrice@arr", "markPriceUpdate"),
        ("!markPrice@arr@1s", "markPriceUpdate"),
        ("!ticker@arr", "24hrTicker"),
        ("!miniTicker@arr", "24hrMiniTicker"),
    ];
    let path = format!("/stream?streams={}", names.map(|n| n.0).join("/"));
    let mut socket = Socket::open(&market, &path).await;
    sockets(&market, 1).await;
    for n in 0..5 {
        market.step_by(2_000, &format!("5010{n}"), "3003");
    }
    socket.say(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#).await;
    let frames = socket.until(|f| f["id"] == 1).await;
    for (name, event) in names {
        let frame = frames.iter().find(|f| f["stream"] == name).unwrap_or_else(|| panic!("{name} never came"));
        let data = if frame["data"].is_array() { &frame["data"][0] } else { &frame["data"] };
        assert_eq!(data["e"], event, "{name}");
    }
    let levels = |name: &str| frames.iter().rfind(|f| f["stream"] == name).unwrap()["data"]["b"].as_array().unwrap().len();
    assert_eq!((levels("btcusdt@depth5"), levels("btcusdt@depth10@100ms")), (5, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depth_frames_form_one_chain_that_a_snapshot_fits_into() {
    let market = Market::open(config());
    for name in ["btcusdt@depth@0ms", "btcusdt@depth@500ms"] {
        let mut socket = Socket::open(&market, &format!("/public/ws/{name}")).await;
        sockets(&market, 1).await;
        let mut frames: Vec<Value> = Vec::new();
        let mut snapshot = Value::Null;
        for n in 0..12 {
            if n == 3 {
                snapshot = crate::client::get(&market, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000").json;
            }
            market.step_by(300, &format!("5020{}", n % 3), "3003");
        }
        socket.say(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#).await;
        frames.extend(socket.until(|f| f["id"] == 1).await);
        frames.pop();
        assert!(frames.len() >= 4, "{name}");
        for pair in frames.windows(2) {
            assert_eq!(pair[0]["u"], pair[1]["pu"], "{name}: {pair:#?}");
        }
        // Binance's procedure: the first frame to apply has U <= lastUpdateId <= u.
        let id = snapshot["lastUpdateId"].as_i64().unwrap();
        let fits = frames.iter().filter(|f| f["u"].as_i64().unwrap() >= id).take(1).all(|f| f["U"].as_i64().unwrap() <= id);
        assert!(fits, "{name}: snapshot {id} fits no frame");
        // Applied from there on, the frames give the book that the exchange has.
        let mut bids = std::collections::BTreeMap::new();
        let apply = |bids: &mut std::collections::BTreeMap<i64, String>, levels: &Value| {
            for level in levels.as_array().unwrap() {
                let price = crate::market::price(level[0].as_str().unwrap()).raw();
                let qty = level[1].as_str().unwrap();
                if qty.parse::<f64>().unwrap() == 0.0 {
                    bids.remove(&price)
                } else {
                    bids.insert(price, qty.to_owned())
                };
            }
        };
        apply(&mut bids, &snapshot["bids"]);
        for frame in frames.iter().filter(|f| f["u"].as_i64().unwrap() >= id) {
            apply(&mut bids, &frame["b"]);
        }
        let last = frames.last().unwrap()["u"].as_i64().unwrap();
        let now = market.floor.with_exchange(|e| e.peek_book(crate::market::symbol("BTCUSDT"), 1_000)).unwrap();
        if now.last == last {
            let ours: Vec<i64> = bids.keys().rev().copied().collect();
            let theirs: Vec<i64> = now.bids.iter().map(|l| l.price.raw()).collect();
            assert_eq!(ours, theirs, "{name}");
        }
        drop(socket);
        sockets(&market, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_data_comes_by_every_address_and_only_the_events_asked_for() {
    let market = Market::open(config());
    let key = listen_key(&market);
    let mut all = Socket::open(&market, &format!("/ws/{key}")).await;
    let mut some = Socket::open(&market, &format!("/private/ws?listenKey={key}&events=ACCOUNT_UPDATE")).await;
    let mut combined = Socket::open(&market, &format!("/stream?streams={key}/btcusdt@markPrice@1s")).await;
    let mut stranger = Socket::open(&market, "/ws/0000000000000000000000000000000000000000000000000000000000000000").await;
    sockets(&market, 4).await;
    ok(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=u1");
    market.step("50000", "3000");
    let frames = all.until(|f| f["e"] == "ACCOUNT_UPDATE" || f["o"]["X"] == "FILLED").await;
    assert_eq!((&frames[0]["e"], &frames[0]["o"]["x"], &frames[0]["o"]["c"]), (&"ORDER_TRADE_UPDATE".into(), &"NEW".into(), &"u1".into()));
    assert_eq!(some.next().await.unwrap()["e"], "ACCOUNT_UPDATE");
    let wrapped = combined.until(|f| f["stream"] == key.as_str()).await.pop().unwrap();
    assert_eq!(wrapped["data"]["e"], "ORDER_TRADE_UPDATE");
    assert!(stranger.next().await.is_none(), "a key that is not alive opens nothing");
    fault(&market, &format!(r#"{{"fault":"expire_listen_key","account":"{KEY}"}}"#));
    let expired = all.until(|f| f["e"] == "listenKeyExpired").await.pop().unwrap();
    assert_eq!(expired["listenKey"], key.as_str());
    assert_eq!(raw(&market, "PUT", "/fapi/v1/listenKey", "", Some(KEY)).unwrap().code(), -1125);
    assert_ne!(listen_key(&market), key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_client_is_pinged_and_then_dropped_and_a_connection_has_an_end() {
    let quick = Duration::from_millis(150);
    let market = Market::open(ServerConfig { ping_every: quick, pong_within: Duration::from_millis(400), ..config() });
    let mut socket = Socket::open(&market, "/ws/btcusdt@trade").await;
    // Nobody polls the socket, so no pong goes back.
    tokio::time::sleep(Duration::from_millis(900)).await;
    sockets(&market, 0).await;
    assert!(socket.ends().await);
    let market = Market::open(ServerConfig { connection_life: Some(Duration::from_millis(300)), ..config() });
    assert!(Socket::open(&market, "/ws/btcusdt@trade").await.ends().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_messages_or_streams_end_the_connection_or_are_refused() {
    let market = Market::open(ServerConfig { messages_per_second: 10, streams_per_connection: 3, ..config() });
    let mut socket = Socket::open(&market, "/ws").await;
    let answer = socket.ask(r#"{"method":"SUBSCRIBE","params":["a@trade","b@trade","c@trade","d@trade"],"id":1}"#).await;
    assert!(answer.get("result").is_some());
    for _ in 0..12 {
        socket.say(r#"{"method":"LIST_SUBSCRIPTIONS","id":2}"#).await;
    }
    assert!(socket.ends().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_can_be_cut_muted_and_their_frames_lost_doubled_or_swapped() {
    let market = Market::open(config());
    let mut socket = Socket::open(&market, "/ws/btcusdt@aggTrade").await;
    sockets(&market, 1).await;
    let ids = async |socket: &mut Socket, steps: usize, expected: usize| {
        for _ in 0..steps {
            market.step("50000", "3000");
        }
        let mut ids = Vec::new();
        for _ in 0..expected {
            ids.push(socket.next().await.unwrap()["a"].as_i64().unwrap());
        }
        ids
    };
    let first = ids(&mut socket, 1, 1).await[0];
    fault(&market, r#"{"fault":"skip_frames","stream":"aggTrade"}"#);
    assert_eq!(ids(&mut socket, 2, 1).await, [first + 2]);
    fault(&market, r#"{"fault":"duplicate_frames","stream":"aggTrade"}"#);
    assert_eq!(ids(&mut socket, 2, 3).await, [first + 3, first + 3, first + 4]);
    fault(&market, r#"{"fault":"reorder_frames","stream":"aggTrade"}"#);
    assert_eq!(ids(&mut socket, 2, 2).await, [first + 6, first + 5]);
    assert_eq!(fault(&market, r#"{"fault":"mute_sockets","stream":"btcusdt"}"#)["struck"], 1);
    market.step("50000", "3000");
    assert!(socket.next().await.is_none());
    fault(&market, r#"{"fault":"unmute_sockets"}"#);
    assert_eq!(ids(&mut socket, 1, 1).await, [first + 8]);
    fault(&market, r#"{"fault":"cut_sockets","stream":"btcusdt"}"#);
    assert!(socket.ends().await);
    sockets(&market, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_barrier_comes_after_the_frames_and_time_stands_until_it_is_acknowledged() {
    let market = Market::open(ServerConfig { lock_step: true, ..config() });
    let mut public = Socket::open(&market, "/public/ws/btcusdt@bookTicker").await;
    let mut private = Socket::open(&market, "/private/ws").await;
    private.ask(r#"{"method":"SUBSCRIBE","params":["simex@barrier@g1"],"id":1}"#).await;
    market.floor.groups_joined().await;
    let first = market.floor.send_barrier(false);
    assert_eq!(private.next().await.unwrap()["n"], first);
    public.say(r#"{"method":"SUBSCRIBE","params":["simex@barrier@g1"],"id":2}"#).await;
    let late = public.until(|f| f["e"] == "simexBarrier").await.pop().unwrap();
    assert_eq!(late["n"], first, "who joins late gets the standing barrier");
    private.say(&format!(r#"{{"method":"ACK_BARRIER","params":[{first}],"id":1}}"#)).await;
    tokio::time::timeout(Duration::from_secs(1), market.floor.acknowledged(first)).await.unwrap();

    market.step("50010", "3000");
    let second = market.floor.send_barrier(false);
    let frames = public.until(|f| f["e"] == "simexBarrier").await;
    assert_eq!(frames.iter().map(|f| f["e"].as_str().unwrap()).collect::<Vec<_>>(), ["bookTicker", "simexBarrier"]);
    assert_eq!((&frames[1]["n"], &frames[1]["T"], &frames[1]["last"]), (&second.into(), &market.now().into(), &false.into()));
    let waited = tokio::time::timeout(Duration::from_millis(100), market.floor.acknowledged(second)).await;
    assert!(waited.is_err(), "nobody has acknowledged");
    assert_eq!(market.floor.private_frames_since_barrier(), 0);
    public.say(&format!(r#"{{"method":"ACK_BARRIER","params":[{second}],"id":1}}"#)).await;
    tokio::time::timeout(Duration::from_secs(1), market.floor.acknowledged(second)).await.unwrap();
    drop((public, private));
    let third = market.floor.send_barrier(true);
    let alone = tokio::time::timeout(Duration::from_millis(200), market.floor.acknowledged(third)).await;
    assert!(alone.is_err(), "without a group the market stands still");
}
