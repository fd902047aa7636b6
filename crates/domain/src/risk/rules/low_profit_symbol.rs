//! A strategy that earned too little on a symbol waits there (market clock).

use super::{Rule, Scope};
use crate::risk::check::{Check, Verdict, beyond};
use crate::risk::refusal::RefusalCode;

pub(super) const RULE: Rule = Rule { code: RefusalCode::LowProfitSymbol, scope: Scope::Entry, run };

fn run(c: &Check<'_>) -> Verdict {
    let Some(limit) = c.limits.low_profit.get() else { return Ok(()) };
    let record = c.record()?;
    let until = record.last_close.plus(limit.lock);
    let judged = record.trades >= limit.trades && record.realized < limit.profit;
    if !judged || c.now.market >= until || c.forgiven(record.last_close) {
        return Ok(());
    }
    beyond(record.realized, limit.profit, format!("the strategy earns too little on this symbol; entries wait until {until}"))
}
