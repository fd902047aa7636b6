//! The journal on a failing disk: durability is promised after the sync only, a full disk leaves the exits, an I/O error
//! ends it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::{
    io,
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use fulmar_adapters::journal::segments::{Disk, JournalSettings, LogFile, RealDisk, SegmentJournal, verify};
use fulmar_ports::journal::{Durability, Entry, Journal, JournalError, JournalHealth, Priority};
use parking_lot::Mutex;

/// What the disk was asked to do, in order, and who was told what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Write(usize),
    Sync,
    Create,
    Done(u64),
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    /// Bytes that segments and reserve may take together.
    capacity: Option<u64>,
    segments: u64,
    reserve: u64,
    fail_sync: Option<usize>,
    fail_write: Option<usize>,
    sync_takes: Duration,
}

impl State {
    fn free(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |c| c.saturating_sub(self.segments + self.reserve))
    }
    fn count(&self, f: impl Fn(&Call) -> bool) -> usize {
        self.calls.iter().filter(|c| f(c)).count()
    }
}

#[derive(Clone, Default)]
struct FakeDisk(Arc<Mutex<State>>);

struct FakeFile(Box<dyn LogFile>, Arc<Mutex<State>>, u64);

impl LogFile for FakeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.1.lock();
        let nth = state.count(|c| matches!(c, Call::Write(_)));
        if state.fail_write == Some(nth) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let take = (bytes.len() as u64).min(state.free()) as usize;
        if take == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = self.0.write(&bytes[..take])?;
        state.segments += taken as u64;
        self.2 += taken as u64;
        state.calls.push(Call::Write(taken));
        Ok(taken)
    }
    fn sync(&mut self) -> io::Result<()> {
        let takes = self.1.lock().sync_takes;
        std::thread::sleep(takes);
        let mut state = self.1.lock();
        let nth = state.count(|c| matches!(c, Call::Sync));
        state.calls.push(Call::Sync);
        if state.fail_sync.is_some_and(|at| nth >= at) { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.truncate(len)?;
        self.1.lock().segments -= self.2 - len;
        self.2 = len;
        Ok(())
    }
}

impl Disk for FakeDisk {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.0.lock().calls.push(Call::Create);
        Ok(Box::new(FakeFile(RealDisk.create(path)?, Arc::clone(&self.0), 0)))
    }
    fn open(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let len = std::fs::metadata(path)?.len();
        self.0.lock().segments += len;
        Ok(Box::new(FakeFile(RealDisk.open(path)?, Arc::clone(&self.0), len)))
    }
    fn reserve(&mut self, _: &Path, bytes: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        if bytes > state.reserve && bytes - state.reserve > state.free() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.reserve = bytes;
        Ok(())
    }
}

type Heard = mpsc::Receiver<(u64, Result<u64, JournalError>)>;

struct Bed {
    _dir: tempfile::TempDir,
    disk: FakeDisk,
    journal: SegmentJournal,
    healths: Arc<Mutex<Vec<JournalHealth>>>,
    tx: mpsc::Sender<(u64, Result<u64, JournalError>)>,
    heard: Heard,
}

fn bed(change: impl FnOnce(&mut JournalSettings), disk: FakeDisk) -> Bed {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = JournalSettings { reserve_bytes: 0, space_probe_ms: 20, ..JournalSettings::in_dir(dir.path()) };
    change(&mut settings);
    let healths = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&healths);
    let (journal, _) =
        SegmentJournal::open_on(settings, Box::new(disk.clone()), Box::new(move |health| told.lock().push(health)), &mut |_| {}).unwrap();
    let (tx, heard) = mpsc::channel();
    Bed { _dir: dir, disk, journal, healths, tx, heard }
}

impl Bed {
    fn append(&self, id: u64, bytes: usize, durability: Durability, priority: Priority) {
        let entry = Entry { kind: "order.intent".into(), ts_ms: 1, wall_ms: 2, id, cause: 0, body: vec![b'x'; bytes] };
        let (tx, state) = (self.tx.clone(), Arc::clone(&self.disk.0));
        let done = Box::new(move |outcome: Result<u64, JournalError>| {
            if let Ok(seq) = outcome {
                state.lock().calls.push(Call::Done(seq));
            }
            tx.send((id, outcome)).unwrap();
        });
        self.journal.append(entry, durability, priority, Some(done));
    }
    fn next(&self) -> (u64, Result<u64, JournalError>) {
        self.heard.recv_timeout(Duration::from_secs(10)).unwrap()
    }
    fn say(&self, id: u64, bytes: usize, priority: Priority) -> Result<u64, JournalError> {
        self.append(id, bytes, Durability::Synced, priority);
        let (heard, outcome) = self.next();
        assert_eq!(heard, id);
        outcome
    }
    fn until(&self, health: JournalHealth) {
        let start = Instant::now();
        while self.journal.health() != health {
            assert!(start.elapsed() < Duration::from_secs(10), "still {:?}", self.journal.health());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_thousand_concurrent_synced_appends_share_few_syncs() {
    let disk = FakeDisk::default();
    disk.0.lock().sync_takes = Duration::from_millis(2);
    let bed = bed(|_| {}, disk);
    std::thread::scope(|scope| {
        for thread in 0..10 {
            let bed = (&bed.journal, bed.tx.clone());
            scope.spawn(move || {
                for n in 0..100 {
                    let (id, tx) = (thread * 100 + n, bed.1.clone());
                    let entry = Entry { kind: "k".into(), ts_ms: 0, wall_ms: 0, id, cause: 0, body: b"{}".to_vec() };
                    let done = Box::new(move |outcome| tx.send((id, outcome)).unwrap());
                    bed.0.append(entry, Durability::Synced, Priority::Normal, Some(done));
                }
            });
        }
    });
    let mut seqs: Vec<u64> = (0..1_000).map(|_| bed.next().1.unwrap()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=1_000).collect::<Vec<_>>());
    let syncs = bed.disk.0.lock().count(|c| *c == Call::Sync);
    assert!(syncs <= 100, "{syncs} syncs for 1,000 entries");
}

#[test]
fn nobody_is_told_before_the_sync_that_follows_the_write() {
    let bed = bed(|s| s.segment_bytes = 700, FakeDisk::default());
    for id in 1..=50 {
        let durability = if id % 3 == 0 { Durability::Lazy } else { Durability::Synced };
        bed.append(id, 40, durability, Priority::Normal);
        if id % 7 == 0 {
            std::thread::sleep(Duration::from_millis(3));
        }
    }
    let order: Vec<u64> = (0..50).map(|_| bed.next().1.unwrap()).collect();
    assert_eq!(order, (1..=50).collect::<Vec<_>>(), "answers come in the order of the log");
    let state = bed.disk.0.lock();
    let (mut written, mut synced, mut told) = (0, 0, 0);
    let frame = 82 + 12 + 40;
    for call in &state.calls {
        match *call {
            Call::Write(n) => written += n,
            Call::Sync => synced = written,
            Call::Create => assert_eq!(synced, written, "a segment is synced before the next begins"),
            Call::Done(seq) => {
                told += 1;
                assert!(synced >= frame * seq as usize, "entry {seq} was acknowledged before its sync");
            }
        }
    }
    assert_eq!(told, 50);
    assert!(state.count(|c| *c == Call::Create) > 5);
}

#[test]
fn a_lazy_backlog_costs_one_sync_per_interval() {
    let bed = bed(|s| s.lazy_sync_ms = 50, FakeDisk::default());
    for id in 1..=1_000 {
        bed.append(id, 10, Durability::Lazy, Priority::Normal);
    }
    for _ in 0..1_000 {
        bed.next().1.unwrap();
    }
    let syncs = bed.disk.0.lock().count(|c| *c == Call::Sync);
    assert!(syncs <= 4, "{syncs} syncs");
}

#[test]
fn on_a_full_disk_exits_are_written_from_the_reserve_and_entries_come_back_with_space() {
    let disk = FakeDisk::default();
    disk.0.lock().capacity = Some((4 << 20) + 10_000);
    let bed = bed(|s| s.reserve_bytes = 4 << 20, disk);
    let mut written = 0;
    let refusal = loop {
        match bed.say(written + 1, 900, Priority::Normal) {
            Ok(seq) => {
                written += 1;
                assert_eq!(seq, written);
            }
            Err(error) => break error,
        }
    };
    assert!(written >= 9, "{written}");
    assert!(matches!(&refusal, JournalError::DiskFull { entry_kind } if entry_kind == "order.intent"));
    assert_eq!(bed.journal.health(), JournalHealth::DiskFull);
    let mut seq = written;
    for id in 0..20 {
        seq += 1;
        assert_eq!(bed.say(1_000 + id, 100_000, Priority::Protective), Ok(seq), "exits use the reserve");
        assert!(matches!(bed.say(2_000 + id, 10, Priority::Normal), Err(JournalError::DiskFull { .. })));
    }
    bed.disk.0.lock().capacity = Some(100 << 20);
    bed.until(JournalHealth::Healthy);
    assert_eq!(bed.say(3_000, 900, Priority::Normal), Ok(seq + 1));
    assert_eq!(bed.disk.0.lock().reserve, 4 << 20, "the reserve is back");
    assert_eq!(*bed.healths.lock(), [JournalHealth::DiskFull, JournalHealth::Healthy]);
    let found = verify(bed.journal.dir()).unwrap();
    assert_eq!((found.head.seq, found.torn), (seq + 1, None), "no half-written group was left behind");
}

#[test]
fn one_group_with_both_priorities_keeps_its_exits_on_a_full_disk() {
    let disk = FakeDisk::default();
    disk.0.lock().capacity = Some((2 << 20) + 100);
    disk.0.lock().sync_takes = Duration::from_millis(30);
    let bed = bed(|s| s.reserve_bytes = 2 << 20, disk);
    for id in 0..40 {
        let priority = if id % 4 == 0 { Priority::Protective } else { Priority::Normal };
        bed.append(id, 200, Durability::Synced, priority);
    }
    let mut seqs = Vec::new();
    for _ in 0..40 {
        match bed.next() {
            (id, Ok(seq)) => {
                assert_eq!(id % 4, 0);
                seqs.push(seq);
            }
            (id, Err(error)) => {
                assert_ne!(id % 4, 0, "{error}");
            }
        }
    }
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>(), "numbers stay dense over refused entries");
}

#[test]
fn exits_are_refused_clearly_once_the_reserve_is_used_up_and_the_log_stays_sound() {
    let disk = FakeDisk::default();
    disk.0.lock().capacity = Some(3 << 20);
    let bed = bed(|s| s.reserve_bytes = 2 << 20, disk);
    let mut written = 0;
    while bed.say(written, 300_000, Priority::Protective).is_ok() {
        written += 1;
    }
    assert_eq!(written, 10, "3 MiB take ten of them");
    assert_eq!(bed.journal.health(), JournalHealth::DiskFull);
    assert_eq!(verify(bed.journal.dir()).unwrap().head.seq, 10);
}

#[test]
fn a_failed_sync_breaks_the_journal_and_is_never_retried() {
    let disk = FakeDisk::default();
    disk.0.lock().fail_sync = Some(1);
    let bed = bed(|_| {}, disk);
    assert_eq!(bed.say(1, 10, Priority::Normal), Ok(1));
    assert!(matches!(bed.say(2, 10, Priority::Normal), Err(JournalError::Broken { .. })));
    let calls = bed.disk.0.lock().calls.len();
    for priority in [Priority::Normal, Priority::Protective] {
        assert!(matches!(bed.say(3, 10, priority), Err(JournalError::Broken { .. })));
    }
    assert_eq!(bed.disk.0.lock().calls.len(), calls, "the disk is not touched again");
    assert_eq!((bed.journal.health(), bed.journal.durable_seq()), (JournalHealth::Broken, 1));
    assert_eq!(*bed.healths.lock(), [JournalHealth::Broken]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(runtime.block_on(bed.journal.flush()), Err(JournalError::Broken { .. })));
    while bed.journal.pending() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(bed.journal.backlog(), 0);
}

#[test]
fn a_failed_write_breaks_the_journal_and_answers_everyone_who_waits() {
    let disk = FakeDisk::default();
    disk.0.lock().fail_write = Some(1);
    disk.0.lock().sync_takes = Duration::from_millis(20);
    let bed = bed(|_| {}, disk);
    assert_eq!(bed.say(99, 10, Priority::Normal), Ok(1));
    for id in 0..30 {
        bed.append(id, 10, Durability::Synced, Priority::Protective);
    }
    for _ in 0..30 {
        assert!(matches!(bed.next().1, Err(JournalError::Broken { what }) if what.contains("write failed")));
    }
}

#[test]
fn a_completion_that_panics_harms_nobody_else() {
    let bed = bed(|_| {}, FakeDisk::default());
    let entry = Entry { kind: "k".into(), ts_ms: 0, wall_ms: 0, id: 1, cause: 0, body: b"{}".to_vec() };
    bed.journal.append(entry, Durability::Synced, Priority::Normal, Some(Box::new(|_| panic!("in a completion"))));
    assert_eq!(bed.say(2, 10, Priority::Normal), Ok(2));
}

#[test]
fn a_backlog_beyond_its_bound_is_refused() {
    let disk = FakeDisk::default();
    disk.0.lock().sync_takes = Duration::from_millis(200);
    let bed = bed(|s| s.max_backlog = 5, disk);
    for id in 0..50 {
        bed.append(id, 10, Durability::Synced, Priority::Normal);
    }
    let outcomes: Vec<_> = (0..50).map(|_| bed.next().1).collect();
    let refused = outcomes.iter().filter(|o| matches!(o, Err(JournalError::Overloaded { limit: 5 }))).count();
    assert!(refused >= 35, "{refused}");
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 50 - refused);
}
