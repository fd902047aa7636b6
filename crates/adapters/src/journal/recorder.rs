//! Typed records in, journal entries out: the one place that decides how a record is written.
//!
//! The entry's kind is the record's kind, its body the record's JSON, its times are both clocks of the stamp, its id a
//! number that rises over restarts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fulmar_ports::{
    journal::{Completion, Durability, Entry, Journal, JournalError, Priority},
    recorder::{Recorder, Stamped},
};

/// Writes the engine's records into a journal.
pub struct JournalRecorder {
    journal: Arc<dyn Journal>,
    next_id: AtomicU64,
}

impl JournalRecorder {
    /// A recorder in front of `journal`; ids go on behind the newest record.
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        let next_id = AtomicU64::new(journal.head().seq + 1);
        Self { journal, next_id }
    }
}

impl Recorder for JournalRecorder {
    fn record(&self, stamped: Stamped, durability: Durability, priority: Priority, done: Option<Completion>) {
        let kind = stamped.record.kind();
        let body = match serde_json::to_vec(&stamped.record) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(kind, %error, "journal: a record has no JSON form");
                if let Some(done) = done {
                    done(Err(JournalError::Unwritable { entry_kind: kind.to_owned(), reason: error.to_string() }));
                }
                return;
            }
        };
        let entry = Entry {
            kind: kind.into(),
            ts_ms: stamped.now.market.0,
            wall_ms: stamped.now.protocol.0,
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            cause: stamped.cause,
            body,
        };
        self.journal.append(entry, durability, priority, done);
    }
}

#[cfg(test)]
mod tests {
    use fulmar_domain::{
        record::Record,
        time::{Now, Timestamp},
    };

    use super::*;
    use crate::journal::segments::{JournalSettings, SegmentJournal};

    #[tokio::test]
    async fn a_record_is_written_with_its_kind_both_clocks_and_a_rising_id() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record::SessionEnded { reason: "done".into() };
        for round in 0..2 {
            let settings = JournalSettings { reserve_bytes: 0, ..JournalSettings::in_dir(dir.path()) };
            let (journal, _) = SegmentJournal::open(settings, Box::new(|_| {}), &mut |_| {}).unwrap();
            let journal: Arc<dyn Journal> = Arc::new(journal);
            let recorder = JournalRecorder::new(Arc::clone(&journal));
            let now = Now { market: Timestamp(5), protocol: Timestamp(9) };
            for _ in 0..2 {
                let stamped = Stamped { record: record.clone(), now, cause: 3 };
                recorder.record(stamped, Durability::Lazy, Priority::Normal, None);
            }
            journal.flush().await.unwrap();
            let read = journal.tail(1).unwrap().read(10).unwrap();
            assert_eq!(read.iter().map(|r| r.entry.id).collect::<Vec<_>>(), (1..=2 * round + 2).collect::<Vec<_>>());
            let entry = &read[0].entry;
            assert_eq!((entry.kind.as_ref(), entry.ts_ms, entry.wall_ms, entry.cause), ("session_ended", 5, 9, 3));
            assert_eq!(serde_json::from_slice::<Record>(&entry.body).unwrap(), record);
        }
    }
}
