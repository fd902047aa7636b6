//! By what the API reaches the engine: commands go in, pictures come out. The wiring implements these.

use fulmar_domain::control::Command;
use fulmar_domain::id::DecisionId;
use fulmar_ports::BoxFuture;
use serde::Serialize;

/// Takes the operator's commands.
pub trait CommandDesk: Send + Sync {
    /// Hands a command over. Resolves once it is journalled; after that it takes effect whatever happens to the caller.
    /// The error is one sentence: why it was not recorded. Such a command has had no effect.
    fn submit(&self, command: Command) -> BoxFuture<'static, Result<(), String>>;
    /// A new correlation id, unique within this run and among the decisions of the strategies.
    fn next_decision(&self) -> DecisionId;
}

/// Why an actor could not be made to fail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InjectFault {
    /// No actor has this name.
    #[error("no actor is named {0:?}: GET /api/v1/supervision lists them")]
    UnknownActor(String),
    /// The place is unknown, or this actor cannot fail there.
    #[error("{0}")]
    BadSite(String),
    /// It does not run now.
    #[error("{0}")]
    NotNow(String),
}

/// Shows the supervision tree and, where allowed, shakes it.
pub trait SupervisionDesk: Send + Sync {
    /// The tree as it stands.
    fn tree(&self) -> SupervisionView;
    /// Makes an actor fail at a place.
    ///
    /// # Errors
    /// [`InjectFault`].
    fn inject(&self, actor: &str, site: &str) -> Result<(), InjectFault>;
    /// The configuration allows [`SupervisionDesk::inject`].
    fn faults_enabled(&self) -> bool;
}

/// The whole tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SupervisionView {
    /// Groups in the order of their creation.
    pub groups: Vec<GroupShape>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupShape {
    /// Its name, such as `trading`.
    pub name: String,
    /// Its strategy, such as `one_for_all`.
    pub strategy: String,
    /// Its intensity in words, such as `3 in 60 s`.
    pub intensity: String,
    /// Its intensity was exceeded and nobody has revived it since.
    pub escalated: bool,
    /// Its actors.
    pub children: Vec<ChildShape>,
}

/// One actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChildShape {
    /// Its name, as taken by the fault path.
    pub name: String,
    /// waiting, loading, running, backing_off, suspended or ended.
    pub state: String,
    /// Restarts since the process started.
    pub restarts: u64,
    /// Failures within the group's window that ends now.
    pub failures_in_window: u32,
    /// Its incarnation, from 1.
    pub generation: u64,
    /// Its last failure.
    pub last_failure: Option<FailureShape>,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureShape {
    /// How it failed, such as `panic`.
    pub kind: String,
    /// Text of the panic.
    pub text: String,
    /// `file:line`, where known.
    pub place: Option<String>,
    /// Type of the message in hand, where one was.
    pub message_type: Option<String>,
    /// Its number.
    pub message_id: Option<u64>,
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
}

impl SupervisionView {
    /// The same without what changes by the mere passing of time, for comparison.
    #[must_use]
    pub fn timeless(&self) -> Self {
        let mut view = self.clone();
        for child in view.groups.iter_mut().flat_map(|g| &mut g.children) {
            child.failures_in_window = 0;
            if let Some(failure) = &mut child.last_failure {
                failure.ago_ms = 0;
            }
        }
        view
    }
}

/// How well a part does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// Worse than it should be; trading goes on.
    Degraded,
    /// Trading is not possible.
    Failing,
}

/// One part of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthCheck {
    /// Which part: `feed`, `journal`, `store`, `exchange`, `lease`, …
    pub name: String,
    /// How well.
    pub status: CheckStatus,
    /// One sentence.
    pub detail: String,
}

/// Answers how the parts of the engine do. Called on the API's threads: reads what is known, asks nobody.
pub trait HealthDesk: Send + Sync {
    /// All parts.
    fn checks(&self) -> Vec<HealthCheck>;
}
