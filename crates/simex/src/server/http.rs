//! The HTTP server: turns requests into [`door`] requests and its replies into responses.

use super::door::{self, HttpAnswer, Reply, Request};
use super::floor::Floor;
use super::{rest, sim, ws};
use actix_web::dev::ServerHandle as ActixHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

/// Largest request body.
const BODY_BYTES_MAX: usize = 65_536;

const USED_WEIGHT: HeaderName = HeaderName::from_static("x-mbx-used-weight-1m");
const ORDERS_10S: HeaderName = HeaderName::from_static("x-mbx-order-count-10s");
const ORDERS_1M: HeaderName = HeaderName::from_static("x-mbx-order-count-1m");
const API_KEY: HeaderName = HeaderName::from_static("x-mbx-apikey");

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("simex cannot serve on {address}: {source}; choose another address with --listen or stop what holds this one")]
pub struct ServeError {
    address: String,
    source: std::io::Error,
}

/// A running server.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    address: SocketAddr,
    inner: ActixHandle,
    floor: Arc<Floor>,
}
impl ServerHandle {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
    /// Closes all sockets and stops.
    pub async fn stop(&self) {
        {
            let mut state = self.floor.lock();
            state.hub.close_all(1001, "server shut down");
            if let Err(error) = state.flush_ledger() {
                tracing::error!("{error}");
            }
        }
        self.inner.stop(true).await;
    }
}

/// A second handle on the connection's socket, so that a fault can break it at any moment.
pub(crate) struct Wire(Option<TcpStream>);
impl Wire {
    /// Breaks the connection; what was not sent yet is lost.
    pub(crate) fn cut(&self) {
        if let Some(stream) = &self.0
            && let Err(error) = stream.shutdown(Shutdown::Both)
        {
            tracing::debug!(%error, "the connection was gone before the fault could break it");
        }
    }
}

/// Starts serving `floor` on `listener`; connections are handled by threads of their own. Must be called within a tokio
/// runtime; the server runs on a runtime of its own and ends with [`ServerHandle::stop`].
///
/// # Errors
/// [`ServeError`] when the listener cannot be used or no thread can be started.
pub fn serve(listener: TcpListener, floor: Arc<Floor>) -> Result<ServerHandle, ServeError> {
    let local = listener.local_addr();
    let fail = |source| ServeError { address: local.as_ref().map_or_else(|_| "?".to_owned(), ToString::to_string), source };
    let address = listener.local_addr().map_err(fail)?;
    let shared = web::Data::from(Arc::clone(&floor));
    let workers = floor.config.workers.max(1);
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("simex-http".to_owned()).spawn(move || {
        let system = actix_web::rt::System::new();
        let built = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
                .configure(ws::routes)
                .configure(sim::routes)
                .default_service(web::to(any))
        })
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(1)
        .keep_alive(std::time::Duration::from_secs(75))
        .on_connect(|connection: &dyn Any, data| {
            let tcp = connection.downcast_ref::<actix_web::rt::net::TcpStream>();
            // Frames are small and each one counts: none waits for company.
            if let Some(Err(error)) = tcp.map(|t| t.set_nodelay(true)) {
                tracing::debug!(%error, "cannot switch off Nagle's algorithm");
            }
            data.insert(Arc::new(Wire(tcp.and_then(|t| t.as_fd().try_clone_to_owned().ok()).map(TcpStream::from))));
        })
        .listen(listener);
        match built {
            Err(error) => {
                if sender.send(Err(error)).is_err() {
                    tracing::warn!("nobody waits for the server any more");
                }
            }
            Ok(server) => {
                let server = server.run();
                if sender.send(Ok(server.handle())).is_err() {
                    tracing::warn!("nobody waits for the server any more");
                }
                if let Err(error) = system.block_on(server) {
                    tracing::error!(%error, "the simulated exchange stopped serving");
                }
            }
        }
    });
    if let Err(error) = thread {
        return Err(fail(error));
    }
    let inner = receiver.recv().map_err(|_| fail(std::io::Error::other("the server thread ended")))?.map_err(fail)?;
    Ok(ServerHandle { address, inner, floor })
}

/// The wire of a request's connection.
pub(crate) fn wire_of(request: &HttpRequest) -> Option<Arc<Wire>> {
    request.conn_data::<Arc<Wire>>().cloned()
}

async fn any(request: HttpRequest, body: web::Bytes, floor: web::Data<Floor>) -> HttpResponse {
    let (method, path) = (request.method().as_str(), request.path());
    let Some(endpoint) = rest::find(method, path) else {
        let (status, text) = if rest::exists(path) {
            (405, format!("Request method '{method}' not supported"))
        } else {
            (404, format!("Path {path}, Method {method} is invalid"))
        };
        return plain(&HttpAnswer {
            status,
            body: door::error_body(&crate::venue::ApiError { code: -5000, http: status, msg: text }),
            used_weight: 0,
            orders: None,
            retry_after: None,
        });
    };
    let Ok(text) = std::str::from_utf8(&body) else {
        let error = crate::venue::ApiError::new(-1100, "Illegal characters found in the body.");
        return plain(&HttpAnswer { status: 400, body: door::error_body(&error), used_weight: 0, orders: None, retry_after: None });
    };
    let key = request.headers().get(API_KEY).and_then(|v| v.to_str().ok());
    let from = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |a| a.ip());
    let asked = Request { endpoint, query: request.query_string(), body: text, key, from };
    match door::serve(&floor, asked).await {
        Reply::Answer(answer) => plain(&answer),
        Reply::Drop => {
            if let Some(wire) = wire_of(&request) {
                wire.cut();
            }
            HttpResponse::build(StatusCode::BAD_GATEWAY).force_close().finish()
        }
    }
}

fn plain(answer: &HttpAnswer) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    response.insert_header((USED_WEIGHT, HeaderValue::from(answer.used_weight)));
    if let Some(counts) = answer.orders {
        response.insert_header((ORDERS_10S, HeaderValue::from(counts.ten_seconds)));
        response.insert_header((ORDERS_1M, HeaderValue::from(counts.minute)));
    }
    if let Some(seconds) = answer.retry_after {
        response.insert_header((RETRY_AFTER, HeaderValue::from(seconds)));
    }
    response.body(answer.body.clone())
}
