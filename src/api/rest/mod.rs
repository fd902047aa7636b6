//! REST: one file per subject, one line per path.

mod command;
mod health;
mod history;
mod market;
mod query;
mod signal;
mod status;
mod strategy;
mod supervision;

use super::error::ApiError;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

/// A resource that answers 405 with `Allow` to every other method.
pub(super) fn resource(path: &str, allow: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || async move { Err::<HttpResponse, ApiError>(ApiError::method(allow)) }))
}

/// Everything else.
pub(super) async fn nowhere(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let path: String = request.path().chars().take(120).collect();
    Err(ApiError::not_found(format!("there is nothing at {path:?}: docs/api.md lists the paths")))
}

/// All paths.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    let get = |path: &str, route: actix_web::Route| resource(path, "GET").route(route);
    let post = |path: &str, route: actix_web::Route| resource(path, "POST").route(route);
    config
        .service(get("/api/v1/ping", web::get().to(status::ping)))
        .service(get("/api/v1/version", web::get().to(status::version)))
        .service(get("/api/v1/status", web::get().to(status::status)))
        .service(get("/api/v1/balance", web::get().to(status::balance)))
        .service(get("/api/v1/positions", web::get().to(status::positions)))
        .service(get("/api/v1/health", web::get().to(health::health)))
        .service(get("/metrics", web::get().to(health::metrics)))
        .service(get("/api/v1/strategies", web::get().to(strategy::list)))
        .service(get("/api/v1/strategies/{name}", web::get().to(strategy::one)))
        .service(post("/api/v1/strategies/{name}/pause", web::post().to(strategy::pause)))
        .service(post("/api/v1/strategies/{name}/resume", web::post().to(strategy::resume)))
        .service(resource("/api/v1/signals", "GET, POST").route(web::get().to(signal::list)).route(web::post().to(signal::give)))
        .service(get("/api/v1/signals/{id}", web::get().to(signal::one)))
        .service(post("/api/v1/flatten", web::post().to(command::flatten)))
        .service(post("/api/v1/breaker/reset", web::post().to(command::reset_breaker)))
        .service(resource("/api/v1/gate", "GET, POST").route(web::get().to(status::gate)).route(web::post().to(command::gate)))
        .service(get("/api/v1/supervision", web::get().to(supervision::tree)))
        // A group's children may be named with a slash: trading/risk.
        .service(post("/api/v1/supervision/{actor:.+}/fault", web::post().to(supervision::fault)))
        .service(get("/api/v1/trades", web::get().to(history::trades)))
        .service(get("/api/v1/orders", web::get().to(history::orders)))
        .service(get("/api/v1/fills", web::get().to(history::fills)))
        .service(get("/api/v1/ledger", web::get().to(history::ledger)))
        .service(get("/api/v1/equity", web::get().to(history::equity)))
        .service(get("/api/v1/events", web::get().to(history::events)))
        .service(get("/api/v1/refusals", web::get().to(history::refusals)))
        .service(get("/api/v1/notifications", web::get().to(history::notifications)))
        .service(get("/api/v1/dead_letters", web::get().to(history::dead_letters)))
        .service(get("/api/v1/ticker", web::get().to(market::ticker)))
        .service(get("/api/v1/bars", web::get().to(market::bars)))
        .service(get("/api/v1/indicators", web::get().to(market::indicators)))
        .service(resource(super::ws::PATH, "GET").route(web::get().to(super::ws::open)));
}
