//! Every rule of the catalog: the fact missing is refused, the limit itself passes, beyond it is refused.

use crate::build::*;
use fulmar_domain::account::TrackRecord;
use fulmar_domain::gate::GateState;
use fulmar_domain::id::FactSeq;
use fulmar_domain::instrument::SymbolStatus;
use fulmar_domain::order::{OrderKind, OrderRole, Purpose, Side, TimeInForce};
use fulmar_domain::risk::node::{Lock, RiskOut};
use fulmar_domain::risk::{Limit, LossStreak, LowProfit, rules};
use fulmar_domain::time::{Span, Timestamp};

type Change = fn(&mut World);

struct Case {
    code: &'static str,
    /// `None` for rules whose facts cannot be missing.
    missing: Option<Change>,
    at: Change,
    beyond: Change,
}

fn limit_order(w: &mut World, at: &str, stop: &str) {
    w.intent.kind = OrderKind::Limit { price: price(at), tif: TimeInForce::Gtc };
    w.stop(stop);
}
fn no_frame(w: &mut World) {
    w.frame = None;
}
fn no_mark(w: &mut World) {
    w.mark = None;
}
fn no_filters(w: &mut World) {
    w.instrument = None;
}
fn no_brackets(w: &mut World) {
    w.brackets = None;
}
fn lock(until: i64) -> Lock {
    Lock { symbol: btc(), side: None, until: Timestamp(until), reason: "by hand".to_owned() }
}
fn closed(ago: i64, losses: u32) -> TrackRecord {
    TrackRecord { trades: 6, losses_in_a_row: losses, realized: usdt("0"), last_close: Timestamp(START - ago) }
}

const HOUR: i64 = 3_600_000;

fn cases() -> Vec<Case> {
    vec![
        Case { code: "TRADING_HALTED", missing: None, at: |_| {}, beyond: |w| w.gate = GateState::Halted },
        Case { code: "REDUCE_ONLY_MODE", missing: None, at: |_| {}, beyond: |w| w.gate = GateState::ReduceOnly },
        Case { code: "DATA_STALE", missing: Some(no_mark), at: |w| w.now += 5_000, beyond: |w| w.now += 5_001 },
        Case {
            code: "ACCOUNT_STALE",
            missing: Some(no_frame),
            at: |w| {
                w.account().facts.insert((ema(), btc()), FactSeq(5));
                w.account().facts.insert((ema(), eth()), FactSeq(9));
                w.intent.seen = FactSeq(5);
            },
            beyond: |w| {
                w.account().facts.insert((ema(), btc()), FactSeq(5));
                w.intent.seen = FactSeq(4);
            },
        },
        Case { code: "UNKNOWN_SYMBOL", missing: Some(no_filters), at: |_| {}, beyond: no_filters },
        Case {
            code: "SYMBOL_NOT_TRADING",
            missing: Some(no_filters),
            at: |_| {},
            beyond: |w| w.instrument.as_mut().expect("filters").status = SymbolStatus::NotTrading,
        },
        Case {
            code: "UNKNOWN_BRACKET",
            missing: Some(no_brackets),
            at: |_| {},
            beyond: |w| w.brackets.as_mut().expect("brackets").tiers.clear(),
        },
        Case { code: "UNKNOWN_ACCOUNT", missing: Some(no_frame), at: |_| {}, beyond: |w| w.account().known = false },
        Case {
            code: "NOT_REDUCING",
            missing: Some(|w| {
                w.intent = exit(Side::Sell, "0.02");
                w.frame = None;
            }),
            at: |w| {
                w.account().positions.push(position(btc(), "0.02", "50000"));
                w.intent = exit(Side::Sell, "0.02");
            },
            beyond: |w| {
                w.account().positions.push(position(btc(), "0.02", "50000"));
                w.intent = exit(Side::Sell, "0.021");
            },
        },
        Case {
            code: "PRICE_TICK",
            missing: Some(no_filters),
            at: |w| limit_order(w, "50000.1", "49000.1"),
            beyond: |w| limit_order(w, "50000.1", "49000.15"),
        },
        Case { code: "QTY_STEP", missing: Some(no_filters), at: |w| w.intent.qty = qty("0.021"), beyond: |w| w.intent.qty = qty("0.0215") },
        Case {
            code: "QTY_RANGE",
            missing: Some(no_filters),
            at: |w| w.instrument.as_mut().expect("filters").market_qty_max = qty("0.02"),
            beyond: |w| w.instrument.as_mut().expect("filters").market_qty_max = qty("0.019"),
        },
        Case {
            code: "MIN_NOTIONAL",
            missing: Some(no_mark),
            at: |w| w.instrument.as_mut().expect("filters").notional_min = usdt("1000"),
            beyond: |w| w.instrument.as_mut().expect("filters").notional_min = usdt("1000.00000001"),
        },
        Case {
            code: "PRICE_BAND",
            missing: Some(no_mark),
            at: |w| limit_order(w, "47500", "47000"),
            beyond: |w| limit_order(w, "47499.9", "47000"),
        },
        Case { code: "LEVERAGE_TOO_HIGH", missing: Some(no_brackets), at: |w| w.intent.leverage = 10, beyond: |w| w.intent.leverage = 11 },
        Case {
            code: "POSITION_TOO_LARGE",
            missing: Some(no_frame),
            at: |w| w.intent.leverage = 1,
            beyond: |w| (w.intent.leverage, w.intent.qty) = (1, qty("0.021")),
        },
        Case {
            code: "GROSS_EXPOSURE",
            missing: Some(no_frame),
            at: |w| w.limits.gross_exposure_max = Limit::At(ratio("0.1")),
            beyond: |w| w.limits.gross_exposure_max = Limit::At(ratio("0.09999999")),
        },
        Case {
            code: "NET_EXPOSURE",
            missing: Some(no_frame),
            at: |w| w.limits.net_exposure_max = Limit::At(ratio("0.1")),
            beyond: |w| w.limits.net_exposure_max = Limit::At(ratio("0.09999999")),
        },
        Case {
            code: "DAILY_LOSS",
            missing: Some(|w| w.account().day_start_equity = usdt("0")),
            at: |w| w.account().equity = usdt("9500"),
            beyond: |w| w.account().equity = usdt("9499.99"),
        },
        Case {
            code: "DRAWDOWN",
            missing: Some(|w| w.account().peak_equity = usdt("0")),
            at: |w| {
                (w.account().equity, w.account().day_start_equity) = (usdt("8500"), usdt("8500"));
            },
            beyond: |w| {
                (w.account().equity, w.account().day_start_equity) = (usdt("8499.99"), usdt("8499"));
            },
        },
        Case {
            code: "CONSECUTIVE_LOSSES",
            missing: Some(no_frame),
            at: |w| {
                w.limits.consecutive_losses = Limit::At(LossStreak { losses: 6, lock: Span::hours(1) });
                w.record(closed(HOUR, 6));
            },
            beyond: |w| w.record(closed(HOUR - 1, 6)),
        },
        Case {
            code: "LIQUIDATION_DISTANCE",
            missing: Some(no_mark),
            // (200 − 1000) / (0.02 · 0.004 − 0.02) = 40160.64257029: 19.678714 % below mark.
            at: |w| w.limits.liquidation_distance_min = ratio("0.19678714"),
            beyond: |w| w.limits.liquidation_distance_min = ratio("0.19678715"),
        },
        Case {
            code: "INSUFFICIENT_MARGIN",
            missing: Some(no_frame),
            at: |w| w.account().available = usdt("200.5"),
            beyond: |w| w.account().available = usdt("200.49999999"),
        },
        Case {
            code: "STOP_REQUIRED",
            missing: Some(|w| w.intent.purpose = Purpose::Entry { protection: None }),
            at: |_| {},
            beyond: |w| w.intent.purpose = Purpose::Entry { protection: None },
        },
        Case { code: "STOP_WRONG_SIDE", missing: Some(no_mark), at: |w| w.stop("49999.9"), beyond: |w| w.stop("50000") },
        Case {
            code: "RISK_PER_TRADE",
            missing: Some(|w| w.intent.purpose = Purpose::Entry { protection: None }),
            at: |w| w.limits.risk_per_trade_max = Limit::At(ratio("0.002")),
            beyond: |w| w.limits.risk_per_trade_max = Limit::At(ratio("0.00199999")),
        },
        Case {
            code: "FUNDING_COST",
            missing: Some(no_mark),
            at: |w| w.mark = Some(mark(btc(), "50000", "0.002")),
            beyond: |w| w.mark = Some(mark(btc(), "50000", "0.00200001")),
        },
        Case {
            code: "MAX_POSITIONS",
            missing: Some(no_frame),
            at: |w| {
                w.limits.positions_max = Limit::At(1);
                w.account().positions.push(position(btc(), "0.001", "50000"));
            },
            beyond: |w| {
                w.limits.positions_max = Limit::At(1);
                w.account().positions.push(position(eth(), "0.1", "3000"));
            },
        },
        Case {
            code: "MAX_ORDERS",
            missing: Some(no_frame),
            at: |w| w.limits.orders_max = Limit::At(1),
            beyond: |w| {
                w.limits.orders_max = Limit::At(1);
                w.account().orders.push(order(btc(), OrderRole::Stop, Side::Sell, "0.001", "49000"));
            },
        },
        Case {
            code: "ORDER_RATE",
            missing: None,
            at: |w| {
                w.limits.orders_per_second = Limit::At(1);
                w.before.push((START, small("0.001")));
                w.now = START + 1_000;
            },
            beyond: |w| {
                w.limits.orders_per_second = Limit::At(1);
                w.before.push((START, small("0.001")));
                w.now = START + 999;
            },
        },
        Case {
            code: "REPEATED_ORDER",
            missing: None,
            at: |w| {
                w.before.push((START, entry()));
                w.now = START + 1_000;
            },
            beyond: |w| {
                w.before.push((START, entry()));
                w.now = START + 999;
            },
        },
        Case {
            code: "NOTIONAL_PER_DAY",
            missing: Some(no_frame),
            at: |w| {
                w.limits.notional_per_day = Limit::At(ratio("0.105"));
                w.before.push((START, small("0.001")));
            },
            beyond: |w| {
                w.limits.notional_per_day = Limit::At(ratio("0.10499999"));
                w.before.push((START, small("0.001")));
            },
        },
        Case {
            code: "COOLDOWN",
            missing: Some(|w| {
                w.limits.cooldown = Limit::At(Span::minutes(1));
                w.frame = None;
            }),
            at: |w| {
                w.limits.cooldown = Limit::At(Span::minutes(1));
                w.record(closed(60_000, 0));
            },
            beyond: |w| {
                w.limits.cooldown = Limit::At(Span::minutes(1));
                w.record(closed(59_999, 0));
            },
        },
        Case {
            code: "LOW_PROFIT_SYMBOL",
            missing: Some(|w| {
                low_profit(w, "0");
                w.frame = None;
            }),
            at: |w| low_profit(w, "0"),
            beyond: |w| low_profit(w, "-0.00000001"),
        },
        Case {
            code: "SYMBOL_LOCKED",
            missing: Some(|w| w.frozen = true),
            at: |w| {
                w.locks.push(lock(START + 5));
                w.now = START + 5;
            },
            beyond: |w| {
                w.locks.push(lock(START + 6));
                w.now = START + 5;
            },
        },
    ]
}

fn small(amount: &str) -> fulmar_domain::order::OrderIntent {
    fulmar_domain::order::OrderIntent { qty: qty(amount), decision: fulmar_domain::id::DecisionId(900), ..entry() }
}
fn low_profit(w: &mut World, realized: &str) {
    w.limits.low_profit = Limit::At(LowProfit { trades: 6, profit: usdt("0"), lock: Span::hours(1) });
    w.record(TrackRecord { realized: usdt(realized), ..closed(1, 0) });
}

#[test]
fn every_rule_of_the_catalog_has_its_case_and_in_its_order() {
    let ruled: Vec<&str> = rules::catalog().map(|(code, _)| code.as_str()).collect();
    let tested: Vec<&str> = cases().iter().map(|case| case.code).collect();
    assert_eq!(ruled, tested, "one case for each rule, in the order in which the rules run");
    let mut ordered = ruled.clone();
    ordered.sort_by_key(|code| fulmar_domain::risk::RefusalCode::ALL.iter().position(|c| c.as_str() == *code));
    assert_eq!(ruled, ordered, "the rules run in the order of the codes");
}

#[test]
fn a_rule_refuses_without_its_fact_passes_at_its_limit_and_refuses_beyond() {
    for case in cases() {
        let run = |change: Change| {
            let mut world = World::new();
            change(&mut world);
            world.codes()
        };
        let passed = run(case.at);
        assert!(passed.is_empty(), "{} at its limit: {passed:?}", case.code);
        let failed = run(case.beyond);
        assert!(failed.iter().any(|code| code == case.code), "{} beyond its limit: {failed:?}", case.code);
        if let Some(missing) = case.missing {
            let failed = run(missing);
            assert!(failed.iter().any(|code| code == case.code), "{} without its fact: {failed:?}", case.code);
        }
    }
}

#[test]
fn a_refusal_carries_code_value_and_limit() {
    let mut world = World::new();
    (world.intent.leverage, world.intent.qty) = (50, qty("0.16"));
    let RiskOut::Refused(record) = world.verdict() else { panic!("approved") };
    let first = &record.failures[0];
    assert_eq!((first.code.as_str(), first.value.as_str(), first.limit.as_str()), ("LEVERAGE_TOO_HIGH", "50", "10"));
    assert!(record.failures.iter().all(|f| !f.message.is_empty()));
}

#[test]
fn all_failures_are_listed_in_the_order_of_the_table() {
    let mut world = World::new();
    world.gate = GateState::Halted;
    world.now += 6_000;
    world.intent.qty = qty("9.0005");
    let codes = world.codes();
    let rank = |code: &String| fulmar_domain::risk::RefusalCode::ALL.iter().position(|c| c.as_str() == code);
    assert_eq!(codes.first().map(String::as_str), Some("TRADING_HALTED"));
    assert!(codes.len() > 4 && codes.is_sorted_by_key(rank), "{codes:?}");
}
