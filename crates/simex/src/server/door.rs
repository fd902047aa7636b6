//! What every REST request passes, in this order: fault, weight, key, signature, timestamp, order count, matching engine.
//!
//! Invariant: a request that is answered with an error of the door has changed nothing.

use super::faults::RequestFault;
use super::floor::{Floor, State};
use super::limits::{OrderCounts, Throttled};
use super::params::{self, Params};
use super::rest::{Call, Endpoint, Security};
use super::signing;
use crate::venue::{AccountId, ApiError};
use fulmar_domain::time::Timestamp;
use std::net::IpAddr;
use std::time::Duration;

/// `recvWindow` where none is sent.
const RECV_WINDOW_DEFAULT_MS: i64 = 5_000;
/// Largest `recvWindow`.
const RECV_WINDOW_MAX_MS: i64 = 60_000;
/// How far ahead of the server a timestamp may be.
const AHEAD_MS: i64 = 1_000;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) query: &'a str,
    pub(crate) body: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) from: IpAddr,
}

/// What goes back.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer.
    Answer(Box<HttpAnswer>),
    /// Nothing: the connection breaks.
    Drop,
}

/// An answer with the headers that Binance sends.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) used_weight: u32,
    pub(crate) orders: Option<OrderCounts>,
    pub(crate) retry_after: Option<i64>,
}

/// An error body.
pub(crate) fn error_body(error: &ApiError) -> String {
    let mut j = super::json::Json::new();
    j.open().int("code", error.code).text("msg", &error.msg).close();
    j.into_string()
}

fn refused(error: &ApiError, used_weight: u32) -> HttpAnswer {
    HttpAnswer { status: error.http, body: error_body(error), used_weight, orders: None, retry_after: None }
}
fn throttled(t: &Throttled, used_weight: u32) -> HttpAnswer {
    HttpAnswer { retry_after: Some(t.retry_after_secs), ..refused(&t.error, used_weight) }
}

/// −1021.
pub(crate) fn outside_window() -> ApiError {
    ApiError::new(-1021, "Timestamp for this request is outside of the recvWindow.")
}
/// −5028.
pub(crate) fn rejected_by_engine() -> ApiError {
    ApiError::new(-5028, "Timestamp for this request is outside of the ME recvWindow.")
}

/// When a request was signed and how long it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed {
    timestamp: i64,
    window: i64,
}
impl Signed {
    /// Reads `timestamp` and `recvWindow`.
    pub(crate) fn read(params: &Params) -> Result<Self, ApiError> {
        let timestamp = params.int("timestamp")?.ok_or_else(|| params::mandatory("timestamp"))?;
        let window = params.int("recvWindow")?.unwrap_or(RECV_WINDOW_DEFAULT_MS);
        if !(0..=RECV_WINDOW_MAX_MS).contains(&window) {
            return Err(ApiError::new(-1131, "recvWindow must be less than 60000"));
        }
        Ok(Self { timestamp, window })
    }
    /// `timestamp < serverTime + 1000 && serverTime − timestamp <= recvWindow`.
    pub(crate) const fn holds(self, now: Timestamp) -> bool {
        self.timestamp < now.millis().saturating_add(AHEAD_MS) && now.millis().saturating_sub(self.timestamp) <= self.window
    }
}

/// The account behind an API key.
pub(crate) fn account_of(state: &State, key: Option<&str>) -> Result<AccountId, ApiError> {
    let well_formed = |k: &&str| !k.is_empty() && k.len() <= 128 && k.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let key = key.filter(well_formed).ok_or_else(|| ApiError { code: -2014, http: 401, msg: "API-key format invalid.".to_owned() })?;
    let unknown = || ApiError { code: -2015, http: 401, msg: "Invalid API-key, IP, or permissions for action.".to_owned() };
    if !state.secrets.contains_key(key) {
        return Err(unknown());
    }
    state.exchange.account_of(key).ok_or_else(unknown)
}

fn authenticate(
    state: &State,
    request: &Request<'_>,
    params: &Params,
    now: Timestamp,
) -> Result<(Option<AccountId>, Option<Signed>), ApiError> {
    if request.endpoint.security == Security::Public {
        return Ok((None, None));
    }
    let account = account_of(state, request.key)?;
    if request.endpoint.security == Security::Key {
        return Ok((Some(account), None));
    }
    let (query, body, signature) = params::signed_parts(request.query, request.body, params);
    let signed = Signed::read(params)?;
    let signature = signature.filter(|s| !s.is_empty()).ok_or_else(|| params::mandatory("signature"))?;
    if !signed.holds(now) {
        return Err(outside_window());
    }
    let secret = request.key.and_then(|k| state.secrets.get(k)).map_or("", String::as_str);
    if !signing::verifies(secret, &[query.as_bytes(), body.as_bytes()], &signature) {
        return Err(ApiError::new(-1022, "Signature for this request is not valid."));
    }
    Ok((Some(account), Some(signed)))
}

/// Does a throttling spare this request: a cancel, or an order that only reduces?
fn is_exempt(method: &str, params: &Params) -> bool {
    let yes = |name: &str| params.get(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    method == "DELETE" || yes("reduceOnly") || yes("closePosition")
}

/// Takes a request through all of it.
pub(crate) async fn serve(floor: &Floor, request: Request<'_>) -> Reply {
    let endpoint = request.endpoint;
    let key = request.key.unwrap_or("");
    let params = match Params::read(request.query, request.body) {
        Ok(params) => params,
        Err(error) => return answer(refused(&error, 0)),
    };
    let (fault, used) = {
        let mut guard = floor.lock();
        let state = &mut *guard;
        let now = floor.clock.now();
        let spares = |fault: &RequestFault| {
            matches!(fault, RequestFault::Unavailable { text: super::faults::Text503::D, .. }) && is_exempt(endpoint.method, &params)
        };
        let fault = state.faults.strike(endpoint.method, endpoint.path, key, spares);
        let used = match state.limits.request(request.from, (endpoint.weight)(&params), now) {
            Ok(used) => used,
            Err(over) => {
                let used = state.limits.used(request.from, now);
                return answer(throttled(&over, used));
            }
        };
        if let Some(reply) = before_execution(state, &request, fault.as_ref(), used, now) {
            state.requests.request(now, endpoint.method, endpoint.path, key, &params, (0, 0));
            return reply;
        }
        (fault, used)
    };
    // The door's own checks come first; a delay lies between the door and the matching engine.
    let passed = {
        let state = floor.lock();
        authenticate(&state, &request, &params, floor.clock.now())
    };
    let (account, signed) = match passed {
        Ok(passed) => passed,
        Err(error) => {
            let mut state = floor.lock();
            state.requests.request(floor.clock.now(), endpoint.method, endpoint.path, key, &params, (error.http, error.code));
            return answer(refused(&error, used));
        }
    };
    let mut aged = 0;
    if let Some(RequestFault::Delay { ms }) = fault {
        if floor.config.lock_step {
            aged = i64::try_from(ms).unwrap_or(i64::MAX);
        } else {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }
    let done = execute(floor, &request, &params, account, signed, used, aged);
    floor.wake();
    after_execution(fault.as_ref(), done, used)
}

fn answer(answer: HttpAnswer) -> Reply {
    Reply::Answer(Box::new(answer))
}

/// Faults that end a request before anything is executed.
fn before_execution(state: &mut State, request: &Request<'_>, fault: Option<&RequestFault>, used: u32, now: Timestamp) -> Option<Reply> {
    let reply = match fault? {
        RequestFault::DropBefore => return Some(Reply::Drop),
        RequestFault::Unavailable { text, execute: false } => unavailable(*text, used),
        RequestFault::Timeout { execute: false } => timeout(used),
        RequestFault::TooManyRequests { retry_after } => throttled(
            &Throttled {
                error: ApiError {
                    code: -1003,
                    http: 429,
                    msg: "Too many requests; please use the websocket for live updates to avoid polling the API.".to_owned(),
                },
                retry_after_secs: *retry_after,
            },
            used,
        ),
        RequestFault::Banned { ms } => throttled(&state.limits.ban(request.from, *ms, now), used),
        RequestFault::BadTimestamp => refused(&outside_window(), used),
        RequestFault::RecvWindow => refused(&rejected_by_engine(), used),
        RequestFault::Delay { .. } | RequestFault::DropAfter | RequestFault::Unavailable { .. } | RequestFault::Timeout { .. } => {
            return None;
        }
    };
    Some(answer(reply))
}

/// Faults that take the answer away after the request was executed.
fn after_execution(fault: Option<&RequestFault>, done: HttpAnswer, used: u32) -> Reply {
    match fault {
        Some(RequestFault::DropAfter) => Reply::Drop,
        Some(RequestFault::Unavailable { text, .. }) => answer(unavailable(*text, used)),
        Some(RequestFault::Timeout { .. }) => answer(timeout(used)),
        _ => answer(done),
    }
}

fn unavailable(text: super::faults::Text503, used: u32) -> HttpAnswer {
    let (code, msg) = text.body();
    refused(&ApiError { code, http: 503, msg: msg.to_owned() }, used)
}
fn timeout(used: u32) -> HttpAnswer {
    let msg = "Timeout waiting for response from backend server. Send status unknown; execution status unknown.".to_owned();
    refused(&ApiError { code: -1007, http: 408, msg }, used)
}

fn execute(
    floor: &Floor,
    request: &Request<'_>,
    params: &Params,
    account: Option<AccountId>,
    signed: Option<Signed>,
    used: u32,
    aged: i64,
) -> HttpAnswer {
    let endpoint = request.endpoint;
    let mut guard = floor.lock();
    let state = &mut *guard;
    let now = floor.clock.now();
    let key = request.key.unwrap_or("");
    let outcome = run(state, request, params, account, signed, now, aged);
    state.publish();
    let (mut done, code) = match outcome {
        Ok((body, orders)) => (HttpAnswer { status: 200, body, used_weight: used, orders, retry_after: None }, 0),
        Err(over) => {
            let code = over.error.code;
            let mut done = refused(&over.error, used);
            done.retry_after = (over.retry_after_secs > 0).then_some(over.retry_after_secs);
            (done, code)
        }
    };
    done.used_weight = used;
    if endpoint.security != Security::Public {
        state.requests.request(now, endpoint.method, endpoint.path, key, params, (done.status, code));
    }
    done
}

fn run(
    state: &mut State,
    request: &Request<'_>,
    params: &Params,
    account: Option<AccountId>,
    signed: Option<Signed>,
    now: Timestamp,
    aged: i64,
) -> Result<(String, Option<OrderCounts>), Throttled> {
    let plain = |error: ApiError| Throttled { error, retry_after_secs: 0 };
    let endpoint = request.endpoint;
    if endpoint.engine && signed.is_some_and(|s| !s.holds(Timestamp(now.millis().saturating_add(aged)))) {
        return Err(plain(rejected_by_engine()));
    }
    let key = request.key.unwrap_or("");
    let mut counts = None;
    if endpoint.orders > 0 {
        counts = Some(state.limits.order(key, (endpoint.order_count)(params), now)?);
    }
    let mut call = Call {
        exchange: &mut state.exchange,
        hub: &mut state.hub,
        keys: &mut state.keys,
        out: &mut state.out,
        limits: &state.limits,
        account: account.unwrap_or(AccountId(u32::MAX)),
        key,
        params,
        now,
    };
    (endpoint.run)(&mut call).map(|json| (json.into_string(), counts)).map_err(plain)
}
