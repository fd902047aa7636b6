//! What execution takes and gives, its settings and its counts.

use super::orders::{OrderRef, OrderState};
use super::survey::{SurveyAnswer, SurveyPlan};
use crate::account::{AccountEvent, AccountSnapshot, Income};
use crate::control::Notice;
use crate::gate::{GateWord, Role};
use crate::id::{ClientOrderId, TimerId};
use crate::instrument::Instrument;
use crate::node::WakeAt;
use crate::order::{AlgoEvent, MarginMode, OrderEvent, OrderUpdate, VenueError, VenueOrder};
use crate::record::Record;
use crate::risk::{ApprovedOrder, ApprovedProtection};
use crate::symbol::Symbol;
use crate::time::{Span, Timestamp};
use std::sync::Arc;

/// What became of a request that changes something at the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Executed; the exchange's answer.
    Done(T),
    /// Certainly refused; nothing was executed.
    Refused(VenueError),
    /// Certainly not executed, and the same may be tried again (not sent, throttled, "Service Unavailable", clock rejected).
    NotExecuted {
        /// Why.
        error: VenueError,
        /// Not before this span has passed.
        retry_after: Span,
    },
    /// Nobody knows. The order may reach the exchange until `fence` (protocol clock: timestamp + recvWindow + margin).
    Unknown {
        /// Why.
        error: VenueError,
        /// From when on "not found" can be believed.
        fence: Timestamp,
    },
}

/// Whether a journal record may use the space kept back for protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Refused when the disk is full.
    Normal,
    /// Exits, stops and facts: may use the reserve.
    Protective,
}

/// What execution takes.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecIn {
    /// Risk approved an order; the gate as read just now.
    Approved {
        /// The order.
        order: ApprovedOrder,
        /// The gate at this instant.
        gate: GateWord,
    },
    /// Risk passed something that only reduces.
    Protect(ApprovedProtection),
    /// The record of this planned order is on disk; the gate as read just now.
    Durable {
        /// Which order.
        client_id: ClientOrderId,
        /// The gate at this instant.
        gate: GateWord,
    },
    /// The record of this planned order could not be written; nothing was sent.
    NotDurable {
        /// Which order.
        client_id: ClientOrderId,
        /// Why.
        cause: String,
    },
    /// Leverage and margin mode were set, or not.
    Configured {
        /// Contract.
        symbol: Symbol,
        /// The answer.
        outcome: Outcome<(u16, MarginMode)>,
    },
    /// Answer to placing an order.
    Placed {
        /// Which order.
        client_id: ClientOrderId,
        /// The answer.
        outcome: Outcome<OrderState>,
    },
    /// Answer to cancelling an order.
    Cancelled {
        /// Which order.
        client_id: ClientOrderId,
        /// The answer.
        outcome: Outcome<OrderState>,
    },
    /// Answer to a question about one order: its state, `None` when the exchange does not know it, an error text when nobody answered.
    Queried {
        /// Which order.
        client_id: ClientOrderId,
        /// The answer.
        answer: Result<Option<OrderState>, String>,
    },
    /// The user stream reports on a regular order.
    Order(OrderEvent),
    /// The user stream reports on an algo order.
    Algo(AlgoEvent),
    /// The user stream reports on wallet or positions; passed on in order.
    Account(AccountEvent),
    /// The role of this process changed.
    Role(Role),
    /// A contract's filters.
    Instrument(Arc<Instrument>),
    /// Compare with the exchange: at start, after a restart, after a gap of the user stream, and as a poll.
    Reconcile {
        /// Why, for the log.
        cause: &'static str,
    },
    /// Compare with the exchange, for no reason but that it is time to.
    Poll,
    /// Answer to a survey, or why there is none.
    Surveyed(Result<Box<SurveyAnswer>, String>),
    /// A wake-up.
    Wake(TimerId),
}

/// What execution gives.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecOut {
    /// Append to the journal. Where `durable` names an order, answer [`ExecIn::Durable`] once it is on disk.
    Journal {
        /// The record.
        record: Record,
        /// Whose durability is awaited.
        durable: Option<ClientOrderId>,
        /// May it use the reserve?
        priority: Priority,
    },
    /// Send this order; nothing may be signed that is valid beyond the instant.
    Place {
        /// The order.
        order: VenueOrder,
        /// The lease's fence, none without a lease.
        sign_until: Option<Timestamp>,
    },
    /// Cancel this order.
    Cancel(OrderRef),
    /// Ask for the state of this order.
    Query(OrderRef),
    /// Set leverage and margin mode.
    Configure {
        /// Contract.
        symbol: Symbol,
        /// Leverage wanted.
        leverage: u16,
        /// Margin mode wanted.
        margin_mode: MarginMode,
    },
    /// Ask for everything.
    Survey(SurveyPlan),
    /// A fact about an order: to the journal and to position.
    Update(OrderUpdate),
    /// An account event, in order with the facts: to the journal and to position.
    Account(AccountEvent),
    /// The exchange's truth after a survey: to position, which adopts it.
    Snapshot {
        /// Wallet and positions.
        account: AccountSnapshot,
        /// Income records.
        incomes: Vec<Income>,
    },
    /// A symbol holds an order of unknown fate: no new risk there.
    Frozen {
        /// Contract.
        symbol: Symbol,
        /// Frozen or free again.
        frozen: bool,
    },
    /// Journal and exchange agree; trading may go on.
    Reconciled,
    /// For people.
    Notice(Notice),
    /// A wish to be woken.
    Wake(WakeAt),
}

/// Settings of execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRules {
    /// First part of every client order id: 1 to 8 ASCII letters or digits.
    pub instance: String,
    /// A position without an accepted stop after this span is closed (protocol clock).
    pub stop_deadline: Span,
    /// Time between two questions about an order of unknown fate.
    pub doubt_interval: Span,
    /// How often in a row "not found" must be heard after the fence.
    pub doubt_answers: u8,
    /// How long fills that the exchange counts may be missing before they are asked for.
    pub fills_late: Span,
    /// Time between two tries of something protective that failed.
    pub retry: Span,
}
impl Default for ExecutionRules {
    fn default() -> Self {
        Self {
            instance: "fulmar".to_owned(),
            stop_deadline: Span::secs(1),
            doubt_interval: Span::secs(1),
            doubt_answers: 3,
            fills_late: Span::secs(2),
            retry: Span::secs(1),
        }
    }
}

/// Counts whose balance is an invariant: approved + protective = sent + voided, once nothing is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Entries approved by risk.
    pub approved: u64,
    /// Exits, stops, targets, flattens.
    pub protective: u64,
    /// Handed to the wire.
    pub sent: u64,
    /// Dropped before they left.
    pub voided: u64,
}
