//! Nothing but reducing and protective orders passes a reduce-only gate.

use super::{Rule, Scope};
use crate::gate::GateState;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::facts::gate_word;
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::ReduceOnlyMode, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    if c.gate.state != GateState::ReduceOnly {
        return Ok(());
    }
    beyond(Measure::Word(gate_word(c.gate.state)), Measure::Word("open"), "only orders that reduce or protect are taken now")
}
