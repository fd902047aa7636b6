//! The product's own engine, all groups on one arbiter, between the small exchange and a market from a seed.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part of the house; a test that cannot go on must fail")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::System;
use fulmar_actors::engine::{Engine, EngineParts, Placement};
use fulmar_actors::facts::Fold;
use fulmar_actors::recent::Recent;
use fulmar_actors::shell::Wakening;
use fulmar_actors::supervision::policy::SupervisionPolicy;
use fulmar_domain::audit::AuditIn;
use fulmar_domain::breaker::{BreakerSettings, BreakerState};
use fulmar_domain::control::{Command, Signal};
use fulmar_domain::execution::{ExecIn, ExecutionNode, ExecutionRules};
use fulmar_domain::failover::LeaseRules;
use fulmar_domain::feed::FeedIn;
use fulmar_domain::gate::GateState;
use fulmar_domain::id::{DecisionId, Epoch, StrategyId};
use fulmar_domain::market::{MarketEvent, Timeframe, WarmupBars};
use fulmar_domain::num::{Price, Ratio};
use fulmar_domain::order::{OrderRole, Side};
use fulmar_domain::position::node::PositionNode;
use fulmar_domain::record::Record;
use fulmar_domain::replay::{Report, Venue};
use fulmar_domain::risk::{Limit, RiskLimits};
use fulmar_domain::strategy::{Sizing, StrategySettings};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::clock::Clock;
use fulmar_ports::lease::LeaseGrant;
use fulmar_testkit::build::{brackets, feed_up, instrument, ratio, strategy, symbol, usdt};
use fulmar_testkit::exchange::Exchange;
use fulmar_testkit::fakes::{ExchangePort, Exits, LocalBackground, MemoryRecorder, OwnLease, Probe, TokioClock};
use fulmar_testkit::tapes::Walk;
use tokio::time::Instant;

/// 2024-07-01T00:00:00Z.
pub const START: Timestamp = Timestamp(1_719_792_000_000);
/// Marks a minute: a step every ten seconds.
pub const STEPS: i64 = 6;
/// Not a step: just before the last one, when all that the step before it caused has long been done.
pub const QUIET: i64 = 0;
const WARMUP: usize = 120;
const LATENCY: Duration = Duration::from_millis(6);

pub fn virtual_time<F: Future>(test: F) -> F::Output {
    System::with_tokio_rt(|| tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()).block_on(test)
}

pub fn ema() -> StrategyId {
    strategy("ema")
}

/// The symbol on which only the operator trades.
pub fn by_hand() -> Symbol {
    symbol("SOLUSDT")
}

pub fn settings() -> StrategySettings {
    let mut settings = StrategySettings::new(ema(), "ema_rsi", vec![symbol("BTCUSDT"), symbol("ETHUSDT")]);
    settings.parameters =
        [("fast", "3"), ("slow", "8"), ("rsi", "5"), ("rsi_long_below", "99"), ("rsi_short_above", "1"), ("stop", "0.004")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), ratio(value)))
            .collect();
    settings.sizing = Sizing::FixedFraction(ratio("0.01"));
    settings
}

/// Limits under which the tape can trade for days, whatever it earns.
pub fn limits() -> RiskLimits {
    RiskLimits {
        mark_age_max: Span::secs(30),
        daily_loss_max: Limit::OFF,
        drawdown_max: Limit::OFF,
        consecutive_losses: Limit::OFF,
        ..RiskLimits::default()
    }
}

pub fn breaker() -> BreakerSettings {
    BreakerSettings { daily_loss_max: Limit::OFF, drawdown_max: Limit::OFF, ..BreakerSettings::default() }
}

pub struct House {
    pub engine: Engine,
    pub port: ExchangePort,
    pub recorder: MemoryRecorder,
    pub exits: Exits,
    pub probe: Probe,
    pub clock: TokioClock,
    pub bars: u64,
    pub signals: u64,
    walks: Vec<Walk>,
    began: Instant,
    minute: i64,
}

impl House {
    pub fn start(seed: u64, supervision: SupervisionPolicy, placement: &Placement) -> Self {
        let symbols = [symbol("BTCUSDT"), symbol("ETHUSDT"), by_hand()];
        let first = START.minus(Span::minutes(WARMUP as i64));
        let prices = [60_000, 3_000, 150];
        let mut walks: Vec<Walk> =
            symbols.iter().zip(prices).zip(seed..).map(|((s, price), seed)| Walk::new(*s, seed, first, price, STEPS)).collect();
        let exchange = Exchange::new(usdt("100000"), START);
        let instruments: Vec<_> = symbols.iter().map(|s| instrument(*s)).collect();
        let tiers: Vec<_> = symbols.iter().map(|s| brackets(*s)).collect();
        let port = ExchangePort::new(exchange, LATENCY, instruments.clone(), tiers.clone());
        let recent = Recent::default();
        for (instrument, tiers) in instruments.into_iter().zip(tiers) {
            recent.set_instrument(&Arc::new(instrument));
            recent.set_brackets(&Arc::new(tiers));
        }
        let (recorder, exits, probe, clock) = (MemoryRecorder::default(), Exits::default(), Probe::default(), TokioClock::new(START));
        let strategies = vec![settings()];
        let specs = strategies[0].make().unwrap().spec().indicators.clone();
        let lease_rules = LeaseRules { ttl: Span::minutes(10), renew_every: Span::minutes(1), recv_window: Span::secs(2) };
        let parts = EngineParts {
            clock: Arc::new(clock),
            wakening: Wakening::Timers,
            recorder: Arc::new(recorder.clone()),
            fold: Fold {
                execution: ExecutionNode::new(ExecutionRules::default(), Epoch(1), &symbols, START),
                position: PositionNode::default(),
            },
            recent,
            venue: Arc::new(port.clone()),
            reference: Arc::new(port.clone()),
            background: Arc::new(LocalBackground),
            lease: Arc::new(OwnLease::default()),
            grant: Some(LeaseGrant { holder: "test".to_owned(), epoch: 1, expiry_ms: START.plus(lease_rules.ttl).0 }),
            holder: "test".to_owned(),
            channels: Vec::new(),
            outlook: Arc::new(probe.clone()),
            acknowledge: Arc::new(|_, _| {}),
            strategies,
            specs,
            warmup_bars: WARMUP as u16,
            limits: limits(),
            breaker: breaker(),
            breaker_state: Arc::new(parking_lot::Mutex::new(Some(BreakerState::default()))),
            lease_rules,
            fence: Span::secs(3),
            first_fence: Some(START),
            notice_window: Span::secs(60),
            supervision,
            faults: true,
            exit: exits.hook(),
        };
        let engine = Engine::start(parts, placement).unwrap();
        for (walk, symbol) in walks.iter_mut().zip(symbols) {
            let bars = walk.bars(WARMUP).into();
            engine.links.feed.push(FeedIn::Warmup(WarmupBars { symbol, timeframe: Timeframe::M1, bars }));
            engine.links.feed.push(FeedIn::Status(feed_up(symbol)));
        }
        Self { engine, port, recorder, exits, probe, clock, bars: 0, signals: 0, walks, began: Instant::now(), minute: 0 }
    }

    /// Plays one minute: `at` is called at each step, right after its messages were sent and before anyone has handled them.
    pub async fn minute(&mut self, mut at: impl FnMut(&mut Self, i64)) {
        let minutes: Vec<_> = self.walks.iter_mut().map(Walk::minute).collect();
        for step in 1..=STEPS {
            let since = Duration::from_secs(u64::try_from(self.minute * 60 + step * 60 / STEPS).unwrap());
            tokio::time::sleep_until(self.began + since).await;
            if step == STEPS {
                at(self, QUIET);
            }
            let mut events: Vec<MarketEvent> = minutes.iter().map(|m| MarketEvent::Mark(m.marks[step as usize - 1])).collect();
            if step == STEPS {
                events.extend(minutes.iter().map(|m| MarketEvent::BarClosed(m.bar)));
                self.bars += minutes.len() as u64;
            }
            let now = self.clock.now().market;
            for report in self.port.with(|exchange| exchange.advance(now, &events)) {
                self.engine.links.execution.push(match report {
                    Report::Order(event) => ExecIn::Order(event),
                    Report::Algo(event) => ExecIn::Algo(event),
                    Report::Account(event) => ExecIn::Account(event),
                });
            }
            for event in events {
                self.engine.links.feed.push(FeedIn::Event(event));
            }
            at(self, step);
        }
        self.minute += 1;
    }

    pub async fn minutes(&mut self, count: i64) {
        for _ in 0..count {
            self.minute(|_, _| {}).await;
        }
    }

    /// Plays on until it is so; fails after an hour.
    pub async fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        for _ in 0..60 {
            if so(self) {
                return;
            }
            self.minute(|_, _| {}).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        panic!("within an hour there was never {what}");
    }

    /// The last price of the symbol that only the operator trades.
    pub fn price_by_hand(&self) -> Price {
        let marks = self.engine.recent.marks();
        marks.iter().find(|m| m.symbol == by_hand()).unwrap().price
    }

    /// A signal of the operator: market, or a limit order far below that stands.
    pub fn signal(&mut self, strategy: Option<StrategyId>, symbol: Symbol, resting: bool, leverage: u16) {
        self.signals += 1;
        let mark = self.engine.recent.marks().iter().find(|m| m.symbol == symbol).unwrap().price;
        let share = |price: Price, share: &str| {
            let tick = fulmar_testkit::build::price("0.1");
            price
                .times(ratio(share), fulmar_domain::num::Rounding::Floor)
                .unwrap()
                .round_to(tick, fulmar_domain::num::Rounding::Floor)
                .unwrap()
        };
        let price = resting.then(|| share(mark, "0.96"));
        let command = Command::Signal(Signal {
            decision: DecisionId(self.signals),
            symbol,
            side: Side::Buy,
            leverage,
            size_percent: ratio("0.01"),
            stop: Some(share(price.unwrap_or(mark), "0.996")),
            take_profit: None,
            price,
            strategy,
        });
        self.engine.links.audit.push(AuditIn::Command { id: self.signals, command });
    }

    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = tokio::time::timeout(Duration::from_secs(40), self.engine.quiescence.idle()).await;
        assert!(idle.is_ok(), "never idle: {} under way, {:#?}", self.engine.quiescence.busy(), self.engine.supervisor.tree());
    }

    pub fn gate(&self) -> GateState {
        self.engine.gate.gate.read().state
    }

    /// Engine and exchange tell the same, every position has its stop, the gate is open.
    pub fn agrees(&self, when: &str) {
        let frame = self.engine.recent.account().unwrap();
        let (wallet, positions, open) = self.port.with(|x| (x.wallet(), x.positions(), x.open()));
        let ours: std::collections::BTreeMap<_, _> = frame.positions.iter().map(|p| (p.symbol, p.qty)).collect();
        assert_eq!((frame.wallet, &ours), (wallet, &positions), "{when}: wallet and positions");
        let ids: BTreeSet<_> = frame.orders.iter().filter_map(|o| o.client_id).collect();
        assert_eq!(ids, open.iter().map(|o| o.client_id).collect(), "{when}: open orders\n{:#?}\n{open:#?}", frame.orders);
        for symbol in positions.keys() {
            let stops = open.iter().filter(|o| o.symbol == *symbol && o.role == OrderRole::Stop).count();
            assert_eq!(stops, 1, "{when}: {symbol} has one live stop");
        }
        assert_eq!(self.gate(), GateState::Open, "{when}: {:?}", self.engine.gate.gate.held());
    }

    /// The running books are what the records alone give, and the fold is too.
    pub fn rebuilds(&self) {
        let records = self.recorder.records();
        let alone = PositionNode::rebuild(fulmar_domain::position::node::PositionSettings::default(), records.iter()).unwrap();
        assert!(self.engine.facts.fold().position.same_books(&alone), "the books are a function of the records");
        let frame = self.engine.recent.account().unwrap();
        let told = alone.frame().unwrap();
        assert_eq!((frame.wallet, &frame.facts, &frame.records), (told.wallet, &told.facts, &told.records), "what was told last");
        assert_eq!(frame.orders, told.orders);
    }

    pub fn restarts(&self, child: &str) -> u64 {
        self.engine.supervisor.tree().child(child).unwrap().restarts_total
    }
    pub fn state(&self, child: &str) -> &'static str {
        self.engine.supervisor.tree().child(child).unwrap().state.as_str()
    }
    pub fn trips(&self) -> usize {
        self.recorder.count(|r| matches!(r, Record::TradeClosed(_)))
    }
    pub fn ratio(text: &str) -> Ratio {
        ratio(text)
    }
}
