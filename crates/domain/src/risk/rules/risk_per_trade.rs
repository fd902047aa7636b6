//! |entry − stop| · quantity is at most a share of equity.

use super::{Rule, Scope};
use crate::num::{Rounding, notional};
use crate::risk::check::{Check, Fault, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::RiskPerTrade, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.risk_per_trade_max.get() else { return Ok(()) };
    let stop = c.protection().map(|p| p.stop).ok_or(Fault::Missing("without a stop the risk is not bounded"))?;
    let loss = notional(c.price()?.checked_sub(stop)?.abs(), c.intent.qty, Rounding::Ceil)?;
    let share = loss.share_of(c.equity()?, Rounding::Ceil)?;
    if share > limit { beyond(share, limit, format!("the stop would lose {loss} USDT")) } else { Ok(()) }
}
