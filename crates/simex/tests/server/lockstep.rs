//! A whole run in lock-step: the same seed gives the same frames, however fast the machine is.

use crate::client::{Socket, raw};
use crate::market::{KEY, SECRET, symbol};
use fulmar_domain::time::Timestamp;
use fulmar_simex::run::{Speed, open_exchange, spawn};
use fulmar_simex::server::{ApiAccount, Floor, LimitConfig, ServerConfig, ServerHandle, serve, sign};
use fulmar_simex::source::generator::{GeneratorOptions, GeneratorSource};
use serde_json::Value;
use std::net::TcpListener;
use std::sync::Arc;

const STREAMS: &str =
    "btcusdt@aggTrade/btcusdt@bookTicker/btcusdt@markPrice@1s/btcusdt@kline_1m/btcusdt@depth5@100ms/ethusdt@aggTrade/ethusdt@depth";

/// Plays three minutes, buys after the tenth barrier, and gives every frame.
async fn play() -> Vec<Value> {
    let options = GeneratorOptions {
        minutes: Some(3),
        ..GeneratorOptions::new(5, &["BTCUSDT", "ETHUSDT"].map(symbol), Timestamp(1_750_000_020_000))
    };
    let source = GeneratorSource::new(&options).unwrap();
    let exchange = open_exchange(&source, |_| {}).unwrap();
    let config = ServerConfig {
        accounts: vec![ApiAccount { key: KEY.to_owned(), secret: SECRET.to_owned() }],
        lock_step: true,
        limits: LimitConfig::off(),
        ..ServerConfig::default()
    };
    let floor = Floor::new(exchange, config);
    let handle: ServerHandle = serve(TcpListener::bind("127.0.0.1:0").unwrap(), Arc::clone(&floor)).unwrap();
    let run = spawn(Arc::clone(&floor), Box::new(source), Speed::Max).unwrap();
    let address = handle.address();
    let key = raw(address, "POST", "/fapi/v1/listenKey", "", Some(KEY)).unwrap().json["listenKey"].as_str().unwrap().to_owned();
    let mut socket = Socket::open(address, &format!("/stream?streams={STREAMS}/{key}")).await;
    socket.ask(r#"{"method":"SUBSCRIBE","params":["simex@barrier@g"],"id":1}"#).await;
    let mut frames = Vec::new();
    loop {
        let frame = socket.next().await.unwrap();
        let barrier = frame["e"] == "simexBarrier";
        let (number, last) = (frame["n"].as_u64().unwrap_or(0), frame["last"] == true);
        if barrier && number == 10 {
            let text = format!("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=once&timestamp={}", frame["T"]);
            let path = format!("/fapi/v1/order?{text}&signature={}", sign(SECRET, &[text.as_bytes()]).unwrap());
            assert_eq!(raw(address, "POST", &path, "", Some(KEY)).unwrap().status, 200);
        }
        frames.push(frame);
        if barrier {
            socket.say(&format!(r#"{{"method":"ACK_BARRIER","params":[{number}],"id":1}}"#)).await;
        }
        if last {
            break;
        }
    }
    run.finished().await.unwrap();
    handle.stop().await;
    frames
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_run_gives_the_same_frames_twice() {
    let begun = std::time::Instant::now();
    let first = play().await;
    let barriers = first.iter().filter(|f| f["e"] == "simexBarrier").count();
    println!("{} frames, {barriers} barriers in {:?}", first.len(), begun.elapsed());
    assert!(barriers >= 30, "{barriers}");
    let of = |name: &str| first.iter().position(|f| f["data"]["e"] == "ORDER_TRADE_UPDATE" && f["data"]["o"]["x"] == name).unwrap();
    let between = first[of("NEW")..of("TRADE")].iter().filter(|f| f["e"] == "simexBarrier").count();
    assert!(between >= 1, "the answer to an order has a barrier of its own before the market moves on");
    assert_eq!(first, play().await);
}
