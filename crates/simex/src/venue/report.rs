//! What the exchange knows, as answers and events show it. The protocol layer only turns these into JSON.

use fulmar_domain::id::{AlgoId, ClientOrderId, OrderId, TradeId, TranId};
use fulmar_domain::market::{Bar, Level};
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{MarginMode, PositionSide, Side, WorkingType};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;

/// Number of an account within one exchange, in order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// Order types as the exchange names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum OrderType {
    Limit,
    Market,
    Stop,
    StopMarket,
    TakeProfit,
    TakeProfitMarket,
    TrailingStopMarket,
}
impl OrderType {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::Market => "MARKET",
            Self::Stop => "STOP",
            Self::StopMarket => "STOP_MARKET",
            Self::TakeProfit => "TAKE_PROFIT",
            Self::TakeProfitMarket => "TAKE_PROFIT_MARKET",
            Self::TrailingStopMarket => "TRAILING_STOP_MARKET",
        }
    }
    /// Reads the exchange's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Limit, Self::Market, Self::Stop, Self::StopMarket, Self::TakeProfit, Self::TakeProfitMarket, Self::TrailingStopMarket]
            .into_iter()
            .find(|t| t.as_str() == text)
    }
    /// Only through the algo endpoints?
    #[must_use]
    pub const fn is_conditional(self) -> bool {
        !matches!(self, Self::Limit | Self::Market)
    }
}

/// Time in force, without its end (see `good_till`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum Tif {
    Gtc,
    Ioc,
    Fok,
    Gtx,
    Gtd,
}
impl Tif {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
            Self::Gtx => "GTX",
            Self::Gtd => "GTD",
        }
    }
    /// Reads the exchange's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Gtc, Self::Ioc, Self::Fok, Self::Gtx, Self::Gtd].into_iter().find(|t| t.as_str() == text)
    }
}

/// Self-trade prevention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum Stp {
    None,
    ExpireTaker,
    #[default]
    ExpireMaker,
    ExpireBoth,
}
impl Stp {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::ExpireTaker => "EXPIRE_TAKER",
            Self::ExpireMaker => "EXPIRE_MAKER",
            Self::ExpireBoth => "EXPIRE_BOTH",
        }
    }
    /// Reads the exchange's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::ExpireTaker, Self::ExpireMaker, Self::ExpireBoth].into_iter().find(|t| t.as_str() == text)
    }
}

/// Status of a regular order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum VenueStatus {
    New,
    PartiallyFilled,
    Filled,
    Canceled,
    Expired,
    ExpiredInMatch,
}
impl VenueStatus {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
            Self::ExpiredInMatch => "EXPIRED_IN_MATCH",
        }
    }
    /// Still in the book or waiting to be matched?
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

/// Status of a conditional order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum AlgoStatus {
    New,
    Triggering,
    Triggered,
    Finished,
    Canceled,
    Rejected,
    Expired,
}
impl AlgoStatus {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Triggering => "TRIGGERING",
            Self::Triggered => "TRIGGERED",
            Self::Finished => "FINISHED",
            Self::Canceled => "CANCELED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
        }
    }
    /// Waiting for its trigger?
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New)
    }
}

/// A regular order as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderReport {
    /// Number, unique over the exchange.
    pub order: OrderId,
    /// Client id; the exchange makes one where the client gave none.
    pub client_id: ClientOrderId,
    /// Contract.
    pub symbol: Symbol,
    /// Side.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// `LIMIT` or `MARKET`.
    pub order_type: OrderType,
    /// `origType`: of the algo order behind it, where there is one.
    pub orig_type: OrderType,
    /// Time in force.
    pub tif: Tif,
    /// `goodTillDate`, zero unless GTD.
    pub good_till: Timestamp,
    /// Limit price, zero for market orders.
    pub price: Price,
    /// Trigger price of the algo order behind it, else zero.
    pub stop_price: Price,
    /// Ordered quantity.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
    /// Value filled so far (`cumQuote`).
    pub quote: Usdt,
    /// Average fill price, zero before the first fill; rounded half to even at 8 decimals.
    pub average: Price,
    /// Status.
    pub status: VenueStatus,
    /// May only reduce.
    pub reduce_only: bool,
    /// Closes whatever stands.
    pub close_position: bool,
    /// `workingType` of the algo order behind it, else contract.
    pub working: WorkingType,
    /// `priceProtect`.
    pub price_protect: bool,
    /// `priceMatch` as given.
    pub price_match: Option<super::PriceMatch>,
    /// Self-trade prevention.
    pub stp: Stp,
    /// How often it was modified.
    pub modifications: u32,
    /// The algo order behind it.
    pub algo: Option<AlgoId>,
    /// When it was made.
    pub created: Timestamp,
    /// Last change.
    pub updated: Timestamp,
}

/// A conditional order as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlgoReport {
    /// Number, unique over the exchange.
    pub algo: AlgoId,
    /// `clientAlgoId`; the child order has it as its client id.
    pub client_id: ClientOrderId,
    /// Contract.
    pub symbol: Symbol,
    /// Side.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Type.
    pub order_type: OrderType,
    /// Time in force of the child.
    pub tif: Tif,
    /// `goodTillDate`, zero unless GTD.
    pub good_till: Timestamp,
    /// Quantity, zero when it closes the position.
    pub qty: Qty,
    /// Trigger price, zero for a trailing stop.
    pub trigger: Price,
    /// Limit price of the child, zero for market.
    pub price: Price,
    /// Trailing: price from which on it follows, zero where at once.
    pub activation: Price,
    /// Trailing: callback in percent as given (1 = 1 %), zero otherwise.
    pub callback_percent: Ratio,
    /// Which price triggers.
    pub working: WorkingType,
    /// May only reduce.
    pub reduce_only: bool,
    /// Closes whatever stands.
    pub close_position: bool,
    /// `priceProtect`.
    pub price_protect: bool,
    /// `priceMatch` as given.
    pub price_match: Option<super::PriceMatch>,
    /// Self-trade prevention of the child.
    pub stp: Stp,
    /// Status.
    pub status: AlgoStatus,
    /// `actualOrderId`: the child, once triggered.
    pub child: Option<OrderId>,
    /// Average price of the child so far.
    pub child_average: Price,
    /// Quantity of the child filled so far.
    pub child_filled: Qty,
    /// When it was made.
    pub created: Timestamp,
    /// Last change.
    pub updated: Timestamp,
    /// When it triggered, zero before.
    pub triggered: Timestamp,
}

/// One position of an account (also flat ones, where asked for).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionReport {
    /// Contract.
    pub symbol: Symbol,
    /// Which one.
    pub side: PositionSide,
    /// Signed quantity.
    pub qty: Qty,
    /// Average entry price, zero when flat.
    pub entry: Price,
    /// Break-even price: entry moved by the fees paid so far.
    pub break_even: Price,
    /// Mark price.
    pub mark: Price,
    /// (mark − entry) · qty.
    pub unrealized: Usdt,
    /// Signed qty · mark.
    pub notional: Usdt,
    /// Liquidation price; `None` when there is none.
    pub liquidation: Option<Price>,
    /// Margin mode.
    pub margin_mode: MarginMode,
    /// Leverage.
    pub leverage: u16,
    /// Highest notional at this leverage.
    pub notional_max: Usdt,
    /// Isolated wallet, zero in cross.
    pub isolated_wallet: Usdt,
    /// Isolated wallet + unrealised, zero in cross.
    pub isolated_margin: Usdt,
    /// |notional| / leverage.
    pub initial_margin: Usdt,
    /// |notional| · mmr − cum.
    pub maintenance_margin: Usdt,
    /// Initial margin of the open orders of this symbol and side.
    pub order_margin: Usdt,
    /// Value of open buy orders.
    pub bid_notional: Usdt,
    /// Value of open sell orders.
    pub ask_notional: Usdt,
    /// ADL quantile 0-4.
    pub adl: u8,
    /// Last change.
    pub updated: Timestamp,
}

/// The balance of one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceReport {
    /// Asset.
    pub asset: &'static str,
    /// Wallet balance.
    pub wallet: Usdt,
    /// Wallet less what isolated positions hold.
    pub cross_wallet: Usdt,
    /// Unrealised of cross positions.
    pub cross_unrealized: Usdt,
    /// What can be used for new orders, never negative.
    pub available: Usdt,
    /// What may be withdrawn, never negative.
    pub withdrawable: Usdt,
    /// Last change.
    pub updated: Timestamp,
}

/// Sums of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The USDT balance.
    pub balance: BalanceReport,
    /// Σ unrealised of all positions.
    pub unrealized: Usdt,
    /// Wallet + unrealised.
    pub margin_balance: Usdt,
    /// Initial margin of positions and open orders.
    pub initial_margin: Usdt,
    /// Initial margin of positions.
    pub position_margin: Usdt,
    /// Initial margin of open orders.
    pub order_margin: Usdt,
    /// Maintenance margin.
    pub maintenance_margin: Usdt,
    /// Hedge mode is on.
    pub hedge: bool,
    /// Multi-assets mode is on.
    pub multi_assets: bool,
    /// Maker fee.
    pub maker_fee: Ratio,
    /// Taker fee.
    pub taker_fee: Ratio,
    /// Last change.
    pub updated: Timestamp,
}

/// Settings of one symbol on an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolConfigReport {
    /// Contract.
    pub symbol: Symbol,
    /// Margin mode.
    pub margin_mode: MarginMode,
    /// Leverage.
    pub leverage: u16,
    /// Highest notional at this leverage.
    pub notional_max: Usdt,
}

/// A fill of an account (`userTrades`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeReport {
    /// Number, unique and growing per symbol.
    pub trade: TradeId,
    /// The order.
    pub order: OrderId,
    /// Contract.
    pub symbol: Symbol,
    /// Side.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// price · qty, half to even at 8 decimals.
    pub quote: Usdt,
    /// Realised profit without fee.
    pub realized: Usdt,
    /// Fee in USDT, positive when paid.
    pub fee: Usdt,
    /// Filled as maker.
    pub maker: bool,
    /// When.
    pub time: Timestamp,
}

/// Kinds of income.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum IncomeKind {
    Transfer,
    RealizedPnl,
    Commission,
    FundingFee,
    InsuranceClear,
}
impl IncomeKind {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "TRANSFER",
            Self::RealizedPnl => "REALIZED_PNL",
            Self::Commission => "COMMISSION",
            Self::FundingFee => "FUNDING_FEE",
            Self::InsuranceClear => "INSURANCE_CLEAR",
        }
    }
    /// Reads the exchange's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Transfer, Self::RealizedPnl, Self::Commission, Self::FundingFee, Self::InsuranceClear]
            .into_iter()
            .find(|k| k.as_str() == text)
    }
}

/// A wallet change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncomeReport {
    /// Number; unique together with the kind.
    pub tran: TranId,
    /// Kind.
    pub kind: IncomeKind,
    /// Contract; `None` for transfers.
    pub symbol: Option<Symbol>,
    /// Amount, negative when paid.
    pub amount: Usdt,
    /// The fill behind it, where there is one.
    pub trade: Option<TradeId>,
    /// When.
    pub time: Timestamp,
}

/// A liquidation or ADL order of an account (`forceOrders`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForceOrderReport {
    /// The order, as it ended.
    pub order: OrderReport,
    /// `true` for ADL, `false` for liquidation.
    pub adl: bool,
}

/// A booked funding of a symbol (`fundingRate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FundingReport {
    /// Contract.
    pub symbol: Symbol,
    /// Rate.
    pub rate: Ratio,
    /// Mark price used.
    pub mark: Price,
    /// Funding time.
    pub time: Timestamp,
}

/// `premiumIndex` of one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PremiumReport {
    /// Contract.
    pub symbol: Symbol,
    /// Mark price; the contract price where the source gives no mark.
    pub mark: Price,
    /// Index price.
    pub index: Price,
    /// Funding rate as it stands, zero until the source gave one.
    pub rate: Ratio,
    /// Next funding.
    pub next_funding: Timestamp,
    /// When the mark was set.
    pub time: Timestamp,
}

/// The book of one symbol, best levels first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookReport {
    /// Contract.
    pub symbol: Symbol,
    /// `lastUpdateId`.
    pub last: i64,
    /// Bids, highest first.
    pub bids: Vec<Level>,
    /// Asks, lowest first.
    pub asks: Vec<Level>,
    /// Time of the last change.
    pub time: Timestamp,
}

/// Which price a kline series shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KlineSource {
    /// Trades of the contract.
    Contract,
    /// Mark price.
    Mark,
}

/// A kline, closed or forming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kline {
    /// The bar.
    pub bar: Bar,
    /// Taker buy quantity (as far as trades told; zero for history).
    pub taker_volume: Qty,
    /// Taker buy value.
    pub taker_quote: Usdt,
    /// First trade number, −1 where unknown.
    pub first_trade: i64,
    /// Last trade number, −1 where unknown.
    pub last_trade: i64,
    /// Complete.
    pub closed: bool,
}
