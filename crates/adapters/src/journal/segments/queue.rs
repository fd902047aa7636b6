//! The hand-off from producers to the writer thread, and the counters both sides read.
//!
//! A producer takes one short lock, pushes, and wakes the writer only when it must: for a synced entry while the writer
//! sleeps, or for a lazy one while it sleeps without an alarm. All hashing, encoding and I/O happens on the writer's side.
//!
//! Invariant: every completion runs exactly once; a [`Waiter`] that is dropped unanswered answers `Broken` itself.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use fulmar_ports::journal::{Completion, Durability, Entry, JournalError, JournalHead, JournalHealth, Priority};
use parking_lot::{Condvar, Mutex};

use super::{JournalSettings, MAX_KIND_BYTES, MAX_PAYLOAD_BYTES, Recovered, frame, millis};

/// Holds a completion until it is answered.
pub(super) struct Waiter(Option<Completion>);

impl Waiter {
    pub(super) fn new(done: Option<Completion>) -> Self {
        Self(done)
    }

    pub(super) fn answer(mut self, outcome: Result<u64, JournalError>) {
        self.run(outcome);
    }

    fn run(&mut self, outcome: Result<u64, JournalError>) {
        if let Some(done) = self.0.take()
            && catch_unwind(AssertUnwindSafe(|| done(outcome))).is_err()
        {
            tracing::error!("journal: a completion panicked");
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.run(Err(JournalError::Broken { what: "the writer thread ended".into() }));
    }
}

/// What travels to the writer.
pub(super) enum Item {
    /// An entry to write.
    Entry {
        entry: Entry,
        priority: Priority,
        /// Counted in `pending`.
        awaited: bool,
        waiter: Waiter,
    },
    /// Answered when everything before it is settled.
    Barrier(Waiter),
}

impl Item {
    pub(super) fn entry(entry: Entry, durability: Durability, priority: Priority, done: Option<Completion>) -> Self {
        let awaited = durability == Durability::Synced || done.is_some();
        Self::Entry { entry, priority, awaited, waiter: Waiter::new(done) }
    }

    pub(super) fn awaited(&self) -> bool {
        match self {
            Self::Entry { awaited, .. } => *awaited,
            Self::Barrier(_) => true,
        }
    }

    pub(super) fn into_waiter(self) -> Waiter {
        match self {
            Self::Entry { waiter, .. } | Self::Barrier(waiter) => waiter,
        }
    }
}

/// How the writer sleeps, which decides who must wake it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    Awake,
    /// An alarm is set: only synced entries wake it.
    Alarm,
    /// No alarm: anything wakes it.
    Deep,
}

struct Queue {
    items: VecDeque<Item>,
    urgent: bool,
    closing: bool,
    sleep: Sleep,
}

/// How far the log is durable: numbers for the reader, bytes for the tail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) head: JournalHead,
    /// First sequence number of the newest segment.
    pub(super) segment: u64,
    /// Durable bytes in it.
    pub(super) segment_len: u64,
    /// Nothing more will be written.
    pub(super) closed: bool,
}

/// State shared by producers, writer and tails.
pub(super) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    progress: Mutex<Progress>,
    progressed: Condvar,
    health: Mutex<(JournalHealth, String)>,
    pending: AtomicU64,
    backlog: AtomicU64,
    refused: AtomicU64,
    max_backlog: u64,
    lazy: Duration,
}

/// After the last entry the writer keeps an alarm for this many lazy intervals before it sleeps deeply: bursts then cost
/// their producers no wake-up.
const LINGER: u32 = 20;

impl Shared {
    pub(super) fn new(settings: &JournalSettings, recovered: &Recovered) -> Self {
        Self {
            queue: Mutex::new(Queue { items: VecDeque::new(), urgent: false, closing: false, sleep: Sleep::Awake }),
            wake: Condvar::new(),
            progress: Mutex::new(Progress {
                head: recovered.head,
                segment: recovered.segment,
                segment_len: recovered.segment_len,
                closed: false,
            }),
            progressed: Condvar::new(),
            health: Mutex::new((JournalHealth::Healthy, String::new())),
            pending: AtomicU64::new(0),
            backlog: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            max_backlog: settings.max_backlog,
            lazy: millis(settings.lazy_sync_ms),
        }
    }

    /// Hands an item to the writer, or answers it at once when it cannot be taken.
    pub(super) fn push(&self, item: Item, durability: Durability) {
        if let Err(refused) = self.try_push(item, durability) {
            let (item, error) = *refused;
            if matches!(item, Item::Entry { .. }) {
                self.refused.fetch_add(1, Ordering::AcqRel);
            }
            item.into_waiter().answer(Err(error));
        }
    }

    fn try_push(&self, item: Item, durability: Durability) -> Result<(), Box<(Item, JournalError)>> {
        if let Item::Entry { entry, .. } = &item {
            if let Some(error) = too_large(entry) {
                return Err(Box::new((item, error)));
            }
            if self.backlog.load(Ordering::Relaxed) >= self.max_backlog {
                return Err(Box::new((item, JournalError::Overloaded { limit: self.max_backlog })));
            }
        }
        let wake = {
            let mut queue = self.queue.lock();
            if queue.closing {
                return Err(Box::new((item, JournalError::Closed)));
            }
            if item.awaited() {
                self.pending.fetch_add(1, Ordering::AcqRel);
            }
            if matches!(item, Item::Entry { .. }) {
                self.backlog.fetch_add(1, Ordering::AcqRel);
            }
            queue.items.push_back(item);
            let urgent = durability == Durability::Synced;
            queue.urgent |= urgent;
            let wake = match queue.sleep {
                Sleep::Awake => false,
                Sleep::Alarm => urgent,
                Sleep::Deep => true,
            };
            if wake {
                queue.sleep = Sleep::Awake;
            }
            wake
        };
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Everything queued, once a group is due; empty after `probe` without work, if given. `None` when closed and drained.
    pub(super) fn collect(&self, probe: Option<Duration>) -> Option<VecDeque<Item>> {
        let mut queue = self.queue.lock();
        let mut lazy_until: Option<Instant> = None;
        let idle_since = Instant::now();
        loop {
            if queue.urgent || (queue.closing && !queue.items.is_empty()) {
                break;
            }
            if queue.closing {
                return None;
            }
            let now = Instant::now();
            let alarm = if queue.items.is_empty() {
                match probe {
                    Some(probe) => Some(idle_since + probe),
                    None if now < idle_since + self.lazy * LINGER => Some(now + self.lazy),
                    None => None,
                }
            } else {
                Some(*lazy_until.get_or_insert(now + self.lazy))
            };
            let was_empty = queue.items.is_empty();
            match alarm {
                None => {
                    queue.sleep = Sleep::Deep;
                    self.wake.wait(&mut queue);
                    queue.sleep = Sleep::Awake;
                }
                Some(at) => {
                    queue.sleep = Sleep::Alarm;
                    let rang = self.wake.wait_until(&mut queue, at).timed_out();
                    queue.sleep = Sleep::Awake;
                    // An alarm set on an empty queue has already given lazy entries that came since their interval.
                    if rang && (!queue.items.is_empty() || (was_empty && probe.is_some())) {
                        break;
                    }
                }
            }
        }
        queue.urgent = false;
        Some(std::mem::take(&mut queue.items))
    }

    pub(super) fn close(&self) {
        self.queue.lock().closing = true;
        self.wake.notify_one();
    }

    /// Takes no more, and answers what is left: the writer's last act.
    pub(super) fn abandon(&self) {
        let left = {
            let mut queue = self.queue.lock();
            queue.closing = true;
            std::mem::take(&mut queue.items)
        };
        let what = self.health.lock().1.clone();
        for item in left {
            self.settle(item, Err(JournalError::Broken { what: what.clone() }));
        }
        self.progress.lock().closed = true;
        self.progressed.notify_all();
    }

    /// Answers an item and takes it out of the counters, in that order.
    pub(super) fn settle(&self, item: Item, outcome: Result<u64, JournalError>) {
        let (awaited, is_entry) = (item.awaited(), matches!(item, Item::Entry { .. }));
        if is_entry {
            if outcome.is_err() {
                self.refused.fetch_add(1, Ordering::AcqRel);
            }
            self.backlog.fetch_sub(1, Ordering::AcqRel);
        }
        item.into_waiter().answer(outcome);
        if awaited {
            self.pending.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub(super) fn advance(&self, to: Progress) {
        *self.progress.lock() = to;
        self.progressed.notify_all();
    }

    pub(super) fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Waits until record `seq` is durable or the journal is closed; true when there is something to read.
    pub(super) fn wait_for(&self, seq: u64, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let mut progress = self.progress.lock();
        while progress.head.seq < seq && !progress.closed {
            if self.progressed.wait_until(&mut progress, until).timed_out() {
                break;
            }
        }
        progress.head.seq >= seq
    }

    /// True when this is a change.
    pub(super) fn set_health(&self, health: JournalHealth, what: &str) -> bool {
        let mut held = self.health.lock();
        let changed = held.0 != health;
        *held = (health, what.to_owned());
        changed
    }

    pub(super) fn health(&self) -> JournalHealth {
        self.health.lock().0
    }

    pub(super) fn health_text(&self) -> String {
        self.health.lock().1.clone()
    }

    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    pub(super) fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Acquire)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Acquire)
    }
}

fn too_large(entry: &Entry) -> Option<JournalError> {
    let (bytes, limit) =
        if entry.kind.len() > MAX_KIND_BYTES { (entry.kind.len(), MAX_KIND_BYTES) } else { (frame::payload_len(entry), MAX_PAYLOAD_BYTES) };
    (bytes > limit).then(|| JournalError::TooLarge {
        entry_kind: entry.kind.chars().take(64).collect(),
        bytes: bytes as u64,
        limit: limit as u64,
    })
}
