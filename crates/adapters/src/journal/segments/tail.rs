//! Readers that follow the log through its files: for the audit, the store and whoever else must miss nothing.
//!
//! A tail reads durable bytes only, so it never shows a record that a crash could take back; it keeps no queue, so the
//! writer owes it nothing.
//!
//! Invariant: records come in order, without gap or repetition, from the number asked for.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fulmar_ports::journal::{JournalError, JournalTail, Record};

use super::{frame::FrameReader, io_error, queue::Shared, recover::corrupt, segment_name, segments_in};

struct Segment {
    first: u64,
    path: PathBuf,
    reader: FrameReader<File>,
    /// Number of the record that the reader stands at.
    at: u64,
}

/// A reader that follows.
pub(super) struct SegmentTail {
    dir: PathBuf,
    shared: Arc<Shared>,
    segment: Option<Segment>,
    next: u64,
}

impl SegmentTail {
    pub(super) fn open(dir: &Path, from_seq: u64, shared: Arc<Shared>) -> Result<Self, JournalError> {
        let next = from_seq.max(1);
        let mut tail = Self { dir: dir.to_owned(), shared, segment: None, next };
        let start = segments_in(dir)?.into_iter().rev().find(|(first, _)| *first <= next);
        if let Some((first, _)) = start {
            tail.enter(first)?;
        }
        Ok(tail)
    }

    fn enter(&mut self, first: u64) -> Result<(), JournalError> {
        let path = self.dir.join(segment_name(first));
        let file = File::open(&path).map_err(|e| io_error(&path, &e))?;
        self.segment = Some(Segment { first, path, reader: FrameReader::new(file, 0), at: first });
        Ok(())
    }
}

impl JournalTail for SegmentTail {
    fn read(&mut self, max: usize) -> Result<Vec<Record>, JournalError> {
        let progress = self.shared.progress();
        let mut records = Vec::new();
        while records.len() < max && self.next <= progress.head.seq {
            let Some(segment) = &mut self.segment else {
                self.enter(1)?;
                continue;
            };
            let is_newest = segment.first == progress.segment;
            segment.reader.set_limit(if is_newest { progress.segment_len } else { u64::MAX });
            let offset = segment.reader.offset();
            match segment.reader.next().map_err(|e| io_error(&segment.path, &e))? {
                Some(Ok(view)) if view.seq == segment.at => {
                    segment.at += 1;
                    if view.seq == self.next {
                        records.push(view.to_record());
                        self.next += 1;
                    }
                }
                Some(Ok(_)) => return Err(corrupt(&segment.path, offset, segment.at, "a record is missing")),
                Some(Err(bad)) => {
                    return Err(corrupt(&segment.path, offset, self.next, bad.text()));
                }
                None if is_newest => {
                    return Err(corrupt(&segment.path, offset, self.next, "a durable record is gone"));
                }
                None => {
                    let first = segment.at;
                    self.enter(first)?;
                }
            }
        }
        Ok(records)
    }

    fn wait(&self, timeout: Duration) -> bool {
        self.shared.wait_for(self.next, timeout)
    }

    fn next_seq(&self) -> u64 {
        self.next
    }

    fn finished(&self) -> bool {
        let progress = self.shared.progress();
        progress.closed && progress.head.seq < self.next
    }
}
