//! Reading the log at start: every record is checked (checksum, number, chain), a torn tail is found, damage is refused.
//!
//! A bad record is a torn tail when it lies in the newest segment and no valid record follows it: the crash struck while
//! it was being written, so nobody was told that it is durable. Anything else is damage to what was acknowledged.
//!
//! Invariant: `recover` changes nothing on disk; `cut` removes torn bytes and nothing else.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use fulmar_ports::journal::{JournalError, JournalHead};

use super::{
    RecordView,
    frame::{Bad, FrameReader, find_valid},
    io_error, segment_name, segments_in,
};

/// Bytes at the end of the log that are no whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// File name of the segment.
    pub segment: String,
    /// Where the torn bytes begin.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
}

/// What reading the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Number and hash of the newest record.
    pub head: JournalHead,
    /// How many segments there are.
    pub segments: u64,
    /// Bytes of all valid records.
    pub bytes: u64,
    /// Bytes at the end that were dropped, or would be by opening the log.
    pub torn: Option<TornTail>,
    /// First sequence number of the newest segment (1 when there is none yet).
    pub(super) segment: u64,
    /// Valid bytes in the newest segment.
    pub(super) segment_len: u64,
}

/// Reads and checks the whole log; shows each good record to `visit`, in order.
pub(super) fn recover(dir: &Path, visit: &mut dyn FnMut(&RecordView<'_>)) -> Result<Recovered, JournalError> {
    let segments = segments_in(dir)?;
    let mut found = Recovered {
        head: JournalHead { seq: 0, hash: [0; 32] },
        segments: segments.len() as u64,
        bytes: 0,
        torn: None,
        segment: 1,
        segment_len: 0,
    };
    for (at, (first, path)) in segments.iter().enumerate() {
        if *first != found.head.seq + 1 {
            return Err(corrupt(path, 0, found.head.seq + 1, "the records before this segment are missing"));
        }
        read_segment(path, at + 1 == segments.len(), &mut found, visit)?;
        found.segment = *first;
    }
    Ok(found)
}

fn read_segment(path: &Path, is_last: bool, found: &mut Recovered, visit: &mut dyn FnMut(&RecordView<'_>)) -> Result<(), JournalError> {
    let io = |e: std::io::Error| io_error(path, &e);
    let file = File::open(path).map_err(io)?;
    let file_len = file.metadata().map_err(io)?.len();
    let mut reader = FrameReader::new(file, u64::MAX);
    loop {
        let offset = reader.offset();
        let expected = found.head.seq + 1;
        match reader.next().map_err(io)? {
            None => break,
            Some(Ok(view)) => {
                if view.seq != expected {
                    return Err(corrupt(path, offset, expected, "a record with another number stands here"));
                }
                if view.prev != found.head.hash {
                    return Err(corrupt(path, offset, expected, "the record does not continue the hash chain"));
                }
                found.head = JournalHead { seq: view.seq, hash: view.hash() };
                found.bytes += view.frame_bytes();
                visit(&view);
            }
            Some(Err(bad)) => {
                if !is_last || bad == Bad::Content || find_valid(reader.rest().map_err(io)?).is_some() {
                    return Err(corrupt(path, offset, expected, bad.text()));
                }
                found.torn = Some(TornTail { segment: name_of(path), offset, bytes: file_len.saturating_sub(offset) });
                break;
            }
        }
    }
    found.segment_len = reader.offset();
    Ok(())
}

/// Removes a torn tail, durably.
pub(super) fn cut(dir: &Path, torn: &TornTail) -> Result<(), JournalError> {
    let path = dir.join(&torn.segment);
    let cut = || {
        let file = File::options().write(true).open(&path)?;
        file.set_len(torn.offset)?;
        file.sync_all()
    };
    cut().map_err(|e| io_error(&path, &e))
}

/// The segment that the next record goes to, if it exists.
pub(super) fn newest_segment(dir: &Path, found: &Recovered) -> Option<PathBuf> {
    (found.segments > 0).then(|| dir.join(segment_name(found.segment)))
}

pub(super) fn corrupt(path: &Path, offset: u64, seq: u64, what: &str) -> JournalError {
    JournalError::Corrupt { segment: name_of(path), offset, seq, what: what.to_owned() }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}
