//! The fail-over actor: keeps the lease, and the gate shut without it.

use std::sync::Arc;

use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::execution::ExecIn;
use fulmar_domain::failover::{FailoverIn, FailoverNode, FailoverOut, LeaseRules};
use fulmar_domain::gate::{GateOwner, GateState, Role as ProcessRole};
use fulmar_domain::id::{Epoch, TimerId};
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::record::Record;
use fulmar_domain::time::{Now, Timestamp};
use fulmar_ports::background::Background;
use fulmar_ports::clock::Clock;
use fulmar_ports::lease::{Lease, LeaseError, LeaseGrant};
use fulmar_ports::outlook::{Happening, Outlook};
use parking_lot::Mutex;

use crate::facts::Facts;
use crate::gate_desk::GateDesk;
use crate::links::Links;
use crate::shell::Role;

/// What fail-over needs.
pub struct Failover {
    /// Figures of the lease.
    pub rules: LeaseRules,
    /// Name of this process among those that share the lease.
    pub holder: String,
    /// Where the lease is kept.
    pub lease: Arc<dyn Lease>,
    /// The grant in force; found at the start, so that recovery already carries its epoch.
    pub grant: Arc<Mutex<Option<LeaseGrant>>>,
    /// Where asking is done.
    pub background: Arc<dyn Background>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// The gate and who hears of it.
    pub gate: GateDesk,
    /// Where roles go.
    pub links: Links,
    /// The journal.
    pub facts: Facts,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
    /// The last role that was told.
    pub told: Option<ProcessRole>,
}

impl Failover {
    fn ask(&self, renew: bool) {
        let (lease, holder, ttl) = (Arc::clone(&self.lease), self.holder.clone(), self.rules.ttl.0);
        let (grant, link, clock) = (Arc::clone(&self.grant), self.links.failover.clone(), Arc::clone(&self.clock));
        self.background.spawn(Box::pin(async move {
            let now = clock.now().protocol.0;
            let held = grant.lock().clone();
            let answer = match held.filter(|_| renew) {
                Some(held) => lease.renew(&held, ttl, now).await,
                None => lease.acquire(&holder, ttl, now).await,
            };
            link.push(match answer {
                Ok(new) => {
                    let message = FailoverIn::Granted { epoch: Epoch(new.epoch), expiry: Timestamp(new.expiry_ms) };
                    *grant.lock() = Some(new);
                    message
                }
                Err(LeaseError::Held { expiry_ms, .. }) => FailoverIn::Held { until: Timestamp(expiry_ms) },
                Err(LeaseError::Lost { .. }) => {
                    *grant.lock() = None;
                    FailoverIn::Lost
                }
                Err(error) => FailoverIn::Unavailable { reason: error.to_string() },
            });
        }));
    }

    fn tell(&mut self, role: ProcessRole, now: Now) {
        self.links.execution.push(ExecIn::Role(role));
        let same = match (&self.told, &role) {
            (Some(ProcessRole::Leader { epoch: a, .. }), ProcessRole::Leader { epoch: b, .. }) => a == b,
            (Some(told), role) => told == role,
            (None, _) => false,
        };
        self.told = Some(role);
        if same {
            return;
        }
        self.facts.note(Record::RoleChanged(role), now);
        self.outlook.show(Happening::Role(role), now);
        match role {
            ProcessRole::Leader { epoch, .. } => {
                self.gate.hold(GateOwner::Failover, GateState::Open, &format!("this process holds the lease, epoch {epoch}"));
                self.links.execution.push(ExecIn::Reconcile { cause: "this process became leader" });
            }
            ProcessRole::Standby => {
                self.gate.hold(GateOwner::Failover, GateState::Halted, "another process holds the lease; this one stands by");
                self.links.notify(Notice::new(Severity::Info, "STANDBY", "another process holds the lease; this one stands by"));
            }
            ProcessRole::Fenced => {
                self.gate.hold(GateOwner::Failover, GateState::Halted, "the lease was lost");
                self.links.notify(Notice::new(
                    Severity::Critical,
                    "LEASE_LOST",
                    "the lease was lost; nothing is signed until it is held again",
                ));
            }
        }
    }
}

impl Role for Failover {
    type Node = FailoverNode;

    const NAME: &'static str = "failover";

    fn rebuild(&mut self, _now: Now) -> FailoverNode {
        FailoverNode::new(self.rules)
    }

    fn begin(&mut self, node: &mut FailoverNode, now: Now, out: &mut Vec<FailoverOut>) {
        let held = self.grant.lock().clone();
        match held {
            Some(grant) => node.on(&FailoverIn::Granted { epoch: Epoch(grant.epoch), expiry: Timestamp(grant.expiry_ms) }, now, out),
            None => node.on(&FailoverIn::Begin, now, out),
        }
    }

    fn before(&mut self, input: &mut FailoverIn, _now: Now) {
        if let FailoverIn::Unavailable { reason } = input {
            let text = format!("the lease could not be asked for: {reason}");
            self.links.notify(Notice::new(Severity::Warning, "LEASE_UNAVAILABLE", text));
        }
    }

    fn route(&mut self, _node: &FailoverNode, out: FailoverOut, now: Now) -> Option<WakeAt> {
        match out {
            FailoverOut::Acquire => self.ask(false),
            FailoverOut::Renew => self.ask(true),
            FailoverOut::Role(role) => self.tell(role, now),
            FailoverOut::Wake(wake) => return Some(wake),
        }
        None
    }

    fn wake(timer: TimerId) -> Option<FailoverIn> {
        Some(FailoverIn::Wake(timer))
    }
}
