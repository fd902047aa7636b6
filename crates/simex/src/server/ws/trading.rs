//! The WebSocket trading interface `ws-fapi/v1`: order.place, order.cancel, order.status, and the plain ping and time.
//!
//! A signed request carries `apiKey`, `timestamp` and `signature` in its params; what is signed is all other params as
//! `name=value`, sorted by name and joined by `&`. The same door and the same endpoints as in REST answer it.

use super::socket::{Flood, farewell};
use crate::server::door::{self, Reply, Request};
use crate::server::floor::Floor;
use crate::server::http::wire_of;
use crate::server::json::Json;
use crate::server::params::Params;
use crate::server::rest;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::AggregatedMessage;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Methods with their REST counterparts.
const METHODS: [(&str, &str, &str); 18] = [
    ("order.place", "POST", "/fapi/v1/order"),
    ("order.modify", "PUT", "/fapi/v1/order"),
    ("order.cancel", "DELETE", "/fapi/v1/order"),
    ("order.status", "GET", "/fapi/v1/order"),
    ("algoOrder.place", "POST", "/fapi/v1/algoOrder"),
    ("algoOrder.cancel", "DELETE", "/fapi/v1/algoOrder"),
    ("account.balance", "GET", "/fapi/v2/balance"),
    ("account.status", "GET", "/fapi/v2/account"),
    ("account.position", "GET", "/fapi/v2/positionRisk"),
    ("v2/account.position", "GET", "/fapi/v3/positionRisk"),
    ("v2/account.balance", "GET", "/fapi/v3/balance"),
    ("v2/account.status", "GET", "/fapi/v3/account"),
    ("ticker.price", "GET", "/fapi/v1/ticker/price"),
    ("depth", "GET", "/fapi/v1/depth"),
    ("userDataStream.start", "POST", "/fapi/v1/listenKey"),
    ("userDataStream.ping", "PUT", "/fapi/v1/listenKey"),
    ("userDataStream.stop", "DELETE", "/fapi/v1/listenKey"),
    ("ticker.book", "GET", "/fapi/v1/ticker/bookTicker"),
];

/// Opens a trading socket.
pub(super) async fn open(request: HttpRequest, payload: web::Payload, floor: web::Data<Floor>) -> actix_web::Result<HttpResponse> {
    let (response, mut session, messages) = actix_ws::handle(&request, payload)?;
    let from = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |a| a.ip());
    let wire = wire_of(&request);
    actix_web::rt::spawn(async move {
        let mut messages = messages.aggregate_continuations();
        let config = floor.config.clone();
        let begun = Instant::now();
        let mut pings = interval_at(begun + config.ping_every, config.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = begun;
        let mut flood = Flood::new(config.messages_per_second.saturating_mul(10));
        loop {
            tokio::select! {
                message = messages.recv() => {
                    let Some(Ok(message)) = message else { return };
                    match message {
                        AggregatedMessage::Text(text) => {
                            if !flood.allows() {
                                return farewell(session, 1008, "Too many requests").await;
                            }
                            match answer(&floor, from, &text).await {
                                Some(reply) => {
                                    if session.text(reply).await.is_err() {
                                        return;
                                    }
                                }
                                None => {
                                    if let Some(wire) = &wire {
                                        wire.cut();
                                    }
                                    return;
                                }
                            }
                        }
                        AggregatedMessage::Ping(data) => {
                            if session.pong(&data).await.is_err() {
                                return;
                            }
                        }
                        AggregatedMessage::Pong(_) => heard = Instant::now(),
                        AggregatedMessage::Binary(_) => {}
                        AggregatedMessage::Close(_) => return farewell(session, 1000, "").await,
                    }
                }
                _ = pings.tick() => {
                    if heard.elapsed() > config.pong_within.max(Duration::from_secs(1)) {
                        return farewell(session, 1008, "Pong timeout").await;
                    }
                    if session.ping(b"").await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    Ok(response)
}

/// The answer to one request; `None` when a fault breaks the connection.
async fn answer(floor: &Floor, from: IpAddr, text: &str) -> Option<String> {
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(text);
    let Ok(message) = parsed else {
        return Some(refusal("null", 400, -1100, "Malformed request: JSON with id, method and params is expected"));
    };
    let id = message.get("id").map_or_else(|| "null".to_owned(), ToString::to_string);
    let method = message.get("method").and_then(|m| m.as_str()).unwrap_or("");
    if method == "ping" {
        return Some(success(floor, &id, "{}"));
    }
    if method == "time" {
        return Some(success(floor, &id, &format!("{{\"serverTime\":{}}}", floor.clock.now().millis())));
    }
    let endpoint = METHODS.iter().find(|m| m.0 == method).and_then(|m| rest::find(m.1, m.2));
    let Some(endpoint) = endpoint else { return Some(refusal(&id, 400, -1102, "Unknown method")) };
    let params = message.get("params").and_then(|p| p.as_object()).map(Params::of_json).unwrap_or_default();
    let key = params.get("apiKey").map(str::to_owned);
    // Values are taken as they stand: what the client signed is the plain text of each value.
    let mut pairs: Vec<&(String, String)> = params.pairs().iter().filter(|(name, _)| name != "signature").collect();
    pairs.sort();
    let mut signed = String::new();
    for (name, value) in pairs {
        if !signed.is_empty() {
            signed.push('&');
        }
        if write!(signed, "{name}={value}").is_err() {
            return Some(refusal(&id, 400, -1100, "Malformed request"));
        }
    }
    if let Some(signature) = params.get("signature")
        && write!(signed, "&signature={signature}").is_err()
    {
        return Some(refusal(&id, 400, -1100, "Malformed request"));
    }
    let request = Request { endpoint, query: &signed, body: "", key: key.as_deref(), from };
    match door::serve(floor, request).await {
        Reply::Drop => None,
        Reply::Answer(answer) => {
            let mut j = Json::new();
            j.open().raw("id", &id).int("status", answer.status);
            if answer.status == 200 {
                j.raw("result", &answer.body);
            } else {
                j.raw("error", &answer.body);
            }
            rate_limits(floor, &mut j, answer.used_weight);
            j.close();
            Some(j.into_string())
        }
    }
}

fn rate_limits(floor: &Floor, j: &mut Json, used: u32) {
    j.list_at("rateLimits").open().word("rateLimitType", "REQUEST_WEIGHT").word("interval", "MINUTE").int("intervalNum", 1);
    j.int("limit", floor.config.limits.weight_per_minute).int("count", used).close().end();
}
fn success(floor: &Floor, id: &str, json: &str) -> String {
    let mut j = Json::new();
    j.open().raw("id", id).int("status", 200).raw("result", json);
    rate_limits(floor, &mut j, 0);
    j.close();
    j.into_string()
}
fn refusal(id: &str, status: u16, code: i32, msg: &str) -> String {
    let mut j = Json::new();
    j.open()
        .raw("id", id)
        .int("status", status)
        .open_at("error")
        .int("code", code)
        .text("msg", msg)
        .close()
        .list_at("rateLimits")
        .end()
        .close();
    j.into_string()
}
