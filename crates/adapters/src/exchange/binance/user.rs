//! Events of the account's own stream, through typed serde structs. They are rare; what counts is that none is misread.

use super::scan::DecodeError;
use super::words::{algo_status, average, average_if_any, child, margin_mode, order_status, whole};
use fulmar_domain::account::{AccountEvent, VenueBalance, VenuePosition};
use fulmar_domain::id::{AlgoId, ClientOrderId, OrderId, TradeId};
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::order::{AlgoEvent, Fill, MarginMode, OrderEvent, PositionSide, Side};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An event of the account.
#[derive(Debug, Clone, PartialEq)]
pub enum UserEvent {
    /// `ORDER_TRADE_UPDATE`.
    Order(OrderEvent),
    /// `ALGO_UPDATE`.
    Algo(AlgoEvent),
    /// `ACCOUNT_UPDATE`.
    Account(AccountEvent),
    /// `ACCOUNT_CONFIG_UPDATE` of one contract. It brings the leverage alone; the margin mode has to be asked for.
    Leverage {
        /// Contract.
        symbol: Symbol,
        /// Leverage from now on.
        leverage: u16,
    },
    /// `MARGIN_CALL`.
    MarginCall {
        /// Contracts concerned.
        symbols: Vec<Symbol>,
    },
    /// `TRADE_LITE`: a fill without the order's state; `ORDER_TRADE_UPDATE` brings the same fill whole.
    TradeLite {
        /// Contract.
        symbol: Symbol,
        /// The order.
        order: OrderId,
        /// The fill.
        trade: TradeId,
        /// Its price.
        price: Price,
        /// Its quantity.
        qty: Qty,
    },
    /// `CONDITIONAL_ORDER_TRIGGER_REJECT`: a triggered order was refused; its own events follow or are asked for.
    TriggerRejected {
        /// Contract.
        symbol: Symbol,
        /// The order.
        order: OrderId,
        /// The exchange's reason.
        reason: String,
    },
    /// `listenKeyExpired`: nothing more comes on this socket.
    KeyExpired,
}

/// Reads an event of kind `kind`; `None` for a kind that we do not know.
pub(super) fn event(kind: &[u8], bytes: &[u8]) -> Result<Option<UserEvent>, DecodeError> {
    Ok(Some(match kind {
        b"ORDER_TRADE_UPDATE" => UserEvent::Order(order(read(bytes, "ORDER_TRADE_UPDATE")?)?),
        b"ALGO_UPDATE" => UserEvent::Algo(algo(read(bytes, "ALGO_UPDATE")?)?),
        b"ACCOUNT_UPDATE" => UserEvent::Account(account(read(bytes, "ACCOUNT_UPDATE")?)),
        b"ACCOUNT_CONFIG_UPDATE" => {
            #[derive(Deserialize)]
            struct Config {
                s: Symbol,
                l: u16,
            }
            #[derive(Deserialize)]
            struct Raw {
                ac: Option<Config>,
            }
            match read::<Raw>(bytes, "ACCOUNT_CONFIG_UPDATE")?.ac {
                Some(ac) => UserEvent::Leverage { symbol: ac.s, leverage: ac.l },
                None => return Ok(None), // multi-assets mode changed
            }
        }
        b"MARGIN_CALL" => {
            #[derive(Deserialize)]
            struct Position {
                s: Symbol,
            }
            #[derive(Deserialize)]
            struct Raw {
                p: Vec<Position>,
            }
            let raw: Raw = read(bytes, "MARGIN_CALL")?;
            UserEvent::MarginCall { symbols: raw.p.into_iter().map(|p| p.s).collect() }
        }
        b"TRADE_LITE" => {
            #[derive(Deserialize)]
            struct Raw {
                s: Symbol,
                i: i64,
                t: i64,
                #[serde(rename = "L")]
                last_price: Price,
                l: Qty,
            }
            let raw: Raw = read(bytes, "TRADE_LITE")?;
            UserEvent::TradeLite { symbol: raw.s, order: OrderId(raw.i), trade: TradeId(raw.t), price: raw.last_price, qty: raw.l }
        }
        b"CONDITIONAL_ORDER_TRIGGER_REJECT" => {
            #[derive(Deserialize)]
            struct Order {
                s: Symbol,
                i: i64,
                r: String,
            }
            #[derive(Deserialize)]
            struct Raw {
                or: Order,
            }
            let raw: Raw = read(bytes, "CONDITIONAL_ORDER_TRIGGER_REJECT")?;
            UserEvent::TriggerRejected { symbol: raw.or.s, order: OrderId(raw.or.i), reason: raw.or.r }
        }
        b"listenKeyExpired" => UserEvent::KeyExpired,
        _ => return Ok(None),
    }))
}

fn read<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, DecodeError> {
    serde_json::from_slice(bytes).map_err(|error| {
        tracing::debug!(what, %error, "an event of the account cannot be read");
        DecodeError::Bad(what)
    })
}

#[derive(Deserialize)]
struct OrderUpdateRaw {
    #[serde(rename = "E", deserialize_with = "whole")]
    event_time: i64,
    o: OrderRaw,
}

#[derive(Deserialize)]
struct OrderRaw {
    s: Symbol,
    c: String,
    #[serde(rename = "S")]
    side: Side,
    ot: String,
    ps: PositionSide,
    q: Qty,
    p: Price,
    #[serde(default, deserialize_with = "average_if_any")]
    ap: Option<Price>,
    x: String,
    #[serde(rename = "X")]
    status: String,
    i: i64,
    l: Qty,
    z: Qty,
    #[serde(rename = "L")]
    last_price: Option<Price>,
    n: Option<Usdt>,
    #[serde(rename = "N")]
    fee_asset: Option<String>,
    #[serde(rename = "T")]
    time: i64,
    t: Option<i64>,
    m: Option<bool>,
    #[serde(rename = "R")]
    reduce_only: bool,
    rp: Option<Usdt>,
}

fn order(raw: OrderUpdateRaw) -> Result<OrderEvent, DecodeError> {
    let o = raw.o;
    let executed = matches!(o.x.as_str(), "TRADE" | "CALCULATED") && o.l.is_positive();
    let fill = if executed {
        let price = o.last_price.filter(|p| p.is_positive()).ok_or(DecodeError::Missing("L"))?;
        // Binance: "N: commission asset, will not push if no commission"; so is `n`.
        let (fee, fee_in_usdt) = match (o.n, o.fee_asset.as_deref()) {
            (None, _) => (Usdt::ZERO, true),
            (Some(fee), Some(asset)) => (fee, asset == "USDT"),
            (Some(fee), None) if fee.is_zero() => (fee, true),
            (Some(_), None) => return Err(DecodeError::Missing("N")),
        };
        Some(Fill {
            symbol: o.s,
            trade: TradeId(o.t.filter(|t| *t > 0).ok_or(DecodeError::Missing("t"))?),
            order: OrderId(o.i),
            side: o.side,
            position_side: o.ps,
            price,
            qty: o.l,
            realized: o.rp.ok_or(DecodeError::Missing("rp"))?,
            fee,
            fee_in_usdt,
            maker: o.m.ok_or(DecodeError::Missing("m"))?,
            time: Timestamp(o.time),
        })
    } else {
        None
    };
    Ok(OrderEvent {
        symbol: o.s,
        order: OrderId(o.i),
        client_id: ClientOrderId::new(&o.c),
        client_text: o.c,
        side: o.side,
        position_side: o.ps,
        status: order_status(&o.status),
        qty: o.q,
        filled: o.z,
        average: o.ap,
        price: o.p,
        reduce_only: o.reduce_only,
        type_text: o.ot,
        fill,
        time: Timestamp(raw.event_time),
    })
}

#[derive(Deserialize)]
struct AlgoUpdateRaw {
    #[serde(rename = "E", deserialize_with = "whole")]
    event_time: i64,
    o: AlgoRaw,
}

#[derive(Deserialize)]
struct AlgoRaw {
    caid: String,
    aid: i64,
    o: String,
    s: Symbol,
    #[serde(rename = "S")]
    side: Side,
    ps: PositionSide,
    q: Option<Qty>,
    #[serde(rename = "X")]
    status: String,
    #[serde(default, deserialize_with = "child")]
    ai: Option<i64>,
    #[serde(default, deserialize_with = "average_if_any")]
    tp: Option<Price>,
    cp: Option<bool>,
}

fn algo(raw: AlgoUpdateRaw) -> Result<AlgoEvent, DecodeError> {
    let o = raw.o;
    // Quantity or "close position", never both: a missing flag beside a quantity is known to be false.
    let (qty, close_position) = match (o.q, o.cp) {
        (Some(qty), Some(close)) => (qty, close),
        (Some(qty), None) if qty.is_positive() => (qty, false),
        (None, Some(true)) => (Qty::ZERO, true),
        _ => return Err(DecodeError::Missing("cp")),
    };
    Ok(AlgoEvent {
        symbol: o.s,
        algo: AlgoId(o.aid),
        client_id: ClientOrderId::new(&o.caid),
        side: o.side,
        position_side: o.ps,
        status: algo_status(&o.status),
        trigger: o.tp.unwrap_or(Price::ZERO),
        qty,
        close_position,
        child: o.ai.map(OrderId),
        type_text: o.o,
        time: Timestamp(raw.event_time),
    })
}

#[derive(Deserialize)]
struct AccountRaw {
    #[serde(rename = "E", deserialize_with = "whole")]
    event_time: i64,
    a: ChangeRaw,
}

#[derive(Deserialize)]
struct ChangeRaw {
    m: String,
    #[serde(rename = "B")]
    balances: Vec<BalanceRaw>,
    #[serde(rename = "P")]
    positions: Vec<PositionRaw>,
}

#[derive(Deserialize)]
struct BalanceRaw {
    a: String,
    wb: Usdt,
    cw: Usdt,
    bc: Usdt,
}

#[derive(Deserialize)]
struct PositionRaw {
    s: Symbol,
    pa: Qty,
    #[serde(deserialize_with = "average")]
    ep: Price,
    #[serde(deserialize_with = "margin_mode")]
    mt: MarginMode,
    iw: Usdt,
    ps: PositionSide,
}

fn account(raw: AccountRaw) -> AccountEvent {
    AccountEvent {
        reason: raw.a.m,
        balances: raw.a.balances.into_iter().map(|b| VenueBalance { asset: b.a, wallet: b.wb, cross_wallet: b.cw, change: b.bc }).collect(),
        positions: raw
            .a
            .positions
            .into_iter()
            .map(|p| VenuePosition { symbol: p.s, side: p.ps, qty: p.pa, entry: p.ep, margin_mode: p.mt, isolated_wallet: p.iw })
            .collect(),
        time: Timestamp(raw.event_time),
    }
}
