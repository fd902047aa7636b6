//! Signals: a position wanted by hand, and the verdict of the risk gate.
//!
//! The command carries a correlation id; the verdict is awaited on the fact lane for at most a second. What is still open
//! then is answered 202 with the id, under which it can be followed.

use super::command::submit;
use super::query;
use crate::api::error::{ApiError, json, ok};
use crate::api::{ApiState, Shared, input};
use crate::view::shape::{SignalShape, Verdict};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use fulmar_domain::control::{Command, Signal};
use fulmar_domain::id::DecisionId;
use fulmar_domain::num::Ratio;
use fulmar_domain::order::{OrderStatus, Side};
use fulmar_domain::symbol::Symbol;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    symbol: String,
    side: String,
    leverage: Box<RawValue>,
    size_percent: Box<RawValue>,
    stop: Option<Box<RawValue>>,
    stop_loss: Option<Box<RawValue>>,
    take_profit: Option<Box<RawValue>>,
    price: Option<Box<RawValue>>,
    strategy: Option<String>,
}

fn read(given: &Given, decision: DecisionId, state: &ApiState) -> Result<Signal, ApiError> {
    let bad = |text: String| Err(ApiError::bad_request(text));
    let symbol = Symbol::new(&given.symbol.to_uppercase()).map_err(|error| ApiError::bad_request(format!("symbol: {error}")))?;
    let side = match given.side.to_ascii_lowercase().as_str() {
        "buy" | "long" => Side::Buy,
        "sell" | "short" => Side::Sell,
        _ => return bad("side: buy, sell, long or short expected".to_owned()),
    };
    let leverage: Ratio = input::decimal("leverage", &given.leverage)?;
    let whole = leverage.raw() / Ratio::ONE.raw();
    let leverage = match u16::try_from(whole) {
        Ok(whole) if whole > 0 && leverage.is_multiple_of(Ratio::ONE) => whole,
        _ => return bad(format!("leverage: a whole number from 1 expected, not {leverage}")),
    };
    let size_percent: Ratio = input::decimal("size_percent", &given.size_percent)?;
    if !size_percent.is_positive() {
        return bad(format!("size_percent: a share of equity above 0 expected (0.8 = 80 %), not {size_percent}"));
    }
    let stop = match (&given.stop, &given.stop_loss) {
        (Some(_), Some(_)) => return bad("stop and stop_loss mean the same: give one".to_owned()),
        (stop, loss) => input::decimal_or_none("stop", stop.as_deref().or(loss.as_deref()))?,
    };
    let strategy = match given.strategy.as_deref() {
        None => None,
        Some(name) => match state.view.find_strategy(name) {
            Some(info) => Some(info.id),
            None => return bad("strategy: no strategy has that name; GET /api/v1/strategies lists them".to_owned()),
        },
    };
    let positive = |field: &str, raw: Option<&RawValue>| {
        let price: Option<fulmar_domain::num::Price> = input::decimal_or_none(field, raw)?;
        match price {
            Some(p) if !p.is_positive() => Err(ApiError::bad_request(format!("{field}: a price above 0 expected, not {p}"))),
            other => Ok(other),
        }
    };
    if stop.is_some_and(|s: fulmar_domain::num::Price| !s.is_positive()) {
        return bad("stop: a price above 0 expected".to_owned());
    }
    Ok(Signal {
        decision,
        symbol,
        side,
        leverage,
        size_percent,
        stop,
        take_profit: positive("take_profit", given.take_profit.as_deref())?,
        price: positive("price", given.price.as_deref())?,
        strategy,
    })
}

/// What there is to say, once there is something to say.
fn answer(signal: &SignalShape) -> Option<Result<HttpResponse, ApiError>> {
    match (signal.verdict, &signal.order) {
        (Verdict::Refused, _) => Some(Err(ApiError::refused(signal.id, signal.failures.clone()))),
        (Verdict::Voided, _) => {
            let text = signal.cause.clone().unwrap_or_else(|| "dropped before it left".to_owned());
            Some(Err(ApiError::conflict("order_voided", text, Some(signal.id))))
        }
        (_, Some(order)) => match order.status {
            OrderStatus::Pending | OrderStatus::Unknown => None,
            OrderStatus::Rejected | OrderStatus::Dead => {
                let text = order.reject.as_ref().map_or_else(|| "the order did not come to stand".to_owned(), ToString::to_string);
                Some(Err(ApiError::conflict("order_rejected", format!("the exchange refused: {text}"), Some(signal.id))))
            }
            _ => Some(ok(signal)),
        },
        (Verdict::Pending | Verdict::Approved, None) => None,
    }
}

pub(in crate::api) async fn give(
    request: HttpRequest,
    state: Data<ApiState>,
    shared: Data<Shared>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    let given: Given = input::parse(&input::body(payload).await?)?;
    let decision = state.commands.next_decision();
    let signal = read(&given, decision, &state)?;
    let mut changed = state.view.watch();
    submit(&state, Command::Signal(signal)).await?;
    let verdict = async {
        loop {
            changed.borrow_and_update();
            let found = state.view.model().signal_of(decision).and_then(answer);
            if let Some(answer) = found {
                return answer;
            }
            if changed.changed().await.is_err() {
                return Err(ApiError::unavailable("stopping", "the engine stops; the command is recorded"));
            }
        }
    };
    match tokio::time::timeout(shared.config.verdict_wait, verdict).await {
        Ok(answer) => answer,
        Err(_) => {
            let follow = format!("/api/v1/signals/{decision}");
            json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "pending", "id": decision.to_string(), "follow": follow }))
        }
    }
}

pub(in crate::api) async fn one(request: HttpRequest, state: Data<ApiState>, id: Path<String>) -> Result<HttpResponse, ApiError> {
    query::read(&request, &[])?;
    let id: u64 = id.parse().map_err(|_| ApiError::bad_request("a signal's id is a whole number"))?;
    let model = state.view.model();
    match model.signal_of(DecisionId(id)) {
        Some(signal) => ok(signal),
        None => Err(ApiError::not_found("no signal of this run has that id, or it is too old to be remembered")),
    }
}

pub(in crate::api) async fn list(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let query = query::read(&request, &["limit", "symbol", "strategy"])?;
    let (symbol, strategy) = (query.symbol()?, query.strategy(&state.view)?);
    let model = state.view.model();
    let mut signals = model.signals(usize::MAX);
    signals.retain(|s| symbol.is_none_or(|wanted| wanted == s.symbol) && strategy.is_none_or(|wanted| wanted == s.strategy));
    signals.truncate(query.limit(100) as usize);
    ok(&signals)
}
