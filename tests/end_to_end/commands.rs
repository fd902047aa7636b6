//! The commands that look and do not trade, and what a damaged journal does.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::books::journal;
use crate::process::{Engine, alone, http, run, wait_for};

/// A short session's data folder.
fn session(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    let mut engine = Engine::start(&data, None, &["--speed", "600"]);
    wait_for("it traded", Duration::from_secs(60), || {
        let fills = journal(&data, "order_updated").iter().filter(|u| !u["fill"].is_null()).count();
        if fills >= 2 { Ok(()) } else { Err(format!("{fills} fills")) }
    });
    assert_eq!(engine.stop().0, Some(0));
    data
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(data.join("journal"))
        .expect("the journal's folder")
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .collect();
    all.sort();
    assert!(!all.is_empty(), "{:?}", fs::read_dir(data.join("journal")).map(|d| d.flatten().map(|e| e.path()).collect::<Vec<_>>()));
    all
}

#[test]
fn the_journal_is_verified_shown_and_counted_and_the_store_made_anew() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let data = session(folder.path());
    let at = data.display().to_string();
    let (code, out, errors) = run(&["journal", "verify", "--data-dir", &at]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("records"), "{out}");
    let (code, out, errors) = run(&["journal", "stats", "--data-dir", &at]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("order_planned"), "{out}");
    let (code, out, _) = run(&["journal", "show", "--data-dir", &at, "--from", "2", "--to", "3"]);
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    let fills = journal(&data, "order_updated").iter().filter(|u| !u["fill"].is_null()).count();
    fs::remove_file(data.join("store.sqlite")).expect("the store can be removed");
    let (code, out, errors) = run(&["store", "rebuild", "--data-dir", &at]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("rebuilt"), "{out}");
    let engine = Engine::start(&data, None, &["--speed", "1"]);
    let told = wait_for("the store answers", Duration::from_secs(10), || {
        let answer = http::get(&engine.api, "/api/v1/fills?limit=500").expect("an answer");
        let told = answer.json().as_array().map_or(0, Vec::len);
        if told >= fills.min(500) { Ok(told) } else { Err(format!("{told} of {fills}")) }
    });
    println!("{fills} fills in the journal, {told} told from the rebuilt store");
}

#[test]
fn damage_in_the_middle_of_the_journal_refuses_to_start_and_names_the_record() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let data = session(folder.path());
    let at = data.display().to_string();
    let segment = segments(&data).first().cloned().expect("a segment");
    let mut bytes = fs::read(&segment).expect("it can be read");
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x55;
    fs::write(&segment, &bytes).expect("it can be written");
    for arguments in [vec!["journal", "verify", "--data-dir", &at], vec!["run", "--data-dir", &at, "--set", "api.listen=127.0.0.1:0"]] {
        let (code, out, errors) = run(&arguments);
        assert_ne!(code, 0, "{arguments:?}: {out}");
        assert!(errors.contains("record"), "{arguments:?} does not name the record: {errors}");
        let name = segment.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(errors.contains(&name), "{arguments:?} does not name {name}: {errors}");
    }
}

#[test]
fn a_torn_tail_of_the_journal_is_dropped_and_reported() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let data = session(folder.path());
    let records = journal(&data, "").len();
    let segment = segments(&data).last().cloned().expect("a segment");
    let bytes = fs::read(&segment).expect("it can be read");
    let mut file = OpenOptions::new().append(true).open(&segment).expect("it can be opened");
    // Half a record: the head of the segment's first bytes over again, cut off.
    file.write_all(&bytes[bytes.len() - 40..bytes.len() - 13]).expect("it can be written");
    drop(file);
    let mut engine = Engine::start(&data, None, &[]);
    let said = engine.program.said();
    assert!(said.contains("torn"), "{said}");
    assert_eq!(engine.stop().0, Some(0));
    assert!(journal(&data, "").len() > records);
    let (code, _, errors) = run(&["journal", "verify", "--data-dir", &data.display().to_string()]);
    assert_eq!(code, 0, "{errors}");
}

#[test]
fn a_broken_settings_file_is_told_whole_with_file_line_and_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.toml");
    let text = "[risk]\nleverage_max = 0\nprice_bnad = 0.1\n\n[engine]\nsymbols = []\nmode = \"paper\"\n\n[lease]\nttl_ms = 10\n";
    fs::write(&file, text).expect("it can be written");
    let path = file.display().to_string();
    let (code, _, errors) = run(&["check-config", "--config", &path]);
    assert_eq!(code, 2, "{errors}");
    for (line, key) in [(2, "risk.leverage_max"), (3, "risk.price_bnad"), (7, "engine.mode"), (10, "lease.ttl_ms")] {
        let told = errors.lines().any(|l| l.contains(&format!("mine.toml:{line}")) && l.contains(key));
        assert!(told, "line {line}, {key} is not told:\n{errors}");
    }
    let (code, _, errors) = run(&["run", "--config", &path]);
    assert_eq!(code, 2, "{errors}");
    let (code, out, _) = run(&["check-config"]);
    assert_eq!(code, 0, "{out}");
    let (code, _, errors) = run(&["run", "--set", "simex.speed=fast"]);
    assert!(code == 2 && errors.contains("simex.speed"), "{errors}");
}
