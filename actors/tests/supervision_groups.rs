//! Groups: who restarts with whom, how soon, and when it is too often.

mod probe;

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use fulmar_actors::supervision::child::StaleGeneration;
use fulmar_actors::supervision::failure::FailureKind;
use fulmar_actors::supervision::fault::{FaultSite, InjectError};
use fulmar_actors::supervision::policy::{EscalationKind, GroupPolicy, SupervisionPolicy};
use probe::*;
use tokio::time::Instant;

#[test]
fn one_for_all_calls_the_hook_first_and_rebuilds_all_in_order_before_any_runs() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("trading", GroupPolicy::trading());
        let children = ["risk", "execution", "position"].map(|name| world.child(&group, name));
        settle().await;
        world.diary.take();
        for child in &children {
            child.push([1]);
        }
        children[1].link.push(Job::Poison(1));
        for child in &children {
            child.push([2]);
        }
        world.idle().await;
        assert_eq!(
            world.diary.take(),
            [
                "before execution",
                "restarting risk",
                "restarting execution",
                "restarting position",
                "started risk",
                "started execution",
                "started position",
                "after execution"
            ]
        );
        for child in &children {
            assert_eq!(child.handled(), [1, 2]);
        }
        assert_eq!(world.book.failures_total(), 1);
        assert_eq!(world.supervisor.tree().restarts_total(), 3);
    });
}

#[test]
fn rest_for_one_restarts_the_failed_child_and_those_after_it() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("market", GroupPolicy::market());
        let children = ["socket", "market_feed", "indicator"].map(|name| world.child(&group, name));
        settle().await;
        children[1].link.push(Job::Poison(1));
        world.idle().await;
        assert_eq!(["socket", "market_feed", "indicator"].map(|n| world.restarts(n)), [0, 1, 1]);
        tokio::time::sleep(Duration::from_secs(61)).await;
        children[2].link.push(Job::Poison(1));
        world.idle().await;
        assert_eq!(["socket", "market_feed", "indicator"].map(|n| world.restarts(n)), [0, 1, 2]);
    });
}

#[test]
fn one_for_one_leaves_the_others_alone() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("strategies", GroupPolicy::strategies());
        let children = ["a", "b"].map(|name| world.child(&group, name));
        settle().await;
        // The second failure of "a" waits a second; "b" neither waits nor restarts meanwhile, but for its own failure.
        children[0].link.push(Job::Poison(1));
        children[0].link.push(Job::Poison(2));
        children[1].push([1]);
        settle().await;
        assert_eq!((world.state("a"), world.state("b")), ("backing_off", "running"));
        children[1].link.push(Job::Poison(3));
        children[1].push([2]);
        settle().await;
        assert_eq!(children[1].handled(), [1, 2]);
        assert_eq!((world.state("a"), world.restarts("a"), world.restarts("b")), ("backing_off", 1, 1));
        world.idle().await;
        assert_eq!((world.state("a"), world.restarts("a")), ("running", 2));
    });
}

/// What a sibling that was rebuilt first sends must not be handled by the old state of one rebuilt later.
#[test]
fn what_a_rebuilt_child_sends_waits_until_the_receiver_is_rebuilt_too() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("market", GroupPolicy::market());
        let second = world.group("other", GroupPolicy::market());
        let sink = world.child(&second, "sink");
        let feed_seat = group.seat::<Probe>("feed").expect("a free name");
        let feed_addr = feed_seat.addr();
        let indicator = world.child_then(&group, "indicator", Some(sink.link.clone()));
        let (probe, ..) = world.probe("feed", Some(indicator.link.clone()));
        feed_seat.start(move || probe);
        let feed = world.board.link::<Job>("to feed", feed_addr.recipient());
        settle().await;
        world.diary.take();
        feed.push(Job::PushThenPoison(1));
        feed.push(Job::Good(2));
        world.idle().await;
        assert_eq!(indicator.handled(), [1, 2]);
        let restarted = world.diary.lines();
        let at = |line: &str| restarted.iter().position(|l| l == line).expect("written");
        assert!(at("restarting indicator") < at("started feed"), "{restarted:?}");
    });
}

#[test]
fn each_group_gives_up_at_its_own_intensity_as_the_table_says() {
    let all = SupervisionPolicy::default();
    let table = [
        ("trading", &all.trading, 3, EscalationKind::HaltAndExit { code: 70 }),
        ("market", &all.market, 5, EscalationKind::ReduceOnly),
        ("strategies", &all.strategies, 3, EscalationKind::DisableStrategy),
        ("safety", &all.safety, 3, EscalationKind::HaltAndExit { code: 70 }),
        ("platform", &all.platform, 10, EscalationKind::Degrade),
        ("audit", &all.audit, 5, EscalationKind::HaltAndExit { code: 70 }),
    ];
    for (name, policy, max, kind) in table {
        virtual_time(async {
            let world = World::new();
            let group = world.group(name, policy.clone());
            let child = world.child(&group, "first");
            let other = world.child(&group, "second");
            settle().await;
            for n in 0..=max {
                assert_eq!(world.hooks.escalations.lock().len(), 0, "{name} gave up after {n} failures");
                child.link.push(Job::Poison(n));
                child.push([n]);
                if n < max {
                    tokio::time::timeout(policy.intensity.window, world.quiescence.idle()).await.expect("restarted");
                }
            }
            settle().await;
            let escalations = world.hooks.escalations.lock().clone();
            assert_eq!(escalations.len(), 1, "{name}");
            assert_eq!((escalations[0].kind, &*escalations[0].child), (kind, "first"), "{name}");
            assert_eq!(u64::from(escalations[0].failures_in_window), max + 1);
            assert_eq!((world.state("first"), world.state("second")), ("suspended", "running"), "{name}");
            // Suspended with its mailbox alive: what was queued behind the last poison is neither handled nor lost.
            assert!(child.addr.connected());
            assert_eq!((child.link.depth(), child.handled().len() as u64), (1, max), "{name}");
            other.push([1]);
            settle().await;
            assert_eq!(other.handled(), [1], "{name}");
            // An operator may revive it: it goes on with what is queued.
            let (_, generation) = child.handle.standing();
            child.handle.restart(generation).expect("the current generation");
            world.idle().await;
            assert_eq!((world.state("first"), child.handled().len() as u64), ("running", max + 1), "{name}");
        });
    }
}

#[test]
fn failures_spaced_beyond_the_window_never_escalate() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("trading", GroupPolicy::trading());
        let child = world.child(&group, "risk");
        settle().await;
        for n in 0..50 {
            child.link.push(Job::Poison(n));
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        assert_eq!(world.restarts("risk"), 50);
        assert_eq!(world.hooks.escalations.lock().len(), 0);
    });
}

#[test]
fn the_first_restart_in_a_window_is_immediate_and_the_next_ones_wait_twice_as_long_each() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("market", GroupPolicy::market());
        let child = world.child(&group, "feed");
        settle().await;
        let mut waits = Vec::new();
        for n in 0..5 {
            let before = Instant::now();
            child.link.push(Job::Poison(n));
            world.idle().await;
            waits.push(before.elapsed().as_millis());
        }
        // tokio's timers have a grain of one millisecond.
        let wanted = [0_u128, 250, 500, 1_000, 2_000];
        assert!(waits.iter().zip(wanted).all(|(w, t)| *w >= t && *w <= t + 2), "{waits:?}");
    });
}

#[test]
fn a_panic_while_restarting_counts_and_is_tried_again_until_the_intensity_is_exceeded() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("trading", GroupPolicy::trading());
        let (risk, position) = (world.child(&group, "risk"), world.child(&group, "position"));
        settle().await;
        risk.cannot_restart.store(true, Ordering::SeqCst);
        risk.link.push(Job::Poison(1));
        risk.push([5]);
        position.push([6]);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let kinds: Vec<_> = world.book.failures().iter().map(|f| f.kind).collect();
        assert_eq!(kinds[0], FailureKind::Panicked);
        assert_eq!(kinds[1..], [FailureKind::RestartPanicked; 3]);
        assert_eq!(world.state("risk"), "suspended");
        // The sibling does not hang with it: it can still cancel what must be cancelled.
        assert_eq!((world.state("position"), position.handled()), ("running", vec![6]));
        assert_eq!(risk.link.depth(), 1);
    });
}

#[test]
fn a_panic_in_started_is_tried_again_and_then_the_queue_goes_on() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("trading", GroupPolicy::trading());
        let child = world.child(&group, "risk");
        settle().await;
        child.cannot_start.store(true, Ordering::SeqCst);
        child.link.push(Job::Poison(1));
        child.push([1, 2]);
        tokio::time::sleep(Duration::from_millis(100)).await;
        child.cannot_start.store(false, Ordering::SeqCst);
        world.idle().await;
        assert_eq!(child.handled(), [1, 2]);
        assert_eq!(world.book.failures_total(), 2);
    });
}

#[test]
fn an_order_for_an_earlier_generation_is_refused() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", GroupPolicy::platform());
        let child = world.child(&group, "a");
        settle().await;
        child.link.push(Job::Poison(1));
        world.idle().await;
        assert_eq!(child.handle.restart(1), Err(StaleGeneration { meant: 1, current: 2 }));
        child.handle.restart(2).expect("the current generation");
        settle().await;
        assert_eq!((world.restarts("a"), world.book.failures_total()), (2, 1));
    });
}

#[test]
fn a_hook_that_panics_before_a_restart_escalates_instead() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("trading", GroupPolicy::trading());
        let child = world.child(&group, "risk");
        settle().await;
        world.hooks.panics.store(true, Ordering::SeqCst);
        child.link.push(Job::Poison(1));
        child.push([1]);
        settle().await;
        assert_eq!((world.state("risk"), child.link.depth()), ("suspended", 1));
        assert_eq!(world.hooks.escalations.lock().len(), 1);
    });
}

#[test]
fn a_hook_that_panics_before_an_ordered_restart_suspends_the_child_and_frees_the_others() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("trading", GroupPolicy::trading());
        let (risk, position) = (world.child(&group, "risk"), world.child(&group, "position"));
        settle().await;
        world.hooks.panics.store(true, Ordering::SeqCst);
        risk.handle.restart(1).expect("the current generation");
        position.push([1]);
        settle().await;
        assert_eq!((world.state("risk"), world.state("position")), ("suspended", "running"));
        assert_eq!(position.handled(), [1]);
    });
}

#[test]
fn a_stopped_child_ends_its_queue_is_reported_and_its_name_is_free_again() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("strategies", GroupPolicy::strategies());
        let child = world.child(&group, "cross");
        settle().await;
        assert!(group.seat::<Probe>("cross").is_err());
        child.handle.stop();
        child.push([1]);
        world.idle().await;
        settle().await;
        assert_eq!(world.state("cross"), "ended");
        assert!(!child.addr.connected());
        child.push([2]);
        assert_eq!(world.book.undelivered_total(), 2);
        let again = world.child(&group, "cross");
        again.push([3]);
        world.idle().await;
        assert_eq!((again.handled(), world.state("cross")), (vec![3], "running"));
        assert_eq!(again.handle.standing().1, 2);
        assert_eq!(child.handle.inject(FaultSite::Handler), Err(InjectError::NotRunning));
        assert!(matches!(world.supervisor.inject("nobody", FaultSite::Turn), Err(InjectError::UnknownChild(_))));
    });
}

/// Children of one group on several threads fail all the time, restart together, and nothing is lost or hangs.
#[test]
fn one_for_all_across_threads_under_a_hail_of_failures_loses_nothing() {
    const EACH: u64 = 5_000;
    real_time(async {
        let world = World::new();
        let group = world.group("g", tireless(fulmar_actors::supervision::policy::Strategy::OneForAll));
        let arbiters: Vec<_> = (0..3).map(|_| Arbiter::new()).collect();
        let mut children = Vec::new();
        for (n, arbiter) in arbiters.iter().enumerate() {
            let (probe, ..) = world.probe(&format!("p{n}"), None);
            let handled = probe.handled.clone();
            let seat = group.seat::<Probe>(&format!("p{n}")).expect("a free name");
            let addr = seat.start_on(&arbiter.handle(), move || probe).expect("the arbiter lives");
            children.push((world.board.link::<Job>("to p", addr.recipient()), handled));
        }
        let senders: Vec<_> = children
            .iter()
            .map(|(link, _)| {
                let link = link.clone();
                std::thread::spawn(move || {
                    for n in 0..EACH {
                        link.push(if n % 50 == 7 { Job::Poison(n) } else { Job::Good(n) });
                    }
                })
            })
            .collect();
        // An operator restarts them in the midst of it.
        while senders.iter().any(|s| !s.is_finished()) {
            for name in ["p0", "p1", "p2"] {
                let child = group.child(name).expect("a child");
                child.restart(child.standing().1).ok();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.idle().await;
        let wanted: Vec<u64> = (0..EACH).filter(|n| n % 50 != 7).collect();
        for (_, handled) in &children {
            assert_eq!(*handled.lock(), wanted);
        }
        assert_eq!(world.book.failures_total(), 3 * EACH / 50);
        assert_eq!(world.book.undelivered_total(), 0);
        for arbiter in arbiters {
            arbiter.stop();
            arbiter.join().expect("the arbiter ends well");
        }
    });
}
