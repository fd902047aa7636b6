//! Leverage must respect the strategy's and the engine's cap and that of the tier of the position after the fill.

use super::{Rule, Scope};
use crate::risk::check::{Check, Fault, Verdict, beyond};
use crate::risk::refusal::Measure;
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::LeverageTooHigh, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let own = c.limits.leverage_max;
    if c.intent.leverage == 0 || c.intent.leverage > own {
        return too_high(c.intent.leverage, own);
    }
    let after = c.notional_after()?;
    let tiers = c.brackets()?;
    let tier = tiers.tier_of(after).ok_or(Fault::Missing("no leverage brackets are known for the symbol"))?;
    if after > tier.cap {
        return beyond(after, tier.cap, "the position would be larger than the exchange allows at any leverage");
    }
    if c.intent.leverage > tier.leverage_max { too_high(c.intent.leverage, tier.leverage_max) } else { Ok(()) }
}

fn too_high(leverage: u16, limit: u16) -> Verdict {
    let count = |n: u16| Measure::Count(i64::from(n));
    beyond(count(leverage), count(limit), format!("leverage must be 1 to {limit}"))
}
