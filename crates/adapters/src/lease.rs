//! Leases. [`mod@file`] is the embedded default: one folder on the local disk.

pub mod file;
