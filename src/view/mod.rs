//! The view: everything that the outside sees, kept apart from trading.
//!
//! [`LiveView`] is the [`Outlook`] behind the lanes. On a trading thread it does three things: exact counts, a push into an
//! inbox behind a short mutex, and a wake-up where somebody waits for a verdict. Its own thread takes the inbox up, keeps the
//! read model and the numbered frames of each channel.
//! Invariant: showing never blocks and never fails; under overload the display is thinned and says so, counts stay exact.

pub mod decimal;
pub mod market;
pub mod model;
pub mod ring;
pub mod shape;
pub mod summary;

use fulmar_domain::id::{DecisionId, StrategyId};
use fulmar_domain::market::{MarketEvent, Timeframe};
use fulmar_domain::record::Record;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Now;
use fulmar_ports::outlook::{Happening, Outlook};
use market::{Market, Newest};
use model::Model;
use parking_lot::{Condvar, Mutex, MutexGuard};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use summary::{Counts, Summary};
use tokio::sync::watch;

/// Facts that may wait for the view's thread; beyond, they are counted and left out of display.
const INBOX_MAX: usize = 262_144;
/// How long the view's thread waits for an urgent fact before it looks for others.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A strategy as configured.
#[derive(Debug, Clone)]
pub struct StrategyInfo {
    /// Name of the instance, owner of its orders.
    pub id: StrategyId,
    /// Name as users know it, such as `EmaRsiStrategy`.
    pub name: String,
    /// Other names by which the API finds it.
    pub aliases: Vec<String>,
    /// Contracts.
    pub symbols: Vec<Symbol>,
    /// Bars that it decides on.
    pub timeframe: Timeframe,
    /// Leverage of its entries.
    pub leverage: u16,
}

/// Whether a strategy may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyState {
    /// It decides and enters.
    Running,
    /// It makes no entries until it is resumed.
    Paused,
    /// Its supervisor gave it up.
    Disabled,
}

/// What the view is told at the start.
#[derive(Debug, Clone)]
pub struct ViewConfig {
    /// Contracts traded.
    pub symbols: Vec<Symbol>,
    /// Strategies.
    pub strategies: Vec<StrategyInfo>,
    /// Names of the columns of indicator values (`Layout::columns`).
    pub columns: Vec<String>,
    /// Bars and indicator rows kept per symbol and timeframe.
    pub bars_kept: usize,
    /// Prices and positions go out at most this often.
    pub flush_every: Duration,
    /// Name of this run, such as its start in milliseconds: letters, digits and `-` only.
    pub stream: String,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all are of the large kind; boxing would cost an allocation on a trading thread")]
enum Item {
    Shown(Happening, Now),
    Voided(DecisionId, String),
}

#[derive(Debug, Default)]
struct Inbox {
    items: Vec<Item>,
    newest: BTreeMap<Symbol, Newest>,
}

/// The read model with its thread.
#[derive(Debug)]
pub struct LiveView {
    config: ViewConfig,
    inbox: Mutex<Inbox>,
    urgent: Condvar,
    model: Mutex<Model>,
    states: Mutex<BTreeMap<StrategyId, StrategyState>>,
    counts: Counts,
    changed: watch::Sender<u64>,
    stopped: AtomicBool,
}

impl LiveView {
    /// Starts the view with its thread, which ends when the view is dropped or stopped.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(config: ViewConfig) -> std::io::Result<Arc<Self>> {
        let view = Arc::new(Self::still(config));
        let (weak, flush_every) = (Arc::downgrade(&view), view.config.flush_every);
        std::thread::Builder::new().name("view".to_owned()).spawn(move || {
            let mut flushed = Instant::now();
            while let Some(view) = weak.upgrade() {
                if view.stopped.load(Ordering::Acquire) {
                    break;
                }
                {
                    let mut inbox = view.inbox.lock();
                    if inbox.items.is_empty() {
                        view.urgent.wait_for(&mut inbox, LOOK_EVERY);
                    }
                }
                let due = flushed.elapsed() >= flush_every;
                if due {
                    flushed = Instant::now();
                }
                view.take_up(due);
            }
        })?;
        Ok(view)
    }

    /// A view without a thread: [`LiveView::take_up`] is called by the owner. For tests and replays.
    #[must_use]
    pub fn still(config: ViewConfig) -> Self {
        let market = Market::new(&config.symbols, config.columns.clone(), config.bars_kept.max(1));
        Self {
            model: Mutex::new(Model::new(market, config.stream.clone())),
            states: Mutex::new(config.strategies.iter().map(|s| (s.id, StrategyState::Running)).collect()),
            config,
            inbox: Mutex::default(),
            urgent: Condvar::new(),
            counts: Counts::default(),
            changed: watch::Sender::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.urgent.notify_all();
    }

    /// Brings the model up to what was shown so far. `flush`: also put out gathered prices and positions.
    pub fn take_up(&self, flush: bool) {
        let mut model = self.model.lock();
        let Inbox { items, newest } = std::mem::take(&mut *self.inbox.lock());
        let nothing = items.is_empty();
        for item in items {
            match item {
                Item::Shown(happening, now) => model.take(happening, now),
                Item::Voided(decision, cause) => model.voided(decision, &cause),
            }
        }
        for (symbol, came) in newest {
            model.newest(symbol, came);
        }
        if flush {
            model.flush();
        }
        drop(model);
        if flush || !nothing {
            self.changed.send_modify(|n| *n += 1);
        }
    }

    /// The model, locked: for reading, and shortly.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock()
    }
    /// As told at the start.
    #[must_use]
    pub const fn config(&self) -> &ViewConfig {
        &self.config
    }
    /// Tells when the model has changed.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
    /// The exact counts so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.counts.read()
    }
    /// A tap on the journal's recorder: counts what is journalled and not shown, and learns of voided orders.
    pub fn recorded(&self, record: &Record) {
        self.counts.recorded(record);
        if let Record::OrderVoided { decision, cause, .. } = record {
            self.push(Item::Voided(*decision, cause.clone()), true);
        }
    }
    /// The strategy of that instance name, name or alias.
    #[must_use]
    pub fn find_strategy(&self, name: &str) -> Option<&StrategyInfo> {
        self.config.strategies.iter().find(|s| s.id.as_str() == name || s.name == name || s.aliases.iter().any(|a| a == name))
    }
    /// Notes the state of one strategy, or of all that are not disabled. The API does so when a pause or resume was accepted;
    /// recovery and supervision when they find it otherwise.
    pub fn set_strategy_state(&self, strategy: Option<StrategyId>, state: StrategyState) {
        for (id, known) in self.states.lock().iter_mut() {
            if strategy == Some(*id) || (strategy.is_none() && *known != StrategyState::Disabled) {
                *known = state;
            }
        }
    }
    /// The state of a strategy.
    #[must_use]
    pub fn strategy_state(&self, strategy: StrategyId) -> StrategyState {
        self.states.lock().get(&strategy).copied().unwrap_or(StrategyState::Disabled)
    }
    /// Shows the supervision tree, as JSON.
    pub fn show_supervision(&self, json: String) {
        self.model.lock().supervision(json);
        self.changed.send_modify(|n| *n += 1);
    }

    fn push(&self, item: Item, urgent: bool) {
        let mut inbox = self.inbox.lock();
        if inbox.items.len() >= INBOX_MAX {
            drop(inbox);
            self.counts.left_out();
            return;
        }
        inbox.items.push(item);
        drop(inbox);
        if urgent {
            self.urgent.notify_one();
        }
    }
}

impl Outlook for LiveView {
    fn show(&self, happening: Happening, now: Now) {
        self.counts.shown(&happening);
        match happening {
            Happening::Market(event) => {
                let symbol = event.symbol();
                let keep = |change: &dyn Fn(&mut Newest)| change(self.inbox.lock().newest.entry(symbol).or_default());
                match event {
                    MarketEvent::BookTop(top) => keep(&|n| n.top = Some(top)),
                    MarketEvent::Mark(mark) => keep(&|n| n.mark = Some(mark)),
                    MarketEvent::Trade(trade) => keep(&|n| n.trade = Some((trade.price, trade.time))),
                    MarketEvent::Ticker(ticker) => keep(&|n| n.ticker = Some(ticker)),
                    MarketEvent::BarForming(bar) => keep(&|n| n.forming = Some(bar)),
                    bar @ MarketEvent::BarClosed(_) => self.push(Item::Shown(Happening::Market(bar), now), false),
                    MarketEvent::Depth(_) | MarketEvent::Funding(_) | MarketEvent::Liquidation(_) => {}
                }
            }
            Happening::Ledger(_) => {}
            routine @ (Happening::Indicators(_) | Happening::Account(_) | Happening::Feed(_)) => {
                self.push(Item::Shown(routine, now), false)
            }
            urgent => self.push(Item::Shown(urgent, now), true),
        }
    }
}
