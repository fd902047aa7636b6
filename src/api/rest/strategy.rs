//! Strategies: what runs on what, how it does, pause and resume.

use super::command::submit;
use super::query;
use crate::api::ApiState;
use crate::api::error::{ApiError, ok};
use crate::view::shape::PerformanceShape;
use crate::view::{StrategyInfo, StrategyState};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use fulmar_domain::control::Command;
use fulmar_domain::id::StrategyId;
use fulmar_domain::market::Timeframe;
use fulmar_domain::symbol::Symbol;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Shape<'a> {
    strategy_name: &'a str,
    /// Name of the instance, owner of its orders.
    id: StrategyId,
    aliases: &'a [String],
    state: StrategyState,
    symbols: &'a [Symbol],
    timeframe: Timeframe,
    leverage: u16,
    open_positions: usize,
    performance: PerformanceShape,
    by_symbol: BTreeMap<Symbol, PerformanceShape>,
}

fn shape<'a>(state: &ApiState, info: &'a StrategyInfo) -> Shape<'a> {
    let doing = state.view.strategy_state(info.id);
    let model = state.view.model();
    let positions = model.account.iter().flat_map(|a| &a.positions);
    Shape {
        strategy_name: &info.name,
        id: info.id,
        aliases: &info.aliases,
        state: doing,
        symbols: &info.symbols,
        timeframe: info.timeframe,
        leverage: info.leverage,
        open_positions: positions.filter(|p| p.strategy == info.id).count(),
        performance: model.performance(info.id, None),
        by_symbol: info.symbols.iter().map(|s| (*s, model.performance(info.id, Some(*s)))).collect(),
    }
}

fn find<'a>(state: &'a ApiState, name: &str) -> Result<&'a StrategyInfo, ApiError> {
    state.view.find_strategy(name).ok_or_else(|| {
        let known: Vec<&str> = state.view.config().strategies.iter().map(|s| s.name.as_str()).collect();
        ApiError::not_found(format!("no strategy has that name; configured are: {}", known.join(", ")))
    })
}

pub(in crate::api) async fn list(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    ok(&state.view.config().strategies.iter().map(|s| shape(&state, s)).collect::<Vec<_>>())
}

pub(in crate::api) async fn one(request: HttpRequest, state: Data<ApiState>, name: Path<String>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    ok(&shape(&state, find(&state, &name)?))
}

async fn change(
    state: &ApiState,
    name: &str,
    command: fn(Option<StrategyId>) -> Command,
    to: StrategyState,
) -> Result<HttpResponse, ApiError> {
    let info = find(state, name)?;
    if state.view.strategy_state(info.id) == StrategyState::Disabled {
        let text = "its supervisor gave this strategy up after too many failures: it runs again after a restart of the engine";
        return Err(ApiError::conflict("strategy_disabled", text, None));
    }
    submit(state, command(Some(info.id))).await?;
    state.view.set_strategy_state(Some(info.id), to);
    ok(&shape(state, info))
}

pub(in crate::api) async fn pause(
    request: HttpRequest,
    state: Data<ApiState>,
    name: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    super::command::empty(payload).await?;
    change(&state, &name, |strategy| Command::Pause { strategy }, StrategyState::Paused).await
}

pub(in crate::api) async fn resume(
    request: HttpRequest,
    state: Data<ApiState>,
    name: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    super::command::empty(payload).await?;
    change(&state, &name, |strategy| Command::Resume { strategy }, StrategyState::Running).await
}
