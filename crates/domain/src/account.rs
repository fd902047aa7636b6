//! The account: what the exchange reports, and the complete frame that the rest of the engine reads.

use crate::id::{ClientOrderId, DecisionId, FactSeq, StrategyId, TranId};
use crate::num::{Price, Qty, Ratio, Usdt};
use crate::order::{MarginMode, OrderKind, OrderRole, OrderStatus, PositionSide, Side};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A position as the exchange reports it (`positionRisk`, `ACCOUNT_UPDATE.P`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VenuePosition {
    /// Contract.
    pub symbol: Symbol,
    /// Which one.
    pub side: PositionSide,
    /// Signed quantity.
    pub qty: Qty,
    /// Average entry price.
    pub entry: Price,
    /// Margin mode.
    pub margin_mode: MarginMode,
    /// Isolated wallet, zero in cross.
    pub isolated_wallet: Usdt,
}

/// A wallet change of one asset (`ACCOUNT_UPDATE.B`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VenueBalance {
    /// Asset, such as `USDT`.
    pub asset: String,
    /// Wallet balance.
    pub wallet: Usdt,
    /// Wallet less what isolated positions hold.
    pub cross_wallet: Usdt,
    /// Change that is neither realised profit nor commission.
    pub change: Usdt,
}

/// `ACCOUNT_UPDATE`: only the items that changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountEvent {
    /// Reason as the exchange writes it: `ORDER`, `FUNDING_FEE`, `DEPOSIT`, …
    pub reason: String,
    /// Changed balances.
    pub balances: Vec<VenueBalance>,
    /// Changed positions.
    pub positions: Vec<VenuePosition>,
    /// Event time.
    pub time: Timestamp,
}

/// A record of the exchange's income history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Income {
    /// Its number; records are booked once by (kind, number).
    pub id: TranId,
    /// Kind as the exchange writes it: `REALIZED_PNL`, `COMMISSION`, `FUNDING_FEE`, `TRANSFER`, `INSURANCE_CLEAR`, …
    pub kind: String,
    /// Contract, missing for transfers.
    pub symbol: Option<Symbol>,
    /// Amount; negative when paid.
    pub amount: Usdt,
    /// Asset.
    pub asset: String,
    /// When.
    pub time: Timestamp,
}

/// Settings of one contract on the account (`symbolConfig`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SymbolSettings {
    /// Contract.
    pub symbol: Symbol,
    /// Leverage set at the exchange.
    pub leverage: u16,
    /// Margin mode set at the exchange.
    pub margin_mode: MarginMode,
}

/// The whole account as the exchange reports it at one instant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, Default)]
pub struct AccountSnapshot {
    /// USDT wallet balance.
    pub wallet: Usdt,
    /// Hedge mode is on.
    pub hedge_mode: bool,
    /// Positions that are not flat.
    pub positions: Vec<VenuePosition>,
    /// Settings per contract.
    pub settings: Vec<SymbolSettings>,
    /// Taker fee as a share.
    pub taker_fee: Ratio,
    /// Maker fee as a share.
    pub maker_fee: Ratio,
    /// Server time of the snapshot.
    pub time: Timestamp,
}

/// A position as the engine keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PositionView {
    /// Contract.
    pub symbol: Symbol,
    /// Which one.
    pub side: PositionSide,
    /// Owner.
    pub strategy: StrategyId,
    /// Signed quantity; never zero in a frame.
    pub qty: Qty,
    /// Average entry price.
    pub entry: Price,
    /// Last mark price known, the entry until one came.
    pub mark: Price,
    /// |qty| · mark.
    pub notional: Usdt,
    /// (mark − entry) · qty.
    pub unrealized: Usdt,
    /// Leverage.
    pub leverage: u16,
    /// Margin mode.
    pub margin_mode: MarginMode,
    /// Isolated wallet, zero in cross.
    pub isolated_wallet: Usdt,
    /// notional / leverage.
    pub initial_margin: Usdt,
    /// notional · mmr − cum.
    pub maintenance_margin: Usdt,
    /// Liquidation price; `None` when there is none.
    pub liquidation: Option<Price>,
    /// Price of the live stop at the exchange; `None` while there is none.
    pub stop: Option<Price>,
    /// Realised profit of this position so far, without fees.
    pub realized: Usdt,
    /// Fees paid so far.
    pub fees: Usdt,
    /// Funding received (negative: paid) so far.
    pub funding: Usdt,
    /// First fill.
    pub opened: Timestamp,
}

/// An order that is not final, as the engine keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderView {
    /// Client id; `None` for foreign orders.
    pub client_id: Option<ClientOrderId>,
    /// The decision behind it, zero where there is none.
    pub decision: DecisionId,
    /// Owner.
    pub strategy: StrategyId,
    /// Contract.
    pub symbol: Symbol,
    /// Side.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// What it is for; `None` for foreign orders.
    pub role: Option<OrderRole>,
    /// Kind, where known.
    pub kind: Option<OrderKind>,
    /// Status.
    pub status: OrderStatus,
    /// Ordered quantity.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
    /// When it was last heard of (market clock).
    pub updated: Timestamp,
}

/// Counters of one strategy and symbol that risk and protections read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TrackRecord {
    /// Closed round trips.
    pub trades: u32,
    /// Losing trades in a row.
    pub losses_in_a_row: u32,
    /// Realised profit after fees and funding.
    pub realized: Usdt,
    /// When the last round trip ended (market clock).
    pub last_close: Timestamp,
}

/// One strategy on one symbol.
pub type Desk = (StrategyId, Symbol);

/// The complete account, numbered; a later frame replaces an earlier one whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountFrame {
    /// Grows by one with each frame.
    pub seq: u64,
    /// The account is known: a snapshot was adopted.
    pub known: bool,
    /// Hedge mode is on.
    pub hedge_mode: bool,
    /// Wallet balance.
    pub wallet: Usdt,
    /// Wallet + Σ unrealised.
    pub equity: Usdt,
    /// Σ unrealised.
    pub unrealized: Usdt,
    /// Equity less initial margin of all positions and open entry orders, never below zero.
    pub available: Usdt,
    /// Equity at the last UTC midnight (market clock).
    pub day_start_equity: Usdt,
    /// Highest equity so far.
    pub peak_equity: Usdt,
    /// Positions that are not flat.
    pub positions: Vec<PositionView>,
    /// Orders that are not final, algo orders included.
    pub orders: Vec<OrderView>,
    /// Per strategy and symbol, the number of its last order, fill or position fact.
    pub facts: BTreeMap<Desk, FactSeq>,
    /// Per strategy and symbol, what came of it so far.
    pub records: BTreeMap<Desk, TrackRecord>,
    /// The last decisions of which any order fact was heard, oldest first, at most [`HEARD_MAX`]. From then on this frame
    /// accounts for them, so risk frees its own reservation.
    pub heard: Vec<DecisionId>,
    /// Market time of the newest fact in it.
    pub time: Timestamp,
}

/// How many decisions [`AccountFrame::heard`] remembers: far more than can be in flight at once.
pub const HEARD_MAX: usize = 256;

impl AccountFrame {
    /// The last fact of a strategy and symbol.
    #[must_use]
    pub fn fact(&self, strategy: StrategyId, symbol: Symbol) -> FactSeq {
        self.facts.get(&(strategy, symbol)).copied().unwrap_or_default()
    }
    /// The position of a symbol and side.
    #[must_use]
    pub fn position(&self, symbol: Symbol, side: PositionSide) -> Option<&PositionView> {
        self.positions.iter().find(|p| p.symbol == symbol && p.side == side)
    }
}
