//! The exchange as the engine sees it: requests with a certain or an uncertain outcome, and streams of facts.
//!
//! One implementation serves the simulated exchange, the test network, paper and live trading. A lost answer is never a
//! failure: it is [`Outcome::Unknown`], and the order's id is queried before anything is sent again.

use fulmar_domain::account::{AccountEvent, AccountSnapshot, Income, SymbolSettings};
pub use fulmar_domain::execution::{OrderRef, OrderState, Outcome};
use fulmar_domain::id::{OrderId, TradeId};
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, FeedStatus, Mark, MarketEvent, Timeframe};
use fulmar_domain::order::{AlgoEvent, Fill, MarginMode, OrderEvent, VenueError, VenueOrder};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use std::future::Future;
use std::pin::Pin;

/// A future that may be polled on any thread.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// Why a question went unanswered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The exchange answered with an error that will not go away by asking again.
    #[error("the exchange refused: {0}")]
    Refused(VenueError),
    /// What was asked for does not exist there (−2013 and the like).
    #[error("not found at the exchange")]
    NotFound,
    /// Too many requests; ask again after the span.
    #[error("throttled for {0:?}")]
    Throttled(Span),
    /// Connection, timeout or server trouble; ask again.
    #[error("exchange not reachable: {0}")]
    Unreachable(String),
    /// The answer did not have the promised shape.
    #[error("unreadable answer to {what}: {why}")]
    Unreadable {
        /// Which request.
        what: String,
        /// What was wrong with it.
        why: String,
    },
}

/// Requests that change something at the exchange. Signed before they cross to another thread.
pub trait TradingVenue: Send + Sync {
    /// Sends one order. `sign_until`: nothing whose timestamp + receive window lies beyond this is signed (the lease's fence).
    fn place(&self, order: VenueOrder, sign_until: Option<Timestamp>) -> BoxFuture<Outcome<OrderState>>;
    /// Cancels one order. A `Refused` with −2011 means: not open any more.
    fn cancel(&self, order: OrderRef) -> BoxFuture<Outcome<OrderState>>;
    /// Sets the leverage of a contract.
    fn set_leverage(&self, symbol: Symbol, leverage: u16) -> BoxFuture<Outcome<u16>>;
    /// Sets the margin mode of a contract; "already so" (−4046) counts as done.
    fn set_margin_mode(&self, symbol: Symbol, mode: MarginMode) -> BoxFuture<Outcome<()>>;
    /// Sets one-way (`false`) or hedge (`true`) mode; "already so" (−4059) counts as done.
    fn set_hedge_mode(&self, hedge: bool) -> BoxFuture<Outcome<()>>;
    /// Dead man's switch of a symbol's regular orders; zero turns it off.
    fn countdown_cancel(&self, symbol: Symbol, after: Span) -> BoxFuture<Outcome<()>>;

    /// State of one order. Regular orders: by `origClientOrderId`; algo orders: by `clientAlgoId`.
    fn query(&self, order: OrderRef) -> BoxFuture<Result<OrderState, QueryError>>;
    /// All open orders, regular and algo.
    fn open_orders(&self) -> BoxFuture<Result<Vec<OrderState>, QueryError>>;
    /// State of the regular order that a triggered algo order created.
    fn query_child(&self, symbol: Symbol, order: OrderId) -> BoxFuture<Result<OrderEvent, QueryError>>;
    /// Fills of one contract from a fill number on (included), oldest first, at most 1,000. Without a number: those since `since`.
    fn fills(&self, symbol: Symbol, from: Option<TradeId>, since: Timestamp) -> BoxFuture<Result<Vec<Fill>, QueryError>>;
    /// Income records since an instant, oldest first, at most 1,000.
    fn incomes(&self, since: Timestamp) -> BoxFuture<Result<Vec<Income>, QueryError>>;
    /// Wallet, positions and settings, consistent in themselves.
    fn account(&self) -> BoxFuture<Result<AccountSnapshot, QueryError>>;
    /// The exchange's clock.
    fn server_time(&self) -> BoxFuture<Result<Timestamp, QueryError>>;
}

/// Questions about the market.
pub trait MarketReference: Send + Sync {
    /// Contracts with filters, statuses and funding intervals.
    fn instruments(&self) -> BoxFuture<Result<Vec<Instrument>, QueryError>>;
    /// Leverage brackets of all contracts (signed).
    fn brackets(&self) -> BoxFuture<Result<Vec<Brackets>, QueryError>>;
    /// Closed bars from `from` (open time, included) up to the newest closed one, at most `limit` (≤ 1,500), oldest first.
    fn bars(&self, symbol: Symbol, timeframe: Timeframe, from: Option<Timestamp>, limit: u16) -> BoxFuture<Result<Vec<Bar>, QueryError>>;
    /// Mark price and running funding of one contract.
    fn mark(&self, symbol: Symbol) -> BoxFuture<Result<Mark, QueryError>>;
}

/// What the streams bring, in the order in which it takes effect.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// A market fact. `received_ns`: monotonic nanoseconds at which its frame was read.
    Market {
        /// The fact.
        event: MarketEvent,
        /// When its frame was read.
        received_ns: u64,
    },
    /// A symbol's data state changed.
    Feed(FeedStatus),
    /// An order of the account changed.
    Order(OrderEvent),
    /// An algo order of the account changed.
    Algo(AlgoEvent),
    /// Wallet or positions changed.
    Account(AccountEvent),
    /// Leverage or margin mode was changed outside.
    Settings(SymbolSettings),
    /// The exchange warns that liquidation is near.
    MarginCall {
        /// Contracts concerned.
        symbols: Vec<Symbol>,
    },
    /// The user stream was interrupted and is back, or was found mute: orders, fills and positions must be reconciled.
    AccountGap {
        /// Why.
        reason: String,
    },
    /// Lock-step: everything up to `number` was delivered; market time is `at`. Answer through [`BarrierAck`].
    Barrier {
        /// Number of the step.
        number: u64,
        /// Market time.
        at: Timestamp,
        /// The market has ended.
        last: bool,
    },
}

/// Takes stream events on the thread that reads the sockets. Must not block.
pub type StreamSink = Box<dyn FnMut(StreamEvent)>;

/// Acknowledges a lock-step barrier once every link, the journal and the request queue are empty.
pub trait BarrierAck {
    /// Lets market time go on.
    fn acknowledge(&self, number: u64);
}

/// What to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPlan {
    /// Contracts.
    pub symbols: Vec<Symbol>,
    /// Bars wanted.
    pub timeframes: Vec<Timeframe>,
    /// Best bid and ask.
    pub book_tops: bool,
    /// Aggregate trades.
    pub trades: bool,
    /// The whole book, synchronised by the documented procedure.
    pub depth: bool,
    /// Day tickers.
    pub tickers: bool,
    /// Public liquidations.
    pub liquidations: bool,
    /// The account's own events.
    pub user: bool,
    /// The exchange sends barriers (only the simulated one does): frames are held back until the barrier has come on every
    /// socket, then handed on in a fixed order (private, public, market), so that results do not depend on the machine.
    pub lock_step: bool,
}
