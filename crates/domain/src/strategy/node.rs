//! One strategy instance as a node: many contracts, one owner of orders and positions.
//!
//! It takes frames, the account, refusals, the gate and commands, and gives intents to trade and to cancel. Its state
//! after a failure is its settings and the next account frame. Invariant: whatever comes in, an entry carries a stop and
//! the number of the last fact it knew; an exit is never held back by pause or gate.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::desk::{Desk, DeskStatus};
use super::{DecisionIds, SettingsError, StrategySettings, StrategySpec};
use crate::account::AccountFrame;
use crate::control::{Command, Notice};
use crate::gate::GateState;
use crate::id::{FactSeq, StrategyId};
use crate::indicator::Layout;
use crate::instrument::Instrument;
use crate::market::{IndicatorFrame, Timeframe};
use crate::node::Node;
use crate::order::{CancelIntent, OrderIntent};
use crate::record::RefusalRecord;
use crate::symbol::Symbol;
use crate::time::Now;

/// What a strategy node takes.
#[derive(Debug, Clone, PartialEq)]
pub enum StrategyIn {
    /// A bar closed; frames of other contracts and timeframes are passed over.
    Frame(IndicatorFrame),
    /// The account, whole.
    Account(Arc<AccountFrame>),
    /// Risk refused a decision; those of others are passed over.
    Refused(RefusalRecord),
    /// The gate moved.
    Gate(GateState),
    /// The operator ordered something; what is not for a strategy is passed over.
    Command(Command),
    /// Filters of a contract, at start and whenever they change.
    Instrument(Arc<Instrument>),
}

/// What a strategy node gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StrategyOut {
    /// A wish to trade, for risk.
    Intent(OrderIntent),
    /// A wish to withdraw standing entry orders.
    Cancel(CancelIntent),
    /// Something a person should know, such as an entry that was skipped and why.
    Notice(Notice),
}

/// What a node must be told when it is built, at start as after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyStart {
    /// The gate as it stands.
    pub gate: GateState,
    /// Whether the operator has paused the instance.
    pub paused: bool,
    /// Its decision numbers.
    pub ids: DecisionIds,
}

/// What the API shows of a strategy instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyStatus {
    /// Name of the instance.
    pub id: StrategyId,
    /// Name of the strategy, such as `EmaRsiStrategy`.
    pub name: &'static str,
    /// Bars it decides on.
    pub timeframe: Timeframe,
    /// No new entries by order of the operator.
    pub paused: bool,
    /// Its contracts.
    pub desks: Vec<DeskStatus>,
}

/// What all desks of an instance share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: StrategySettings,
    pub(super) columns: Box<[usize]>,
    pub(super) account: Option<Arc<AccountFrame>>,
    pub(super) ids: DecisionIds,
    gate: GateState,
    paused: bool,
}

impl Shared {
    pub(super) fn entries_allowed(&self) -> bool {
        !self.paused && self.gate == GateState::Open
    }

    /// The last fact known of this strategy and `symbol`.
    pub(super) fn fact(&self, symbol: Symbol) -> FactSeq {
        self.account.as_ref().map_or_else(FactSeq::default, |account| account.fact(self.settings.id, symbol))
    }
}

/// See the module.
#[derive(Debug)]
pub struct StrategyNode {
    spec: StrategySpec,
    timeframe: Timeframe,
    shared: Shared,
    desks: BTreeMap<Symbol, Desk>,
}

impl StrategyNode {
    /// Builds the instance. `layout` is that of the frames it will be given.
    ///
    /// # Errors
    /// Every violation of the settings, and every indicator that the layout lacks.
    pub fn new(settings: StrategySettings, layout: &Layout, start: StrategyStart) -> Result<Self, Vec<SettingsError>> {
        let spec = settings.make()?.spec().clone();
        let mut columns = Vec::new();
        let mut missing = Vec::new();
        for indicator in &spec.indicators {
            match layout.first_column(indicator) {
                Some(first) => columns.extend(first..first + indicator.outputs().len()),
                None => missing.push(SettingsError::IndicatorNotComputed(*indicator)),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        let mut desks = BTreeMap::new();
        for &symbol in &settings.symbols {
            desks.insert(symbol, Desk::new(symbol, settings.make()?));
        }
        let timeframe = settings.timeframe.unwrap_or(spec.timeframe);
        let shared =
            Shared { settings, columns: columns.into_boxed_slice(), account: None, ids: start.ids, gate: start.gate, paused: start.paused };
        Ok(Self { spec, timeframe, shared, desks })
    }

    /// What the strategy needs: indicators for the layout, bars of history.
    #[must_use]
    pub const fn spec(&self) -> &StrategySpec {
        &self.spec
    }

    /// Bars it decides on.
    #[must_use]
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Name of the instance.
    #[must_use]
    pub const fn id(&self) -> StrategyId {
        self.shared.settings.id
    }

    /// What the API shows.
    #[must_use]
    pub fn status(&self) -> StrategyStatus {
        StrategyStatus {
            id: self.id(),
            name: self.spec.name,
            timeframe: self.timeframe,
            paused: self.shared.paused,
            desks: self.desks.values().map(Desk::status).collect(),
        }
    }

    fn drop_pending(&mut self) {
        self.desks.values_mut().for_each(Desk::drop_pending);
    }

    fn command(&mut self, command: &Command, now: Now, out: &mut Vec<StrategyOut>) {
        let for_us = |strategy: &Option<StrategyId>| strategy.is_none_or(|id| id == self.shared.settings.id);
        match command {
            Command::Pause { strategy } if for_us(strategy) => {
                self.shared.paused = true;
                self.drop_pending();
            }
            Command::Resume { strategy } if for_us(strategy) => self.shared.paused = false,
            Command::Flatten { symbol } => {
                for (own, desk) in &mut self.desks {
                    if symbol.is_none_or(|wanted| wanted == *own) {
                        desk.flatten(&mut self.shared, now, out);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Node for StrategyNode {
    type In = StrategyIn;
    type Out = StrategyOut;

    fn on(&mut self, input: &StrategyIn, now: Now, out: &mut Vec<StrategyOut>) {
        match input {
            StrategyIn::Frame(frame) => {
                if frame.bar.timeframe == self.timeframe
                    && let Some(desk) = self.desks.get_mut(&frame.bar.symbol)
                {
                    desk.on_frame(frame, &mut self.shared, now, out);
                }
            }
            StrategyIn::Account(account) => {
                // An account that is not known tells nothing: what was known before stays, and risk refuses meanwhile.
                if account.known {
                    self.shared.account = Some(Arc::clone(account));
                    for desk in self.desks.values_mut() {
                        desk.on_account(&mut self.shared, now, out);
                    }
                }
            }
            StrategyIn::Refused(refusal) => {
                if refusal.intent.strategy == self.id()
                    && let Some(desk) = self.desks.get_mut(&refusal.intent.symbol)
                {
                    desk.on_refused(refusal, &mut self.shared, now, out);
                }
            }
            StrategyIn::Gate(gate) => {
                self.shared.gate = *gate;
                if *gate != GateState::Open {
                    self.drop_pending();
                }
            }
            StrategyIn::Command(command) => self.command(command, now, out),
            StrategyIn::Instrument(instrument) => {
                if let Some(desk) = self.desks.get_mut(&instrument.symbol) {
                    desk.set_instrument(instrument);
                }
            }
        }
    }
}
