//! One child of a group: the handle by which the wiring and the API reach it, and by which its guard answers.
//!
//! Invariant: an order that means an earlier generation of the child is refused or ignored.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::{Failure, FailureKind};
use super::fault::{FaultSite, InjectError, bit_of};
use super::group::{Directive, GroupInner, Window, call};
use super::slot::{Order, Slot, What};
use super::tree::ChildState;

/// One child of a group, as the wiring and the API hold it. Cloning shares it.
#[derive(Clone)]
pub struct ChildHandle {
    pub(crate) group: Arc<GroupInner>,
    pub(crate) index: usize,
    pub(crate) slot: Arc<Slot>,
    pub(super) name: Arc<str>,
}

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
