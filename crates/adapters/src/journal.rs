//! Journals. [`segments`] is the embedded default: files on the local disk, no server needed.

pub mod segments;
