//! Numbers of decisions, unique within one run of the process without anything shared.
//!
//! A number is lane (8 bits) | generation (24 bits) | counter (32 bits). Each strategy has its own lane, each rebuild of
//! its node after a failure its own generation. Invariant: no number comes twice, and none is zero.

use crate::id::DecisionId;

/// The source of one node's decision numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionIds {
    base: u64,
    next: u32,
}

impl DecisionIds {
    /// Numbers of strategy `lane` (its place in the configuration; 0 is left to the operator), whose node was built
    /// `generation` times before in this process. Generations beyond 24 bits wrap, long after the supervisor gave up.
    #[must_use]
    pub const fn new(lane: u8, generation: u32) -> Self {
        Self { base: ((lane as u64) << 56) | (((generation & 0x00ff_ffff) as u64) << 32), next: 1 }
    }

    /// The next number; `None` once four billion have been given.
    pub fn take(&mut self) -> Option<DecisionId> {
        let id = DecisionId(self.base | u64::from(self.next));
        self.next = self.next.checked_add(1)?;
        Some(id)
    }
}
