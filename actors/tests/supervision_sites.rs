//! A panic anywhere in an actor: restarted in place, same address, queue and order kept, the poison reported once.

mod probe;

use std::time::Duration;

use actix::prelude::*;
use fulmar_actors::supervision::failure::FailureKind;
use fulmar_actors::supervision::fault::FaultSite;
use fulmar_actors::supervision::policy::{GroupPolicy, Strategy};
use probe::*;

const ROUNDS: u64 = 20;

#[test]
fn a_panic_at_any_site_keeps_the_address_the_queue_and_the_order() {
    for site in FaultSite::NINE {
        virtual_time(async {
            let world = World::new();
            let group = world.group("trading", GroupPolicy::trading());
            let child = world.child(&group, "probe");
            settle().await;
            for round in 0..ROUNDS {
                child.push(round * 20..round * 20 + 10);
                child.handle.inject(site).expect("faultable");
                child.push(round * 20 + 10..round * 20 + 20);
                settle().await;
                world.idle().await;
                assert_eq!(world.book.failures_total(), round + 1, "{site}, round {round}");
                tokio::time::sleep(Duration::from_secs(61)).await;
            }
            assert_eq!(child.handled(), (0..ROUNDS * 20).collect::<Vec<_>>(), "{site}");
            assert!(child.addr.connected());
            let tree = world.supervisor.tree();
            let view = tree.child("probe").expect("a child");
            // An injection at `started` or `restarting` needs a restart of its own to get there.
            let extra = if site == FaultSite::Started { 2 } else { 1 };
            assert_eq!((view.state.as_str(), view.restarts_total), ("running", ROUNDS * extra), "{site}");
            assert_eq!(view.generation, 1 + view.restarts_total);
            let last = view.last_failure.as_ref().expect("a failure");
            assert!(last.what.contains(site.as_str()) && last.at.is_some(), "{site}: {last:?}");
            assert_eq!(world.book.failures().last().map(|r| r.count), Some(ROUNDS), "{site}");
            assert_eq!(world.book.undelivered_total(), 0);
            assert_eq!(world.hooks.escalations.lock().len(), 0);
        });
    }
}

#[test]
fn a_poison_message_is_reported_with_its_type_id_text_and_place() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "probe");
        child.push([1]);
        child.link.push(Job::Poison(7));
        child.push([2]);
        world.idle().await;
        let report = &world.book.failures()[0];
        assert_eq!(report.kind, FailureKind::Panicked);
        assert_eq!(report.text, "poison 7");
        assert_eq!(report.message_id, Some(2));
        assert!(report.message_type.is_some_and(|t| t.ends_with("Job")));
        assert!(report.place.as_deref().is_some_and(|p| p.contains("probe/mod.rs:")), "{report:?}");
        assert_eq!((report.count, report.generation), (1, 1));
        assert_eq!(child.handled(), [1, 2]);
    });
}

#[test]
fn a_payload_whose_drop_panics_costs_one_message_like_any_other() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "probe");
        for n in 0..50 {
            child.link.push(Job::NastyPoison(n));
            child.push([n]);
        }
        world.idle().await;
        assert_eq!(child.handled(), (0..50).collect::<Vec<_>>());
        assert_eq!(world.book.failures_total(), 50);
    });
}

#[test]
fn an_actor_that_stops_itself_is_restarted_and_reported() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "probe");
        child.link.push(Job::Stop);
        child.push([1]);
        world.idle().await;
        assert_eq!(child.handled(), [1]);
        assert_eq!(world.book.failures()[0].kind, FailureKind::StoppedItself);
    });
}

#[test]
fn a_constructor_that_panics_escalates_and_keeps_the_mailbox() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", GroupPolicy::platform());
        let seat = group.seat::<Probe>("unborn").expect("a free name");
        let addr = seat.start(|| panic!("cannot be built"));
        let link = world.board.link::<Job>("to unborn", addr.clone().recipient());
        link.push(Job::Good(1));
        settle().await;
        assert_eq!(world.state("unborn"), "suspended");
        assert!(addr.connected());
        assert_eq!(link.depth(), 1);
        assert_eq!(world.hooks.escalations.lock().len(), 1);
        assert_eq!(world.book.failures()[0].kind, FailureKind::BuildPanicked);
    });
}

#[test]
fn a_message_sent_before_the_start_waits_for_it() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", GroupPolicy::trading());
        let seat = group.seat::<Probe>("late").expect("a free name");
        let link = world.board.link::<Job>("to late", seat.addr().recipient());
        link.push(Job::Good(1));
        assert_eq!(world.state("late"), "waiting");
        let (probe, ..) = world.probe("late", None);
        let handled = probe.handled.clone();
        let addr = seat.start(move || probe);
        world.idle().await;
        assert_eq!(*handled.lock(), [1]);
        assert!(addr.connected());
    });
}

#[test]
fn handled_plus_reported_equals_sent_from_four_threads() {
    const EACH: u64 = 30_000;
    real_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "probe");
        let senders: Vec<_> = (0..4_u64)
            .map(|sender| {
                let link = child.link.clone();
                std::thread::spawn(move || {
                    for n in 0..EACH {
                        let n = sender * EACH + n;
                        link.push(if n % 1_000 == 500 { Job::Poison(n) } else { Job::Good(n) });
                    }
                })
            })
            .collect();
        while senders.iter().any(|s| !s.is_finished()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for sender in senders {
            sender.join().expect("the sender ends well");
        }
        world.idle().await;
        let handled = child.handled();
        assert_eq!(world.book.failures_total(), 4 * EACH / 1_000);
        assert_eq!(handled.len() as u64 + world.book.failures_total(), 4 * EACH);
        for sender in 0..4 {
            let own: Vec<u64> = handled.iter().copied().filter(|n| n / EACH == sender).collect();
            assert!(own.is_sorted(), "the order of sender {sender} is kept");
        }
        assert_eq!(world.book.undelivered_total(), 0);
        assert_eq!(child.link.depth(), 0);
    });
}

#[test]
fn an_actor_on_another_arbiter_is_guarded_likewise() {
    real_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let arbiter = Arbiter::new();
        let (probe, ..) = world.probe("far", None);
        let handled = probe.handled.clone();
        let seat = group.seat::<Probe>("far").expect("a free name");
        let addr = seat.start_on(&arbiter.handle(), move || probe).expect("the arbiter lives");
        let link = world.board.link::<Job>("to far", addr.recipient());
        for n in 0..2_000 {
            link.push(if n % 10 == 3 { Job::Poison(n) } else { Job::Good(n) });
        }
        world.idle().await;
        assert_eq!(handled.lock().len(), 1_800);
        assert_eq!(world.book.failures_total(), 200);
        assert_eq!(world.restarts("far"), 200);
        arbiter.stop();
        arbiter.join().expect("the arbiter ends well");
    });
}

/// The crate refuses to compile under `panic = "abort"`; the release profile says what it needs all the same.
#[test]
fn the_release_profile_unwinds() {
    let manifest = include_str!("../../Cargo.toml");
    let release = manifest.split("[profile.release]").nth(1).expect("a release profile");
    let release = release.split("\n[").next().expect("its section");
    assert!(release.contains("panic = \"unwind\""), "{release}");
}
