//! Long market times, in lock-step: they take as long as the machine needs, and give the same result on any.

use std::process::Command;

use crate::process::books::journal;
use crate::process::{alone, fulmar};

fn ended(command: &mut Command) -> String {
    let done = command.output().expect("the program runs");
    let out = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{out}");
    out
}

#[test]
fn after_an_hour_of_market_time_the_default_run_still_trades() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let minutes = 60_i64;
    let out = ended(
        fulmar()
            .args(["run", "--speed", "max", "--minutes", &minutes.to_string(), "--set", "api.listen=127.0.0.1:0", "--data-dir"])
            .arg(&data),
    );
    let times: Vec<i64> = journal(&data, "bar_seen").iter().filter_map(|b| b["open_time"].as_i64()).collect();
    let (first, last) = (times.iter().min().copied().unwrap_or(0), times.iter().max().copied().unwrap_or(0));
    assert!(last - first >= (minutes - 2) * 60_000, "{} minutes of bars\n{out}", (last - first) / 60_000);
    let entries: Vec<i64> =
        journal(&data, "order_planned").iter().filter(|o| o["role"]["role"] == "entry").filter_map(|o| o["decided"].as_i64()).collect();
    let late = entries.iter().filter(|t| **t > first + minutes * 40_000).count();
    println!("{} entries in {minutes} minutes, {late} of them in the last third", entries.len());
    assert!(late > 0, "no entry in the last third: {entries:?}\n{out}");
    let gates: Vec<String> = journal(&data, "gate_changed").iter().map(ToString::to_string).collect();
    assert!(gates.last().is_some_and(|g| g.contains("open")), "{gates:?}");
}
