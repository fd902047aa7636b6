//! The watchdog: a loop in an actor is found in time, trading is halted, the process is told to end.

mod probe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use fulmar_actors::supervision::fault::FaultSite;
use fulmar_actors::supervision::policy::{GroupPolicy, WatchdogPolicy};
use fulmar_actors::supervision::watchdog::{Stall, Watchdog, WatchdogHooks};
use parking_lot::Mutex;
use probe::*;

#[derive(Default)]
struct Seen {
    stalls: Mutex<Vec<(String, Instant)>>,
    exits: Mutex<Vec<i32>>,
    halt_takes: Duration,
}

impl WatchdogHooks for Seen {
    fn stalled(&self, stall: &Stall) {
        self.stalls.lock().push((stall.heart.to_string(), Instant::now()));
        std::thread::sleep(self.halt_takes);
    }
    fn exit(&self, code: i32) {
        self.exits.lock().push(code);
    }
}

fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(10), "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_loop_in_an_actor_is_found_within_half_a_second_and_a_healthy_arbiter_never() {
    real_time(async {
        let world = World::new();
        let group = world.group("g", GroupPolicy::trading());
        let (sick, healthy) = (Arbiter::new(), Arbiter::new());
        let (probe, ..) = world.probe("sick", None);
        let seat = group.seat::<Probe>("sick").expect("a free name");
        let handle = seat.child();
        let addr = seat.start_on(&sick.handle(), move || probe).expect("the arbiter lives");
        let seen = Arc::new(Seen::default());
        let watchdog = Watchdog::start(WatchdogPolicy::default(), seen.clone()).expect("a thread");
        assert!(watchdog.watch_arbiter("sick", &sick.handle()));
        assert!(watchdog.watch_arbiter("healthy", &healthy.handle()));
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(seen.stalls.lock().len(), 0);

        let start = Instant::now();
        handle.inject(FaultSite::Hang).expect("running");
        wait_for(|| !seen.exits.lock().is_empty());
        let (heart, at) = seen.stalls.lock()[0].clone();
        assert_eq!(heart, "sick");
        let took = at.duration_since(start);
        // The heart's own grain and a busy machine's scheduling on top.
        assert!(took <= Duration::from_millis(600), "found after {took:?}");
        assert_eq!(*seen.exits.lock(), [70]);
        handle.release_hang();
        assert!(addr.connected());
        drop(watchdog);
        for arbiter in [sick, healthy] {
            arbiter.stop();
            arbiter.join().expect("the arbiter ends well");
        }
    });
}

#[test]
fn a_halt_that_hangs_does_not_hold_up_the_exit() {
    real_time(async {
        let arbiter = Arbiter::new();
        let seen = Arc::new(Seen { halt_takes: Duration::from_secs(3), ..Seen::default() });
        let watchdog = Watchdog::start(WatchdogPolicy::default(), seen.clone()).expect("a thread");
        assert!(watchdog.watch_arbiter("stuck", &arbiter.handle()));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(arbiter.spawn_fn(|| std::thread::sleep(Duration::from_millis(1_200))));
        wait_for(|| !seen.exits.lock().is_empty());
        let (_, halted_at) = seen.stalls.lock()[0].clone();
        assert!(halted_at.elapsed() < Duration::from_secs(2), "the exit waited for the halt");
        drop(watchdog);
        arbiter.stop();
        arbiter.join().expect("the arbiter ends well");
    });
}
