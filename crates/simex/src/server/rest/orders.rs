//! Regular orders: place, change, cancel, look up.

use super::{Answer, Call, success};
use crate::server::door::error_body;
use crate::server::hub::{match_word, working_word};
use crate::server::json::Json;
use crate::server::params::{Params, mandatory, not_valid};
use crate::venue::{ApiError, ModifyOrder, NewOrder, OrderRef, OrderReport, OrderType, PriceMatch, Stp, Tif};
use fulmar_domain::id::OrderId;
use fulmar_domain::num::{Price, Usdt};
use fulmar_domain::order::{PositionSide, Side};
use fulmar_domain::time::Span;

/// Most orders that one batch places.
const BATCH_PLACE_MAX: usize = 5;
/// Most orders that one batch cancels.
const BATCH_CANCEL_MAX: usize = 10;

/// Reads `side`.
pub(super) fn side_of(params: &Params) -> Result<Side, ApiError> {
    let word = |w: &str| match w {
        "BUY" => Some(Side::Buy),
        "SELL" => Some(Side::Sell),
        _ => None,
    };
    params.one_of("side", word, -1117, "Invalid side.")?.ok_or_else(|| mandatory("side"))
}
/// Reads `positionSide`.
pub(super) fn position_side_of(params: &Params) -> Result<Option<PositionSide>, ApiError> {
    let word = |w: &str| match w {
        "BOTH" => Some(PositionSide::Both),
        "LONG" => Some(PositionSide::Long),
        "SHORT" => Some(PositionSide::Short),
        _ => None,
    };
    params.one_of("positionSide", word, -1130, "Data sent for parameter 'positionSide' is not valid.")
}
/// Reads `type`.
pub(super) fn type_of(params: &Params) -> Result<OrderType, ApiError> {
    params.one_of("type", OrderType::parse, -1116, "Invalid orderType.")?.ok_or_else(|| mandatory("type"))
}
/// Reads `timeInForce`.
pub(super) fn tif_of(params: &Params) -> Result<Option<Tif>, ApiError> {
    params.one_of("timeInForce", Tif::parse, -1115, "Invalid timeInForce.")
}
/// Reads `priceMatch`; `NONE` is as good as missing.
pub(super) fn price_match_of(params: &Params) -> Result<Option<PriceMatch>, ApiError> {
    if params.get("priceMatch") == Some("NONE") {
        return Ok(None);
    }
    params.one_of("priceMatch", PriceMatch::parse, -1130, "Data sent for parameter 'priceMatch' is not valid.")
}
/// Reads `selfTradePreventionMode`.
pub(super) fn stp_of(params: &Params) -> Result<Option<Stp>, ApiError> {
    params.one_of("selfTradePreventionMode", Stp::parse, -1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
}

fn new_order(params: &Params) -> Result<NewOrder, ApiError> {
    let order_type = type_of(params)?;
    if params.flag("closePosition")? == Some(true) || params.get("stopPrice").is_some_and(|p| p.parse() != Ok(Price::ZERO)) {
        return Err(use_algo_endpoint());
    }
    params.one_of(
        "newOrderRespType",
        |w| matches!(w, "ACK" | "RESULT" | "FULL").then_some(()),
        -1130,
        "Data sent for parameter 'newOrderRespType' is not valid.",
    )?;
    Ok(NewOrder {
        symbol: params.need_symbol()?,
        side: side_of(params)?,
        position_side: position_side_of(params)?,
        order_type,
        tif: tif_of(params)?,
        qty: params.decimal("quantity")?,
        price: params.decimal("price")?,
        reduce_only: params.flag("reduceOnly")?,
        client_id: params.text("newClientOrderId")?.map(str::to_owned),
        price_match: price_match_of(params)?,
        stp: stp_of(params)?,
        good_till: params.time("goodTillDate")?,
    })
}
fn use_algo_endpoint() -> ApiError {
    ApiError::new(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
}

fn order_ref(params: &Params) -> Result<OrderRef, ApiError> {
    let order = params.int("orderId")?.map(OrderId);
    let client_id = params.text("origClientOrderId")?.map(str::to_owned);
    if order.is_none() && client_id.is_none() {
        return Err(ApiError::new(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"));
    }
    Ok(OrderRef { order, client_id })
}

fn modification(params: &Params) -> Result<ModifyOrder, ApiError> {
    Ok(ModifyOrder {
        symbol: params.need_symbol()?,
        order: order_ref(params)?,
        side: side_of(params)?,
        qty: params.decimal("quantity")?,
        price: params.decimal("price")?,
        price_match: price_match_of(params)?,
    })
}

/// How an order is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The answer to POST, PUT and DELETE.
    Done,
    /// The answer to a query.
    Query,
    /// The answer to `allOrders`.
    History,
    /// The answer to PUT.
    Changed,
    /// The answer to order/test.
    Test,
}

fn write(j: &mut Json, o: &OrderReport, call: &Call<'_>, shape: Shape) {
    let places = call.hub.places(o.symbol);
    j.open();
    let query = matches!(shape, Shape::Query | Shape::History);
    j.int("orderId", o.order.0).word("symbol", o.symbol.as_str());
    if matches!(shape, Shape::History | Shape::Changed) {
        j.word("pair", o.symbol.as_str());
    }
    j.word("status", o.status.as_str()).text("clientOrderId", o.client_id.as_str()).dec("price", o.price, places.price);
    if query || shape == Shape::Test {
        j.dec("avgPrice", o.average, 5);
    }
    j.dec("origQty", o.qty, places.qty).dec("executedQty", o.filled, places.qty);
    if query {
        j.dec("cumQuote", o.quote, 5);
        if shape == Shape::History {
            j.dec("cumBase", o.filled, places.qty);
        }
    } else {
        j.dec("cumQty", o.filled, places.qty);
        if shape == Shape::Test {
            j.dec("cumQuote", Usdt::ZERO, 0);
        }
    }
    if shape == Shape::Changed {
        j.int("modifyId", o.modifications);
    }
    j.word("timeInForce", o.tif.as_str()).word("type", o.order_type.as_str()).flag("reduceOnly", o.reduce_only);
    j.flag("closePosition", o.close_position).word("side", o.side.as_str()).word("positionSide", o.position_side.as_str());
    j.dec("stopPrice", o.stop_price, places.price).word("workingType", working_word(o.working)).flag("priceProtect", o.price_protect);
    j.word("origType", o.orig_type.as_str()).word("priceMatch", match_word(o.price_match)).word("selfTradePreventionMode", o.stp.as_str());
    j.int("goodTillDate", o.good_till.millis());
    if query {
        j.int("time", o.created.millis());
    }
    j.int("updateTime", o.updated.millis()).close();
}
fn one(call: &Call<'_>, order: &OrderReport, shape: Shape) -> Json {
    let mut j = Json::new();
    write(&mut j, order, call, shape);
    j
}
fn many(call: &Call<'_>, orders: &[OrderReport], shape: Shape) -> Json {
    let mut j = Json::new();
    j.list();
    for order in orders {
        write(&mut j, order, call, shape);
    }
    j.end();
    j
}

fn place_order(call: &mut Call<'_>, params: &Params) -> Answer {
    let order = new_order(params)?;
    let report = call.exchange.place(call.account, &order, call.out)?;
    Ok(one(call, &report, Shape::Done))
}
fn cancel_order(call: &mut Call<'_>, params: &Params) -> Answer {
    let symbol = params.need_symbol()?;
    let report = call.exchange.cancel(call.account, symbol, &order_ref(params)?, call.out)?;
    Ok(one(call, &report, Shape::Done))
}
fn query_order(call: &mut Call<'_>, params: &Params) -> Answer {
    let report = call.exchange.order(call.account, params.need_symbol()?, &order_ref(params)?)?;
    Ok(one(call, &report, Shape::Query))
}
fn change_order(call: &mut Call<'_>, params: &Params) -> Answer {
    let report = call.exchange.modify(call.account, &modification(params)?, call.out)?;
    Ok(one(call, &report, Shape::Changed))
}

pub(super) fn post(call: &mut Call<'_>) -> Answer {
    place_order(call, call.params)
}
pub(super) fn put(call: &mut Call<'_>) -> Answer {
    change_order(call, call.params)
}
pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    cancel_order(call, call.params)
}
pub(super) fn get(call: &mut Call<'_>) -> Answer {
    query_order(call, call.params)
}
pub(super) fn test(call: &mut Call<'_>) -> Answer {
    let order = new_order(call.params)?;
    call.exchange.test(call.account, &order)?;
    let id = order.client_id.as_deref().and_then(fulmar_domain::id::ClientOrderId::new);
    let id = id.or_else(|| fulmar_domain::id::ClientOrderId::new("testOrder")).ok_or_else(|| not_valid("newClientOrderId"))?;
    let zero = fulmar_domain::time::Timestamp::ZERO;
    let report = OrderReport {
        order: OrderId(0),
        client_id: id,
        symbol: order.symbol,
        side: order.side,
        position_side: order.position_side.unwrap_or_default(),
        order_type: order.order_type,
        orig_type: order.order_type,
        tif: order.tif.unwrap_or(Tif::Gtc),
        good_till: order.good_till.unwrap_or(zero),
        price: order.price.unwrap_or_default(),
        stop_price: Price::ZERO,
        qty: order.qty.unwrap_or_default(),
        filled: fulmar_domain::num::Qty::ZERO,
        quote: Usdt::ZERO,
        average: Price::ZERO,
        status: crate::venue::VenueStatus::New,
        reduce_only: order.reduce_only.unwrap_or(false),
        close_position: false,
        working: fulmar_domain::order::WorkingType::ContractPrice,
        price_protect: false,
        price_match: order.price_match,
        stp: order.stp.unwrap_or_default(),
        modifications: 0,
        algo: None,
        created: call.exchange.now(),
        updated: call.exchange.now(),
    };
    Ok(one(call, &report, Shape::Test))
}

fn batch_of(params: &Params) -> Result<Vec<Params>, ApiError> {
    let text = params.need("batchOrders")?;
    let list: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(text).map_err(|_| ApiError::new(-1130, "Data sent for parameter 'batchOrders' is not valid."))?;
    if list.is_empty() || list.len() > BATCH_PLACE_MAX {
        return Err(ApiError::new(-4082, "Invalid number of batch place orders."));
    }
    Ok(list.iter().map(Params::of_json).collect())
}
/// How many orders a batch holds; one where that cannot be read.
pub(super) fn batch_size(params: &Params) -> u32 {
    batch_of(params).ok().and_then(|list| u32::try_from(list.len()).ok()).unwrap_or(1)
}
fn each(call: &mut Call<'_>, run: fn(&mut Call<'_>, &Params) -> Answer) -> Answer {
    let mut j = Json::new();
    j.list();
    for params in batch_of(call.params)? {
        match run(call, &params) {
            Ok(answer) => j.raw_item(answer.as_str()),
            Err(error) => j.raw_item(&error_body(&error)),
        };
    }
    j.end();
    Ok(j)
}
pub(super) fn post_batch(call: &mut Call<'_>) -> Answer {
    each(call, place_order)
}
pub(super) fn put_batch(call: &mut Call<'_>) -> Answer {
    each(call, change_order)
}
pub(super) fn delete_batch(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let invalid = |name| move |_| not_valid(name);
    // Binance takes both names in lower case, too, and clients in use send them so.
    let list = |name: &str| match call.params.text(name)? {
        Some(text) => Ok(Some(text)),
        None => call.params.text(&name.to_lowercase()),
    };
    let ids: Vec<OrderRef> = if let Some(text) = list("orderIdList")? {
        let ids: Vec<i64> = serde_json::from_str(text).map_err(invalid("orderIdList"))?;
        ids.into_iter().map(|id| OrderRef { order: Some(OrderId(id)), client_id: None }).collect()
    } else if let Some(text) = list("origClientOrderIdList")? {
        let ids: Vec<String> = serde_json::from_str(text).map_err(invalid("origClientOrderIdList"))?;
        ids.into_iter().map(|id| OrderRef { order: None, client_id: Some(id) }).collect()
    } else {
        return Err(ApiError::new(-1102, "Param 'origClientOrderIdList' or 'orderIdList' must be sent, but both were empty/null!"));
    };
    if ids.is_empty() || ids.len() > BATCH_CANCEL_MAX {
        return Err(not_valid("orderIdList"));
    }
    let mut j = Json::new();
    j.list();
    for id in ids {
        match call.exchange.cancel(call.account, symbol, &id, call.out) {
            Ok(report) => write(&mut j, &report, call, Shape::Done),
            Err(error) => {
                j.raw_item(&error_body(&error));
            }
        }
    }
    j.end();
    Ok(j)
}

pub(super) fn open_order(call: &mut Call<'_>) -> Answer {
    let report = call.exchange.open_order(call.account, call.params.need_symbol()?, &order_ref(call.params)?)?;
    Ok(one(call, &report, Shape::Query))
}
pub(super) fn open_orders(call: &mut Call<'_>) -> Answer {
    let orders = call.exchange.open_orders(call.account, call.optional_symbol()?);
    Ok(many(call, &orders, Shape::Query))
}
pub(super) fn all_orders(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let orders = call.exchange.all_orders(call.account, symbol, call.page("orderId", 500, 1_000)?);
    Ok(many(call, &orders, Shape::History))
}
pub(super) fn cancel_all(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    call.exchange.cancel_all(call.account, symbol, call.out)?;
    Ok(success("The operation of cancel all open order is done."))
}
pub(super) fn countdown(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let ms: i64 = call.params.int("countdownTime")?.ok_or_else(|| mandatory("countdownTime"))?;
    if ms < 0 {
        return Err(not_valid("countdownTime"));
    }
    call.exchange.countdown_cancel_all(call.account, symbol, Span(ms))?;
    let mut j = Json::new();
    j.open().word("symbol", symbol.as_str()).int_text("countdownTime", ms).close();
    Ok(j)
}
