//! Words that may not stand in the code of a layer.

use crate::source::{code, is_test_file, lines_with, shipped};
use crate::tree::Tree;

/// What a pure rule may not name, and what it does instead.
const IMPURE: [(&str, &str); 15] = [
    ("SystemTime", "time is data: take `Now`"),
    ("Instant::", "time is data: take `Now`"),
    ("Utc::now", "time is data: take `Now`"),
    ("tokio", "no runtime in the domain"),
    ("actix", "no actors in the domain"),
    ("rand::", "no randomness: take a seed's numbers as input"),
    ("std::fs", "no files: take the content"),
    ("std::net", "no network"),
    ("std::thread", "no threads"),
    ("std::env", "no environment: take settings"),
    ("std::process", "no processes"),
    ("async fn", "no futures: put out a request, take its answer as input"),
    (".await", "no futures: put out a request, take its answer as input"),
    ("HashMap", "its order differs from run to run: BTreeMap"),
    ("HashSet", "its order differs from run to run: BTreeSet"),
];

/// The domain reads no clock, file, socket, thread, environment or random number.
pub fn domain_is_pure(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust("crates/domain/src/").filter(|(path, _)| !is_test_file(path)) {
        find(path, &shipped(text), &IMPURE, &mut broken);
    }
    broken
}

/// Clients of the outside, which only adapters may name.
const OUTSIDE: [(&str, &str); 11] = [
    ("fulmar_adapters", "actors know ports, not adapters"),
    ("fulmar_simex", "actors know ports, not the simulated exchange"),
    ("reqwest", "actors know ports, not clients"),
    ("sqlx", "actors know ports, not clients"),
    ("rdkafka", "actors know ports, not clients"),
    ("redis", "actors know ports, not clients"),
    ("tokio_tungstenite", "actors know ports, not clients"),
    ("tokio::net", "actors know ports, not sockets"),
    ("std::fs", "actors know ports, not files"),
    ("SystemTime", "actors get both clocks from the `Clock` port"),
    ("thread::sleep", "an arbiter that sleeps is a hang: use tokio's timers"),
];

/// Sends of actix itself, which lose, reorder or flood silently.
const RAW_SENDS: [(&str, &str); 3] =
    [(".do_send(", "send through `Link`"), (".notify_later(", "use `run_later` in `started`"), (".wait_for(", "nobody waits on a lane")];

/// Where raw sends are wrapped.
const SENDERS: [&str; 3] = ["actors/src/link.rs", "actors/src/link/", "actors/src/supervision/"];

/// Actors name ports only, and send through `Link` only.
pub fn actors_stay_inside(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust("actors/src/").filter(|(path, _)| !is_test_file(path)) {
        let code = shipped(text);
        find(path, &code, &OUTSIDE, &mut broken);
        if !SENDERS.iter().any(|sender| path.starts_with(sender)) {
            find(path, &code, &RAW_SENDS, &mut broken);
        }
    }
    broken
}

/// An adapter names the domain, the ports and its own folder.
pub fn adapters_stay_apart(tree: &Tree) -> Vec<String> {
    const ROOT: &str = "crates/adapters/src/";
    let room = |path: &str| path.strip_prefix(ROOT).and_then(|p| p.split(['/', '.']).next()).unwrap_or_default().to_owned();
    let mut rooms: Vec<String> = tree.rust(ROOT).map(|(path, _)| room(path)).filter(|r| r != "lib").collect();
    rooms.dedup();
    let mut broken = Vec::new();
    for (path, text) in tree.rust(ROOT).filter(|(path, _)| *path != "crates/adapters/src/lib.rs") {
        let code = code(text);
        find(path, &code, &[("fulmar_actors", "adapters know no actor"), ("fulmar_simex", "adapters know no exchange")], &mut broken);
        let depth = path.strip_prefix(ROOT).map_or(0, |p| p.matches('/').count() + usize::from(!p.ends_with("/mod.rs")));
        for other in rooms.iter().filter(|r| **r != room(path)) {
            for name in [format!("crate::{other}"), format!("{}{other}", "super::".repeat(depth.max(1)))] {
                find(path, &code, &[(name.as_str(), "an adapter does not name another")], &mut broken);
            }
        }
    }
    broken
}

/// Ways to give up or to leave work undone.
const GIVING_UP: [(&str, &str); 5] = [
    (".unwrap()", "return an error that says what, where and what to do"),
    (".expect(", "return an error that says what, where and what to do"),
    ("todo!", "finish it"),
    ("unimplemented!", "finish it"),
    ("dbg!", "use tracing"),
];

/// Outside tests nothing panics on purpose.
pub fn nothing_gives_up(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust("").filter(|(path, _)| !is_test_file(path)) {
        find(path, &shipped(text), &GIVING_UP, &mut broken);
    }
    broken
}

fn find(path: &str, code: &str, words: &[(&str, &str)], broken: &mut Vec<String>) {
    for (word, instead) in words {
        broken.extend(lines_with(code, word).into_iter().map(|line| format!("{path}:{line}: `{word}`: {instead}")));
    }
}
