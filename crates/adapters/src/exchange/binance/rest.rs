//! One way to the exchange's REST: budget, signature, transport, and a verdict on every answer.
//!
//! A call that changes something is signed before it crosses to the io runtime and goes on there in a task of its own, so
//! dropping the future that waits for it never drops the order. Invariant: a verdict of "failed" is only given when the
//! request certainly was not executed; everything else is unknown until its fence.

use super::budget::{Budget, Use, UsedHeaders};
use super::clock::{JUMP_REPORTED, PROBES, Probe, VenueClock};
use super::errors::{Class, classify, read_error};
use super::settings::BinanceSettings;
use super::sign::{Query, Signer};
use bytes::Bytes;
use fulmar_domain::execution::Outcome;
use fulmar_domain::order::VenueError;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::exchange::{BoxFuture, QueryError};
use parking_lot::Mutex;
use reqwest::{Method, header::HeaderMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Waits between tries of a request that certainly failed (Binance, 503 "Service Unavailable").
const RETRY_MS: [u64; 3] = [200, 400, 800];
/// Largest answer that is read: `exchangeInfo` has about 2 MB.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// How often the clock is measured anew.
const RESYNC_EVERY: Duration = Duration::from_secs(300);

/// What a request needs besides its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// Nothing.
    Open,
    /// The key in the header.
    Key,
    /// Key and signature, with this receive window.
    Signed(Span),
}

/// A request before it is signed.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub method: Method,
    pub path: &'static str,
    pub query: Query,
    pub security: Security,
    pub weight: u32,
    pub orders: u32,
    pub purpose: Use,
    /// Nothing whose timestamp + receive window lies beyond this is signed.
    pub sign_until: Option<Timestamp>,
}

impl Call {
    pub const fn new(method: Method, path: &'static str, query: Query, security: Security, weight: u32) -> Self {
        Self { method, path, query, security, weight, orders: 0, purpose: Use::Normal, sign_until: None }
    }
    pub const fn order(mut self) -> Self {
        self.orders = 1;
        self
    }
    pub const fn for_risk(mut self, risk: bool) -> Self {
        if risk {
            self.purpose = Use::Risk;
        }
        self
    }
}

/// A request ready for the wire.
#[derive(Debug, Clone)]
struct Ready {
    url: String,
    timestamp: Timestamp,
}

/// What came of one try.
enum Answer {
    Ok(Bytes),
    Not(Class, VenueError),
    /// Certainly never left.
    NotSent(String),
    /// Left, or may have; no answer.
    Lost(String),
}

/// The way to REST, shared by everything that asks.
#[derive(Debug)]
pub(super) struct Rest {
    pub settings: BinanceSettings,
    pub clock: Arc<VenueClock>,
    pub budget: Budget,
    http: reqwest::Client,
    runtime: Handle,
    signer: Signer,
    slots: Semaphore,
    dead_key: Mutex<Option<VenueError>>,
    resync: tokio::sync::Mutex<Option<Duration>>,
}

/// The adapter could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// TLS or the client could not be made.
    #[error("no HTTP client for {url}: {why}")]
    Client {
        /// REST address.
        url: String,
        /// The cause.
        why: String,
    },
}

impl Rest {
    pub fn new(settings: BinanceSettings, runtime: Handle) -> Result<Arc<Self>, SetupError> {
        let failed = |why: String| SetupError::Client { url: settings.rest_url.clone(), why };
        if rustls::crypto::CryptoProvider::get_default().is_none() && rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("another thread has installed the TLS provider");
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.request_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .http1_only()
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent("fulmar");
        if is_loopback(&settings.rest_url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| failed(e.to_string()))?;
        let rest = Arc::new(Self {
            signer: Signer::new(&settings.api_secret),
            clock: Arc::new(VenueClock::new(settings.lock_step)),
            budget: Budget::new(settings.limits, !settings.lock_step),
            slots: Semaphore::new(settings.rest_concurrency.max(1)),
            dead_key: Mutex::new(None),
            resync: tokio::sync::Mutex::new(None),
            http,
            runtime,
            settings,
        });
        if !rest.settings.lock_step {
            let weak = Arc::downgrade(&rest);
            drop(rest.runtime.spawn(async move {
                loop {
                    tokio::time::sleep(RESYNC_EVERY).await;
                    let Some(rest) = weak.upgrade() else { return };
                    if let Err(error) = rest.sync_clock(true).await {
                        tracing::warn!(%error, "the exchange's clock could not be measured");
                    }
                }
            }));
        }
        Ok(rest)
    }

    /// Why signing has stopped, if it has.
    pub fn dead_key(&self) -> Option<VenueError> {
        self.dead_key.lock().clone()
    }
    /// Signing may go on: the key was put right.
    pub fn revive_key(&self) {
        *self.dead_key.lock() = None;
    }

    fn build(&self, call: &Call) -> Result<Ready, VenueError> {
        let timestamp = self.clock.now();
        let text = match call.security {
            Security::Open => call.query.as_str().to_owned(),
            Security::Key => call.query.as_str().to_owned(),
            Security::Signed(window) => {
                if call.sign_until.is_some_and(|until| timestamp.plus(window) > until) {
                    let message = "not signed: it could reach the exchange after the lease has ended".to_owned();
                    return Err(VenueError { code: 0, message });
                }
                let missing = || VenueError { code: 0, message: "not signed: no API secret is set".to_owned() };
                self.signer.sign(&call.query, window, timestamp).ok_or_else(missing)?
            }
        };
        let mut url = String::with_capacity(self.settings.rest_url.len() + call.path.len() + text.len() + 1);
        url.push_str(&self.settings.rest_url);
        url.push_str(call.path);
        if !text.is_empty() {
            url.push('?');
            url.push_str(&text);
        }
        Ok(Ready { url, timestamp })
    }

    /// One try, without retry. Counts headers, throttles and bans.
    async fn try_once(&self, call: &Call, ready: &Ready) -> Answer {
        let mut request = self.http.request(call.method.clone(), &ready.url);
        if call.security != Security::Open {
            request = request.header("X-MBX-APIKEY", self.settings.api_key.expose());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => return Answer::NotSent(describe(error)),
            Err(error) => return Answer::Lost(describe(error)),
        };
        let status = response.status().as_u16();
        let now = self.clock.now();
        self.budget.adopt(used(response.headers()), now);
        let retry_after = number(response.headers(), "retry-after");
        let body = match read_body(response).await {
            Ok(body) => body,
            Err(why) if (200..300).contains(&status) => return Answer::Lost(why),
            Err(_) => Bytes::new(),
        };
        if (200..300).contains(&status) {
            return Answer::Ok(body);
        }
        let error = read_error(status, &body);
        let class = classify(status, &error, retry_after, now.millis());
        match &class {
            Class::Banned(wait) => {
                tracing::error!(path = call.path, %error, wait_ms = wait.0, "banned by the exchange: no request until the ban ends");
                self.budget.banned(*wait, now);
            }
            Class::Throttled(wait) => {
                tracing::warn!(path = call.path, %error, wait_ms = wait.0, "throttled by the exchange");
                self.budget.throttled(*wait, call.purpose, now);
            }
            Class::KeyDead if call.security != Security::Open => {
                let mut dead = self.dead_key.lock();
                if dead.is_none() {
                    tracing::error!(path = call.path, %error, "the exchange refuses the API key: signing stops until it is put right");
                    *dead = Some(error.clone());
                }
            }
            _ => {}
        }
        Answer::Not(class, error)
    }

    /// Is this call allowed at all right now?
    fn stopped(&self, call: &Call) -> Option<VenueError> {
        if call.security == Security::Open { None } else { self.dead_key() }
    }

    /// Sends a call that changes something. The first request is signed here, on the caller's thread.
    pub fn change(self: &Arc<Self>, call: Call) -> BoxFuture<Outcome<Bytes>> {
        let first = self.build(&call);
        let fallback = self.fence(self.clock.now());
        let rest = Arc::clone(self);
        let task = self.runtime.spawn(async move { rest.change_now(call, first).await });
        Box::pin(async move {
            task.await.unwrap_or_else(|error| Outcome::Unknown {
                error: VenueError { code: 0, message: format!("the request's task ended early: {error}") },
                fence: fallback,
            })
        })
    }

    /// From when on "not found" can be believed about an order signed at `timestamp`.
    pub fn fence(&self, timestamp: Timestamp) -> Timestamp {
        timestamp.plus(self.settings.recv_window_orders).plus(self.settings.fence_margin)
    }

    async fn change_now(&self, call: Call, first: Result<Ready, VenueError>) -> Outcome<Bytes> {
        let not_executed = |error: VenueError, retry_after: Span| Outcome::NotExecuted { error, retry_after };
        let Ok(_slot) = self.slots.acquire().await else {
            return not_executed(VenueError { code: 0, message: "the adapter is closing".to_owned() }, Span::secs(1));
        };
        let mut ready = first;
        let mut clock_tries = 0;
        let mut tries = RETRY_MS.iter();
        loop {
            let request = match ready {
                Ok(request) => request,
                Err(error) => return not_executed(error, Span::secs(1)),
            };
            if let Some(error) = self.stopped(&call) {
                return Outcome::Refused(error);
            }
            let now = self.clock.now();
            // A request that waited long for its turn would be refused by its age alone.
            if matches!(call.security, Security::Signed(window) if now.since(request.timestamp).0 > window.0 / 2) {
                ready = self.build(&call);
                continue;
            }
            if let Err(wait) = self.budget.admit(call.weight, call.orders, call.purpose, now) {
                let message = "not sent: the request budget is spent".to_owned();
                return not_executed(VenueError { code: 0, message }, wait);
            }
            match self.try_once(&call, &request).await {
                Answer::Ok(body) => return Outcome::Done(body),
                Answer::NotSent(why) => return not_executed(VenueError { code: 0, message: format!("not sent: {why}") }, Span(500)),
                Answer::Lost(why) => {
                    let error = VenueError { code: 0, message: format!("no answer: {why}") };
                    return Outcome::Unknown { error, fence: self.fence(request.timestamp) };
                }
                Answer::Not(Class::Unknown, error) => return Outcome::Unknown { error, fence: self.fence(request.timestamp) },
                Answer::Not(Class::Refused | Class::KeyDead, error) => return Outcome::Refused(error),
                Answer::Not(Class::Throttled(wait) | Class::Banned(wait), error) => return not_executed(error, wait),
                Answer::Not(Class::Clock, error) => {
                    clock_tries += 1;
                    if clock_tries > 1 || self.sync_clock(true).await.is_err() {
                        return not_executed(error, Span::secs(1));
                    }
                }
                Answer::Not(Class::Retry, error) => match tries.next() {
                    Some(wait) => tokio::time::sleep(Duration::from_millis(*wait)).await,
                    None => return not_executed(error, Span::secs(1)),
                },
            }
            ready = self.build(&call);
        }
    }

    /// Asks. Goes on in a task of its own on the io runtime, to which pooled connections are bound.
    pub fn ask(self: &Arc<Self>, call: Call) -> BoxFuture<Result<Bytes, QueryError>> {
        let rest = Arc::clone(self);
        let task = self.runtime.spawn(async move { rest.ask_now(call).await });
        Box::pin(async move {
            task.await.unwrap_or_else(|error| Err(QueryError::Unreachable(format!("the request's task ended early: {error}"))))
        })
    }

    /// Asks from within the io runtime.
    pub async fn ask_now(&self, call: Call) -> Result<Bytes, QueryError> {
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(QueryError::Unreachable("the adapter is closing".to_owned()));
        };
        let mut synced = false;
        loop {
            if let Some(error) = self.stopped(&call) {
                return Err(QueryError::Refused(error));
            }
            self.budget.admit(call.weight, call.orders, call.purpose, self.clock.now()).map_err(QueryError::Throttled)?;
            let request = self.build(&call).map_err(QueryError::Refused)?;
            return match self.try_once(&call, &request).await {
                Answer::Ok(body) => Ok(body),
                Answer::NotSent(why) | Answer::Lost(why) => Err(QueryError::Unreachable(format!("{}: {why}", call.path))),
                Answer::Not(Class::Throttled(wait) | Class::Banned(wait), _) => Err(QueryError::Throttled(wait)),
                Answer::Not(Class::Clock, _) if !synced => {
                    synced = true;
                    self.sync_clock(true).await?;
                    continue;
                }
                Answer::Not(Class::Unknown | Class::Retry | Class::Clock, error) => {
                    Err(QueryError::Unreachable(format!("{}: {error}", call.path)))
                }
                Answer::Not(_, error) if error.code == -2013 => Err(QueryError::NotFound),
                Answer::Not(_, error) => Err(QueryError::Refused(error)),
            };
        }
    }

    /// Measures the exchange's clock by several calls of `time`. Without `force` only when it was never measured.
    pub async fn sync_clock(&self, force: bool) -> Result<(), QueryError> {
        let asked = self.clock.elapsed();
        let mut last = self.resync.lock().await;
        if (!force && self.clock.is_synced()) || last.is_some_and(|at| at > asked) {
            return Ok(()); // somebody else measured while we waited
        }
        let mut probes = Vec::with_capacity(PROBES);
        for _ in 0..PROBES {
            let call = time_call();
            self.budget.admit(call.weight, 0, call.purpose, self.clock.now()).map_err(QueryError::Throttled)?;
            let ready = self.build(&call).map_err(QueryError::Refused)?;
            let sent = self.clock.elapsed();
            let answer = self.try_once(&call, &ready).await;
            let answered = self.clock.elapsed();
            match answer {
                Answer::Ok(body) => probes.push(Probe { sent, answered, server: super::answers::server_time(&body)? }),
                Answer::Not(Class::Throttled(wait) | Class::Banned(wait), _) => return Err(QueryError::Throttled(wait)),
                Answer::Not(_, error) => return Err(QueryError::Unreachable(format!("time: {error}"))),
                Answer::NotSent(why) | Answer::Lost(why) => return Err(QueryError::Unreachable(format!("time: {why}"))),
            }
        }
        let moved = self.clock.adopt(&probes);
        let jump = self.clock.wall_jump();
        if jump.0.abs() > JUMP_REPORTED.0 {
            tracing::warn!(jump_ms = jump.0, "the machine's wall clock has jumped; the exchange's clock is kept by the monotonic one");
        }
        tracing::debug!(moved_ms = moved.0, "exchange clock measured");
        *last = Some(self.clock.elapsed());
        Ok(())
    }

    /// Runs something on the io runtime and gives its answer to any thread.
    pub fn on_runtime<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> BoxFuture<Result<T, QueryError>> {
        let task = self.runtime.spawn(work);
        Box::pin(async move {
            task.await.unwrap_or_else(|error| Err(QueryError::Unreachable(format!("the request's task ended early: {error}"))))
        })
    }
    /// Runs a change of several steps on the io runtime.
    pub fn change_on_runtime<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Outcome<T>> + Send + 'static,
    ) -> BoxFuture<Outcome<T>> {
        let fence = self.fence(self.clock.now());
        let task = self.runtime.spawn(work);
        Box::pin(async move {
            task.await.unwrap_or_else(|error| Outcome::Unknown {
                error: VenueError { code: 0, message: format!("the request's task ended early: {error}") },
                fence,
            })
        })
    }
}

/// `GET /fapi/v1/time`.
pub(super) fn time_call() -> Call {
    Call::new(Method::GET, "/fapi/v1/time", Query::new(), Security::Open, 1)
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]")
}

/// The error without its address, which holds the signed query.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

async fn read_body(mut response: reqwest::Response) -> Result<Bytes, String> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(format!("the answer has more than {ANSWER_BYTES_MAX} bytes")),
            Ok(None) => return Ok(Bytes::from(body)),
            Err(error) => return Err(describe(error)),
        }
    }
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn used(headers: &HeaderMap) -> UsedHeaders {
    UsedHeaders {
        weight_1m: number(headers, "x-mbx-used-weight-1m"),
        orders_10s: number(headers, "x-mbx-order-count-10s"),
        orders_1m: number(headers, "x-mbx-order-count-1m"),
    }
}
