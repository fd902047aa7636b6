//! Dead letters: where the reports of failures and of undelivered messages go.
//!
//! Invariant: the counts of a book never forget, whatever rows it still keeps.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::failure::FailureReport;

/// A message that never reached a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Name of the link.
    pub link: Arc<str>,
    /// Type of the message.
    pub message_type: &'static str,
    /// Id of the message.
    pub message_id: u64,
    /// Why it was not delivered.
    pub why: WhyUndelivered,
}

/// Why a message did not reach a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyUndelivered {
    /// The receiving actor is gone for good.
    ReceiverGone,
    /// It was queued, and the queue ended before its turn came.
    QueueEnded,
    /// The link's bound was reached and its rule allows shedding.
    Shed,
}

impl fmt::Display for WhyUndelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReceiverGone => "receiver gone",
            Self::QueueEnded => "queue ended before its turn",
            Self::Shed => "shed at the link's bound",
        })
    }
}

/// Where reports go: a table, a file, a channel to audit. Called on the actor's own thread: be quick, do no I/O here.
pub trait DeadLetters: Send + Sync {
    /// Takes the report of a failure and of the poison message in hand.
    fn bury(&self, report: &FailureReport);
    /// Takes the report of a message that reached no handler.
    fn undelivered(&self, message: &Undelivered);
}

/// Dead letters kept in memory, the newest first to be read, the oldest first to go.
///
/// The counts never forget: they tell how many came, however many are still kept.
pub struct DeadLetterBook {
    capacity: usize,
    rows: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    failures: VecDeque<FailureReport>,
    undelivered: VecDeque<Undelivered>,
    failures_total: u64,
    undelivered_total: u64,
}

impl DeadLetterBook {
    /// A book that keeps the newest `capacity` rows of each kind.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, rows: Mutex::new(Book::default()) }
    }

    /// The kept failures, oldest first.
    pub fn failures(&self) -> Vec<FailureReport> {
        self.rows.lock().failures.iter().cloned().collect()
    }

    /// The kept undelivered messages, oldest first.
    pub fn undelivered_messages(&self) -> Vec<Undelivered> {
        self.rows.lock().undelivered.iter().cloned().collect()
    }

    /// How many failures were ever reported.
    pub fn failures_total(&self) -> u64 {
        self.rows.lock().failures_total
    }

    /// How many messages were ever reported undelivered.
    pub fn undelivered_total(&self) -> u64 {
        self.rows.lock().undelivered_total
    }
}

impl DeadLetters for DeadLetterBook {
    fn bury(&self, report: &FailureReport) {
        let mut book = self.rows.lock();
        book.failures_total += 1;
        book.failures.push_back(report.clone());
        while book.failures.len() > self.capacity {
            book.failures.pop_front();
        }
    }

    fn undelivered(&self, message: &Undelivered) {
        let mut book = self.rows.lock();
        book.undelivered_total += 1;
        book.undelivered.push_back(message.clone());
        while book.undelivered.len() > self.capacity {
            book.undelivered.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_keeps_the_newest_and_counts_all() {
        let book = DeadLetterBook::new(2);
        for id in 0..5 {
            book.undelivered(&Undelivered { link: "a".into(), message_type: "M", message_id: id, why: WhyUndelivered::ReceiverGone });
        }
        assert_eq!(book.undelivered_total(), 5);
        assert_eq!(book.undelivered_messages().iter().map(|u| u.message_id).collect::<Vec<_>>(), [3, 4]);
    }
}
