//! The exchange itself: accounts by API key, books, orders, positions, funding, liquidation, and its own ledger.
//!
//! [`Exchange`] is one single-threaded value without I/O, clock or randomness: time comes in with [`Exchange::advance`],
//! requests come in as typed values, facts go out as [`Emission`]s. A request that arrives at market time t is answered at
//! once and matched against the first market event after t. Invariant: wallet = start balance + Σ income, to the last of
//! eight decimals, and every figure an answer shows is read from this state.

mod account;
mod admin;
mod algo;
mod checks;
mod config;
mod emission;
mod error;
mod exchange;
mod fills;
mod flow;
mod klines;
mod log;
mod margin;
mod orders;
mod query;
mod report;
mod request;
mod settle;
mod symbol;

pub use config::{BookConfig, ExchangeConfig, FillConfig, LimitFill};
pub use emission::{
    AccountReason, AccountUpdate, BalanceChange, Emission, ExecutionType, Interest, MarginCall, MarketEmission, OrderTradeUpdate,
    PositionChange, PublicTrade, TickerReport, TradeLite, UserEvent,
};
pub use error::ApiError;
pub use exchange::Exchange;
pub use log::{ExchangeLog, FillRecord, LiquidationRecord, LogBody, LogRecord};
pub use report::{
    AccountId, AccountSummary, AlgoReport, AlgoStatus, BalanceReport, BookReport, ForceOrderReport, FundingReport, IncomeKind,
    IncomeReport, Kline, KlineSource, OrderReport, OrderType, PositionReport, PremiumReport, Stp, SymbolConfigReport, Tif, TradeReport,
    VenueStatus,
};
pub use request::{
    AlgoRef, ModifyOrder, NewAlgoOrder, NewOrder, OrderFilter, OrderRef, PageQuery, PositionMarginChange, PriceMatch, SymbolFault,
};
