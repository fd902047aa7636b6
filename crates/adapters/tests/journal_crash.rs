//! A process that is killed while it writes: what it was told is durable is there afterwards, and the log goes on.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
};

use fulmar_adapters::journal::segments::{JournalSettings, SegmentJournal};
use fulmar_ports::journal::{Durability, Entry, Journal, JournalError, Priority, Record};

const FOLDER: &str = "FULMAR_TEST_CRASH_FOLDER";

fn open(dir: PathBuf) -> Result<(SegmentJournal, Vec<Record>), JournalError> {
    let settings = JournalSettings { segment_bytes: 20_000, reserve_bytes: 0, ..JournalSettings::in_dir(dir) };
    let mut seen = Vec::new();
    let (journal, _) = SegmentJournal::open(settings, Box::new(|_| {}), &mut |r| seen.push(r.to_record()))?;
    Ok((journal, seen))
}

/// The victim: only when the folder is given. Writes for ever, and names each number that it was told.
#[test]
fn victim() {
    let Some(dir) = env::var_os(FOLDER) else { return };
    let (journal, seen) = open(dir.into()).unwrap();
    let (tx, rx) = mpsc::channel();
    let mut id = seen.len() as u64;
    for _ in 0..64 {
        tx.send(()).unwrap();
    }
    loop {
        rx.recv().unwrap();
        id += 1;
        let body = vec![b'0' + (id % 10) as u8; (id % 700) as usize];
        let entry = Entry { kind: "order_planned".into(), ts_ms: 1, wall_ms: 2, id, cause: 0, body };
        let durability = if id.is_multiple_of(3) { Durability::Lazy } else { Durability::Synced };
        let tx = tx.clone();
        let done = move |outcome: Result<u64, JournalError>| {
            let line = format!("\ndurable {} {id}\n", outcome.unwrap());
            std::io::stdout().write_all(line.as_bytes()).unwrap();
            tx.send(()).unwrap();
        };
        journal.append(entry, durability, Priority::Normal, Some(Box::new(done)));
    }
}

#[test]
fn what_a_killed_process_was_told_is_durable_is_there_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = 0;
    for round in 0..6u64 {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture", "--test-threads", "1"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut heard = 0;
        while heard < 40 + round * 97 {
            let line = lines.next().expect("the victim writes until it is killed").unwrap();
            if let Some(rest) = line.strip_prefix("durable ") {
                let (seq, id) = rest.split_once(' ').unwrap();
                assert_eq!(seq, id, "one producer: numbers and ids go together");
                told = told.max(seq.parse().unwrap());
                heard += 1;
            }
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        let (journal, seen) = open(dir.path().into()).unwrap();
        assert!(seen.len() as u64 >= told, "round {round}: told {told}, found {}", seen.len());
        assert!(seen.iter().zip(1..).all(|(r, n)| r.seq == n && r.entry.id == n));
        drop(journal);
    }
    assert!(told > 500, "{told}");
}
