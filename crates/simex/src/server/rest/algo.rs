//! Conditional orders: the algo endpoints.

use super::orders::{position_side_of, price_match_of, side_of, stp_of, tif_of, type_of};
use super::{Answer, Call, success};
use crate::server::hub::{child_type, match_word, working_word};
use crate::server::json::Json;
use crate::server::params::{Params, mandatory, not_valid};
use crate::venue::{AlgoRef, AlgoReport, ApiError, NewAlgoOrder, OrderType};
use fulmar_domain::id::AlgoId;
use fulmar_domain::num::Price;
use fulmar_domain::order::WorkingType;

fn new_order(params: &Params) -> Result<NewAlgoOrder, ApiError> {
    if params.need("algoType")? != "CONDITIONAL" {
        return Err(not_valid("algoType"));
    }
    let working = |w: &str| match w {
        "MARK_PRICE" => Some(WorkingType::MarkPrice),
        "CONTRACT_PRICE" => Some(WorkingType::ContractPrice),
        _ => None,
    };
    let activation = match params.decimal("activatePrice")? {
        Some(price) => Some(price),
        None => params.decimal("activationPrice")?,
    };
    Ok(NewAlgoOrder {
        symbol: params.need_symbol()?,
        side: side_of(params)?,
        position_side: position_side_of(params)?,
        order_type: type_of(params)?,
        tif: tif_of(params)?,
        qty: params.decimal("quantity")?,
        price: params.decimal("price")?,
        trigger: params.decimal("triggerPrice")?,
        working: params.one_of("workingType", working, -1130, "Data sent for parameter 'workingType' is not valid.")?,
        activation,
        callback_percent: params.decimal("callbackRate")?,
        reduce_only: params.flag("reduceOnly")?,
        close_position: params.flag("closePosition")?,
        price_protect: params.flag("priceProtect")?,
        price_match: price_match_of(params)?,
        client_id: params.text("clientAlgoId")?.map(str::to_owned),
        stp: stp_of(params)?,
        good_till: params.time("goodTillDate")?,
    })
}

fn algo_ref(params: &Params) -> Result<AlgoRef, ApiError> {
    let algo = params.int("algoId")?.map(AlgoId);
    let client_id = params.text("clientAlgoId")?.map(str::to_owned);
    if algo.is_none() && client_id.is_none() {
        return Err(ApiError::new(-1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!"));
    }
    Ok(AlgoRef { algo, client_id })
}

fn write(j: &mut Json, o: &AlgoReport, call: &Call<'_>, query: bool) {
    let places = call.hub.places(o.symbol);
    j.open().int("algoId", o.algo.0).text("clientAlgoId", o.client_id.as_str()).word("algoType", "CONDITIONAL");
    j.word("orderType", o.order_type.as_str()).word("symbol", o.symbol.as_str()).word("side", o.side.as_str());
    j.word("positionSide", o.position_side.as_str()).word("timeInForce", o.tif.as_str()).dec("quantity", o.qty, places.qty);
    j.word("algoStatus", o.status.as_str());
    if query {
        match o.child {
            Some(child) => j.int_text("actualOrderId", child.0),
            None => j.word("actualOrderId", ""),
        };
        j.dec("actualPrice", o.child_average, 5).word("actualType", child_type(o.order_type)).dec("actualQty", o.child_filled, places.qty);
    }
    j.dec("triggerPrice", o.trigger, places.price).dec("price", o.price, places.price).word("icebergQuantity", "null");
    if query {
        for name in ["tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice"] {
            j.dec(name, Price::ZERO, places.price);
        }
        j.word("tpOrderType", "");
    }
    j.word("selfTradePreventionMode", o.stp.as_str()).word("workingType", working_word(o.working));
    j.word("priceMatch", match_word(o.price_match)).flag("closePosition", o.close_position).flag("priceProtect", o.price_protect);
    j.flag("reduceOnly", o.reduce_only);
    let trailing = o.order_type == OrderType::TrailingStopMarket;
    if trailing && o.activation > Price::ZERO {
        j.dec("activatePrice", o.activation, places.price);
    } else {
        j.word("activatePrice", "");
    }
    if trailing {
        j.dec("callbackRate", o.callback_percent, 0);
    } else {
        j.word("callbackRate", "");
    }
    j.int("createTime", o.created.millis()).int("updateTime", o.updated.millis()).int("triggerTime", o.triggered.millis());
    j.int("goodTillDate", o.good_till.millis()).close();
}
fn many(call: &Call<'_>, orders: &[AlgoReport]) -> Json {
    let mut j = Json::new();
    j.list();
    for order in orders {
        write(&mut j, order, call, true);
    }
    j.end();
    j
}

pub(super) fn post(call: &mut Call<'_>) -> Answer {
    let order = new_order(call.params)?;
    let report = call.exchange.place_algo(call.account, &order, call.out)?;
    let mut j = Json::new();
    write(&mut j, &report, call, false);
    Ok(j)
}
pub(super) fn get(call: &mut Call<'_>) -> Answer {
    let report = call.exchange.algo_order(call.account, &algo_ref(call.params)?)?;
    let mut j = Json::new();
    write(&mut j, &report, call, true);
    Ok(j)
}
pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let report = call.exchange.cancel_algo(call.account, &algo_ref(call.params)?, call.out)?;
    let mut j = Json::new();
    j.open()
        .int("algoId", report.algo.0)
        .text("clientAlgoId", report.client_id.as_str())
        .word("code", "200")
        .word("msg", "success")
        .close();
    Ok(j)
}
pub(super) fn open(call: &mut Call<'_>) -> Answer {
    let symbol = call.optional_symbol()?;
    let mut orders = call.exchange.open_algo_orders(call.account, symbol);
    if let Some(id) = call.params.int("algoId")? {
        orders.retain(|o| o.algo == AlgoId(id));
    }
    Ok(many(call, &orders))
}
pub(super) fn all(call: &mut Call<'_>) -> Answer {
    if call.params.get("symbol").is_none() {
        return Err(mandatory("symbol"));
    }
    let symbol = call.instrument()?.symbol;
    let orders = call.exchange.all_algo_orders(call.account, symbol, call.page("algoId", 500, 1_000)?);
    Ok(many(call, &orders))
}
pub(super) fn cancel_all(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    call.exchange.cancel_all_algo(call.account, symbol, call.out)?;
    Ok(success("The operation of cancel all open order is done."))
}
