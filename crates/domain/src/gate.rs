//! What may be sent: open, reduce-only, halted.

use crate::id::Epoch;
use serde::{Deserialize, Serialize};

/// How far trading is allowed. Ordered: the larger is the stricter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Everything passes that the risk gate approves.
    Open,
    /// Only orders that reduce or protect.
    ReduceOnly,
    /// No entry; orders that reduce or protect still pass.
    Halted,
}

/// The gate as read at one instant. An approval is void once the epoch has moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GateWord {
    /// What is allowed.
    pub state: GateState,
    /// Grows with every change of the gate's state.
    pub epoch: u64,
}

/// Which part of the engine holds the gate shut. The effective state is the strictest of all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOwner {
    /// Start-up and reconciliation.
    Recovery,
    /// A supervisor that restarts or has given up a group.
    Supervisor,
    /// The circuit breaker.
    Breaker,
    /// The operator.
    Operator,
    /// Loss or lack of the lease.
    Failover,
    /// Journal: disk full or broken.
    Journal,
    /// The exchange: it bans this address or refuses the key.
    Exchange,
    /// Shutdown.
    Shutdown,
}

/// A change of role of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role")]
pub enum Role {
    /// This process trades; its orders carry the epoch.
    Leader {
        /// The lease's epoch.
        epoch: Epoch,
        /// Nothing may be signed whose timestamp plus receive window lies beyond this (protocol clock, ms).
        sign_until: i64,
    },
    /// Another process holds the lease.
    Standby,
    /// This process held the lease and lost it.
    Fenced,
}
