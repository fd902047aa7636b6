//! Any bytes as a stream frame: an answer or an error, never a panic, never a price that no market has.
#![no_main]

use fulmar_adapters::exchange::binance::decode::{Frame, PRICE_MAX, frame};
use fulmar_domain::market::MarketEvent;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Frame::Market(event)) = frame(bytes) else { return };
    let prices = match event {
        MarketEvent::Trade(x) => vec![x.price],
        MarketEvent::BookTop(x) => vec![x.bid, x.ask],
        MarketEvent::Depth(x) => x.bids.iter().chain(&x.asks).map(|l| l.price).collect(),
        MarketEvent::BarClosed(x) | MarketEvent::BarForming(x) => vec![x.open, x.high, x.low, x.close],
        MarketEvent::Mark(x) => vec![x.price, x.index],
        MarketEvent::Ticker(x) => vec![x.last, x.open, x.high, x.low],
        MarketEvent::Liquidation(x) => vec![x.price],
        MarketEvent::Funding(x) => vec![x.mark],
    };
    assert!(prices.iter().all(|p| p.is_positive() && *p <= PRICE_MAX));
});
