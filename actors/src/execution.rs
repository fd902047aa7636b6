//! The execution actor: journals, sends, and takes back what the exchange says.
//!
//! Nothing waits in here: the journal calls back when a record is durable, requests run in the background, and every answer
//! comes back as a message to the same address.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fulmar_domain::breaker::BreakerIn;
use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::execution::{ExecIn, ExecOut, ExecutionNode, Outcome, Priority, SurveyAnswer, SurveyPlan, Tally};
use fulmar_domain::gate::{GateOwner, GateState};
use fulmar_domain::id::{ClientOrderId, TimerId};
use fulmar_domain::node::WakeAt;
use fulmar_domain::order::MarginMode;
use fulmar_domain::order::{OrderRole, OrderStatus};
use fulmar_domain::position::node::PositionIn;
use fulmar_domain::record::Record;
use fulmar_domain::risk::node::RiskIn;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Span, Timestamp};
use fulmar_ports::background::Background;
use fulmar_ports::exchange::{QueryError, TradingVenue};
use fulmar_ports::journal::{Durability, Priority as JournalPriority};
use fulmar_ports::outlook::{Happening, Outlook};
use parking_lot::Mutex;

use crate::facts::Facts;
use crate::gate_desk::GateDesk;
use crate::link::Link;
use crate::links::Links;
use crate::recent::Recent;
use crate::shell::Role;
use crate::supervision::failure::in_hand;
use crate::turnstile::Turnstile;

/// What the execution actor needs.
pub struct Execution {
    /// The gate and who hears of it.
    pub gate: GateDesk,
    /// Where facts go.
    pub links: Links,
    /// The journal and its fold.
    pub facts: Facts,
    /// What restarted actors are told.
    pub recent: Recent,
    /// The exchange.
    pub venue: Arc<dyn TradingVenue>,
    /// Where requests run.
    pub background: Arc<dyn Background>,
    /// Where answers come back in.
    pub turnstile: Turnstile,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
    /// After a failure: how long a request signed before it may still reach the exchange.
    pub fence: Span,
    /// After a start over an earlier journal: until when its last requests may still arrive.
    pub first_fence: Option<Timestamp>,
    /// What was approved, sent and voided, over all restarts.
    pub tally: Arc<Mutex<Tally>>,
    /// The next snapshot is adopted rather than compared.
    pub recovering: bool,
    /// Handed to the wire, and its fate not told yet. Kept outside the node: after a failure it tells what may be at the exchange.
    pub sent: BTreeSet<ClientOrderId>,
    /// The actor ran before in this process.
    pub ran: bool,
}

impl Execution {
    fn count(&self, record: &Record) {
        match record {
            Record::OrderPlanned(order) if !matches!(order.role, OrderRole::Entry { .. }) => self.tally.lock().protective += 1,
            Record::OrderVoided { .. } => self.tally.lock().voided += 1,
            _ => {}
        }
    }

    fn journal(&self, record: Record, durable: Option<ClientOrderId>, priority: Priority, now: Now) {
        self.count(&record);
        let priority = match priority {
            Priority::Normal => JournalPriority::Normal,
            Priority::Protective => JournalPriority::Protective,
        };
        let Some(client_id) = durable else {
            self.facts.record(record, now, Durability::Lazy, priority, None);
            return;
        };
        let (ticket, gate) = (self.turnstile.ticket(), self.gate.gate.clone());
        let done = Box::new(move |written: Result<u64, fulmar_ports::journal::JournalError>| {
            ticket.deliver(match written {
                Ok(_) => ExecIn::Durable { client_id, gate: gate.read() },
                Err(error) => ExecIn::NotDurable { client_id, cause: error.to_string() },
            });
        });
        self.facts.record(record, now, Durability::Synced, priority, Some(done));
    }

    /// Runs a request in the background; its answer comes back as a message.
    fn request<T: Send + 'static>(
        &self,
        answer: std::pin::Pin<Box<dyn Future<Output = T> + Send>>,
        message: impl FnOnce(T) -> ExecIn + Send + 'static,
    ) {
        let (ticket, breaker) = (self.turnstile.ticket(), self.links.breaker.clone());
        self.background.spawn(Box::pin(async move {
            let input = message(answer.await);
            if let Some(failed) = call_failed(&input) {
                breaker.push(BreakerIn::Errors { failed });
            }
            ticket.deliver(input);
        }));
    }

    fn configure(&self, symbol: Symbol, leverage: u16, margin_mode: MarginMode) {
        let venue = Arc::clone(&self.venue);
        let answer = Box::pin(async move {
            match venue.set_margin_mode(symbol, margin_mode).await {
                Outcome::Done(()) => {}
                Outcome::Refused(error) => return Outcome::Refused(error),
                Outcome::NotExecuted { error, retry_after } => return Outcome::NotExecuted { error, retry_after },
                Outcome::Unknown { error, fence } => return Outcome::Unknown { error, fence },
            }
            match venue.set_leverage(symbol, leverage).await {
                Outcome::Done(set) => Outcome::Done((set, margin_mode)),
                Outcome::Refused(error) => Outcome::Refused(error),
                Outcome::NotExecuted { error, retry_after } => Outcome::NotExecuted { error, retry_after },
                Outcome::Unknown { error, fence } => Outcome::Unknown { error, fence },
            }
        });
        self.request(answer, move |outcome| ExecIn::Configured { symbol, outcome });
    }
}

/// Whether an answer tells of trouble with the exchange; `None` for messages that are no answer of it.
fn call_failed(input: &ExecIn) -> Option<bool> {
    match input {
        ExecIn::Placed { outcome, .. } | ExecIn::Cancelled { outcome, .. } => {
            Some(matches!(outcome, Outcome::Unknown { .. } | Outcome::NotExecuted { .. }))
        }
        ExecIn::Configured { outcome, .. } => Some(matches!(outcome, Outcome::Unknown { .. } | Outcome::NotExecuted { .. })),
        ExecIn::Queried { answer, .. } => Some(answer.is_err()),
        ExecIn::Surveyed(answer) => Some(answer.is_err()),
        _ => None,
    }
}

/// Asks everything that a survey needs, in the order that it promises.
async fn survey(venue: Arc<dyn TradingVenue>, plan: SurveyPlan) -> Result<Box<SurveyAnswer>, String> {
    let text = |error: QueryError| error.to_string();
    let mut orders = Vec::with_capacity(plan.orders.len());
    for order in &plan.orders {
        match venue.query(*order).await {
            Ok(state) => orders.push((order.client_id, Some(state))),
            Err(QueryError::NotFound) => orders.push((order.client_id, None)),
            Err(error) => return Err(text(error)),
        }
    }
    let open = venue.open_orders().await.map_err(text)?;
    let mut fills = Vec::new();
    for (symbol, from) in &plan.fills {
        let mut from = *from;
        loop {
            let page = venue.fills(*symbol, from, plan.since).await.map_err(text)?;
            let next = page.last().map(|f| fulmar_domain::id::TradeId(f.trade.0.saturating_add(1)));
            let full = page.len() >= FILLS_PAGE;
            fills.extend(page);
            if !full {
                break;
            }
            from = next;
        }
    }
    let incomes = venue.incomes(plan.since).await.map_err(text)?;
    let account = venue.account().await.map_err(text)?;
    Ok(Box::new(SurveyAnswer { number: plan.number, orders, open, fills, incomes, account }))
}

/// Fills that the exchange gives at once.
const FILLS_PAGE: usize = 1_000;

impl Role for Execution {
    type Node = ExecutionNode;

    const NAME: &'static str = "execution";

    fn rebuild(&mut self, _now: Now) -> ExecutionNode {
        self.facts.fold().execution
    }

    fn begin(&mut self, node: &mut ExecutionNode, now: Now, out: &mut Vec<ExecOut>) {
        use fulmar_domain::node::Node;
        for instrument in self.recent.instruments() {
            node.on(&ExecIn::Instrument(instrument), now, out);
        }
        self.recovering = true;
        self.gate.hold(GateOwner::Recovery, GateState::Halted, "orders and positions are compared with the exchange");
        let fence = self.first_fence.take().unwrap_or_else(|| now.protocol.plus(self.fence));
        if std::mem::replace(&mut self.ran, true) {
            node.void_unsent(&self.sent, now, out);
        }
        node.recover(fence, now, out);
    }

    fn before(&mut self, input: &mut ExecIn, _now: Now) {
        match input {
            ExecIn::Approved { gate, .. } => {
                *gate = self.gate.gate.read();
                self.tally.lock().approved += 1;
            }
            ExecIn::Durable { gate, .. } => *gate = self.gate.gate.read(),
            ExecIn::Reconcile { .. } => self.recovering = true,
            _ => {}
        }
    }

    fn route(&mut self, _node: &ExecutionNode, out: ExecOut, now: Now) -> Option<WakeAt> {
        match out {
            ExecOut::Journal { record, durable, priority } => self.journal(record, durable, priority, now),
            ExecOut::Place { order, sign_until } => {
                let client_id = order.client_id;
                self.sent.insert(client_id);
                self.tally.lock().sent += 1;
                if let Some(frame) = in_hand().map(|h| h.received_ns).filter(|ns| *ns != 0) {
                    let took = self.gate.clock.monotonic_ns().saturating_sub(frame);
                    metrics::histogram!("fulmar_tick_to_order_seconds").record(Duration::from_nanos(took));
                }
                self.request(self.venue.place(order, sign_until), move |outcome| ExecIn::Placed { client_id, outcome });
            }
            ExecOut::Cancel(order) => {
                self.request(self.venue.cancel(order), move |outcome| ExecIn::Cancelled { client_id: order.client_id, outcome });
            }
            ExecOut::Query(order) => self.request(self.venue.query(order), move |answer| ExecIn::Queried {
                client_id: order.client_id,
                answer: match answer {
                    Ok(state) => Ok(Some(state)),
                    Err(QueryError::NotFound) => Ok(None),
                    Err(error) => Err(error.to_string()),
                },
            }),
            ExecOut::Configure { symbol, leverage, margin_mode } => self.configure(symbol, leverage, margin_mode),
            ExecOut::Survey(plan) => self.request(Box::pin(survey(Arc::clone(&self.venue), plan)), ExecIn::Surveyed),
            ExecOut::Update(update) => {
                if let Some(client_id) = update.client_id.filter(|_| update.status != OrderStatus::Pending) {
                    self.sent.remove(&client_id);
                }
                self.outlook.show(Happening::Order(update.clone()), now);
                self.links.position.push(PositionIn::Update(update));
            }
            ExecOut::Account(event) => self.links.position.push(PositionIn::Account(event)),
            ExecOut::Snapshot { account, incomes } => {
                for income in incomes {
                    self.links.position.push(PositionIn::Income(income));
                }
                for settings in &account.settings {
                    self.links.position.push(PositionIn::Settings(*settings));
                }
                self.links.position.push(if self.recovering { PositionIn::Snapshot(account) } else { PositionIn::Polled(account) });
            }
            ExecOut::Frozen { symbol, frozen } => self.links.risk.push(RiskIn::Frozen { symbol, frozen }),
            ExecOut::Reconciled => {
                self.recovering = false;
                self.gate.hold(GateOwner::Recovery, GateState::Open, "orders and positions agree with the exchange");
                self.gate.hold(GateOwner::Supervisor, GateState::Open, "orders and positions agree with the exchange");
                self.outlook.show(Happening::Reconciled, now);
            }
            ExecOut::Notice(notice) => self.links.notify(notice),
            ExecOut::Wake(wake) => return Some(wake),
        }
        None
    }

    fn wake(timer: TimerId) -> Option<ExecIn> {
        Some(ExecIn::Wake(timer))
    }
}

/// Tells execution that the user stream was interrupted.
pub fn account_gap(execution: &Link<ExecIn>, links: &Links, reason: &str) {
    links.notify(Notice::new(
        Severity::Warning,
        "ACCOUNT_GAP",
        format!("the account stream was interrupted ({reason}); comparing with the exchange"),
    ));
    execution.push(ExecIn::Reconcile { cause: "the account stream was interrupted" });
}
