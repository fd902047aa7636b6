//! Health of the parts, and the numbers for Prometheus.

use super::query;
use crate::api::desk::CheckStatus;
use crate::api::error::{ApiError, json};
use crate::api::{ApiState, Shared};
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use fulmar_domain::gate::GateState;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

/// 200 while trading is possible, 503 when a part is failing; the body says which.
pub(in crate::api) async fn health(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    let checks = state.health.checks();
    let worst = checks.iter().map(|c| c.status).max().unwrap_or(CheckStatus::Ok);
    let status = if worst == CheckStatus::Failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    json(status, &serde_json::json!({ "status": worst, "checks": checks }))
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

struct Text(String);
impl Text {
    fn family<'a>(&mut self, name: &str, kind: &str, help: &str, rows: impl IntoIterator<Item = (Option<(&'a str, String)>, String)>) {
        // Writing to a String cannot fail.
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").unwrap_or_default();
        for (label, value) in rows {
            match label {
                Some((key, of)) => writeln!(self.0, "{name}{{{key}=\"{}\"}} {value}", escaped(&of)),
                None => writeln!(self.0, "{name} {value}"),
            }
            .unwrap_or_default();
        }
    }
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl ToString) {
        self.family(name, kind, help, [(None, value.to_string())]);
    }
    fn many<K: ToString>(&mut self, name: &str, help: &str, key: &'static str, of: &std::collections::BTreeMap<K, u64>) {
        self.family(name, "counter", help, of.iter().map(|(k, n)| (Some((key, k.to_string())), n.to_string())));
    }
}

/// The exact counts and the state of gate, account and API, in Prometheus' text format.
fn counts(state: &ApiState, shared: &Shared) -> String {
    let sum = state.view.summary();
    let mut text = Text(String::with_capacity(4_096));
    text.many("fulmar_bars_total", "Closed bars taken in.", "symbol", &sum.bars);
    text.one("fulmar_indicator_frames_total", "counter", "Indicator frames of live bars.", sum.frames);
    text.one("fulmar_intents_total", "counter", "Intents raised by strategies and the operator.", sum.intents);
    text.one("fulmar_intents_approved_total", "counter", "Intents approved by risk.", sum.approved);
    text.many("fulmar_intents_refused_total", "Intents refused by risk, by the first rule that failed.", "code", &sum.refused);
    text.one("fulmar_orders_planned_total", "counter", "Orders planned on decisions.", sum.planned);
    text.one("fulmar_orders_protective_total", "counter", "Protective orders planned.", sum.protective);
    text.one("fulmar_orders_voided_total", "counter", "Orders dropped before they left.", sum.voided.0 + sum.voided.1);
    text.many("fulmar_order_facts_total", "Facts about orders, by status.", "status", &sum.orders);
    text.one("fulmar_fills_total", "counter", "Fills.", sum.fills);
    text.many("fulmar_round_trips_total", "Finished round trips.", "symbol", &sum.round_trips);
    text.many("fulmar_notices_total", "Notices to people.", "code", &sum.notices);
    text.many("fulmar_actor_failures_total", "Failures of actors.", "actor", &sum.panics);
    text.one("fulmar_differences_total", "counter", "Differences found between journal and exchange.", sum.differences);
    text.one("fulmar_view_left_out_total", "counter", "Facts left out of display under load.", sum.undisplayed);
    text.one("fulmar_ws_clients", "gauge", "WebSocket clients.", shared.ws_now());
    text.one("fulmar_ws_kicked_total", "counter", "WebSocket clients dropped as too slow.", shared.ws_kicked.load(Ordering::Relaxed));
    let tree = state.supervision.tree();
    let children = || tree.groups.iter().flat_map(|g| &g.children);
    let restarts = children().map(|c| (Some(("actor", c.name.clone())), c.restarts.to_string()));
    text.family("fulmar_actor_restarts_total", "counter", "Restarts of actors.", restarts);
    let running = children().map(|c| (Some(("actor", c.name.clone())), u8::from(c.state == "running").to_string()));
    text.family("fulmar_actor_running", "gauge", "1 while the actor runs.", running);
    let model = state.view.model();
    let gate = match model.gate.map(|g| g.state) {
        Some(GateState::Open) => 0,
        Some(GateState::ReduceOnly) => 1,
        Some(GateState::Halted) | None => 2,
    };
    text.one("fulmar_gate_state", "gauge", "0 open, 1 reduce-only, 2 halted or not known.", gate);
    if let Some(account) = model.account.as_ref().filter(|a| a.known) {
        text.one("fulmar_equity_usdt", "gauge", "Equity.", account.equity);
        text.one("fulmar_wallet_usdt", "gauge", "Wallet balance.", account.wallet);
        text.one("fulmar_open_positions", "gauge", "Open positions.", account.positions.len());
        text.one("fulmar_open_orders", "gauge", "Orders that are not final.", account.orders.len());
        let unprotected = account.positions.iter().filter(|p| p.stop.is_none()).count();
        text.one("fulmar_positions_without_stop", "gauge", "Open positions without a live stop.", unprotected);
    }
    text.0
}

/// What the process measured (histograms of hops, tick to order) and the exact counts.
pub(in crate::api) async fn metrics(request: HttpRequest, state: Data<ApiState>, shared: Data<Shared>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    let measured = state.metrics.as_ref().map(|handle| {
        handle.run_upkeep();
        handle.render()
    });
    let body = format!("{}{}", measured.unwrap_or_default(), counts(&state, &shared));
    Ok(HttpResponse::Ok().insert_header(("content-type", "text/plain; version=0.0.4; charset=utf-8")).body(body))
}
