//! The trade gate of one thread: several owners hold it shut, the strictest counts.

use crate::gate::{GateOwner, GateState, GateWord};

/// The gate. Invariant: its state is the strictest of all owners', its epoch grows by one with each change of what an owner holds,
/// and a new gate is held shut by recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    held: Vec<(GateOwner, GateState)>,
    epoch: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { held: vec![(GateOwner::Recovery, GateState::Halted)], epoch: 1 }
    }
}

impl Gate {
    /// The word now.
    #[must_use]
    pub fn read(&self) -> GateWord {
        GateWord { state: self.held.iter().map(|(_, state)| *state).max().unwrap_or(GateState::Open), epoch: self.epoch }
    }

    /// Holds the gate at `state` for `owner`, in place of what it held before; open lets go. Gives the word in force afterwards.
    pub fn hold(&mut self, owner: GateOwner, state: GateState) -> GateWord {
        let now = self.held.iter().position(|(own, _)| *own == owner);
        let held = now.and_then(|at| self.held.get(at)).map_or(GateState::Open, |(_, state)| *state);
        if held == state {
            return self.read();
        }
        match now {
            Some(at) if state == GateState::Open => {
                self.held.remove(at);
            }
            Some(at) => {
                if let Some(slot) = self.held.get_mut(at) {
                    slot.1 = state;
                }
            }
            None => self.held.push((owner, state)),
        }
        self.epoch += 1;
        self.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_owner_counts_and_only_changes_move_the_epoch() {
        let mut gate = Gate::default();
        assert_eq!(gate.read(), GateWord { state: GateState::Halted, epoch: 1 });
        assert_eq!(gate.hold(GateOwner::Breaker, GateState::Open).epoch, 1, "nobody held");
        assert_eq!(gate.hold(GateOwner::Breaker, GateState::ReduceOnly), GateWord { state: GateState::Halted, epoch: 2 });
        assert_eq!(gate.hold(GateOwner::Recovery, GateState::Open), GateWord { state: GateState::ReduceOnly, epoch: 3 });
        assert_eq!(gate.hold(GateOwner::Breaker, GateState::ReduceOnly).epoch, 3, "the same again");
        assert_eq!(gate.hold(GateOwner::Breaker, GateState::Open), GateWord { state: GateState::Open, epoch: 4 });
    }
}
