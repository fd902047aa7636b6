//! A picture of all groups and their children at one instant, for the API and the health gauges.
//!
//! Plain data without domain types; the API decides how it is written.

use std::sync::Arc;
use std::time::Duration;

use super::failure::FailureKind;

/// Where a child stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildState {
    /// Its mailbox is there, the actor is not started yet.
    Waiting,
    /// It runs, but loads its state and takes no messages yet.
    Loading,
    /// It runs.
    Running,
    /// It failed, or was told to restart with one that failed, and waits out the back-off.
    BackingOff,
    /// It failed too often: it runs no more, its mailbox lives.
    Suspended,
    /// It was stopped, or nobody held its address any more.
    Ended,
}

impl ChildState {
    /// Stable name, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Loading => "loading",
            Self::Running => "running",
            Self::BackingOff => "backing_off",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
        }
    }
}

/// The last failure of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// How it failed.
    pub kind: FailureKind,
    /// Text of the panic.
    pub what: String,
    /// Place of the panic, `file:line`.
    pub at: Option<String>,
    /// Type of the message in hand.
    pub message_type: Option<&'static str>,
    /// Id of the message in hand.
    pub message_id: Option<u64>,
    /// How long ago.
    pub ago: Duration,
}

/// One child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildView {
    /// Its name, unique in the group.
    pub name: Arc<str>,
    /// Where it stands.
    pub state: ChildState,
    /// How often it was restarted since the process started.
    pub restarts_total: u64,
    /// How often it failed within the group's window that ends now.
    pub failures_in_window: u32,
    /// Its incarnation, from 1; grows by one with each restart.
    pub generation: u64,
    /// Its last failure.
    pub last_failure: Option<LastFailure>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Its name.
    pub name: Arc<str>,
    /// Its strategy, as in the settings.
    pub strategy: &'static str,
    /// Whether its intensity was exceeded and nobody has revived it since.
    pub escalated: bool,
    /// Its children, in the order of their registration.
    pub children: Vec<ChildView>,
}

/// All groups, in the order of their creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisionTree {
    /// The groups.
    pub groups: Vec<GroupView>,
}

impl SupervisionTree {
    /// The child of this name, in whichever group it is.
    pub fn child(&self, name: &str) -> Option<&ChildView> {
        self.groups.iter().flat_map(|g| &g.children).find(|c| &*c.name == name)
    }

    /// Restarts of all children since the process started.
    pub fn restarts_total(&self) -> u64 {
        self.groups.iter().flat_map(|g| &g.children).map(|c| c.restarts_total).sum()
    }
}
