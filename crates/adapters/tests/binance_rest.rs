//! What the venue says of an order for every way in which a request can end.

mod binance_server;

use binance_server::{Say, bad, btc, ok, serve, venue};
use fulmar_adapters::exchange::binance::BinanceVenue;
use fulmar_domain::execution::{OrderRef, OrderState, Outcome};
use fulmar_domain::id::{ClientOrderId, DecisionId, IntentSeq, StrategyId};
use fulmar_domain::num::{Price, Qty, Ratio};
use fulmar_domain::order::{
    ExitReason, OrderKind, OrderRole, OrderStatus, PositionSide, Protection, Side, TimeInForce, VenueOrder, WorkingType,
};
use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::exchange::{MarketReference, QueryError, TradingVenue};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const ORDER: &str = r#"{"clientOrderId":"F-1-1-0","cumQty":"0","executedQty":"0","orderId":7,"origQty":"0.010","price":"0","reduceOnly":false,"side":"BUY","positionSide":"BOTH","status":"NEW","symbol":"BTCUSDT","type":"MARKET","origType":"MARKET","updateTime":1700000000000,"extra":[1,{}]}"#;
const ALGO: &str = r#"{"algoId":9,"clientAlgoId":"F-1-1-0","algoType":"CONDITIONAL","orderType":"STOP_MARKET","symbol":"BTCUSDT","side":"SELL","positionSide":"BOTH","quantity":"0.010","algoStatus":"NEW","triggerPrice":"100.000","closePosition":false,"createTime":1,"updateTime":2}"#;

fn wall() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()).expect("fits")
}
fn id() -> ClientOrderId {
    ClientOrderId::new("F-1-1-0").expect("id")
}
fn entry() -> VenueOrder {
    let stop = Price::from_int(90).expect("fits");
    VenueOrder {
        intent: IntentSeq(1),
        client_id: id(),
        decision: DecisionId(1),
        strategy: StrategyId::operator(),
        symbol: btc(),
        side: Side::Buy,
        position_side: PositionSide::Both,
        kind: OrderKind::Market,
        qty: Qty::parse("0.010").expect("qty"),
        reduce_only: false,
        close_position: false,
        role: OrderRole::Entry { protection: Protection { stop, working: WorkingType::MarkPrice, targets: vec![], trailing: None } },
        decided: Timestamp(1),
    }
}
fn exit() -> VenueOrder {
    VenueOrder { side: Side::Sell, reduce_only: true, role: OrderRole::Exit { reason: ExitReason::Signal }, ..entry() }
}

fn param<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once('?')?.1.split('&').filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v)
}

#[tokio::test]
async fn a_market_order_is_signed_sent_once_and_read() {
    let (url, asked) = serve(|_| ok(ORDER)).await;
    let outcome = venue(&url).place(entry(), None).await;
    let Outcome::Done(OrderState::Regular(order)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((order.status, order.average, order.order.0), (Some(OrderStatus::New), None, 7));
    let lines = asked.lock().clone();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("POST /fapi/v1/order?symbol=BTCUSDT&side=BUY&positionSide=BOTH&type=MARKET&quantity=0.01&"),
        "{}",
        lines[0]
    );
    assert_eq!(param(&lines[0], "newClientOrderId"), Some("F-1-1-0"));
    assert_eq!(param(&lines[0], "recvWindow"), Some("2000"));
    assert_eq!(param(&lines[0], "signature").map(str::len), Some(64));
    assert_eq!(param(&lines[0], "reduceOnly"), None);
}

#[tokio::test]
async fn each_kind_of_order_goes_where_it_belongs() {
    let (url, asked) = serve(|line| ok(if line.contains("algoOrder") { ALGO } else { ORDER })).await;
    let venue = venue(&url);
    let price = Price::from_int(100).expect("fits");
    let stop = OrderKind::StopMarket { trigger: price, working: WorkingType::MarkPrice };
    let trailing = OrderKind::TrailingStopMarket {
        activation: Some(price),
        callback: Ratio::parse("0.012").expect("rate"),
        working: WorkingType::ContractPrice,
    };
    let gtd = OrderKind::Limit { price, tif: TimeInForce::Gtd { until: Timestamp(99) } };
    for order in [
        exit(),
        VenueOrder { position_side: PositionSide::Long, ..exit() },
        VenueOrder { kind: gtd, ..entry() },
        VenueOrder { kind: stop, qty: Qty::ZERO, close_position: true, role: OrderRole::Stop, ..exit() },
        VenueOrder { kind: trailing, role: OrderRole::Trailing, ..exit() },
    ] {
        let outcome = venue.place(order, None).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    let lines = asked.lock().clone();
    assert_eq!(param(&lines[0], "reduceOnly"), Some("true"));
    assert_eq!(param(&lines[1], "reduceOnly"), None, "hedge mode");
    assert_eq!(
        (param(&lines[2], "timeInForce"), param(&lines[2], "goodTillDate"), param(&lines[2], "newOrderRespType")),
        (Some("GTD"), Some("99"), Some("ACK"))
    );
    assert!(lines[3].starts_with("POST /fapi/v1/algoOrder?"));
    assert_eq!(
        (param(&lines[3], "closePosition"), param(&lines[3], "quantity"), param(&lines[3], "reduceOnly")),
        (Some("true"), None, None)
    );
    assert_eq!(
        (param(&lines[3], "clientAlgoId"), param(&lines[3], "triggerPrice"), param(&lines[3], "workingType")),
        (Some("F-1-1-0"), Some("100"), Some("MARK_PRICE"))
    );
    assert_eq!((param(&lines[4], "callbackRate"), param(&lines[4], "activatePrice")), (Some("1.2"), Some("100")));
}

#[tokio::test]
async fn a_lost_or_unclear_answer_is_unknown_until_its_fence() {
    let cases: Vec<fn() -> Say> = vec![
        || Say::Hang,
        || bad(408, ""),
        || bad(502, "<html>"),
        || bad(504, ""),
        || bad(503, r#"{"code":-1000,"msg":"Unknown error, please check your request or try again later."}"#),
        || bad(503, "Unknown error, please check your request or try again later."),
        || bad(400, r#"{"code":-1007,"msg":"Timeout waiting for response from backend server."}"#),
        || ok("{"),
    ];
    for case in cases {
        let (url, asked) = serve(move |_| case()).await;
        let before = wall();
        let outcome = venue(&url).place(entry(), None).await;
        let Outcome::Unknown { fence, .. } = outcome else { panic!("{outcome:?}") };
        assert!((before + 7_000..=wall() + 7_000).contains(&fence.millis()), "timestamp + 2 s + 5 s");
        assert_eq!(asked.lock().len(), 1, "never sent again");
    }
}

#[tokio::test]
async fn a_refusal_is_a_refusal_with_its_code() {
    let (url, asked) = serve(|_| bad(400, r#"{"code":-2019,"msg":"Margin is insufficient."}"#)).await;
    let outcome = venue(&url).place(entry(), None).await;
    assert!(matches!(&outcome, Outcome::Refused(e) if e.code == -2019), "{outcome:?}");
    assert_eq!(asked.lock().len(), 1);
}

#[tokio::test]
async fn what_certainly_failed_is_tried_again_with_a_new_timestamp() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let (url, asked) = serve(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => bad(503, "Service Unavailable."),
        1 => bad(503, r#"{"code":-1008,"msg":"throttled"}"#),
        _ => ok(ORDER),
    })
    .await;
    assert!(matches!(venue(&url).place(entry(), None).await, Outcome::Done(_)));
    let stamps: Vec<i64> = asked.lock().iter().map(|l| param(l, "timestamp").expect("stamp").parse().expect("number")).collect();
    assert!(stamps.len() == 3 && stamps[1] >= stamps[0] + 200 && stamps[2] >= stamps[1] + 400, "{stamps:?}");
}

#[tokio::test]
async fn what_keeps_failing_or_never_left_is_not_executed() {
    let (url, asked) = serve(|_| bad(503, "Internal error; unable to process your request. Please try again.")).await;
    assert!(matches!(venue(&url).place(entry(), None).await, Outcome::NotExecuted { .. }));
    assert_eq!(asked.lock().len(), 4);
    assert!(matches!(venue("http://127.0.0.1:1").place(entry(), None).await, Outcome::NotExecuted { .. }));
}

#[tokio::test]
async fn a_skewed_clock_is_measured_and_the_order_signed_anew() {
    let skew = 60_000;
    let (url, asked) = serve(move |line| {
        if line.contains("/time") {
            return ok(format!(r#"{{"serverTime":{}}}"#, wall() + skew));
        }
        let stamp: i64 = param(line, "timestamp").expect("stamp").parse().expect("number");
        let server = wall() + skew;
        if stamp < server + 1_000 && server - stamp <= 2_000 {
            ok(ORDER)
        } else {
            bad(400, r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#)
        }
    })
    .await;
    let venue = venue(&url);
    assert!(matches!(venue.place(entry(), None).await, Outcome::Done(_)));
    let lines = asked.lock().clone();
    assert_eq!(lines.iter().filter(|l| l.contains("/time")).count(), 5, "the median of five calls");
    assert_eq!(lines.iter().filter(|l| l.starts_with("POST")).count(), 2);
    assert!((venue.clock().now().millis() - wall() - skew).abs() < 1_000);
}

#[tokio::test]
async fn a_ban_means_no_call_at_all() {
    let (url, asked) = serve(|_| Say::Answer(418, "retry-after: 120\r\n".to_owned(), br#"{"code":-1003,"msg":"banned"}"#.to_vec())).await;
    let venue = venue(&url);
    assert!(matches!(venue.place(entry(), None).await, Outcome::NotExecuted { retry_after, .. } if retry_after == Span::secs(120)));
    for _ in 0..20 {
        assert!(matches!(venue.place(exit(), None).await, Outcome::NotExecuted { .. }));
        assert!(matches!(venue.cancel(OrderRef { symbol: btc(), client_id: id(), algo: false }).await, Outcome::NotExecuted { .. }));
        assert!(matches!(venue.server_time().await, Err(QueryError::Throttled(_))));
        assert!(matches!(venue.sync_clock().await, Err(QueryError::Throttled(_))));
    }
    assert_eq!(asked.lock().len(), 1);
    assert!(venue.banned_for().is_some());
}

#[tokio::test]
async fn after_a_429_only_cancels_and_reducing_orders_go_out() {
    let (url, asked) = serve(|line| {
        if line.contains("/time") {
            Say::Answer(429, "retry-after: 60\r\n".to_owned(), br#"{"code":-1003,"msg":"x"}"#.to_vec())
        } else {
            ok(ORDER)
        }
    })
    .await;
    let venue = venue(&url);
    assert_eq!(venue.server_time().await, Err(QueryError::Throttled(Span::secs(60))));
    assert!(matches!(venue.place(entry(), None).await, Outcome::NotExecuted { .. }));
    assert!(venue.open_orders().await.is_err());
    assert!(matches!(venue.place(exit(), None).await, Outcome::Done(_)));
    assert!(matches!(venue.cancel(OrderRef { symbol: btc(), client_id: id(), algo: false }).await, Outcome::Done(_)));
    assert_eq!(asked.lock().len(), 3);
}

#[tokio::test]
async fn the_headers_of_answers_keep_a_fifth_for_risk() {
    let (url, asked) =
        serve(|_| Say::Answer(200, "X-MBX-ORDER-COUNT-10S: 240\r\nX-MBX-USED-WEIGHT-1M: 5\r\n".to_owned(), ORDER.into())).await;
    let venue = venue(&url);
    assert!(matches!(venue.place(entry(), None).await, Outcome::Done(_)));
    assert!(matches!(venue.place(entry(), None).await, Outcome::NotExecuted { .. }));
    assert!(matches!(venue.place(exit(), None).await, Outcome::Done(_)));
    assert_eq!(asked.lock().len(), 2);
}

#[tokio::test]
async fn a_refused_key_stops_all_signing_until_it_is_put_right() {
    let (url, asked) = serve(|_| bad(401, r#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}"#)).await;
    let venue = venue(&url);
    for _ in 0..10 {
        assert!(matches!(venue.place(entry(), None).await, Outcome::Refused(e) if e.code == -2015));
        assert!(matches!(venue.account().await, Err(QueryError::Refused(_))));
    }
    assert_eq!(asked.lock().len(), 1);
    assert!(venue.signing_stopped().is_some());
    venue.resume_signing();
    assert!(matches!(venue.place(entry(), None).await, Outcome::Refused(_)));
    assert_eq!(asked.lock().len(), 2);
}

#[tokio::test]
async fn nothing_is_signed_that_could_arrive_after_the_lease() {
    let (url, asked) = serve(|_| ok(ORDER)).await;
    let venue = venue(&url);
    let now = venue.clock().now();
    assert!(matches!(venue.place(exit(), Some(now.plus(Span(1_900)))).await, Outcome::NotExecuted { .. }));
    assert!(asked.lock().is_empty());
    assert!(matches!(venue.place(exit(), Some(now.plus(Span(12_000)))).await, Outcome::Done(_)));
}

#[tokio::test]
async fn an_order_goes_on_when_nobody_waits_for_it() {
    let (url, asked) = serve(|_| ok(ORDER)).await;
    let venue: BinanceVenue = venue(&url);
    drop(venue.place(entry(), None));
    for _ in 0..100 {
        if asked.lock().len() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the order was dropped with its future");
}

#[tokio::test]
async fn cancelling_an_algo_order_tells_its_state() {
    let (url, _) = serve(|line| {
        ok(if line.starts_with("DELETE") {
            r#"{"algoId":9,"clientAlgoId":"F-1-1-0","code":"200","msg":"success"}"#.to_owned()
        } else {
            ALGO.replace("NEW", "CANCELED")
        })
    })
    .await;
    let outcome = venue(&url).cancel(OrderRef { symbol: btc(), client_id: id(), algo: true }).await;
    assert!(
        matches!(&outcome, Outcome::Done(OrderState::Algo(a)) if a.status == Some(OrderStatus::Canceled) && a.child.is_none()),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn not_found_and_already_so_are_told_apart_from_errors() {
    let (url, _) = serve(|line| {
        if line.contains("marginType") {
            bad(400, r#"{"code":-4046,"msg":"No need to change margin type."}"#)
        } else if line.contains("dual") {
            bad(400, r#"{"code":-4059,"msg":"No need to change position side."}"#)
        } else {
            bad(400, r#"{"code":-2013,"msg":"Order does not exist."}"#)
        }
    })
    .await;
    let venue = venue(&url);
    assert_eq!(venue.query(OrderRef { symbol: btc(), client_id: id(), algo: false }).await, Err(QueryError::NotFound));
    assert_eq!(venue.query(OrderRef { symbol: btc(), client_id: id(), algo: true }).await, Err(QueryError::NotFound));
    assert_eq!(venue.set_hedge_mode(false).await, Outcome::Done(()));
    assert_eq!(venue.set_margin_mode(btc(), fulmar_domain::order::MarginMode::Isolated).await, Outcome::Done(()));
}

#[tokio::test]
async fn documented_account_answers_are_read_whole() {
    let (url, _) = serve(|line| {
        ok(match line {
            l if l.contains("v3/account") => r#"{"assets":[{"asset":"USDT","walletBalance":"23.5","updateTime":1700000000001}],"positions":[{"symbol":"ADAUSDT","positionSide":"BOTH","positionAmt":"30","updateTime":1700000000002}]}"#,
            l if l.contains("positionRisk") => r#"[{"symbol":"ADAUSDT","positionSide":"BOTH","positionAmt":"30","entryPrice":"0.38512345678","isolatedWallet":"0","x":1}]"#,
            l if l.contains("symbolConfig") => r#"[{"symbol":"ADAUSDT","marginType":"CROSSED","isAutoAddMargin":false,"leverage":21,"maxNotionalValue":"1"}]"#,
            l if l.contains("commissionRate") => r#"{"symbol":"BTCUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0004"}"#,
            l if l.contains("dual") => r#"{"dualSidePosition":true}"#,
            l if l.contains("income") => r#"[{"symbol":"","incomeType":"TRANSFER","income":"-0.375","asset":"USDT","info":"TRANSFER","time":1570608000000,"tranId":9689322392,"tradeId":""}]"#,
            l if l.contains("userTrades") => r#"[{"buyer":false,"commission":"0.0781901","commissionAsset":"USDT","id":698759,"maker":false,"orderId":25851813,"price":"7819.01","qty":"0.002","realizedPnl":"-0.91539999","side":"SELL","positionSide":"SHORT","symbol":"BTCUSDT","time":1569514978020}]"#,
            _ => "[]",
        })
    })
    .await;
    let venue = venue(&url);
    let account = venue.account().await.expect("account");
    assert!(account.hedge_mode);
    assert_eq!(account.wallet.to_string(), "23.5");
    assert_eq!(account.time, Timestamp(1_700_000_000_002), "the stamp is the exchange's own, on the clock of fills");
    assert_eq!(account.positions[0].entry.to_string(), "0.38512346");
    assert_eq!(account.settings[0].leverage, 21);
    assert_eq!(account.taker_fee.to_string(), "0.0004");
    let incomes = venue.incomes(Timestamp(0)).await.expect("incomes");
    assert_eq!((incomes[0].symbol, incomes[0].amount.to_string()), (None, "-0.375".to_owned()));
    let fills = venue.fills(btc(), Some(fulmar_domain::id::TradeId(1)), Timestamp(0)).await.expect("fills");
    assert_eq!((fills[0].trade.0, fills[0].side), (698_759, Side::Sell));
    assert!(venue.open_orders().await.expect("orders").is_empty());
}

#[tokio::test]
async fn recorded_reference_data_are_read_and_no_contract_is_lost() {
    let Some(data) = binance_server::data("recorded_reference_data_are_read_and_no_contract_is_lost") else { return };
    let info = binance_server::unpack(&data.join("rest/exchangeInfo_testnet_2025-03-06.json.gz"));
    let listed: serde_json::Value = serde_json::from_slice(&info).expect("json");
    let wanted = listed["symbols"]
        .as_array()
        .expect("list")
        .iter()
        .filter(|s| s["quoteAsset"] == "USDT" && s["contractType"] == "PERPETUAL")
        .count();
    let recorded: serde_json::Value =
        serde_json::from_slice(&binance_server::unpack(&data.join("rest/leverage_brackets_2026-09.json.gz"))).expect("json");
    let recorded: Vec<serde_json::Value> = recorded
        .as_object()
        .expect("object")
        .iter()
        .map(|(name, tiers)| {
            let symbol = name.split(':').next().unwrap_or_default().replace('/', "");
            serde_json::json!({"symbol": symbol, "brackets": tiers.as_array().expect("tiers").iter().map(|t| t["info"].clone()).collect::<Vec<_>>()})
        })
        .collect();
    let contracts = recorded.len();
    let brackets = serde_json::to_vec(&recorded).expect("json");
    let depth = std::fs::read(data.join("rest/depth_SUSHIUSDT_2021-07-22.json")).expect("depth");
    let (url, _) = serve(move |line| match line {
        l if l.contains("exchangeInfo") => ok(info.clone()),
        l if l.contains("leverageBracket") => ok(brackets.clone()),
        l if l.contains("depth") => ok(depth.clone()),
        _ => ok(r#"[{"symbol":"BTCUSDT","fundingIntervalHours":4}]"#),
    })
    .await;
    let venue = venue(&url);
    let instruments = venue.instruments().await.expect("instruments");
    assert_eq!(instruments.len(), wanted);
    let btc = instruments.iter().find(|i| i.symbol == btc()).expect("BTCUSDT");
    assert_eq!((btc.tick.to_string().as_str(), btc.step.to_string().as_str(), btc.funding_interval), ("0.1", "0.001", Span::hours(4)));
    let brackets = venue.brackets().await.expect("brackets");
    assert_eq!(brackets.len(), contracts);
    for contract in &brackets {
        assert!(contract.tiers.windows(2).all(|w| w[0].cap <= w[1].cap && w[0].mmr <= w[1].mmr), "{}", contract.symbol);
    }
}
