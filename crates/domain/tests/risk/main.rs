//! What the risk gate promises: it fails closed, keeps every limit, lists every failure, and lets reducing orders pass.

mod build;
mod gate;
mod limits;
mod property;
mod signal;
mod table;
