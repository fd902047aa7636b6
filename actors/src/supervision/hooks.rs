//! What the world does when a group restarts its children or gives up: halt, exit, reduce-only, tell somebody.
//!
//! Invariant: `before_restart` has returned before any child is rebuilt, and `escalated` comes once per escalation.

use std::sync::Arc;
use std::time::Duration;

use super::failure::FailureReport;
use super::policy::EscalationKind;

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
