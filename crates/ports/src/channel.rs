//! Notification channels: where a notice goes when a human should know.
//!
//! A channel delivers one notice or says why not; queueing, merging and retrying belong to the notifier in front of it,
//! so a dead channel never costs more than its own timeout.

use fulmar_domain::{control::Notice, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{BoxFuture, FaultKind};

/// A notice as handed to a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingNotice {
    /// What happened.
    #[serde(flatten)]
    pub notice: Notice,
    /// Wall time of the (first) cause.
    pub time: Timestamp,
    /// How many notices of the same code were merged into this one (at least 1).
    pub count: u32,
}

/// Why a notice was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The channel's settings forbid the delivery or make it impossible.
    #[error("channel {channel} is misconfigured: {reason}")]
    Config {
        /// The channel.
        channel: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Not reached, timed out, or the other side failed (HTTP 5xx).
    #[error("channel {channel} is unavailable: {reason}")]
    Unavailable {
        /// The channel.
        channel: String,
        /// The cause.
        reason: String,
    },
    /// The other side refuses this message (HTTP 3xx or 4xx).
    #[error("channel {channel} refused the notice: {reason}")]
    Refused {
        /// The channel.
        channel: String,
        /// The cause.
        reason: String,
    },
    /// The other side asks for fewer messages.
    #[error("channel {channel} is throttled for {retry_after_ms} ms")]
    Throttled {
        /// The channel.
        channel: String,
        /// Wait at least this long.
        retry_after_ms: u64,
    },
}

impl ChannelError {
    /// What the caller may do.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Config { .. } | Self::Refused { .. } => FaultKind::Fatal,
            Self::Unavailable { .. } => FaultKind::Retryable,
            Self::Throttled { .. } => FaultKind::Throttled,
        }
    }
}

/// One way to reach a human.
pub trait Channel: Send + Sync {
    /// The name used in settings and logs.
    fn name(&self) -> &str;

    /// Delivers one notice; resolves within the channel's own timeout.
    ///
    /// # Errors
    /// [`ChannelError`]; the caller decides about retries by [`ChannelError::kind`].
    fn send<'a>(&'a self, notice: &'a OutgoingNotice) -> BoxFuture<'a, Result<(), ChannelError>>;
}
