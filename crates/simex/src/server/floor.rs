//! The trading floor: the exchange, its listeners, keys, limits, faults and log behind one lock, and the clock beside it.
//!
//! Everything that changes the exchange goes through here, so that the frames about a fact leave before the next fact can
//! happen. The run loop moves the market with [`Floor::advance`]; in lock-step it then sends a barrier and waits for it.

use super::clock::ProtocolClock;
use super::config::ServerConfig;
use super::faults::Faults;
use super::hub::Hub;
use super::limits::Limits;
use super::listen_keys::ListenKeys;
use super::requests::RequestLog;
use crate::source::Step;
use crate::venue::{AccountId, Emission, Exchange};
use fulmar_domain::time::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;
use tokio::sync::Notify;

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) exchange: Exchange,
    pub(crate) hub: Hub,
    pub(crate) keys: ListenKeys,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) requests: RequestLog,
    ledger_failure: Option<String>,
    pub(crate) out: Vec<Emission>,
    /// Secret by API key.
    pub(crate) secrets: BTreeMap<String, String>,
    /// API key by account.
    pub(crate) names: BTreeMap<AccountId, String>,
}

impl State {
    /// Sends everything that the exchange has put out, in order.
    pub(crate) fn publish(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        for emission in &out {
            match emission {
                Emission::User { account, time, event } => self.hub.publish_user_event(*account, *time, event),
                Emission::Market { time, event } => self.hub.publish_market(*time, event),
            }
        }
        out.clear();
        self.out = out;
    }
    /// Tells the exchange which public events have listeners.
    pub(crate) fn read_interest(&mut self) {
        for instrument in self.exchange.instruments() {
            let interest = self.hub.interest(instrument.symbol);
            self.exchange.set_interest(instrument.symbol, interest);
        }
    }
    /// Opens (or finds) the account of an API key.
    pub(crate) fn open_account(&mut self, key: &str, secret: &str) -> AccountId {
        let account = self.exchange.open_account(key);
        self.secrets.insert(key.to_owned(), secret.to_owned());
        self.names.insert(account, key.to_owned());
        account
    }
    /// Brings the ledger into its file.
    pub(crate) fn flush_ledger(&mut self) -> Result<(), String> {
        self.ledger_failure.clone().map_or(Ok(()), Err)?;
        self.exchange.log_mut().flush()
    }
    fn expire_keys(&mut self, now: Timestamp) {
        for key in self.keys.expired(now) {
            self.hub.expire_key(&key, now.millis());
        }
    }
}

/// The exchange with its protocol side; shared by the server and the run loop.
#[derive(Debug)]
pub struct Floor {
    state: Mutex<State>,
    pub(crate) clock: ProtocolClock,
    pub(crate) config: ServerConfig,
    moved: Notify,
}

impl Floor {
    /// Opens the floor on an exchange, with an account for each configured API key. A ledger file that cannot be made is
    /// told by [`Floor::flush_ledger`]; the ledger in memory is whole all the same.
    #[must_use]
    pub fn new(mut exchange: Exchange, config: ServerConfig) -> Arc<Self> {
        let mut ledger_failure = None;
        if let Some(path) = &config.ledger.file {
            match File::create(path) {
                Ok(file) => exchange.log_mut().write_to(Box::new(BufWriter::new(file))),
                Err(error) => {
                    let text = format!("the exchange ledger {} cannot be made: {error}", path.display());
                    tracing::error!("{text}");
                    ledger_failure = Some(text);
                }
            }
        }
        let clock = if config.lock_step { ProtocolClock::market(exchange.now()) } else { ProtocolClock::Wall };
        let backlog = if config.lock_step { usize::MAX } else { config.backlog_frames_max };
        let mut hub = Hub::new(config.groups, backlog, config.streams_per_connection, config.seed);
        hub.read_places(&exchange);
        let mut state = State {
            exchange,
            hub,
            keys: ListenKeys::new(config.listen_key_ms, config.seed),
            limits: Limits::new(config.limits.clone()),
            faults: Faults::new(config.seed),
            requests: RequestLog::default(),
            ledger_failure,
            out: Vec::new(),
            secrets: BTreeMap::new(),
            names: BTreeMap::new(),
        };
        for account in &config.accounts {
            state.open_account(&account.key, &account.secret);
        }
        state.publish();
        Arc::new(Self { state: Mutex::new(state), clock, config, moved: Notify::new() })
    }
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
    /// The barrier may have moved: wakes whoever waits for it.
    pub(crate) fn wake(&self) {
        self.moved.notify_waiters();
    }
    /// Works on the exchange directly, without going through the protocol. What it puts out through
    /// [`Floor::advance`] and requests is published; what `work` collects itself is not.
    pub fn with_exchange<R>(&self, work: impl FnOnce(&mut Exchange) -> R) -> R {
        work(&mut self.lock().exchange)
    }
    /// Opens (or finds) an account with its API key and secret.
    pub fn open_account(&self, key: &str, secret: &str) -> AccountId {
        let mut state = self.lock();
        let account = state.open_account(key, secret);
        state.publish();
        account
    }
    /// Brings the exchange's ledger into its file, where there is one; [`ServerHandle::stop`](super::ServerHandle::stop) and
    /// every reading of `/sim/ledger` do it, too.
    ///
    /// # Errors
    /// Why the file is not whole.
    pub fn flush_ledger(&self) -> Result<(), String> {
        self.lock().flush_ledger()
    }
    /// Market time.
    #[must_use]
    pub fn market_now(&self) -> Timestamp {
        self.lock().exchange.now()
    }
    /// Applies one instant of the market and sends everything that follows from it.
    pub fn advance(&self, step: &Step) {
        let mut guard = self.lock();
        let state = &mut *guard;
        self.clock.advance(step.time);
        state.exchange.advance(step, &mut state.out);
        self.settle(state);
    }
    /// Lets market time pass without an event.
    pub fn tick(&self, now: Timestamp) {
        let mut guard = self.lock();
        let state = &mut *guard;
        self.clock.advance(now);
        state.exchange.tick(now, &mut state.out);
        self.settle(state);
    }
    fn settle(&self, state: &mut State) {
        state.publish();
        let market = state.exchange.now();
        state.hub.flush(market, &state.exchange);
        // In lock-step an hour may pass between two steps, before any client could renew: keys then end by a fault only.
        if !self.config.lock_step {
            state.expire_keys(self.clock.now());
        }
    }

    // Lock-step -----------------------------------------------------------------------------------------------------

    /// How many groups have joined the barrier.
    #[must_use]
    pub fn joined_groups(&self) -> usize {
        self.lock().hub.barrier.joined()
    }
    /// Waits until as many groups have joined as the configuration asks for.
    pub async fn groups_joined(&self) {
        self.until(|state| state.hub.barrier.complete()).await;
    }
    /// Sends a barrier at the present market time to every joined socket, after everything that was sent before. Gives its
    /// number. `last` says that no market event follows. Send one before the first step, too: sockets that join later get
    /// the standing barrier at once, so that a group acknowledges only when all its sockets are there.
    pub fn send_barrier(&self, last: bool) -> u64 {
        let mut state = self.lock();
        let now = state.exchange.now().millis();
        state.hub.send_barrier(now, last)
    }
    /// Waits until every joined group has acknowledged barrier `number`, and at least the configured number of groups is
    /// there.
    pub async fn acknowledged(&self, number: u64) {
        self.until(|state| state.hub.barrier.passed(number)).await;
    }
    /// User-data frames that went out since the newest barrier was sent; where there are any, a further barrier is due
    /// before market time goes on.
    #[must_use]
    pub fn private_frames_since_barrier(&self) -> u64 {
        self.lock().hub.barrier.private_frames()
    }
    async fn until(&self, reached: impl Fn(&State) -> bool) {
        loop {
            let moved = self.moved.notified();
            let mut moved = std::pin::pin!(moved);
            moved.as_mut().enable();
            if reached(&self.lock()) {
                return;
            }
            moved.await;
        }
    }
}
