//! One group of children under one policy: counts their failures, restarts them together as the strategy says,
//! and gives up when the intensity is exceeded.
//!
//! The group is plain shared state; guards report to it and carry out its orders, on whichever threads they are.
//! An order carries the generation of the child that it meant, so that one that comes late hits nobody else.
//!
//! Invariant: between the failure of a child and the rebuilding of all that restart with it, none of them handles a
//! message; `before_restart` has returned before the first of them is rebuilt.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::failure::{DeadLetters, Failure, FailureKind, FailureReport, fnv1a};
use super::fault::{FaultSite, InjectError, bit_of};
use super::policy::{EscalationKind, GroupPolicy, Scope, Strategy};
use super::round::{Next, Round};
use super::tree::{ChildState, ChildView, GroupView, LastFailure};
use crate::link::quiescence::{Hold, Quiescence};

/// Kinds of failure counted apart in one group; past it counting begins anew. Places in the code bound it in practice.
const FINGERPRINTS_MAX: usize = 4_096;

/// A restart, as the hooks see it.
#[derive(Clone, Debug)]
pub struct RestartEvent {
    /// The group.
    pub group: Arc<str>,
    /// The child that failed, or was told to restart.
    pub cause: Arc<str>,
    /// All that restart, in order.
    pub members: Vec<Arc<str>>,
    /// How long they wait first.
    pub delay: Duration,
    /// Failures counted in the window, this one included.
    pub failures_in_window: u32,
}

/// An escalation, as the hooks see it.
#[derive(Clone, Debug)]
pub struct Escalation {
    /// The group.
    pub group: Arc<str>,
    /// The child whose failure was one too many; it is suspended.
    pub child: Arc<str>,
    /// What the policy wants done.
    pub kind: EscalationKind,
    /// Failures counted in the window, this one included.
    pub failures_in_window: u32,
    /// The last failure.
    pub failure: FailureReport,
}

/// What the world does when a group restarts or gives up. Called on the thread of the guard that reports: be quick.
///
/// A hook that panics while restarting counts as a group that cannot restart: it escalates.
pub trait GroupHooks: Send + Sync {
    /// Before anything is rebuilt: the trading group closes its gate here.
    fn before_restart(&self, event: &RestartEvent) {
        let _ = event;
    }
    /// After all of them run again: `started` of each has returned. Opening the gate is for `Reconciled`, not for this.
    fn after_restart(&self, event: &RestartEvent) {
        let _ = event;
    }
    /// The intensity is exceeded; the child is suspended.
    fn escalated(&self, event: &Escalation);
}

/// What a guard does with its failed actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Wait for the order to rebuild in this round, which is due at this instant.
    Restart {
        /// Number of the round.
        round: u64,
        /// When the back-off ends.
        due: Instant,
    },
    /// Run no more; keep the mailbox.
    Suspend,
}

/// An order to a guard, meant for one generation of its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) generation: u64,
    pub(crate) round: u64,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Pause { due: Instant },
    Rebuild,
    Resume,
}

/// The letter box between a group and one guard.
pub(crate) struct Slot {
    pending: AtomicBool,
    inbox: Mutex<Inbox>,
    pub(crate) loading: AtomicBool,
    /// Armed fault sites, one bit each.
    pub(crate) armed: AtomicU16,
    pub(crate) hang_released: AtomicBool,
    injector: Mutex<Option<Injector>>,
}

pub(crate) type Injector = Box<dyn Fn(FaultSite) -> Result<(), InjectError> + Send + Sync>;

#[derive(Default)]
struct Inbox {
    order: Option<Order>,
    stop: bool,
    suspend: bool,
    fault: Option<FaultSite>,
    waker: Option<Waker>,
}

/// What a guard finds in its letter box.
#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) order: Option<Order>,
    pub(crate) stop: bool,
    pub(crate) suspend: bool,
    pub(crate) fault: Option<FaultSite>,
}

impl Slot {
    fn new() -> Self {
        Self {
            pending: AtomicBool::new(false),
            inbox: Mutex::new(Inbox::default()),
            loading: AtomicBool::new(false),
            armed: AtomicU16::new(0),
            hang_released: AtomicBool::new(false),
            injector: Mutex::new(None),
        }
    }

    /// Registers whom to wake; call before [`Slot::collect`].
    pub(crate) fn register(&self, waker: &Waker) {
        let mut inbox = self.inbox.lock();
        match &mut inbox.waker {
            Some(w) if w.will_wake(waker) => {}
            w => *w = Some(waker.clone()),
        }
    }

    #[inline]
    pub(crate) fn collect(&self) -> Option<Mail> {
        if !self.pending.swap(false, Ordering::AcqRel) {
            return None;
        }
        let mut inbox = self.inbox.lock();
        Some(Mail { order: inbox.order.take(), stop: inbox.stop, suspend: std::mem::take(&mut inbox.suspend), fault: inbox.fault.take() })
    }

    pub(crate) fn has_mail(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    fn post(&self, put: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.inbox.lock();
        put(&mut inbox);
        self.pending.store(true, Ordering::Release);
        let waker = inbox.waker.clone();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Gives an order in place of one that was not collected yet: the newer round has overtaken it.
    fn give(&self, order: Order) {
        self.post(|inbox| inbox.order = Some(order));
    }

    fn take_back(&self) {
        self.inbox.lock().order = None;
    }

    pub(crate) fn set_injector(&self, injector: Injector) {
        *self.injector.lock() = Some(injector);
    }
}

/// Failures within the sliding window.
#[derive(Default)]
struct Window {
    at: VecDeque<Instant>,
}

impl Window {
    fn count(&mut self, now: Instant, window: Duration) -> u32 {
        while self.at.front().is_some_and(|t| now.saturating_duration_since(*t) >= window) {
            self.at.pop_front();
        }
        u32::try_from(self.at.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, now: Instant, window: Duration) -> u32 {
        self.at.push_back(now);
        self.count(now, window)
    }
}

struct Record {
    name: Arc<str>,
    slot: Arc<Slot>,
    state: ChildState,
    generation: u64,
    restarts_total: u64,
    failures: Window,
    last_failure: Option<(FailureReport, Instant)>,
}

struct Active {
    round: Round,
    due: Instant,
    event: RestartEvent,
    _hold: Hold,
}

#[derive(Default)]
struct State {
    children: Vec<Record>,
    rounds: Vec<Active>,
    next_round: u64,
    failures: Window,
    escalated: bool,
    counts: HashMap<u64, u64>,
}

pub(crate) struct GroupInner {
    name: Arc<str>,
    policy: GroupPolicy,
    hooks: Arc<dyn GroupHooks>,
    dead_letters: Arc<dyn DeadLetters>,
    pub(crate) quiescence: Quiescence,
    state: Mutex<State>,
}

/// A group of children. Cloning shares it.
#[derive(Clone)]
pub struct Group {
    pub(crate) inner: Arc<GroupInner>,
}

/// One child of a group, as the wiring and the API hold it. Cloning shares it.
#[derive(Clone)]
pub struct ChildHandle {
    pub(crate) group: Arc<GroupInner>,
    pub(crate) index: usize,
    pub(crate) slot: Arc<Slot>,
    name: Arc<str>,
}

/// The name is taken by a child that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTaken {
    /// The group.
    pub group: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {} has a child named {} already: stop it first, or give another name", self.group, self.name)
    }
}

impl std::error::Error for NameTaken {}

/// The child has restarted since: the order meant an incarnation that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleGeneration {
    /// The generation that was meant.
    pub meant: u64,
    /// The one that runs.
    pub current: u64,
}

impl fmt::Display for StaleGeneration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {} was meant, {} runs: read the tree again", self.meant, self.current)
    }
}

impl std::error::Error for StaleGeneration {}

impl Group {
    pub(crate) fn new(
        name: Arc<str>,
        policy: GroupPolicy,
        hooks: Arc<dyn GroupHooks>,
        dead_letters: Arc<dyn DeadLetters>,
        quiescence: Quiescence,
    ) -> Self {
        Self { inner: Arc::new(GroupInner { name, policy, hooks, dead_letters, quiescence, state: Mutex::new(State::default()) }) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Registers a child; the order of registration is the order of restart. A name whose child has ended may be
    /// used again; its generations go on counting.
    pub(crate) fn register(&self, name: &str) -> Result<ChildHandle, NameTaken> {
        let mut state = self.inner.state.lock();
        let slot = Arc::new(Slot::new());
        let index = if let Some(index) = state.children.iter().position(|c| &*c.name == name) {
            let child = &mut state.children[index];
            if child.state != ChildState::Ended {
                return Err(NameTaken { group: self.inner.name.clone(), name: name.into() });
            }
            child.slot = slot.clone();
            child.state = ChildState::Waiting;
            child.generation += 1;
            child.failures = Window::default();
            index
        } else {
            state.children.push(Record {
                name: name.into(),
                slot: slot.clone(),
                state: ChildState::Waiting,
                generation: 1,
                restarts_total: 0,
                failures: Window::default(),
                last_failure: None,
            });
            state.children.len() - 1
        };
        let name = state.children[index].name.clone();
        Ok(ChildHandle { group: self.inner.clone(), index, slot, name })
    }

    /// The child of this name.
    pub fn child(&self, name: &str) -> Option<ChildHandle> {
        let state = self.inner.state.lock();
        let index = state.children.iter().position(|c| &*c.name == name)?;
        let record = &state.children[index];
        Some(ChildHandle { group: self.inner.clone(), index, slot: record.slot.clone(), name: record.name.clone() })
    }

    /// A picture of the group now.
    pub fn view(&self) -> GroupView {
        let now = Instant::now();
        let window = self.inner.policy.intensity.window;
        let mut state = self.inner.state.lock();
        let escalated = state.escalated || state.children.iter().any(|c| c.state == ChildState::Suspended);
        let children = state.children.iter_mut().map(|c| c.view(now, window)).collect();
        GroupView { name: self.inner.name.clone(), strategy: self.inner.policy.strategy.as_str(), escalated, children }
    }
}

impl Record {
    fn view(&mut self, now: Instant, window: Duration) -> ChildView {
        let state = match self.state {
            ChildState::Running if self.slot.loading.load(Ordering::Acquire) => ChildState::Loading,
            state => state,
        };
        ChildView {
            name: self.name.clone(),
            state,
            restarts_total: self.restarts_total,
            failures_in_window: self.failures.count(now, window),
            generation: self.generation,
            last_failure: self.last_failure.as_ref().map(|(report, at)| LastFailure {
                kind: report.kind,
                what: report.text.clone(),
                at: report.place.clone(),
                message_type: report.message_type,
                message_id: report.message_id,
                ago: now.saturating_duration_since(*at),
            }),
        }
    }

    fn takes_part(&self) -> bool {
        matches!(self.state, ChildState::Running | ChildState::BackingOff)
    }
}

impl State {
    fn count_of(&mut self, fingerprint: u64) -> u64 {
        if self.counts.len() >= FINGERPRINTS_MAX && !self.counts.contains_key(&fingerprint) {
            self.counts.clear();
        }
        let count = self.counts.entry(fingerprint).or_insert(0);
        *count += 1;
        *count
    }

    /// Whom the strategy restarts with child `index`, and whom it takes over from rounds under way.
    fn members(&self, strategy: Strategy, index: usize) -> Vec<usize> {
        let with: Vec<usize> = match strategy {
            Strategy::OneForOne => vec![index],
            Strategy::OneForAll => (0..self.children.len()).collect(),
            Strategy::RestForOne => (index..self.children.len()).collect(),
        };
        let mut members: Vec<usize> = with.into_iter().filter(|i| *i == index || self.children[*i].takes_part()).collect();
        for active in &self.rounds {
            if active.round.members().any(|m| members.contains(&m)) {
                members.extend(active.round.unfinished());
            }
        }
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Opens a round and orders everybody but `index`, who failed and stands already, to pause.
    fn open_round(&mut self, group: &GroupInner, index: usize, delay: Duration, in_window: u32) -> (u64, Instant) {
        let now = Instant::now();
        let members = self.members(group.policy.strategy, index);
        self.rounds.retain(|a| !a.round.members().any(|m| members.contains(&m)));
        self.next_round += 1;
        let id = self.next_round;
        let due = now + delay;
        for member in &members {
            let child = &mut self.children[*member];
            child.state = ChildState::BackingOff;
            let order = Order { generation: child.generation, round: id, what: What::Pause { due } };
            if *member == index {
                // It stands already; an order of a round that this one takes over must not reach it any more.
                child.slot.take_back();
            } else {
                child.slot.give(order);
            }
        }
        let event = RestartEvent {
            group: group.name.clone(),
            cause: self.children[index].name.clone(),
            members: members.iter().map(|m| self.children[*m].name.clone()).collect(),
            delay,
            failures_in_window: in_window,
        };
        let round = Round::new(id, members, delay.is_zero());
        self.rounds.push(Active { round, due, event, _hold: group.quiescence.hold() });
        (id, due)
    }

    /// Gives the orders that follow; returns the events of the rounds that are over.
    fn advance(&mut self) -> Vec<RestartEvent> {
        let mut over = Vec::new();
        for active in &mut self.rounds {
            loop {
                let (members, what) = match active.round.next() {
                    Next::Wait => break,
                    Next::Done => {
                        over.push(active.round.id());
                        break;
                    }
                    Next::Rebuild(member) => (vec![member], What::Rebuild),
                    Next::Resume(members) => (members, What::Resume),
                };
                for member in members {
                    let child = &self.children[member];
                    child.slot.give(Order { generation: child.generation, round: active.round.id(), what });
                }
            }
        }
        let mut events = Vec::new();
        self.rounds.retain(|active| {
            let done = over.contains(&active.round.id());
            if done && active.round.members().next().is_some() {
                events.push(active.event.clone());
            }
            !done
        });
        events
    }

    fn leave_rounds(&mut self, index: usize) {
        for active in &mut self.rounds {
            active.round.remove(index);
        }
    }

    fn active(&mut self, round: u64) -> Option<&mut Active> {
        self.rounds.iter_mut().find(|a| a.round.id() == round)
    }
}

/// Calls a hook; a hook that panics is logged and said so.
fn call(group: &str, hook: &str, f: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => true,
        Err(payload) => {
            let text = super::failure::text_and_drop(payload);
            tracing::error!(group, hook, "supervision hook panicked: {text}");
            false
        }
    }
}

impl GroupInner {
    /// Takes the report of a failure and says what to do. The only way a child is restarted after one.
    fn failed(&self, index: usize, failure: Failure) -> Directive {
        let now = Instant::now();
        let window = self.policy.intensity.window;
        let mut state = self.state.lock();
        let report = self.report(&mut state, index, failure);
        let own = state.children[index].failures.push(now, window);
        let in_window = match self.policy.scope {
            Scope::Group => state.failures.push(now, window),
            Scope::Child => own,
        };
        state.children[index].last_failure = Some((report.clone(), now));
        let mut suspend = in_window > self.policy.intensity.max
            || report.kind == FailureKind::BuildPanicked
            || (self.policy.scope == Scope::Group && state.escalated);
        let mut round = None;
        if !suspend {
            let (id, due) = state.open_round(self, index, self.policy.backoff.delay(in_window), in_window);
            round = state.active(id).map(|active| (id, due, active.event.clone()));
        }
        drop(state);

        report.emit();
        if !call(&self.name, "dead letters", || self.dead_letters.bury(&report)) {
            tracing::error!(group = %self.name, actor = %report.actor, "a dead letter was not buried");
        }

        if let Some((id, due, event)) = round {
            if call(&self.name, "before_restart", || self.hooks.before_restart(&event)) {
                tracing::warn!(
                    group = %self.name, cause = %event.cause, members = event.members.len(),
                    delay_ms = u64::try_from(event.delay.as_millis()).unwrap_or(u64::MAX),
                    failures_in_window = in_window, "restarting"
                );
                self.answer(|state| {
                    if let Some(active) = state.active(id) {
                        active.round.paused(index);
                    }
                });
                return Directive::Restart { round: id, due };
            }
            suspend = true;
        }
        debug_assert!(suspend);
        self.give_up(index, in_window, report);
        Directive::Suspend
    }

    fn report(&self, state: &mut State, index: usize, failure: Failure) -> FailureReport {
        let child = &state.children[index];
        let (actor, generation) = (child.name.clone(), child.generation);
        let message_type = failure.in_hand.map(|h| h.message_type);
        let key = failure.in_hand.map_or(0, |h| h.key);
        let place = failure.place.as_deref().unwrap_or("").as_bytes();
        let kind = failure.kind.as_str().as_bytes();
        let ty = message_type.unwrap_or("").as_bytes();
        let count = state.count_of(fnv1a(&[actor.as_bytes(), ty, place, kind]));
        FailureReport {
            group: self.name.clone(),
            actor,
            kind: failure.kind,
            message_type,
            message_id: failure.in_hand.map(|h| h.id),
            digest: fnv1a(&[ty, &key.to_le_bytes()]),
            text: failure.text,
            place: failure.place,
            count,
            generation,
        }
    }

    fn give_up(&self, index: usize, in_window: u32, failure: FailureReport) {
        let mut first = true;
        let over = {
            let mut state = self.state.lock();
            state.children[index].state = ChildState::Suspended;
            if self.policy.scope == Scope::Group {
                first = !std::mem::replace(&mut state.escalated, true);
            }
            state.leave_rounds(index);
            state.advance()
        };
        self.finished(over);
        let event = Escalation {
            group: self.name.clone(),
            child: failure.actor.clone(),
            kind: self.policy.escalation,
            failures_in_window: in_window,
            failure,
        };
        tracing::error!(
            group = %event.group, child = %event.child, escalation = event.kind.as_str(),
            failures_in_window = in_window, "intensity exceeded: child suspended"
        );
        if first && !call(&self.name, "escalated", || self.hooks.escalated(&event)) {
            tracing::error!(group = %self.name, "the escalation was not carried out");
        }
    }

    /// Takes an answer to an order, and gives the orders that follow.
    fn answer(&self, put: impl FnOnce(&mut State)) {
        let over = {
            let mut state = self.state.lock();
            put(&mut state);
            state.advance()
        };
        self.finished(over);
    }

    fn finished(&self, over: Vec<RestartEvent>) {
        for event in over {
            if call(&self.name, "after_restart", || self.hooks.after_restart(&event)) {
                tracing::info!(group = %event.group, cause = %event.cause, members = event.members.len(), "restarted");
            }
        }
    }
}

impl ChildHandle {
    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Says whether the actor is loading its state and takes no messages yet; shown in the tree.
    pub fn set_loading(&self, loading: bool) {
        self.slot.loading.store(loading, Ordering::Release);
    }

    /// Where it stands, and its generation.
    pub fn standing(&self) -> (ChildState, u64) {
        let state = self.group.state.lock();
        state.children.get(self.index).map_or((ChildState::Ended, 0), |c| (c.state, c.generation))
    }

    /// Restarts this generation of the child, with those that the strategy restarts with it, at once. Counts as no
    /// failure. A suspended child is revived by it, with an empty window.
    pub fn restart(&self, generation: u64) -> Result<(), StaleGeneration> {
        let mut state = self.group.state.lock();
        let current = state.children[self.index].generation;
        if current != generation {
            return Err(StaleGeneration { meant: generation, current });
        }
        match state.children[self.index].state {
            ChildState::Ended | ChildState::Waiting => return Ok(()),
            ChildState::Suspended => {
                state.children[self.index].failures = Window::default();
                state.failures = Window::default();
                state.escalated = false;
            }
            ChildState::Running | ChildState::Loading | ChildState::BackingOff => {}
        }
        let (id, due) = state.open_round(&self.group, self.index, Duration::ZERO, 0);
        let order = Order { generation, round: id, what: What::Pause { due } };
        let event = state.active(id).map(|a| a.event.clone());
        drop(state);
        let Some(event) = event else { return Ok(()) };
        if call(&self.group.name, "before_restart", || self.group.hooks.before_restart(&event)) {
            let mut state = self.group.state.lock();
            // Unless a failure has opened a newer round meanwhile.
            if state.active(id).is_some() {
                self.slot.give(order);
            }
        } else {
            let failure = Failure {
                kind: FailureKind::RestartPanicked,
                in_hand: None,
                text: "the hook before the restart panicked".to_owned(),
                place: None,
            };
            let report = self.group.report(&mut self.group.state.lock(), self.index, failure);
            self.slot.post(|inbox| inbox.suspend = true);
            self.group.give_up(self.index, 0, report);
        }
        Ok(())
    }

    /// Ends the child for good: its guard drops the actor and its mailbox. What is still queued is reported undelivered.
    pub fn stop(&self) {
        self.slot.post(|inbox| inbox.stop = true);
    }

    /// Makes the actor fail. For tests and demonstrations: hand this out only where the configuration allows it.
    pub fn inject(&self, site: FaultSite) -> Result<(), InjectError> {
        let (standing, generation) = self.standing();
        if standing != ChildState::Running {
            return Err(InjectError::NotRunning);
        }
        match site {
            FaultSite::Turn | FaultSite::Hang => {
                self.slot.hang_released.store(false, Ordering::Release);
                self.slot.post(|inbox| inbox.fault = Some(site));
                Ok(())
            }
            FaultSite::Started | FaultSite::Restarting => {
                if self.slot.injector.lock().is_none() {
                    return Err(InjectError::NotFaultable(site));
                }
                self.slot.armed.fetch_or(bit_of(site), Ordering::AcqRel);
                self.restart(generation).map_err(|_| InjectError::NotRunning)
            }
            site => match &*self.slot.injector.lock() {
                Some(injector) => injector(site),
                None => Err(InjectError::NotFaultable(site)),
            },
        }
    }

    /// Ends an injected hang; for tests, whose process goes on.
    pub fn release_hang(&self) {
        self.slot.hang_released.store(true, Ordering::Release);
    }

    pub(crate) fn failed(&self, failure: Failure) -> Directive {
        self.group.failed(self.index, failure)
    }

    /// The guard runs its actor for the first time.
    pub(crate) fn started(&self) -> u64 {
        let mut state = self.group.state.lock();
        let child = &mut state.children[self.index];
        child.state = ChildState::Running;
        child.generation
    }

    pub(crate) fn paused(&self, round: u64) {
        self.group.answer(|state| {
            if let Some(active) = state.active(round) {
                active.round.paused(self.index);
            }
        });
    }

    pub(crate) fn due(&self, round: u64) {
        self.group.answer(|state| {
            if let Some(active) = state.active(round)
                && active.due <= Instant::now()
            {
                active.round.due();
            }
        });
    }

    /// The actor's state is rebuilt: a new generation. Returns its number.
    pub(crate) fn rebuilt(&self, round: u64) -> u64 {
        let mut generation = 0;
        self.group.answer(|state| {
            let child = &mut state.children[self.index];
            child.generation += 1;
            child.restarts_total += 1;
            generation = child.generation;
            if let Some(active) = state.active(round) {
                active.round.rebuilt(self.index);
            } else if let Some(active) = state.rounds.iter().find(|a| a.round.members().any(|m| m == self.index)) {
                // A newer round took over while this one rebuilt; its order meant the generation before.
                let order = Order { generation, round: active.round.id(), what: What::Pause { due: active.due } };
                self.slot.give(order);
            }
        });
        generation
    }

    /// The rebuilt actor has run.
    pub(crate) fn up(&self, round: u64) {
        self.group.answer(|state| {
            if let Some(active) = state.active(round) {
                active.round.up(self.index);
                state.children[self.index].state = ChildState::Running;
            }
        });
    }

    pub(crate) fn ended(&self) {
        self.group.answer(|state| {
            let child = &mut state.children[self.index];
            // The name may have been given to a new child meanwhile.
            if Arc::ptr_eq(&child.slot, &self.slot) {
                child.state = ChildState::Ended;
                state.leave_rounds(self.index);
            }
        });
    }
}
