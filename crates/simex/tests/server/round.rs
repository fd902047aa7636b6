//! What is placed, changed, cancelled and filled shows in every answer and stream, and the exchange's own log has it too.

use crate::client::{Answer, Socket, get, ok, raw, signed};
use crate::market::{KEY, Market, config};
use serde_json::Value;

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|o| o[field].as_str().map_or_else(|| o[field].to_string(), str::to_owned)).collect()
}
fn number(value: &Value) -> f64 {
    value.as_str().unwrap_or_else(|| panic!("text expected, not {value}")).parse().unwrap()
}
fn sum_of_income(market: &Market) -> f64 {
    let income = ok(market, "GET", "/fapi/v1/income", "limit=1000&startTime=1");
    income.as_array().unwrap().iter().map(|i| number(&i["income"])).sum()
}

#[test]
fn a_limit_order_is_seen_changed_and_cancelled_everywhere() {
    let market = Market::open(config());
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=49000&newClientOrderId=round-1";
    let placed = ok(&market, "POST", "/fapi/v1/order", order);
    assert_eq!((&placed["status"], number(&placed["price"]), number(&placed["origQty"])), (&"NEW".into(), 49_000.0, 0.01));
    let by_name = "symbol=BTCUSDT&origClientOrderId=round-1";
    let by_number = format!("symbol=BTCUSDT&orderId={}", placed["orderId"]);
    for params in [by_name, by_number.as_str()] {
        for path in ["/fapi/v1/order", "/fapi/v1/openOrder"] {
            assert_eq!(ok(&market, "GET", path, params)["orderId"], placed["orderId"]);
        }
    }
    for (path, params) in [("/fapi/v1/openOrders", ""), ("/fapi/v1/openOrders", "symbol=BTCUSDT"), ("/fapi/v1/allOrders", "symbol=BTCUSDT")]
    {
        assert_eq!(names(&ok(&market, "GET", path, params), "clientOrderId"), ["round-1"], "{path}?{params}");
    }
    assert!(number(&ok(&market, "GET", "/fapi/v3/account", "")["totalOpenOrderInitialMargin"]) > 0.0);
    assert_eq!(number(&ok(&market, "GET", "/fapi/v3/positionRisk", "")[0]["bidNotional"]), 490.0);

    let changed = ok(&market, "PUT", "/fapi/v1/order", &format!("{by_name}&side=BUY&quantity=0.020&price=48000"));
    assert_eq!((number(&changed["price"]), number(&changed["origQty"])), (48_000.0, 0.02));
    assert_eq!(number(&ok(&market, "GET", "/fapi/v1/order", by_name)["price"]), 48_000.0);

    assert_eq!(ok(&market, "DELETE", "/fapi/v1/order", by_name)["status"], "CANCELED");
    assert_eq!(ok(&market, "GET", "/fapi/v1/order", by_name)["status"], "CANCELED");
    assert_eq!(ok(&market, "GET", "/fapi/v1/openOrders", ""), Value::Array(vec![]));
    assert_eq!(signed(&market, "GET", "/fapi/v1/openOrder", by_name).code(), -2013);
    assert_eq!(signed(&market, "DELETE", "/fapi/v1/order", by_name).code(), -2011);
    assert_eq!(number(&ok(&market, "GET", "/fapi/v3/account", "")["totalOpenOrderInitialMargin"]), 0.0);
    assert_eq!(ok(&market, "GET", "/fapi/v1/userTrades", "symbol=BTCUSDT"), Value::Array(vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fill_is_seen_everywhere_and_the_wallet_is_the_sum_of_all_income() {
    let market = Market::open(config());
    let key = raw(&market, "POST", "/fapi/v1/listenKey", "", Some(KEY)).unwrap().json["listenKey"].as_str().unwrap().to_owned();
    let mut user = Socket::open(&market, &format!("/ws/{key}")).await;
    user.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#).await;
    ok(&market, "POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=10");
    let bought = ok(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&newClientOrderId=fill-1");
    assert_eq!(bought["status"], "NEW", "a request is matched against the first event after it");
    market.step("50000", "3000");
    let by_name = "symbol=BTCUSDT&origClientOrderId=fill-1";
    let filled = ok(&market, "GET", "/fapi/v1/order", by_name);
    assert_eq!((&filled["status"], number(&filled["executedQty"])), (&"FILLED".into(), 0.01));
    let trades = ok(&market, "GET", "/fapi/v1/userTrades", "symbol=BTCUSDT");
    let value: f64 = trades.as_array().unwrap().iter().map(|t| number(&t["price"]) * number(&t["qty"])).sum();
    assert!((value - number(&filled["cumQuote"])).abs() < 1e-8);
    let fee: f64 = trades.as_array().unwrap().iter().map(|t| number(&t["commission"])).sum();
    assert!((fee - value * 0.0005).abs() < 1e-6, "taker fee");
    for path in ["/fapi/v2/positionRisk", "/fapi/v3/positionRisk"] {
        let position = ok(&market, "GET", path, "symbol=BTCUSDT")[0].clone();
        assert_eq!(number(&position["positionAmt"]), 0.01, "{path}");
        assert_eq!(number(&position["entryPrice"]), number(&filled["avgPrice"]), "{path}");
        assert!(number(&position["liquidationPrice"]) < 50_000.0, "{path}");
    }
    for path in ["/fapi/v2/account", "/fapi/v3/account"] {
        let account = ok(&market, "GET", path, "");
        let position = account["positions"].as_array().unwrap().iter().find(|p| p["symbol"] == "BTCUSDT").unwrap();
        assert_eq!(number(&position["positionAmt"]), 0.01, "{path}");
        assert!((number(&account["totalWalletBalance"]) - sum_of_income(&market)).abs() < 1e-8, "{path}");
    }
    assert!((number(&ok(&market, "GET", "/fapi/v3/balance", "")[0]["balance"]) - sum_of_income(&market)).abs() < 1e-8);
    assert_eq!(number(&get(&market, "/fapi/v1/openInterest?symbol=BTCUSDT").json["openInterest"]), 0.01);

    let frames = user.until(|f| f["o"]["X"] == "FILLED").await;
    let updates: Vec<&Value> = frames.iter().filter(|f| f["e"] == "ORDER_TRADE_UPDATE").collect();
    assert_eq!(updates[0]["o"]["x"], "NEW");
    let last = updates.last().unwrap();
    assert_eq!((&last["o"]["x"], &last["o"]["c"], &last["o"]["i"]), (&"TRADE".into(), &"fill-1".into(), &filled["orderId"]));
    let account = frames.iter().find(|f| f["e"] == "ACCOUNT_UPDATE").unwrap();
    assert_eq!((&account["a"]["m"], number(&account["a"]["P"][0]["pa"])), (&"ORDER".into(), 0.01));

    ok(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.010&reduceOnly=true");
    market.step("51000", "3000");
    assert_eq!(number(&ok(&market, "GET", "/fapi/v2/positionRisk", "symbol=BTCUSDT")[0]["positionAmt"]), 0.0);
    let realized = ok(&market, "GET", "/fapi/v1/income", "incomeType=REALIZED_PNL");
    assert!(number(&realized[0]["income"]) > 9.0, "{realized}");
    let state = get(&market, "/sim/state").json;
    assert!((number(&state["accounts"][0]["wallet"]) - sum_of_income(&market)).abs() < 1e-8);
    assert_eq!(state["accounts"][0]["wallet"], state["accounts"][0]["income"]);
    assert_eq!(
        signed(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.010&reduceOnly=true").code(),
        -2022
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_in_the_algo_lists_triggers_and_becomes_a_regular_order() {
    let market = Market::open(config());
    let key = raw(&market, "POST", "/fapi/v1/listenKey", "", Some(KEY)).unwrap().json["listenKey"].as_str().unwrap().to_owned();
    let mut user = Socket::open(&market, &format!("/private/ws?listenKey={key}&events=ALGO_UPDATE")).await;
    user.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#).await;
    ok(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010");
    market.step("50000", "3000");
    let stop = "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&triggerPrice=49000&closePosition=true&workingType=MARK_PRICE&clientAlgoId=stop-1";
    let placed = ok(&market, "POST", "/fapi/v1/algoOrder", stop);
    assert_eq!((&placed["algoStatus"], &placed["orderType"]), (&"NEW".into(), &"STOP_MARKET".into()));
    let target = "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=TAKE_PROFIT_MARKET&triggerPrice=53000&quantity=0.010&reduceOnly=true&clientAlgoId=target-1";
    ok(&market, "POST", "/fapi/v1/algoOrder", target);
    assert_eq!(names(&ok(&market, "GET", "/fapi/v1/openAlgoOrders", ""), "clientAlgoId"), ["stop-1", "target-1"]);
    assert_eq!(ok(&market, "GET", "/fapi/v1/openOrders", ""), Value::Array(vec![]), "conditional orders are not among the regular ones");
    assert_eq!(ok(&market, "DELETE", "/fapi/v1/algoOrder", "clientAlgoId=target-1")["code"], "200");
    assert_eq!(ok(&market, "GET", "/fapi/v1/algoOrder", "clientAlgoId=target-1")["algoStatus"], "CANCELED");
    market.step("48900", "3000");
    market.step("48900", "3000");
    let done = ok(&market, "GET", "/fapi/v1/algoOrder", "clientAlgoId=stop-1");
    assert_eq!(done["algoStatus"], "FINISHED");
    let child = ok(&market, "GET", "/fapi/v1/order", &format!("symbol=BTCUSDT&orderId={}", done["actualOrderId"].as_str().unwrap()));
    assert_eq!(
        (&child["status"], &child["clientOrderId"], &child["origType"]),
        (&"FILLED".into(), &"stop-1".into(), &"STOP_MARKET".into())
    );
    assert_eq!(number(&ok(&market, "GET", "/fapi/v2/positionRisk", "symbol=BTCUSDT")[0]["positionAmt"]), 0.0);
    assert_eq!(ok(&market, "GET", "/fapi/v1/allAlgoOrders", "symbol=BTCUSDT").as_array().unwrap().len(), 2);
    let frames = user.until(|f| f["o"]["X"] == "FINISHED").await;
    assert!(frames.iter().any(|f| f["o"]["caid"] == "target-1" && f["o"]["X"] == "CANCELED"));
    assert_eq!(frames.last().unwrap()["o"]["ai"], done["actualOrderId"]);
}

#[test]
fn batches_answer_each_order_by_itself() {
    let market = Market::open(config());
    let batch = r#"[{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.01","price":"49000","newClientOrderId":"b1"},
        {"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.01","price":"48900","newClientOrderId":"b2"},
        {"symbol":"BTCUSDT","side":"NO","type":"MARKET","quantity":"0.01"}]"#;
    let escaped: String = batch.bytes().map(|b| format!("%{b:02X}")).collect();
    let answers = ok(&market, "POST", "/fapi/v1/batchOrders", &format!("batchOrders={escaped}"));
    assert_eq!(
        (&answers[0]["clientOrderId"], &answers[1]["clientOrderId"], &answers[2]["code"]),
        (&"b1".into(), &"b2".into(), &(-1117).into())
    );
    let cancelled = ok(&market, "DELETE", "/fapi/v1/batchOrders", "symbol=BTCUSDT&origClientOrderIdList=%5B%22b1%22%2C%22nothing%22%5D");
    assert_eq!((&cancelled[0]["status"], &cancelled[1]["code"]), (&"CANCELED".into(), &(-2011).into()));
    assert_eq!(ok(&market, "DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT")["code"], 200);
    assert_eq!(ok(&market, "GET", "/fapi/v1/openOrders", ""), Value::Array(vec![]));
}

#[test]
fn settings_are_kept_and_shown() {
    let market = Market::open(config());
    assert_eq!(ok(&market, "POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=17")["leverage"], 17);
    ok(&market, "POST", "/fapi/v1/marginType", "symbol=ETHUSDT&marginType=ISOLATED");
    assert_eq!(signed(&market, "POST", "/fapi/v1/marginType", "symbol=ETHUSDT&marginType=ISOLATED").code(), -4046);
    let configs = ok(&market, "GET", "/fapi/v1/symbolConfig", "");
    let of = |name: &str| configs.as_array().unwrap().iter().find(|c| c["symbol"] == name).unwrap().clone();
    assert_eq!((&of("BTCUSDT")["leverage"], &of("ETHUSDT")["marginType"]), (&17.into(), &"ISOLATED".into()));
    for (path, field) in [("/fapi/v1/positionSide/dual", "dualSidePosition"), ("/fapi/v1/multiAssetsMargin", "multiAssetsMargin")] {
        assert_eq!(ok(&market, "GET", path, "")[field], false);
    }
    ok(&market, "POST", "/fapi/v1/positionSide/dual", "dualSidePosition=true");
    assert_eq!(signed(&market, "POST", "/fapi/v1/positionSide/dual", "dualSidePosition=true").code(), -4059);
    assert_eq!(ok(&market, "GET", "/fapi/v1/accountConfig", "")["dualSidePosition"], true);
    let brackets = ok(&market, "GET", "/fapi/v1/leverageBracket", "symbol=BTCUSDT");
    assert!(brackets[0]["brackets"].as_array().unwrap().len() > 3);
    assert_eq!(number(&ok(&market, "GET", "/fapi/v1/commissionRate", "symbol=BTCUSDT")["takerCommissionRate"]), 0.0005);
}

#[test]
fn every_endpoint_answers() {
    let market = Market::open(config());
    for path in [
        "/fapi/v1/ping",
        "/fapi/v1/time",
        "/fapi/v1/exchangeInfo",
        "/fapi/v1/depth?symbol=BTCUSDT",
        "/fapi/v1/trades?symbol=BTCUSDT",
        "/fapi/v1/aggTrades?symbol=BTCUSDT",
        "/fapi/v1/klines?symbol=BTCUSDT&interval=1m",
        "/fapi/v1/continuousKlines?pair=BTCUSDT&contractType=PERPETUAL&interval=1m",
        "/fapi/v1/markPriceKlines?symbol=BTCUSDT&interval=1m",
        "/fapi/v1/premiumIndex",
        "/fapi/v1/premiumIndex?symbol=BTCUSDT",
        "/fapi/v1/fundingRate?symbol=BTCUSDT",
        "/fapi/v1/fundingInfo",
        "/fapi/v1/ticker/24hr",
        "/fapi/v1/ticker/24hr?symbol=BTCUSDT",
        "/fapi/v1/ticker/price",
        "/fapi/v2/ticker/price?symbol=BTCUSDT",
        "/fapi/v1/ticker/bookTicker",
        "/fapi/v1/openInterest?symbol=BTCUSDT",
    ] {
        let answer: Answer = get(&market, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.json);
    }
    for path in [
        "/fapi/v1/leverageBracket",
        "/fapi/v1/openOrders",
        "/fapi/v1/openAlgoOrders",
        "/fapi/v1/income",
        "/fapi/v1/positionSide/dual",
        "/fapi/v1/multiAssetsMargin",
        "/fapi/v1/accountConfig",
        "/fapi/v1/symbolConfig",
        "/fapi/v1/adlQuantile",
        "/fapi/v1/forceOrders",
        "/fapi/v1/rateLimit/order",
        "/fapi/v2/account",
        "/fapi/v3/account",
        "/fapi/v2/balance",
        "/fapi/v3/balance",
        "/fapi/v2/positionRisk",
        "/fapi/v3/positionRisk",
    ] {
        assert!(ok(&market, "GET", path, "").is_array() || ok(&market, "GET", path, "").is_object(), "{path}");
    }
    ok(&market, "POST", "/fapi/v1/order/test", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01");
    ok(&market, "POST", "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=0");
    assert_eq!(get(&market, "/fapi/v1/klines?symbol=BTCUSDT&interval=7m").code(), -1120);
    assert_eq!(get(&market, "/fapi/v1/depth?symbol=BTCUSDT&limit=7").code(), -4021);
    assert_eq!(get(&market, "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=2&endTime=1").code(), -1023);
    assert_eq!(get(&market, "/fapi/v1/continuousKlines?pair=BTCUSDT&contractType=WEEKLY&interval=1m").code(), -1130);
}

#[test]
fn a_halt_a_changed_filter_a_liquidation_and_a_deleveraging_can_be_ordered() {
    let market = Market::open(config());
    let sim = |json: &str| crate::client::fault(&market, json);
    ok(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.020");
    market.step("50000", "3000");
    sim(&format!(r#"{{"fault":"adl","account":"{KEY}","symbol":"BTCUSDT","share":"0.5"}}"#));
    market.step("50000", "3000");
    assert_eq!(number(&ok(&market, "GET", "/fapi/v2/positionRisk", "symbol=BTCUSDT")[0]["positionAmt"]), 0.01);
    sim(&format!(r#"{{"fault":"liquidate","account":"{KEY}","symbol":"BTCUSDT"}}"#));
    market.step("50000", "3000");
    assert_eq!(number(&ok(&market, "GET", "/fapi/v2/positionRisk", "symbol=BTCUSDT")[0]["positionAmt"]), 0.0);
    let forced = ok(&market, "GET", "/fapi/v1/forceOrders", "");
    assert_eq!(forced.as_array().unwrap().len(), 2, "{forced}");
    assert!(names(&forced, "clientOrderId").iter().any(|n| n.starts_with("adl_autoclose")));
    assert_eq!(ok(&market, "GET", "/fapi/v1/forceOrders", "autoCloseType=LIQUIDATION").as_array().unwrap().len(), 1);
    sim(r#"{"fault":"halt","symbol":"ETHUSDT"}"#);
    assert_eq!(signed(&market, "POST", "/fapi/v1/order", "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.1").code(), -4140);
    sim(r#"{"fault":"resume","symbol":"ETHUSDT"}"#);
    ok(&market, "POST", "/fapi/v1/order", "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.1");
    sim(r#"{"fault":"set_filters","symbol":"BTCUSDT","tick":"0.5"}"#);
    let fine = signed(&market, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=49000.2");
    assert_eq!(fine.code(), -4014);
    let info = get(&market, "/fapi/v1/exchangeInfo").json;
    assert_eq!(info["symbols"][0]["filters"][0]["tickSize"], "0.5");
    sim(&format!(r#"{{"fault":"foreign_order","account":"{KEY}","symbol":"ETHUSDT","side":"SELL","quantity":"0.1"}}"#));
    sim(&format!(r#"{{"fault":"transfer","account":"{KEY}","amount":"5"}}"#));
    // A single line reads as one value, several as text.
    let lines = |path: &str| match get(&market, path).json {
        Value::String(text) => text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).collect::<Vec<_>>(),
        one => vec![one],
    };
    let ledger = lines("/sim/ledger");
    for record in ["account", "request", "order", "fill", "liquidation", "wallet"] {
        assert!(ledger.iter().any(|l| l["record"] == record), "{record}");
    }
    assert_eq!(lines("/sim/ledger?after=2&limit=1")[0]["seq"], 2);
    assert!(lines("/sim/requests").iter().any(|l| l["path"] == "/fapi/v1/order" && l["code"] == -4140));
}
