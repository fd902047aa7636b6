//! Stores. [`sqlite`] is the embedded default: one file, no server.

pub mod sqlite;
