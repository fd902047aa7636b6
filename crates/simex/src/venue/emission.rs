//! What the exchange says unasked: user events of one account and public market events, typed.

use super::report::{AccountId, AlgoReport, ForceOrderReport, Kline, OrderReport};
use fulmar_domain::id::{ClientOrderId, OrderId, TradeId};
use fulmar_domain::market::{BookTop, DepthDelta, Mark, Timeframe};
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{MarginMode, PositionSide, Side};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;

/// One event, in the order in which it is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Emission {
    /// To the user streams of one account.
    User {
        /// Whose.
        account: AccountId,
        /// `E` and `T`.
        time: Timestamp,
        /// What.
        event: UserEvent,
    },
    /// To the subscribers of a public stream.
    Market {
        /// `E`.
        time: Timestamp,
        /// What.
        event: MarketEmission,
    },
}

/// A user-data event.
#[derive(Debug, Clone, PartialEq)]
pub enum UserEvent {
    /// `ORDER_TRADE_UPDATE`.
    Order(Box<OrderTradeUpdate>),
    /// `ACCOUNT_UPDATE`.
    Account(AccountUpdate),
    /// `ALGO_UPDATE`; the text is `rm`, why it was rejected or expired.
    Algo(Box<AlgoReport>, Option<&'static str>),
    /// `TRADE_LITE`.
    TradeLite(TradeLite),
    /// `MARGIN_CALL`.
    MarginCall(MarginCall),
    /// `ACCOUNT_CONFIG_UPDATE` with `ac`: leverage of a symbol.
    Leverage(Symbol, u16),
    /// `ACCOUNT_CONFIG_UPDATE` with `ai`: multi-assets mode.
    MultiAssets(bool),
}

/// `x` of `ORDER_TRADE_UPDATE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum ExecutionType {
    New,
    Trade,
    Canceled,
    Expired,
    Amendment,
    /// Fill of a liquidation or ADL order.
    Calculated,
}
impl ExecutionType {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Trade => "TRADE",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
            Self::Amendment => "AMENDMENT",
            Self::Calculated => "CALCULATED",
        }
    }
}

/// `ORDER_TRADE_UPDATE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderTradeUpdate {
    /// The order after the event (`ap` = average, `z` = filled, `X` = status).
    pub order: OrderReport,
    /// `x`.
    pub execution: ExecutionType,
    /// `l`, zero unless a fill.
    pub last_qty: Qty,
    /// `L`, zero unless a fill.
    pub last_price: Price,
    /// `n` in `N` = USDT, zero unless a fill.
    pub fee: Usdt,
    /// `t`, zero unless a fill.
    pub trade: TradeId,
    /// `m`.
    pub maker: bool,
    /// `rp`.
    pub realized: Usdt,
    /// `b`: value of the open buy orders of this symbol.
    pub bid_notional: Usdt,
    /// `a`: value of the open sell orders of this symbol.
    pub ask_notional: Usdt,
    /// `er`: why it expired, 0 otherwise (Binance, "Event: Order Update").
    pub expiry_reason: u8,
}

/// `a.m` of `ACCOUNT_UPDATE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum AccountReason {
    Order,
    FundingFee,
    Deposit,
    Withdraw,
    InsuranceClear,
    MarginTransfer,
    MarginTypeChange,
}
impl AccountReason {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "ORDER",
            Self::FundingFee => "FUNDING_FEE",
            Self::Deposit => "DEPOSIT",
            Self::Withdraw => "WITHDRAW",
            Self::InsuranceClear => "INSURANCE_CLEAR",
            Self::MarginTransfer => "MARGIN_TRANSFER",
            Self::MarginTypeChange => "MARGIN_TYPE_CHANGE",
        }
    }
}

/// `ACCOUNT_UPDATE`: only the items that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountUpdate {
    /// `m`.
    pub reason: AccountReason,
    /// `B`, empty or the one USDT entry.
    pub balance: Option<BalanceChange>,
    /// `P`.
    pub positions: Vec<PositionChange>,
}

/// One entry of `B` (asset USDT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceChange {
    /// `wb`.
    pub wallet: Usdt,
    /// `cw`.
    pub cross_wallet: Usdt,
    /// `bc`: change that is neither realised profit nor commission.
    pub change: Usdt,
}

/// One entry of `P`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionChange {
    /// `s`.
    pub symbol: Symbol,
    /// `ps`.
    pub side: PositionSide,
    /// `pa`, signed.
    pub qty: Qty,
    /// `ep`.
    pub entry: Price,
    /// `bep`.
    pub break_even: Price,
    /// `cr`: realised so far on this position entry, without fees.
    pub realized: Usdt,
    /// `up`.
    pub unrealized: Usdt,
    /// `mt`.
    pub margin_mode: MarginMode,
    /// `iw`.
    pub isolated_wallet: Usdt,
}

/// `TRADE_LITE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeLite {
    /// `s`.
    pub symbol: Symbol,
    /// `c`.
    pub client_id: ClientOrderId,
    /// `i`.
    pub order: OrderId,
    /// `S`.
    pub side: Side,
    /// `q`: ordered.
    pub qty: Qty,
    /// `p`: limit price, zero for market.
    pub price: Price,
    /// `L`.
    pub last_price: Price,
    /// `l`.
    pub last_qty: Qty,
    /// `t`.
    pub trade: TradeId,
    /// `m`.
    pub maker: bool,
}

/// `MARGIN_CALL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarginCall {
    /// `cw`: only sent for cross positions.
    pub cross_wallet: Option<Usdt>,
    /// `p`: position, mark price, maintenance margin.
    pub positions: Vec<(PositionChange, Price, Usdt)>,
}

/// A public event.
#[derive(Debug, Clone, PartialEq)]
pub enum MarketEmission {
    /// `trade` and `aggTrade`.
    Trade(PublicTrade),
    /// `bookTicker`.
    Top(BookTop),
    /// `depthUpdate` at the finest grain (one a step and one a request); slower streams merge them: first `U`, last `u`,
    /// newest quantity of each price, `pu` = `u` of the frame sent before on that stream.
    Depth(DepthDelta),
    /// `kline`, forming or closed.
    Kline(Kline),
    /// `markPriceUpdate`.
    Mark(Mark),
    /// `24hrTicker` and `24hrMiniTicker`.
    Ticker(TickerReport),
    /// `forceOrder`.
    ForceOrder(Box<ForceOrderReport>),
}

/// A public trade: of the source or of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicTrade {
    /// Contract.
    pub symbol: Symbol,
    /// Number, growing by one per symbol; also the number of the aggregate trade.
    pub id: i64,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// price · qty.
    pub quote: Usdt,
    /// Side of the taker (`m` = taker sold).
    pub taker: Side,
    /// `T`.
    pub time: Timestamp,
}

/// Rolling day statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickerReport {
    /// Contract.
    pub symbol: Symbol,
    /// Last price.
    pub last: Price,
    /// Last quantity.
    pub last_qty: Qty,
    /// Price 24 h ago.
    pub open: Price,
    /// Highest.
    pub high: Price,
    /// Lowest.
    pub low: Price,
    /// Quantity.
    pub volume: Qty,
    /// Value.
    pub quote_volume: Usdt,
    /// last − open.
    pub change: Price,
    /// change / open in percent, half to even.
    pub change_percent: Ratio,
    /// value / quantity, half to even.
    pub weighted_average: Price,
    /// Start of the window.
    pub opened: Timestamp,
    /// End of the window.
    pub closed: Timestamp,
    /// First trade number, −1 where unknown.
    pub first_trade: i64,
    /// Last trade number, −1 where unknown.
    pub last_trade: i64,
    /// Number of trades.
    pub trades: u64,
}

/// Which public events of one symbol have subscribers; those without are not even made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// trade, aggTrade.
    pub trades: bool,
    /// bookTicker.
    pub top: bool,
    /// Any depth stream.
    pub depth: bool,
    /// markPrice.
    pub mark: bool,
    /// ticker, miniTicker.
    pub ticker: bool,
    /// forceOrder.
    pub force_orders: bool,
    /// Bit n set: klines of `Timeframe::ALL[n]`.
    pub klines: u16,
}
impl Interest {
    /// Everything.
    pub const ALL: Self = Self { trades: true, top: true, depth: true, mark: true, ticker: true, force_orders: true, klines: u16::MAX };
    /// With klines of this timeframe.
    #[must_use]
    pub fn with_kline(mut self, timeframe: Timeframe) -> Self {
        self.klines |= 1 << timeframe as u16;
        self
    }
    /// Are klines of this timeframe wanted?
    #[must_use]
    pub const fn wants_kline(self, timeframe: Timeframe) -> bool {
        self.klines & (1 << timeframe as u16) != 0
    }
}
