//! Orders of the operator to the whole engine: flatten, reset the breaker, hold the gate.
//!
//! Each answers once the command is journalled; what follows from it shows in the view.

use super::query;
use crate::api::error::{ApiError, ok};
use crate::api::{ApiState, input};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use fulmar_domain::control::Command;
use fulmar_domain::gate::GateState;
use fulmar_domain::symbol::Symbol;
use serde::Deserialize;

/// Hands a command over and waits for its record.
pub(super) async fn submit(state: &ApiState, command: Command) -> Result<(), ApiError> {
    let recorded = state.commands.submit(command).await;
    recorded.map_err(|why| ApiError::unavailable("command_not_recorded", format!("nothing was done: {why}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A body that may be missing or `{}`.
pub(super) async fn empty(payload: Payload) -> Result<(), ApiError> {
    let body = input::body(payload).await?;
    if body.is_empty() {
        return Ok(());
    }
    input::parse::<Nothing>(&body).map(|Nothing {}| ())
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flatten {
    symbol: Option<Symbol>,
}

pub(in crate::api) async fn flatten(request: HttpRequest, state: Data<ApiState>, payload: Payload) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    let body = input::body(payload).await?;
    let wanted: Flatten = if body.is_empty() { Flatten::default() } else { input::parse(&body)? };
    submit(&state, Command::Flatten { symbol: wanted.symbol }).await?;
    ok(&serde_json::json!({ "status": "flattening", "symbol": wanted.symbol }))
}

pub(in crate::api) async fn reset_breaker(request: HttpRequest, state: Data<ApiState>, payload: Payload) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    empty(payload).await?;
    submit(&state, Command::ResetBreaker).await?;
    ok(&serde_json::json!({ "status": "reset" }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gate {
    state: GateState,
}

pub(in crate::api) async fn gate(request: HttpRequest, state: Data<ApiState>, payload: Payload) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    let wanted: Gate = input::parse(&input::body(payload).await?)?;
    submit(&state, Command::SetGate { state: wanted.state }).await?;
    ok(&serde_json::json!({ "status": "set", "operator_hold": wanted.state }))
}
