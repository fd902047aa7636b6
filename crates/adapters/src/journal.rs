//! Journals. [`segments`] is the embedded default: files on the local disk, no server needed. [`recorder`] puts the engine's
//! typed records in front of any journal.

pub mod recorder;
pub mod segments;
