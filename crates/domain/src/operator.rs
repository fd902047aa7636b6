//! Orders given by hand: a signal of the API becomes an intent like any strategy's, and meets the same risk gate.

use crate::account::AccountFrame;
use crate::control::{Command, Notice, Severity, Signal};
use crate::id::StrategyId;
use crate::instrument::Instrument;
use crate::market::Mark;
use crate::node::Node;
use crate::num::{Price, Qty, Rounding, qty_for};
use crate::order::{MarginMode, OrderIntent, OrderKind, PositionSide, Protection, Purpose, Target, TimeInForce, WorkingType};
use crate::symbol::Symbol;
use crate::time::Now;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the operator's desk takes.
#[derive(Debug, Clone, PartialEq)]
pub enum OperatorIn {
    /// A command; all but signals are for others.
    Command(Command),
    /// The complete account.
    Account(Arc<AccountFrame>),
    /// Mark price.
    Mark(Mark),
    /// Filters of a contract.
    Instrument(Arc<Instrument>),
}

/// What the operator's desk gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorOut {
    /// For risk.
    Intent(OrderIntent),
    /// For people.
    Notice(Notice),
}

/// Sizes and shapes the operator's signals. What it lacks (price, equity, filters) becomes zero and is refused by risk with the
/// code of what is missing.
#[derive(Debug, Clone, Default)]
pub struct OperatorNode {
    account: Option<Arc<AccountFrame>>,
    marks: BTreeMap<Symbol, Price>,
    instruments: BTreeMap<Symbol, Arc<Instrument>>,
    margin_mode: MarginMode,
}

impl OperatorNode {
    fn intent(&self, signal: &Signal, now: Now) -> OrderIntent {
        let strategy = signal.strategy.unwrap_or_else(StrategyId::operator);
        let reference = signal.price.or_else(|| self.marks.get(&signal.symbol).copied()).unwrap_or(Price::ZERO);
        let equity = self.account.as_ref().map(|a| a.equity).unwrap_or_default();
        let step = self.instruments.get(&signal.symbol).map(|i| i.step);
        let sized = equity.times(signal.size_percent, Rounding::Floor).and_then(|value| qty_for(value, reference, Rounding::Floor));
        let qty = match (sized, step) {
            (Ok(qty), Some(step)) => qty.round_to(step, Rounding::Floor).unwrap_or(Qty::ZERO),
            _ => Qty::ZERO,
        };
        let protection = signal.stop.map(|stop| Protection {
            stop,
            working: WorkingType::ContractPrice,
            targets: signal.take_profit.map(|price| Target { price, share: crate::num::Ratio::ONE }).into_iter().collect(),
            trailing: None,
        });
        let kind = signal.price.map_or(OrderKind::Market, |price| OrderKind::Limit { price, tif: TimeInForce::Gtc });
        OrderIntent {
            decision: signal.decision,
            strategy,
            symbol: signal.symbol,
            side: signal.side,
            position_side: PositionSide::Both,
            kind,
            qty,
            leverage: signal.leverage,
            margin_mode: self.margin_mode,
            purpose: Purpose::Entry { protection },
            reference,
            seen: self.account.as_ref().map(|a| a.fact(strategy, signal.symbol)).unwrap_or_default(),
            decided: now.market,
        }
    }
}

impl Node for OperatorNode {
    type In = OperatorIn;
    type Out = OperatorOut;

    fn on(&mut self, input: &OperatorIn, now: Now, out: &mut Vec<OperatorOut>) {
        match input {
            OperatorIn::Account(frame) => self.account = Some(Arc::clone(frame)),
            OperatorIn::Mark(mark) => {
                self.marks.insert(mark.symbol, mark.price);
            }
            OperatorIn::Instrument(instrument) => {
                self.instruments.insert(instrument.symbol, Arc::clone(instrument));
            }
            OperatorIn::Command(Command::Signal(signal)) => {
                let text = format!(
                    "{} {} by hand, leverage {}, size {}",
                    signal.side.as_str(),
                    signal.symbol,
                    signal.leverage,
                    signal.size_percent
                );
                out.push(OperatorOut::Notice(Notice::new(Severity::Info, "OPERATOR_SIGNAL", text).about(signal.symbol)));
                out.push(OperatorOut::Intent(self.intent(signal, now)));
            }
            OperatorIn::Command(_) => {}
        }
    }
}
