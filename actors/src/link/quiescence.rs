//! Knows when nothing is going on: no message queued or being handled, no other work held.
//!
//! A count goes up at a push and down when the message's handler has ended, also when it panicked; work that is no
//! message (a REST call, a journal write) takes a [`Hold`]. At zero, whoever awaits [`Quiescence::idle`] goes on:
//! lock-step lets market time move, a test looks at the result.
//!
//! Invariant: the count is zero only when no actor can act but by a timer, a socket or a new push from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The count of work under way, shared by all links and guards of an engine. Cloning shares it.
#[derive(Clone, Default)]
pub struct Quiescence {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    busy: AtomicUsize,
    sleepers: AtomicUsize,
    idle: Notify,
}

/// One piece of work under way; dropping it ends the work.
#[must_use = "work is held only while the token lives"]
pub struct Hold {
    inner: Arc<Inner>,
}

impl Quiescence {
    /// A count of zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds off idleness until the token is dropped.
    #[inline]
    pub fn hold(&self) -> Hold {
        self.inner.busy.fetch_add(1, Ordering::SeqCst);
        Hold { inner: Arc::clone(&self.inner) }
    }

    /// How much work is under way now.
    pub fn busy(&self) -> usize {
        self.inner.busy.load(Ordering::SeqCst)
    }

    /// Resolves when the count is zero, or was at any instant since the call.
    ///
    /// Push first, then await: a count that never left zero is idle at once. May also be awaited from inside a
    /// guarded actor, whose own turn counts as work and ends when it waits.
    pub async fn idle(&self) {
        let _sleeper = Sleeper::new(&self.inner);
        let notified = self.inner.idle.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if self.busy() == 0 {
            return;
        }
        notified.await;
    }
}

struct Sleeper<'a>(&'a Inner);

impl<'a> Sleeper<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.sleepers.fetch_add(1, Ordering::SeqCst);
        Self(inner)
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.0.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        // The sleeper counts itself before it reads `busy`, we lower `busy` before we read the sleepers: one of us
        // sees the other.
        if self.inner.busy.fetch_sub(1, Ordering::SeqCst) == 1 && self.inner.sleepers.load(Ordering::SeqCst) > 0 {
            self.inner.idle.notify_waiters();
        }
    }
}
