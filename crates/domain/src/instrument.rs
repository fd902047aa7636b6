//! What the exchange says about a contract: filters, brackets, funding interval.

use crate::num::{Price, Qty, Ratio, Usdt};
use crate::symbol::Symbol;
use crate::time::Span;
use serde::{Deserialize, Serialize};

/// Trading status of a contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SymbolStatus {
    /// Trading.
    Trading,
    /// Announced, not trading yet.
    PendingTrading,
    /// Being settled, delisted, halted or any status that this version does not know: not trading.
    NotTrading,
}

/// A contract with its order filters (`exchangeInfo`). `pricePrecision` is not the tick size; only filters are kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Instrument {
    /// Contract.
    pub symbol: Symbol,
    /// Base asset, such as `BTC`.
    pub base: String,
    /// Trading status.
    pub status: SymbolStatus,
    /// `PRICE_FILTER.minPrice`.
    pub price_min: Price,
    /// `PRICE_FILTER.maxPrice`.
    pub price_max: Price,
    /// `PRICE_FILTER.tickSize`.
    pub tick: Price,
    /// `LOT_SIZE.minQty`.
    pub qty_min: Qty,
    /// `LOT_SIZE.maxQty`.
    pub qty_max: Qty,
    /// `LOT_SIZE.stepSize`.
    pub step: Qty,
    /// `MARKET_LOT_SIZE.minQty`.
    pub market_qty_min: Qty,
    /// `MARKET_LOT_SIZE.maxQty`.
    pub market_qty_max: Qty,
    /// `MARKET_LOT_SIZE.stepSize`.
    pub market_step: Qty,
    /// `MIN_NOTIONAL.notional`; reduce-only orders are exempt.
    pub notional_min: Usdt,
    /// `PERCENT_PRICE.multiplierUp`: a buy's price is at most mark times this.
    pub band_up: Ratio,
    /// `PERCENT_PRICE.multiplierDown`: a sell's price is at least mark times this.
    pub band_down: Ratio,
    /// `MAX_NUM_ORDERS.limit`.
    pub orders_max: u32,
    /// `MAX_NUM_ALGO_ORDERS.limit`.
    pub algo_orders_max: u32,
    /// `liquidationFee`: share of the notional that a liquidation pays to insurance.
    pub liquidation_fee: Ratio,
    /// `marketTakeBound`: how far from mark a market order may fill.
    pub market_take_bound: Ratio,
    /// `triggerProtect`.
    pub trigger_protect: Ratio,
    /// Decimals in which the exchange prints prices.
    pub price_places: u32,
    /// Decimals in which the exchange prints quantities.
    pub qty_places: u32,
    /// Time between fundings: 8, 4 or 1 hours, from `fundingInfo`.
    pub funding_interval: Span,
}

/// One tier of a contract's leverage brackets (`leverageBracket`). The tier of a position is that of its **notional**.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bracket {
    /// 1, 2, …
    pub tier: u8,
    /// Highest leverage allowed in this tier.
    pub leverage_max: u16,
    /// Notional from which on the tier holds (not included; the first tier starts at zero).
    pub floor: Usdt,
    /// Notional up to which the tier holds (included).
    pub cap: Usdt,
    /// Maintenance margin rate.
    pub mmr: Ratio,
    /// Maintenance amount: cum₁ = 0, cumₙ = floorₙ·(mmrₙ − mmrₙ₋₁) + cumₙ₋₁.
    pub cum: Usdt,
}

/// All tiers of one contract, in order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Brackets {
    /// Contract.
    pub symbol: Symbol,
    /// Tiers from the smallest notional up; never empty.
    pub tiers: Vec<Bracket>,
}

impl Brackets {
    /// The tier that holds at `notional`; the last one for anything beyond its cap.
    #[must_use]
    pub fn tier_of(&self, notional: Usdt) -> Option<&Bracket> {
        self.tiers.iter().find(|t| notional <= t.cap).or(self.tiers.last())
    }
}
