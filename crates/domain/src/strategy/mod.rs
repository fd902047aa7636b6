//! Strategies: what to do at the close of a bar.
//!
//! A strategy is pure: it sees one closed bar with its indicators and its own position through a [`BarView`], and says
//! what it wants as a [`Decision`]. Everything else — sizing, brackets, exits common to all, waiting for the account,
//! pause and flatten — is done once, by the [`StrategyNode`]. A newcomer adds a file and one line in [`CATALOG`].
//! Invariant: a strategy cannot reach a later bar, another's position, a clock or an order.

mod decision;
mod decision_ids;
mod desk;
pub mod ema_rsi;
pub mod exits;
mod node;
mod orders;
mod parameters;
mod settings;
mod view;

use std::fmt;

pub use decision::{Decision, Entry, Level, TargetAt, TrailingAt};
pub use decision_ids::DecisionIds;
pub use desk::DeskStatus;
pub use exits::ExitRules;
pub use node::{StrategyIn, StrategyNode, StrategyOut, StrategyStart, StrategyStatus};
pub use parameters::{ParameterError, ParameterRange, Parameters};
pub use settings::{SettingsError, Sizing, StrategySettings};
pub use view::{BarView, OwnPosition};

use crate::indicator::IndicatorSpec;
use crate::market::Timeframe;

/// What a strategy needs and is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategySpec {
    /// Name as users know it, such as `EmaRsiStrategy`.
    pub name: &'static str,
    /// Other names it is found by.
    pub aliases: &'static [&'static str],
    /// Bars it decides on where the settings do not say otherwise.
    pub timeframe: Timeframe,
    /// Bars of history to fetch, so many that the seeds of recursive indicators have faded.
    pub warmup_bars: usize,
    /// Indicators it reads; output `k` of the list laid side by side is column `k` of its view.
    pub indicators: Vec<IndicatorSpec>,
    /// What can be tuned.
    pub parameters: &'static [ParameterRange],
}

/// One strategy working on one contract.
pub trait Strategy: fmt::Debug + Send {
    /// What it needs.
    fn spec(&self) -> &StrategySpec;

    /// Decides at the close of a bar; called for every warm bar in order, history included.
    fn on_bar(&mut self, view: &BarView<'_>) -> Decision;
}

/// How to make one kind of strategy.
#[derive(Debug, Clone, Copy)]
pub struct CatalogEntry {
    /// Name as users know it.
    pub name: &'static str,
    /// Other names it is found by.
    pub aliases: &'static [&'static str],
    /// What can be tuned.
    pub parameters: &'static [ParameterRange],
    /// Makes one with checked parameters; one is made per contract.
    pub make: fn(&Parameters) -> Result<Box<dyn Strategy>, ParameterError>,
}

/// Every strategy there is.
pub const CATALOG: &[CatalogEntry] = &[ema_rsi::ENTRY];

/// The catalog entry of that name or alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static CatalogEntry> {
    CATALOG.iter().find(|entry| entry.name == name || entry.aliases.contains(&name))
}
