//! What the outside sees of the engine: plain shapes that serialise, made from the domain's facts.

use fulmar_domain::account::{OrderView, PositionView};
use fulmar_domain::id::{ClientOrderId, StrategyId};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{Price, Qty, Ratio, Rounding, Usdt};
use fulmar_domain::order::{
    Fill, MarginMode, OrderIntent, OrderKind, OrderRole, OrderStatus, OrderUpdate, PositionSide, Purpose, Side, VenueError,
};
use fulmar_domain::record::RefusalDetail;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use serde::Serialize;

/// Ids as text: they use more bits than a JavaScript number keeps.
mod id_text {
    /// Writes an id.
    pub(super) fn serialize<S: serde::Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }
}

/// Prices of a symbol. What is not known is null.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "plain words; *_24h over the last 24 hours")]
pub struct TickerShape {
    pub last: Option<Price>,
    pub bid: Option<Price>,
    pub ask: Option<Price>,
    pub mark: Option<Price>,
    pub index: Option<Price>,
    pub funding_rate: Option<Ratio>,
    pub next_funding: Option<Timestamp>,
    pub open_24h: Option<Price>,
    pub high_24h: Option<Price>,
    pub low_24h: Option<Price>,
    pub change_24h: Option<Ratio>,
    pub volume_24h: Option<Qty>,
    pub quote_volume_24h: Option<Usdt>,
    /// up, stale, gap or resynced.
    pub feed: Option<&'static str>,
    pub time: Timestamp,
}

/// A bar; `closed` tells whether it still moves.
#[derive(Clone, Debug, Serialize)]
pub struct BarShape {
    /// The bar.
    #[serde(flatten)]
    pub bar: Bar,
    /// It is complete.
    pub closed: bool,
}

/// Indicator values at the close of a bar, by name of the column; null until warm.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "plain words")]
pub struct IndicatorShape {
    pub symbol: Symbol,
    pub timeframe: Timeframe,
    pub open_time: Timestamp,
    pub warm: bool,
    pub values: std::collections::BTreeMap<String, Option<f64>>,
}

/// An open position.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "plain words; amounts in USDT")]
pub struct PositionShape {
    pub symbol: Symbol,
    /// `long` or `short`.
    pub side: &'static str,
    pub position_side: PositionSide,
    pub strategy: StrategyId,
    /// Signed: negative when short.
    pub qty: Qty,
    pub entry_price: Price,
    pub mark_price: Price,
    pub notional: Usdt,
    pub leverage: u16,
    pub margin_mode: MarginMode,
    pub initial_margin: Usdt,
    pub maintenance_margin: Usdt,
    /// Price of the live stop at the exchange; null while there is none.
    pub stop: Option<Price>,
    /// Null where there is none.
    pub liquidation_price: Option<Price>,
    pub unrealized_pnl: Usdt,
    pub realized_pnl: Usdt,
    pub fees: Usdt,
    pub funding: Usdt,
    /// (unrealised + realised − fees + funding) / initial margin at entry; null where that is zero.
    pub roi: Option<Ratio>,
    pub opened: Timestamp,
}

impl From<&PositionView> for PositionShape {
    fn from(p: &PositionView) -> Self {
        let gain = p.unrealized.checked_add(p.realized).and_then(|x| x.checked_sub(p.fees)).and_then(|x| x.checked_add(p.funding));
        let margin = fulmar_domain::num::notional(p.entry, p.qty.abs(), Rounding::HalfEven)
            .and_then(|n| n.over_int(i64::from(p.leverage.max(1)), Rounding::HalfEven));
        let roi = gain.and_then(|g| margin.and_then(|m| g.share_of(m, Rounding::HalfEven))).ok();
        Self {
            symbol: p.symbol,
            side: if p.qty.is_negative() { "short" } else { "long" },
            position_side: p.side,
            strategy: p.strategy,
            qty: p.qty,
            entry_price: p.entry,
            mark_price: p.mark,
            notional: p.notional,
            leverage: p.leverage,
            margin_mode: p.margin_mode,
            initial_margin: p.initial_margin,
            maintenance_margin: p.maintenance_margin,
            stop: p.stop,
            liquidation_price: p.liquidation,
            unrealized_pnl: p.unrealized,
            realized_pnl: p.realized,
            fees: p.fees,
            funding: p.funding,
            roi,
            opened: p.opened,
        }
    }
}

/// What an order is for, in one word.
#[must_use]
pub const fn role_word(role: Option<&OrderRole>) -> &'static str {
    match role {
        Some(OrderRole::Entry { .. }) => "entry",
        Some(OrderRole::Exit { .. }) => "exit",
        Some(OrderRole::Stop) => "stop",
        Some(OrderRole::Target) => "target",
        Some(OrderRole::Trailing) => "trailing",
        None => "external",
    }
}

/// Type, limit price and trigger of an order.
#[must_use]
pub const fn kind_words(kind: Option<&OrderKind>) -> (&'static str, Option<Price>, Option<Price>) {
    match kind {
        None => ("unknown", None, None),
        Some(OrderKind::Market) => ("market", None, None),
        Some(OrderKind::Limit { price, .. }) => ("limit", Some(*price), None),
        Some(OrderKind::StopMarket { trigger, .. }) => ("stop_market", None, Some(*trigger)),
        Some(OrderKind::Stop { trigger, price, .. }) => ("stop", Some(*price), Some(*trigger)),
        Some(OrderKind::TakeProfitMarket { trigger, .. }) => ("take_profit_market", None, Some(*trigger)),
        Some(OrderKind::TakeProfit { trigger, price, .. }) => ("take_profit", Some(*price), Some(*trigger)),
        Some(OrderKind::TrailingStopMarket { activation, .. }) => ("trailing_stop_market", None, *activation),
    }
}

/// One execution.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "plain words")]
pub struct FillShape {
    pub trade: i64,
    pub price: Price,
    pub qty: Qty,
    pub fee: Usdt,
    pub realized_pnl: Usdt,
    pub maker: bool,
    pub time: Timestamp,
}

impl From<&Fill> for FillShape {
    fn from(f: &Fill) -> Self {
        Self { trade: f.trade.0, price: f.price, qty: f.qty, fee: f.fee, realized_pnl: f.realized, maker: f.maker, time: f.time }
    }
}

/// An order: a fact about it, or how it stands.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "plain words")]
pub struct OrderShape {
    pub client_id: Option<ClientOrderId>,
    /// The exchange's number of the regular order, once known.
    pub order_id: Option<i64>,
    /// The exchange's number of the conditional order, once known.
    pub algo_id: Option<i64>,
    /// The decision behind it; "0" where there is none.
    #[serde(with = "id_text")]
    pub decision: u64,
    pub strategy: StrategyId,
    pub symbol: Symbol,
    pub side: Side,
    pub position_side: PositionSide,
    /// entry, exit, stop, target, trailing or external.
    pub role: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub price: Option<Price>,
    pub trigger: Option<Price>,
    /// 0: closes the position whole.
    pub qty: Qty,
    pub filled: Qty,
    pub average_price: Option<Price>,
    pub status: OrderStatus,
    /// The fill that this fact brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<FillShape>,
    /// Why the exchange refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<VenueError>,
    pub time: Timestamp,
}

impl From<&OrderUpdate> for OrderShape {
    fn from(u: &OrderUpdate) -> Self {
        let (kind, price, trigger) = kind_words(u.kind.as_ref());
        Self {
            client_id: u.client_id,
            order_id: u.order.map(|o| o.0),
            algo_id: u.algo.map(|o| o.0),
            decision: u.decision.0,
            strategy: u.strategy,
            symbol: u.symbol,
            side: u.side,
            position_side: u.position_side,
            role: role_word(u.role.as_ref()),
            kind,
            price,
            trigger,
            qty: u.qty,
            filled: u.filled,
            average_price: None,
            status: u.status,
            fill: u.fill.as_ref().map(FillShape::from),
            reject: u.reject.clone(),
            time: u.time,
        }
    }
}

impl From<&OrderView> for OrderShape {
    fn from(o: &OrderView) -> Self {
        let (kind, price, trigger) = kind_words(o.kind.as_ref());
        Self {
            client_id: o.client_id,
            order_id: None,
            algo_id: None,
            decision: o.decision.0,
            strategy: o.strategy,
            symbol: o.symbol,
            side: o.side,
            position_side: o.position_side,
            role: role_word(o.role.as_ref()),
            kind,
            price,
            trigger,
            qty: o.qty,
            filled: o.filled,
            average_price: None,
            status: o.status,
            fill: None,
            reject: None,
            time: o.updated,
        }
    }
}

impl From<&fulmar_ports::store::OrderRow> for OrderShape {
    fn from(o: &fulmar_ports::store::OrderRow) -> Self {
        let (kind, price, trigger) = kind_words(o.kind.as_ref());
        Self {
            client_id: o.client_id,
            order_id: o.order,
            algo_id: o.algo,
            decision: o.decision,
            strategy: o.strategy,
            symbol: o.symbol,
            side: o.side,
            position_side: o.position_side,
            role: role_word(o.role.as_ref()),
            kind,
            price,
            trigger,
            qty: o.qty,
            filled: o.filled,
            average_price: o.average,
            status: o.status,
            fill: None,
            reject: o.reject.clone(),
            time: o.updated,
        }
    }
}

/// Where a signal stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Given; nobody has judged it yet.
    Pending,
    /// Risk approved it.
    Approved,
    /// Risk refused it.
    Refused,
    /// Approved, and dropped before it left: the gate moved or the lease was lost.
    Voided,
}

/// What a strategy or the operator wanted, and what became of it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "plain words")]
pub struct SignalShape {
    /// The decision's id; `GET /api/v1/signals/{id}`.
    #[serde(with = "id_text")]
    pub id: u64,
    pub strategy: StrategyId,
    pub symbol: Symbol,
    pub side: Side,
    /// entry or exit.
    pub purpose: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub price: Option<Price>,
    pub qty: Qty,
    pub leverage: u16,
    pub reference: Price,
    pub stop: Option<Price>,
    pub take_profit: Option<Price>,
    pub verdict: Verdict,
    /// The first rule that failed.
    pub code: Option<String>,
    /// Every rule that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<RefusalDetail>,
    /// Why it was voided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The newest fact about its order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderShape>,
    pub time: Timestamp,
}

impl From<&OrderIntent> for SignalShape {
    fn from(i: &OrderIntent) -> Self {
        let (kind, price, _) = kind_words(Some(&i.kind));
        let protection = match &i.purpose {
            Purpose::Entry { protection } => protection.as_ref(),
            Purpose::Exit { .. } => None,
        };
        Self {
            id: i.decision.0,
            strategy: i.strategy,
            symbol: i.symbol,
            side: i.side,
            purpose: if i.is_entry() { "entry" } else { "exit" },
            kind,
            price,
            qty: i.qty,
            leverage: i.leverage,
            reference: i.reference,
            stop: protection.map(|p| p.stop),
            take_profit: protection.and_then(|p| p.targets.first()).map(|t| t.price),
            verdict: Verdict::Pending,
            code: None,
            failures: vec![],
            cause: None,
            order: None,
            time: i.decided,
        }
    }
}

/// A point of the equity curve.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "plain words")]
pub struct EquityShape {
    pub time: Timestamp,
    pub wallet: Usdt,
    pub equity: Usdt,
}

/// Something that happened to the engine.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "plain words")]
pub struct EventShape {
    /// gate, role, notice or reconciled.
    pub kind: &'static str,
    pub severity: fulmar_domain::control::Severity,
    /// Stable code, such as `BREAKER_TRIPPED`.
    pub code: String,
    pub text: String,
    pub symbol: Option<Symbol>,
    pub time: Timestamp,
}

/// What a strategy has earned, over all its symbols or on one.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "plain words; amounts in USDT after fees and funding")]
pub struct PerformanceShape {
    pub trades: u64,
    pub wins: u64,
    pub losses: u64,
    pub losses_in_a_row: u32,
    pub realized_pnl: Usdt,
    pub fees: Usdt,
    pub funding: Usdt,
    /// Null before the first trade.
    pub win_rate: Option<Ratio>,
    /// Gains over losses; null while there is no loss.
    pub profit_factor: Option<Ratio>,
}
