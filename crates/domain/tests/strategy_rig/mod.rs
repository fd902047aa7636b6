//! A strategy node between hand-made bars and a venue that fills every market order at once, at the price it was decided on.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part of the rig; a test that cannot go on must fail")]

use std::sync::Arc;

use fulmar_domain::account::{AccountFrame, PositionView};
use fulmar_domain::gate::GateState;
use fulmar_domain::id::{FactSeq, StrategyId};
use fulmar_domain::indicator::{IndicatorIn, IndicatorNode, IndicatorOut};
use fulmar_domain::instrument::{Instrument, SymbolStatus};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::node::Node;
use fulmar_domain::num::{Price, Qty, Ratio, Rounding, Usdt, average_price, notional};
use fulmar_domain::order::{MarginMode, OrderIntent, PositionSide, Purpose, Side};
use fulmar_domain::record::{RefusalDetail, RefusalRecord};
use fulmar_domain::strategy::{DecisionIds, StrategyIn, StrategyNode, StrategyOut, StrategySettings, StrategyStart};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Span, Timestamp};

pub fn btc() -> Symbol {
    Symbol::new("BTCUSDT").unwrap()
}

pub fn owner() -> StrategyId {
    StrategyId::new("ema_rsi").unwrap()
}

pub fn instrument() -> Instrument {
    let q = |text: &str| Qty::parse(text).unwrap();
    let p = |text: &str| Price::parse(text).unwrap();
    Instrument {
        symbol: btc(),
        base: "BTC".to_owned(),
        status: SymbolStatus::Trading,
        price_min: p("0.1"),
        price_max: p("1000000"),
        tick: p("0.1"),
        qty_min: q("0.001"),
        qty_max: q("1000"),
        step: q("0.001"),
        market_qty_min: q("0.001"),
        market_qty_max: q("120"),
        market_step: q("0.001"),
        notional_min: Usdt::from_int(5).unwrap(),
        band_up: Ratio::parse("1.05").unwrap(),
        band_down: Ratio::parse("0.95").unwrap(),
        orders_max: 200,
        algo_orders_max: 10,
        liquidation_fee: Ratio::parse("0.0125").unwrap(),
        market_take_bound: Ratio::parse("0.05").unwrap(),
        trigger_protect: Ratio::parse("0.05").unwrap(),
        price_places: 1,
        qty_places: 3,
        funding_interval: Span::hours(8),
    }
}

pub fn bar_at(minute: i64, close: Price) -> Bar {
    let wick = |share: &str, rounding| close.times(Ratio::parse(share).unwrap(), rounding).unwrap();
    Bar {
        symbol: btc(),
        timeframe: Timeframe::M1,
        open_time: Timestamp(minute * 60_000),
        open: close,
        high: wick("1.0005", Rounding::Ceil),
        low: wick("0.9995", Rounding::Floor),
        close,
        volume: Qty::ONE,
        quote_volume: Usdt::ONE,
        trades: 1,
    }
}

/// Prices in tenths of a dollar, as bars.
pub fn bars(tenths: &[i64]) -> Vec<Bar> {
    let price = |t: i64| Price::from_raw(t * 10_000_000);
    tenths.iter().zip(1_000..).map(|(t, minute)| bar_at(minute, price(*t))).collect()
}

/// Down for a while, up for a while, and so on: crossings by construction.
pub fn zigzag(legs: usize, length: i64, step: i64) -> Vec<i64> {
    let mut price = 1_000_000;
    let mut out = Vec::new();
    for leg in 0..legs {
        for i in 0..length {
            // A small tremor keeps RSI off its ends.
            price += if leg % 2 == 0 { -step } else { step } + if i % 2 == 0 { 3 * step / 2 } else { -3 * step / 2 };
            out.push(price);
        }
    }
    out
}

pub fn settings() -> StrategySettings {
    StrategySettings::new(owner(), "ema_rsi", vec![btc()])
}

pub fn start() -> StrategyStart {
    StrategyStart { gate: GateState::Open, paused: false, ids: DecisionIds::new(1, 0) }
}

pub struct Rig {
    pub indicators: IndicatorNode,
    pub node: StrategyNode,
    pub account: AccountFrame,
    pub minute: i64,
    /// Everything the node put out, with the bar's minute.
    pub log: Vec<(i64, StrategyOut)>,
    /// The venue fills intents as they come; otherwise the test does.
    pub fills: bool,
}

impl Rig {
    pub fn new(settings: StrategySettings) -> Self {
        Self::with_start(settings, start())
    }

    pub fn with_start(settings: StrategySettings, start: StrategyStart) -> Self {
        let specs = settings.make().unwrap().spec().indicators.clone();
        let indicators = IndicatorNode::new(&specs);
        let node = StrategyNode::new(settings, indicators.layout(), start).unwrap();
        let equity = Usdt::from_int(10_000).unwrap();
        let account = AccountFrame { known: true, wallet: equity, equity, ..AccountFrame::default() };
        let mut rig = Self { indicators, node, account, minute: 0, log: Vec::new(), fills: true };
        rig.feed(StrategyIn::Instrument(Arc::new(instrument())));
        rig.publish();
        rig
    }

    /// Gives the node one input, and the venue whatever comes of it until nothing more does.
    pub fn feed(&mut self, input: StrategyIn) -> Vec<StrategyOut> {
        let mut all = Vec::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.node.on(&input, Now::both(Timestamp((self.minute + 1) * 60_000)), &mut out);
            for output in out {
                if let (StrategyOut::Intent(intent), true) = (&output, self.fills) {
                    self.fill(intent);
                    inputs.push(StrategyIn::Account(Arc::new(self.account.clone())));
                }
                self.log.push((self.minute, output.clone()));
                all.push(output);
            }
            assert!(all.len() < 100, "the node does not come to rest");
        }
        all
    }

    pub fn publish(&mut self) -> Vec<StrategyOut> {
        self.feed(StrategyIn::Account(Arc::new(self.account.clone())))
    }

    pub fn bar(&mut self, bar: Bar) -> Vec<StrategyOut> {
        self.minute = bar.open_time.millis() / 60_000;
        let mut out = Vec::new();
        self.indicators.on(&IndicatorIn::Bar(bar), Now::default(), &mut out);
        let mut all = Vec::new();
        for output in out {
            if let IndicatorOut::Frame(frame) = output {
                all.extend(self.feed(StrategyIn::Frame(frame)));
            }
        }
        all
    }

    pub fn run(&mut self, bars: &[Bar]) {
        for bar in bars {
            self.bar(*bar);
        }
    }

    pub fn intents(&self) -> Vec<(i64, OrderIntent)> {
        let intent = |(minute, out): &(i64, StrategyOut)| match out {
            StrategyOut::Intent(intent) => Some((*minute, intent.clone())),
            _ => None,
        };
        self.log.iter().filter_map(intent).collect()
    }

    pub fn entries(&self) -> Vec<(i64, Side)> {
        self.intents().into_iter().filter(|(_, i)| i.is_entry()).map(|(m, i)| (m, i.side)).collect()
    }

    /// The account hears of a decision and the position moves by it.
    pub fn fill(&mut self, intent: &OrderIntent) {
        let signed = if intent.side == Side::Buy { intent.qty } else { intent.qty.checked_neg().unwrap() };
        let at = self.account.positions.iter().position(|p| p.symbol == intent.symbol && p.side == intent.position_side);
        let stop = match &intent.purpose {
            Purpose::Entry { protection } => protection.as_ref().map(|p| p.stop),
            Purpose::Exit { .. } => None,
        };
        match at {
            None => {
                let value = notional(intent.reference, intent.qty, Rounding::HalfEven).unwrap();
                self.account.positions.push(PositionView {
                    symbol: intent.symbol,
                    side: intent.position_side,
                    strategy: intent.strategy,
                    qty: signed,
                    entry: average_price(value, intent.qty, Rounding::HalfEven).unwrap(),
                    mark: intent.reference,
                    notional: value,
                    unrealized: Usdt::ZERO,
                    leverage: intent.leverage,
                    margin_mode: MarginMode::Isolated,
                    isolated_wallet: Usdt::ZERO,
                    initial_margin: Usdt::ZERO,
                    maintenance_margin: Usdt::ZERO,
                    liquidation: None,
                    stop,
                    realized: Usdt::ZERO,
                    fees: Usdt::ZERO,
                    funding: Usdt::ZERO,
                    opened: Timestamp((self.minute + 1) * 60_000 + 5),
                });
            }
            Some(at) => {
                let position = &mut self.account.positions[at];
                position.qty = position.qty.checked_add(signed).unwrap();
                if position.qty.is_zero() {
                    self.account.positions.remove(at);
                }
            }
        }
        self.account.heard.push(intent.decision);
        self.new_fact();
    }

    pub fn new_fact(&mut self) {
        self.account.seq += 1;
        self.account.facts.entry((owner(), btc())).or_insert(FactSeq(0)).0 += 1;
    }

    pub fn position(&self) -> Option<&PositionView> {
        self.account.position(btc(), PositionSide::Both)
    }
}

pub fn refusal(intent: &OrderIntent, code: &str) -> StrategyIn {
    let detail = RefusalDetail { code: code.to_owned(), value: String::new(), limit: String::new(), message: String::new() };
    StrategyIn::Refused(RefusalRecord { intent: intent.clone(), failures: vec![detail] })
}
