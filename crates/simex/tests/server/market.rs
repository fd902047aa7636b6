//! A floor with two contracts and a market that the test moves by hand.

use fulmar_domain::num::{Price, Qty, Ratio};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_simex::contracts::contract;
use fulmar_simex::server::{ApiAccount, Floor, LimitConfig, ServerConfig, ServerHandle, serve};
use fulmar_simex::source::{MarketPoint, PointKind, Step};
use fulmar_simex::venue::{Exchange, ExchangeConfig};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub const KEY: &str = "keyOfTheFirstAccount";
pub const SECRET: &str = "secretOfTheFirstAccount";
pub const OTHER_KEY: &str = "keyOfTheSecondAccount";
pub const START: i64 = 1_750_000_020_000;

pub fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}
pub fn price(text: &str) -> Price {
    text.parse().unwrap()
}

/// A running exchange.
pub struct Market {
    pub floor: Arc<Floor>,
    pub handle: ServerHandle,
    now: AtomicI64,
}

/// Limits off, short listen keys, everything else as usual.
pub fn config() -> ServerConfig {
    let account = |key: &str, secret: &str| ApiAccount { key: key.to_owned(), secret: secret.to_owned() };
    ServerConfig {
        accounts: vec![account(KEY, SECRET), account(OTHER_KEY, "secretOfTheSecondAccount")],
        limits: LimitConfig::off(),
        messages_per_second: 0,
        ..ServerConfig::default()
    }
}

impl Market {
    pub fn open(config: ServerConfig) -> Self {
        let contracts: Vec<_> = ["BTCUSDT", "ETHUSDT"].iter().map(|s| contract(symbol(s)).unwrap()).collect();
        let exchange = Exchange::new(ExchangeConfig::new(
            Timestamp(START),
            contracts.iter().map(|c| c.instrument.clone()).collect(),
            contracts.iter().map(|c| c.brackets.clone()).collect(),
        ))
        .unwrap();
        let floor = Floor::new(exchange, config);
        let handle = serve(TcpListener::bind("127.0.0.1:0").unwrap(), Arc::clone(&floor)).unwrap();
        let market = Self { floor, handle, now: AtomicI64::new(START) };
        market.step("50000", "3000");
        market
    }
    /// One second on: both contracts trade, quote and are marked at these prices.
    pub fn step(&self, btc: &str, eth: &str) {
        self.step_by(1_000, btc, eth);
    }
    pub fn step_by(&self, ms: i64, btc: &str, eth: &str) {
        let time = Timestamp(self.now.fetch_add(ms, Ordering::SeqCst) + ms);
        let mut points = Vec::new();
        for (name, last) in [("BTCUSDT", price(btc)), ("ETHUSDT", price(eth))] {
            let tick = contract(symbol(name)).unwrap().instrument.tick;
            let kinds = [
                PointKind::Trade { price: last, qty: "1".parse().unwrap(), taker: Side::Buy },
                PointKind::Top { bid: last.checked_sub(tick).unwrap(), bid_qty: Qty::ONE, ask: last, ask_qty: Qty::ONE },
                PointKind::Mark { price: last, index: last },
                PointKind::FundingRate(Ratio::from_raw(10_000)),
            ];
            points.extend(kinds.map(|kind| MarketPoint { time, symbol: symbol(name), kind }));
        }
        self.floor.advance(&Step { time, points });
    }
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        let handle = self.handle.clone();
        let stopped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(handle.stop());
        });
        stopped.join().unwrap();
    }
}
