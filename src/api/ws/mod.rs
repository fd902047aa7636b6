//! WebSocket at `/api/v1/ws`: subscribe to channels, get a snapshot, then every frame with its number.
//!
//! Clients pull: each knows the last number that it was sent per channel and takes what came since from the shared rings, so a
//! slow one costs a place in a ring and nothing else, and is dropped when it takes nothing for five seconds.
//! Invariant: a client's numbers grow by one per frame of a channel, or a snapshot says that it begins anew.

mod protocol;

use super::error::ApiError;
use super::{ApiState, Shared};
use crate::view::ring::Channel;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, ProtocolError, Session};
use bytestring::ByteString;
use fulmar_domain::symbol::Symbol;
use protocol::{Order, error_frame};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Where it is.
pub(super) const PATH: &str = "/api/v1/ws";
/// Largest message of a client.
const CLIENT_BYTES_MAX: usize = 64 * 1024;
/// Up to here a message that is too large is still read to its end, so that the client hears why it is closed: hanging up on
/// unread bytes would reset the connection before the reason arrives.
const READ_BYTES_MAX: usize = 4 * CLIENT_BYTES_MAX;
/// Frames taken from a ring at once.
const TAKE_MAX: usize = 256;
/// A client is pinged this often, and dropped when nothing came from it for three times as long.
const PING_EVERY: Duration = Duration::from_secs(15);

/// Counts a client for as long as it lives.
struct Place(Arc<AtomicUsize>);
impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Subscription {
    seen: u64,
    symbols: Vec<Symbol>,
}

/// Why a client's time is over.
enum End {
    Gone,
    TooSlow,
    Close(CloseCode, &'static str),
}

const TOO_LARGE: End = End::Close(CloseCode::Size, "a message has at most 65536 bytes");

struct Client {
    session: Session,
    state: Data<ApiState>,
    patience: Duration,
    subscriptions: BTreeMap<Channel, Subscription>,
}

impl Client {
    async fn send(&mut self, text: ByteString) -> Result<(), End> {
        match tokio::time::timeout(self.patience, self.session.text(text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_closed)) => Err(End::Gone),
            Err(_) => Err(End::TooSlow),
        }
    }

    /// Sends a channel from its beginning: the snapshot.
    async fn snapshot(&mut self, channel: Channel) -> Result<(), End> {
        let Some(subscription) = self.subscriptions.get_mut(&channel) else { return Ok(()) };
        let frame = self.state.view.model().snapshot(channel, &subscription.symbols);
        subscription.seen = frame.seq;
        self.send(frame.text).await
    }

    /// Sends all that came since.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let (mut texts, mut anew, mut more) = (vec![], vec![], false);
            {
                let model = self.state.view.model();
                for (channel, subscription) in &mut self.subscriptions {
                    if model.last(*channel) == subscription.seen {
                        continue;
                    }
                    let Some(frames) = model.after(*channel, subscription.seen, TAKE_MAX) else {
                        anew.push(*channel);
                        continue;
                    };
                    more |= frames.len() == TAKE_MAX;
                    for frame in frames {
                        subscription.seen = frame.seq;
                        texts.extend(if subscription.symbols.is_empty() { Some(frame.text) } else { frame.only(&subscription.symbols) });
                    }
                }
            }
            for text in texts {
                self.send(text).await?;
            }
            for channel in anew {
                self.snapshot(channel).await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn obey(&mut self, text: &str) -> Result<(), End> {
        match protocol::read(text) {
            Err(problem) => self.send(problem).await,
            Ok(Order::Ping(data)) => self.send(protocol::pong(data.as_deref())).await,
            Ok(Order::Unsubscribe(channels)) => {
                for channel in channels {
                    self.subscriptions.remove(&channel);
                    self.send(protocol::unsubscribed(channel)).await?;
                }
                Ok(())
            }
            Ok(Order::Subscribe(wanted)) => {
                for want in wanted {
                    let resumes = want.from.filter(|from| {
                        let model = self.state.view.model();
                        let same = want.stream.as_deref().is_none_or(|s| s == model.stream());
                        same && model.after(want.channel, *from, 0).is_some()
                    });
                    let seen = resumes.unwrap_or(0);
                    self.subscriptions.insert(want.channel, Subscription { seen, symbols: want.symbols });
                    if resumes.is_none() {
                        self.snapshot(want.channel).await?;
                    }
                }
                self.catch_up().await
            }
        }
    }
}

async fn serve(mut client: Client, mut messages: actix_ws::AggregatedMessageStream) -> (Session, End) {
    let mut changed = client.state.view.watch();
    let mut heard = Instant::now();
    let mut ping = tokio::time::interval(PING_EVERY);
    let end = loop {
        let step = tokio::select! {
            message = messages.recv() => {
                heard = Instant::now();
                match message {
                    None => Err(End::Gone),
                    Some(Ok(AggregatedMessage::Text(text))) if text.len() > CLIENT_BYTES_MAX => Err(TOO_LARGE),
                    Some(Ok(AggregatedMessage::Binary(bytes))) if bytes.len() > CLIENT_BYTES_MAX => Err(TOO_LARGE),
                    Some(Ok(AggregatedMessage::Text(text))) => client.obey(&text).await,
                    Some(Ok(AggregatedMessage::Binary(_))) => client.send(error_frame("text_expected", "messages are JSON text")).await,
                    Some(Ok(AggregatedMessage::Ping(bytes))) => client.session.pong(&bytes).await.map_err(|_| End::Gone),
                    Some(Ok(AggregatedMessage::Pong(_))) => Ok(()),
                    Some(Ok(AggregatedMessage::Close(_))) => Err(End::Close(CloseCode::Normal, "")),
                    Some(Err(ProtocolError::Overflow)) => Err(TOO_LARGE),
                    Some(Err(_)) => Err(End::Close(CloseCode::Protocol, "not a WebSocket frame that can be read")),
                }
            }
            alive = changed.changed() => match alive {
                Ok(()) => client.catch_up().await,
                Err(_) => Err(End::Close(CloseCode::Away, "the engine stops")),
            },
            _ = ping.tick() => {
                if heard.elapsed() > PING_EVERY * 3 {
                    Err(End::TooSlow)
                } else {
                    match tokio::time::timeout(client.patience, client.session.ping(b"")).await {
                        Ok(sent) => sent.map_err(|_| End::Gone),
                        Err(_) => Err(End::TooSlow),
                    }
                }
            }
        };
        if let Err(end) = step {
            break end;
        }
    };
    (client.session, end)
}

/// Opens a connection.
pub(super) async fn open(
    request: HttpRequest,
    state: Data<ApiState>,
    shared: Data<Shared>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let places = Arc::clone(&shared.ws_clients);
    let place = Place(Arc::clone(&places));
    if places.fetch_add(1, Ordering::Relaxed) >= shared.config.ws_clients_max {
        return Err(ApiError::unavailable("too_many_clients", "all places for WebSocket clients are taken: try again later"));
    }
    let (answer, session, messages) =
        actix_ws::handle(&request, payload).map_err(|error| ApiError::bad_request(format!("this path speaks WebSocket: {error}")))?;
    let messages = messages.max_frame_size(READ_BYTES_MAX).aggregate_continuations().max_continuation_size(READ_BYTES_MAX);
    let client = Client { session, state, patience: shared.config.slow_reader_max, subscriptions: BTreeMap::new() };
    actix_web::rt::spawn(async move {
        let _place = place;
        let (session, end) = serve(client, messages).await;
        match end {
            End::Gone => {}
            End::TooSlow => {
                shared.ws_kicked.fetch_add(1, Ordering::Relaxed);
                tracing::info!("WebSocket client dropped: it took nothing for {} s", shared.config.slow_reader_max.as_secs());
            }
            End::Close(code, text) => {
                let reason = CloseReason { code, description: Some(text.to_owned()).filter(|t| !t.is_empty()) };
                let closing = tokio::time::timeout(Duration::from_secs(1), session.close(Some(reason))).await;
                if !matches!(closing, Ok(Ok(()))) {
                    tracing::debug!("WebSocket client was gone before it could be told");
                }
            }
        }
    });
    Ok(answer)
}
