//! Loss from the equity peak is at most a share of the peak.

use super::{Rule, Scope};
use crate::num::Rounding;
use crate::risk::check::{Check, Fault, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::Drawdown, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.drawdown_max.get() else { return Ok(()) };
    let account = c.account()?;
    if !account.peak_equity.is_positive() {
        return Err(Fault::Missing("the equity peak is not known"));
    }
    let loss = account.peak_equity.checked_sub(account.equity)?;
    let share = loss.share_of(account.peak_equity, Rounding::Ceil)?;
    if share > limit { beyond(share, limit, format!("equity is {loss} USDT below its peak")) } else { Ok(()) }
}
