//! WebSockets: market and user streams under `/public`, `/market`, `/private` and the older root, and the trading interface.

mod command;
mod socket;
mod trading;

use super::floor::Floor;
use super::http::wire_of;
use actix_web::{HttpRequest, HttpResponse, web};
use socket::{Opening, run};

/// Routes of all stream bases.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    for base in ["", "/public", "/market", "/private"] {
        config.route(&format!("{base}/ws"), web::get().to(raw));
        config.route(&format!("{base}/ws/{{streams:.*}}"), web::get().to(raw));
        config.route(&format!("{base}/stream"), web::get().to(combined));
        config.route(&format!("{base}/stream/{{ignored:.*}}"), web::get().to(combined));
    }
    config.route("/ws-fapi/v1", web::get().to(trading::open));
    config.route("/ws-fapi/v1/{ignored:.*}", web::get().to(trading::open));
}

fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v)
}

fn split(names: &str) -> Vec<String> {
    let unescaped = names.replace("%40", "@").replace("%21", "!").replace("%2F", "/").replace("%2f", "/");
    unescaped.split('/').filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

async fn raw(request: HttpRequest, payload: web::Payload, floor: web::Data<Floor>) -> actix_web::Result<HttpResponse> {
    let mut streams = split(request.match_info().get("streams").unwrap_or(""));
    let query = request.query_string();
    if let Some(key) = value(query, "listenKey") {
        streams.push(key.to_owned());
    }
    let events = value(query, "events").map(split).unwrap_or_default();
    start(&request, payload, floor, Opening { combined: false, streams, events })
}

async fn combined(request: HttpRequest, payload: web::Payload, floor: web::Data<Floor>) -> actix_web::Result<HttpResponse> {
    let query = request.query_string();
    let mut streams = value(query, "streams").map(split).unwrap_or_default();
    if let Some(key) = value(query, "listenKey") {
        streams.push(key.to_owned());
    }
    let events = value(query, "events").map(split).unwrap_or_default();
    start(&request, payload, floor, Opening { combined: true, streams, events })
}

fn start(request: &HttpRequest, payload: web::Payload, floor: web::Data<Floor>, opening: Opening) -> actix_web::Result<HttpResponse> {
    let (response, session, messages) = actix_ws::handle(request, payload)?;
    let wire = wire_of(request);
    actix_web::rt::spawn(run(floor, opening, session, messages, wire));
    Ok(response)
}
