//! The catalog of rules, in the table's order. A new rule is a file here, its code in `refusal.rs` and one line below.
//!
//! Invariant: every rule runs on every intent that it concerns; the first that fails is the verdict, all that fail are listed.

use super::check::{Check, Fault, Verdict};
use super::refusal::{Measure, Refusal, RefusalCode};

mod account_stale;
mod consecutive_losses;
mod cooldown;
mod daily_loss;
mod data_stale;
mod drawdown;
mod funding_cost;
mod gross_exposure;
mod insufficient_margin;
mod leverage_too_high;
mod liquidation_distance;
mod low_profit_symbol;
mod max_orders;
mod max_positions;
mod min_notional;
mod net_exposure;
mod not_reducing;
mod notional_per_day;
mod order_rate;
mod position_too_large;
mod price_band;
mod price_tick;
mod qty_range;
mod qty_step;
mod reduce_only_mode;
mod repeated_order;
mod risk_per_trade;
mod stop_required;
mod stop_wrong_side;
mod symbol_locked;
mod symbol_not_trading;
mod trading_halted;
mod unknown_account;
mod unknown_bracket;
mod unknown_symbol;

/// Whom a rule concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// Orders that open or add.
    Entry,
    /// Orders that reduce.
    Exit,
    /// Both.
    Any,
}

/// One rule.
pub(super) struct Rule {
    pub code: RefusalCode,
    pub scope: Scope,
    pub run: fn(&Check<'_>) -> Verdict,
}

pub(super) const CATALOG: &[Rule] = &[
    trading_halted::RULE,
    reduce_only_mode::RULE,
    data_stale::RULE,
    account_stale::RULE,
    unknown_symbol::RULE,
    symbol_not_trading::RULE,
    unknown_bracket::RULE,
    unknown_account::RULE,
    not_reducing::RULE,
    price_tick::RULE,
    qty_step::RULE,
    qty_range::RULE,
    min_notional::RULE,
    price_band::RULE,
    leverage_too_high::RULE,
    position_too_large::RULE,
    gross_exposure::RULE,
    net_exposure::RULE,
    daily_loss::RULE,
    drawdown::RULE,
    consecutive_losses::RULE,
    liquidation_distance::RULE,
    insufficient_margin::RULE,
    stop_required::RULE,
    stop_wrong_side::RULE,
    risk_per_trade::RULE,
    funding_cost::RULE,
    max_positions::RULE,
    max_orders::RULE,
    order_rate::RULE,
    repeated_order::RULE,
    notional_per_day::RULE,
    cooldown::RULE,
    low_profit_symbol::RULE,
    symbol_locked::RULE,
];

/// Codes of all rules, in the order in which they run, each with whether it concerns exits.
pub fn catalog() -> impl Iterator<Item = (RefusalCode, bool)> {
    CATALOG.iter().map(|rule| (rule.code, rule.scope != Scope::Entry))
}

/// Holds an intent against every rule that concerns it.
pub(super) fn failures(check: &Check<'_>) -> Vec<Refusal> {
    let skipped = if check.intent.is_entry() { Scope::Exit } else { Scope::Entry };
    let concerned = CATALOG.iter().filter(|rule| rule.scope != skipped);
    concerned.filter_map(|rule| (rule.run)(check).err().map(|fault| refusal(rule.code, fault))).collect()
}

fn refusal(code: RefusalCode, fault: Fault) -> Refusal {
    match fault {
        Fault::Missing(what) => Refusal { code, value: Measure::Missing, limit: Measure::Missing, message: what.to_owned() },
        Fault::Number(error) => {
            Refusal { code, value: Measure::Missing, limit: Measure::Missing, message: format!("the figures do not fit: {error}") }
        }
        Fault::Beyond { value, limit, message } => Refusal { code, value, limit, message },
    }
}
