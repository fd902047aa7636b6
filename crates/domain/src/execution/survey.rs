//! A survey: everything that must be asked to know the account's truth, as one question and one answer.

use super::bracket::Desk;
use super::life::LiveOrder;
use super::messages::{ExecOut, Priority};
use super::node::{ExecutionNode, TimerFor};
use super::orders::{OrderRef, OrderState};
use crate::account::{AccountSnapshot, Income};
use crate::control::{Notice, Severity};
use crate::id::{ClientOrderId, TradeId};
use crate::node::ClockKind;
use crate::num::Qty;
use crate::order::Fill;
use crate::record::Record;
use crate::symbol::Symbol;
use crate::time::{Now, Span, Timestamp};
use std::collections::BTreeSet;

/// How far a later survey reaches back before the one before it, for income records that the exchange books late.
pub(super) const SURVEY_OVERLAP: Span = Span::hours(1);

/// What to ask the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyPlan {
    /// Number of the survey; an answer to an older one is ignored.
    pub number: u64,
    /// Orders whose state must be known.
    pub orders: Vec<OrderRef>,
    /// Contracts whose fills are wanted, from this fill number on (included).
    pub fills: Vec<(Symbol, Option<TradeId>)>,
    /// Fills without a number, and income records, from here on (exchange time).
    pub since: Timestamp,
}

/// What the exchange said. Asked in this order: orders, open orders, fills, incomes, account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyAnswer {
    /// Number of the plan.
    pub number: u64,
    /// Each asked order; `None` when the exchange does not know it.
    pub orders: Vec<(ClientOrderId, Option<OrderState>)>,
    /// All open orders of the account, regular and algo, foreign ones included.
    pub open: Vec<OrderState>,
    /// Fills, oldest first per contract.
    pub fills: Vec<Fill>,
    /// Income records, oldest first.
    pub incomes: Vec<Income>,
    /// Wallet and positions.
    pub account: AccountSnapshot,
}

impl ExecutionNode {
    /// Asks the exchange for everything, unless a survey runs already; then once more afterwards.
    pub(super) fn reconcile(&mut self, _now: Now, out: &mut Vec<ExecOut>) {
        if self.surveying {
            self.survey_again = true;
            return;
        }
        self.surveying = true;
        self.survey += 1;
        let orders = self.orders.values().filter(|o| !o.is_final() && (o.sent || o.doubt.is_some())).map(LiveOrder::reference).collect();
        let next = |symbol: &Symbol| self.counted.get(symbol).and_then(|c| c.last()).map(|t| TradeId(t.0.saturating_add(1)));
        let fills = self.traded.iter().map(|symbol| (*symbol, next(symbol))).collect();
        out.push(ExecOut::Survey(SurveyPlan { number: self.survey, orders, fills, since: self.since }));
    }

    pub(super) fn surveyed(&mut self, answer: &Result<Box<SurveyAnswer>, String>, now: Now, out: &mut Vec<ExecOut>) {
        match answer {
            Ok(answer) if answer.number != self.survey => {}
            Ok(answer) => {
                self.surveying = false;
                self.adopt(answer, now, out);
                if std::mem::take(&mut self.survey_again) {
                    self.reconcile(now, out);
                }
            }
            Err(text) => {
                self.surveying = false;
                let text = format!("the exchange could not be asked for orders and positions: {text}; trying again");
                out.push(ExecOut::Notice(Notice::new(Severity::Warning, "SURVEY_FAILED", text)));
                self.wake(ClockKind::Protocol, now.protocol.plus(self.rules.retry), TimerFor::Survey, out);
            }
        }
    }

    /// Takes over the exchange's truth: order states, missed fills, positions. Each difference is journalled.
    fn adopt(&mut self, answer: &SurveyAnswer, now: Now, out: &mut Vec<ExecOut>) {
        for (client_id, state) in &answer.orders {
            if let Some(state) = state {
                self.seen(*client_id, state, now, out);
            }
        }
        for state in &answer.open {
            self.adopt_open(state, now, out);
        }
        for fill in &answer.fills {
            self.adopt_fill(*fill, now, out);
        }
        // An order that was known to stand and is not known any more has ended; its fills, if any, are in by now.
        for (client_id, state) in &answer.orders {
            if state.is_none() && self.orders.get(client_id).is_some_and(|o| !o.is_final() && o.doubt.is_none() && o.is_live()) {
                self.vanished(*client_id, now, out);
            }
        }
        let differences = self.net_differences(&answer.account);
        if !differences.is_empty() && self.unsettled != differences {
            // A fill may lie between two of the questions: believe a difference only when it shows twice.
            self.unsettled = differences;
            self.survey_again = true;
            return;
        }
        for (desk, ours, theirs) in std::mem::take(&mut self.unsettled) {
            let text = format!(
                "{} {}: fills known say {ours}, the exchange says {theirs}; the exchange's figure is adopted",
                desk.0,
                desk.1.as_str()
            );
            self.difference(text, out);
            if theirs.is_zero() {
                self.net.remove(&desk)
            } else {
                self.net.insert(desk, theirs)
            };
        }
        self.since = answer.account.time.minus(SURVEY_OVERLAP).max(self.since);
        for settings in &answer.account.settings {
            self.configured.insert(settings.symbol, (settings.leverage, settings.margin_mode));
        }
        out.push(ExecOut::Snapshot { account: answer.account.clone(), incomes: answer.incomes.clone() });
        let desks: BTreeSet<Desk> = self.net.keys().chain(self.brackets.keys()).copied().chain(self.protected_desks()).collect();
        for desk in desks {
            self.keep(desk, now, out);
        }
        out.push(ExecOut::Reconciled);
    }

    fn protected_desks(&self) -> Vec<Desk> {
        let open = self.orders.values().filter(|o| !o.is_final());
        open.map(|o| (o.order.symbol, o.order.position_side)).collect()
    }

    fn adopt_open(&mut self, state: &OrderState, now: Now, out: &mut Vec<ExecOut>) {
        let (symbol, client_id, algo) = match state {
            OrderState::Regular(event) => (event.symbol, event.client_id, false),
            OrderState::Algo(event) => (event.symbol, event.client_id, true),
        };
        let Some(client_id) = client_id else { return };
        if self.orders.contains_key(&client_id) {
            self.seen(client_id, state, now, out);
        } else if client_id.parse_own(&self.rules.instance).is_some() {
            self.difference(format!("{symbol}: order {client_id} stands at the exchange and is not in the journal; cancelling it"), out);
            self.send_cancel(OrderRef { symbol, client_id, algo }, out);
        }
    }

    fn adopt_fill(&mut self, fill: Fill, now: Now, out: &mut Vec<ExecOut>) {
        if !self.count(&fill) {
            return;
        }
        let text = format!(
            "{}: fill {} of order {} ({} {} at {}) was missed and is booked now",
            fill.symbol,
            fill.trade,
            fill.order,
            fill.side.as_str(),
            fill.qty,
            fill.price
        );
        self.difference(text, out);
        let owner = self.by_order.get(&fill.order).copied().filter(|id| self.orders.contains_key(id));
        match owner {
            Some(client_id) => self.late_fill(client_id, fill, now, out),
            None => self.foreign_fill(fill, now, out),
        }
    }

    fn net_differences(&self, account: &AccountSnapshot) -> Vec<(Desk, Qty, Qty)> {
        let theirs = |desk: &Desk| account.positions.iter().find(|p| (p.symbol, p.side) == *desk).map_or(Qty::ZERO, |p| p.qty);
        let desks: BTreeSet<Desk> = self.net.keys().copied().chain(account.positions.iter().map(|p| (p.symbol, p.side))).collect();
        let ours = |desk: &Desk| self.net.get(desk).copied().unwrap_or_default();
        desks.into_iter().filter(|desk| ours(desk) != theirs(desk)).map(|desk| (desk, ours(&desk), theirs(&desk))).collect()
    }

    fn difference(&self, text: String, out: &mut Vec<ExecOut>) {
        out.push(ExecOut::Journal { record: Record::DifferenceFound { text }, durable: None, priority: Priority::Protective });
    }
}
