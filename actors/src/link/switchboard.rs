//! The switchboard: makes the links of an engine, numbers their messages and counts their depth.
//!
//! Invariant: a link's depth is the number of its messages that are queued or being handled, at every instant.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::{Message, Recipient};
use parking_lot::Mutex;

use super::latest::{Slots, Wake};
use super::quiescence::Quiescence;
use super::{Ask, Envelope, Ids, Ingress, Link, LinkInner, Outlet, Pump, pump};
use crate::supervision::dead_letters::{DeadLetters, Undelivered};

/// Bound of a link for `push_or_shed` unless another is given: at 100,000 messages a second this is 0.6 s of work.
const BOUND_DEFAULT: u64 = 65_536;

/// Makes links. Cloning shares it.
#[derive(Clone)]
pub struct Switchboard {
    inner: Arc<Inner>,
}

struct Inner {
    ids: Arc<Ids>,
    quiescence: Quiescence,
    dead_letters: Arc<dyn DeadLetters>,
    links: Mutex<Vec<Weak<LinkStats>>>,
}

/// The counters of one link.
pub(super) struct LinkStats {
    name: Arc<str>,
    ids: Arc<Ids>,
    quiescence: Quiescence,
    dead_letters: Arc<dyn DeadLetters>,
    pushed: AtomicU64,
    left: AtomicU64,
    conflated: AtomicU64,
    shed: AtomicU64,
    lost: AtomicU64,
}

/// A link's counters at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkDepth {
    /// The link.
    pub name: Arc<str>,
    /// Messages queued or being handled.
    pub depth: u64,
    /// Messages pushed so far.
    pub pushed: u64,
    /// Messages superseded by a newer one of their key.
    pub conflated: u64,
    /// Messages dropped at the bound.
    pub shed: u64,
    /// Messages that reached no handler, the shed ones included.
    pub undelivered: u64,
}

impl LinkStats {
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn quiescence(&self) -> &Quiescence {
        &self.quiescence
    }

    #[inline]
    pub(super) fn entered(&self) -> u64 {
        self.pushed.fetch_add(1, Ordering::Relaxed);
        self.ids.next()
    }

    #[inline]
    pub(super) fn left(&self, lost: bool) {
        self.left.fetch_add(1, Ordering::Relaxed);
        if lost {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn depth(&self) -> u64 {
        let left = self.left.load(Ordering::Relaxed);
        self.pushed.load(Ordering::Relaxed).saturating_sub(left)
    }

    pub(super) fn conflated(&self) {
        self.conflated.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn undelivered(&self, message: &Undelivered) {
        tracing::warn!(
            link = %message.link, message_type = message.message_type, message_id = message.message_id,
            why = %message.why, "message undelivered"
        );
        self.dead_letters.undelivered(message);
    }

    fn read(&self) -> LinkDepth {
        LinkDepth {
            name: self.name.clone(),
            depth: self.depth(),
            pushed: self.pushed.load(Ordering::Relaxed),
            conflated: self.conflated.load(Ordering::Relaxed),
            shed: self.shed.load(Ordering::Relaxed),
            undelivered: self.lost.load(Ordering::Relaxed),
        }
    }
}

impl Switchboard {
    /// A switchboard without links. Undelivered messages are reported to `dead_letters`.
    pub fn new(dead_letters: Arc<dyn DeadLetters>, quiescence: Quiescence) -> Self {
        Self { inner: Arc::new(Inner { ids: Arc::new(Ids::default()), quiescence, dead_letters, links: Mutex::new(Vec::new()) }) }
    }

    /// The count of work under way, over all links and guards.
    pub fn quiescence(&self) -> &Quiescence {
        &self.inner.quiescence
    }

    /// A link to an actor; `to` is `addr.recipient()`.
    pub fn link<M: Send + 'static>(&self, name: &str, to: Recipient<Envelope<M>>) -> Link<M> {
        self.make(name, |_| (Outlet::Actor(to), None))
    }

    /// A link to an actor over which the newest per key can be sent: the actor handles [`Wake`] too
    /// (see [`conflated!`](crate::conflated)). `key` says which messages supersede each other; it must not collide.
    pub fn link_latest<M, K>(
        &self,
        name: &str,
        to: Recipient<Envelope<M>>,
        wake: Recipient<Wake<M>>,
        key: impl Fn(&M) -> K + Send + Sync + 'static,
    ) -> Link<M>
    where
        M: Send + 'static,
        K: Hash + Eq + Send + 'static,
    {
        self.make(name, |_| (Outlet::Actor(to), Some(Box::new(Slots::new(wake, key)))))
    }

    /// A link into a closure, called on the thread that pushes. For tests, and for sinks that hand on elsewhere.
    pub fn probe<M: Send + 'static>(&self, name: &str, probe: impl FnMut(Envelope<M>) + Send + 'static) -> Link<M> {
        self.make(name, |_| (Outlet::Probe(Mutex::new(Box::new(probe))), None))
    }

    /// A way to ask an actor and await its answer; `to` is `addr.recipient()`.
    pub fn ask<Q>(&self, to: Recipient<Q>) -> Ask<Q>
    where
        Q: Message + Send + 'static,
        Q::Result: Send,
    {
        Ask::new(to, self.inner.quiescence.clone())
    }

    /// A bounded way in from another thread or runtime, and the pump that carries it to `link`.
    ///
    /// At most `capacity` messages wait in the way in, and at most `credits` between the pump and the end of their
    /// handling: a slow actor slows the sender down, and no restart drops what waits. Both are at least 1.
    pub fn ingress<M: Send + 'static>(&self, link: Link<M>, capacity: usize, credits: usize) -> (Ingress<M>, Pump<M>) {
        pump::ingress(link, capacity, credits)
    }

    /// The counters of all links that still have a user, for gauges and the API.
    pub fn depths(&self) -> Vec<LinkDepth> {
        let mut links = self.inner.links.lock();
        links.retain(|l| l.strong_count() > 0);
        links.iter().filter_map(Weak::upgrade).map(|l| l.read()).collect()
    }

    fn make<M: Send + 'static>(
        &self,
        name: &str,
        outlet: impl FnOnce(&Arc<LinkStats>) -> (Outlet<M>, Option<Box<dyn super::Conflate<M>>>),
    ) -> Link<M> {
        let stats = Arc::new(LinkStats {
            name: name.into(),
            ids: self.inner.ids.clone(),
            quiescence: self.inner.quiescence.clone(),
            dead_letters: self.inner.dead_letters.clone(),
            pushed: AtomicU64::new(0),
            left: AtomicU64::new(0),
            conflated: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        self.inner.links.lock().push(Arc::downgrade(&stats));
        let (outlet, conflate) = outlet(&stats);
        Link { inner: Arc::new(LinkInner { stats, outlet, conflate, tap: None, bound: BOUND_DEFAULT }) }
    }
}
