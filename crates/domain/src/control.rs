//! Control: commands of the operator, notices to people, causes of a trip.

use crate::gate::GateState;
use crate::id::{DecisionId, StrategyId};
use crate::num::{Price, Ratio};
use crate::order::Side;
use crate::symbol::Symbol;
use serde::{Deserialize, Serialize};

/// An order of the operator, given over the API, journalled before it takes effect.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Open (or close, with `size_percent` zero) a position by hand.
    Signal(Signal),
    /// A strategy makes no new entries.
    Pause {
        /// Which; all where missing.
        strategy: Option<StrategyId>,
    },
    /// It may again.
    Resume {
        /// Which; all where missing.
        strategy: Option<StrategyId>,
    },
    /// Cancel entries and close positions.
    Flatten {
        /// One symbol; all where missing.
        symbol: Option<Symbol>,
    },
    /// Forget the trip and open the breaker.
    ResetBreaker,
    /// The operator's own hold on the gate.
    SetGate {
        /// Wanted state.
        state: GateState,
    },
}

/// A position wanted by hand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// Correlation with the verdict.
    pub decision: DecisionId,
    /// Contract.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Leverage.
    pub leverage: u16,
    /// Notional as a share of equity (0.8 = 80 %).
    pub size_percent: Ratio,
    /// Stop price; risk refuses an entry without.
    pub stop: Option<Price>,
    /// Take-profit price.
    pub take_profit: Option<Price>,
    /// Limit price; market order where missing.
    pub price: Option<Price>,
    /// Owner; `operator` where missing.
    pub strategy: Option<StrategyId>,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something is worse than it should be; nothing is lost.
    Warning,
    /// Trading is limited or a person should look.
    Critical,
}

/// Something a person should know. Coalesced by code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// How bad.
    pub severity: Severity,
    /// Stable code, such as `BREAKER_TRIPPED`.
    pub code: String,
    /// One sentence.
    pub text: String,
    /// The symbol concerned, if one.
    pub symbol: Option<Symbol>,
}

impl Notice {
    /// A notice without a symbol.
    #[must_use]
    pub fn new(severity: Severity, code: &str, text: impl Into<String>) -> Self {
        Self { severity, code: code.to_owned(), text: text.into(), symbol: None }
    }
    /// The same about one symbol.
    #[must_use]
    pub fn about(mut self, symbol: Symbol) -> Self {
        self.symbol = Some(symbol);
        self
    }
}
