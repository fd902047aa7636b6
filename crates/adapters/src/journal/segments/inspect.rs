//! What the command line shows of a log: check it, print records, count them. Reads only, takes no lock, and may run beside
//! a live journal (whose last, half-written group then counts as a torn tail).

use std::{collections::BTreeMap, fs::File, path::Path};

use fulmar_ports::journal::{JournalError, Record};

use super::{
    RecordView, Recovered,
    frame::{Bad, FrameReader},
    io_error,
    recover::{corrupt, recover},
    segments_in,
};

/// Checks the whole log: checksums, numbers and chain.
///
/// # Errors
/// [`JournalError::Corrupt`] names the first damaged record; [`JournalError::Io`].
pub fn verify(dir: &Path) -> Result<Recovered, JournalError> {
    recover(dir, &mut |_| {})
}

/// Which records to show; `None` = any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShowFilter {
    /// Kinds that begin with this text.
    pub kind_prefix: Option<String>,
    /// Records with this id.
    pub id: Option<u64>,
    /// Records caused by this id.
    pub cause: Option<u64>,
    /// Records whose body holds this text.
    pub contains: Option<String>,
}

impl ShowFilter {
    /// True when the record is wanted.
    pub fn matches(&self, record: &RecordView<'_>) -> bool {
        let has = |text: &String| {
            let needle = text.as_bytes();
            needle.is_empty() || memchr::memmem::find(record.body, needle).is_some()
        };
        self.kind_prefix.as_ref().is_none_or(|p| record.kind.starts_with(p.as_str()))
            && self.id.is_none_or(|id| id == record.id)
            && self.cause.is_none_or(|cause| cause == record.cause)
            && self.contains.as_ref().is_none_or(has)
    }
}

/// Gives the wanted records from number `from` to number `to` (both included), in order; stops when `visit` says false.
/// Checksums and numbers are checked on the way, the chain is not ([`verify`] does that).
///
/// # Errors
/// [`JournalError::Corrupt`], [`JournalError::Io`].
pub fn show(dir: &Path, from: u64, to: u64, filter: &ShowFilter, visit: &mut dyn FnMut(Record) -> bool) -> Result<(), JournalError> {
    let segments = segments_in(dir)?;
    let start = segments.iter().rposition(|(first, _)| *first <= from.max(1)).unwrap_or(0);
    for (at, (first, path)) in segments.iter().enumerate().skip(start) {
        let mut expected = *first;
        let file = File::open(path).map_err(|e| io_error(path, &e))?;
        let mut reader = FrameReader::new(file, u64::MAX);
        loop {
            let offset = reader.offset();
            match reader.next().map_err(|e| io_error(path, &e))? {
                None => break,
                Some(Ok(view)) if view.seq == expected => {
                    if view.seq > to {
                        return Ok(());
                    }
                    expected += 1;
                    if view.seq >= from && filter.matches(&view) && !visit(view.to_record()) {
                        return Ok(());
                    }
                }
                Some(Ok(_)) => {
                    return Err(corrupt(path, offset, expected, "a record with another number stands here"));
                }
                Some(Err(bad)) if at + 1 == segments.len() && bad != Bad::Content => return Ok(()),
                Some(Err(bad)) => return Err(corrupt(path, offset, expected, bad.text())),
            }
        }
    }
    Ok(())
}

/// Records of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindStats {
    /// How many.
    pub records: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// The log in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalStats {
    /// What checking found.
    pub recovered: Recovered,
    /// By kind.
    pub kinds: BTreeMap<String, KindStats>,
    /// Lowest and highest market time, ms.
    pub ts_ms: Option<(i64, i64)>,
    /// Lowest and highest wall time, ms.
    pub wall_ms: Option<(i64, i64)>,
}

/// Counts the log, checking it on the way.
///
/// # Errors
/// As [`verify`].
pub fn stats(dir: &Path) -> Result<JournalStats, JournalError> {
    let mut kinds = BTreeMap::<String, KindStats>::new();
    let (mut ts_ms, mut wall_ms) = (None, None);
    let recovered = recover(dir, &mut |record| {
        if !kinds.contains_key(record.kind) {
            kinds.insert(record.kind.to_owned(), KindStats::default());
        }
        if let Some(kind) = kinds.get_mut(record.kind) {
            kind.records += 1;
            kind.bytes += record.frame_bytes();
        }
        widen(&mut ts_ms, record.ts_ms);
        widen(&mut wall_ms, record.wall_ms);
    })?;
    Ok(JournalStats { recovered, kinds, ts_ms, wall_ms })
}

fn widen(range: &mut Option<(i64, i64)>, value: i64) {
    *range = Some(range.map_or((value, value), |(lo, hi)| (lo.min(value), hi.max(value))));
}
