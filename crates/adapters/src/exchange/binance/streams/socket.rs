//! One socket: dial, subscribe, read, notice silence, replace before it is too old, redial with growing, jittered waits.

use super::super::decode::{FRAME_BYTES_MAX, Frame, frame};
use super::super::venue::BinanceVenue;
use super::Route;
use super::hub::{Hub, Verdict};
use bytes::Bytes;
use fulmar_domain::symbol::Symbol;
use fulmar_ports::exchange::{BoxFuture, QueryError};
use futures_util::future::{Fuse, FutureExt, pending};
use futures_util::{SinkExt, StreamExt};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Streams per SUBSCRIBE.
const BATCH: usize = 50;
/// Between two requests on a socket: well below ten a second.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(150);
/// How long the exchange may take to confirm subscriptions.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);
/// A socket that lived this long starts its waits anew: the exchange is there, only the line was cut.
const STEADY: Duration = Duration::from_secs(1);
/// Number of the request that joins the barrier; subscriptions count from 1.
const JOIN_ID: i64 = 1_000_000;
/// Events wanted of the account; `TRADE_LITE` would only repeat.
const EVENTS: &str =
    "ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/ALGO_UPDATE/MARGIN_CALL/ACCOUNT_CONFIG_UPDATE/CONDITIONAL_ORDER_TRIGGER_REJECT/listenKeyExpired";

type Ws = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a socket carries.
#[derive(Debug, Clone)]
pub(super) struct SocketSpec {
    pub route: Route,
    pub base: String,
    pub streams: Vec<(Symbol, String)>,
}

/// What a socket can be told.
#[derive(Debug)]
pub(super) enum Control {
    Acknowledge(u64),
    Redial,
}

struct Conn {
    ws: Ws,
    /// Frames that came while subscriptions were being confirmed.
    early: Vec<Bytes>,
}

/// Runs a socket for ever.
pub(super) async fn run(
    hub: Rc<RefCell<Hub>>,
    venue: BinanceVenue,
    index: usize,
    spec: SocketSpec,
    mut control: mpsc::UnboundedReceiver<Control>,
    ready: Rc<watch::Sender<Vec<bool>>>,
) {
    let settings = venue.settings().clone();
    let mut rng = SmallRng::seed_from_u64(settings.seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut wait = settings.redial_min;
    loop {
        let dialled = Instant::now();
        let (reason, was_up) = match dial(&venue, &spec, index, &ready).await {
            Err(reason) => (reason, false),
            Ok(conn) => {
                hub.borrow_mut().up(index);
                let mut link = Link { hub: &hub, venue: &venue, index, spec: &spec, ready: &ready };
                (link.serve(conn, &mut control, &mut rng).await, true)
            }
        };
        tracing::warn!(route = ?spec.route, index, reason, "socket lost; dialling again");
        hub.borrow_mut().down(index, was_up);
        if was_up && dialled.elapsed() > STEADY {
            wait = settings.redial_min;
        }
        // Full jitter over the upper half, so that many sockets do not come back at once.
        sleep(wait.mul_f64(rng.random_range(0.5..=1.0))).await;
        wait = (wait * 2).min(settings.redial_max);
    }
}

async fn dial(venue: &BinanceVenue, spec: &SocketSpec, index: usize, ready: &watch::Sender<Vec<bool>>) -> Result<Conn, String> {
    let settings = venue.settings();
    let url = match spec.route {
        Route::Private => {
            let key = venue.listen_key().await.map_err(|e| format!("no listen key: {e}"))?;
            format!("{}/ws?listenKey={key}&events={EVENTS}", spec.base)
        }
        Route::Public | Route::Market => format!("{}/stream", spec.base),
    };
    let config =
        WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX)).max_frame_size(Some(FRAME_BYTES_MAX)).read_buffer_size(32 << 10);
    let opened = timeout(settings.connect_timeout, connect_async_with_config(url.as_str(), Some(config), true)).await;
    let (ws, _) = opened.map_err(|_| "not connected in time".to_owned())?.map_err(|e| format!("not connected: {e}"))?;
    let mut conn = Conn { ws, early: Vec::new() };
    let mut ids = Vec::new();
    for (batch, id) in spec.streams.chunks(BATCH).zip(1_i64..) {
        let names: Vec<&str> = batch.iter().map(|(_, name)| name.as_str()).collect();
        request(&mut conn.ws, "SUBSCRIBE", &serde_json::json!(names), id).await?;
        ids.push(id);
        sleep(BETWEEN_REQUESTS).await;
    }
    confirmed(&mut conn, ids).await?;
    if settings.lock_step {
        // Everything is subscribed on every socket before the first one joins: from the first join on the market may move.
        ready.send_modify(|all| {
            if let Some(mine) = all.get_mut(index) {
                *mine = true;
            }
        });
        let mut others = ready.subscribe();
        others.wait_for(|all| all.iter().all(|r| *r)).await.map_err(|e| e.to_string())?;
        let name = format!("simex@barrier@{}", settings.lock_step_group);
        request(&mut conn.ws, "SUBSCRIBE", &serde_json::json!([name]), JOIN_ID).await?;
    }
    Ok(conn)
}

async fn request(ws: &mut Ws, method: &str, params: &serde_json::Value, id: i64) -> Result<(), String> {
    let text = serde_json::json!({"method": method, "params": params, "id": id}).to_string();
    ws.send(Message::text(text)).await.map_err(|e| format!("{method} not sent: {e}"))
}

async fn confirmed(conn: &mut Conn, mut open: Vec<i64>) -> Result<(), String> {
    let until = Instant::now() + CONFIRM_WITHIN;
    while !open.is_empty() {
        let message = tokio::time::timeout_at(until, conn.ws.next()).await.map_err(|_| "subscriptions were not confirmed".to_owned())?;
        let Some(bytes) = text_of(message)? else { continue };
        match frame(&bytes) {
            Ok(Frame::Reply { id, refused: None }) => open.retain(|i| *i != id),
            Ok(Frame::Reply { refused: Some(why), .. }) => return Err(format!("subscription refused: {why}")),
            _ => conn.early.push(bytes),
        }
    }
    Ok(())
}

/// The text of a message; `None` for pings and pongs.
fn text_of(message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Result<Option<Bytes>, String> {
    match message {
        None => Err("closed by the exchange".to_owned()),
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(Message::Text(text))) => Ok(Some(Bytes::from(text))),
        Some(Ok(Message::Close(frame))) => Err(format!("closed by the exchange: {frame:?}")),
        Some(Ok(_)) => Ok(None),
    }
}

struct Link<'a> {
    hub: &'a Rc<RefCell<Hub>>,
    venue: &'a BinanceVenue,
    index: usize,
    spec: &'a SocketSpec,
    ready: &'a watch::Sender<Vec<bool>>,
}

type Dialling<'a> = Pin<Box<Fuse<Pin<Box<dyn Future<Output = Result<Conn, String>> + 'a>>>>>;

impl Link<'_> {
    fn take(&self, bytes: &[u8]) -> Result<(), String> {
        let verdict = self.hub.borrow_mut().on_frame(self.index, bytes);
        match verdict {
            Verdict::Go => Ok(()),
            Verdict::Redial(reason) => Err(reason),
            Verdict::KeyGone => Err("the listen key has expired".to_owned()),
        }
    }

    /// Serves a connection until it is lost; says why.
    async fn serve(&mut self, conn: Conn, control: &mut mpsc::UnboundedReceiver<Control>, rng: &mut SmallRng) -> String {
        match self.serve_until(conn, control, rng).await {
            Ok(never) => match never {},
            Err(reason) => reason,
        }
    }

    async fn serve_until(
        &mut self,
        conn: Conn,
        control: &mut mpsc::UnboundedReceiver<Control>,
        rng: &mut SmallRng,
    ) -> Result<std::convert::Infallible, String> {
        let settings = self.venue.settings();
        let half_open = settings.half_open_after;
        for bytes in &conn.early {
            self.take(bytes)?;
        }
        let mut ws = conn.ws;
        let mut heard = Instant::now();
        let mut pinged = false;
        let age = |rng: &mut SmallRng| Instant::now() + settings.socket_age_max.mul_f64(rng.random_range(0.95..=1.0));
        let mut replace_at = age(rng);
        let mut replacing: Option<Dialling<'_>> = None;
        let mut fading: Option<(Ws, Instant)> = None;
        let mut renew_at = Instant::now() + settings.key_renewal;
        let mut renewing: Option<BoxFuture<Result<(), QueryError>>> = None;
        loop {
            let quiet_until = heard + if pinged { half_open } else { half_open / 2 };
            let fade_until = fading.as_ref().map(|(_, until)| *until);
            tokio::select! {
                message = ws.next() => {
                    heard = Instant::now();
                    pinged = false;
                    match text_of(message) {
                        Ok(Some(bytes)) => self.take(&bytes)?,
                        Ok(None) => {}
                        Err(reason) => return Err(reason),
                    }
                }
                message = async { match &mut fading { Some((old, _)) => old.next().await, None => pending().await } } => {
                    match text_of(message) {
                        Ok(Some(bytes)) => self.take(&bytes)?,
                        Ok(None) => {}
                        Err(_) => fading = None,
                    }
                }
                () = async { match fade_until { Some(at) => sleep_until(at).await, None => pending().await } } => fading = None,
                () = sleep_until(quiet_until) => {
                    if pinged {
                        return Err(format!("silent for {half_open:?}, also to a ping"));
                    }
                    pinged = true;
                    // A peer that does not read must not hold us up beyond the limit.
                    match timeout(half_open / 2, ws.send(Message::Ping(Bytes::new()))).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => return Err(format!("ping not sent: {error}")),
                        Err(_) => return Err("silent, and a ping could not be sent".to_owned()),
                    }
                }
                told = control.recv() => match told {
                    Some(Control::Acknowledge(number)) => {
                        request(&mut ws, "ACK_BARRIER", &serde_json::json!([number]), 1).await?;
                    }
                    Some(Control::Redial) => return Err("a redial was asked for".to_owned()),
                    None => return pending().await,
                },
                () = sleep_until(renew_at), if self.spec.route == Route::Private && renewing.is_none() => {
                    renew_at = Instant::now() + settings.key_renewal;
                    renewing = Some(self.venue.extend_listen_key());
                }
                renewed = async { match &mut renewing { Some(call) => call.await, None => pending().await } } => {
                    renewing = None;
                    match renewed {
                        Ok(()) => {}
                        Err(QueryError::Refused(error)) => {
                            let reason = format!("the listen key is gone: {error}");
                            return Err(reason);
                        }
                        Err(error) => {
                            tracing::warn!(%error, "the listen key could not be extended; trying again in a minute");
                            renew_at = Instant::now() + Duration::from_secs(60);
                        }
                    }
                }
                () = sleep_until(replace_at), if replacing.is_none() && !settings.lock_step => {
                    replace_at = age(rng);
                    let dialling: Pin<Box<dyn Future<Output = Result<Conn, String>> + '_>> =
                        Box::pin(dial(self.venue, self.spec, self.index, self.ready));
                    replacing = Some(Box::pin(dialling.fuse()));
                }
                dialled = async { match &mut replacing { Some(call) => call.await, None => pending().await } } => {
                    replacing = None;
                    match dialled {
                        Ok(fresh) => {
                            tracing::info!(route = ?self.spec.route, "socket replaced before its age limit; both are read for a while");
                            let old = std::mem::replace(&mut ws, fresh.ws);
                            fading = Some((old, Instant::now() + settings.overlap));
                            heard = Instant::now();
                            pinged = false;
                            for bytes in &fresh.early {
                                self.take(bytes)?;
                            }
                        }
                        Err(reason) => {
                            tracing::warn!(reason, "the second socket could not be opened; trying again in a minute");
                            replace_at = Instant::now() + Duration::from_secs(60);
                        }
                    }
                }
            }
        }
    }
}
