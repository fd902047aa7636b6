//! Short builders: symbols, numbers, contracts, brackets.

use fulmar_domain::id::StrategyId;
use fulmar_domain::instrument::{Bracket, Brackets, Instrument, SymbolStatus};
use fulmar_domain::market::{FeedState, FeedStatus, Mark};
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};

/// A contract's name.
#[must_use]
pub fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}
/// A strategy's name.
#[must_use]
pub fn strategy(name: &str) -> StrategyId {
    StrategyId::new(name).unwrap()
}
/// A price from text.
#[must_use]
pub fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}
/// A quantity from text.
#[must_use]
pub fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}
/// An amount from text.
#[must_use]
pub fn usdt(text: &str) -> Usdt {
    Usdt::parse(text).unwrap()
}
/// A share from text.
#[must_use]
pub fn ratio(text: &str) -> Ratio {
    Ratio::parse(text).unwrap()
}

/// A contract with a tick of 0.1, a step of 0.001 and a least notional of 5.
#[must_use]
pub fn instrument(symbol: Symbol) -> Instrument {
    Instrument {
        symbol,
        base: symbol.as_str().trim_end_matches("USDT").to_owned(),
        status: SymbolStatus::Trading,
        price_min: price("0.1"),
        price_max: price("1000000"),
        tick: price("0.1"),
        qty_min: qty("0.001"),
        qty_max: qty("1000"),
        step: qty("0.001"),
        market_qty_min: qty("0.001"),
        market_qty_max: qty("1000"),
        market_step: qty("0.001"),
        notional_min: usdt("5"),
        band_up: ratio("1.1"),
        band_down: ratio("0.9"),
        orders_max: 200,
        algo_orders_max: 200,
        liquidation_fee: ratio("0.01"),
        market_take_bound: ratio("0.05"),
        trigger_protect: ratio("0.05"),
        price_places: 1,
        qty_places: 3,
        funding_interval: Span::hours(8),
    }
}

/// Three tiers: leverage 50, 20 and 5 up to 50,000, 600,000 and 3,000,000 of notional.
#[must_use]
pub fn brackets(symbol: Symbol) -> Brackets {
    let tier = |tier, leverage_max, floor: i64, cap: i64, mmr: &str, cum: i64| Bracket {
        tier,
        leverage_max,
        floor: Usdt::from_int(floor).unwrap(),
        cap: Usdt::from_int(cap).unwrap(),
        mmr: ratio(mmr),
        cum: Usdt::from_int(cum).unwrap(),
    };
    Brackets {
        symbol,
        tiers: vec![
            tier(1, 50, 0, 50_000, "0.004", 0),
            tier(2, 20, 50_000, 600_000, "0.005", 50),
            tier(3, 5, 600_000, 3_000_000, "0.01", 3_050),
        ],
    }
}

/// A mark price without funding to speak of.
#[must_use]
pub fn mark(symbol: Symbol, price: Price, time: Timestamp) -> Mark {
    let next_funding = time.floor_to(Span::hours(8)).plus(Span::hours(8));
    Mark { symbol, price, index: price, funding_rate: Ratio::ZERO, next_funding, time }
}

/// The symbol's data are fresh.
#[must_use]
pub const fn feed_up(symbol: Symbol) -> FeedStatus {
    FeedStatus { symbol, state: FeedState::Up }
}
