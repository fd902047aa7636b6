//! Notification channels.

pub mod log;
pub mod webhook;
