//! The past: asked from the store. Where the store is not there these paths say so with 503, and everything else goes on.

use super::query;
use crate::api::ApiState;
use crate::api::error::{ApiError, ok};
use crate::view::shape::{FillShape, OrderShape};
use crate::view::summary::status_word;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use fulmar_domain::id::{ClientOrderId, StrategyId};
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::order::{ExitReason, OrderStatus, Side};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_ports::store::{OrderFilter, Store, TradeRow};
use serde::Serialize;
use serde_json::value::RawValue;

fn store(state: &ApiState) -> Result<&dyn Store, ApiError> {
    let none = || ApiError::unavailable("store_unavailable", "no store is configured: there is no history to ask; trading is not affected");
    state.store.as_deref().ok_or_else(none)
}

#[derive(Serialize)]
struct Row<T> {
    /// Give the last one as `before` for the next page.
    seq: u64,
    #[serde(flatten)]
    row: T,
}

#[derive(Serialize)]
struct TradeShape {
    seq: u64,
    strategy: StrategyId,
    symbol: Symbol,
    side: &'static str,
    qty: Qty,
    entry_price: Price,
    exit_price: Price,
    /// Without fees and funding.
    realized_pnl: Usdt,
    fees: Usdt,
    funding: Usdt,
    /// realised − fees + funding; null where it does not fit.
    pnl: Option<Usdt>,
    reason: ExitReason,
    opened: Timestamp,
    closed: Timestamp,
}

impl From<TradeRow> for TradeShape {
    fn from(row: TradeRow) -> Self {
        let t = row.trip;
        Self {
            seq: row.seq,
            strategy: t.strategy,
            symbol: t.symbol,
            side: if t.long { "long" } else { "short" },
            qty: t.qty,
            entry_price: t.entry,
            exit_price: t.exit,
            realized_pnl: t.realized,
            fees: t.fees,
            funding: t.funding,
            pnl: t.realized.checked_sub(t.fees).and_then(|n| n.checked_add(t.funding)).ok(),
            reason: t.reason,
            opened: t.opened,
            closed: t.closed,
        }
    }
}

const PAGED: [&str; 4] = ["symbol", "strategy", "before", "limit"];

pub(in crate::api) async fn trades(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let page = query::read(&request, &PAGED)?.page(&state.view)?;
    let rows = store(&state)?.trades(page).await?;
    ok(&rows.into_iter().map(TradeShape::from).collect::<Vec<_>>())
}

const STATUSES: [OrderStatus; 10] = [
    OrderStatus::Pending,
    OrderStatus::Unknown,
    OrderStatus::New,
    OrderStatus::Triggered,
    OrderStatus::PartiallyFilled,
    OrderStatus::Filled,
    OrderStatus::Canceled,
    OrderStatus::Rejected,
    OrderStatus::Expired,
    OrderStatus::Dead,
];

pub(in crate::api) async fn orders(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let query = query::read(&request, &["symbol", "strategy", "before", "limit", "status", "source"])?;
    let page = query.page(&state.view)?;
    let filter = match query.status.as_deref() {
        None | Some("any") => OrderFilter::Any,
        Some("open") => OrderFilter::Open,
        Some(word) => {
            let known = STATUSES.into_iter().find(|s| status_word(*s).eq_ignore_ascii_case(word));
            let known = known.ok_or_else(|| ApiError::bad_request("status: any, open or a status such as FILLED expected"))?;
            OrderFilter::Status(known)
        }
    };
    if query.live()? {
        if filter != OrderFilter::Open {
            return Err(ApiError::bad_request("source=live knows the open orders only: add status=open"));
        }
        let mut open = state.view.model().open_orders();
        open.retain(|o| page.symbol.is_none_or(|s| s == o.symbol) && page.strategy.is_none_or(|s| s == o.strategy));
        return ok(&open);
    }
    let rows = store(&state)?.orders(page, filter).await?;
    ok(&rows.iter().map(|r| Row { seq: r.seq, row: OrderShape::from(r) }).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct FillOut {
    strategy: StrategyId,
    client_id: Option<ClientOrderId>,
    symbol: Symbol,
    side: Side,
    order_id: i64,
    #[serde(flatten)]
    fill: FillShape,
}

pub(in crate::api) async fn fills(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let page = query::read(&request, &PAGED)?.page(&state.view)?;
    let rows = store(&state)?.fills(page).await?;
    let shape = |r: &fulmar_ports::store::FillRow| Row {
        seq: r.seq,
        row: FillOut {
            strategy: r.strategy,
            client_id: r.client_id,
            symbol: r.fill.symbol,
            side: r.fill.side,
            order_id: r.fill.order.0,
            fill: FillShape::from(&r.fill),
        },
    };
    ok(&rows.iter().map(shape).collect::<Vec<_>>())
}

pub(in crate::api) async fn ledger(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let page = query::read(&request, &PAGED)?.page(&state.view)?;
    ok(&store(&state)?.ledger(page).await?)
}

pub(in crate::api) async fn equity(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let query = query::read(&request, &["from", "to", "limit", "source"])?;
    if query.live()? {
        return ok(state.view.model().equity());
    }
    let (from, to) = query.times();
    ok(&store(&state)?.equity(from, to, query.limit(500)).await?)
}

#[derive(Serialize)]
struct EventOut {
    seq: u64,
    kind: String,
    time: Timestamp,
    wall: Timestamp,
    /// The journal's record.
    body: Box<RawValue>,
}

pub(in crate::api) async fn events(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let query = query::read(&request, &["kind", "before", "limit", "source"])?;
    if query.live()? {
        return ok(&state.view.model().events(query.limit(100) as usize));
    }
    let page = query.page(&state.view)?;
    let rows = store(&state)?.events(page, query.kind).await?;
    let shaped: Result<Vec<EventOut>, ApiError> = rows
        .into_iter()
        .map(|r| {
            let body = RawValue::from_string(r.body)?;
            Ok(EventOut { seq: r.seq, kind: r.kind, time: r.time, wall: r.wall, body })
        })
        .collect();
    ok(&shaped?)
}

pub(in crate::api) async fn refusals(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let query = query::read(&request, &["symbol", "strategy", "before", "limit", "code", "source"])?;
    if query.live()? {
        return ok(&state.view.model().refusals(query.limit(100) as usize));
    }
    let page = query.page(&state.view)?;
    ok(&store(&state)?.refusals(page, query.code).await?)
}

pub(in crate::api) async fn notifications(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let page = query::read(&request, &["symbol", "before", "limit"])?.page(&state.view)?;
    ok(&store(&state)?.notifications(page).await?)
}

pub(in crate::api) async fn dead_letters(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let page = query::read(&request, &["before", "limit"])?.page(&state.view)?;
    ok(&store(&state)?.dead_letters(page).await?)
}
