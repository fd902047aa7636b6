//! What supervision costs: printed, not judged, for machines are noisy. Run with `--ignored --nocapture` on an
//! optimised build.

mod probe;

use std::hint::black_box;
use std::time::Instant;

use fulmar_actors::supervision::failure::Tag;
use fulmar_actors::supervision::policy::Strategy;
use fulmar_actors::trade_gate::TradeGate;
use probe::*;

const COUNT: u64 = 1_000_000;

fn each(name: &str, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    println!("{name}: {:.1} ns", start.elapsed().as_secs_f64() * 1e9 / COUNT as f64);
}

#[test]
#[ignore = "prints figures"]
fn costs() {
    real_time(async {
        let world = World::new();
        let gate = TradeGate::new();
        let mut epochs = 0;
        each("gate read", || (0..COUNT).for_each(|_| epochs ^= black_box(gate.read().epoch)));
        assert_eq!(epochs, 0, "an even number of equal epochs");
        each("tag", || (0..COUNT).for_each(|n| drop(black_box(Tag::new("M", n)))));
        each("hold and release", || (0..COUNT).for_each(|_| drop(black_box(world.quiescence.hold()))));
        let probe = world.board.probe::<Job>("probe", |e| drop(black_box(e)));
        each("push into a closure, counted and dropped", || (0..COUNT).for_each(|n| probe.push(Job::Good(n))));
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "a");
        child.handled.lock().reserve(4 * COUNT as usize);
        let start = Instant::now();
        each("push to an actor", || (0..COUNT).for_each(|n| child.link.push(Job::Good(n))));
        world.idle().await;
        println!("push and handle: {:.1} ns", start.elapsed().as_secs_f64() * 1e9 / COUNT as f64);
    });
}
