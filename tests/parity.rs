//! One tape through the pure runner and through the actors: the journals are equal, record by record, byte by byte.
//!
//! Both run the same nodes; what is shown here is that shells, links, guards and facts add nothing of their own and lose nothing. The
//! actors run in lock-step on one arbiter: one instant is sent, then everything comes to rest, then the next one. The order of
//! records between different actors is compared too: actors get their turns in the order in which they were first sent something,
//! which is what the runner's queues do as well.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

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
use fulmar_domain::execution::{ExecIn, ExecutionNode, ExecutionRules, Tally};
use fulmar_domain::failover::LeaseRules;
use fulmar_domain::feed::FeedIn;
use fulmar_domain::gate::GateState;
use fulmar_domain::id::{DecisionId, Epoch};
use fulmar_domain::indicator::IndicatorSpec;
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{FeedState, FeedStatus, MarketEvent, Timeframe, WarmupBars};
use fulmar_domain::order::{ExitReason, Side};
use fulmar_domain::position::node::PositionNode;
use fulmar_domain::record::Record;
use fulmar_domain::replay::{Entry, Input, Report, Runner, RunnerParts, Venue};
use fulmar_domain::risk::{Limit, LossStreak, RiskLimits};
use fulmar_domain::strategy::{Sizing, StrategySettings};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::lease::LeaseGrant;
use fulmar_ports::outlook::Blind;
use fulmar_testkit::build::{brackets, feed_up, instrument, price, ratio, strategy, symbol, usdt};
use fulmar_testkit::exchange::Exchange;
use fulmar_testkit::fakes::{ExchangePort, Exits, HandClock, LocalBackground, MemoryRecorder, OwnLease};
use fulmar_testkit::tapes::Walk;
use sha2::{Digest, Sha256};

/// 2024-07-01T00:00:00Z.
const START: Timestamp = Timestamp(1_719_792_000_000);
const BARS: i64 = 2_400;
const MARKS: i64 = 4;
const WARMUP: u16 = 120;
const FENCE: Span = Span::secs(3);
const NOTICES: Span = Span::secs(60);

fn symbols() -> [Symbol; 2] {
    [symbol("BTCUSDT"), symbol("ETHUSDT")]
}

fn instruments() -> Vec<Instrument> {
    symbols().into_iter().map(instrument).collect()
}

fn tiers() -> Vec<Brackets> {
    symbols().into_iter().map(brackets).collect()
}

/// One instance for each contract.
fn strategies() -> Vec<StrategySettings> {
    let one = |name: &str, symbol| {
        let mut settings = StrategySettings::new(strategy(name), "ema_rsi", vec![symbol]);
        settings.parameters = [("fast", "4"), ("slow", "9"), ("rsi", "7"), ("stop", "0.0015")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), ratio(value)))
            .collect();
        settings.sizing = Sizing::FixedFraction(ratio("0.05"));
        settings
    };
    let [first, second] = symbols();
    vec![one("ema_btc", first), one("ema_eth", second)]
}

fn specs() -> Vec<IndicatorSpec> {
    strategies()[0].make().unwrap().spec().indicators.clone()
}

fn limits() -> RiskLimits {
    RiskLimits {
        mark_age_max: Span::secs(20),
        consecutive_losses: Limit::At(LossStreak { losses: 4, lock: Span::minutes(30) }),
        daily_loss_max: Limit::OFF,
        drawdown_max: Limit::OFF,
        ..RiskLimits::default()
    }
}

fn breaker() -> BreakerSettings {
    BreakerSettings { daily_loss_max: Limit::OFF, drawdown_max: Limit::OFF, ..BreakerSettings::default() }
}

fn lease_rules() -> LeaseRules {
    LeaseRules { ttl: Span::hours(10_000), renew_every: Span::hours(5_000), recv_window: Span::secs(2) }
}

fn execution() -> ExecutionNode {
    ExecutionNode::new(ExecutionRules::default(), Epoch(1), &symbols(), START)
}

fn exchange() -> Exchange {
    Exchange::new(usdt("10000"), START)
}

fn signal(id: u64, symbol: Symbol, leverage: u16, stop: &str, limit: Option<&str>) -> Command {
    Command::Signal(Signal {
        decision: DecisionId(id),
        symbol,
        side: Side::Buy,
        leverage,
        size_percent: ratio("0.05"),
        stop: Some(price(stop)),
        take_profit: None,
        price: limit.map(price),
        strategy: None,
    })
}

/// What people do on the tape, by minute.
fn orders_of_people() -> Vec<(i64, Command)> {
    let [btc, eth] = symbols();
    let only = |name| Some(strategy(name));
    vec![
        (200, Command::Pause { strategy: only("ema_btc") }),
        (260, Command::Resume { strategy: only("ema_btc") }),
        (300, signal(1, btc, 50, "50000", None)),
        (420, Command::Pause { strategy: None }),
        (450, Command::Resume { strategy: None }),
        (600, Command::Flatten { symbol: Some(eth) }),
        (700, Command::SetGate { state: GateState::ReduceOnly }),
        (760, Command::SetGate { state: GateState::Open }),
        (900, Command::Flatten { symbol: None }),
        (1_000, Command::ResetBreaker),
        (1_100, signal(2, eth, 3, "99999", None)),
        (1_300, Command::SetGate { state: GateState::Halted }),
        (1_330, Command::SetGate { state: GateState::Open }),
        (1_500, signal(3, eth, 50, "1", None)),
    ]
}

/// Two contracts, bars and marks, a bar that is missing, data that go stale, and what people do.
fn tape() -> Vec<(Timestamp, Input)> {
    let first = START.minus(Span::minutes(i64::from(WARMUP)));
    let mut walks: Vec<Walk> =
        symbols().into_iter().zip([60_000, 3_000]).zip(41..).map(|((s, price), seed)| Walk::new(s, seed, first, price, MARKS)).collect();
    let mut tape = Vec::new();
    for (walk, symbol) in walks.iter_mut().zip(symbols()) {
        let bars = walk.bars(usize::from(WARMUP)).into();
        tape.push((START, Input::Warmup(WarmupBars { symbol, timeframe: Timeframe::M1, bars })));
        tape.push((START, Input::Feed(feed_up(symbol))));
    }
    let mut people = orders_of_people().into_iter().zip(1..).peekable();
    for minute in 0..BARS {
        let minutes: Vec<_> = walks.iter_mut().map(Walk::minute).collect();
        let end = minutes[0].bar.end();
        for (walked, symbol) in minutes.iter().zip(symbols()) {
            tape.extend(walked.marks.iter().map(|mark| (mark.time, Input::Market(MarketEvent::Mark(*mark)))));
            // The second contract misses a bar, and half an hour later its data go stale for some minutes.
            let second = symbol == symbols()[1];
            if !(second && minute == 1_600) {
                tape.push((end, Input::Market(MarketEvent::BarClosed(walked.bar))));
            }
            if second && minute == 1_602 {
                tape.push((end, Input::Feed(FeedStatus { symbol, state: FeedState::Resynced })));
            }
            if minute == 1_630 || minute == 1_640 {
                let state = if minute == 1_630 { FeedState::Stale } else { FeedState::Up };
                tape.push((end, Input::Feed(FeedStatus { symbol, state })));
            }
        }
        while let Some(((_, command), id)) = people.next_if(|((at, _), _)| *at == minute) {
            tape.push((end, Input::Command { id, command }));
        }
    }
    tape.sort_by_key(|(at, _)| *at);
    tape
}

/// A journal as text, one line for each record.
fn lines<'a>(entries: impl Iterator<Item = (Timestamp, &'a Record)>) -> Vec<String> {
    entries.map(|(at, record)| format!("{} {}", at.millis(), serde_json::to_string(record).unwrap())).collect()
}

fn through_the_runner(tape: &[(Timestamp, Input)]) -> (Vec<Entry>, Tally, Exchange) {
    let parts = RunnerParts {
        venue: exchange(),
        instruments: instruments().into_iter().map(Arc::new).collect(),
        brackets: tiers().into_iter().map(Arc::new).collect(),
        strategies: strategies(),
        specs: specs(),
        warmup_bars: WARMUP,
        limits: limits(),
        breaker: breaker(),
        breaker_state: Some(BreakerState::default()),
        execution: execution(),
        position: PositionNode::default(),
        grant: (Epoch(1), START.plus(lease_rules().ttl)),
        lease_rules: lease_rules(),
        fence: FENCE,
        notice_window: NOTICES,
        start: START,
    };
    let mut runner = Runner::new(parts).unwrap();
    runner.run(tape.to_vec());
    let venue = runner.venue().clone();
    (runner.journal().to_vec(), runner.tally(), venue)
}

/// Ways to break the routing on the actors' side, to show that a difference is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Broken {
    /// Nothing is.
    Nothing,
    /// The market is told before what happened to the account.
    MarketFirst,
    /// Reports on the account's wallet and positions go nowhere.
    NoAccount,
    /// The tenth fill is told to nobody.
    OneFill,
}

async fn started(port: &ExchangePort, recorder: &MemoryRecorder, clock: &HandClock) -> Engine {
    let recent = Recent::default();
    instruments().into_iter().for_each(|i| recent.set_instrument(&Arc::new(i)));
    tiers().into_iter().for_each(|b| recent.set_brackets(&Arc::new(b)));
    let parts = EngineParts {
        clock: Arc::new(clock.clone()),
        wakening: Wakening::MarketTime,
        recorder: Arc::new(recorder.clone()),
        fold: Fold { execution: execution(), position: PositionNode::default() },
        recent,
        venue: Arc::new(port.clone()),
        reference: Arc::new(port.clone()),
        background: Arc::new(LocalBackground),
        lease: Arc::new(OwnLease::default()),
        grant: Some(LeaseGrant { holder: "parity".to_owned(), epoch: 1, expiry_ms: START.plus(lease_rules().ttl).0 }),
        holder: "parity".to_owned(),
        channels: Vec::new(),
        outlook: Arc::new(Blind),
        acknowledge: Arc::new(|_, _| {}),
        strategies: strategies(),
        specs: specs(),
        warmup_bars: WARMUP,
        limits: limits(),
        breaker: breaker(),
        breaker_state: Arc::new(parking_lot::Mutex::new(Some(BreakerState::default()))),
        lease_rules: lease_rules(),
        fence: FENCE,
        first_fence: None,
        notice_window: NOTICES,
        supervision: SupervisionPolicy::default(),
        faults: false,
        exit: Exits::default().hook(),
    };
    let engine = Engine::start(parts, &Placement::default()).unwrap();
    // All actors take their first turn.
    tokio::time::sleep(Duration::from_millis(20)).await;
    engine.quiescence.idle().await;
    engine
}

/// Sends one instant as the streams do in lock-step: the account first, then the market, then that time has passed.
fn send(engine: &Engine, reports: Vec<Report>, inputs: &[Input], broken: Broken, told: &mut usize) {
    let links = &engine.links;
    let private = |told: &mut usize| {
        for report in reports {
            let fill = matches!(&report, Report::Order(event) if event.fill.is_some());
            *told += usize::from(fill);
            match report {
                Report::Order(_) if broken == Broken::OneFill && fill && *told == 10 => {}
                Report::Account(_) if broken == Broken::NoAccount => {}
                Report::Order(event) => links.execution.push(ExecIn::Order(event)),
                Report::Algo(event) => links.execution.push(ExecIn::Algo(event)),
                Report::Account(event) => links.execution.push(ExecIn::Account(event)),
            }
        }
    };
    let public = || {
        for input in inputs {
            match input.clone() {
                Input::Warmup(warmup) => links.feed.push(FeedIn::Warmup(warmup)),
                Input::Feed(status) => links.feed.push(FeedIn::Status(status)),
                Input::Market(event) => links.feed.push(FeedIn::Event(event)),
                Input::Command { id, command } => links.audit.push(AuditIn::Command { id, command }),
            }
        }
    };
    if broken == Broken::MarketFirst {
        public();
        private(told);
    } else {
        private(told);
        public();
    }
    links.tick();
}

fn through_the_actors(tape: &[(Timestamp, Input)], broken: Broken) -> (Vec<String>, Tally, Exchange) {
    System::new().block_on(async {
        let (clock, recorder) = (HandClock::new(START), MemoryRecorder::default());
        let port = ExchangePort::new(exchange(), Duration::ZERO, instruments(), tiers());
        let engine = started(&port, &recorder, &clock).await;
        let mut told = 0;
        for instant in tape.chunk_by(|a, b| a.0 == b.0) {
            let at = instant[0].0;
            let inputs: Vec<Input> = instant.iter().map(|(_, input)| input.clone()).collect();
            let events: Vec<MarketEvent> =
                inputs.iter().filter_map(|i| if let Input::Market(event) = i { Some(event.clone()) } else { None }).collect();
            clock.set(at);
            let reports = port.with(|exchange| exchange.advance(at, &events));
            send(&engine, reports, &inputs, broken, &mut told);
            engine.quiescence.idle().await;
        }
        assert_eq!(engine.dead_letters.failures_total(), 0);
        let stamped = recorder.stamped();
        let tally = *engine.tally.lock();
        (lines(stamped.iter().map(|s| (s.now.market, &s.record))), tally, port.with(|exchange| exchange.clone()))
    })
}

/// Where two journals part, with what stands around it.
fn parting(ours: &[String], theirs: &[String]) -> Option<String> {
    let at = (0..ours.len().max(theirs.len())).find(|i| ours.get(*i) != theirs.get(*i))?;
    let around = |lines: &[String]| {
        let from = at.saturating_sub(3).min(lines.len());
        lines[from..(at + 4).min(lines.len())].iter().map(|l| l.chars().take(240).collect::<String>()).collect::<Vec<_>>().join("\n  ")
    };
    Some(format!("record {at} of {} and {}:\n  {}\nagainst\n  {}", ours.len(), theirs.len(), around(ours), around(theirs)))
}

fn digest(lines: &[String]) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn one_tape_through_the_runner_and_through_the_actors_gives_equal_journals() {
    let tape = tape();
    let (entries, tally, pure) = through_the_runner(&tape);
    let ours = lines(entries.iter().map(|entry| (entry.now.market, &entry.record)));
    let (theirs, their_tally, acted) = through_the_actors(&tape, Broken::Nothing);
    assert_eq!(parting(&ours, &theirs), None);
    assert_eq!(tally, their_tally);
    assert_eq!((pure.wallet(), pure.positions(), pure.all_fills()), (acted.wallet(), acted.positions(), acted.all_fills()));

    // The tape is worth the comparison.
    let count = |wanted: fn(&Record) -> bool| entries.iter().filter(|e| wanted(&e.record)).count();
    let trips = count(|r| matches!(r, Record::TradeClosed(_)));
    let stopped = count(|r| matches!(r, Record::TradeClosed(trip) if trip.reason == ExitReason::StopLoss));
    let refused = count(|r| matches!(r, Record::IntentRefused(_)));
    let gates = count(|r| matches!(r, Record::GateChanged { .. }));
    let bars = count(|r| matches!(r, Record::BarSeen(_)));
    let mut codes: Vec<&str> = entries
        .iter()
        .filter_map(|e| if let Record::IntentRefused(refusal) = &e.record { Some(refusal.failures[0].code.as_str()) } else { None })
        .collect();
    codes.sort_unstable();
    codes.dedup();
    println!(
        "parity: {bars} bars, {} instants, {} equal records, digest {}; {trips} round trips, {stopped} by their stop, {refused} refusals \
         ({}), {gates} moves of the gate; {tally:?}",
        tape.chunk_by(|a, b| a.0 == b.0).count(),
        ours.len(),
        digest(&ours),
        codes.join(" ")
    );
    assert_eq!(bars, 2 * BARS as usize - 1);
    assert!(trips >= 48 && stopped >= 3 && refused >= 12 && codes.len() >= 3 && gates >= 6, "the tape is too quiet");
    assert_eq!(tally.approved + tally.protective, tally.sent + tally.voided);
}

#[test]
fn a_tape_runs_the_same_way_twice() {
    let tape = tape();
    let once = |tape: &[_]| lines(through_the_runner(tape).0.iter().map(|entry| (entry.now.market, &entry.record)));
    assert_eq!(parting(&once(&tape), &once(&tape)), None);
}

#[test]
fn journals_differ_as_soon_as_one_route_is_broken() {
    let tape = tape();
    let tape = &tape[..tape.partition_point(|(at, _)| *at < START.plus(Span::hours(12)))];
    let ours = lines(through_the_runner(tape).0.iter().map(|entry| (entry.now.market, &entry.record)));
    assert_eq!(parting(&ours, &through_the_actors(tape, Broken::Nothing).0), None);
    for broken in [Broken::MarketFirst, Broken::NoAccount, Broken::OneFill] {
        let (theirs, ..) = through_the_actors(tape, broken);
        let found = parting(&ours, &theirs);
        assert!(found.is_some(), "{broken:?} went unseen");
        println!("{broken:?}: {}", found.unwrap().lines().next().unwrap());
    }
}
