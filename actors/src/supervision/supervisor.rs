//! The root of supervision: makes the groups, and shows all of them as one tree.
//!
//! A supervisor decides nothing itself; each [`Group`] does, by its policy. What passes beyond a group (halt, end of
//! the process) is for the group's hooks.
//!
//! Invariant: every group of an engine is made by its one supervisor, so that the tree shows them all.

use std::sync::Arc;

use parking_lot::RwLock;

use super::child::ChildHandle;
use super::dead_letters::DeadLetters;
use super::failure::install_panic_hook;
use super::fault::{FaultSite, InjectError};
use super::group::Group;
use super::hooks::GroupHooks;
use super::policy::GroupPolicy;
use super::tree::SupervisionTree;
use crate::link::quiescence::Quiescence;

/// The root. Cloning shares it.
#[derive(Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

struct Inner {
    groups: RwLock<Vec<Group>>,
    dead_letters: Arc<dyn DeadLetters>,
    quiescence: Quiescence,
}

impl Supervisor {
    /// A root without groups. Give it the quiescence of the links, so that a restart counts as work under way.
    ///
    /// Installs the panic hook of [`install_panic_hook`].
    pub fn new(dead_letters: Arc<dyn DeadLetters>, quiescence: Quiescence) -> Self {
        install_panic_hook();
        Self { inner: Arc::new(Inner { groups: RwLock::new(Vec::new()), dead_letters, quiescence }) }
    }

    /// A new group. Names need not be unique, but the tree is easier to read when they are.
    pub fn group(&self, name: &str, policy: GroupPolicy, hooks: Arc<dyn GroupHooks>) -> Group {
        let inner = &self.inner;
        let group = Group::new(name.into(), policy, hooks, inner.dead_letters.clone(), inner.quiescence.clone());
        inner.groups.write().push(group.clone());
        group
    }

    /// A picture of all groups now.
    pub fn tree(&self) -> SupervisionTree {
        let groups = self.inner.groups.read().clone();
        SupervisionTree { groups: groups.iter().map(Group::view).collect() }
    }

    /// The child of this name, in whichever group it is.
    pub fn child(&self, name: &str) -> Option<ChildHandle> {
        let groups = self.inner.groups.read().clone();
        groups.iter().find_map(|g| g.child(name))
    }

    /// Makes the actor of this name fail. Hand it out only where the configuration allows it.
    pub fn inject(&self, child: &str, site: FaultSite) -> Result<(), InjectError> {
        self.child(child).ok_or_else(|| InjectError::UnknownChild(child.to_owned()))?.inject(site)
    }
}
