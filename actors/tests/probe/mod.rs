//! A small world for the supervision tests: probe actors, recorded hooks, virtual time.
#![allow(dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use fulmar_actors::link::quiescence::Quiescence;
use fulmar_actors::link::{Envelope, Link, Switchboard};
use fulmar_actors::supervision::child::ChildHandle;
use fulmar_actors::supervision::dead_letters::{DeadLetterBook, DeadLetters};
use fulmar_actors::supervision::fault::{self, FaultSite};
use fulmar_actors::supervision::group::Group;
use fulmar_actors::supervision::hooks::{Escalation, GroupHooks, RestartEvent};
use fulmar_actors::supervision::policy::{Backoff, EscalationKind, GroupPolicy, Intensity, Scope, Strategy};
use fulmar_actors::supervision::supervisor::Supervisor;
use parking_lot::Mutex;

/// Runs on one arbiter whose clock only moves when nothing else can.
pub fn virtual_time<F: Future>(test: F) -> F::Output {
    let runner =
        System::with_tokio_rt(|| tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime"));
    runner.block_on(test)
}

/// Runs on real time.
pub fn real_time<F: Future>(test: F) -> F::Output {
    System::new().block_on(test)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Handled and written down.
    Good(u64),
    /// Panics with a text.
    Poison(u64),
    /// Panics with a payload whose drop panics.
    NastyPoison(u64),
    /// Sends a good job on and then panics.
    PushThenPoison(u64),
    /// Stops the actor itself.
    Stop,
}

pub struct Nasty;
impl Drop for Nasty {
    fn drop(&mut self) {
        panic!("the payload's drop panics");
    }
}

/// What happened in a world, in order.
#[derive(Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub fn write(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }
    pub fn count(&self, start: &str) -> usize {
        self.0.lock().iter().filter(|l| l.starts_with(start)).count()
    }
}

/// The numbers that a probe handled, kept outside the actor.
pub type Handled = Arc<Mutex<Vec<u64>>>;

pub struct Probe {
    pub name: String,
    pub diary: Diary,
    pub handled: Handled,
    pub next: Option<Link<Job>>,
    /// While set, `restarting` panics.
    pub cannot_restart: Arc<AtomicBool>,
    /// While set, `started` panics.
    pub cannot_start: Arc<AtomicBool>,
}

impl Actor for Probe {
    type Context = Context<Self>;
    fn started(&mut self, _: &mut Self::Context) {
        fault::point(FaultSite::Started);
        assert!(!self.cannot_start.load(Ordering::SeqCst), "cannot start");
        self.diary.write(format!("started {}", self.name));
    }
}

impl Supervised for Probe {
    fn restarting(&mut self, _: &mut Self::Context) {
        fault::point(FaultSite::Restarting);
        assert!(!self.cannot_restart.load(Ordering::SeqCst), "cannot restart");
        self.diary.write(format!("restarting {}", self.name));
    }
}

impl Handler<Envelope<Job>> for Probe {
    type Result = ();
    fn handle(&mut self, envelope: Envelope<Job>, ctx: &mut Self::Context) {
        let _tag = envelope.tag();
        match envelope.body {
            Job::Good(n) => {
                self.handled.lock().push(n);
                if let Some(next) = &self.next {
                    next.push(Job::Good(n));
                }
            }
            Job::Poison(n) => panic!("poison {n}"),
            Job::NastyPoison(_) => std::panic::panic_any(Nasty),
            Job::PushThenPoison(n) => {
                if let Some(next) = &self.next {
                    next.push(Job::Good(n));
                }
                panic!("poison {n}");
            }
            Job::Stop => ctx.stop(),
        }
    }
}

fulmar_actors::faultable!(Probe);
fulmar_actors::conflated!(Probe: Job);

#[derive(Clone, Default)]
pub struct Hooks {
    pub diary: Diary,
    pub escalations: Arc<Mutex<Vec<Escalation>>>,
    pub restarts: Arc<Mutex<Vec<RestartEvent>>>,
    pub panics: Arc<AtomicBool>,
}

impl GroupHooks for Hooks {
    fn before_restart(&self, event: &RestartEvent) {
        assert!(!self.panics.load(Ordering::SeqCst), "the hook panics");
        self.diary.write(format!("before {}", event.cause));
        self.restarts.lock().push(event.clone());
    }
    fn after_restart(&self, event: &RestartEvent) {
        self.diary.write(format!("after {}", event.cause));
    }
    fn escalated(&self, event: &Escalation) {
        self.diary.write(format!("escalated {}", event.child));
        self.escalations.lock().push(event.clone());
    }
}

pub struct World {
    pub supervisor: Supervisor,
    pub board: Switchboard,
    pub book: Arc<DeadLetterBook>,
    pub hooks: Hooks,
    pub diary: Diary,
    pub quiescence: Quiescence,
}

pub struct Child {
    pub addr: Addr<Probe>,
    pub link: Link<Job>,
    pub handle: ChildHandle,
    pub handled: Handled,
    pub cannot_restart: Arc<AtomicBool>,
    pub cannot_start: Arc<AtomicBool>,
}

impl Child {
    pub fn handled(&self) -> Vec<u64> {
        self.handled.lock().clone()
    }
    pub fn push(&self, numbers: impl IntoIterator<Item = u64>) {
        for n in numbers {
            self.link.push(Job::Good(n));
        }
    }
}

impl World {
    pub fn new() -> Self {
        let book = Arc::new(DeadLetterBook::new(1_000_000));
        let quiescence = Quiescence::new();
        let letters: Arc<dyn DeadLetters> = book.clone();
        let hooks = Hooks::default();
        Self {
            supervisor: Supervisor::new(letters.clone(), quiescence.clone()),
            board: Switchboard::new(letters, quiescence.clone()),
            book,
            diary: hooks.diary.clone(),
            hooks,
            quiescence,
        }
    }

    pub fn group(&self, name: &str, policy: GroupPolicy) -> Group {
        self.supervisor.group(name, policy, Arc::new(self.hooks.clone()))
    }

    pub fn child(&self, group: &Group, name: &str) -> Child {
        self.child_then(group, name, None)
    }

    pub fn child_then(&self, group: &Group, name: &str, next: Option<Link<Job>>) -> Child {
        let (probe, cannot_restart, cannot_start) = self.probe(name, next);
        let handled = probe.handled.clone();
        let seat = group.seat::<Probe>(name).expect("a free name").with_faults();
        let handle = seat.child();
        let addr = seat.start(move || probe);
        let link = self.board.link_latest(name, addr.clone().recipient(), addr.clone().recipient(), |job| match job {
            Job::Good(n) => n % 10,
            _ => 100,
        });
        Child { addr, link, handle, handled, cannot_restart, cannot_start }
    }

    pub fn probe(&self, name: &str, next: Option<Link<Job>>) -> (Probe, Arc<AtomicBool>, Arc<AtomicBool>) {
        let (cannot_restart, cannot_start) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let probe = Probe {
            name: name.to_owned(),
            diary: self.diary.clone(),
            handled: Handled::default(),
            next,
            cannot_restart: cannot_restart.clone(),
            cannot_start: cannot_start.clone(),
        };
        (probe, cannot_restart, cannot_start)
    }

    /// Awaits idleness; a test that would hang fails instead.
    pub async fn idle(&self) {
        let idle = tokio::time::timeout(Duration::from_secs(40), self.quiescence.idle()).await;
        assert!(idle.is_ok(), "never idle: {} under way, {:#?}", self.quiescence.busy(), self.supervisor.tree());
    }

    pub fn state(&self, child: &str) -> &'static str {
        self.supervisor.tree().child(child).map_or("unknown", |c| c.state.as_str())
    }

    pub fn restarts(&self, child: &str) -> u64 {
        self.supervisor.tree().child(child).map_or(0, |c| c.restarts_total)
    }
}

/// A policy that never gives up and never waits.
pub fn tireless(strategy: Strategy) -> GroupPolicy {
    GroupPolicy {
        strategy,
        scope: Scope::Group,
        intensity: Intensity { max: u32::MAX, window: Duration::from_millis(1) },
        backoff: Backoff { min: Duration::ZERO, max: Duration::ZERO },
        escalation: EscalationKind::Degrade,
    }
}

/// Lets due timers and spawned work run.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
