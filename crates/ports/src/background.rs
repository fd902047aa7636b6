//! Where work goes that waits for the outside: REST calls, webhooks, leases. Never on an actor's own context.

use crate::BoxFuture;

/// Runs futures to their end, on threads of its own.
pub trait Background: Send + Sync {
    /// Starts a future. It is never dropped before its end except at the end of the process.
    fn spawn(&self, work: BoxFuture<'static, ()>);
}
