//! Bars and wishes through the pure nodes: what deciding costs, without actors.

use std::hint::black_box;
use std::sync::Arc;

use divan::Bencher;
use fulmar_domain::account::AccountFrame;
use fulmar_domain::gate::{GateState, GateWord};
use fulmar_domain::id::{DecisionId, FactSeq, StrategyId};
use fulmar_domain::indicator::{IndicatorIn, IndicatorNode, IndicatorOut};
use fulmar_domain::instrument::{Bracket, Brackets, Instrument, SymbolStatus};
use fulmar_domain::market::{Bar, Mark, Timeframe};
use fulmar_domain::node::Node;
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{MarginMode, OrderIntent, OrderKind, PositionSide, Protection, Purpose, Side, WorkingType};
use fulmar_domain::risk::node::{RiskIn, RiskNode, RiskOut};
use fulmar_domain::risk::{Limit, RiskLimits};
use fulmar_domain::strategy::{DecisionIds, StrategyIn, StrategyNode, StrategySettings, StrategyStart};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Span, Timestamp};

use crate::pairs::figure;

const START: i64 = 1_750_032_000_000;

fn symbol() -> Symbol {
    Symbol::new("BTCUSDT").unwrap()
}

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

fn ratio(text: &str) -> Ratio {
    Ratio::parse(text).unwrap()
}

fn instrument() -> Arc<Instrument> {
    Arc::new(Instrument {
        symbol: symbol(),
        base: "BTC".to_owned(),
        status: SymbolStatus::Trading,
        price_min: price("0.1"),
        price_max: price("1000000"),
        tick: price("0.1"),
        qty_min: qty("0.001"),
        qty_max: qty("1000"),
        step: qty("0.001"),
        market_qty_min: qty("0.001"),
        market_qty_max: qty("100"),
        market_step: qty("0.001"),
        notional_min: Usdt::parse("5").unwrap(),
        band_up: ratio("1.1"),
        band_down: ratio("0.9"),
        orders_max: 200,
        algo_orders_max: 200,
        liquidation_fee: ratio("0.01"),
        market_take_bound: ratio("0.05"),
        trigger_protect: ratio("0.05"),
        price_places: 1,
        qty_places: 3,
        funding_interval: Span::hours(8),
    })
}

fn account() -> Arc<AccountFrame> {
    let equity = Usdt::parse("10000").unwrap();
    Arc::new(AccountFrame {
        seq: 1,
        known: true,
        wallet: equity,
        equity,
        available: equity,
        day_start_equity: equity,
        peak_equity: equity,
        time: Timestamp(START),
        ..AccountFrame::default()
    })
}

fn entry() -> OrderIntent {
    let stop = Protection { stop: price("49000"), working: WorkingType::MarkPrice, targets: Vec::new(), trailing: None };
    OrderIntent {
        decision: DecisionId(1),
        strategy: StrategyId::new("ema_rsi").unwrap(),
        symbol: symbol(),
        side: Side::Buy,
        position_side: PositionSide::Both,
        kind: OrderKind::Market,
        qty: qty("0.02"),
        leverage: 5,
        margin_mode: MarginMode::Isolated,
        purpose: Purpose::Entry { protection: Some(stop) },
        reference: price("50000"),
        seen: FactSeq(0),
        decided: Timestamp(START),
    }
}

/// One wish against all rules, and its reservation freed again. Each wish comes a minute after the one before.
fn risk_check() -> impl FnMut() {
    let mut node = RiskNode::new(RiskLimits { notional_per_day: Limit::OFF, ..RiskLimits::default() });
    let mut out = Vec::new();
    let brackets = Brackets {
        symbol: symbol(),
        tiers: vec![Bracket {
            tier: 1,
            leverage_max: 50,
            floor: Usdt::ZERO,
            cap: Usdt::from_int(50_000).unwrap(),
            mmr: ratio("0.004"),
            cum: Usdt::ZERO,
        }],
    };
    for fact in [RiskIn::Account(account()), RiskIn::Instrument(instrument()), RiskIn::Brackets(Arc::new(brackets))] {
        node.on(&fact, Now::both(Timestamp(START)), &mut out);
    }
    let (mut minute, intent) = (0, entry());
    move || {
        minute += 1;
        let at = Timestamp(START + minute * 60_000);
        let mark = Mark {
            symbol: symbol(),
            price: price("50000"),
            index: price("50000"),
            funding_rate: Ratio::ZERO,
            next_funding: at.plus(Span::hours(1)),
            time: at,
        };
        let (now, gate) = (Now::both(at), GateWord { state: GateState::Open, epoch: 1 });
        node.on(&RiskIn::Mark(mark), now, &mut out);
        let decision = DecisionId(minute.unsigned_abs());
        node.on(&RiskIn::Intent { intent: OrderIntent { decision, ..intent.clone() }, gate }, now, &mut out);
        assert!(matches!(out.as_slice(), [RiskOut::Approved(_)]), "the wish passes: {out:?}");
        black_box(&out);
        out.clear();
        node.on(&RiskIn::Voided(decision), now, &mut out);
    }
}

/// One closed bar through indicators and strategy.
fn bar_to_decision() -> impl FnMut() {
    let settings = StrategySettings::new(StrategyId::new("ema_rsi").unwrap(), "ema_rsi", vec![symbol()]);
    let specs = settings.make().unwrap().spec().indicators.clone();
    let mut indicators = IndicatorNode::new(&specs);
    let start = StrategyStart { gate: GateState::Open, paused: false, ids: DecisionIds::new(1, 0) };
    let mut strategy = StrategyNode::new(settings, indicators.layout(), start).unwrap();
    let (mut frames, mut out) = (Vec::new(), Vec::new());
    for fact in [StrategyIn::Instrument(instrument()), StrategyIn::Account(account())] {
        strategy.on(&fact, Now::both(Timestamp(START)), &mut out);
    }
    let (mut minute, mut state, mut close) = (0_i64, 7_u64, 5_000_000_000_000_i64);
    move || {
        minute += 1;
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        close += ((state >> 40) as i64 - (1 << 23)) * 1_000;
        let close = Price::from_raw(close.max(1_000_000_000));
        let bar = Bar {
            symbol: symbol(),
            timeframe: Timeframe::M1,
            open_time: Timestamp(START + minute * 60_000),
            open: close,
            high: close,
            low: close,
            close,
            volume: Qty::ONE,
            quote_volume: Usdt::ONE,
            trades: 1,
        };
        let now = Now::both(Timestamp(START + (minute + 1) * 60_000));
        indicators.on(&IndicatorIn::Bar(bar), now, &mut frames);
        for frame in frames.drain(..) {
            if let IndicatorOut::Frame(frame) = frame {
                strategy.on(&StrategyIn::Frame(frame), now, &mut out);
            }
        }
        black_box(&out);
        out.clear();
    }
}

/// Prints the figures.
pub fn figures() {
    let mut check = risk_check();
    figure("risk check of an entry, approved", &mut |n| (0..n).for_each(|_| check()));
    let mut bar = bar_to_decision();
    figure("bar to decision, pure nodes", &mut |n| (0..n).for_each(|_| bar()));
}

#[divan::bench]
fn risk_check_of_an_entry(bencher: Bencher) {
    bencher.bench_local(risk_check());
}

#[divan::bench]
fn bar_to_decision_pure(bencher: Bencher) {
    bencher.bench_local(bar_to_decision());
}
