//! Links: nothing lost silently, latest wins where told, idleness known, the way in bounded.

mod probe;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use fulmar_actors::link::{AskError, Envelope, IngressError, Origin, Pushed};
use fulmar_actors::supervision::dead_letters::WhyUndelivered;
use fulmar_actors::supervision::policy::{GroupPolicy, Strategy};
use parking_lot::Mutex;
use probe::*;

#[test]
fn of_the_messages_of_one_key_only_the_newest_is_handled_and_other_keys_stand_apart() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "a");
        // The key is the last digit.
        for n in [1, 11, 2, 21, 12, 31] {
            child.link.push_latest(Job::Good(n));
        }
        child.link.push(Job::Good(100));
        assert_eq!(child.link.depth(), 3, "one message per key and the one that is never conflated");
        world.idle().await;
        assert_eq!(child.handled(), [31, 12, 100]);
        child.link.push_latest(Job::Good(41));
        world.idle().await;
        assert_eq!(child.handled(), [31, 12, 100, 41]);
        let depth = &world.board.depths()[0];
        assert_eq!((depth.pushed, depth.conflated, depth.undelivered, depth.depth), (8, 4, 0, 0));
        assert_eq!(world.book.undelivered_total(), 0);
    });
}

#[test]
fn a_poison_that_is_the_newest_of_its_key_leaves_the_key_usable() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "a");
        child.link.push_latest(Job::Poison(1));
        child.link.push_latest(Job::Poison(2));
        world.idle().await;
        child.link.push_latest(Job::Poison(3));
        world.idle().await;
        let texts: Vec<_> = world.book.failures().iter().map(|f| f.text.clone()).collect();
        assert_eq!(texts, ["poison 2", "poison 3"]);
    });
}

#[test]
fn a_suspended_consumer_holds_one_message_per_key_however_many_come() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", GroupPolicy::audit());
        let child = world.child(&group, "a");
        settle().await;
        for n in 0..6 {
            child.link.push(Job::Poison(n));
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        assert_eq!(world.state("a"), "suspended");
        for n in 0..100_000 {
            child.link.push_latest(Job::Good(n));
        }
        assert_eq!(child.link.depth(), 10);
    });
}

#[test]
fn a_message_carries_its_id_its_cause_and_the_stamp_of_its_frame() {
    virtual_time(async {
        let world = World::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let probe = world.board.probe::<Job>("probe", {
            let seen = seen.clone();
            move |e: Envelope<Job>| seen.lock().push((e.id, e.cause, e.received_ns))
        });
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child_then(&group, "a", Some(probe));
        child.link.push_from(Origin::frame(77), Job::Good(1));
        child.link.push(Job::Good(2));
        world.idle().await;
        assert_eq!(*seen.lock(), [(3, 1, 77), (4, 2, 0)]);
    });
}

#[test]
fn a_tap_sees_every_message_and_a_full_link_sheds_only_where_told() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "a");
        let tapped = Arc::new(Mutex::new(0));
        let link = world.board.link::<Job>("bounded", child.addr.clone().recipient()).with_bound(3).with_tap({
            let tapped = tapped.clone();
            move |_| *tapped.lock() += 1
        });
        let pushed: Vec<_> = (0..5).map(|n| link.push_or_shed(Job::Good(n))).collect();
        assert_eq!(pushed, [Pushed::Queued, Pushed::Queued, Pushed::Queued, Pushed::Shed, Pushed::Shed]);
        link.push(Job::Good(9));
        world.idle().await;
        assert_eq!(child.handled(), [0, 1, 2, 9]);
        assert_eq!(*tapped.lock(), 4);
        assert!(world.book.undelivered_messages().iter().all(|u| u.why == WhyUndelivered::Shed));
        assert_eq!(world.book.undelivered_total(), 2);
    });
}

#[test]
fn a_message_to_an_actor_that_is_gone_is_reported() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "a");
        settle().await;
        child.handle.stop();
        settle().await;
        child.link.push(Job::Good(1));
        child.link.push_latest(Job::Good(2));
        let why: Vec<_> = world.book.undelivered_messages().iter().map(|u| u.why).collect();
        assert_eq!(why, [WhyUndelivered::ReceiverGone; 2]);
        assert_eq!(world.quiescence.busy(), 0);
    });
}

#[test]
fn idle_waits_for_queued_messages_restarts_and_held_work_and_resolves_at_once_when_nothing_is() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", GroupPolicy::strategies());
        let child = world.child(&group, "a");
        settle().await;
        world.quiescence.idle().await;
        child.link.push(Job::Poison(1));
        child.link.push(Job::Poison(2));
        child.push([3]);
        let before = tokio::time::Instant::now();
        world.idle().await;
        assert!(before.elapsed() >= Duration::from_secs(1), "the second restart waits a second");
        assert_eq!((child.handled(), world.quiescence.busy()), (vec![3], 0));
        let hold = world.quiescence.hold();
        let waited = tokio::time::timeout(Duration::from_secs(9), world.quiescence.idle()).await;
        assert!(waited.is_err(), "held work is work");
        drop(hold);
        world.quiescence.idle().await;
    });
}

#[test]
fn idle_awaited_from_other_threads_is_never_missed() {
    real_time(async {
        let world = World::new();
        for _ in 0..2_000 {
            let hold = world.quiescence.hold();
            let dropper = std::thread::spawn(move || drop(hold));
            tokio::time::timeout(Duration::from_secs(10), world.quiescence.idle()).await.expect("the wake-up is not lost");
            dropper.join().expect("the dropper ends well");
        }
    });
}

#[test]
fn the_way_in_is_bounded_and_survives_the_restarts_of_its_actor() {
    const COUNT: u64 = 20_000;
    real_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "a");
        let (ingress, pump) = world.board.ingress(child.link.clone(), 8, 4);
        actix::spawn(pump.run());
        let sender = std::thread::spawn({
            let link = child.link.clone();
            move || {
                let mut deepest = 0;
                for n in 0..COUNT {
                    let job = if n % 100 == 50 { Job::Poison(n) } else { Job::Good(n) };
                    ingress.blocking_push(Origin::frame(n), job).expect("the pump runs");
                    deepest = deepest.max(link.depth());
                }
                deepest
            }
        });
        while !sender.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let deepest = sender.join().expect("the sender ends well");
        world.idle().await;
        // Capacity, credits, the one in the pump's hand and the one in the sender's.
        assert!(deepest <= 8 + 4 + 2, "{deepest} messages under way");
        assert_eq!(child.handled(), (0..COUNT).filter(|n| n % 100 != 50).collect::<Vec<_>>());
        assert_eq!(world.book.failures_total(), COUNT / 100);
    });
}

#[test]
fn the_way_in_says_full_and_closed_and_gives_the_message_back() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "a");
        let (ingress, pump) = world.board.ingress(child.link.clone(), 1, 1);
        assert_eq!(ingress.try_push(Origin::default(), Job::Good(1)), Ok(()));
        assert_eq!(ingress.try_push(Origin::default(), Job::Good(2)), Err(IngressError::Full(Job::Good(2))));
        drop(pump);
        assert_eq!(ingress.push(Origin::default(), Job::Good(3)).await, Err(IngressError::Closed(Job::Good(3))));
        assert_eq!(world.book.undelivered_total(), 1);
        assert_eq!(world.quiescence.busy(), 0);
    });
}

struct Question(u64);
impl Message for Question {
    type Result = u64;
}
impl Handler<Question> for Probe {
    type Result = ResponseActFuture<Self, u64>;
    fn handle(&mut self, question: Question, _: &mut Self::Context) -> Self::Result {
        assert_ne!(question.0, 13, "a poison question");
        let slow = async move {
            if question.0 == 99 {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            question.0 * 2
        };
        Box::pin(slow.into_actor(self))
    }
}

#[test]
fn an_ask_tells_an_answer_a_restart_a_timeout_and_a_gone_actor_apart() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let child = world.child(&group, "a");
        let ask = world.board.ask(child.addr.clone().recipient::<Question>());
        let second = Duration::from_secs(1);
        assert_eq!(ask.ask(Question(21), second).await, Ok(42));
        assert_eq!(ask.ask(Question(13), second).await, Err(AskError::Restarted { maybe_executed: true }));
        assert_eq!(ask.ask(Question(21), second).await, Ok(42));
        assert_eq!(ask.ask(Question(99), second).await, Err(AskError::Timeout { after: second }));
        child.handle.stop();
        settle().await;
        assert_eq!(ask.ask(Question(21), second).await, Err(AskError::Gone));
    });
}

/// An actor that forgets the tag: its failure still names the message.
struct Careless;
impl Actor for Careless {
    type Context = Context<Self>;
}
impl Supervised for Careless {}
impl Handler<Envelope<Job>> for Careless {
    type Result = ();
    fn handle(&mut self, envelope: Envelope<Job>, _: &mut Self::Context) {
        assert_ne!(envelope.body, Job::Good(1), "careless");
    }
}

#[test]
fn the_poison_of_a_handler_without_a_tag_is_named_all_the_same() {
    virtual_time(async {
        let world = World::new();
        let group = world.group("g", tireless(Strategy::OneForOne));
        let addr = group.seat::<Careless>("careless").expect("a free name").start(|| Careless);
        let link = world.board.link::<Job>("to careless", addr.recipient());
        link.push(Job::Good(1));
        world.idle().await;
        let report = &world.book.failures()[0];
        assert_eq!(report.message_id, Some(1));
        assert!(report.message_type.is_some_and(|t| t.ends_with("Job")));
    });
}
