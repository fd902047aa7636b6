//! The breaker as a node.

use super::calls::{Calls, Change};
use super::feeds::Feeds;
use super::{BreakerSettings, BreakerState, DayBase, TripCause, TripRule};
use crate::account::AccountFrame;
use crate::control::{Command, Notice, Severity};
use crate::gate::GateState;
use crate::id::TimerId;
use crate::market::FeedStatus;
use crate::node::{ClockKind, Node, WakeAt};
use crate::num::{Ratio, Rounding, Usdt};
use crate::record::Record;
use crate::time::{Now, Timestamp};
use std::sync::Arc;

/// What the breaker takes.
#[derive(Clone, PartialEq, Debug)]
pub enum BreakerIn {
    /// State of a symbol's data.
    Feed(FeedStatus),
    /// The complete account.
    Account(Arc<AccountFrame>),
    /// One call to the exchange has ended.
    Errors {
        /// It failed (timeout, 5xx, throttled; not: an order refused for business reasons).
        failed: bool,
    },
    /// The operator's orders; only `ResetBreaker` concerns it.
    Command(Command),
    /// The stored state at start (a new installation's is the default); `None` where it is missing: stays tripped.
    Restore(Option<BreakerState>),
    /// A wake-up asked for.
    Wake(TimerId),
}

/// What the breaker gives.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from node to link; boxing would cost an allocation per fact")]
pub enum BreakerOut {
    /// The breaker's hold on the gate from now on.
    Gate {
        /// Wanted state.
        state: GateState,
        /// Why, in one sentence: rule, value, limit, when.
        cause: String,
    },
    /// For people.
    Notice(Notice),
    /// Call again.
    Wake(WakeAt),
    /// For the journal: `BreakerChanged`; the last one is the state to restore.
    Journal(Record),
}

/// The circuit breaker.
#[derive(Clone, Debug)]
pub struct BreakerNode {
    settings: BreakerSettings,
    state: BreakerState,
    feeds: Feeds,
    calls: Calls,
    equity: Option<Usdt>,
    announced: Option<Vec<TripCause>>,
    timer: TimerId,
    due: Option<Timestamp>,
}

impl Default for BreakerNode {
    fn default() -> Self {
        Self::new(BreakerSettings::default())
    }
}

impl BreakerNode {
    /// Tripped until a state is restored.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            state: BreakerState::missing(Timestamp::ZERO),
            feeds: Feeds::default(),
            calls: Calls::new(),
            equity: None,
            announced: None,
            timer: TimerId(0),
            due: None,
        }
    }

    /// The state as it is to be stored.
    #[must_use]
    pub const fn state(&self) -> &BreakerState {
        &self.state
    }

    /// What it holds the gate to.
    #[must_use]
    pub const fn gate(&self) -> GateState {
        if self.state.causes.is_empty() { GateState::Open } else { GateState::Halted }
    }

    fn restore(&mut self, stored: Option<&BreakerState>, now: Now) {
        self.state = stored.cloned().unwrap_or_else(|| BreakerState::missing(now.market));
        self.calls = Calls::new();
        if self.state.holds(TripRule::ErrorRate) {
            self.calls.pause(&self.settings, now.protocol);
        }
        self.announced = None;
    }

    /// The operator takes the responsibility: every cause is forgotten, losses count from here.
    fn reset(&mut self, now: Now) {
        if self.state.holds(TripRule::Drawdown) {
            self.state.peak = self.equity;
        }
        if self.state.holds(TripRule::DailyLoss) {
            self.state.day = self.equity.map(|equity| DayBase { day: now.market.day(), equity });
        }
        self.state.causes.clear();
        self.feeds.forgive(now.protocol);
        self.calls = Calls::new();
    }

    fn judge_feeds(&mut self, now: Now) {
        let (lost, known) = self.feeds.lost(&self.settings, now.protocol);
        if !Feeds::too_many(lost, known, &self.settings) {
            self.state.heal(TripRule::FeedStale);
            return;
        }
        self.state.trip(TripCause {
            rule: TripRule::FeedStale,
            value: format!("{lost} of {known} symbols without fresh data"),
            limit: format!("a share of {} for {} ms", self.settings.feed_stale_share, self.settings.feed_stale_after.0),
            at: now.market,
        });
    }

    fn judge_call(&mut self, failed: bool, now: Now) {
        match self.calls.ended(failed, &self.settings, now.protocol) {
            Change::Nothing => {}
            Change::Healed => self.state.heal(TripRule::ErrorRate),
            Change::Tripped { calls, failed } => self.state.trip(TripCause {
                rule: TripRule::ErrorRate,
                value: format!("{failed} of {calls} calls to the exchange failed"),
                limit: format!("a share of {}", self.settings.error_rate_max),
                at: now.market,
            }),
        }
    }

    fn judge_account(&mut self, frame: &AccountFrame, now: Now) {
        if !frame.known {
            return;
        }
        self.equity = Some(frame.equity);
        if let Some(peak) = self.state.peak {
            self.state.peak = Some(peak.max(frame.equity));
        }
        let peak = self.state.peak.unwrap_or(frame.peak_equity);
        let day = self.state.day.filter(|base| base.day == now.market.day());
        let start = day.map_or(frame.day_start_equity, |base| base.equity);
        self.judge_loss(TripRule::Drawdown, peak, frame.equity, self.settings.drawdown_max.get(), now);
        // The day's loss ends with its day.
        self.state.causes.retain(|c| c.rule != TripRule::DailyLoss || c.at.day() == now.market.day());
        self.judge_loss(TripRule::DailyLoss, start, frame.equity, self.settings.daily_loss_max.get(), now);
    }

    /// Trips when (base − equity) / base is above the limit; without a base above zero nothing can be measured: trips too.
    fn judge_loss(&mut self, rule: TripRule, base: Usdt, equity: Usdt, limit: Option<Ratio>, now: Now) {
        let Some(limit) = limit else { return };
        let share = base.checked_sub(equity).and_then(|loss| loss.share_of(base, Rounding::Ceil)).ok().filter(|_| base.is_positive());
        if share.is_some_and(|share| share <= limit) {
            return;
        }
        let measured = share.map_or_else(|| "not measurable".to_owned(), |share| format!("{share} lost"));
        self.state.trip(TripCause {
            rule,
            value: format!("{measured}, equity {equity} against {base}"),
            limit: limit.to_string(),
            at: now.market,
        });
    }

    /// Puts out what has changed: gate, journal, notice, next wake-up.
    fn announce(&mut self, out: &mut Vec<BreakerOut>) {
        if self.announced.as_ref() != Some(&self.state.causes) {
            let texts: Vec<String> = self.state.causes.iter().map(ToString::to_string).collect();
            let cause = if texts.is_empty() { "no cause is left".to_owned() } else { texts.join("; ") };
            out.push(BreakerOut::Journal(Record::BreakerChanged(self.state.clone())));
            out.push(BreakerOut::Gate { state: self.gate(), cause: cause.clone() });
            let (severity, code) =
                if texts.is_empty() { (Severity::Info, "BREAKER_CLOSED") } else { (Severity::Critical, "BREAKER_TRIPPED") };
            out.push(BreakerOut::Notice(Notice::new(severity, code, cause)));
            self.announced = Some(self.state.causes.clone());
        }
        let due = self.feeds.due(&self.settings).filter(|_| !self.state.holds(TripRule::FeedStale));
        if due != self.due {
            self.due = due;
            if let Some(at) = due {
                self.timer = TimerId(self.timer.0 + 1);
                out.push(BreakerOut::Wake(WakeAt { clock: ClockKind::Protocol, at, timer: self.timer }));
            }
        }
    }
}

impl Node for BreakerNode {
    type In = BreakerIn;
    type Out = BreakerOut;

    fn on(&mut self, input: &BreakerIn, now: Now, out: &mut Vec<BreakerOut>) {
        match input {
            BreakerIn::Feed(status) => {
                self.feeds.take(*status, now.protocol);
                self.judge_feeds(now);
            }
            BreakerIn::Account(frame) => self.judge_account(frame, now),
            BreakerIn::Errors { failed } => self.judge_call(*failed, now),
            BreakerIn::Command(Command::ResetBreaker) => self.reset(now),
            BreakerIn::Command(_) => {}
            BreakerIn::Restore(stored) => self.restore(stored.as_ref(), now),
            BreakerIn::Wake(timer) if *timer == self.timer => {
                self.due = None;
                self.judge_feeds(now);
            }
            // A wake-up that was replaced meanwhile.
            BreakerIn::Wake(_) => {}
        }
        self.announce(out);
    }
}
