//! Realised and unrealised loss since UTC midnight is at most a share of the equity then.

use super::{Rule, Scope};
use crate::num::Rounding;
use crate::risk::check::{Check, Fault, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::DailyLoss, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.daily_loss_max.get() else { return Ok(()) };
    let account = c.account()?;
    if !account.day_start_equity.is_positive() {
        return Err(Fault::Missing("the equity at the day's start is not known"));
    }
    let loss = account.day_start_equity.checked_sub(account.equity)?;
    let share = loss.share_of(account.day_start_equity, Rounding::Ceil)?;
    if share > limit { beyond(share, limit, format!("{loss} USDT were lost since UTC midnight")) } else { Ok(()) }
}
