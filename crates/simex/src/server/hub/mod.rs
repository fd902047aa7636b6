//! Who listens to what: sockets, their subscriptions, and the frames that go out to them.
//!
//! A frame is encoded once, only when somebody listens, and shared by all listeners. Frames reach each socket in the order in
//! which they were published. The hub is part of the exchange's state behind one lock, so that no frame of a later fact can
//! overtake one of an earlier fact.

mod market;
mod tamper;
mod topic;
mod user;

pub(crate) use market::{status_word, write_levels};
pub(crate) use tamper::{FrameFault, Tamper};
pub(crate) use topic::{Kind, Topic};
pub(crate) use user::{child_type, margin_word, match_word, working_word};

use super::json::Json;
use super::lockstep::{Barrier, SocketId};
use bytestring::ByteString;
use fulmar_domain::symbol::Symbol;
use market::DepthMerge;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc::UnboundedSender;

use crate::venue::{AccountId, Exchange, Interest, Kline};

/// What a socket's task is told to do.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// Send a text frame.
    Text(ByteString),
    /// Close politely with this WebSocket code and reason.
    Close(u16, &'static str),
    /// Drop the connection without a word.
    Cut,
}

/// A connected socket as the hub sees it.
#[derive(Debug)]
struct Socket {
    sender: UnboundedSender<Outgoing>,
    backlog: Arc<AtomicUsize>,
    combined: bool,
    /// Names in order of subscription.
    streams: Vec<String>,
    muted: bool,
    held: Option<ByteString>,
}

#[derive(Debug)]
struct Listeners {
    name: String,
    sockets: Vec<SocketId>,
}

#[derive(Debug)]
struct UserListener {
    socket: SocketId,
    /// Only these event types; empty for all.
    events: Vec<String>,
}

#[derive(Debug)]
struct UserTopic {
    account: AccountId,
    listeners: Vec<UserListener>,
}

/// Decimal places in which a contract is printed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Places {
    /// Of prices.
    pub(crate) price: u32,
    /// Of quantities.
    pub(crate) qty: u32,
}

/// Names that one message may subscribe, and that one socket may hold, are bounded by this many.
pub(crate) struct TooManyStreams;

/// All sockets and subscriptions.
#[derive(Debug)]
pub(crate) struct Hub {
    sockets: HashMap<SocketId, Socket>,
    next_socket: SocketId,
    topics: HashMap<Topic, Listeners>,
    users: BTreeMap<String, UserTopic>,
    places: HashMap<Symbol, Places>,
    buffer: Json,
    merges: HashMap<Topic, DepthMerge>,
    klines: HashMap<Topic, Kline>,
    slots: HashMap<Topic, i64>,
    due: Vec<Topic>,
    backlog_max: usize,
    streams_max: usize,
    /// Who has joined the barrier.
    pub(crate) barrier: Barrier,
    /// Faults on frames.
    pub(crate) tamper: Tamper,
}

impl Hub {
    /// Nobody listens yet.
    pub(crate) fn new(groups: usize, backlog_max: usize, streams_max: usize, seed: u64) -> Self {
        Self {
            sockets: HashMap::new(),
            next_socket: 1,
            topics: HashMap::new(),
            users: BTreeMap::new(),
            places: HashMap::new(),
            buffer: Json::new(),
            merges: HashMap::new(),
            klines: HashMap::new(),
            slots: HashMap::new(),
            due: Vec::new(),
            backlog_max,
            streams_max,
            barrier: Barrier::new(groups),
            tamper: Tamper::new(seed),
        }
    }
    /// Reads how contracts are printed.
    pub(crate) fn read_places(&mut self, exchange: &Exchange) {
        self.places = exchange.instruments().iter().map(|i| (i.symbol, Places { price: i.price_places, qty: i.qty_places })).collect();
    }
    /// How a contract is printed.
    pub(crate) fn places(&self, symbol: Symbol) -> Places {
        self.places.get(&symbol).copied().unwrap_or_default()
    }
    /// A socket came.
    pub(crate) fn connect(&mut self, sender: UnboundedSender<Outgoing>, backlog: Arc<AtomicUsize>, combined: bool) -> SocketId {
        let id = self.next_socket;
        self.next_socket += 1;
        self.sockets.insert(id, Socket { sender, backlog, combined, streams: Vec::new(), muted: false, held: None });
        id
    }
    /// A socket went.
    pub(crate) fn disconnect(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.remove(&id) {
            for name in socket.streams {
                self.leave_topic(id, &name);
            }
        }
        self.barrier.leave(id);
    }
    /// How many sockets there are.
    pub(crate) fn sockets(&self) -> usize {
        self.sockets.len()
    }
    /// Switches a socket between raw and combined frames (`SET_PROPERTY combined`).
    pub(crate) fn set_combined(&mut self, id: SocketId, combined: bool) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.combined = combined;
        }
    }
    /// Does the socket get combined frames?
    pub(crate) fn combined(&self, id: SocketId) -> bool {
        self.sockets.get(&id).is_some_and(|s| s.combined)
    }
    /// The names that a socket holds.
    pub(crate) fn streams(&self, id: SocketId) -> &[String] {
        self.sockets.get(&id).map_or(&[], |s| s.streams.as_slice())
    }
    /// Subscribes a socket to a stream. `user` is the account behind the name where it is a live listen key.
    pub(crate) fn subscribe(&mut self, id: SocketId, name: &str, user: Option<AccountId>, events: &[String]) -> Result<(), TooManyStreams> {
        let streams_max = self.streams_max;
        let Some(socket) = self.sockets.get_mut(&id) else { return Ok(()) };
        if socket.streams.iter().any(|s| s == name) {
            return Ok(());
        }
        if socket.streams.len() >= streams_max {
            return Err(TooManyStreams);
        }
        socket.streams.push(name.to_owned());
        if let Some(group) = name.strip_prefix("simex@barrier@") {
            if let Some(frame) = self.barrier.join(group, id) {
                self.send(id, ByteString::from(frame));
            }
        } else if let Some(account) = user {
            let topic = self.users.entry(name.to_owned()).or_insert_with(|| UserTopic { account, listeners: Vec::new() });
            topic.listeners.push(UserListener { socket: id, events: events.to_vec() });
        } else if let Some(topic) = Topic::parse(name) {
            self.topics.entry(topic).or_insert_with(|| Listeners { name: name.to_owned(), sockets: Vec::new() }).sockets.push(id);
        }
        Ok(())
    }
    /// Takes a stream from a socket.
    pub(crate) fn unsubscribe(&mut self, id: SocketId, name: &str) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.streams.retain(|s| s != name);
        }
        self.leave_topic(id, name);
        if let Some(group) = name.strip_prefix("simex@barrier@") {
            self.barrier.leave_group(group, id);
        }
    }
    fn leave_topic(&mut self, id: SocketId, name: &str) {
        if let Some(user) = self.users.get_mut(name) {
            user.listeners.retain(|l| l.socket != id);
            if user.listeners.is_empty() {
                self.users.remove(name);
            }
        }
        let Some(topic) = Topic::parse(name) else { return };
        if let Some(listeners) = self.topics.get_mut(&topic) {
            listeners.sockets.retain(|s| *s != id);
            if listeners.sockets.is_empty() {
                self.topics.remove(&topic);
                self.merges.remove(&topic);
                self.klines.remove(&topic);
                self.slots.remove(&topic);
            }
        }
    }
    /// Which public events of a contract have listeners.
    pub(crate) fn interest(&self, symbol: Symbol) -> Interest {
        let mut interest = Interest::default();
        for topic in self.topics.keys().filter(|t| t.symbol.is_none_or(|s| s == symbol)) {
            match topic.kind {
                Kind::AggTrade | Kind::Trade => interest.trades = true,
                Kind::Kline(timeframe) | Kind::ContinuousKline(timeframe) => interest = interest.with_kline(timeframe),
                Kind::BookTicker => interest.top = true,
                Kind::Depth(_) | Kind::Partial(..) => interest.depth = true,
                Kind::ForceOrder => interest.force_orders = true,
                // Read from the exchange when they are due.
                Kind::Mark(_) | Kind::Ticker | Kind::MiniTicker | Kind::ContractInfo => {}
            }
        }
        interest
    }
    /// Sends text to one socket: an answer to its own message, or a barrier.
    pub(crate) fn send(&mut self, id: SocketId, frame: ByteString) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            push(socket, frame, self.backlog_max);
        }
    }
    /// Sends a barrier to every joined socket and gives its number.
    pub(crate) fn send_barrier(&mut self, market_ms: i64, last: bool) -> u64 {
        let (number, frame, sockets) = self.barrier.send(market_ms, last);
        let frame = ByteString::from(frame);
        for id in sockets {
            self.send(id, frame.clone());
        }
        number
    }
    /// Drops matching sockets without a word, or silences them; gives how many. `stream` matches any part of a name that the
    /// socket holds, and everything when empty.
    pub(crate) fn strike(&mut self, stream: &str, mute: Option<bool>) -> usize {
        let mut struck = 0;
        for socket in self.sockets.values_mut().filter(|s| stream.is_empty() || s.streams.iter().any(|n| n.contains(stream))) {
            struck += 1;
            match mute {
                Some(silent) => socket.muted = silent,
                None => deliver(socket, Outgoing::Cut),
            }
        }
        struck
    }
    /// Closes every socket with this reason.
    pub(crate) fn close_all(&mut self, code: u16, reason: &'static str) {
        for socket in self.sockets.values_mut() {
            deliver(socket, Outgoing::Close(code, reason));
        }
    }

    /// Publishes what `write` writes to the listeners of a topic; nothing is encoded when there are none.
    fn publish(&mut self, topic: &Topic, write: impl FnOnce(&mut Json)) {
        let Some(listeners) = self.topics.get(topic) else { return };
        self.buffer.clear();
        write(&mut self.buffer);
        let (mut raw, mut wrapped) = (None, None);
        for id in &listeners.sockets {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            let frame = frame_for(socket.combined, &listeners.name, self.buffer.as_str(), &mut raw, &mut wrapped);
            self.tamper.pass(&listeners.name, socket, frame, self.backlog_max);
        }
    }
    /// Publishes an encoded user event.
    fn publish_user(&mut self, account: AccountId, event: &str, json: &str) {
        let mut sent = false;
        for (name, topic) in self.users.iter().filter(|(_, t)| t.account == account) {
            let (mut raw, mut wrapped) = (None, None);
            for listener in topic.listeners.iter().filter(|l| l.events.is_empty() || l.events.iter().any(|e| e == event)) {
                let Some(socket) = self.sockets.get_mut(&listener.socket) else { continue };
                let frame = frame_for(socket.combined, name, json, &mut raw, &mut wrapped);
                self.tamper.pass(event, socket, frame, self.backlog_max);
                sent = true;
            }
        }
        if sent {
            self.barrier.private_frame();
        }
    }
    /// Tells the listeners of a listen key that it is gone, and forgets the key.
    pub(crate) fn expire_key(&mut self, key: &str, now_ms: i64) {
        let Some(topic) = self.users.remove(key) else { return };
        let mut json = Json::new();
        json.open().word("e", "listenKeyExpired").int("E", now_ms).text("listenKey", key).close();
        let (mut raw, mut wrapped) = (None, None);
        for listener in &topic.listeners {
            let Some(socket) = self.sockets.get_mut(&listener.socket) else { continue };
            let frame = frame_for(socket.combined, key, json.as_str(), &mut raw, &mut wrapped);
            push(socket, frame, self.backlog_max);
        }
    }
}

fn frame_for(combined: bool, name: &str, json: &str, raw: &mut Option<ByteString>, wrapped: &mut Option<ByteString>) -> ByteString {
    if !combined {
        return raw.get_or_insert_with(|| ByteString::from(json)).clone();
    }
    wrapped
        .get_or_insert_with(|| {
            let mut text = String::with_capacity(json.len() + name.len() + 24);
            text.push_str("{\"stream\":\"");
            text.push_str(name);
            text.push_str("\",\"data\":");
            text.push_str(json);
            text.push('}');
            ByteString::from(text)
        })
        .clone()
}

fn push(socket: &mut Socket, frame: ByteString, backlog_max: usize) {
    if socket.muted {
        return;
    }
    if socket.backlog.load(Ordering::Relaxed) >= backlog_max {
        deliver(socket, Outgoing::Cut);
        return;
    }
    deliver(socket, Outgoing::Text(frame));
}

/// A send fails only when the socket's task has ended; it then takes itself out of the hub.
fn deliver(socket: &mut Socket, outgoing: Outgoing) {
    if socket.sender.send(outgoing).is_ok() {
        socket.backlog.fetch_add(1, Ordering::Relaxed);
    }
}
