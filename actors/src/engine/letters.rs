//! Dead letters of the engine: kept in memory, written to the journal, told to people.

use std::sync::{Arc, OnceLock};

use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::record::Record;
use fulmar_ports::clock::Clock;

use crate::facts::Facts;
use crate::links::Links;
use crate::supervision::dead_letters::{DeadLetterBook, DeadLetters, Undelivered};
use crate::supervision::failure::FailureReport;

/// Buries reports in three places.
pub(super) struct Letters {
    book: Arc<DeadLetterBook>,
    facts: Facts,
    clock: Arc<dyn Clock>,
    links: OnceLock<Links>,
}

impl Letters {
    pub(super) fn new(book: Arc<DeadLetterBook>, facts: Facts, clock: Arc<dyn Clock>) -> Self {
        Self { book, facts, clock, links: OnceLock::new() }
    }

    /// From now on people are told as well.
    pub(super) fn connect(&self, links: Links) {
        if self.links.set(links).is_err() {
            tracing::error!("dead letters are connected once: the second time was ignored");
        }
    }
}

impl DeadLetters for Letters {
    fn bury(&self, report: &FailureReport) {
        self.book.bury(report);
        metrics::counter!("fulmar_actor_failures_total", "actor" => report.actor.to_string()).increment(1);
        let record = Record::ActorFailed {
            actor: format!("{}/{}", report.group, report.actor),
            message: report.message_type.unwrap_or_default().to_owned(),
            message_id: report.message_id.unwrap_or_default(),
            text: report.text.clone(),
            place: report.place.clone().unwrap_or_default(),
            restarts: report.generation,
        };
        self.facts.note(record, self.clock.now());
        if let Some(links) = self.links.get().filter(|_| &*report.actor != "notifier") {
            let text =
                format!("actor {} failed at {}: {}", report.actor, report.place.as_deref().unwrap_or("an unknown place"), report.text);
            links.notify(Notice::new(Severity::Warning, "ACTOR_FAILED", text));
        }
    }

    fn undelivered(&self, message: &Undelivered) {
        self.book.undelivered(message);
        metrics::counter!("fulmar_messages_undelivered_total", "link" => message.link.to_string()).increment(1);
    }
}
