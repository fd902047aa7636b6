//! The exchange's own append-only log, one JSON object a line: every signed request with its outcome, every user event
//! (orders, fills, balances, conditional orders) as it was sent, every funding. Tests read it as the truth.
//!
//! Invariant: lines are numbered without a gap, and a line is never changed.

use super::json::Json;
use super::params::Params;
use crate::venue::FundingReport;
use fulmar_domain::time::Timestamp;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Where the log is kept.
#[derive(Debug, Clone, Default)]
pub struct LedgerConfig {
    /// Also written to this file, created anew.
    pub file: Option<PathBuf>,
}

/// The log.
#[derive(Debug)]
pub(crate) struct VenueLog {
    lines: Vec<String>,
    file: Option<BufWriter<File>>,
    broken: Option<String>,
}

impl VenueLog {
    /// An empty log. A file that cannot be made is reported by every reading of the log.
    pub(crate) fn new(config: LedgerConfig) -> Self {
        let (file, broken) = match config.file {
            None => (None, None),
            Some(path) => match File::create(&path) {
                Ok(file) => (Some(BufWriter::new(file)), None),
                Err(error) => (None, Some(format!("{}: {error}", path.display()))),
            },
        };
        Self { lines: Vec::new(), file, broken }
    }
    fn append(&mut self, kind: &str, time: Timestamp, write: impl FnOnce(&mut Json)) {
        let mut j = Json::new();
        j.open().int("seq", self.lines.len() + 1).word("kind", kind).int("T", time.millis());
        write(&mut j);
        j.close();
        let line = j.into_string();
        if let Some(file) = &mut self.file
            && let Err(error) = writeln!(file, "{line}")
        {
            self.broken = Some(error.to_string());
            self.file = None;
        }
        self.lines.push(line);
    }
    /// A request and what was answered.
    pub(crate) fn request(&mut self, time: Timestamp, method: &str, path: &str, account: &str, params: &Params, outcome: (u16, i32)) {
        self.append("request", time, |j| {
            j.word("method", method).text("path", path).text("account", account).open_at("params");
            for (name, value) in params.pairs().iter().filter(|(n, _)| n != "signature") {
                j.text(&name.replace(['"', '\\'], "_"), value);
            }
            j.close().int("status", outcome.0).int("code", outcome.1);
        });
    }
    /// A user event as it was sent.
    pub(crate) fn event(&mut self, time: Timestamp, account: &str, json: &str) {
        self.append("event", time, |j| {
            j.text("account", account).raw("event", json);
        });
    }
    /// A funding of a contract.
    pub(crate) fn funding(&mut self, time: Timestamp, funding: &FundingReport) {
        self.append("funding", time, |j| {
            j.word("symbol", funding.symbol.as_str()).int("fundingTime", funding.time.millis());
            j.dec("rate", funding.rate, 8).dec("mark", funding.mark, 8);
        });
    }
    /// A fault that was asked for.
    pub(crate) fn fault(&mut self, time: Timestamp, json: &str) {
        self.append("fault", time, |j| {
            j.raw("fault", json);
        });
    }
    /// Lines after number `after`, at most `limit`.
    ///
    /// # Errors
    /// The reason when the file of the log could not be written: the log in memory is whole, the file is not.
    pub(crate) fn read(&mut self, after: usize, limit: usize) -> Result<String, String> {
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            self.broken = Some(error.to_string());
        }
        if let Some(reason) = &self.broken {
            return Err(reason.clone());
        }
        let mut text = String::new();
        for line in self.lines.iter().skip(after).take(limit) {
            text.push_str(line);
            text.push('\n');
        }
        Ok(text)
    }
    /// How many lines there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }
}
