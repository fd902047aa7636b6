//! The REST endpoints under /fapi: one table, one file for each kind.
//!
//! Invariant: every answer is read from the exchange; an endpoint that nothing backs is not in the table.

mod account;
mod algo;
mod market;
mod orders;
mod settings;
mod stats;
mod streams;

use super::hub::Hub;
use super::json::Json;
use super::limits::Limits;
use super::listen_keys::ListenKeys;
use super::params::{Params, invalid_symbol};
use crate::venue::{AccountId, ApiError, Emission, Exchange, PageQuery};
use fulmar_domain::instrument::Instrument;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::sync::Arc;

/// What a request must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing.
    Public,
    /// An API key.
    Key,
    /// An API key and a signature.
    Signed,
}

/// One endpoint.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) security: Security,
    /// Request weight.
    pub(crate) weight: fn(&Params) -> u32,
    /// Counts against the order limits.
    pub(crate) orders: u32,
    /// How many orders a request holds.
    pub(crate) order_count: fn(&Params) -> u32,
    /// Reaches the matching engine, which checks the timestamp again.
    pub(crate) engine: bool,
    pub(crate) run: fn(&mut Call<'_>) -> Answer,
}
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// The body of an answer, or the refusal.
pub(crate) type Answer = Result<Json, ApiError>;

/// A request that has passed the door, with what it may touch.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) exchange: &'a mut Exchange,
    pub(crate) hub: &'a mut Hub,
    pub(crate) keys: &'a mut ListenKeys,
    pub(crate) out: &'a mut Vec<Emission>,
    pub(crate) limits: &'a Limits,
    pub(crate) account: AccountId,
    pub(crate) key: &'a str,
    pub(crate) params: &'a Params,
    pub(crate) now: Timestamp,
}

impl Call<'_> {
    /// The contract that the request names.
    pub(crate) fn instrument(&self) -> Result<Arc<Instrument>, ApiError> {
        self.find(self.params.need_symbol()?)
    }
    /// A contract by name.
    pub(crate) fn find(&self, symbol: Symbol) -> Result<Arc<Instrument>, ApiError> {
        self.exchange.instruments().into_iter().find(|i| i.symbol == symbol).ok_or_else(invalid_symbol)
    }
    /// The contract that the request names, or all.
    pub(crate) fn one_or_all(&self) -> Result<(bool, Vec<Arc<Instrument>>), ApiError> {
        match self.params.symbol()? {
            Some(symbol) => Ok((true, vec![self.find(symbol)?])),
            None => Ok((false, self.exchange.instruments())),
        }
    }
    /// The contract that the request names, if any; it must exist.
    pub(crate) fn optional_symbol(&self) -> Result<Option<Symbol>, ApiError> {
        self.params.symbol()?.map(|s| self.find(s).map(|i| i.symbol)).transpose()
    }
    /// `startTime`, `endTime`, `limit` and an id.
    pub(crate) fn page(&self, id: &str, limit_default: usize, limit_max: usize) -> Result<PageQuery, ApiError> {
        let limit = match self.params.int::<usize>("limit")? {
            None => limit_default,
            Some(0) => return Err(super::params::not_valid("limit")),
            Some(limit) => limit.min(limit_max),
        };
        let (from, to) = (self.params.time("startTime")?, self.params.time("endTime")?);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(ApiError::new(-1023, "Start time is greater than end time."));
        }
        let from_id = if id.is_empty() { None } else { self.params.int(id)? };
        Ok(PageQuery { from, to, from_id, limit })
    }
}

/// `{"code":200,"msg":…}`.
pub(crate) fn success(msg: &str) -> Json {
    let mut j = Json::new();
    j.open().int("code", 200).word("msg", msg).close();
    j
}

const fn get(path: &'static str, weight: fn(&Params) -> u32, run: fn(&mut Call<'_>) -> Answer) -> Endpoint {
    Endpoint { method: "GET", path, security: Security::Public, weight, orders: 0, order_count: one, engine: false, run }
}
const fn signed(method: &'static str, path: &'static str, weight: fn(&Params) -> u32, run: fn(&mut Call<'_>) -> Answer) -> Endpoint {
    Endpoint { method, path, security: Security::Signed, weight, orders: 0, order_count: one, engine: false, run }
}
const fn trade(
    method: &'static str,
    path: &'static str,
    weight: fn(&Params) -> u32,
    orders: u32,
    run: fn(&mut Call<'_>) -> Answer,
) -> Endpoint {
    Endpoint { orders, engine: true, ..signed(method, path, weight, run) }
}
const fn keyed(method: &'static str, path: &'static str, run: fn(&mut Call<'_>) -> Answer) -> Endpoint {
    Endpoint { method, security: Security::Key, ..get(path, one, run) }
}
const fn batch(method: &'static str, run: fn(&mut Call<'_>) -> Answer, orders: u32) -> Endpoint {
    Endpoint { order_count: orders::batch_size, ..trade(method, "/fapi/v1/batchOrders", five, orders, run) }
}

fn zero(_: &Params) -> u32 {
    0
}
fn one(_: &Params) -> u32 {
    1
}
fn five(_: &Params) -> u32 {
    5
}
fn ten(_: &Params) -> u32 {
    10
}
fn twenty(_: &Params) -> u32 {
    20
}
fn thirty(_: &Params) -> u32 {
    30
}
fn by_symbol(params: &Params, with: u32, without: u32) -> u32 {
    if params.get("symbol").is_some() { with } else { without }
}
fn depth_weight(params: &Params) -> u32 {
    match params.get("limit").and_then(|l| l.parse::<u32>().ok()).unwrap_or(500) {
        0..=50 => 2,
        51..=100 => 5,
        101..=500 => 10,
        _ => 20,
    }
}
fn kline_weight(params: &Params) -> u32 {
    match params.get("limit").and_then(|l| l.parse::<u32>().ok()).unwrap_or(500) {
        0..=99 => 1,
        100..=499 => 2,
        500..=1_000 => 5,
        _ => 10,
    }
}

/// Every endpoint.
pub(crate) static ENDPOINTS: &[Endpoint] = &[
    get("/fapi/v1/ping", one, market::ping),
    get("/fapi/v1/time", one, market::time),
    get("/fapi/v1/exchangeInfo", one, market::exchange_info),
    get("/fapi/v1/depth", depth_weight, market::depth),
    get("/fapi/v1/trades", five, market::trades),
    Endpoint { security: Security::Key, ..get("/fapi/v1/historicalTrades", twenty, market::historical_trades) },
    get("/fapi/v1/aggTrades", twenty, market::agg_trades),
    get("/fapi/v1/klines", kline_weight, stats::klines),
    get("/fapi/v1/continuousKlines", kline_weight, stats::continuous_klines),
    get("/fapi/v1/markPriceKlines", kline_weight, stats::mark_klines),
    get("/fapi/v1/premiumIndex", |p| by_symbol(p, 1, 10), market::premium_index),
    get("/fapi/v1/fundingRate", one, market::funding_rate),
    get("/fapi/v1/fundingInfo", one, market::funding_info),
    get("/fapi/v1/ticker/24hr", |p| by_symbol(p, 1, 40), stats::ticker_day),
    get("/fapi/v1/ticker/price", |p| by_symbol(p, 1, 2), stats::ticker_price),
    get("/fapi/v2/ticker/price", |p| by_symbol(p, 1, 2), stats::ticker_price),
    get("/fapi/v1/ticker/bookTicker", |p| by_symbol(p, 2, 5), stats::ticker_book),
    get("/fapi/v1/openInterest", one, market::open_interest),
    signed("GET", "/fapi/v1/leverageBracket", one, settings::leverage_bracket),
    trade("POST", "/fapi/v1/order", zero, 1, orders::post),
    signed("GET", "/fapi/v1/order", one, orders::get),
    trade("PUT", "/fapi/v1/order", one, 1, orders::put),
    trade("DELETE", "/fapi/v1/order", one, 0, orders::delete),
    trade("POST", "/fapi/v1/order/test", one, 0, orders::test),
    batch("POST", orders::post_batch, 1),
    batch("PUT", orders::put_batch, 1),
    Endpoint { weight: one, ..batch("DELETE", orders::delete_batch, 0) },
    signed("GET", "/fapi/v1/openOrder", one, orders::open_order),
    signed("GET", "/fapi/v1/openOrders", |p| by_symbol(p, 1, 40), orders::open_orders),
    signed("GET", "/fapi/v1/allOrders", five, orders::all_orders),
    trade("DELETE", "/fapi/v1/allOpenOrders", one, 0, orders::cancel_all),
    trade("POST", "/fapi/v1/countdownCancelAll", ten, 0, orders::countdown),
    trade("POST", "/fapi/v1/algoOrder", zero, 1, algo::post),
    signed("GET", "/fapi/v1/algoOrder", one, algo::get),
    trade("DELETE", "/fapi/v1/algoOrder", one, 0, algo::delete),
    signed("GET", "/fapi/v1/openAlgoOrders", |p| by_symbol(p, 1, 40), algo::open),
    signed("GET", "/fapi/v1/allAlgoOrders", five, algo::all),
    trade("DELETE", "/fapi/v1/algoOpenOrders", one, 0, algo::cancel_all),
    signed("GET", "/fapi/v1/userTrades", five, account::user_trades),
    signed("GET", "/fapi/v1/income", thirty, account::income),
    trade("POST", "/fapi/v1/leverage", one, 0, settings::set_leverage),
    trade("POST", "/fapi/v1/marginType", one, 0, settings::set_margin_type),
    trade("POST", "/fapi/v1/positionMargin", one, 0, settings::position_margin),
    signed("GET", "/fapi/v1/positionSide/dual", thirty, settings::position_mode),
    trade("POST", "/fapi/v1/positionSide/dual", one, 0, settings::set_position_mode),
    signed("GET", "/fapi/v1/multiAssetsMargin", thirty, settings::multi_assets),
    trade("POST", "/fapi/v1/multiAssetsMargin", one, 0, settings::set_multi_assets),
    signed("GET", "/fapi/v1/commissionRate", twenty, settings::commission_rate),
    signed("GET", "/fapi/v1/accountConfig", five, settings::account_config),
    signed("GET", "/fapi/v1/symbolConfig", five, settings::symbol_config),
    signed("GET", "/fapi/v1/adlQuantile", five, account::adl_quantile),
    signed("GET", "/fapi/v1/forceOrders", |p| by_symbol(p, 20, 50), account::force_orders),
    signed("GET", "/fapi/v1/rateLimit/order", one, settings::order_limits),
    keyed("POST", "/fapi/v1/listenKey", streams::open),
    keyed("PUT", "/fapi/v1/listenKey", streams::renew),
    keyed("DELETE", "/fapi/v1/listenKey", streams::close),
    signed("GET", "/fapi/v2/account", five, account::account_v2),
    signed("GET", "/fapi/v3/account", five, account::account_v3),
    signed("GET", "/fapi/v1/account", five, account::account_v2),
    signed("GET", "/fapi/v2/balance", five, account::balance),
    signed("GET", "/fapi/v3/balance", five, account::balance),
    signed("GET", "/fapi/v1/balance", five, account::balance),
    signed("GET", "/fapi/v2/positionRisk", five, account::positions_v2),
    signed("GET", "/fapi/v1/positionRisk", five, account::positions_v2),
    signed("GET", "/fapi/v3/positionRisk", five, account::positions_v3),
];

/// The endpoint of a method and path.
pub(crate) fn find(method: &str, path: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|e| e.path == path && e.method == method)
}
/// Is there anything at a path?
pub(crate) fn exists(path: &str) -> bool {
    ENDPOINTS.iter().any(|e| e.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_endpoint_stands_twice_in_the_table() {
        for (index, e) in ENDPOINTS.iter().enumerate() {
            assert!(ENDPOINTS.iter().skip(index + 1).all(|o| (o.method, o.path) != (e.method, e.path)), "{e:?}");
        }
    }
}
