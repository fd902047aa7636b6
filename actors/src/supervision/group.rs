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
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::child::ChildHandle;
use super::dead_letters::DeadLetters;
use super::failure::{Failure, FailureKind, FailureReport, fnv1a};
use super::hooks::{Escalation, GroupHooks, RestartEvent};
use super::policy::{GroupPolicy, Scope, Strategy};
use super::round::{Next, Round};
use super::slot::{Order, Slot, What};
use super::tree::{ChildState, ChildView, GroupView, LastFailure};
use crate::link::quiescence::{Hold, Quiescence};

/// Kinds of failure counted apart in one group; past it counting begins anew. Places in the code bound it in practice.
const FINGERPRINTS_MAX: usize = 4_096;

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

/// Failures within the sliding window.
#[derive(Default)]
pub(super) struct Window {
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

pub(super) struct Record {
    pub(super) name: Arc<str>,
    pub(super) slot: Arc<Slot>,
    pub(super) state: ChildState,
    pub(super) generation: u64,
    pub(super) restarts_total: u64,
    pub(super) failures: Window,
    pub(super) last_failure: Option<(FailureReport, Instant)>,
}

pub(super) struct Active {
    pub(super) round: Round,
    pub(super) due: Instant,
    pub(super) event: RestartEvent,
    pub(super) _hold: Hold,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) children: Vec<Record>,
    pub(super) rounds: Vec<Active>,
    pub(super) next_round: u64,
    pub(super) failures: Window,
    pub(super) escalated: bool,
    pub(super) counts: HashMap<u64, u64>,
}

pub(crate) struct GroupInner {
    pub(super) name: Arc<str>,
    pub(super) policy: GroupPolicy,
    pub(super) hooks: Arc<dyn GroupHooks>,
    pub(super) dead_letters: Arc<dyn DeadLetters>,
    pub(crate) quiescence: Quiescence,
    pub(super) state: Mutex<State>,
}

/// A group of children. Cloning shares it.
#[derive(Clone)]
pub struct Group {
    pub(crate) inner: Arc<GroupInner>,
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
    pub(super) fn open_round(&mut self, group: &GroupInner, index: usize, delay: Duration, in_window: u32) -> (u64, Instant) {
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

    pub(super) fn leave_rounds(&mut self, index: usize) {
        for active in &mut self.rounds {
            active.round.remove(index);
        }
    }

    pub(super) fn active(&mut self, round: u64) -> Option<&mut Active> {
        self.rounds.iter_mut().find(|a| a.round.id() == round)
    }
}

/// Calls a hook; a hook that panics is logged and said so.
pub(super) fn call(group: &str, hook: &str, f: impl FnOnce()) -> bool {
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
    pub(super) fn failed(&self, index: usize, failure: Failure) -> Directive {
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

    pub(super) fn report(&self, state: &mut State, index: usize, failure: Failure) -> FailureReport {
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

    pub(super) fn give_up(&self, index: usize, in_window: u32, failure: FailureReport) {
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
    pub(super) fn answer(&self, put: impl FnOnce(&mut State)) {
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
