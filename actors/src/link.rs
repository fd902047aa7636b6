//! Links: the only way by which one actor sends to another.
//!
//! A [`Link`] knows its loss policy by the name of the method used: [`Link::push`] never loses, [`Link::push_latest`]
//! keeps the newest per key, [`Link::push_or_shed`] drops beyond a bound and says so. Every message travels in an
//! [`Envelope`] with its id, what caused it, and when the frame came in that set it all off. A [`Switchboard`] makes
//! the links of an engine, counts their depth and knows when nothing is under way.
//!
//! Invariant: every message pushed is handled, or superseded by a newer one of its key, or reported with a reason:
//! pushed = handled + conflated + undelivered + failed in the handler.

mod ask;
mod latest;
mod pump;
pub mod quiescence;
mod switchboard;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::{Message, Recipient};
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

pub use ask::{Ask, AskError};
pub use latest::Wake;
pub use pump::{Ingress, IngressError, Pump};
pub use switchboard::{LinkDepth, Switchboard};

use crate::supervision::dead_letters::{Undelivered, WhyUndelivered};
use crate::supervision::failure::{InHand, Tag, in_hand, note_in_hand};
use latest::Conflate;
use quiescence::Hold;
use switchboard::LinkStats;

/// A message on its way, with its papers.
///
/// The handler's first line is `let _tag = envelope.tag();`: it names the message to the supervision and says that it
/// has arrived; an envelope dropped without it is reported as undelivered. The message counts as under way until the envelope is
/// dropped: keep it (or what is left after moving the body out) until the handler ends, also in a future.
pub struct Envelope<M> {
    /// Unique in the process, growing in the order of pushing.
    pub id: u64,
    /// Id of the message whose handling caused this one; 0 when it came from outside.
    pub cause: u64,
    /// Monotonic stamp, in nanoseconds, of the frame that set off this chain; 0 when no frame did.
    pub received_ns: u64,
    /// The message.
    pub body: M,
    papers: Papers,
}

impl<M: Send + 'static> Message for Envelope<M> {
    type Result = ();
}

impl<M> Envelope<M> {
    /// Names this message as the one in hand, and marks it as having reached its handler.
    #[inline]
    pub fn tag(&self) -> Tag {
        self.papers.arrived.set(true);
        Tag::hold(InHand { message_type: std::any::type_name::<M>(), id: self.id, key: self.id, received_ns: self.received_ns })
    }

    /// The origin that a message caused by this one carries. For work that goes on after the handler.
    pub fn origin(&self) -> Origin {
        Origin { cause: self.id, received_ns: self.received_ns }
    }
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Id of the message that caused it; 0 when it came from outside.
    pub cause: u64,
    /// Monotonic stamp of the frame that set off the chain, in nanoseconds; 0 when no frame did.
    pub received_ns: u64,
}

impl Origin {
    /// From outside, by a frame received at this monotonic stamp.
    pub const fn frame(received_ns: u64) -> Self {
        Self { cause: 0, received_ns }
    }

    /// The message in hand on this thread; from outside when there is none.
    #[inline]
    pub fn here() -> Self {
        in_hand().map_or_else(Self::default, |h| Self { cause: h.id, received_ns: h.received_ns })
    }
}

/// What keeps a message counted while it is under way.
struct Papers {
    stats: Arc<LinkStats>,
    id: u64,
    message_type: &'static str,
    /// It reached its handler, or was superseded: dropping it is no loss.
    arrived: Cell<bool>,
    why: Cell<WhyUndelivered>,
    /// Goes back to the pump when the message has been handled.
    credit: Option<OwnedSemaphorePermit>,
    _hold: Hold,
}

impl Drop for Papers {
    fn drop(&mut self) {
        let lost = !self.arrived.get();
        if lost && std::thread::panicking() {
            // Its handler panicked before it made a tag: the guard's report shall still name it.
            self.stats.left(false);
            note_in_hand(InHand { message_type: self.message_type, id: self.id, key: self.id, received_ns: 0 });
            return;
        }
        self.stats.left(lost);
        if lost {
            self.stats.undelivered(&Undelivered {
                link: self.stats.name().clone(),
                message_type: self.message_type,
                message_id: self.id,
                why: self.why.get(),
            });
        }
    }
}

/// What became of a message pushed with [`Link::push_or_shed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a shed message is gone: say so to whoever waits for it"]
pub enum Pushed {
    /// It is queued.
    Queued,
    /// The link stood at its bound: the message was dropped and reported.
    Shed,
}

enum Outlet<M: Send + 'static> {
    Actor(Recipient<Envelope<M>>),
    Probe(Mutex<Box<dyn FnMut(Envelope<M>) + Send>>),
}

type Tap<M> = Arc<dyn Fn(&Envelope<M>) + Send + Sync>;

struct LinkInner<M: Send + 'static> {
    stats: Arc<LinkStats>,
    outlet: Outlet<M>,
    conflate: Option<Box<dyn Conflate<M>>>,
    tap: Option<Tap<M>>,
    bound: u64,
}

/// A one-way link to one actor (or, in tests, to a closure). Cloning shares it; made by a [`Switchboard`].
pub struct Link<M: Send + 'static> {
    inner: Arc<LinkInner<M>>,
}

impl<M: Send + 'static> Clone for Link<M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<M: Send + 'static> Link<M> {
    /// Sends; never lost while the receiver lives, whatever the depth. Caused by the message in hand.
    #[inline]
    pub fn push(&self, body: M) {
        self.push_from(Origin::here(), body);
    }

    /// Sends like [`Link::push`], with an explicit origin.
    pub fn push_from(&self, origin: Origin, body: M) {
        self.forward(self.seal(origin, body));
    }

    /// Sends; of several messages of one key that wait, only the newest is handled. Caused by the message in hand.
    ///
    /// A link that was made without a key sends like [`Link::push`].
    #[inline]
    pub fn push_latest(&self, body: M) {
        self.push_latest_from(Origin::here(), body);
    }

    /// Sends like [`Link::push_latest`], with an explicit origin.
    pub fn push_latest_from(&self, origin: Origin, body: M) {
        let envelope = self.seal(origin, body);
        match &self.inner.conflate {
            Some(conflate) => {
                if let Some(tap) = &self.inner.tap {
                    tap(&envelope);
                }
                conflate.put(envelope, &self.inner.stats);
            }
            None => self.forward(envelope),
        }
    }

    /// Sends unless the link stands at its bound; then the message is dropped and reported.
    pub fn push_or_shed(&self, body: M) -> Pushed {
        let envelope = self.seal(Origin::here(), body);
        if self.inner.stats.depth() > self.inner.bound {
            envelope.papers.why.set(WhyUndelivered::Shed);
            self.inner.stats.shed();
            return Pushed::Shed;
        }
        self.forward(envelope);
        Pushed::Queued
    }

    /// Messages queued or being handled now.
    pub fn depth(&self) -> u64 {
        self.inner.stats.depth()
    }

    /// Whether the receiver still lives.
    pub fn connected(&self) -> bool {
        match &self.inner.outlet {
            Outlet::Actor(recipient) => recipient.connected(),
            Outlet::Probe(_) => true,
        }
    }

    /// The link with a tap: `tap` sees every message as it is pushed. Give it before the link is shared.
    #[must_use]
    pub fn with_tap(self, tap: impl Fn(&Envelope<M>) + Send + Sync + 'static) -> Self {
        self.rebuilt(|inner| inner.tap = Some(Arc::new(tap)))
    }

    /// The link with another bound for [`Link::push_or_shed`]. Give it before the link is shared.
    #[must_use]
    pub fn with_bound(self, bound: u64) -> Self {
        self.rebuilt(|inner| inner.bound = bound)
    }

    fn rebuilt(mut self, change: impl FnOnce(&mut LinkInner<M>)) -> Self {
        match Arc::get_mut(&mut self.inner) {
            Some(inner) => change(inner),
            None => tracing::error!(link = %self.inner.stats.name(), "a link is configured before it is shared: left as it was"),
        }
        self
    }

    fn seal(&self, origin: Origin, body: M) -> Envelope<M> {
        let stats = &self.inner.stats;
        let id = stats.entered();
        Envelope {
            id,
            cause: origin.cause,
            received_ns: origin.received_ns,
            body,
            papers: Papers {
                stats: stats.clone(),
                id,
                message_type: std::any::type_name::<M>(),
                arrived: Cell::new(false),
                why: Cell::new(WhyUndelivered::QueueEnded),
                credit: None,
                _hold: stats.quiescence().hold(),
            },
        }
    }

    fn forward(&self, envelope: Envelope<M>) {
        if let Some(tap) = &self.inner.tap {
            tap(&envelope);
        }
        match &self.inner.outlet {
            Outlet::Actor(recipient) if recipient.connected() => recipient.do_send(envelope),
            Outlet::Actor(_) => {
                envelope.papers.why.set(WhyUndelivered::ReceiverGone);
                drop(envelope);
            }
            Outlet::Probe(probe) => {
                envelope.papers.arrived.set(true);
                (probe.lock())(envelope);
            }
        }
    }
}

/// Numbers messages, from 1.
#[derive(Default)]
struct Ids(AtomicU64);

impl Ids {
    #[inline]
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}
