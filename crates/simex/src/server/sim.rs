//! What only the simulated exchange has, for tests: faults (`/sim/faults`), its own ledger (`/sim/ledger`), what was
//! asked over the protocol (`/sim/requests`), its state (`/sim/state`). No key is asked for: it listens on loopback.

use super::faults::FaultRule;
use super::floor::{Floor, State};
use super::hub::FrameFault;
use super::json::Json;
use super::params::Params;
use crate::venue::{AccountId, ApiError, NewOrder, PageQuery, SymbolFault};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use fulmar_domain::instrument::{Bracket, Brackets};
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use serde::Deserialize;

/// Routes of the test interface.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/sim/faults").route(web::post().to(add)).route(web::get().to(list)).route(web::delete().to(clear)));
    config
        .route("/sim/ledger", web::get().to(ledger))
        .route("/sim/requests", web::get().to(requests))
        .route("/sim/state", web::get().to(state));
}

const fn certain() -> f64 {
    1.0
}
const fn once() -> u64 {
    1
}
const fn whole() -> Ratio {
    Ratio::ONE
}

/// A fault that strikes when it is posted.
#[derive(Debug, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
enum Strike {
    /// Breaks sockets that hold a stream whose name contains `stream`; all when empty.
    CutSockets {
        #[serde(default)]
        stream: String,
    },
    /// Stops all frames to them; pings are still answered.
    MuteSockets {
        #[serde(default)]
        stream: String,
    },
    /// Lets frames through again.
    UnmuteSockets {
        #[serde(default)]
        stream: String,
    },
    SkipFrames {
        stream: String,
        #[serde(default = "once")]
        count: u64,
        #[serde(default = "certain")]
        probability: f64,
    },
    DuplicateFrames {
        stream: String,
        #[serde(default = "once")]
        count: u64,
        #[serde(default = "certain")]
        probability: f64,
    },
    ReorderFrames {
        stream: String,
        #[serde(default = "once")]
        count: u64,
        #[serde(default = "certain")]
        probability: f64,
    },
    ExpireListenKey {
        account: String,
    },
    /// Changes the filters that are named.
    SetFilters {
        symbol: Symbol,
        tick: Option<Price>,
        price_min: Option<Price>,
        price_max: Option<Price>,
        step: Option<Qty>,
        qty_min: Option<Qty>,
        qty_max: Option<Qty>,
        market_qty_max: Option<Qty>,
        notional_min: Option<Usdt>,
        band_up: Option<Ratio>,
        band_down: Option<Ratio>,
        orders_max: Option<u32>,
    },
    SetBrackets {
        symbol: Symbol,
        tiers: Vec<Bracket>,
    },
    Liquidate {
        account: String,
        symbol: Symbol,
    },
    Adl {
        account: String,
        symbol: Symbol,
        #[serde(default = "whole")]
        share: Ratio,
    },
    Halt {
        symbol: Symbol,
    },
    Resume {
        symbol: Symbol,
    },
    FundingRate {
        symbol: Symbol,
        rate: Ratio,
    },
    FundingInterval {
        symbol: Symbol,
        hours: u8,
    },
    /// An order as if by another program on the same account.
    ForeignOrder {
        account: String,
        symbol: Symbol,
        side: Side,
        quantity: Qty,
    },
    /// A deposit, or a withdrawal when negative.
    Transfer {
        account: String,
        amount: Usdt,
    },
}

fn reply(status: StatusCode, json: &Json) -> HttpResponse {
    HttpResponse::build(status).content_type("application/json").body(json.as_str().to_owned())
}
fn refusal(error: &ApiError) -> HttpResponse {
    let status = StatusCode::from_u16(error.http).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(status).content_type("application/json").body(super::door::error_body(error))
}

async fn add(body: web::Bytes, floor: web::Data<Floor>) -> HttpResponse {
    let Ok(text) = std::str::from_utf8(&body) else { return refusal(&ApiError::new(-1100, "the fault must be JSON text")) };
    let mut guard = floor.lock();
    let state = &mut *guard;
    let rule = serde_json::from_str::<FaultRule>(text);
    let outcome = match rule {
        Ok(rule) => {
            state.faults.add(rule);
            Ok(0)
        }
        Err(not_a_rule) => match serde_json::from_str::<Strike>(text) {
            Ok(strike) => carry_out(state, strike, floor.clock.now().millis()),
            Err(not_a_strike) => {
                Err(ApiError::new(-1130, format!("no such fault: as a request fault {not_a_rule}; as an immediate fault {not_a_strike}")))
            }
        },
    };
    let response = match outcome {
        Ok(struck) => {
            let compact = serde_json::from_str::<serde_json::Value>(text).map_or_else(|_| "null".to_owned(), |v| v.to_string());
            state.requests.fault(floor.clock.now(), &compact);
            state.publish();
            let mut j = Json::new();
            j.open().int("code", 200).word("msg", "success").int("struck", struck).close();
            reply(StatusCode::OK, &j)
        }
        Err(error) => {
            state.publish();
            refusal(&error)
        }
    };
    drop(guard);
    floor.wake();
    response
}

fn account(state: &State, key: &str) -> Result<AccountId, ApiError> {
    state.exchange.account_of(key).ok_or_else(|| ApiError::new(-2015, format!("no account with the API key {key:?}")))
}

fn carry_out(state: &mut State, strike: Strike, now_ms: i64) -> Result<usize, ApiError> {
    let unknown = |symbol: Symbol| ApiError::new(-1121, format!("no contract {symbol}"));
    match strike {
        Strike::CutSockets { stream } => return Ok(state.hub.strike(&stream, None)),
        Strike::MuteSockets { stream } => return Ok(state.hub.strike(&stream, Some(true))),
        Strike::UnmuteSockets { stream } => return Ok(state.hub.strike(&stream, Some(false))),
        Strike::SkipFrames { stream, count, probability } => state.hub.tamper.add(FrameFault::Skip, &stream, count, probability),
        Strike::DuplicateFrames { stream, count, probability } => state.hub.tamper.add(FrameFault::Duplicate, &stream, count, probability),
        Strike::ReorderFrames { stream, count, probability } => state.hub.tamper.add(FrameFault::Reorder, &stream, count, probability),
        Strike::ExpireListenKey { account } => {
            let key = state.keys.close(&account).ok_or_else(|| ApiError::new(-1125, "This listenKey does not exist."))?;
            state.hub.expire_key(&key, now_ms);
        }
        Strike::SetFilters {
            symbol,
            tick,
            price_min,
            price_max,
            step,
            qty_min,
            qty_max,
            market_qty_max,
            notional_min,
            band_up,
            band_down,
            orders_max,
        } => {
            let found = state.exchange.instruments().into_iter().find(|i| i.symbol == symbol).ok_or_else(|| unknown(symbol))?;
            let mut i = (*found).clone();
            if let Some(tick) = tick {
                (i.tick, i.price_places) = (tick, tick.places());
            }
            if let Some(step) = step {
                (i.step, i.market_step, i.qty_places) = (step, step, step.places());
            }
            i.price_min = price_min.unwrap_or(i.price_min);
            i.price_max = price_max.unwrap_or(i.price_max);
            i.qty_min = qty_min.unwrap_or(i.qty_min);
            i.qty_max = qty_max.unwrap_or(i.qty_max);
            i.market_qty_max = market_qty_max.unwrap_or(i.market_qty_max);
            i.notional_min = notional_min.unwrap_or(i.notional_min);
            i.band_up = band_up.unwrap_or(i.band_up);
            i.band_down = band_down.unwrap_or(i.band_down);
            i.orders_max = orders_max.unwrap_or(i.orders_max);
            change(state, symbol, SymbolFault::Filters(Box::new(i)))?;
        }
        Strike::SetBrackets { symbol, tiers } => change(state, symbol, SymbolFault::Brackets(Brackets { symbol, tiers }))?,
        Strike::Liquidate { account: key, symbol } => {
            let account = account(state, &key)?;
            state.exchange.liquidate(account, symbol, &mut state.out)?;
        }
        Strike::Adl { account: key, symbol, share } => {
            let account = account(state, &key)?;
            state.exchange.auto_deleverage(account, symbol, share, &mut state.out)?;
        }
        Strike::Halt { symbol } => change(state, symbol, SymbolFault::Halt(symbol, true))?,
        Strike::Resume { symbol } => change(state, symbol, SymbolFault::Halt(symbol, false))?,
        Strike::FundingRate { symbol, rate } => change(state, symbol, SymbolFault::FundingRate(symbol, rate))?,
        Strike::FundingInterval { symbol, hours } => change(state, symbol, SymbolFault::FundingInterval(symbol, hours))?,
        Strike::ForeignOrder { account: key, symbol, side, quantity } => {
            let account = account(state, &key)?;
            state.exchange.foreign_order(account, &NewOrder::market(symbol, side, quantity), &mut state.out)?;
        }
        Strike::Transfer { account: key, amount } => {
            let account = account(state, &key)?;
            state.exchange.transfer(account, amount, &mut state.out)?;
        }
    }
    Ok(0)
}

fn change(state: &mut State, symbol: Symbol, fault: SymbolFault) -> Result<(), ApiError> {
    state.exchange.symbol_fault(fault, &mut state.out)?;
    state.hub.read_places(&state.exchange);
    let now = state.exchange.now();
    state.hub.publish_contract(now, symbol, &state.exchange);
    Ok(())
}

async fn list(floor: web::Data<Floor>) -> HttpResponse {
    let state = floor.lock();
    let mut j = Json::new();
    j.open().int("struck", state.faults.struck()).list_at("faults");
    for rule in state.faults.rules() {
        match serde_json::to_string(rule) {
            Ok(json) => j.raw_item(&json),
            Err(error) => j.item(&error.to_string()),
        };
    }
    j.end().close();
    reply(StatusCode::OK, &j)
}

async fn clear(floor: web::Data<Floor>) -> HttpResponse {
    let mut state = floor.lock();
    state.faults.clear();
    state.hub.tamper.clear();
    state.limits.pardon();
    state.hub.strike("", Some(false));
    let mut j = Json::new();
    j.open().int("code", 200).word("msg", "success").close();
    reply(StatusCode::OK, &j)
}

/// `after` (how many records or lines to pass over) and `limit`.
fn window(request: &HttpRequest) -> Result<(u64, usize), ApiError> {
    Params::read(request.query_string(), "").and_then(|p| Ok((p.int("after")?.unwrap_or(0), p.int("limit")?.unwrap_or(usize::MAX))))
}

/// The exchange's own ledger: see [`crate::venue::ExchangeLog`].
async fn ledger(request: HttpRequest, floor: web::Data<Floor>) -> HttpResponse {
    let (after, limit) = match window(&request) {
        Ok(window) => window,
        Err(error) => return refusal(&error),
    };
    let mut state = floor.lock();
    if let Err(reason) = state.flush_ledger() {
        return refusal(&ApiError { code: -1000, http: 500, msg: reason });
    }
    let mut text = String::new();
    for record in state.exchange.log().records().iter().skip(usize::try_from(after).unwrap_or(usize::MAX)).take(limit) {
        match serde_json::to_string(record) {
            Ok(line) => text.push_str(&line),
            Err(error) => {
                return refusal(&ApiError { code: -1000, http: 500, msg: format!("record {} cannot be shown: {error}", record.seq) });
            }
        }
        text.push('\n');
    }
    HttpResponse::Ok().content_type("application/x-ndjson").body(text)
}

/// The newest requests with their outcomes.
async fn requests(request: HttpRequest, floor: web::Data<Floor>) -> HttpResponse {
    match window(&request) {
        Ok((after, limit)) => HttpResponse::Ok().content_type("application/x-ndjson").body(floor.lock().requests.read(after, limit)),
        Err(error) => refusal(&error),
    }
}

/// Everything about every account, as the exchange has it.
async fn state(floor: web::Data<Floor>) -> HttpResponse {
    let guard = floor.lock();
    let state = &*guard;
    let mut j = Json::new();
    j.open().int("market", state.exchange.now().millis()).int("protocol", floor.clock.now().millis()).int("sockets", state.hub.sockets());
    j.int("groups", state.hub.barrier.joined()).int("ledgerRecords", state.exchange.log().records().len()).list_at("accounts");
    let all = PageQuery { from: Some(fulmar_domain::time::Timestamp::ZERO), to: None, from_id: None, limit: usize::MAX };
    for (account, key) in &state.names {
        let Ok(summary) = state.exchange.summary(*account) else { continue };
        let income = state.exchange.income(*account, None, None, all);
        let sum = income.iter().try_fold(Usdt::ZERO, |sum, i| sum.checked_add(i.amount)).unwrap_or(Usdt::MAX);
        j.open().text("account", key).dec("wallet", summary.balance.wallet, 8).dec("income", sum, 8).int("incomeRecords", income.len());
        j.list_at("positions");
        for p in state.exchange.positions(*account, None, false) {
            j.open().word("symbol", p.symbol.as_str()).word("side", p.side.as_str()).dec("qty", p.qty, 0).dec("entry", p.entry, 0).close();
        }
        j.end().list_at("openOrders");

        for o in state.exchange.open_orders(*account, None) {
            j.open().word("symbol", o.symbol.as_str()).int("orderId", o.order.0).text("clientOrderId", o.client_id.as_str());
            j.dec("qty", o.qty, 0).dec("filled", o.filled, 0).close();
        }
        j.end().list_at("openAlgoOrders");
        for o in state.exchange.open_algo_orders(*account, None) {
            j.open().word("symbol", o.symbol.as_str()).int("algoId", o.algo.0).text("clientAlgoId", o.client_id.as_str());
            j.word("type", o.order_type.as_str()).dec("trigger", o.trigger, 0).flag("closePosition", o.close_position).close();
        }
        j.end().close();
    }
    j.end().close();
    reply(StatusCode::OK, &j)
}
