//! The program as a library, so that tests and benches can reach its parts.

pub mod api;
pub mod view;
