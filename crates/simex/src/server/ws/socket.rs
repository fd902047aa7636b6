//! One stream socket: frames out in the order of the hub, messages in, heartbeat, end of life.

use super::super::floor::Floor;
use super::super::http::Wire;
use super::super::hub::Outgoing;
use super::super::lockstep::SocketId;
use super::command;
use actix_web::web;
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, MessageStream, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// Largest message from a client.
const MESSAGE_BYTES_MAX: usize = 65_536;
/// Frames taken from the queue at once.
const BATCH: usize = 256;

/// How a socket begins.
pub(super) struct Opening {
    /// Frames are wrapped with their stream's name.
    pub(super) combined: bool,
    /// Streams named in the address.
    pub(super) streams: Vec<String>,
    /// Only these user events.
    pub(super) events: Vec<String>,
}

/// Counts a client's messages within one second.
pub(super) struct Flood {
    limit: u32,
    since: Instant,
    seen: u32,
}
impl Flood {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, since: Instant::now(), seen: 0 }
    }
    /// One more; false when it is one too many.
    pub(super) fn allows(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            self.since = Instant::now();
            self.seen = 0;
        }
        self.seen += 1;
        self.limit == 0 || self.seen <= self.limit
    }
}

/// Closes politely; a peer that is gone needs no farewell.
pub(super) async fn farewell(session: Session, code: u16, text: &str) {
    let reason = CloseReason { code: CloseCode::from(code), description: Some(text.to_owned()) };
    if session.close(Some(reason)).await.is_err() {
        tracing::debug!(text, "the peer was gone before it could be told");
    }
}

/// Serves a socket until it ends.
pub(super) async fn run(floor: web::Data<Floor>, opening: Opening, mut session: Session, messages: MessageStream, wire: Option<Arc<Wire>>) {
    let mut messages = messages.max_frame_size(MESSAGE_BYTES_MAX).aggregate_continuations().max_continuation_size(MESSAGE_BYTES_MAX);
    let (sender, mut queue) = mpsc::unbounded_channel();
    let backlog = Arc::new(AtomicUsize::new(0));
    let id = floor.lock().hub.connect(sender, Arc::clone(&backlog), opening.combined);
    let guard = Disconnect { floor: floor.clone(), id };
    if command::subscribe(&floor, id, &opening.streams, &opening.events).is_err() {
        farewell(session, 1008, "Too many streams").await;
        return;
    }
    let config = floor.config.clone();
    let begun = Instant::now();
    let mut pings = interval_at(begun + config.ping_every, config.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = begun + config.connection_life.unwrap_or(Duration::from_secs(86_400 * 365));
    let mut heard = begun;
    let mut flood = Flood::new(config.messages_per_second);
    // In lock-step each barrier is acknowledged by a message: their number is bounded by the market itself.
    let counted = !config.lock_step;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            taken = queue.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    break;
                }
                backlog.fetch_sub(taken, Ordering::Relaxed);
                for outgoing in batch.drain(..) {
                    match outgoing {
                        Outgoing::Text(text) => {
                            if session.text(text).await.is_err() {
                                return;
                            }
                        }
                        Outgoing::Close(code, text) => {
                            farewell(session, code, text).await;
                            return;
                        }
                        Outgoing::Cut => {
                            if let Some(wire) = &wire {
                                wire.cut();
                            }
                            return;
                        }
                    }
                }
            }
            message = messages.recv() => {
                let Some(Ok(message)) = message else { break };
                if counted && !matches!(message, AggregatedMessage::Close(_)) && !flood.allows() {
                    farewell(session, 1008, "Too many requests").await;
                    return;
                }
                match message {
                    AggregatedMessage::Text(text) => command::answer(&floor, id, &text),
                    AggregatedMessage::Ping(data) => {
                        if session.pong(&data).await.is_err() {
                            break;
                        }
                    }
                    AggregatedMessage::Pong(_) => heard = Instant::now(),
                    AggregatedMessage::Binary(_) => {}
                    AggregatedMessage::Close(_) => {
                        farewell(session, 1000, "").await;
                        return;
                    }
                }
            }
            _ = pings.tick() => {
                if heard.elapsed() > config.pong_within {
                    farewell(session, 1008, "Pong timeout").await;
                    return;
                }
                let now = floor.clock.now().millis().to_string();
                if session.ping(now.as_bytes()).await.is_err() {
                    break;
                }
            }
            () = sleep_until(end), if config.connection_life.is_some() => {
                farewell(session, 1001, "24 hours").await;
                return;
            }
        }
    }
    drop(guard);
}

/// Takes the socket out of the hub, however its task ends.
struct Disconnect {
    floor: web::Data<Floor>,
    id: SocketId,
}
impl Drop for Disconnect {
    fn drop(&mut self) {
        {
            let mut state = self.floor.lock();
            state.hub.disconnect(self.id);
            state.read_interest();
        }
        self.floor.wake();
    }
}
