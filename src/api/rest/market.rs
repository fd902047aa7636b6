//! The market as the engine sees it: prices, bars, indicator values.

use super::query::{self, Query};
use crate::api::ApiState;
use crate::api::error::{ApiError, ok};
use crate::view::shape::TickerShape;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use fulmar_domain::market::Timeframe;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::collections::BTreeMap;

pub(in crate::api) async fn ticker(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let symbol = query::read(&request, &["symbol"])?.symbol()?;
    let model = state.view.model();
    let wanted = model.market.symbols().into_iter().filter(|s| symbol.is_none_or(|w| w == *s));
    ok(&wanted.filter_map(|s| model.market.ticker(s).map(|t| (s, t))).collect::<BTreeMap<Symbol, TickerShape>>())
}

/// Symbol and timeframe of a series; the shortest timeframe known where none is named.
fn series(query: &Query, state: &ApiState) -> Result<(Symbol, Timeframe), ApiError> {
    let symbol = query.symbol()?.ok_or_else(|| ApiError::bad_request("symbol: expected, such as symbol=BTCUSDT"))?;
    let model = state.view.model();
    if !model.market.symbols().contains(&symbol) {
        return Err(ApiError::not_found(format!("{symbol} is not traded here; GET /api/v1/status lists the symbols")));
    }
    let known = model.market.timeframes(symbol);
    let timeframe = query.timeframe()?.or_else(|| known.first().copied()).unwrap_or(Timeframe::M1);
    Ok((symbol, timeframe))
}

pub(in crate::api) async fn bars(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let query = query::read(&request, &["symbol", "timeframe", "limit", "before"])?;
    let (symbol, timeframe) = series(&query, &state)?;
    if let Some(before) = query.before {
        let none = || ApiError::unavailable("store_unavailable", "older bars are in the store, and none is configured");
        let store = state.store.as_deref().ok_or_else(none)?;
        return ok(&store.bars(symbol, timeframe, Some(Timestamp(before)), query.limit(300)).await?);
    }
    ok(&state.view.model().market.bars(symbol, timeframe, query.limit(300) as usize))
}

pub(in crate::api) async fn indicators(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let query = query::read(&request, &["symbol", "timeframe", "limit"])?;
    let (symbol, timeframe) = series(&query, &state)?;
    ok(&state.view.model().market.rows(symbol, timeframe, query.limit(1) as usize))
}
