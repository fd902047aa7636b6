//! What restarted actors are told again: the newest account, bars, frames, marks and contract facts.
//!
//! These are facts as they were sent, kept outside the actors. Invariant: nothing in here was computed by an actor that failed
//! while computing it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fulmar_domain::account::AccountFrame;
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, FeedStatus, IndicatorFrame, Mark, Timeframe, WarmupBars};
use fulmar_domain::symbol::Symbol;
use parking_lot::RwLock;

/// Bars kept per contract and timeframe: enough to warm up any indicator of the catalog.
const BARS_KEPT: usize = 1_500;

#[derive(Default)]
struct State {
    account: Option<Arc<AccountFrame>>,
    bars: BTreeMap<(Symbol, Timeframe), VecDeque<Bar>>,
    handed: BTreeMap<(Symbol, Timeframe), Bar>,
    frames: BTreeMap<(Symbol, Timeframe), IndicatorFrame>,
    marks: BTreeMap<Symbol, Mark>,
    feeds: BTreeMap<Symbol, FeedStatus>,
    instruments: BTreeMap<Symbol, Arc<Instrument>>,
    brackets: BTreeMap<Symbol, Arc<Brackets>>,
}

/// The newest facts of each kind. Cloning shares them.
#[derive(Clone, Default)]
pub struct Recent {
    state: Arc<RwLock<State>>,
}

impl Recent {
    /// The newest account frame.
    pub fn account(&self) -> Option<Arc<AccountFrame>> {
        self.state.read().account.clone()
    }
    /// A newer account frame.
    pub fn set_account(&self, frame: &Arc<AccountFrame>) {
        self.state.write().account = Some(Arc::clone(frame));
    }
    /// A bar whose handling begins now: after a failure it is history.
    pub fn bar_begins(&self, bar: &Bar) {
        let mut state = self.state.write();
        let bars = state.bars.entry((bar.symbol, bar.timeframe)).or_default();
        if bars.back().is_none_or(|last| last.open_time < bar.open_time) {
            bars.push_back(*bar);
            if bars.len() > BARS_KEPT {
                bars.pop_front();
            }
        }
    }
    /// A bar that the feed has handed on, whether its handling has begun or not.
    pub fn set_handed(&self, bar: &Bar) {
        self.state.write().handed.insert((bar.symbol, bar.timeframe), *bar);
    }
    /// The newest bar of each series that the feed has handed on.
    pub fn handed(&self) -> Vec<Bar> {
        self.state.read().handed.values().copied().collect()
    }
    /// Bars from before the stream.
    pub fn set_warmup(&self, warmup: &WarmupBars) {
        let mut state = self.state.write();
        let skip = warmup.bars.len().saturating_sub(BARS_KEPT);
        state.bars.insert((warmup.symbol, warmup.timeframe), warmup.bars.iter().skip(skip).copied().collect());
    }
    /// All series as warm-up bars.
    pub fn warmups(&self) -> Vec<WarmupBars> {
        let state = self.state.read();
        state
            .bars
            .iter()
            .map(|((symbol, timeframe), bars)| WarmupBars { symbol: *symbol, timeframe: *timeframe, bars: bars.iter().copied().collect() })
            .collect()
    }
    /// The newest bars of one series, oldest first.
    pub fn bars(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar> {
        self.state.read().bars.get(&(symbol, timeframe)).map(|b| b.iter().copied().collect()).unwrap_or_default()
    }
    /// A frame that was sent.
    pub fn set_frame(&self, frame: &IndicatorFrame) {
        self.state.write().frames.insert((frame.bar.symbol, frame.bar.timeframe), frame.clone());
    }
    /// The newest frame of each series, marked as history: nobody decides on it again.
    pub fn frames(&self) -> Vec<IndicatorFrame> {
        self.state.read().frames.values().cloned().map(|frame| IndicatorFrame { history: true, ..frame }).collect()
    }
    /// A newer mark price.
    pub fn set_mark(&self, mark: &Mark) {
        self.state.write().marks.insert(mark.symbol, *mark);
    }
    /// The newest mark prices.
    pub fn marks(&self) -> Vec<Mark> {
        self.state.read().marks.values().copied().collect()
    }
    /// A symbol's data state.
    pub fn set_feed(&self, status: FeedStatus) {
        self.state.write().feeds.insert(status.symbol, status);
    }
    /// Data states.
    pub fn feeds(&self) -> Vec<FeedStatus> {
        self.state.read().feeds.values().copied().collect()
    }
    /// A contract's filters.
    pub fn set_instrument(&self, instrument: &Arc<Instrument>) {
        self.state.write().instruments.insert(instrument.symbol, Arc::clone(instrument));
    }
    /// All filters.
    pub fn instruments(&self) -> Vec<Arc<Instrument>> {
        self.state.read().instruments.values().cloned().collect()
    }
    /// A contract's brackets.
    pub fn set_brackets(&self, brackets: &Arc<Brackets>) {
        self.state.write().brackets.insert(brackets.symbol, Arc::clone(brackets));
    }
    /// All brackets.
    pub fn brackets(&self) -> Vec<Arc<Brackets>> {
        self.state.read().brackets.values().cloned().collect()
    }
}
