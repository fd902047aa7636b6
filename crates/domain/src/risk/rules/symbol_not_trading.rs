//! The exchange must trade the contract.

use super::{Rule, Scope};
use crate::instrument::SymbolStatus;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::SymbolNotTrading, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let word = match c.instrument()?.status {
        SymbolStatus::Trading => return Ok(()),
        SymbolStatus::PendingTrading => "pending_trading",
        SymbolStatus::NotTrading => "not_trading",
    };
    beyond(Measure::Word(word), Measure::Word("trading"), "the exchange does not trade this contract now")
}
