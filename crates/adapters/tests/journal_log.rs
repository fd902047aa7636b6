//! The log on disk: what was written is read, a torn tail is dropped and reported, any other damage is refused.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};

use fulmar_adapters::journal::segments::{JournalSettings, Recovered, SegmentJournal, ShowFilter, show, stats, verify};
use fulmar_ports::journal::{Durability, Entry, Journal, JournalError, Priority, Record};
use proptest::prelude::*;

fn settings(dir: &Path) -> JournalSettings {
    JournalSettings { segment_bytes: 1_000, reserve_bytes: 0, fsync: false, ..JournalSettings::in_dir(dir) }
}

fn entry(id: u64, body: &str) -> Entry {
    Entry {
        kind: if id.is_multiple_of(2) { "order.intent".into() } else { "fill".into() },
        ts_ms: 1_000 + id as i64,
        wall_ms: 5_000 + id as i64,
        id,
        cause: id / 3,
        body: body.as_bytes().to_vec(),
    }
}

fn open(settings: JournalSettings) -> Result<(SegmentJournal, Recovered, Vec<Record>), JournalError> {
    let mut seen = Vec::new();
    let (journal, found) = SegmentJournal::open(settings, Box::new(|_| {}), &mut |record| seen.push(record.to_record()))?;
    Ok((journal, found, seen))
}

fn write(settings: JournalSettings, entries: &[Entry]) {
    let (journal, ..) = open(settings).unwrap();
    for e in entries {
        journal.append(e.clone(), Durability::Lazy, Priority::Normal, None);
    }
    journal.close();
    assert_eq!(journal.refused(), 0);
}

fn some_log(dir: &Path, records: u64) -> Vec<Entry> {
    let entries: Vec<Entry> = (1..=records).map(|id| entry(id, &format!("{{\"n\":{id}}}"))).collect();
    write(settings(dir), &entries);
    entries
}

fn log_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "log"));
    files.sort();
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_is_appended_is_read_back_in_order_over_segments_and_restarts(
        parts in prop::collection::vec(prop::collection::vec((any::<u64>(), "[ -~]{0,300}"), 0..12), 1..4)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut all = Vec::new();
        for part in &parts {
            let entries: Vec<Entry> = part.iter().map(|(id, body)| entry(*id / 2, body)).collect();
            write(settings(dir.path()), &entries);
            all.extend(entries);
        }
        let (_journal, found, seen) = open(settings(dir.path())).unwrap();
        prop_assert_eq!(found.head.seq, all.len() as u64);
        prop_assert_eq!(found.torn, None);
        prop_assert_eq!(seen.iter().map(|r| r.seq).collect::<Vec<_>>(), (1..=all.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(seen.into_iter().map(|r| r.entry).collect::<Vec<_>>(), all);
    }
}

#[test]
fn every_flipped_byte_is_dropped_at_the_tail_or_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    some_log(dir.path(), 24);
    let files = log_files(dir.path());
    assert!(files.len() >= 3);
    let (mut torn, mut refused) = (0, 0);
    for (nth, file) in files.iter().enumerate() {
        let good = fs::read(file).unwrap();
        let last = nth + 1 == files.len();
        let mut tail_start = 0;
        show(dir.path(), 1, u64::MAX, &ShowFilter::default(), &mut |r| {
            let first: u64 = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            if r.seq >= first && r.seq < 24 {
                tail_start += 82 + r.entry.kind.len() + r.entry.body.len();
            }
            true
        })
        .unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(file, &bad).unwrap();
            match verify(dir.path()) {
                Ok(found) => {
                    let cut = found.torn.expect("a flipped byte is never overlooked");
                    assert!(last && at >= tail_start, "byte {at} of segment {nth} lies in the middle");
                    assert_eq!(cut.offset, tail_start as u64);
                    assert_eq!(cut.bytes, (good.len() - tail_start) as u64);
                    assert_eq!(found.head.seq, 23);
                    torn += 1;
                }
                Err(JournalError::Corrupt { segment, offset, seq, .. }) => {
                    assert_eq!(segment, file.file_name().unwrap().to_str().unwrap());
                    assert!(offset <= at as u64 && seq >= 1);
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        fs::write(file, &good).unwrap();
    }
    assert!(torn > 80 && refused > 1_000, "{torn} {refused}");
    verify(dir.path()).unwrap();
}

#[test]
fn a_log_cut_at_any_length_opens_without_its_torn_record_and_goes_on() {
    let source = tempfile::tempdir().unwrap();
    let entries = some_log(source.path(), 6);
    let file = &log_files(source.path())[0];
    let good = fs::read(file).unwrap();
    assert_eq!(log_files(source.path()).len(), 1);
    for len in 0..=good.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(file.file_name().unwrap()), &good[..len]).unwrap();
        let (journal, found, seen) = open(settings(dir.path())).unwrap();
        let whole: usize = seen.iter().map(|r| 82 + r.entry.kind.len() + r.entry.body.len()).sum();
        match &found.torn {
            None => assert_eq!(whole, len),
            Some(torn) => assert_eq!((torn.offset, torn.bytes), (whole as u64, (len - whole) as u64)),
        }
        assert!(seen.iter().map(|r| &r.entry).eq(entries.iter().take(seen.len())));
        journal.append(entry(77, "{}"), Durability::Synced, Priority::Normal, None);
        drop(journal);
        let (_journal, found, again) = open(settings(dir.path())).unwrap();
        assert_eq!(found.torn, None);
        assert_eq!(again.len(), seen.len() + 1);
        assert_eq!(again.last().unwrap().entry.id, 77);
    }
}

/// The frames of a one-segment log.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len = 8 + u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        frames.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    frames
}

#[test]
fn deleted_swapped_doubled_and_replaced_records_are_found() {
    let dir = tempfile::tempdir().unwrap();
    some_log(dir.path(), 6);
    let other = tempfile::tempdir().unwrap();
    let mut foreign = (1..=6).map(|id| entry(id, "{\"n\":0}")).collect::<Vec<_>>();
    foreign[0].id = 999;
    write(settings(other.path()), &foreign);
    let file = log_files(dir.path())[0].clone();
    let good = frames(&fs::read(&file).unwrap());
    let strange = frames(&fs::read(&log_files(other.path())[0]).unwrap());
    let check = |what: &str, changed: Vec<Vec<u8>>| {
        fs::write(&file, changed.concat()).unwrap();
        assert!(matches!(verify(dir.path()), Err(JournalError::Corrupt { .. })), "{what}");
        assert!(matches!(open(settings(dir.path())), Err(JournalError::Corrupt { .. })), "{what}");
    };
    for at in 0..5 {
        let mut changed = good.clone();
        changed.remove(at);
        check("deleted", changed);
        let mut changed = good.clone();
        changed.swap(at, at + 1);
        check("swapped", changed);
    }
    for at in 0..6 {
        let mut changed = good.clone();
        changed.insert(at, good[at].clone());
        check("doubled", changed);
        let mut changed = good.clone();
        changed[at] = strange[at].clone();
        if at > 0 {
            check("replaced by a valid record of another log", changed);
        }
    }
    fs::write(&file, good.concat()).unwrap();
    verify(dir.path()).unwrap();
}

#[test]
fn a_missing_segment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    some_log(dir.path(), 40);
    let files = log_files(dir.path());
    assert!(files.len() > 3);
    for gone in &files[..files.len() - 1] {
        let kept = fs::read(gone).unwrap();
        fs::remove_file(gone).unwrap();
        assert!(matches!(verify(dir.path()), Err(JournalError::Corrupt { offset: 0, .. })));
        fs::write(gone, kept).unwrap();
    }
    verify(dir.path()).unwrap();
}

#[test]
fn only_one_process_holds_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(settings(dir.path())).unwrap();
    assert!(matches!(open(settings(dir.path())), Err(JournalError::Locked { .. })));
    drop(first);
    open(settings(dir.path())).unwrap();
}

#[test]
fn a_tail_reads_everything_written_before_and_after_it_was_opened() {
    let dir = tempfile::tempdir().unwrap();
    let before = some_log(dir.path(), 30);
    let (journal, ..) = open(settings(dir.path())).unwrap();
    let journal = Arc::new(journal);
    let mut readers = Vec::new();
    for from in [1, 17, 31, 60] {
        let mut tail = journal.tail(from).unwrap();
        readers.push((
            from,
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                while !tail.finished() {
                    tail.wait(Duration::from_millis(50));
                    seen.extend(tail.read(7).unwrap());
                }
                assert_eq!(tail.next_seq(), 531);
                seen
            }),
        ));
    }
    for id in 31..=530 {
        let how = if id % 5 == 0 { Durability::Synced } else { Durability::Lazy };
        journal.append(entry(id, &format!("{{\"n\":{id}}}")), how, Priority::Normal, None);
        if id % 50 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    journal.close();
    for (from, reader) in readers {
        let seen = reader.join().unwrap();
        assert_eq!(seen.iter().map(|r| r.seq).collect::<Vec<_>>(), (from..=530).collect::<Vec<_>>());
        assert!(seen.iter().all(|r| r.entry.id == r.seq));
    }
    assert_eq!(before.len(), 30);
}

#[test]
fn flush_waits_for_lazy_entries_and_nothing_is_pending_when_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut slow = settings(dir.path());
    slow.lazy_sync_ms = 60_000;
    let (journal, ..) = open(slow).unwrap();
    for id in 1..=10 {
        journal.append(entry(id, "{}"), Durability::Lazy, Priority::Normal, None);
    }
    assert_eq!(journal.pending(), 0, "nobody waits for a lazy entry");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(journal.flush()), Ok(10));
    assert_eq!((journal.backlog(), journal.durable_seq(), journal.head().seq), (0, 10, 10));
    let (tx, rx) = mpsc::channel();
    journal.append(entry(11, "{}"), Durability::Synced, Priority::Normal, Some(Box::new(move |done| tx.send(done).unwrap())));
    assert_eq!(rx.recv_timeout(Duration::from_secs(5)).unwrap(), Ok(11));
    while journal.pending() > 0 {
        std::thread::yield_now();
    }
    journal.close();
    let (tx, rx) = mpsc::channel();
    journal.append(entry(12, "{}"), Durability::Synced, Priority::Normal, Some(Box::new(move |done| tx.send(done).unwrap())));
    assert_eq!(rx.recv().unwrap(), Err(JournalError::Closed));
}

#[test]
fn a_lazy_entry_is_durable_within_its_interval_without_a_synced_one() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, ..) = open(settings(dir.path())).unwrap();
    for round in 1..=3 {
        std::thread::sleep(Duration::from_millis(if round == 2 { 300 } else { 1 }));
        journal.append(entry(round, "{}"), Durability::Lazy, Priority::Normal, None);
        let mut tail = journal.tail(round).unwrap();
        assert!(tail.wait(Duration::from_secs(2)), "round {round}");
        assert_eq!(tail.read(10).unwrap().len(), 1);
    }
}

#[test]
fn an_entry_beyond_the_bounds_is_refused_and_nothing_else_is_harmed() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, ..) = open(settings(dir.path())).unwrap();
    let (tx, rx) = mpsc::channel();
    let append = |e: Entry| {
        let tx = tx.clone();
        let done: fulmar_ports::journal::Completion = Box::new(move |done| tx.send(done).unwrap());
        journal.append(e, Durability::Synced, Priority::Normal, Some(done));
        rx.recv_timeout(Duration::from_secs(5)).unwrap()
    };
    assert_eq!(append(entry(1, "{}")), Ok(1));
    let long_kind = Entry { kind: "k".repeat(256).into(), ..entry(2, "{}") };
    assert!(matches!(append(long_kind), Err(JournalError::TooLarge { bytes: 256, .. })));
    let long_body = Entry { body: vec![b' '; 17 << 20], ..entry(2, "") };
    assert!(matches!(append(long_body), Err(JournalError::TooLarge { .. })));
    assert_eq!(append(entry(2, "{}")), Ok(2));
    assert_eq!(journal.refused(), 2);
}

#[test]
fn show_and_stats_answer_by_range_and_filter() {
    let dir = tempfile::tempdir().unwrap();
    some_log(dir.path(), 40);
    let shown = |from, to, filter: ShowFilter| {
        let mut seqs = Vec::new();
        show(dir.path(), from, to, &filter, &mut |r| {
            seqs.push(r.seq);
            true
        })
        .unwrap();
        seqs
    };
    assert_eq!(shown(33, 36, ShowFilter::default()), [33, 34, 35, 36]);
    assert_eq!(shown(1, 9, ShowFilter { kind_prefix: Some("order.".into()), ..Default::default() }), [2, 4, 6, 8]);
    assert_eq!(shown(1, u64::MAX, ShowFilter { cause: Some(5), ..Default::default() }), [15, 16, 17]);
    assert_eq!(shown(1, u64::MAX, ShowFilter { contains: Some("\"n\":39".into()), ..Default::default() }), [39]);
    assert_eq!(shown(1, u64::MAX, ShowFilter { id: Some(7), ..Default::default() }), [7]);
    let figures = stats(dir.path()).unwrap();
    assert_eq!(figures.kinds["fill"].records, 20);
    assert_eq!(figures.kinds["order.intent"].records, 20);
    assert_eq!(figures.ts_ms, Some((1_001, 1_040)));
    assert_eq!(figures.recovered.head.seq, 40);
    assert_eq!(figures.kinds.values().map(|k| k.bytes).sum::<u64>(), figures.recovered.bytes);
}
