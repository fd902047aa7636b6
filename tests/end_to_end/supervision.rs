//! Actors that fail and threads that hang, in the running program.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::books::{assert_agree, journal};
use crate::process::{Engine, Simex, alone, wait_for};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
const ACTORS: [&str; 11] = [
    "market_feed",
    "indicator",
    "strategy:ema_rsi",
    "risk",
    "execution",
    "position",
    "circuit_breaker",
    "failover",
    "notifier",
    "audit",
    "operator",
];

fn children(tree: &Value) -> BTreeMap<String, Value> {
    let groups = tree["groups"].as_array().into_iter().flatten();
    let all = groups.flat_map(|g| g["children"].as_array().cloned().unwrap_or_default());
    all.map(|c| (c["name"].as_str().unwrap_or_default().to_owned(), c)).collect()
}

#[test]
fn every_actor_fails_once_and_the_same_trading_goes_on() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let simex = Simex::start(folder.path(), &["--speed", "300", "--seed", "21"]);
    let more = ["--set", "engine.faults=true", "--set", "risk.consecutive_losses=off"];
    let mut engine = Engine::start(&folder.path().join("data"), Some(&simex), &more);
    engine.wait_open(Duration::from_secs(10));
    wait_for("it trades", Duration::from_secs(40), || {
        let fills = journal(&engine.data, "order_updated").iter().filter(|u| !u["fill"].is_null()).count();
        if fills > 0 { Ok(()) } else { Err(format!("{fills} fills")) }
    });
    let known = children(&engine.get("/api/v1/supervision"));
    for actor in known.keys() {
        assert!(ACTORS.contains(&actor.as_str()), "{actor} is not failed by this test");
    }
    for actor in ACTORS {
        let answer = engine.post(&format!("/api/v1/supervision/{actor}/fault"), r#"{"site":"handler"}"#);
        assert_eq!(answer.status, 200, "{actor}: {}", answer.body);
        let child = wait_for("the restart shows in the tree", Duration::from_secs(10), || {
            let child = children(&engine.get("/api/v1/supervision")).remove(actor).unwrap_or_default();
            let back = child["restarts"].as_u64().unwrap_or(0) >= 1 && child["state"] == "running";
            if back { Ok(child) } else { Err(child.to_string()) }
        });
        assert!(child["last_failure"]["text"].as_str().is_some_and(|t| t.contains("injected")), "{child}");
        engine.wait_open(Duration::from_secs(30));
        // The trading group is allowed three failures in its window; the matrix beside the actors spaces them out.
        std::thread::sleep(Duration::from_millis(500));
    }
    let before = journal(&engine.data, "order_planned").len();
    wait_for("it still trades", Duration::from_secs(60), || {
        let now = journal(&engine.data, "order_planned").len();
        if now > before { Ok(()) } else { Err(format!("{now} orders, {}", engine.get("/api/v1/status")["gate"])) }
    });
    let failed = journal(&engine.data, "actor_failed");
    for actor in ACTORS {
        let count = failed.iter().filter(|f| f["actor"].as_str().is_some_and(|a| a.ends_with(actor))).count();
        assert_eq!(count, 1, "{actor} is reported {count} times");
    }
    assert!(engine.program.runs(), "the process is the same one");
    let agreed = assert_agree(&engine, &simex, &SYMBOLS);
    println!("books agree after {} failures: {agreed:?}", failed.len());
    let (code, _) = engine.stop();
    assert_eq!(code, Some(0));
}

#[test]
fn a_thread_that_hangs_ends_the_process_and_the_next_start_agrees() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let simex = Simex::start(folder.path(), &["--speed", "300", "--seed", "22"]);
    let data = folder.path().join("data");
    for actor in ["execution", "circuit_breaker", "audit"] {
        let mut engine = Engine::start(&data, Some(&simex), &["--set", "engine.faults=true"]);
        engine.wait_open(Duration::from_secs(30));
        std::thread::sleep(Duration::from_secs(2));
        let began = Instant::now();
        let answer = engine.post(&format!("/api/v1/supervision/{actor}/fault"), r#"{"site":"hang"}"#);
        assert_eq!(answer.status, 200, "{actor}: {}", answer.body);
        let status = engine.program.end(Duration::from_secs(5));
        println!("{actor} hung: the process left with {:?} after {:?}", status.code(), began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(2), "{actor}: found after {:?}", began.elapsed());
        assert!(status.code().is_some_and(|c| c != 0), "{status:?}");
    }
    let mut engine = Engine::start(&data, Some(&simex), &[]);
    engine.wait_open(Duration::from_secs(30));
    let agreed = assert_agree(&engine, &simex, &SYMBOLS);
    println!("books agree after three hangs: {agreed:?}");
    assert_eq!(engine.stop().0, Some(0));
}

#[test]
fn without_the_setting_no_fault_can_be_injected() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::start(&folder.path().join("data"), None, &[]);
    let answer = engine.post("/api/v1/supervision/risk/fault", r#"{"site":"handler"}"#);
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains("engine.faults"), "the answer does not name the setting: {}", answer.body);
}
