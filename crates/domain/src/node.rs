//! The shape of every rule that decides something about money.

use crate::id::TimerId;
use crate::time::{Now, Timestamp};

/// A deterministic state machine: one input in, any number of outputs out.
///
/// A backtest pops a queue ordered by (time, sequence) and calls [`Node::on`]; live, an actor calls it and routes each output
/// through a link. Time is data: a node asks to be woken by putting out a [`WakeAt`].
pub trait Node {
    /// What it takes.
    type In;
    /// What it gives.
    type Out;
    /// Takes one input at `now` and appends what follows from it to `out`, in the order in which it shall take effect.
    fn on(&mut self, input: &Self::In, now: Now, out: &mut Vec<Self::Out>);
}

/// Which clock a wake-up is counted on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockKind {
    /// Market time.
    Market,
    /// Wall time of the protocol.
    Protocol,
}

/// A wish to be called again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WakeAt {
    /// On which clock.
    pub clock: ClockKind,
    /// When.
    pub at: Timestamp,
    /// Comes back with the wake-up; the node ignores numbers that it no longer waits for.
    pub timer: TimerId,
}
