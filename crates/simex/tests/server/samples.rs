//! Every field of the recorded and documented messages is there, with the same JSON type.

use crate::client::{Socket, fault, get, ok, raw};
use crate::market::{KEY, Market, config};
use serde_json::Value;
use std::path::PathBuf;

fn data() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("FULMAR_DATA").map_or_else(|| PathBuf::from(default), PathBuf::from);
    if folder.join("frames.jsonl").exists() {
        return Some(folder);
    }
    println!("SKIPPED: this test needs FULMAR_DATA");
    None
}
fn read(folder: &std::path::Path, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "flag",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
/// What the sample has and ours lacks or has otherwise. `spared` names are optional in the documentation or no field of ours.
fn gaps(sample: &Value, ours: &Value, at: &str, spared: &[&str], found: &mut Vec<String>) {
    if kind(sample) != kind(ours) {
        found.push(format!("{at}: {} expected, {} found", kind(sample), kind(ours)));
        return;
    }
    match (sample, ours) {
        (Value::Object(sample), Value::Object(ours)) => {
            for (name, value) in sample.iter().filter(|(name, _)| !spared.contains(&name.as_str())) {
                match ours.get(name) {
                    Some(other) => gaps(value, other, &format!("{at}.{name}"), spared, found),
                    None => found.push(format!("{at}.{name} is missing")),
                }
            }
        }
        (Value::Array(sample), Value::Array(ours)) => {
            if let (Some(first), Some(other)) = (sample.first(), ours.first()) {
                gaps(first, other, &format!("{at}[0]"), spared, found);
            } else if !sample.is_empty() {
                found.push(format!("{at}: empty"));
            }
        }
        _ => {}
    }
}

#[test]
fn rest_answers_have_every_field_of_the_official_samples() {
    let Some(folder) = data() else { return };
    let market = Market::open(config());
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=49000&newClientOrderId=";
    let placed = ok(&market, "POST", "/fapi/v1/order", &format!("{limit}s1"));
    ok(&market, "POST", "/fapi/v1/order", &format!("{limit}s2"));
    ok(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.02");
    market.step("50000", "3000");
    let algo = "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=TAKE_PROFIT&triggerPrice=52000&price=52000&quantity=0.01&reduceOnly=true&clientAlgoId=";
    let algo_placed = ok(&market, "POST", "/fapi/v1/algoOrder", &format!("{algo}a1"));
    ok(&market, "POST", "/fapi/v1/algoOrder", &format!("{algo}a2"));
    let trailing = ["activatePrice", "priceRate"];
    let signed = |path: &str, params: &str| ok(&market, "GET", path, params);
    let public = |path: &str| get(&market, path).json;
    let mut found = Vec::new();
    let mut check = |name: &str, ours: &Value, spared: &[&str]| {
        gaps(&read(&folder, &format!("rest/official-samples/{name}.json")), ours, name, spared, &mut found);
    };
    check("new_order", &placed, &[]);
    check("query_order", &signed("/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=s1"), &trailing);
    check("query_current_open_order", &signed("/fapi/v1/openOrder", "symbol=BTCUSDT&origClientOrderId=s1"), &trailing);
    check("current_all_open_orders", &signed("/fapi/v1/openOrders", ""), &trailing);
    check("all_orders", &signed("/fapi/v1/allOrders", "symbol=BTCUSDT"), &trailing);
    check("test_order", &ok(&market, "POST", "/fapi/v1/order/test", &format!("{limit}t")), &trailing);
    check(
        "modify_order",
        &ok(&market, "PUT", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=s1&side=BUY&quantity=0.01&price=48000"),
        &[],
    );
    check("cancel_order", &ok(&market, "DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=s1"), &trailing);
    check(
        "cancel_multiple_orders",
        &ok(&market, "DELETE", "/fapi/v1/batchOrders", "symbol=BTCUSDT&origClientOrderIdList=%5B%22s2%22%5D"),
        &["activatePrice", "priceRate", "code", "msg"],
    );
    check("cancel_all_open_orders", &ok(&market, "DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT"), &[]);
    check("auto_cancel_all_open_orders", &ok(&market, "POST", "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=100000"), &[]);
    check("new_algo_order", &algo_placed, &[]);
    check("query_algo_order", &signed("/fapi/v1/algoOrder", "clientAlgoId=a1"), &[]);
    check("current_all_algo_open_orders", &signed("/fapi/v1/openAlgoOrders", ""), &[]);
    check("query_all_algo_orders", &signed("/fapi/v1/allAlgoOrders", "symbol=BTCUSDT"), &[]);
    check("cancel_algo_order", &ok(&market, "DELETE", "/fapi/v1/algoOrder", "clientAlgoId=a1"), &[]);
    check("cancel_all_algo_open_orders", &ok(&market, "DELETE", "/fapi/v1/algoOpenOrders", "symbol=BTCUSDT"), &[]);
    check("position_information_v2", &signed("/fapi/v2/positionRisk", ""), &[]);
    check("position_information_v3", &signed("/fapi/v3/positionRisk", ""), &[]);
    check("account_information_v2", &signed("/fapi/v2/account", ""), &[]);
    check("account_information_v3", &signed("/fapi/v3/account", ""), &[]);
    check("futures_account_balance_v2", &signed("/fapi/v2/balance", ""), &[]);
    check("futures_account_balance_v3", &signed("/fapi/v3/balance", ""), &[]);
    check("futures_account_configuration", &signed("/fapi/v1/accountConfig", ""), &[]);
    check("symbol_configuration", &signed("/fapi/v1/symbolConfig", ""), &[]);
    check("account_trade_list", &signed("/fapi/v1/userTrades", "symbol=BTCUSDT"), &[]);
    check("get_income_history", &signed("/fapi/v1/income", ""), &[]);
    check("user_commission_rate", &signed("/fapi/v1/commissionRate", "symbol=BTCUSDT"), &[]);
    check("notional_and_leverage_brackets", &signed("/fapi/v1/leverageBracket", ""), &[]);
    check("position_adl_quantile_estimation", &signed("/fapi/v1/adlQuantile", ""), &[]);
    check("query_user_rate_limit", &signed("/fapi/v1/rateLimit/order", ""), &[]);
    check("get_current_position_mode", &signed("/fapi/v1/positionSide/dual", ""), &[]);
    check("get_current_multi_assets_mode", &signed("/fapi/v1/multiAssetsMargin", ""), &[]);
    check("change_initial_leverage", &ok(&market, "POST", "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=5"), &["maxNotionalValue"]);
    check("change_margin_type", &ok(&market, "POST", "/fapi/v1/marginType", "symbol=ETHUSDT&marginType=ISOLATED"), &[]);
    check("start_user_data_stream", &raw(&market, "POST", "/fapi/v1/listenKey", "", Some(KEY)).unwrap().json, &[]);
    // The sample's one filter entry stands for all of them at once.
    let filters = [
        "maxPrice",
        "minPrice",
        "tickSize",
        "maxQty",
        "minQty",
        "stepSize",
        "limit",
        "notional",
        "multiplierUp",
        "multiplierDown",
        "multiplierDecimal",
    ];
    let spared: Vec<&str> = filters.into_iter().chain(["exchangeFilters"]).collect();
    let info = public("/fapi/v1/exchangeInfo");
    check("exchange_information", &info, &spared);
    for name in filters {
        let there = info["symbols"][0]["filters"].as_array().unwrap().iter().any(|f| f.get(name).is_some());
        assert!(there, "no filter has {name}");
    }
    check("order_book", &public("/fapi/v1/depth?symbol=BTCUSDT"), &[]);
    check("recent_trades_list", &public("/fapi/v1/trades?symbol=BTCUSDT"), &[]);
    check("compressed_aggregate_trades_list", &public("/fapi/v1/aggTrades?symbol=BTCUSDT"), &[]);
    check("mark_price", &public("/fapi/v1/premiumIndex?symbol=BTCUSDT"), &[]);
    check("get_funding_rate_info", &public("/fapi/v1/fundingInfo"), &[]);
    check("symbol_price_ticker", &public("/fapi/v1/ticker/price?symbol=BTCUSDT"), &[]);
    check("symbol_price_ticker_v2", &public("/fapi/v2/ticker/price?symbol=BTCUSDT"), &[]);
    check("symbol_order_book_ticker", &public("/fapi/v1/ticker/bookTicker?symbol=BTCUSDT"), &[]);
    check("open_interest", &public("/fapi/v1/openInterest?symbol=BTCUSDT"), &[]);
    check("check_server_time", &public("/fapi/v1/time"), &[]);
    // This file holds the answer of ticker/24hr.
    check("test_connectivity", &public("/fapi/v1/ticker/24hr?symbol=BTCUSDT"), &[]);
    fault(&market, &format!(r#"{{"fault":"liquidate","account":"{KEY}","symbol":"BTCUSDT"}}"#));
    market.step("50000", "3000");
    check("users_force_orders", &signed("/fapi/v1/forceOrders", ""), &[]);
    // Over the next funding time there is a funding to show.
    market.step_by(8 * 3_600_000, "50000", "3000");
    check("get_funding_rate_history", &public("/fapi/v1/fundingRate?symbol=BTCUSDT"), &[]);
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_have_every_field_of_the_recorded_ones() {
    let Some(folder) = data() else { return };
    let market = Market::open(config());
    let key = raw(&market, "POST", "/fapi/v1/listenKey", "", Some(KEY)).unwrap().json["listenKey"].as_str().unwrap().to_owned();
    let streams = ["aggTrade", "markPrice@1s", "kline_1m", "forceOrder", "trade", "bookTicker", "depth5@100ms", "depth@0ms", "ticker"];
    let names = streams.map(|s| format!("btcusdt@{s}")).join("/");
    let mut socket = Socket::open(&market, &format!("/stream?streams={names}/{key}")).await;
    socket.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#).await;
    ok(&market, "POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=25");
    ok(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.020");
    for last in ["50000", "50010", "50020"] {
        market.step(last, "3000");
    }
    ok(
        &market,
        "POST",
        "/fapi/v1/algoOrder",
        "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&triggerPrice=45000&closePosition=true",
    );
    fault(&market, &format!(r#"{{"fault":"liquidate","account":"{KEY}","symbol":"BTCUSDT"}}"#));
    for last in ["50000", "50010", "50020"] {
        market.step_by(30_000, last, "3000");
    }
    fault(&market, &format!(r#"{{"fault":"expire_listen_key","account":"{KEY}"}}"#));
    let frames = socket.until(|f| f["data"]["e"] == "listenKeyExpired").await;
    let mut found = Vec::new();
    let mut compared = Vec::new();
    let mut check = |source: &str, sample: &Value, spared: &[&str]| {
        let event = sample["e"].as_str().unwrap();
        // Compared with the frame of the same kind and the same execution or status, where there is one.
        let alike = |f: &&Value| {
            let data = &f["data"];
            data["e"] == event && (sample["o"]["x"].is_null() || data["o"]["x"] == sample["o"]["x"])
        };
        let Some(ours) = frames.iter().find(alike) else {
            compared.push(format!("{source}: no {event} of this kind came"));
            return;
        };
        gaps(sample, &ours["data"], &format!("{source} {event}"), spared, &mut found);
    };
    for line in std::fs::read_to_string(folder.join("frames.jsonl")).unwrap().lines() {
        let outer: Value = serde_json::from_str(line).unwrap();
        let message: Value = serde_json::from_str(outer["raw"].as_str().unwrap()).unwrap();
        let sample = if message["data"].is_object() { message["data"].clone() } else { message };
        if sample["e"] != "MARGIN_CALL" {
            // The documentation prints the time of an expiry as text; the official SDK takes a number only, as everywhere else.
            let spared: &[&str] = if sample["e"] == "listenKeyExpired" { &["E"] } else { &[] };
            check("frames.jsonl", &sample, spared);
        }
    }
    for part in ["market_data_json", "user_data_json"] {
        let folder = folder.join("samples").join(part);
        for entry in std::fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            check(&name, &read(&folder, &name), &[]);
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    println!("not compared: {compared:#?}");
    for event in [
        "aggTrade",
        "trade",
        "kline",
        "bookTicker",
        "depthUpdate",
        "markPriceUpdate",
        "24hrTicker",
        "forceOrder",
        "ORDER_TRADE_UPDATE",
        "ACCOUNT_UPDATE",
        "ALGO_UPDATE",
        "TRADE_LITE",
        "ACCOUNT_CONFIG_UPDATE",
    ] {
        assert!(frames.iter().any(|f| f["data"]["e"] == event), "{event} never came");
    }
}
