//! The letter box between a group and one guard.
//!
//! It holds at most one order: a newer one takes the place of one not collected yet, for the group gives a new order
//! only when the old one is answered or overtaken.
//!
//! Invariant: whatever is posted wakes the guard, if the guard registered before it looked.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::task::Waker;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::fault::{FaultSite, InjectError};

/// An order to a guard, meant for one generation of its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) generation: u64,
    pub(crate) round: u64,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Pause { due: Instant },
    Rebuild,
    Resume,
}

/// The letter box between a group and one guard.
pub(crate) struct Slot {
    pending: AtomicBool,
    inbox: Mutex<Inbox>,
    pub(crate) loading: AtomicBool,
    /// Armed fault sites, one bit each.
    pub(crate) armed: AtomicU16,
    pub(crate) hang_released: AtomicBool,
    pub(super) injector: Mutex<Option<Injector>>,
}

pub(crate) type Injector = Box<dyn Fn(FaultSite) -> Result<(), InjectError> + Send + Sync>;

#[derive(Default)]
pub(super) struct Inbox {
    pub(super) order: Option<Order>,
    pub(super) stop: bool,
    pub(super) suspend: bool,
    pub(super) fault: Option<FaultSite>,
    pub(super) waker: Option<Waker>,
}

/// What a guard finds in its letter box.
#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) order: Option<Order>,
    pub(crate) stop: bool,
    pub(crate) suspend: bool,
    pub(crate) fault: Option<FaultSite>,
}

impl Slot {
    pub(super) fn new() -> Self {
        Self {
            pending: AtomicBool::new(false),
            inbox: Mutex::new(Inbox::default()),
            loading: AtomicBool::new(false),
            armed: AtomicU16::new(0),
            hang_released: AtomicBool::new(false),
            injector: Mutex::new(None),
        }
    }

    /// Registers whom to wake; call before [`Slot::collect`].
    pub(crate) fn register(&self, waker: &Waker) {
        let mut inbox = self.inbox.lock();
        match &mut inbox.waker {
            Some(w) if w.will_wake(waker) => {}
            w => *w = Some(waker.clone()),
        }
    }

    #[inline]
    pub(crate) fn collect(&self) -> Option<Mail> {
        if !self.pending.swap(false, Ordering::AcqRel) {
            return None;
        }
        let mut inbox = self.inbox.lock();
        Some(Mail { order: inbox.order.take(), stop: inbox.stop, suspend: std::mem::take(&mut inbox.suspend), fault: inbox.fault.take() })
    }

    pub(crate) fn has_mail(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    pub(super) fn post(&self, put: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.inbox.lock();
        put(&mut inbox);
        self.pending.store(true, Ordering::Release);
        let waker = inbox.waker.clone();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Gives an order in place of one that was not collected yet: the newer round has overtaken it.
    pub(super) fn give(&self, order: Order) {
        self.post(|inbox| inbox.order = Some(order));
    }

    pub(super) fn take_back(&self) {
        self.inbox.lock().order = None;
    }

    pub(crate) fn set_injector(&self, injector: Injector) {
        *self.injector.lock() = Some(injector);
    }
}
