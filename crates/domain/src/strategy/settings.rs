//! The settings of one strategy instance, checked as a whole.

use std::collections::BTreeMap;

use super::{ExitRules, ParameterError, Parameters, Strategy, find};
use crate::id::StrategyId;
use crate::indicator::IndicatorSpec;
use crate::market::Timeframe;
use crate::num::Ratio;
use crate::order::MarginMode;
use crate::symbol::Symbol;

/// How large an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizing {
    /// Notional as a share of equity, before leverage: 0.1 opens 10 % of equity's worth.
    FixedFraction(Ratio),
}

/// One strategy instance as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategySettings {
    /// Name of the instance; owner of its orders and positions.
    pub id: StrategyId,
    /// Name or alias of the strategy in the catalog.
    pub strategy: String,
    /// Contracts it works on.
    pub symbols: Vec<Symbol>,
    /// Bars it decides on; the strategy's own where missing.
    pub timeframe: Option<Timeframe>,
    /// Tuned parameters by name; defaults fill the rest.
    pub parameters: BTreeMap<String, Ratio>,
    /// Size of an entry.
    pub sizing: Sizing,
    /// Leverage of an entry.
    pub leverage: u16,
    /// Whose collateral its positions use.
    pub margin_mode: MarginMode,
    /// The account keeps long and short apart.
    pub hedge_mode: bool,
    /// Exits decided at bar close.
    pub exits: ExitRules,
}

/// What is wrong with a strategy's settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No strategy has that name or alias.
    #[error("unknown strategy `{name}`: known are {known}")]
    UnknownStrategy {
        /// The name as given.
        name: String,
        /// All names.
        known: String,
    },
    /// A parameter is wrong.
    #[error("{0}")]
    Parameter(#[from] ParameterError),
    /// A value is out of range.
    #[error("{0}")]
    Value(String),
    /// The indicator set does not compute what the strategy reads.
    #[error("indicator {0} is not computed: build the layout from the indicators of all strategies")]
    IndicatorNotComputed(IndicatorSpec),
}

impl StrategySettings {
    /// Settings with the defaults of the trading rules: notional 10 % of equity, leverage 3, isolated, no further exits.
    #[must_use]
    pub fn new(id: StrategyId, strategy: &str, symbols: Vec<Symbol>) -> Self {
        Self {
            id,
            strategy: strategy.to_owned(),
            symbols,
            timeframe: None,
            parameters: BTreeMap::new(),
            sizing: Sizing::FixedFraction(Ratio::from_raw(crate::num::SCALE / 10)),
            leverage: 3,
            margin_mode: MarginMode::Isolated,
            hedge_mode: false,
            exits: ExitRules::default(),
        }
    }

    /// Makes the strategy, for one contract.
    ///
    /// # Errors
    /// Every violation of these settings.
    pub fn make(&self) -> Result<Box<dyn Strategy>, Vec<SettingsError>> {
        let mut errors: Vec<SettingsError> = self.value_errors().into_iter().map(SettingsError::Value).collect();
        let Some(entry) = find(&self.strategy) else {
            let known = super::CATALOG.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
            errors.push(SettingsError::UnknownStrategy { name: self.strategy.clone(), known });
            return Err(errors);
        };
        match Parameters::resolve(entry.parameters, &self.parameters) {
            Err(wrong) => errors.extend(wrong.into_iter().map(SettingsError::Parameter)),
            Ok(parameters) => match (entry.make)(&parameters) {
                Err(wrong) => errors.push(SettingsError::Parameter(wrong)),
                Ok(strategy) if errors.is_empty() => return Ok(strategy),
                Ok(_) => {}
            },
        }
        Err(errors)
    }

    fn value_errors(&self) -> Vec<String> {
        let mut found = self.exits.violations();
        let Sizing::FixedFraction(fraction) = self.sizing;
        if !fraction.is_positive() || fraction > Ratio::from_raw(crate::num::SCALE * 20) {
            found.push(format!("size {fraction} of equity: choose above 0, at most 20"));
        }
        if self.leverage == 0 || self.leverage > 125 {
            found.push(format!("leverage {}: choose 1 to 125", self.leverage));
        }
        if self.symbols.is_empty() {
            found.push("symbols: name at least one".to_owned());
        }
        found
    }
}
