//! The one thread that writes the log.
//!
//! A group is everything queued when the writer looks: it is encoded, chained, written, synced once, then answered. On a
//! full disk the group's normal entries are refused and its protective ones are written into space freed from the reserve.
//! Any other failed write, and any failed sync, breaks the journal for good: the kernel may have dropped the pages, so a
//! second sync that succeeds would prove nothing.
//!
//! Invariant: `head` and `len` describe exactly what a reader of the file would find valid.

use std::{
    collections::VecDeque,
    io, mem,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use fulmar_ports::journal::{Entry, JournalError, JournalHead, JournalHealth, Priority};

use super::{
    HealthCallback, JournalSettings, RESERVE_FILE, Recovered,
    disk::{Disk, LogFile, is_full},
    frame, io_error, millis,
    queue::{Item, Progress, Shared},
    recover::newest_segment,
    segment_name,
};

/// At most about this much is encoded before it is written.
const CHUNK_BYTES: u64 = 1 << 20;
/// The reserve gives way in steps of this size, so that what it frees goes to the journal, not to somebody else.
const RESERVE_STEP: u64 = 1 << 20;

pub(super) struct Writer {
    dir: PathBuf,
    segment_bytes: u64,
    reserve_bytes: u64,
    fsync: bool,
    probe: Duration,
    disk: Box<dyn Disk>,
    on_health: HealthCallback,
    shared: Arc<Shared>,
    file: Option<Box<dyn LogFile>>,
    segment: u64,
    len: u64,
    head: JournalHead,
    reserve_left: u64,
    probed_at: Option<Instant>,
    buf: Vec<u8>,
}

/// How a write ended.
enum Put {
    Done,
    Full,
    Failed(String),
}

/// Items of one group with what is to be answered once the group is synced.
type Outcomes = Vec<(Item, Result<u64, JournalError>)>;

impl Writer {
    pub(super) fn open(
        settings: &JournalSettings,
        mut disk: Box<dyn Disk>,
        on_health: HealthCallback,
        shared: Arc<Shared>,
        found: &Recovered,
    ) -> Result<Self, JournalError> {
        let file = match newest_segment(&settings.dir, found) {
            Some(path) => Some(disk.open(&path).map_err(|e| io_error(&path, &e))?),
            None => None,
        };
        Ok(Self {
            dir: settings.dir.clone(),
            segment_bytes: settings.segment_bytes,
            reserve_bytes: settings.reserve_bytes,
            fsync: settings.fsync,
            probe: millis(settings.space_probe_ms),
            disk,
            on_health,
            shared,
            file,
            segment: found.segment,
            len: found.segment_len,
            head: found.head,
            reserve_left: 0,
            probed_at: None,
            buf: Vec::new(),
        })
    }

    pub(super) fn run(mut self) {
        // Answers whoever still waits, also when this thread panics.
        let _last_act = LastAct(Arc::clone(&self.shared));
        self.fill_reserve();
        loop {
            let probe = (self.shared.health() == JournalHealth::DiskFull).then_some(self.probe);
            let Some(group) = self.shared.collect(probe) else {
                break;
            };
            if self.shared.health() == JournalHealth::DiskFull {
                self.look_for_space();
            }
            if !group.is_empty() {
                self.commit(group);
            }
        }
    }

    fn commit(&mut self, mut group: VecDeque<Item>) {
        let mut outcomes = Outcomes::with_capacity(group.len());
        let mut barriers = Vec::new();
        while let Some(chunk) = self.next_chunk(&mut group, &mut outcomes, &mut barriers) {
            self.write_chunk(chunk, &mut outcomes);
        }
        if self.shared.health() != JournalHealth::Broken
            && self.head.seq > self.shared.progress().head.seq
            && let Err(what) = self.sync()
        {
            self.break_down(what);
        }
        if self.shared.health() == JournalHealth::Broken {
            let what = self.shared.health_text();
            for (_, outcome) in &mut outcomes {
                if outcome.is_ok() {
                    *outcome = Err(JournalError::Broken { what: what.clone() });
                }
            }
        } else {
            self.shared.advance(Progress { head: self.head, segment: self.segment, segment_len: self.len, closed: false });
        }
        for (item, outcome) in outcomes {
            self.shared.settle(item, outcome);
        }
        for barrier in barriers {
            let outcome = match self.shared.health() {
                JournalHealth::Broken => Err(JournalError::Broken { what: self.shared.health_text() }),
                _ => Ok(self.head.seq),
            };
            self.shared.settle(barrier, outcome);
        }
    }

    /// Takes the next entries of the group, up to the end of the segment or the chunk size; refused ones go to `outcomes`.
    /// `None` when the group is used up.
    fn next_chunk(&self, group: &mut VecDeque<Item>, outcomes: &mut Outcomes, barriers: &mut Vec<Item>) -> Option<Vec<Item>> {
        let room = self.segment_bytes.saturating_sub(self.len);
        let room = if room == 0 { self.segment_bytes } else { room }.min(CHUNK_BYTES);
        let mut chunk = Vec::new();
        let mut size = 0;
        while size < room || chunk.is_empty() {
            let Some(item) = group.pop_front() else { break };
            match &item {
                Item::Barrier(_) => barriers.push(item),
                Item::Entry { entry, priority, .. } => match self.refusal(entry, *priority) {
                    Some(error) => outcomes.push((item, Err(error))),
                    None => {
                        size += (frame::HEADER + frame::payload_len(entry)) as u64;
                        chunk.push(item);
                    }
                },
            }
        }
        (!chunk.is_empty()).then_some(chunk)
    }

    fn refusal(&self, entry: &Entry, priority: Priority) -> Option<JournalError> {
        match self.shared.health() {
            JournalHealth::Broken => Some(JournalError::Broken { what: self.shared.health_text() }),
            JournalHealth::DiskFull if priority == Priority::Normal => {
                Some(JournalError::DiskFull { entry_kind: entry.kind.clone().into_owned() })
            }
            _ => None,
        }
    }

    fn write_chunk(&mut self, mut chunk: Vec<Item>, outcomes: &mut Outcomes) {
        loop {
            let head = self.encode(&chunk);
            let buf = mem::take(&mut self.buf);
            let put = self.put(&buf);
            self.buf = buf;
            match put {
                Put::Done => {
                    let first = self.head.seq + 1;
                    outcomes.extend(chunk.into_iter().zip(first..).map(|(item, seq)| (item, Ok(seq))));
                    self.head = head;
                    return;
                }
                Put::Failed(what) => {
                    self.break_down(what);
                    let what = self.shared.health_text();
                    outcomes.extend(chunk.into_iter().map(|item| (item, Err(JournalError::Broken { what: what.clone() }))));
                    return;
                }
                Put::Full => {
                    self.change_health(JournalHealth::DiskFull, "no space left for the journal");
                    let needs = self.buf.len() as u64;
                    let before = chunk.len();
                    chunk = self.refuse(chunk, outcomes, |p| p == Priority::Normal);
                    if chunk.len() == before && !self.free_from_reserve(needs) {
                        chunk = self.refuse(chunk, outcomes, |_| true);
                    }
                    if chunk.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Moves the entries that the test picks to `outcomes` as refused; gives the others.
    fn refuse(&self, chunk: Vec<Item>, outcomes: &mut Outcomes, test: impl Fn(Priority) -> bool) -> Vec<Item> {
        let mut kept = Vec::with_capacity(chunk.len());
        for item in chunk {
            match &item {
                Item::Entry { entry, priority, .. } if test(*priority) => {
                    let error = JournalError::DiskFull { entry_kind: entry.kind.clone().into_owned() };
                    outcomes.push((item, Err(error)));
                }
                _ => kept.push(item),
            }
        }
        kept
    }

    /// Encodes a chunk behind the present head into `buf`; gives the head that results.
    fn encode(&mut self, chunk: &[Item]) -> JournalHead {
        self.buf.clear();
        let mut head = self.head;
        for item in chunk {
            if let Item::Entry { entry, .. } = item {
                head.hash = frame::encode(entry, head.seq + 1, &head.hash, &mut self.buf);
                head.seq += 1;
            }
        }
        head
    }

    /// Writes whole or not at all: what a full disk took of it is cut off again.
    fn put(&mut self, bytes: &[u8]) -> Put {
        if (self.file.is_none() || self.len >= self.segment_bytes)
            && let Some(end) = self.roll()
        {
            return end;
        }
        let Some(file) = &mut self.file else {
            return Put::Failed("no segment is open".into());
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Put::Failed("a write took no bytes".into()),
                Ok(n) => rest = &rest[n.min(rest.len())..],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if is_full(&e) => {
                    return match file.truncate(self.len) {
                        Ok(()) => Put::Full,
                        Err(e) => Put::Failed(format!("cutting a half-written group failed: {e}")),
                    };
                }
                Err(e) => return Put::Failed(format!("write failed: {e}")),
            }
        }
        self.len += bytes.len() as u64;
        Put::Done
    }

    /// Begins a new segment; the old one is synced first, so only the newest can have a torn tail. `Some` = it failed.
    fn roll(&mut self) -> Option<Put> {
        if let Err(what) = self.sync() {
            return Some(Put::Failed(what));
        }
        let first = self.head.seq + 1;
        match self.disk.create(&self.dir.join(segment_name(first))) {
            Ok(file) => {
                self.file = Some(file);
                self.segment = first;
                self.len = 0;
                None
            }
            Err(e) if is_full(&e) => Some(Put::Full),
            Err(e) => Some(Put::Failed(format!("creating segment {} failed: {e}", segment_name(first)))),
        }
    }

    fn sync(&mut self) -> Result<(), String> {
        match &mut self.file {
            Some(file) if self.fsync => file.sync().map_err(|e| format!("fdatasync failed: {e}")),
            _ => Ok(()),
        }
    }

    fn reserve_path(&self) -> PathBuf {
        self.dir.join(RESERVE_FILE)
    }

    /// Brings the reserve to its full size; a full disk is reported as such.
    fn fill_reserve(&mut self) {
        let path = self.reserve_path();
        match self.disk.reserve(&path, self.reserve_bytes) {
            Ok(()) => self.reserve_left = self.reserve_bytes,
            Err(e) if is_full(&e) => {
                self.change_health(JournalHealth::DiskFull, "no space left for the journal's reserve");
            }
            Err(e) => {
                tracing::error!(path = %path.display(), error = %e, "journal: no reserve for a full disk")
            }
        }
    }

    /// Shrinks the reserve by at least `needs`; false when it was used up already.
    fn free_from_reserve(&mut self, needs: u64) -> bool {
        if self.reserve_left == 0 {
            return false;
        }
        let target = self.reserve_left.saturating_sub(needs.max(RESERVE_STEP));
        match self.disk.reserve(&self.reserve_path(), target) {
            Ok(()) => {
                self.reserve_left = target;
                true
            }
            Err(e) => {
                tracing::error!(error = %e, "journal: the reserve cannot be shrunk");
                self.reserve_left = 0;
                false
            }
        }
    }

    /// While the disk is full: there is space again when the reserve and one step more fit.
    fn look_for_space(&mut self) {
        if self.probed_at.is_some_and(|at| at.elapsed() < self.probe) {
            return;
        }
        self.probed_at = Some(Instant::now());
        let path = self.reserve_path();
        let found = self.disk.reserve(&path, self.reserve_bytes + RESERVE_STEP).and_then(|()| self.disk.reserve(&path, self.reserve_bytes));
        if found.is_ok() {
            self.reserve_left = self.reserve_bytes;
            self.change_health(JournalHealth::Healthy, "");
        }
    }

    fn break_down(&mut self, what: String) {
        tracing::error!(%what, "journal: broken, nothing is written any more");
        self.change_health(JournalHealth::Broken, &what);
    }

    fn change_health(&self, health: JournalHealth, what: &str) {
        if self.shared.set_health(health, what) {
            tracing::warn!(?health, what, "journal: health changed");
            (self.on_health)(health);
        }
    }
}

/// Closes the journal when the writer thread ends, however it ends.
struct LastAct(Arc<Shared>);

impl Drop for LastAct {
    fn drop(&mut self) {
        if std::thread::panicking() && self.0.set_health(JournalHealth::Broken, "the writer thread panicked") {
            tracing::error!("journal: the writer thread panicked");
        }
        self.0.abandon();
    }
}
