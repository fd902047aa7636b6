//! The journal as the actors see it: typed records in, completions out.

use crate::journal::{Completion, Durability, Priority};
use fulmar_domain::record::Record;
use fulmar_domain::time::Now;

/// A record with its papers.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// The record.
    pub record: Record,
    /// Both clocks when it was made.
    pub now: Now,
    /// Id of the message at whose handling it was made; 0 for none.
    pub cause: u64,
}

/// Takes records. Returns at once; `done` hears when the record is on stable storage, or why it never will be.
pub trait Recorder: Send + Sync {
    /// Hands a record over.
    fn record(&self, stamped: Stamped, durability: Durability, priority: Priority, done: Option<Completion>);
}
