//! Mark prices and funding rates beside the bars of a symbol.
//!
//! Mark files hold few instants (often one in 8 h), between which the contract price may move by percents. So what is
//! interpolated is the **basis**, mark − contract price at the same instant: between two instants it moves along a straight
//! line, before the first and after the last it stands still. At the file's own instants the mark equals the file's.
//!
//! A recorded funding rate is known one millisecond before its funding time, no earlier: a strategy cannot look ahead.

use super::super::{RowFault, SourceError};
use super::candles::Candle;
use fulmar_domain::num::{Price, Ratio};
use fulmar_domain::time::{Span, Timestamp};
use std::path::{Path, PathBuf};

/// The rate that stands where no file tells another: the interest part of the exchange's formula, 0.01 %.
pub const FUNDING_DEFAULT: Ratio = Ratio::from_raw(10_000);

/// How far a recorded funding time may stand behind its full hour.
const FUNDING_JITTER: Span = Span::secs(60);

/// Basis at known instants, in order.
#[derive(Debug, Default)]
pub(super) struct Basis(Vec<(Timestamp, i64)>);

impl Basis {
    /// Of mark rows and the bars of the contract. Instants at which no bar begins tell nothing and are left out.
    pub fn new(marks: &[(Timestamp, i64)], candles: &[Candle]) -> Self {
        let contract = |time| candles.binary_search_by_key(&time, |c| c.open_time).ok().and_then(|index| candles.get(index));
        Self(marks.iter().filter_map(|&(time, mark)| contract(time).map(|c| (time, mark - c.open.raw()))).collect())
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The mark at `time`, where the contract trades at `price`. Never below `tick`.
    pub fn mark(&self, time: Timestamp, price: Price, tick: Price) -> Price {
        let index = self.0.partition_point(|(t, _)| *t <= time);
        let basis = match (index.checked_sub(1).and_then(|i| self.0.get(i)), self.0.get(index)) {
            (None, None) => 0,
            (Some((_, only)), None) | (None, Some((_, only))) => *only,
            (Some((t0, b0)), Some((t1, b1))) => {
                let (part, whole) = (i128::from(time.since(*t0).0), i128::from(t1.since(*t0).0));
                let moved = i128::from(b1 - b0) * part / whole.max(1);
                b0.saturating_add(i64::try_from(moved).unwrap_or(0))
            }
        };
        Price::from_raw(price.raw().saturating_add(basis)).max(tick)
    }
}

/// The rates of one symbol by funding time.
#[derive(Debug)]
pub(super) struct Fundings {
    /// Time between fundings.
    pub interval: Span,
    rates: Vec<(Timestamp, Ratio)>,
}

impl Fundings {
    /// Without a file: every 8 h at [`FUNDING_DEFAULT`].
    pub fn standing() -> Self {
        Self { interval: Span::hours(8), rates: Vec::new() }
    }
    /// From the rows of a file: times within a minute after a full hour, 1, 4 or 8 h apart. The shortest distance is the
    /// interval; where rows stand further apart, no funding is due between them.
    pub fn new(file: &Path, rows: &[(u64, Timestamp, i64)], allow_gaps: bool) -> Result<Self, SourceError> {
        let mut rates: Vec<(Timestamp, Ratio)> = Vec::with_capacity(rows.len());
        let mut interval: Option<Span> = None;
        for &(row, time, rate) in rows {
            let at = |fault| SourceError::Row { file: file.to_path_buf(), row, fault };
            let hour = time.floor_to(Span::hours(1));
            if time.since(hour) > FUNDING_JITTER {
                return Err(at(RowFault::Unparsable { column: "date", text: format!("{time}, no funding time") }));
            }
            if let Some((before, _)) = rates.last() {
                let distance = hour.since(*before);
                if ![1, 4, 8].contains(&(distance.0 / 3_600_000)) && !allow_gaps {
                    return Err(at(RowFault::Gap { expected: before.plus(interval.unwrap_or(Span::hours(8))), found: hour }));
                }
                interval = Some(interval.map_or(distance, |known| known.min(distance)));
            }
            rates.push((hour, Ratio::from_raw(rate)));
        }
        Ok(Self { interval: interval.unwrap_or(Span::hours(8)), rates })
    }
    /// The rate to announce at the end of a bar, one millisecond before `time`: that paid at `time`, zero where the file
    /// spans it and has no funding; `None` when no funding is due at `time`, or the file does not reach it.
    pub fn paid_at(&self, time: Timestamp) -> Option<Ratio> {
        if time.floor_to(self.interval) != time {
            return None;
        }
        match self.rates.binary_search_by_key(&time, |(t, _)| *t) {
            Ok(index) => self.rates.get(index).map(|(_, rate)| *rate),
            Err(0) => None,
            Err(index) if index == self.rates.len() => Some(FUNDING_DEFAULT).filter(|_| !self.rates.is_empty()),
            Err(_) => Some(Ratio::ZERO),
        }
    }
    /// The rate that stands at `time`: the last one paid, else the default.
    pub fn standing_at(&self, time: Timestamp) -> Ratio {
        let index = self.rates.partition_point(|(t, _)| *t <= time);
        index.checked_sub(1).and_then(|i| self.rates.get(i)).map_or(FUNDING_DEFAULT, |(_, rate)| *rate)
    }
    /// First and last funding time of the file.
    pub fn range(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.rates.first()?.0, self.rates.last()?.0))
    }
}

/// Rows of several files, checked for order.
pub(super) fn load(files: &[PathBuf], positive: bool) -> Result<Vec<(PathBuf, u64, Timestamp, i64)>, SourceError> {
    let mut out: Vec<(PathBuf, u64, Timestamp, i64)> = Vec::new();
    for file in files {
        let rows = match super::discover::layout(file) {
            Some(super::discover::Layout::Columnar) => super::columnar::series(file)?,
            _ => super::text::series(file)?,
        };
        for (row, time, value) in rows {
            let at = |fault| SourceError::Row { file: file.clone(), row, fault };
            if positive && value <= 0 {
                return Err(at(if value == 0 { RowFault::Zero { column: "open" } } else { RowFault::Negative { column: "open" } }));
            }
            if let Some((_, _, before, _)) = out.last() {
                if *before == time {
                    return Err(at(RowFault::Duplicate { time }));
                }
                if *before > time {
                    return Err(at(RowFault::Disorder { before: *before, found: time }));
                }
            }
            out.push((file.clone(), row, time, value));
        }
    }
    Ok(out)
}
