//! The embedded journal: one append-only log in segment files, hash-chained, checksummed, committed in groups.
//!
//! `frame` is the layout of one record, `disk` the file operations behind a seam, `recover` reads the log at start,
//! `queue` is the hand-off from producers to the one writer thread, `writer` that thread, `tail` the readers that follow,
//! `inspect` what the command line shows.
//!
//! Invariant: the files hold a chain without a hole; only the writer thread touches them; nothing is acknowledged before
//! `fdatasync` has returned.

mod disk;
mod frame;
mod inspect;
mod queue;
mod recover;
mod tail;
mod writer;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use fulmar_ports::{
    BoxFuture,
    journal::{Completion, Durability, Entry, Journal, JournalError, JournalHead, JournalHealth, JournalTail, Priority},
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use disk::{Disk, LogFile, RealDisk};
pub use frame::{MAX_KIND_BYTES, MAX_PAYLOAD_BYTES, RecordView};
pub use inspect::{JournalStats, KindStats, ShowFilter, show, stats, verify};
pub use recover::{Recovered, TornTail};

use queue::{Item, Shared, Waiter};
use tail::SegmentTail;
use writer::Writer;

/// Settings of the embedded journal.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// The folder that holds the segments, the lock file and the reserve; created when missing.
    pub dir: PathBuf,
    /// A new segment begins once the present one is at least this long, in bytes.
    pub segment_bytes: u64,
    /// Lazy entries are durable after at most this many milliseconds (plus one sync).
    pub lazy_sync_ms: u64,
    /// Size of the preallocated reserve for exits on a full disk, in bytes; 0 = none.
    pub reserve_bytes: u64,
    /// Call `fdatasync` per group. False only where a crash merely means to run again (replay of recorded data).
    pub fsync: bool,
    /// At most this many entries wait; more are refused.
    pub max_backlog: u64,
    /// While the disk is full: look for space this often, in milliseconds.
    pub space_probe_ms: u64,
}

impl JournalSettings {
    /// The defaults in the given folder: 64 MiB segments, 10 ms lazy sync, 64 MiB reserve, `fdatasync` on, 262,144
    /// waiting entries, space probed each second.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            lazy_sync_ms: 10,
            reserve_bytes: 64 << 20,
            fsync: true,
            max_backlog: 1 << 18,
            space_probe_ms: 1_000,
        }
    }
}

/// Hears each change of health, on the journal's thread.
pub type HealthCallback = Box<dyn Fn(JournalHealth) + Send>;

const LOCK_FILE: &str = "journal.lock";
const RESERVE_FILE: &str = "reserve";

/// The journal in segment files. Dropping it writes what is queued and ends the writer thread.
pub struct SegmentJournal {
    shared: Arc<Shared>,
    dir: PathBuf,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    _lock: File,
}

impl SegmentJournal {
    /// Opens the log in `settings.dir`, verifying all of it; each good record is shown to `visit` in order. A torn tail is
    /// cut off and reported in [`Recovered::torn`].
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another process has it, [`JournalError::Corrupt`] when a record in the middle is
    /// damaged, [`JournalError::Io`].
    pub fn open(
        settings: JournalSettings,
        on_health: HealthCallback,
        visit: &mut dyn FnMut(&RecordView<'_>),
    ) -> Result<(Self, Recovered), JournalError> {
        Self::open_on(settings, Box::new(RealDisk), on_health, visit)
    }

    /// [`SegmentJournal::open`] on file operations of the caller's choice: the seam where tests inject failures.
    ///
    /// # Errors
    /// As [`SegmentJournal::open`].
    pub fn open_on(
        settings: JournalSettings,
        disk: Box<dyn Disk>,
        on_health: HealthCallback,
        visit: &mut dyn FnMut(&RecordView<'_>),
    ) -> Result<(Self, Recovered), JournalError> {
        std::fs::create_dir_all(&settings.dir).map_err(|e| io_error(&settings.dir, &e))?;
        let lock = take_lock(&settings.dir)?;
        let recovered = recover::recover(&settings.dir, visit)?;
        if let Some(torn) = &recovered.torn {
            recover::cut(&settings.dir, torn)?;
            tracing::warn!(segment = %torn.segment, offset = torn.offset, bytes = torn.bytes, "journal: torn tail dropped");
        }
        let shared = Arc::new(Shared::new(&settings, &recovered));
        let writer = Writer::open(&settings, disk, on_health, Arc::clone(&shared), &recovered)?;
        let thread = thread::Builder::new().name("journal".into()).spawn(move || writer.run()).map_err(|e| io_error(&settings.dir, &e))?;
        Ok((Self { shared, dir: settings.dir, thread: Mutex::new(Some(thread)), _lock: lock }, recovered))
    }

    /// Writes what is queued, then ends the writer thread; later appends are refused with [`JournalError::Closed`].
    pub fn close(&self) {
        self.shared.close();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("journal: writer thread ended by a panic");
        }
    }

    /// The folder of the log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for SegmentJournal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Journal for SegmentJournal {
    fn append(&self, entry: Entry, durability: Durability, priority: Priority, done: Option<Completion>) {
        self.shared.push(Item::entry(entry, durability, priority, done), durability);
    }

    fn durable_seq(&self) -> u64 {
        self.shared.progress().head.seq
    }

    fn pending(&self) -> u64 {
        self.shared.pending()
    }

    fn backlog(&self) -> u64 {
        self.shared.backlog()
    }

    fn refused(&self) -> u64 {
        self.shared.refused()
    }

    fn health(&self) -> JournalHealth {
        self.shared.health()
    }

    fn head(&self) -> JournalHead {
        self.shared.progress().head
    }

    fn flush(&self) -> BoxFuture<'_, Result<u64, JournalError>> {
        let (tx, rx) = oneshot::channel();
        let answer: Completion = Box::new(move |outcome| {
            if tx.send(outcome).is_err() {
                tracing::debug!("journal: a flush was abandoned by its caller");
            }
        });
        self.shared.push(Item::Barrier(Waiter::new(Some(answer))), Durability::Synced);
        Box::pin(async move { rx.await.unwrap_or(Err(JournalError::Closed)) })
    }

    fn tail(&self, from_seq: u64) -> Result<Box<dyn JournalTail>, JournalError> {
        Ok(Box::new(SegmentTail::open(&self.dir, from_seq, Arc::clone(&self.shared))?))
    }
}

fn take_lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| io_error(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::Locked { path: path.display().to_string() }),
        Err(std::fs::TryLockError::Error(e)) => Err(io_error(&path, &e)),
    }
}

/// An I/O error with its place.
fn io_error(path: &Path, error: &std::io::Error) -> JournalError {
    JournalError::Io { path: path.display().to_string(), reason: error.to_string() }
}

/// The file name of the segment whose first record is `first_seq`.
fn segment_name(first_seq: u64) -> String {
    format!("{first_seq:020}.log")
}

/// All segments of a folder as (first sequence number, path), in order.
fn segments_in(dir: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(dir).map_err(|e| io_error(dir, &e))? {
        let path = item.map_err(|e| io_error(dir, &e))?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        let Some(stem) = name.strip_suffix(".log") else {
            continue;
        };
        if stem.len() == 20
            && let Ok(first) = stem.parse::<u64>()
        {
            found.push((first, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Milliseconds as a duration.
fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
