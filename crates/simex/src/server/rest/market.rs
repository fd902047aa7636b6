//! Public state: contracts, books, trades, mark prices, funding.

use super::{Answer, Call};
use crate::server::hub::{status_word, write_levels};
use crate::server::json::Json;
use crate::server::params::{invalid_symbol, not_valid};
use crate::venue::{ApiError, PageQuery, PublicTrade};
use fulmar_domain::instrument::Instrument;
use fulmar_domain::num::{Ratio, Rounding};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;

/// A perpetual contract has this delivery date (Binance).
const NEVER_MS: i64 = 4_133_404_800_000;
/// Interest per funding in the funding formula (Binance: 0.01 %).
const INTEREST_RATE: Ratio = Ratio::from_raw(10_000);
/// Largest absolute funding rate shown by `fundingInfo`.
const FUNDING_CAP: Ratio = Ratio::from_raw(2_000_000);

pub(super) fn ping(_: &mut Call<'_>) -> Answer {
    let mut j = Json::new();
    j.open().close();
    Ok(j)
}
pub(super) fn time(call: &mut Call<'_>) -> Answer {
    let mut j = Json::new();
    j.open().int("serverTime", call.now.millis()).close();
    Ok(j)
}

pub(super) fn exchange_info(call: &mut Call<'_>) -> Answer {
    let mut j = Json::new();
    let limits = call.limits.config();
    j.open().word("timezone", "UTC").int("serverTime", call.now.millis()).word("futuresType", "U_MARGINED").list_at("rateLimits");
    for (kind, interval, number, limit) in [
        ("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute),
        ("ORDERS", "MINUTE", 1, limits.orders_per_minute),
        ("ORDERS", "SECOND", 10, limits.orders_per_10_seconds),
    ] {
        // A limit that is off is shown as one that nobody reaches: clients refuse a zero.
        let limit = if limit == 0 { 1_000_000_000 } else { limit };
        j.open().word("rateLimitType", kind).word("interval", interval).int("intervalNum", number).int("limit", limit).close();
    }
    j.end().list_at("exchangeFilters").end().list_at("assets");
    j.open().word("asset", "USDT").flag("marginAvailable", true).word("autoAssetExchange", "0").close().end().list_at("symbols");
    for instrument in call.exchange.instruments() {
        let brackets = call.exchange.brackets(instrument.symbol);
        let tier = brackets.as_ref().and_then(|b| b.tiers.first());
        write_contract(&mut j, &instrument, tier.map(|t| (t.mmr, t.leverage_max)));
    }
    j.end().close();
    Ok(j)
}

fn write_contract(j: &mut Json, i: &Instrument, tier: Option<(Ratio, u16)>) {
    let hundred = |share: Ratio| share.times_int(100).unwrap_or(Ratio::ZERO);
    let maintenance = tier.map_or(Ratio::ZERO, |t| hundred(t.0));
    let initial = tier.and_then(|t| Ratio::from_int(100).ok()?.over_int(i64::from(t.1), Rounding::HalfEven).ok()).unwrap_or(Ratio::ZERO);
    let status = status_word(i.status);
    j.open().word("symbol", i.symbol.as_str()).word("pair", i.symbol.as_str()).word("contractType", "PERPETUAL");
    j.int("deliveryDate", NEVER_MS).int("onboardDate", 1_569_398_400_000_i64).word("status", status);
    j.dec("maintMarginPercent", maintenance, 4).dec("requiredMarginPercent", initial, 4).text("baseAsset", &i.base);
    j.word("quoteAsset", "USDT").word("marginAsset", "USDT").int("pricePrecision", i.price_places).int("quantityPrecision", i.qty_places);
    j.int("baseAssetPrecision", 8).int("quotePrecision", 8).word("underlyingType", "COIN").list_at("underlyingSubType").item("PoW").end();
    j.int("settlePlan", 0).dec("triggerProtect", i.trigger_protect, 4).dec("liquidationFee", i.liquidation_fee, 6);
    j.dec("marketTakeBound", i.market_take_bound, 2).int("maxMoveOrderLimit", 10_000).list_at("filters");
    j.open().word("filterType", "PRICE_FILTER").dec("minPrice", i.price_min, i.price_places).dec("maxPrice", i.price_max, i.price_places);
    j.dec("tickSize", i.tick, i.price_places).close();
    j.open().word("filterType", "LOT_SIZE").dec("stepSize", i.step, 0).dec("maxQty", i.qty_max, 0).dec("minQty", i.qty_min, 0).close();
    j.open().word("filterType", "MARKET_LOT_SIZE").dec("stepSize", i.market_step, 0).dec("maxQty", i.market_qty_max, 0);
    j.dec("minQty", i.market_qty_min, 0).close();
    j.open().word("filterType", "MAX_NUM_ORDERS").int("limit", i.orders_max).close();
    j.open().word("filterType", "MAX_NUM_ALGO_ORDERS").int("limit", i.algo_orders_max).close();
    j.open().word("filterType", "MIN_NOTIONAL").dec("notional", i.notional_min, 0).close();
    j.open().word("filterType", "PERCENT_PRICE").dec("multiplierUp", i.band_up, 4).dec("multiplierDown", i.band_down, 4);
    j.word("multiplierDecimal", "4").close();
    j.end().list_at("orderTypes");
    for name in ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"] {
        j.item(name);
    }
    j.end().list_at("timeInForce");
    for name in ["GTC", "IOC", "FOK", "GTX", "GTD"] {
        j.item(name);
    }
    j.end().list_at("permissionSets").item("GRID").end().close();
}

pub(super) fn depth(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let limit = call.params.int("limit")?.unwrap_or(500_usize);
    if ![5, 10, 20, 50, 100, 500, 1_000].contains(&limit) {
        return Err(ApiError::new(-4021, format!("{limit} is not valid depth limit.")));
    }
    let book = call.exchange.book(symbol, limit).ok_or_else(invalid_symbol)?;
    let places = call.hub.places(symbol);
    let mut j = Json::new();
    j.open().int("lastUpdateId", book.last).int("E", call.exchange.now().millis()).int("T", book.time.millis()).list_at("bids");
    write_levels(&mut j, &book.bids, places);
    j.end().list_at("asks");
    write_levels(&mut j, &book.asks, places);
    j.end().close();
    Ok(j)
}

fn write_trades(call: &Call<'_>, trades: &[PublicTrade]) -> Json {
    let mut j = Json::new();
    j.list();
    for t in trades {
        let places = call.hub.places(t.symbol);
        j.open().int("id", t.id).dec("price", t.price, places.price).dec("qty", t.qty, places.qty).dec("quoteQty", t.quote, 2);
        j.int("time", t.time.millis()).flag("isBuyerMaker", t.taker == Side::Sell).flag("isRPITrade", false).close();
    }
    j.end();
    j
}
pub(super) fn trades(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let page = PageQuery { from: None, to: None, from_id: None, ..call.page("", 500, 1_000)? };
    Ok(write_trades(call, &call.exchange.trades(symbol, page)))
}
pub(super) fn historical_trades(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let page = call.page("fromId", 100, 500)?;
    Ok(write_trades(call, &call.exchange.trades(symbol, page)))
}
pub(super) fn agg_trades(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let places = call.hub.places(symbol);
    let page = call.page("fromId", 500, 1_000)?;
    let mut j = Json::new();
    j.list();
    for t in call.exchange.trades(symbol, page) {
        j.open().int("a", t.id).dec("p", t.price, places.price).dec("q", t.qty, places.qty).dec("nq", t.qty, places.qty);
        j.int("f", t.id).int("l", t.id).int("T", t.time.millis()).flag("m", t.taker == Side::Sell).close();
    }
    j.end();
    Ok(j)
}

pub(super) fn premium_index(call: &mut Call<'_>) -> Answer {
    let (single, contracts) = call.one_or_all()?;
    let mut j = Json::new();
    if !single {
        j.list();
    }
    for p in contracts.iter().filter_map(|i| call.exchange.premium(i.symbol)) {
        j.open().word("symbol", p.symbol.as_str()).dec("markPrice", p.mark, 8).dec("indexPrice", p.index, 8);
        j.dec("estimatedSettlePrice", p.mark, 8).dec("lastFundingRate", p.rate, 8).dec("interestRate", INTEREST_RATE, 8);
        j.int("nextFundingTime", p.next_funding.millis()).int("time", p.time.millis()).close();
    }
    if !single {
        j.end();
    } else if j.as_str().is_empty() {
        return Err(ApiError::new(-1000, "An unknown error occurred while processing the request."));
    }
    Ok(j)
}
pub(super) fn funding_rate(call: &mut Call<'_>) -> Answer {
    let symbol = call.optional_symbol()?;
    let page = call.page("", 100, 1_000)?;
    let mut j = Json::new();
    j.list();
    for f in call.exchange.fundings(symbol, page) {
        j.open().word("symbol", f.symbol.as_str()).dec("fundingRate", f.rate, 8).int("fundingTime", f.time.millis());
        j.dec("markPrice", f.mark, 8).word("rateType", "Regular").close();
    }
    j.end();
    Ok(j)
}
pub(super) fn funding_info(call: &mut Call<'_>) -> Answer {
    let mut j = Json::new();
    j.list();
    let floor = FUNDING_CAP.checked_neg().map_err(|_| not_valid("symbol"))?;
    for i in call.exchange.instruments() {
        j.open().word("symbol", i.symbol.as_str()).dec("adjustedFundingRateCap", FUNDING_CAP, 8).dec("adjustedFundingRateFloor", floor, 8);
        j.int("fundingIntervalHours", i.funding_interval.0 / 3_600_000)
            .flag("disclaimer", false)
            .int("updateTime", call.now.millis())
            .close();
    }
    j.end();
    Ok(j)
}
pub(super) fn open_interest(call: &mut Call<'_>) -> Answer {
    let symbol: Symbol = call.instrument()?.symbol;
    let interest = call.exchange.open_interest(symbol).ok_or_else(invalid_symbol)?;
    let mut j = Json::new();
    j.open().word("symbol", symbol.as_str()).dec("openInterest", interest, call.hub.places(symbol).qty);
    j.int("time", call.exchange.now().millis()).close();
    Ok(j)
}
