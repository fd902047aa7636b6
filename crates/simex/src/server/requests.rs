//! What was asked over the protocol and what was answered: one JSON object a line, with faults and what the door refused,
//! which the exchange itself never sees. The truth about orders, fills and money is the exchange's own ledger.
//!
//! Invariant: lines are numbered without a gap and never changed; only the newest ones are kept.

use super::json::Json;
use super::params::Params;
use fulmar_domain::time::Timestamp;
use std::collections::VecDeque;

/// Lines kept: enough for any test, a bounded share of memory in a long run.
const LINES_MAX: usize = 50_000;

/// The newest requests.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    lines: VecDeque<String>,
    written: u64,
}

impl RequestLog {
    fn append(&mut self, kind: &str, time: Timestamp, write: impl FnOnce(&mut Json)) {
        let mut j = Json::new();
        self.written += 1;
        j.open().int("seq", self.written).word("kind", kind).int("time", time.millis());
        write(&mut j);
        j.close();
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(j.into_string());
    }
    /// A request and what was answered: HTTP status (zero where a fault took the request or its answer away) and code.
    pub(crate) fn request(&mut self, time: Timestamp, method: &str, path: &str, account: &str, params: &Params, outcome: (u16, i32)) {
        self.append("request", time, |j| {
            j.word("method", method).text("path", path).text("account", account).open_at("params");
            for (name, value) in params.pairs().iter().filter(|(n, _)| n != "signature") {
                j.text(&name.replace(|c: char| !c.is_alphanumeric() && c != '_', "_"), value);
            }
            j.close().int("status", outcome.0).int("code", outcome.1);
        });
    }
    /// A fault that was asked for.
    pub(crate) fn fault(&mut self, time: Timestamp, json: &str) {
        self.append("fault", time, |j| {
            j.raw("fault", json);
        });
    }
    /// Lines after number `after`, at most `limit`.
    pub(crate) fn read(&self, after: u64, limit: usize) -> String {
        let gone = self.written - self.lines.len() as u64;
        let skip = usize::try_from(after.saturating_sub(gone)).unwrap_or(usize::MAX);
        let mut text = String::new();
        for line in self.lines.iter().skip(skip).take(limit) {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_lines_are_kept_and_their_numbers_go_on() {
        let mut log = RequestLog::default();
        for _ in 0..LINES_MAX + 2 {
            log.fault(Timestamp(1), "{}");
        }
        assert!(log.read(0, 1).starts_with(r#"{"seq":3,"#));
        assert_eq!(log.read(LINES_MAX as u64 + 1, 9).lines().count(), 1);
    }

    #[test]
    fn names_and_values_of_strangers_stay_valid_json_and_signatures_are_left_out() {
        let mut log = RequestLog::default();
        let params = Params::read("a%22b=%22%5C&signature=ff", "").expect("reads");
        log.request(Timestamp(1), "GET", "/x\"", "key", &params, (200, 0));
        let line: serde_json::Value = serde_json::from_str(log.read(0, 1).trim()).expect("JSON");
        assert_eq!(line["params"], serde_json::json!({"a_b": "\"\\"}));
    }
}
