//! One hop between two actors of a thread: a guarded actor behind a `Link` against a stock actor behind `do_send`.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, Supervised, System};
use fulmar_actors::link::quiescence::Quiescence;
use fulmar_actors::link::{Envelope, Switchboard};
use fulmar_actors::supervision::dead_letters::DeadLetterBook;
use fulmar_actors::supervision::hooks::{Escalation, GroupHooks};
use fulmar_actors::supervision::policy::SupervisionPolicy;
use fulmar_actors::supervision::supervisor::Supervisor;

use crate::pairs::ratio;

struct Silent;
impl GroupHooks for Silent {
    fn escalated(&self, _: &Escalation) {}
}

struct Sink(u64);
impl Actor for Sink {
    type Context = Context<Self>;
}
impl Supervised for Sink {}

struct Tick(u64);
impl Message for Tick {
    type Result = ();
}

impl Handler<Envelope<Tick>> for Sink {
    type Result = ();
    fn handle(&mut self, envelope: Envelope<Tick>, _: &mut Context<Self>) {
        let _tag = envelope.tag();
        self.0 ^= envelope.body.0;
    }
}

impl Handler<Tick> for Sink {
    type Result = ();
    fn handle(&mut self, tick: Tick, _: &mut Context<Self>) {
        self.0 ^= tick.0;
    }
}

struct Done;
impl Message for Done {
    type Result = u64;
}
impl Handler<Done> for Sink {
    type Result = u64;
    fn handle(&mut self, _: Done, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

/// Messages that are under way at once: a queue that grows without bound would measure memory instead.
const BATCH: u64 = 256;

fn in_batches(n: u64, mut send: impl FnMut(u64), mut wait: impl FnMut()) {
    let mut sent = 0;
    while sent < n {
        let end = (sent + BATCH).min(n);
        (sent..end).for_each(&mut send);
        wait();
        sent = end;
    }
}

/// Prints the ratio: push, handle, and wait once per batch.
pub fn ratios() {
    let system = System::new();
    let quiescence = Quiescence::new();
    let letters = Arc::new(DeadLetterBook::new(16));
    let board = Switchboard::new(letters.clone(), quiescence.clone());
    let supervisor = Supervisor::new(letters, quiescence.clone());
    let (link, guarded, stock) = system.block_on(async {
        let group = supervisor.group("bench", SupervisionPolicy::default().platform, Arc::new(Silent));
        let seat = group.seat::<Sink>("sink").unwrap();
        let (link, guarded) = (board.link("sink", seat.addr().recipient()), seat.addr());
        seat.start(|| Sink(0));
        (link, guarded, Sink(0).start())
    });
    let mut product = |n| in_batches(n, |i| link.push(Tick(i)), || assert!(system.block_on(guarded.send(Done)).is_ok()));
    let mut yardstick = |n| in_batches(n, |i| stock.do_send(Tick(i)), || assert!(system.block_on(stock.send(Done)).is_ok()));
    ratio("hop: push and handle", "stock actix do_send", "<= 1.15", &mut product, &mut yardstick);
}
