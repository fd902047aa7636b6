//! The store: a projection of the journal that can be queried. Nothing is decided on it.
//!
//! The projection is fed from the journal's tail, remembers how far it has come in the same transaction, and can be thrown
//! away and rebuilt at any time. A slow, locked or missing store delays or fails queries and nothing else.
//!
//! Lists are given newest first and paged by the journal's sequence number; [`Page::limit`] is bounded by [`LIMIT_MAX`].

use fulmar_domain::{
    control::Notice,
    id::{ClientOrderId, StrategyId},
    market::{Bar, Timeframe},
    num::{Price, Qty, Usdt},
    order::{Fill, OrderKind, OrderRole, OrderStatus, PositionSide, Side, VenueError},
    record::{LedgerEntry, RefusalRecord, RoundTrip},
    symbol::Symbol,
    time::Timestamp,
};
use serde::Serialize;

use crate::{BoxFuture, FaultKind};

/// The most rows that one query gives; a larger limit is cut to it.
pub const LIMIT_MAX: u32 = 5_000;

/// Which rows of a list are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Of this contract only.
    pub symbol: Option<Symbol>,
    /// Of this owner only.
    pub strategy: Option<StrategyId>,
    /// Older than this sequence number (the `seq` of the last row of the page before).
    pub before: Option<u64>,
    /// At most this many; cut to [`LIMIT_MAX`].
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { symbol: None, strategy: None, before: None, limit: 100 }
    }
}

/// Which orders are wanted, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OrderFilter {
    /// All.
    #[default]
    Any,
    /// Those that are not final.
    Open,
    /// Those in this state.
    Status(OrderStatus),
}

/// An order, with what is known of it at present.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderRow {
    /// Journal number of the record that first spoke of it.
    pub seq: u64,
    /// Client id; missing for foreign orders.
    pub client_id: Option<ClientOrderId>,
    /// Owner.
    pub strategy: StrategyId,
    /// The decision behind it, 0 where there is none.
    pub decision: u64,
    /// Contract.
    pub symbol: Symbol,
    /// Side.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// What it is for; missing for foreign orders.
    pub role: Option<OrderRole>,
    /// Kind with its prices; missing for foreign orders of an unknown type.
    pub kind: Option<OrderKind>,
    /// Ordered quantity; 0 for orders that close the position.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
    /// Average price of the fills known, missing before the first.
    pub average: Option<Price>,
    /// State.
    pub status: OrderStatus,
    /// The exchange's number of the regular order.
    pub order: Option<i64>,
    /// The exchange's number of the algo order.
    pub algo: Option<i64>,
    /// Why the exchange refused it.
    pub reject: Option<VenueError>,
    /// Market time of the first record.
    pub created: Timestamp,
    /// Market time of the newest record.
    pub updated: Timestamp,
}

/// A fill with its owner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FillRow {
    /// Journal number.
    pub seq: u64,
    /// Owner.
    pub strategy: StrategyId,
    /// Client id of the order; missing for foreign orders.
    pub client_id: Option<ClientOrderId>,
    /// The fill.
    #[serde(flatten)]
    pub fill: Fill,
}

/// A finished round trip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TradeRow {
    /// Journal number.
    pub seq: u64,
    /// The round trip.
    #[serde(flatten)]
    pub trip: RoundTrip,
}

/// A booking. `number` is the ledger's own count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LedgerRow {
    /// Journal number.
    pub journal_seq: u64,
    /// The booking.
    #[serde(flatten)]
    pub entry: LedgerEntry,
}

/// Equity at an instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EquityRow {
    /// Journal number.
    pub seq: u64,
    /// Market time.
    pub time: Timestamp,
    /// Wallet.
    pub wallet: Usdt,
    /// Equity.
    pub equity: Usdt,
    /// Equity at the last UTC midnight.
    pub day_start: Usdt,
    /// Highest equity so far.
    pub peak: Usdt,
}

/// A position as the exchange last reported it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionRow {
    /// Contract.
    pub symbol: Symbol,
    /// Which one.
    pub side: PositionSide,
    /// Signed quantity, never zero.
    pub qty: Qty,
    /// Average entry.
    pub entry: Price,
    /// Market time of the report.
    pub updated: Timestamp,
}

/// Something that happened to the engine: sessions, role and gate changes, commands, voided orders, differences, failures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRow {
    /// Journal number.
    pub seq: u64,
    /// Kind of the journal record, such as `gate_changed`.
    pub kind: String,
    /// Market time.
    pub time: Timestamp,
    /// Wall time.
    pub wall: Timestamp,
    /// The record's JSON text.
    pub body: String,
}

/// An intent that risk refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusalRow {
    /// Journal number.
    pub seq: u64,
    /// Market time.
    pub time: Timestamp,
    /// What was wanted and every rule that failed; the first is the verdict.
    #[serde(flatten)]
    pub refusal: RefusalRecord,
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoticeRow {
    /// Journal number.
    pub seq: u64,
    /// Wall time.
    pub time: Timestamp,
    /// The notice.
    #[serde(flatten)]
    pub notice: Notice,
}

/// A message at which an actor failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetterRow {
    /// Journal number.
    pub seq: u64,
    /// Wall time.
    pub time: Timestamp,
    /// Group and actor.
    pub actor: String,
    /// Type of the message, empty where none was at hand.
    pub message: String,
    /// Its number.
    pub message_id: u64,
    /// Text of the panic.
    pub text: String,
    /// File and line.
    pub place: String,
    /// Restarts of this actor until then.
    pub restarts: u64,
}

/// How far the projection has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StoreStatus {
    /// Every journal record up to this number is in the tables.
    pub projected_seq: u64,
    /// Records that could not be understood and were left out; each is named in the table `unreadable`.
    pub unreadable: u64,
}

/// Why a query failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store is not open (missing, locked, being rebuilt); it is tried again in the background.
    #[error("store is not available: {reason}; trading is not affected")]
    Unavailable {
        /// The cause.
        reason: String,
    },
    /// The query took longer than its limit.
    #[error("store query timed out after {limit_ms} ms")]
    Timeout {
        /// The limit.
        limit_ms: u64,
    },
    /// A stored value or a record does not have the promised form.
    #[error("store holds an unreadable value in {place}: {reason}; rebuild it with `fulmar store rebuild`")]
    Unreadable {
        /// Table and column.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Records were handed over that do not continue what is stored.
    #[error("store is at record {projected}, the batch begins at {first}: rebuild it with `fulmar store rebuild`")]
    Gap {
        /// The store's place.
        projected: u64,
        /// The first record offered.
        first: u64,
    },
    /// The journal could not be read.
    #[error("store cannot follow the journal: {0}")]
    Journal(#[from] crate::journal::JournalError),
}

impl StoreError {
    /// What the caller may do.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Unavailable { .. } | Self::Timeout { .. } => FaultKind::Retryable,
            Self::Journal(error) => error.kind(),
            Self::Unreadable { .. } | Self::Gap { .. } => FaultKind::Fatal,
        }
    }
}

/// What a query gives.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Questions to the projection. Each ends within the store's query limit; errors are [`StoreError`].
pub trait Store: Send + Sync {
    /// How far the projection has come.
    fn status(&self) -> Answer<'_, StoreStatus>;
    /// Orders, newest first.
    fn orders(&self, page: Page, filter: OrderFilter) -> Answer<'_, Vec<OrderRow>>;
    /// Fills, newest first.
    fn fills(&self, page: Page) -> Answer<'_, Vec<FillRow>>;
    /// Round trips, newest first.
    fn trades(&self, page: Page) -> Answer<'_, Vec<TradeRow>>;
    /// Ledger bookings, newest first.
    fn ledger(&self, page: Page) -> Answer<'_, Vec<LedgerRow>>;
    /// Positions as last reported by the exchange.
    fn positions(&self) -> Answer<'_, Vec<PositionRow>>;
    /// Equity from `from` to `to` (both included), oldest first, thinned evenly to about `points` (cut to [`LIMIT_MAX`]);
    /// the newest is always there.
    fn equity(&self, from: Option<Timestamp>, to: Option<Timestamp>, points: u32) -> Answer<'_, Vec<EquityRow>>;
    /// Events, newest first; of one kind where given. Symbol and strategy of the page are not looked at.
    fn events(&self, page: Page, kind: Option<String>) -> Answer<'_, Vec<EventRow>>;
    /// Refusals, newest first; with one code as verdict where given.
    fn refusals(&self, page: Page, code: Option<String>) -> Answer<'_, Vec<RefusalRow>>;
    /// Notices, newest first. The strategy of the page is not looked at.
    fn notifications(&self, page: Page) -> Answer<'_, Vec<NoticeRow>>;
    /// Messages at which actors failed, newest first. Symbol and strategy of the page are not looked at.
    fn dead_letters(&self, page: Page) -> Answer<'_, Vec<DeadLetterRow>>;
    /// The newest `limit` closed bars that begin before `before`, oldest first.
    fn bars(&self, symbol: Symbol, timeframe: Timeframe, before: Option<Timestamp>, limit: u32) -> Answer<'_, Vec<Bar>>;
}
