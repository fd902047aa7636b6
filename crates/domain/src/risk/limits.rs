//! The limits of the gate: the engine's, and what single strategies have of their own.
//!
//! Invariant: a strategy's own leverage never lifts the engine's; [`RiskLimits::validate`] names every violation at once.

use crate::id::StrategyId;
use crate::num::{Ratio, Usdt};
use crate::time::Span;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A limit that may be switched off; written `"off"` or as its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Limit<T> {
    /// The rule does not run.
    Off(Off),
    /// The rule runs with this limit.
    At(T),
}

/// The word `off`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Off {
    /// Switched off.
    Off,
}

impl<T: Copy> Limit<T> {
    /// Switched off.
    pub const OFF: Self = Self::Off(Off::Off);
    /// The limit, unless switched off.
    #[must_use]
    pub const fn get(self) -> Option<T> {
        match self {
            Self::Off(_) => None,
            Self::At(value) => Some(value),
        }
    }
}

/// Losing trades in a row of one strategy and symbol, then a pause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossStreak {
    /// This many are allowed to pass; from then on entries wait.
    pub losses: u32,
    /// How long after the last of them (market clock).
    pub lock: Span,
}

/// A strategy that earns too little on a symbol pauses there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LowProfit {
    /// Not judged before this many round trips.
    pub trades: u32,
    /// Realised profit after fees and funding that must be reached.
    pub profit: Usdt,
    /// How long after the last round trip entries wait (market clock).
    pub lock: Span,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $default:expr;)*) => {
        /// Limits of the engine. Shares and multiples are plain numbers (0.05 = 5 %).
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct RiskLimits {
            $($(#[$doc])* pub $name: $kind,)*
            /// What single strategies have of their own.
            pub strategies: BTreeMap<StrategyId, StrategyLimits>,
        }
        impl Default for RiskLimits {
            fn default() -> Self { Self { $($name: $default,)* strategies: BTreeMap::new() } }
        }
        /// Limits of one strategy; where missing, the engine's hold.
        #[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct StrategyLimits {
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }
        impl RiskLimits {
            /// The limits that hold for one strategy.
            #[must_use]
            pub fn of(&self, strategy: StrategyId) -> Self {
                let Some(own) = self.strategies.get(&strategy) else { return Self { strategies: BTreeMap::new(), ..self.clone() } };
                let mut merged = Self { $($name: own.$name.unwrap_or(self.$name),)* strategies: BTreeMap::new() };
                merged.leverage_max = merged.leverage_max.min(self.leverage_max);
                merged
            }
        }
    };
}

limits! {
    /// Oldest mark price that still counts (protocol clock).
    mark_age_max: Span = Span::secs(5);
    /// Largest distance of a price from mark, as a share of mark.
    price_band: Ratio = Ratio::from_raw(5_000_000);
    /// Highest leverage.
    leverage_max: u16 = 10;
    /// Largest initial margin of one position, as a share of equity.
    position_margin_max: Limit<Ratio> = Limit::At(Ratio::from_raw(10_000_000));
    /// Largest Σ |notional| / equity.
    gross_exposure_max: Limit<Ratio> = Limit::At(Ratio::from_raw(300_000_000));
    /// Largest |Σ notional| / equity.
    net_exposure_max: Limit<Ratio> = Limit::At(Ratio::from_raw(200_000_000));
    /// Largest loss since UTC midnight, as a share of the equity then.
    daily_loss_max: Limit<Ratio> = Limit::At(Ratio::from_raw(5_000_000));
    /// Largest loss from the equity peak, as a share of it.
    drawdown_max: Limit<Ratio> = Limit::At(Ratio::from_raw(15_000_000));
    /// Losing trades in a row, then a lock.
    consecutive_losses: Limit<LossStreak> = Limit::At(LossStreak { losses: 6, lock: Span::hours(1) });
    /// Smallest distance of the liquidation price from mark, as a share of mark.
    liquidation_distance_min: Ratio = Ratio::from_raw(5_000_000);
    /// Largest (entry − stop) · quantity, as a share of equity.
    risk_per_trade_max: Limit<Ratio> = Limit::At(Ratio::from_raw(1_000_000));
    /// Largest next funding payment, as a share of the position's margin.
    funding_cost_max: Limit<Ratio> = Limit::At(Ratio::from_raw(1_000_000));
    /// Most positions at a time.
    positions_max: Limit<u32> = Limit::At(10);
    /// Most orders that are not final, protective ones included.
    orders_max: Limit<u32> = Limit::At(50);
    /// Most orders in a second (protocol clock).
    orders_per_second: Limit<u32> = Limit::At(10);
    /// Most orders in a minute (protocol clock).
    orders_per_minute: Limit<u32> = Limit::At(300);
    /// The same order of the same strategy again within this span is refused (market clock).
    repeat_span: Limit<Span> = Limit::At(Span::secs(1));
    /// Most notional of entries of one strategy in one UTC day, as a multiple of equity.
    notional_per_day: Limit<Ratio> = Limit::At(Ratio::from_raw(20_000_000_000));
    /// Pause after a round trip of the same strategy and symbol (market clock).
    cooldown: Limit<Span> = Limit::OFF;
    /// Pause of a strategy on a symbol that earns too little.
    low_profit: Limit<LowProfit> = Limit::OFF;
    /// Taker fee that reservations reckon with, as a share of the notional.
    taker_fee: Ratio = Ratio::from_raw(50_000);
}

/// One limit that cannot hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{key} = {value}: {rule}")]
pub struct LimitViolation {
    /// Name of the setting, with the strategy where it is a strategy's own.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// What would be right.
    pub rule: &'static str,
}

/// The exchange's own limits per account: 300 orders in 10 s, 1,200 in a minute.
const EXCHANGE_PER_SECOND: u32 = 30;
const EXCHANGE_PER_MINUTE: u32 = 1_200;
/// Highest leverage that the exchange knows.
const EXCHANGE_LEVERAGE: u16 = 150;

struct Findings {
    prefix: String,
    found: Vec<LimitViolation>,
}

impl Findings {
    fn need(&mut self, holds: bool, key: &str, value: &dyn std::fmt::Debug, rule: &'static str) {
        if !holds {
            self.found.push(LimitViolation { key: format!("{}{key}", self.prefix), value: format!("{value:?}"), rule });
        }
    }
    fn share(&mut self, key: &str, value: Option<Ratio>) {
        let Some(value) = value else { return };
        self.need(value.is_positive() && value <= Ratio::ONE, key, &value, "a share above 0 and at most 1 is needed");
    }
    fn multiple(&mut self, key: &str, value: Option<Ratio>) {
        let Some(value) = value else { return };
        self.need(value.is_positive(), key, &value, "a number above 0 is needed");
    }
    fn span(&mut self, key: &str, value: Option<Span>) {
        let Some(value) = value else { return };
        self.need(value.0 > 0, key, &value, "a span above 0 is needed");
    }
    fn count(&mut self, key: &str, value: Option<u32>, most: u32, rule: &'static str) {
        let Some(value) = value else { return };
        self.need(value > 0 && value <= most, key, &value, rule);
    }
    fn all(&mut self, limits: &RiskLimits) {
        let leverage = limits.leverage_max;
        self.need((1..=EXCHANGE_LEVERAGE).contains(&leverage), "leverage_max", &leverage, "1 to 150 is needed");
        self.span("mark_age_max", Some(limits.mark_age_max));
        self.share("price_band", Some(limits.price_band));
        self.share("liquidation_distance_min", Some(limits.liquidation_distance_min));
        let fee = limits.taker_fee;
        self.need(!fee.is_negative() && fee < Ratio::ONE, "taker_fee", &fee, "a share from 0 and below 1 is needed");
        self.share("position_margin_max", limits.position_margin_max.get());
        self.multiple("gross_exposure_max", limits.gross_exposure_max.get());
        self.multiple("net_exposure_max", limits.net_exposure_max.get());
        self.share("daily_loss_max", limits.daily_loss_max.get());
        self.share("drawdown_max", limits.drawdown_max.get());
        self.share("risk_per_trade_max", limits.risk_per_trade_max.get());
        self.share("funding_cost_max", limits.funding_cost_max.get());
        self.multiple("notional_per_day", limits.notional_per_day.get());
        self.count("positions_max", limits.positions_max.get(), u32::MAX, "at least 1 is needed");
        self.count("orders_max", limits.orders_max.get(), u32::MAX, "at least 1 is needed");
        self.count("orders_per_second", limits.orders_per_second.get(), EXCHANGE_PER_SECOND, "1 to 30 (the exchange's own) is needed");
        self.count("orders_per_minute", limits.orders_per_minute.get(), EXCHANGE_PER_MINUTE, "1 to 1200 (the exchange's own) is needed");
        self.span("repeat_span", limits.repeat_span.get());
        self.span("cooldown", limits.cooldown.get());
        if let Some(streak) = limits.consecutive_losses.get() {
            self.count("consecutive_losses.losses", Some(streak.losses), u32::MAX, "at least 1 is needed");
            self.span("consecutive_losses.lock", Some(streak.lock));
        }
        if let Some(low) = limits.low_profit.get() {
            self.count("low_profit.trades", Some(low.trades), u32::MAX, "at least 1 is needed");
            self.span("low_profit.lock", Some(low.lock));
        }
    }
}

impl RiskLimits {
    /// Checks every limit of the engine and of each strategy.
    ///
    /// # Errors
    /// All violations together.
    pub fn validate(&self) -> Result<(), Vec<LimitViolation>> {
        let mut findings = Findings { prefix: String::new(), found: Vec::new() };
        findings.all(self);
        let of_engine = findings.found.len();
        for (strategy, own) in &self.strategies {
            // Only what is the strategy's own: the engine's values were judged above.
            let neutral = Self { strategies: BTreeMap::from([(*strategy, own.clone())]), ..Self::default() };
            let mut merged = neutral.of(*strategy);
            merged.leverage_max = own.leverage_max.unwrap_or(neutral.leverage_max);
            findings.prefix = format!("strategies.{strategy}.");
            findings.all(&merged);
            if let Some(leverage) = own.leverage_max {
                findings.need(leverage <= self.leverage_max, "leverage_max", &leverage, "the engine's leverage_max is the highest");
            }
        }
        debug_assert!(findings.found.len() >= of_engine);
        if findings.found.is_empty() { Ok(()) } else { Err(findings.found) }
    }
}
