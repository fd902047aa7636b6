//! The way back in for answers from other threads: the journal's and the exchange's.
//!
//! In real time an answer enters when it comes. In lock-step results must not depend on how fast a thread was, so answers wait at
//! the turnstile until no actor has anything to do and every answer that is owed has come; then they enter one by one, in the
//! order in which they were asked for.
//! Invariant: every ticket is delivered once, and what was asked for first enters first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fulmar_domain::execution::ExecIn;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::link::quiescence::{Hold, Quiescence};
use crate::link::{Link, Origin};

struct Waiting {
    origin: Origin,
    message: ExecIn,
    hold: Hold,
}

struct Inner {
    execution: Link<ExecIn>,
    quiescence: Quiescence,
    ordered: bool,
    next: AtomicU64,
    owed: AtomicUsize,
    waiting: Mutex<BTreeMap<u64, Waiting>>,
    came: Notify,
}

/// Where answers come back in. Cloning shares it.
#[derive(Clone)]
pub struct Turnstile {
    inner: Arc<Inner>,
}

/// The right to deliver one answer.
#[must_use = "an answer that is never delivered holds lock-step for ever"]
pub struct Ticket {
    inner: Arc<Inner>,
    number: u64,
    origin: Origin,
    hold: Hold,
}

impl Turnstile {
    /// A turnstile before execution. `ordered`: lock-step; [`Turnstile::run`] must then be spawned on execution's arbiter.
    pub fn new(execution: Link<ExecIn>, quiescence: Quiescence, ordered: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                execution,
                quiescence,
                ordered,
                next: AtomicU64::new(1),
                owed: AtomicUsize::new(0),
                waiting: Mutex::default(),
                came: Notify::new(),
            }),
        }
    }

    /// Something is asked for now; its answer will be delivered by this ticket.
    pub fn ticket(&self) -> Ticket {
        let inner = Arc::clone(&self.inner);
        inner.owed.fetch_add(1, Ordering::SeqCst);
        Ticket { number: inner.next.fetch_add(1, Ordering::SeqCst), origin: Origin::here(), hold: inner.quiescence.hold(), inner }
    }

    /// Lets answers in, in lock-step. Never ends.
    pub async fn run(self) {
        let inner = &self.inner;
        loop {
            let came = inner.came.notified();
            if inner.waiting.lock().is_empty() {
                came.await;
                continue;
            }
            // Everything that is owed has come, and nobody acts.
            let complete = inner.waiting.lock().len() == inner.owed.load(Ordering::SeqCst);
            if !complete || !self.at_rest() {
                tokio::task::yield_now().await;
                continue;
            }
            let batch = std::mem::take(&mut *inner.waiting.lock());
            for waiting in batch.into_values() {
                while !self.at_rest() {
                    tokio::task::yield_now().await;
                }
                inner.execution.push_from(waiting.origin, waiting.message);
                inner.owed.fetch_sub(1, Ordering::SeqCst);
                drop(waiting.hold);
            }
        }
    }

    /// No message is under way: all work that counts is owed from outside.
    fn at_rest(&self) -> bool {
        self.inner.quiescence.busy() <= self.inner.owed.load(Ordering::SeqCst)
    }
}

impl Ticket {
    /// Hands the answer in.
    pub fn deliver(self, message: ExecIn) {
        let Self { inner, number, origin, hold } = self;
        if inner.ordered {
            inner.waiting.lock().insert(number, Waiting { origin, message, hold });
            inner.came.notify_one();
        } else {
            inner.execution.push_from(origin, message);
            inner.owed.fetch_sub(1, Ordering::SeqCst);
            drop(hold);
        }
    }
}
