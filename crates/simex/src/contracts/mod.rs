//! Contracts as the simulated exchange lists them when nobody says otherwise.
//!
//! Twelve well-known contracts have the filters and leverage brackets of the real exchange (2026); any other USDT contract
//! gets cautious general ones. The maintenance amounts are not listed but follow from the tiers by the exchange's formula.
//!
//! Invariant: every contract has at least one tier, tiers join without hole, and `cum` makes the maintenance margin
//! continuous at each floor.

use fulmar_domain::instrument::{Bracket, Brackets, Instrument, SymbolStatus};
use fulmar_domain::num::{NumError, Price, Qty, Ratio, Rounding, Usdt};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Span;
use serde::Deserialize;
use std::collections::BTreeMap;

const TABLE: &str = include_str!("contracts.json");

/// Why the contracts cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The embedded table is broken.
    #[error("the embedded table of contracts cannot be read: {0}")]
    Table(#[from] serde_json::Error),
    /// A number of the table does not fit.
    #[error("contract {symbol}: {error}")]
    Number {
        /// The contract.
        symbol: Symbol,
        /// What does not fit.
        error: NumError,
    },
}

/// A contract with its brackets and what the generator needs to make a plausible market of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Contract {
    /// Filters.
    pub instrument: Instrument,
    /// Leverage tiers.
    pub brackets: Brackets,
    /// A usual price, where a generated market starts.
    pub price: Price,
    /// A usual traded value in one minute.
    pub volume_1m: Usdt,
    /// Usual standard deviation of one-minute returns.
    pub sd_1m: f64,
    /// Share of the standard deviation that comes from the whole market, in [0, 1).
    pub market_share: f64,
    /// From the table; otherwise the general fallback.
    pub listed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    tick: Price,
    step: Qty,
    qty_max: Qty,
    market_qty_max: Qty,
    notional_min: Usdt,
    price_min: Price,
    price_max: Price,
    band: Ratio,
    liquidation_fee: Ratio,
    price_places: u32,
    qty_places: u32,
    price: Price,
    volume_1m: Usdt,
    sd_1m: f64,
    market_share: f64,
    tiers: Vec<(Usdt, u16, Ratio)>,
}

/// Names of the listed contracts, in alphabetical order.
///
/// # Errors
/// [`ContractError::Table`] when the embedded table is broken.
pub fn listed() -> Result<Vec<Symbol>, ContractError> {
    Ok(table()?.into_keys().collect())
}

/// The contract of that name: from the table, or the general fallback (tick 10⁻⁴, step 0.01, leverage up to 50).
///
/// # Errors
/// [`ContractError`] when the embedded table is broken.
pub fn contract(symbol: Symbol) -> Result<Contract, ContractError> {
    let row = table()?.remove(&symbol);
    let listed = row.is_some();
    let built = match row {
        Some(row) => build(symbol, &row, listed),
        None => general().and_then(|row| build(symbol, &row, listed)),
    };
    built.map_err(|error| ContractError::Number { symbol, error })
}

/// Tiers from (cap, highest leverage, maintenance rate), smallest first. Maintenance amounts by the exchange's formula:
/// cum₁ = 0, cumₙ = floorₙ·(mmrₙ − mmrₙ₋₁) + cumₙ₋₁.
///
/// # Errors
/// [`NumError::Overflow`] for amounts beyond 92 billion or more than 255 tiers.
pub fn brackets(symbol: Symbol, tiers: &[(Usdt, u16, Ratio)]) -> Result<Brackets, NumError> {
    let mut out: Vec<Bracket> = Vec::with_capacity(tiers.len());
    for (index, &(cap, leverage_max, mmr)) in tiers.iter().enumerate() {
        let tier = u8::try_from(index + 1).map_err(|_| NumError::Overflow)?;
        let (floor, cum) = match out.last() {
            None => (Usdt::ZERO, Usdt::ZERO),
            Some(below) => (below.cap, below.cap.times(mmr.checked_sub(below.mmr)?, Rounding::HalfEven)?.checked_add(below.cum)?),
        };
        out.push(Bracket { tier, leverage_max, floor, cap, mmr, cum });
    }
    Ok(Brackets { symbol, tiers: out })
}

fn table() -> Result<BTreeMap<Symbol, Row>, ContractError> {
    Ok(serde_json::from_str(TABLE)?)
}

/// Cautious filters and the tiers of a small contract, for names that the table does not know.
fn general() -> Result<Row, NumError> {
    let tier = |cap: i64, leverage: u16, mmr: &str| Ok((Usdt::from_int(cap)?, leverage, Ratio::parse(mmr)?));
    Ok(Row {
        tick: Price::parse("0.0001")?,
        step: Qty::parse("0.01")?,
        qty_max: Qty::from_int(10_000_000)?,
        market_qty_max: Qty::from_int(1_000_000)?,
        notional_min: Usdt::from_int(5)?,
        price_min: Price::parse("0.0001")?,
        price_max: Price::from_int(1_000_000)?,
        band: Ratio::parse("0.05")?,
        liquidation_fee: Ratio::parse("0.015")?,
        price_places: 4,
        qty_places: 2,
        price: Price::from_int(10)?,
        volume_1m: Usdt::from_int(100_000)?,
        sd_1m: 0.001,
        market_share: 0.7,
        tiers: vec![
            tier(5_000, 50, "0.015")?,
            tier(10_000, 25, "0.02")?,
            tier(25_000, 20, "0.025")?,
            tier(62_500, 10, "0.05")?,
            tier(125_000, 5, "0.1")?,
            tier(250_000, 4, "0.125")?,
            tier(1_250_000, 2, "0.25")?,
            tier(2_500_000, 1, "0.5")?,
        ],
    })
}

fn build(symbol: Symbol, row: &Row, listed: bool) -> Result<Contract, NumError> {
    let instrument = Instrument {
        symbol,
        base: base_of(symbol),
        status: SymbolStatus::Trading,
        price_min: row.price_min,
        price_max: row.price_max,
        tick: row.tick,
        qty_min: row.step,
        qty_max: row.qty_max,
        step: row.step,
        market_qty_min: row.step,
        market_qty_max: row.market_qty_max,
        market_step: row.step,
        notional_min: row.notional_min,
        band_up: Ratio::ONE.checked_add(row.band)?,
        band_down: Ratio::ONE.checked_sub(row.band)?,
        orders_max: 200,
        algo_orders_max: 200,
        liquidation_fee: row.liquidation_fee,
        market_take_bound: row.band,
        trigger_protect: row.band,
        price_places: row.price_places,
        qty_places: row.qty_places,
        funding_interval: Span::hours(8),
    };
    Ok(Contract {
        instrument,
        brackets: brackets(symbol, &row.tiers)?,
        price: row.price,
        volume_1m: row.volume_1m,
        sd_1m: row.sd_1m,
        market_share: row.market_share,
        listed,
    })
}

/// The base asset of a contract's name: `BTC` of `BTCUSDT`. A name without a known quote asset is its own base.
#[must_use]
pub fn base_of(symbol: Symbol) -> String {
    let name = symbol.as_str();
    ["USDT", "USDC", "BUSD"].iter().find_map(|quote| name.strip_suffix(*quote)).filter(|base| !base.is_empty()).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulmar_domain::num::notional;

    fn of(name: &str) -> Contract {
        contract(Symbol::new(name).unwrap()).unwrap()
    }

    #[test]
    fn twelve_contracts_are_listed_and_all_are_sound() {
        let names = listed().unwrap();
        assert_eq!(names.len(), 12);
        for name in names.into_iter().chain([Symbol::new("WHATEVERUSDT").unwrap()]) {
            let c = contract(name).unwrap();
            let i = &c.instrument;
            assert!(i.tick.is_positive() && i.step.is_positive() && i.qty_min <= i.qty_max && i.market_qty_max <= i.qty_max, "{name}");
            assert!(i.price_min < c.price && c.price < i.price_max && c.price.is_multiple_of(i.tick), "{name}");
            assert!(i.price_places >= i.tick.places() && i.qty_places >= i.step.places(), "{name}");
            assert!(notional(c.price, i.market_qty_max, Rounding::Floor).unwrap() > i.notional_min, "{name}");
            assert!(c.brackets.tiers.len() >= 8 && (0.0..1.0).contains(&c.market_share) && c.sd_1m > 0.0, "{name}");
        }
    }

    #[test]
    fn maintenance_margin_is_continuous_at_every_floor() {
        for name in listed().unwrap() {
            let tiers = contract(name).unwrap().brackets.tiers;
            assert_eq!((tiers[0].floor, tiers[0].cum), (Usdt::ZERO, Usdt::ZERO));
            for pair in tiers.windows(2) {
                let at = pair[1].floor;
                assert_eq!(at, pair[0].cap, "{name}: tiers join");
                let below = at.times(pair[0].mmr, Rounding::Floor).unwrap().checked_sub(pair[0].cum).unwrap();
                let above = at.times(pair[1].mmr, Rounding::Floor).unwrap().checked_sub(pair[1].cum).unwrap();
                assert_eq!(below, above, "{name} tier {}", pair[1].tier);
                assert!(pair[0].leverage_max > pair[1].leverage_max && pair[0].mmr < pair[1].mmr, "{name}");
            }
        }
    }

    #[test]
    fn cum_follows_the_formula_to_the_published_amounts() {
        let cum = |name: &str, tier: usize| of(name).brackets.tiers[tier - 1].cum;
        assert_eq!(cum("BTCUSDT", 2), Usdt::from_int(300).unwrap());
        assert_eq!(cum("BTCUSDT", 12), Usdt::from_int(421_482_000).unwrap());
        assert_eq!(cum("ETHUSDT", 12), Usdt::from_int(280_507_000).unwrap());
        assert_eq!(cum("SOLUSDT", 3), Usdt::from_int(1_475).unwrap());
        assert_eq!(cum("LTCUSDT", 10), Usdt::from_int(13_345_100).unwrap());
    }

    #[test]
    fn the_base_asset_is_the_name_without_its_quote() {
        assert_eq!(base_of(Symbol::new("1000PEPEUSDT").unwrap()), "1000PEPE");
        assert_eq!(base_of(Symbol::new("USDT").unwrap()), "USDT");
    }
}
