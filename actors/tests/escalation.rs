//! What follows when a group of the engine fails once more than its intensity allows, each group apart, while it trades.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod house;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Arbiter, System};
use fulmar_actors::engine::Placement;
use fulmar_actors::gate_desk::GateDesk;
use fulmar_actors::supervision::fault::FaultSite;
use fulmar_actors::supervision::policy::SupervisionPolicy;
use fulmar_actors::supervision::watchdog::{Stall, Watchdog, WatchdogHooks};
use fulmar_domain::audit::AuditIn;
use fulmar_domain::control::Command;
use fulmar_domain::gate::{GateOwner, GateState};
use fulmar_domain::order::{OrderRole, VenueOrder};
use fulmar_domain::record::Record;
use fulmar_testkit::build::symbol;
use fulmar_testkit::fakes::Exits;
use house::*;

fn entries(open: &[VenueOrder]) -> usize {
    open.iter().filter(|o| matches!(o.role, OrderRole::Entry { .. })).count()
}
fn stops(open: &[VenueOrder]) -> Vec<&VenueOrder> {
    open.iter().filter(|o| o.role == OrderRole::Stop).collect()
}

/// A house with a protected position of the strategy, and a standing entry of the operator's or of the strategy's.
async fn busy(of_strategy: bool) -> House {
    let mut house = House::start(11, SupervisionPolicy::default(), &Placement::default());
    house.minutes(1).await;
    house.until("an open position with its stop", |h| h.port.with(|x| !x.positions().is_empty() && !stops(&x.open()).is_empty())).await;
    // On a contract of its own: the strategy has no desk there that would mind.
    house.signal(of_strategy.then(ema), if of_strategy { symbol("ETHUSDT") } else { by_hand() }, true, 3);
    house.settle().await;
    house.port.with(|x| assert_eq!(entries(&x.open()), 1, "a standing entry"));
    assert_eq!(house.gate(), GateState::Open);
    house
}

/// Fails an actor so often, two seconds and its back-off apart.
async fn fail(house: &House, actor: &str, times: u32, wait: Duration) {
    for nth in 1..=times {
        house.engine.supervisor.inject(actor, FaultSite::Handler).unwrap_or_else(|error| panic!("{actor}, failure {nth}: {error}"));
        tokio::time::sleep(wait).await;
    }
}

#[test]
fn trading_that_fails_once_too_often_halts_withdraws_entries_keeps_stops_and_leaves() {
    virtual_time(async {
        let house = busy(false).await;
        let kept: Vec<_> = house.port.with(|x| stops(&x.open()).into_iter().map(|o| o.client_id).collect());
        for actor in ["risk", "execution", "position"] {
            fail(&house, actor, 1, Duration::from_secs(8)).await;
            assert_eq!((house.gate(), house.exits.codes().len()), (GateState::Open, 0), "{actor}: three are allowed");
        }
        fail(&house, "execution", 1, Duration::from_secs(5)).await;
        assert_eq!(house.exits.codes(), [70]);
        assert_eq!(house.gate(), GateState::Halted);
        house.port.with(|x| {
            assert_eq!(entries(&x.open()), 0, "entries are withdrawn");
            assert_eq!(stops(&x.open()).into_iter().map(|o| o.client_id).collect::<Vec<_>>(), kept, "stops stay");
        });
        assert_eq!(house.state("execution"), "suspended");
    });
}

#[test]
fn market_data_that_fail_once_too_often_leave_only_what_reduces() {
    virtual_time(async {
        let house = busy(false).await;
        let (feed, indicator) = (Duration::from_secs(4), Duration::from_secs(8));
        fail(&house, "market_feed", 3, feed).await;
        fail(&house, "indicator", 2, indicator).await;
        assert_eq!((house.gate(), house.state("market_feed"), house.state("indicator")), (GateState::Open, "running", "running"));
        fail(&house, "market_feed", 1, feed).await;
        assert_eq!(house.gate(), GateState::ReduceOnly);
        assert_eq!(house.state("market_feed"), "suspended");
        assert_eq!(house.exits.codes(), []);
        house.port.with(|x| assert!(!stops(&x.open()).is_empty(), "stops stay"));
    });
}

#[test]
fn a_strategy_that_fails_once_too_often_is_disabled_alone_its_entries_go_and_its_stops_stay() {
    virtual_time(async {
        let mut house = busy(true).await;
        let kept = house.port.with(|x| stops(&x.open()).len());
        fail(&house, "strategy:ema", 3, Duration::from_secs(5)).await;
        assert_eq!(house.state("strategy:ema"), "running");
        fail(&house, "strategy:ema", 1, Duration::from_secs(5)).await;
        assert_eq!((house.state("strategy:ema"), house.state("operator")), ("suspended", "running"));
        assert_eq!((house.gate(), house.exits.codes().len()), (GateState::Open, 0), "nobody else is concerned");
        house.port.with(|x| {
            assert_eq!(entries(&x.open()), 0, "its entries are withdrawn");
            assert_eq!(stops(&x.open()).len(), kept, "its stops stay");
        });
        let before = house.recorder.count(|r| matches!(r, Record::IntentRaised(i) if i.strategy == ema()));
        house.minutes(30).await;
        assert_eq!(house.recorder.count(|r| matches!(r, Record::IntentRaised(i) if i.strategy == ema())), before, "it decides no more");
        house.signal(None, by_hand(), false, 3);
        house.minutes(1).await;
        house.port.with(|x| assert!(x.all_fills().iter().any(|f| f.symbol == by_hand()), "others trade on"));
    });
}

#[test]
fn safety_or_audit_that_fail_once_too_often_halt_and_leave() {
    for (actor, allowed) in [("circuit_breaker", 3), ("failover", 3), ("audit", 5)] {
        virtual_time(async move {
            let house = busy(false).await;
            fail(&house, actor, allowed, Duration::from_secs(8)).await;
            assert_eq!((house.gate(), house.exits.codes().len(), house.state(actor)), (GateState::Open, 0, "running"), "{actor}");
            fail(&house, actor, 1, Duration::from_secs(1)).await;
            assert_eq!((house.gate(), house.exits.codes(), house.state(actor)), (GateState::Halted, vec![70], "suspended"), "{actor}");
            house.port.with(|x| assert!(!stops(&x.open()).is_empty(), "stops stay"));
        });
    }
}

#[test]
fn a_notifier_that_fails_once_too_often_is_missed_and_trading_goes_on() {
    virtual_time(async {
        let mut house = busy(false).await;
        for nth in 0..10_u32 {
            // Within the window of 300 s: eleven failures, with their back-offs of 0.1 to 25.6 s.
            fail(&house, "notifier", 1, Duration::from_millis(50 + if nth == 0 { 0 } else { 100 << nth.min(9) })).await;
        }
        assert_eq!(house.state("notifier"), "running");
        fail(&house, "notifier", 1, Duration::from_secs(1)).await;
        assert_eq!(house.state("notifier"), "suspended");
        house.signal(None, by_hand(), false, 3);
        let before = house.trips();
        house.until("another round trip", move |h| h.trips() > before).await;
        assert_eq!((house.gate(), house.exits.codes().len()), (GateState::Open, 0));
        let waiting = house.engine.links.notifier.depth();
        assert!(waiting > 0, "what it was to tell waits in its mailbox");
    });
}

#[test]
fn a_command_that_is_being_written_while_audit_restarts_is_carried_out_once() {
    virtual_time(async {
        let mut house = House::start(3, SupervisionPolicy::default(), &Placement::default());
        house.minutes(2).await;
        house.settle().await;
        house.recorder.hold();
        house.engine.links.audit.push(AuditIn::Command { id: 1, command: Command::SetGate { state: GateState::ReduceOnly } });
        tokio::time::sleep(Duration::from_millis(10)).await;
        house.engine.supervisor.inject("audit", FaultSite::Handler).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!((house.restarts("audit"), house.gate()), (1, GateState::Open), "not before it is written");
        house.recorder.release(None);
        house.settle().await;
        assert_eq!(house.gate(), GateState::ReduceOnly);
        assert_eq!(house.engine.gate.gate.held().iter().filter(|h| h.owner == GateOwner::Operator).count(), 1);
    });
}

#[test]
fn a_feed_that_fails_with_bars_on_their_way_calls_nothing_missing() {
    virtual_time(async {
        let mut house = House::start(5, SupervisionPolicy::default(), &Placement::default());
        house.minutes(2).await;
        house
            .minute(|house, step| {
                if step == STEPS {
                    house.engine.supervisor.inject("market_feed", FaultSite::Handler).unwrap();
                }
            })
            .await;
        house.minutes(3).await;
        house.settle().await;
        assert_eq!(house.restarts("market_feed"), 1);
        assert_eq!(house.recorder.count(|r| matches!(r, Record::Noticed(n) if n.code == "BARS_MISSING")), 0);
        assert_eq!(house.recorder.count(|r| matches!(r, Record::BarSeen(_))) as u64, house.bars);
        house.agrees("after the restart");
    });
}

struct Halt {
    gate: GateDesk,
    exits: Exits,
    found: parking_lot::Mutex<Vec<(String, Instant)>>,
}

impl WatchdogHooks for Halt {
    fn stalled(&self, stall: &Stall) {
        self.found.lock().push((stall.heart.to_string(), Instant::now()));
        self.gate.hold(GateOwner::Supervisor, GateState::Halted, "a thread stands still");
    }
    fn exit(&self, code: i32) {
        (self.exits.hook())(code);
    }
}

/// In real time: the watchdog must not stand still with those that it watches.
#[test]
fn a_loop_on_any_arbiter_of_the_engine_is_found_within_half_a_second_and_the_process_leaves() {
    for (actor, heart) in [("execution", "trading"), ("circuit_breaker", "safety"), ("notifier", "platform")] {
        System::new().block_on(async {
            let arbiters = [("trading", Arbiter::new()), ("safety", Arbiter::new()), ("platform", Arbiter::new())];
            let of = |name: &str| arbiters.iter().find(|(own, _)| *own == name).map(|(_, arbiter)| arbiter.handle());
            let placement = Placement { trading: of("trading"), safety: of("safety"), platform: of("platform") };
            let house = House::start(1, SupervisionPolicy::default(), &placement);
            let halt = Arc::new(Halt { gate: house.engine.gate.clone(), exits: house.exits.clone(), found: Default::default() });
            let watchdog = Watchdog::start(SupervisionPolicy::default().watchdog, halt.clone()).unwrap();
            for (name, arbiter) in &arbiters {
                assert!(watchdog.watch_arbiter(name, &arbiter.handle()));
            }
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!((house.gate(), house.exits.codes().len()), (GateState::Open, 0), "healthy");
            let began = Instant::now();
            house.engine.supervisor.inject(actor, FaultSite::Hang).unwrap();
            while house.exits.codes().is_empty() {
                assert!(began.elapsed() < Duration::from_secs(5), "{actor} was never found");
                std::thread::sleep(Duration::from_millis(1));
            }
            let (found, at) = halt.found.lock()[0].clone();
            let took = at.duration_since(began);
            assert_eq!((found.as_str(), house.exits.codes(), house.gate()), (heart, vec![70], GateState::Halted));
            // 500 ms, and the grain of a busy machine's scheduler on top.
            assert!(took <= Duration::from_millis(600), "{actor} was found after {took:?}");
            println!("loop in {actor}: found after {took:?}");
            house.engine.supervisor.child(actor).unwrap().release_hang();
            drop(watchdog);
            for (_, arbiter) in arbiters {
                arbiter.stop();
                arbiter.join().unwrap();
            }
        });
    }
}
