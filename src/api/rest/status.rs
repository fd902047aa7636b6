//! How the engine stands: account, positions, gate, role.

use super::query;
use crate::api::error::{ApiError, ok};
use crate::api::{ApiState, Shared};
use crate::view::model::Model;
use crate::view::shape::PositionShape;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use fulmar_domain::gate::{GateOwner, GateState, Role};
use fulmar_domain::num::{Ratio, Rounding, Usdt};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use serde::Serialize;

pub(in crate::api) async fn ping(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    Ok(HttpResponse::Ok().insert_header(("content-type", "application/json")).body("{\"status\":\"pong\"}"))
}

pub(in crate::api) async fn version(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    ok(&serde_json::json!({ "name": "fulmar", "version": state.identity.version }))
}

#[derive(Serialize)]
struct Hold<'a> {
    owner: GateOwner,
    state: GateState,
    cause: &'a str,
}

#[derive(Serialize)]
struct Gate<'a> {
    /// `unknown` until the engine has said its first word.
    state: Option<GateState>,
    epoch: Option<u64>,
    holds: Vec<Hold<'a>>,
}

fn gate_of(model: &Model) -> Gate<'_> {
    Gate {
        state: model.gate.map(|g| g.state),
        epoch: model.gate.map(|g| g.epoch),
        holds: model.holds.iter().map(|(owner, (state, cause))| Hold { owner: *owner, state: *state, cause }).collect(),
    }
}

fn role_of(model: &Model) -> (&'static str, Option<u64>) {
    match model.role {
        None => ("unknown", None),
        Some(Role::Leader { epoch, .. }) => ("leader", Some(epoch.0)),
        Some(Role::Standby) => ("standby", None),
        Some(Role::Fenced) => ("fenced", None),
    }
}

#[derive(Serialize)]
struct Balance {
    asset: &'static str,
    /// False until a snapshot of the account was adopted; the amounts are then null.
    known: bool,
    wallet: Option<Usdt>,
    equity: Option<Usdt>,
    unrealized_pnl: Option<Usdt>,
    /// Free for new positions.
    available: Option<Usdt>,
    /// Held by positions and entry orders.
    used: Option<Usdt>,
    day_start_equity: Option<Usdt>,
    /// Since the last UTC midnight of the market clock.
    day_pnl: Option<Usdt>,
    peak_equity: Option<Usdt>,
    /// Share of the peak that is lost.
    drawdown: Option<Ratio>,
}

fn balance_of(model: &Model) -> Balance {
    let account = model.account.as_ref().filter(|a| a.known);
    Balance {
        asset: "USDT",
        known: account.is_some(),
        wallet: account.map(|a| a.wallet),
        equity: account.map(|a| a.equity),
        unrealized_pnl: account.map(|a| a.unrealized),
        available: account.map(|a| a.available),
        used: account.and_then(|a| a.equity.checked_sub(a.available).ok()),
        day_start_equity: account.map(|a| a.day_start_equity),
        day_pnl: account.and_then(|a| a.equity.checked_sub(a.day_start_equity).ok()),
        peak_equity: account.map(|a| a.peak_equity),
        drawdown: account
            .and_then(|a| a.peak_equity.checked_sub(a.equity).and_then(|d| d.share_of(a.peak_equity, Rounding::HalfEven)).ok()),
    }
}

#[derive(Serialize)]
struct Status<'a> {
    version: &'a str,
    mode: &'a str,
    exchange: &'a str,
    instance: &'a str,
    role: &'static str,
    /// Epoch of the lease while this process leads.
    epoch: Option<u64>,
    gate: Gate<'a>,
    reconciled: bool,
    equity: Option<Usdt>,
    balance: Balance,
    positions: Vec<PositionShape>,
    open_orders: usize,
    symbols: &'a [Symbol],
    strategies: Vec<&'a str>,
    /// The page may fail actors.
    faults_enabled: bool,
    market_time: Timestamp,
    uptime_s: u64,
}

pub(in crate::api) async fn status(request: HttpRequest, state: Data<ApiState>, shared: Data<Shared>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    let config = state.view.config();
    let faults_enabled = state.supervision.faults_enabled();
    let model = state.view.model();
    let (role, epoch) = role_of(&model);
    let balance = balance_of(&model);
    ok(&Status {
        version: &state.identity.version,
        mode: &state.identity.mode,
        exchange: &state.identity.exchange,
        instance: &state.identity.instance,
        role,
        epoch,
        gate: gate_of(&model),
        reconciled: model.reconciled,
        equity: balance.equity,
        balance,
        positions: model.positions(),
        open_orders: model.account.as_ref().map_or(0, |a| a.orders.len()),
        symbols: &config.symbols,
        strategies: config.strategies.iter().map(|s| s.name.as_str()).collect(),
        faults_enabled,
        market_time: model.now.market,
        uptime_s: shared.started.elapsed().as_secs(),
    })
}

pub(in crate::api) async fn balance(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    ok(&balance_of(&state.view.model()))
}

pub(in crate::api) async fn positions(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let symbol = query::read(&request, &["symbol"])?.symbol()?;
    let mut positions = state.view.model().positions();
    positions.retain(|p| symbol.is_none_or(|s| s == p.symbol));
    ok(&positions)
}

pub(in crate::api) async fn gate(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    ok(&gate_of(&state.view.model()))
}
