//! The supervision tree, and faults on demand where the configuration allows them.

use super::query;
use crate::api::desk::InjectFault;
use crate::api::error::{ApiError, ok};
use crate::api::{ApiState, input};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

pub(in crate::api) async fn tree(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    ok(&state.supervision.tree())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    site: String,
}

pub(in crate::api) async fn fault(
    request: HttpRequest,
    state: Data<ApiState>,
    actor: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    let body = input::body(payload).await?;
    if !state.supervision.faults_enabled() {
        let text = "faults on demand are off: set engine.faults = true in the configuration, never where real money is traded";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "faults_disabled", text));
    }
    let fault: Fault = if body.is_empty() { Fault { site: "handler".to_owned() } } else { input::parse(&body)? };
    state.supervision.inject(&actor, &fault.site).map_err(|error| match error {
        InjectFault::UnknownActor(_) => ApiError::not_found(error.to_string()),
        InjectFault::BadSite(_) => ApiError::bad_request(error.to_string()),
        InjectFault::NotNow(text) => ApiError::conflict("not_running", text, None),
    })?;
    ok(&serde_json::json!({ "status": "injected", "actor": actor.as_str(), "site": fault.site }))
}
