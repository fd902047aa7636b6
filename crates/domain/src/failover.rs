//! Fail-over: which process may trade, decided by a lease that is renewed and never merely held.
//!
//! Invariant: this process calls itself leader only between a grant and its expiry, and nothing is signed that would still be
//! valid after the expiry.

use crate::gate::Role;
use crate::id::{Epoch, TimerId};
use crate::node::{ClockKind, Node, WakeAt};
use crate::time::{Now, Span, Timestamp};

/// What fail-over takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailoverIn {
    /// Begin: ask for the lease.
    Begin,
    /// The lease was granted or renewed.
    Granted {
        /// Its epoch.
        epoch: Epoch,
        /// Its end (protocol clock).
        expiry: Timestamp,
    },
    /// Another process holds it until the instant.
    Held {
        /// Its end (protocol clock).
        until: Timestamp,
    },
    /// The lease is gone: it expired or another process took it.
    Lost,
    /// The store of the lease did not answer.
    Unavailable {
        /// Why.
        reason: String,
    },
    /// A wake-up.
    Wake(TimerId),
}

/// What fail-over gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailoverOut {
    /// Ask for the lease.
    Acquire,
    /// Renew the lease.
    Renew,
    /// The role of this process from now on.
    Role(Role),
    /// Call again.
    Wake(WakeAt),
}

/// Figures of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRules {
    /// How long a grant lasts.
    pub ttl: Span,
    /// How often it is renewed.
    pub renew_every: Span,
    /// Receive window of the orders that are signed.
    pub recv_window: Span,
}
impl Default for LeaseRules {
    fn default() -> Self {
        Self { ttl: Span::secs(10), renew_every: Span::secs(2), recv_window: Span::secs(2) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Asking,
    Leader { expiry: Timestamp },
    Standby,
    Fenced,
}

/// Keeps the lease.
#[derive(Debug, Clone)]
pub struct FailoverNode {
    rules: LeaseRules,
    standing: Standing,
    timer: u64,
}

impl FailoverNode {
    /// A process that has not asked yet.
    #[must_use]
    pub const fn new(rules: LeaseRules) -> Self {
        Self { rules, standing: Standing::Asking, timer: 0 }
    }

    fn wake(&mut self, at: Timestamp, out: &mut Vec<FailoverOut>) {
        self.timer += 1;
        out.push(FailoverOut::Wake(WakeAt { clock: ClockKind::Protocol, at, timer: TimerId(self.timer) }));
    }

    fn step_down(&mut self, role: Role, standing: Standing, out: &mut Vec<FailoverOut>) {
        if self.standing != standing {
            self.standing = standing;
            out.push(FailoverOut::Role(role));
        }
    }
}

impl Node for FailoverNode {
    type In = FailoverIn;
    type Out = FailoverOut;

    fn on(&mut self, input: &FailoverIn, now: Now, out: &mut Vec<FailoverOut>) {
        match input {
            FailoverIn::Begin => out.push(FailoverOut::Acquire),
            FailoverIn::Granted { epoch, expiry } => {
                self.standing = Standing::Leader { expiry: *expiry };
                let sign_until = expiry.minus(self.rules.recv_window).0;
                out.push(FailoverOut::Role(Role::Leader { epoch: *epoch, sign_until }));
                self.wake(now.protocol.plus(self.rules.renew_every), out);
            }
            FailoverIn::Held { until } => {
                self.step_down(Role::Standby, Standing::Standby, out);
                self.wake(now.protocol.plus(self.rules.renew_every).min(until.plus(Span(1))).max(now.protocol.plus(Span(50))), out);
            }
            FailoverIn::Lost => {
                self.step_down(Role::Fenced, Standing::Fenced, out);
                self.wake(now.protocol.plus(self.rules.renew_every), out);
            }
            FailoverIn::Unavailable { .. } => {
                if let Standing::Leader { expiry } = self.standing
                    && now.protocol >= expiry
                {
                    self.step_down(Role::Fenced, Standing::Fenced, out);
                }
                self.wake(now.protocol.plus(self.rules.renew_every), out);
            }
            FailoverIn::Wake(timer) if timer.0 == self.timer => match self.standing {
                Standing::Leader { expiry } if now.protocol < expiry => out.push(FailoverOut::Renew),
                Standing::Leader { .. } => {
                    self.step_down(Role::Fenced, Standing::Fenced, out);
                    out.push(FailoverOut::Acquire);
                }
                Standing::Asking | Standing::Standby | Standing::Fenced => out.push(FailoverOut::Acquire),
            },
            FailoverIn::Wake(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn give(node: &mut FailoverNode, input: &FailoverIn, at: i64) -> Vec<FailoverOut> {
        let mut out = vec![];
        node.on(input, Now::both(Timestamp(at)), &mut out);
        out
    }

    #[test]
    fn a_leader_renews_and_steps_down_when_the_grant_ends() {
        let mut node = FailoverNode::new(LeaseRules::default());
        assert_eq!(give(&mut node, &FailoverIn::Begin, 0), [FailoverOut::Acquire]);
        let out = give(&mut node, &FailoverIn::Granted { epoch: Epoch(3), expiry: Timestamp(10_000) }, 0);
        assert_eq!(out.first(), Some(&FailoverOut::Role(Role::Leader { epoch: Epoch(3), sign_until: 8_000 })));
        assert_eq!(give(&mut node, &FailoverIn::Wake(TimerId(1)), 2_000), [FailoverOut::Renew]);
        let out = give(&mut node, &FailoverIn::Unavailable { reason: "disk".into() }, 2_100);
        assert!(!out.iter().any(|o| matches!(o, FailoverOut::Role(_))), "still leader until the grant ends");
        let out = give(&mut node, &FailoverIn::Wake(TimerId(2)), 10_000);
        assert_eq!(out, [FailoverOut::Role(Role::Fenced), FailoverOut::Acquire]);
    }

    #[test]
    fn a_second_process_stands_by_and_says_so_once() {
        let mut node = FailoverNode::new(LeaseRules::default());
        let first = give(&mut node, &FailoverIn::Held { until: Timestamp(5_000) }, 0);
        assert_eq!(first.first(), Some(&FailoverOut::Role(Role::Standby)));
        let second = give(&mut node, &FailoverIn::Held { until: Timestamp(5_000) }, 1_000);
        assert!(matches!(second.as_slice(), [FailoverOut::Wake(_)]));
    }

    #[test]
    fn a_wake_up_that_was_replaced_does_nothing() {
        let mut node = FailoverNode::new(LeaseRules::default());
        give(&mut node, &FailoverIn::Granted { epoch: Epoch(1), expiry: Timestamp(10_000) }, 0);
        give(&mut node, &FailoverIn::Granted { epoch: Epoch(1), expiry: Timestamp(12_000) }, 2_000);
        assert!(give(&mut node, &FailoverIn::Wake(TimerId(1)), 3_000).is_empty());
    }
}
