//! A world in which a small BTC entry passes, and short builders to spoil it.

use fulmar_domain::account::{AccountFrame, OrderView, PositionView, TrackRecord};
use fulmar_domain::gate::{GateState, GateWord};
use fulmar_domain::id::{DecisionId, FactSeq, StrategyId};
use fulmar_domain::instrument::{Bracket, Brackets, Instrument, SymbolStatus};
use fulmar_domain::market::{FeedStatus, Mark};
use fulmar_domain::node::Node;
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{
    ExitReason, MarginMode, OrderIntent, OrderKind, OrderRole, OrderStatus, PositionSide, Protection, Purpose, Side, TimeInForce,
    WorkingType,
};
use fulmar_domain::risk::RiskLimits;
use fulmar_domain::risk::node::{Lock, RiskIn, RiskNode, RiskOut};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Span, Timestamp};
use std::sync::Arc;

pub const START: i64 = 1_750_000_000_000;

pub fn sym(name: &str) -> Symbol {
    Symbol::new(name).expect("symbol")
}
pub fn btc() -> Symbol {
    sym("BTCUSDT")
}
pub fn eth() -> Symbol {
    sym("ETHUSDT")
}
pub fn ema() -> StrategyId {
    StrategyId::new("ema_rsi").expect("name")
}
pub fn usdt(text: &str) -> Usdt {
    Usdt::parse(text).expect("amount")
}
pub fn price(text: &str) -> Price {
    Price::parse(text).expect("price")
}
pub fn qty(text: &str) -> Qty {
    Qty::parse(text).expect("quantity")
}
pub fn ratio(text: &str) -> Ratio {
    Ratio::parse(text).expect("ratio")
}

pub fn brackets(symbol: Symbol) -> Brackets {
    let tier = |tier, leverage_max, floor: i64, cap: i64, mmr: &str, cum: i64| Bracket {
        tier,
        leverage_max,
        floor: Usdt::from_int(floor).expect("fits"),
        cap: Usdt::from_int(cap).expect("fits"),
        mmr: ratio(mmr),
        cum: Usdt::from_int(cum).expect("fits"),
    };
    Brackets {
        symbol,
        tiers: vec![
            tier(1, 50, 0, 50_000, "0.004", 0),
            tier(2, 20, 50_000, 600_000, "0.005", 50),
            tier(3, 5, 600_000, 3_000_000, "0.01", 3_050),
        ],
    }
}

pub fn instrument(symbol: Symbol) -> Instrument {
    Instrument {
        symbol,
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
        notional_min: usdt("5"),
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
    }
}

pub fn mark(symbol: Symbol, at: &str, rate: &str) -> Mark {
    Mark {
        symbol,
        price: price(at),
        index: price(at),
        funding_rate: ratio(rate),
        next_funding: Timestamp(START + 3_600_000),
        time: Timestamp(START),
    }
}

pub fn position(symbol: Symbol, amount: &str, at: &str) -> PositionView {
    let (amount, at) = (qty(amount), price(at));
    let notional = fulmar_domain::position::margin::position_notional(amount, at).expect("fits");
    let margin = fulmar_domain::position::margin::initial_margin(notional, 5).expect("fits");
    PositionView {
        symbol,
        side: PositionSide::Both,
        strategy: ema(),
        qty: amount,
        entry: at,
        mark: at,
        notional,
        unrealized: Usdt::ZERO,
        leverage: 5,
        margin_mode: MarginMode::Isolated,
        isolated_wallet: margin,
        initial_margin: margin,
        maintenance_margin: Usdt::ZERO,
        liquidation: None,
        stop: None,
        realized: Usdt::ZERO,
        fees: Usdt::ZERO,
        funding: Usdt::ZERO,
        opened: Timestamp(START),
    }
}

pub fn order(symbol: Symbol, role: OrderRole, side: Side, amount: &str, at: &str) -> OrderView {
    OrderView {
        client_id: None,
        decision: DecisionId(0),
        strategy: ema(),
        symbol,
        side,
        position_side: PositionSide::Both,
        role: Some(role),
        kind: Some(OrderKind::Limit { price: price(at), tif: TimeInForce::Gtc }),
        status: OrderStatus::New,
        qty: qty(amount),
        filled: Qty::ZERO,
        updated: Timestamp(START),
    }
}

pub fn protection(stop: &str) -> Protection {
    Protection { stop: price(stop), working: WorkingType::MarkPrice, targets: Vec::new(), trailing: None }
}

/// Buys 0.02 BTC (1,000 USDT of 10,000) at market with leverage 5 and a stop 2 % below.
pub fn entry() -> OrderIntent {
    OrderIntent {
        decision: DecisionId(1),
        strategy: ema(),
        symbol: btc(),
        side: Side::Buy,
        position_side: PositionSide::Both,
        kind: OrderKind::Market,
        qty: qty("0.02"),
        leverage: 5,
        margin_mode: MarginMode::Isolated,
        purpose: Purpose::Entry { protection: Some(protection("49000")) },
        reference: price("50000"),
        seen: FactSeq(0),
        decided: Timestamp(START),
    }
}

pub fn exit(side: Side, amount: &str) -> OrderIntent {
    OrderIntent { side, qty: qty(amount), purpose: Purpose::Exit { reason: ExitReason::Signal }, ..entry() }
}

/// Everything the gate may know, each to be taken away.
pub struct World {
    pub limits: RiskLimits,
    pub frame: Option<AccountFrame>,
    pub mark: Option<Mark>,
    pub mark_at: i64,
    pub instrument: Option<Instrument>,
    pub brackets: Option<Brackets>,
    pub feed: Option<FeedStatus>,
    pub locks: Vec<Lock>,
    pub frozen: bool,
    /// Earlier wishes that pass, with their instants.
    pub before: Vec<(i64, OrderIntent)>,
    pub intent: OrderIntent,
    pub gate: GateState,
    pub now: i64,
}

impl World {
    pub fn new() -> Self {
        let equity = usdt("10000");
        Self {
            limits: RiskLimits::default(),
            frame: Some(AccountFrame {
                seq: 1,
                known: true,
                wallet: equity,
                equity,
                available: equity,
                day_start_equity: equity,
                peak_equity: equity,
                time: Timestamp(START),
                ..AccountFrame::default()
            }),
            mark: Some(mark(btc(), "50000", "0.0001")),
            mark_at: START,
            instrument: Some(instrument(btc())),
            brackets: Some(brackets(btc())),
            feed: None,
            locks: Vec::new(),
            frozen: false,
            before: Vec::new(),
            intent: entry(),
            gate: GateState::Open,
            now: START,
        }
    }
    pub fn account(&mut self) -> &mut AccountFrame {
        self.frame.as_mut().expect("frame")
    }
    pub fn record(&mut self, record: TrackRecord) {
        self.account().records.insert((ema(), btc()), record);
    }
    pub fn stop(&mut self, stop: &str) {
        self.intent.purpose = Purpose::Entry { protection: Some(protection(stop)) };
    }
    /// A node that knows this world.
    pub fn node(&self) -> RiskNode {
        let mut node = RiskNode::new(self.limits.clone());
        let mut inputs = Vec::new();
        inputs.extend(self.frame.clone().map(|f| RiskIn::Account(Arc::new(f))));
        inputs.extend(self.mark.map(RiskIn::Mark));
        inputs.extend(self.instrument.clone().map(|i| RiskIn::Instrument(Arc::new(i))));
        inputs.extend(self.brackets.clone().map(|b| RiskIn::Brackets(Arc::new(b))));
        inputs.extend(self.feed.map(RiskIn::Feed));
        inputs.extend(self.locks.iter().cloned().map(RiskIn::Lock));
        inputs.push(RiskIn::Frozen { symbol: btc(), frozen: self.frozen });
        let mut out = Vec::new();
        for input in inputs {
            node.on(&input, Now::both(Timestamp(self.mark_at)), &mut out);
        }
        for (at, intent) in &self.before {
            assert!(matches!(ask(&mut node, intent, GateState::Open, *at), RiskOut::Approved(_)), "the earlier order passes");
        }
        node
    }
    pub fn verdict(&self) -> RiskOut {
        ask(&mut self.node(), &self.intent, self.gate, self.now)
    }
    pub fn codes(&self) -> Vec<String> {
        codes(&self.verdict())
    }
}

pub fn ask(node: &mut RiskNode, intent: &OrderIntent, state: GateState, at: i64) -> RiskOut {
    let mut out = Vec::new();
    let gate = GateWord { state, epoch: 77 };
    node.on(&RiskIn::Intent { intent: intent.clone(), gate }, Now::both(Timestamp(at)), &mut out);
    assert_eq!(out.len(), 1, "one verdict for one wish");
    out.remove(0)
}

pub fn codes(out: &RiskOut) -> Vec<String> {
    match out {
        RiskOut::Refused(record) => record.failures.iter().map(|f| f.code.clone()).collect(),
        _ => Vec::new(),
    }
}
