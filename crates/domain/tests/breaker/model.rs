//! The breaker against an oracle that keeps everything and recomputes everything, over 100,000 random operations.

use crate::build::*;
use fulmar_domain::breaker::{BreakerIn, BreakerNode, BreakerSettings, BreakerState, TripRule};
use fulmar_domain::control::Command;
use fulmar_domain::gate::GateState;
use fulmar_domain::market::FeedState;
use std::collections::{BTreeMap, BTreeSet};

const OPERATIONS: u32 = 100_000;

struct Dice(u64);
impl Dice {
    fn roll(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % u64::try_from(below).expect("positive")).expect("fits")
    }
}

/// Everything that ever happened, judged from scratch each time.
struct Oracle {
    tripped: BTreeSet<TripRule>,
    calls: Vec<(i64, bool)>,
    judged_from: i64,
    trial: Option<Vec<bool>>,
    paused: bool,
    stale: BTreeMap<&'static str, Option<i64>>,
    peak: Option<i64>,
    day: Option<(i64, i64)>,
    daily_at: i64,
    equity: Option<i64>,
}

impl Oracle {
    fn new(tripped: &[TripRule]) -> Self {
        Self {
            tripped: tripped.iter().copied().collect(),
            calls: Vec::new(),
            judged_from: 0,
            trial: None,
            paused: false,
            stale: BTreeMap::new(),
            peak: None,
            day: None,
            daily_at: 0,
            equity: None,
        }
    }
    fn call(&mut self, failed: bool, now: i64) {
        if self.paused {
            if now < self.judged_from {
                return;
            }
            let trial = self.trial.get_or_insert_default();
            trial.push(failed);
            if trial.len() == 5 {
                let bad = trial.iter().filter(|f| **f).count();
                self.trial = None;
                if bad > 2 {
                    self.judged_from = now + 30_000;
                } else {
                    self.paused = false;
                    self.calls.clear();
                    self.tripped.remove(&TripRule::ErrorRate);
                }
            }
            return;
        }
        self.calls.push((now, failed));
        let window: Vec<bool> = self.calls.iter().filter(|(at, _)| now - at < 60_000).map(|c| c.1).collect();
        let bad = window.iter().filter(|f| **f).count();
        if window.len() >= 20 && bad * 2 > window.len() {
            (self.paused, self.judged_from) = (true, now + 30_000);
            self.tripped.insert(TripRule::ErrorRate);
        }
    }
    fn judge_feeds(&mut self, now: i64) {
        let lost = self.stale.values().filter(|s| s.is_some_and(|at| now - at > 10_000)).count();
        if lost > 0 && lost * 2 >= self.stale.len() {
            self.tripped.insert(TripRule::FeedStale);
        } else {
            self.tripped.remove(&TripRule::FeedStale);
        }
    }
    fn account(&mut self, equity: i64, day_start: i64, peak: i64, now: i64) {
        self.equity = Some(equity);
        self.peak = self.peak.map(|p| p.max(equity));
        let peak = self.peak.unwrap_or(peak);
        if (peak - equity) * 100 > peak * 15 {
            self.tripped.insert(TripRule::Drawdown);
        }
        if self.daily_at != now / DAY {
            self.tripped.remove(&TripRule::DailyLoss);
        }
        let start = self.day.filter(|d| d.0 == now / DAY).map_or(day_start, |d| d.1);
        if (start - equity) * 100 > start * 5 && self.tripped.insert(TripRule::DailyLoss) {
            self.daily_at = now / DAY;
        }
    }
    fn reset(&mut self, now: i64) {
        if self.tripped.contains(&TripRule::Drawdown) {
            self.peak = self.equity;
        }
        if self.tripped.contains(&TripRule::DailyLoss) {
            self.day = self.equity.map(|e| (now / DAY, e));
        }
        self.tripped.clear();
        for since in self.stale.values_mut().filter(|s| s.is_some()) {
            *since = Some(now);
        }
        self.calls.clear();
        (self.paused, self.trial) = (false, None);
    }
}

#[test]
fn it_equals_a_simple_oracle_over_a_hundred_thousand_operations() {
    let names = ["A", "B", "C", "D"];
    let mut dice = Dice(7);
    let mut bench = Bench { node: BreakerNode::new(BreakerSettings::default()), out: Vec::new() };
    bench.give(BreakerIn::Restore(Some(BreakerState::default())), 0);
    let mut oracle = Oracle::new(&[]);
    let mut now = 0;
    let mut trips: BTreeMap<TripRule, u32> = BTreeMap::new();
    let (mut trouble, mut equity) = (1, 10_000_i64);
    for operation in 0..OPERATIONS {
        now += dice.roll(3_000);
        let before = oracle.tripped.clone();
        // Whatever wake-up is due before comes first, at its instant.
        if let Some(wake) = bench.wake()
            && wake.at.millis() <= now
        {
            bench.out.clear();
            bench.give(BreakerIn::Wake(wake.timer), wake.at.millis());
            let stale = bench.rules().contains(&TripRule::FeedStale);
            oracle.judge_feeds(wake.at.millis());
            assert_eq!(oracle.tripped.contains(&TripRule::FeedStale), stale, "wake-up before operation {operation}");
        }
        if dice.roll(400) == 0 {
            trouble = dice.roll(10);
        }
        match dice.roll(1_000) {
            0..=599 => {
                let failed = dice.roll(10) < trouble;
                oracle.call(failed, now);
                bench.give(BreakerIn::Errors { failed }, now);
            }
            600..=849 => {
                let name = names[usize::try_from(dice.roll(4)).expect("small")];
                let state =
                    [FeedState::Stale, FeedState::Gap, FeedState::Up, FeedState::Resynced][usize::try_from(dice.roll(4)).expect("small")];
                let known = oracle.stale.entry(name).or_default();
                *known = matches!(state, FeedState::Stale | FeedState::Gap).then(|| known.unwrap_or(now));
                oracle.judge_feeds(now);
                bench.give(feed(name, state), now);
            }
            850..=989 => {
                equity = (equity + dice.roll(801) - 400).clamp(4_000, 16_000);
                let (day_start, peak) = (equity + dice.roll(900) - 300, equity + dice.roll(2_000));
                oracle.account(equity, day_start, peak, now);
                bench.give(account(equity, day_start, peak), now);
            }
            _ => {
                oracle.reset(now);
                bench.give(BreakerIn::Command(Command::ResetBreaker), now);
            }
        }
        let want: Vec<TripRule> = oracle.tripped.iter().copied().collect();
        assert_eq!(bench.rules(), want, "operation {operation} at {now}");
        let gate = if want.is_empty() { GateState::Open } else { GateState::Halted };
        assert_eq!(bench.gate(), gate);
        if let Some((told, _)) = bench.told() {
            assert_eq!(told, gate, "the gate was told, operation {operation}");
        }
        for rule in oracle.tripped.difference(&before) {
            *trips.entry(*rule).or_default() += 1;
        }
        let kept = bench.wake();
        bench.out.retain(|o| matches!(o, fulmar_domain::breaker::BreakerOut::Wake(w) if Some(*w) == kept));
    }
    println!("{trips:?}");
    let all = [TripRule::FeedStale, TripRule::ErrorRate, TripRule::Drawdown, TripRule::DailyLoss];
    assert!(all.iter().all(|rule| trips.get(rule).is_some_and(|n| *n > 30)), "each rule trips often: {trips:?}");
}
