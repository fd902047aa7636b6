//! The journal port: one append-only log of commands, intents and facts, which recovery, replay, audit and the store read.
//!
//! Writers hand an [`Entry`] over and go on; the journal gives it the next sequence number, chains it to its predecessor
//! by hash and makes it durable in groups. Whoever must not act before the entry is durable passes a [`Completion`].
//!
//! Invariants: sequence numbers are dense and start at 1; a completion with `Ok` runs only after the entry is on stable
//! storage; after [`JournalHealth::Broken`] no entry is ever acknowledged again; entries handed over by one thread keep
//! their order.

use std::{borrow::Cow, time::Duration};

use crate::{BoxFuture, FaultKind};

/// When an entry must reach stable storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// At once, together with everything queued.
    Synced,
    /// With the next group, or at the end of the lazy interval (a setting, default 10 ms).
    Lazy,
}

/// What happens to an entry when the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Refused with [`JournalError::DiskFull`].
    Normal,
    /// Written from the reserve: exits, stops, cancels, and the facts that follow from them.
    Protective,
}

/// An entry as its producer hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What kind of body this is: at most 255 bytes, stable, e.g. `order.intent`.
    pub kind: Cow<'static, str>,
    /// Market time, ms since the epoch.
    pub ts_ms: i64,
    /// Wall time, ms since the epoch.
    pub wall_ms: i64,
    /// The producer's id of this message.
    pub id: u64,
    /// The id of the message that caused it; 0 = none.
    pub cause: u64,
    /// JSON text.
    pub body: Vec<u8>,
}

/// An entry as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log: dense, from 1.
    pub seq: u64,
    /// SHA-256 of the predecessor's stored bytes; 32 zero bytes in record 1.
    pub prev: [u8; 32],
    /// What was handed over.
    pub entry: Entry,
}

/// The newest record's number and hash; `seq` 0 for an empty log. Kept elsewhere it is the checkpoint that shows a cut tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalHead {
    /// Number of the newest record.
    pub seq: u64,
    /// SHA-256 of its stored bytes.
    pub hash: [u8; 32],
}

/// What the journal can do at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JournalHealth {
    /// Everything is written.
    Healthy,
    /// Only protective entries are written, from the reserve; ends by itself when there is space again.
    DiskFull,
    /// A write or sync failed: nothing is written any more. Leave the process (exit code 71) and recover.
    Broken,
}

/// Runs once with the entry's sequence number when it is durable, or with the reason why it never will be. It runs on the
/// journal's thread, or on the caller's when the entry is refused at once: keep it short and take no lock that an
/// appending caller may hold.
pub type Completion = Box<dyn FnOnce(Result<u64, JournalError>) + Send>;

/// Why the journal refuses. Cheap to clone: one failure may answer many waiting entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another process has it open.
    #[error("journal {path} is in use by another process: stop that process first")]
    Locked {
        /// The lock file.
        path: String,
    },
    /// A record in the middle of the log is not what was written.
    #[error(
        "journal is corrupt: segment {segment}, offset {offset}, record {seq}: {what}; restore the segment from a backup, the engine will not start over it"
    )]
    Corrupt {
        /// File name of the segment.
        segment: String,
        /// Byte offset in it.
        offset: u64,
        /// The record expected there.
        seq: u64,
        /// What was found.
        what: String,
    },
    /// No space; only protective entries are taken.
    #[error("journal disk is full: entry `{entry_kind}` refused, only exits and protection are written until space is freed")]
    DiskFull {
        /// The entry's kind.
        entry_kind: String,
    },
    /// A write or sync failed earlier; nothing is acknowledged any more.
    #[error("journal is broken ({what}): stop and recover by restarting (exit code 71)")]
    Broken {
        /// The failure that broke it.
        what: String,
    },
    /// The entry exceeds a bound.
    #[error("journal entry `{entry_kind}` is too large: {bytes} bytes, limit {limit}")]
    TooLarge {
        /// The entry's kind (cut to 64 characters).
        entry_kind: String,
        /// Its size.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// The record has no written form.
    #[error("journal entry `{entry_kind}` cannot be written: {reason}")]
    Unwritable {
        /// The entry's kind.
        entry_kind: String,
        /// The cause.
        reason: String,
    },
    /// More entries wait than the bound allows: the disk does not keep up.
    #[error("journal queue is full ({limit} entries wait): the disk does not keep up")]
    Overloaded {
        /// The bound.
        limit: u64,
    },
    /// The journal was closed.
    #[error("journal is closed")]
    Closed,
    /// A file could not be opened, read or listed.
    #[error("journal file {path}: {reason}")]
    Io {
        /// The file or folder.
        path: String,
        /// The cause.
        reason: String,
    },
}

impl JournalError {
    /// What the caller may do.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::DiskFull { .. } | Self::Io { .. } | Self::Locked { .. } => FaultKind::Retryable,
            Self::Overloaded { .. } => FaultKind::Throttled,
            Self::Corrupt { .. } | Self::Broken { .. } | Self::TooLarge { .. } | Self::Unwritable { .. } | Self::Closed => FaultKind::Fatal,
        }
    }
}

/// The writing side, shared by all producers.
pub trait Journal: Send + Sync {
    /// Hands an entry over and returns at once; `done` hears the outcome. Without `done` the outcome is visible in
    /// [`Journal::durable_seq`], [`Journal::refused`] and [`Journal::health`] only.
    fn append(&self, entry: Entry, durability: Durability, priority: Priority, done: Option<Completion>);

    /// The newest sequence number that is on stable storage.
    fn durable_seq(&self) -> u64;

    /// Entries handed over whose outcome somebody still waits for: synced ones, and lazy ones with a completion. 0 means
    /// that nothing more will come out of the journal unless something is put in (the lock-step test for quiescence).
    fn pending(&self) -> u64;

    /// All entries handed over that are not durable yet, lazy ones included.
    fn backlog(&self) -> u64;

    /// Entries refused since the start.
    fn refused(&self) -> u64;

    /// What the journal can do at present.
    fn health(&self) -> JournalHealth;

    /// Number and hash of the newest durable record.
    fn head(&self) -> JournalHead;

    /// Resolves when everything handed over before the call is durable or refused.
    ///
    /// # Errors
    /// [`JournalError::Broken`] or [`JournalError::Closed`] when it never will be.
    fn flush(&self) -> BoxFuture<'_, Result<u64, JournalError>>;

    /// A reader of every durable record from `from_seq` on (1 = the whole log). Readers are independent, never slow the
    /// writer, and lose nothing however far they lag: they read the files.
    ///
    /// # Errors
    /// [`JournalError::Io`] when the segment cannot be opened.
    fn tail(&self, from_seq: u64) -> Result<Box<dyn JournalTail>, JournalError>;
}

/// A reader that follows the log. Its calls block: use it on a thread of its own or a blocking pool.
pub trait JournalTail: Send {
    /// The next records, at most `max`, in order; empty when the reader has caught up.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] when stored bytes do not check, [`JournalError::Io`].
    fn read(&mut self, max: usize) -> Result<Vec<Record>, JournalError>;

    /// Waits until there is something to read, at most `timeout`; true when there is.
    fn wait(&self, timeout: Duration) -> bool;

    /// The number of the next record that [`JournalTail::read`] gives.
    fn next_seq(&self) -> u64;

    /// True when the journal was closed and everything has been read: nothing more will come.
    fn finished(&self) -> bool;
}
