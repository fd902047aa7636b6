//! Asking: a message whose answer is awaited. For start, stop and the API; nobody asks on the order path.
//!
//! Invariant: no answer is ever taken for "not executed": what was maybe executed is said to be.

use std::fmt;
use std::time::Duration;

use actix::{MailboxError, Message, Recipient};

use super::quiescence::Quiescence;

/// A way to ask one actor. Made by [`Switchboard::ask`](super::Switchboard::ask).
pub struct Ask<Q>
where
    Q: Message + Send + 'static,
    Q::Result: Send,
{
    to: Recipient<Q>,
    quiescence: Quiescence,
}

impl<Q> Clone for Ask<Q>
where
    Q: Message + Send + 'static,
    Q::Result: Send,
{
    fn clone(&self) -> Self {
        Self { to: self.to.clone(), quiescence: self.quiescence.clone() }
    }
}

/// Why no answer came. Never repeat a command blindly on either: look up by its id what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskError {
    /// The actor failed with the question in hand, or in the midst of answering, and restarts.
    Restarted {
        /// Whether it may have done what was asked before it failed.
        maybe_executed: bool,
    },
    /// The actor is gone for good.
    Gone,
    /// No answer in time. A question that was still queued is withdrawn; one in hand goes on.
    Timeout {
        /// How long was waited.
        after: Duration,
    },
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restarted { maybe_executed: true } => {
                f.write_str("the actor restarted with the question in hand: look up whether it was executed")
            }
            Self::Restarted { maybe_executed: false } => f.write_str("the actor restarted before it took the question"),
            Self::Gone => f.write_str("the actor is gone"),
            Self::Timeout { after } => write!(f, "no answer within {after:?}: look up whether it was executed"),
        }
    }
}

impl std::error::Error for AskError {}

impl<Q> Ask<Q>
where
    Q: Message + Send + 'static,
    Q::Result: Send,
{
    pub(super) fn new(to: Recipient<Q>, quiescence: Quiescence) -> Self {
        Self { to, quiescence }
    }

    /// Asks, and awaits the answer at most this long. Counts as work under way meanwhile.
    pub async fn ask(&self, question: Q, timeout: Duration) -> Result<Q::Result, AskError> {
        let _hold = self.quiescence.hold();
        match tokio::time::timeout(timeout, self.to.send(question)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(MailboxError::Closed)) if self.to.connected() => Err(AskError::Restarted { maybe_executed: true }),
            Ok(Err(MailboxError::Closed)) => Err(AskError::Gone),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::Timeout { after: timeout }),
        }
    }
}
