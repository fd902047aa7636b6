//! The engine seen from outside: REST and WebSocket under `/api/v1`, metrics at `/metrics`, one page at `/`.
//!
//! Reads the view, sends commands through a desk, never touches trading state: an API that is slow, stuck or under attack
//! changes no order. [`serve`] checks where it may listen, binds, and gives the server to run.

pub mod desk;
pub mod error;
pub mod guard;
pub mod input;
mod page;
mod rest;
mod ws;

use crate::view::LiveView;
use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, middleware, web};
use desk::{CommandDesk, HealthDesk, SupervisionDesk};
use fulmar_ports::store::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How the API listens. All of it comes from the settings.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Where; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Server threads.
    pub workers: usize,
    /// How long a signal's verdict is awaited before 202.
    pub verdict_wait: Duration,
    /// A WebSocket client that takes nothing for so long is dropped.
    pub slow_reader_max: Duration,
    /// WebSocket clients at once.
    pub ws_clients_max: usize,
    /// Connections at once, per worker.
    pub connections_max: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            workers: 2,
            verdict_wait: Duration::from_secs(1),
            slow_reader_max: Duration::from_secs(5),
            ws_clients_max: 2_048,
            connections_max: 4_096,
        }
    }
}

/// Who is asked.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Program version.
    pub version: String,
    /// `simex`, `testnet`, `paper`, `live` or `replay`.
    pub mode: String,
    /// Name or URL of the exchange.
    pub exchange: String,
    /// Name of this instance, as in its client order ids.
    pub instance: String,
}

/// What the API reads and whom it asks.
#[derive(Clone)]
pub struct ApiState {
    /// Who is asked.
    pub identity: Identity,
    /// Token that every call needs; none: loopback only.
    pub token: Option<String>,
    /// The read model.
    pub view: Arc<LiveView>,
    /// Takes commands.
    pub commands: Arc<dyn CommandDesk>,
    /// Shows the tree.
    pub supervision: Arc<dyn SupervisionDesk>,
    /// Answers how the parts do.
    pub health: Arc<dyn HealthDesk>,
    /// Answers questions about the past; `None` where no store is configured.
    pub store: Option<Arc<dyn Store>>,
    /// Renders the process's metrics; `None` where no recorder is installed.
    pub metrics: Option<PrometheusHandle>,
}

/// What all workers share.
#[derive(Clone)]
struct Shared {
    config: Arc<ApiConfig>,
    started: Instant,
    ws_clients: Arc<AtomicUsize>,
    ws_kicked: Arc<AtomicUsize>,
}

/// Why the API does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It may not listen there.
    #[error(transparent)]
    Refused(#[from] guard::ListenRefused),
    /// It cannot listen there.
    #[error("api cannot listen on {addr}: {source}")]
    Bind {
        /// Where.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A task that ends with its owner.
#[derive(Debug)]
struct Pulse(tokio::task::JoinHandle<()>);
impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A bound API.
pub struct Api {
    /// To be awaited; answers only while it is.
    pub server: Server,
    /// Stops it: `handle.stop(true).await`.
    pub handle: ServerHandle,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Keeps the supervision channel fed; the server serves without it, but that channel stands still once this is dropped.
    pub pulse: ApiPulse,
}

/// Keeps the supervision channel fed for as long as it lives.
#[derive(Debug)]
pub struct ApiPulse {
    _task: Pulse,
}

/// How often the supervision tree is looked at.
const TREE_EVERY: Duration = Duration::from_millis(200);

/// Looks at the tree and shows it when it changed.
async fn show_tree(view: std::sync::Weak<LiveView>, desk: Arc<dyn SupervisionDesk>) {
    let mut shown = None;
    loop {
        let Some(view) = view.upgrade() else { return };
        let tree = desk.tree();
        let timeless = tree.timeless();
        if shown.as_ref() != Some(&timeless) {
            if let Ok(json) = crate::view::decimal::to_json(&tree) {
                view.show_supervision(json);
            }
            shown = Some(timeless);
        }
        drop(view);
        tokio::time::sleep(TREE_EVERY).await;
    }
}

/// Binds the API. Call inside a tokio runtime; then await [`Api::server`] there. Signals are left to the caller.
///
/// # Errors
/// [`ServeError`].
pub fn serve(config: ApiConfig, state: ApiState) -> Result<Api, ServeError> {
    guard::check_listen(config.listen, state.token.as_deref())?;
    let bind = |source| ServeError::Bind { addr: config.listen, source };
    let listener = TcpListener::bind(config.listen).map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;
    let pulse = ApiPulse { _task: Pulse(tokio::spawn(show_tree(Arc::downgrade(&state.view), Arc::clone(&state.supervision)))) };
    let shared = Shared {
        config: Arc::new(config.clone()),
        started: Instant::now(),
        ws_clients: Arc::new(AtomicUsize::new(0)),
        ws_kicked: Arc::new(AtomicUsize::new(0)),
    };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(state.clone()))
            .app_data(web::Data::new(shared.clone()))
            .wrap(middleware::from_fn(guard::guard))
            .configure(rest::routes)
            .configure(page::routes)
            .default_service(web::to(rest::nowhere))
    })
    .workers(config.workers.max(1))
    .max_connections(config.connections_max)
    .client_request_timeout(Duration::from_secs(5))
    .client_disconnect_timeout(Duration::from_secs(1))
    .keep_alive(Duration::from_secs(30))
    .shutdown_timeout(2)
    .disable_signals()
    .listen(listener)
    .map_err(bind)?
    .run();
    Ok(Api { handle: server.handle(), server, addr, pulse })
}

impl Shared {
    fn ws_now(&self) -> usize {
        self.ws_clients.load(Ordering::Relaxed)
    }
}
