//! Margin and fee of the order must fit into what is available less what is reserved for orders in flight.

use super::{Rule, Scope};
use crate::num::Usdt;
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;
use crate::risk::reserve::amount;

pub(super) const RULE: Rule = Rule { code: RefusalCode::InsufficientMargin, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let need = amount(c)?;
    let free = c.account()?.available.checked_sub(c.facts.reserved()?)?.max(Usdt::ZERO);
    if need > free { beyond(need, free, format!("{need} USDT of margin and fee are needed, {free} are free")) } else { Ok(()) }
}
