//! How much may still be asked. Counts what was sent, adopts what the exchange's headers say, and keeps a fifth of every
//! window for cancels and for orders that reduce.
//!
//! Invariant: while a ban holds nothing is admitted; after a 429 nothing but risk is.

use super::settings::RequestLimits;
use fulmar_domain::time::{Span, Timestamp};
use parking_lot::Mutex;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Anything that may wait.
    Normal,
    /// A cancel, or an order that only reduces.
    Risk,
}

/// Share of each window that stays for risk: one part in this many.
const RESERVE_PART: u32 = 5;

#[derive(Debug, Clone, Copy)]
struct Window {
    span: Span,
    limit: u32,
    number: i64,
    used: u32,
}

impl Window {
    const fn new(span: Span, limit: u32) -> Self {
        Self { span, limit, number: 0, used: 0 }
    }
    const fn roll(&mut self, now: Timestamp) {
        let number = now.millis().div_euclid(self.span.0);
        if number != self.number {
            self.number = number;
            self.used = 0;
        }
    }
    const fn room_for(&self, cost: u32, purpose: Use) -> bool {
        let ceiling = match purpose {
            Use::Normal => self.limit - self.limit / RESERVE_PART,
            Use::Risk => self.limit,
        };
        cost == 0 || self.used.saturating_add(cost) <= ceiling
    }
    const fn left(&self, now: Timestamp) -> Span {
        Span(self.span.0 - now.millis().rem_euclid(self.span.0))
    }
}

#[derive(Debug)]
struct State {
    weight: Window,
    orders_10s: Window,
    orders_1m: Window,
    throttled_until: Timestamp,
    throttled_risk_until: Timestamp,
    banned_until: Timestamp,
}

/// What the exchange's headers say about the windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsedHeaders {
    /// `X-MBX-USED-WEIGHT-1M`.
    pub weight_1m: Option<u32>,
    /// `X-MBX-ORDER-COUNT-10S`.
    pub orders_10s: Option<u32>,
    /// `X-MBX-ORDER-COUNT-1M`.
    pub orders_1m: Option<u32>,
}

/// The windows and what closes them.
#[derive(Debug)]
pub struct Budget {
    state: Mutex<State>,
    counted: bool,
}

impl Budget {
    /// A budget with these limits. `counted = false`: only throttles and bans hold (lock-step, where the windows are market time's).
    #[must_use]
    pub const fn new(limits: RequestLimits, counted: bool) -> Self {
        Self {
            state: Mutex::new(State {
                weight: Window::new(Span::minutes(1), limits.weight_per_minute),
                orders_10s: Window::new(Span::secs(10), limits.orders_per_10s),
                orders_1m: Window::new(Span::minutes(1), limits.orders_per_minute),
                throttled_until: Timestamp::ZERO,
                throttled_risk_until: Timestamp::ZERO,
                banned_until: Timestamp::ZERO,
            }),
            counted,
        }
    }
    /// Adopts limits from `exchangeInfo`.
    pub fn set_limits(&self, limits: RequestLimits) {
        let mut state = self.state.lock();
        state.weight.limit = limits.weight_per_minute;
        state.orders_10s.limit = limits.orders_per_10s;
        state.orders_1m.limit = limits.orders_per_minute;
    }
    /// May this be sent now? Counts it when it may.
    ///
    /// # Errors
    /// The span after which to ask again.
    pub fn admit(&self, weight: u32, orders: u32, purpose: Use, now: Timestamp) -> Result<(), Span> {
        let mut state = self.state.lock();
        let closed = match purpose {
            Use::Normal => state.banned_until.max(state.throttled_until),
            Use::Risk => state.banned_until.max(state.throttled_risk_until),
        };
        if closed > now {
            return Err(closed.since(now));
        }
        if !self.counted {
            return Ok(());
        }
        let State { weight: w, orders_10s, orders_1m, .. } = &mut *state;
        let mut wait = None::<Span>;
        for (window, cost) in [(&mut *w, weight), (&mut *orders_10s, orders), (&mut *orders_1m, orders)] {
            window.roll(now);
            if !window.room_for(cost, purpose) {
                wait = wait.max(Some(window.left(now)));
            }
        }
        if let Some(wait) = wait {
            return Err(wait);
        }
        w.used = w.used.saturating_add(weight);
        orders_10s.used = orders_10s.used.saturating_add(orders);
        orders_1m.used = orders_1m.used.saturating_add(orders);
        Ok(())
    }
    /// Adopts the exchange's own counts; a lower one than ours is an older one and changes nothing.
    pub fn adopt(&self, headers: UsedHeaders, now: Timestamp) {
        let mut state = self.state.lock();
        let State { weight, orders_10s, orders_1m, .. } = &mut *state;
        for (window, used) in [(weight, headers.weight_1m), (orders_10s, headers.orders_10s), (orders_1m, headers.orders_1m)] {
            window.roll(now);
            if let Some(used) = used {
                window.used = window.used.max(used);
            }
        }
    }
    /// A 429 came: nothing but risk for this long. When risk itself got it, nothing at all.
    pub fn throttled(&self, wait: Span, purpose: Use, now: Timestamp) {
        let mut state = self.state.lock();
        state.throttled_until = state.throttled_until.max(now.plus(wait));
        if purpose == Use::Risk {
            state.throttled_risk_until = state.throttled_risk_until.max(now.plus(wait));
        }
    }
    /// A 418 came: nothing at all for this long.
    pub fn banned(&self, wait: Span, now: Timestamp) {
        let mut state = self.state.lock();
        state.banned_until = state.banned_until.max(now.plus(wait));
    }
    /// How long the ban still lasts.
    #[must_use]
    pub fn banned_for(&self, now: Timestamp) -> Option<Span> {
        let until = self.state.lock().banned_until;
        (until > now).then(|| until.since(now))
    }
    /// How long only risk may be sent.
    #[must_use]
    pub fn throttled_for(&self, now: Timestamp) -> Option<Span> {
        let until = self.state.lock().throttled_until;
        (until > now).then(|| until.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_700_000_040_000);

    #[test]
    fn a_fifth_of_every_window_stays_for_cancels_and_closes() {
        let budget = Budget::new(RequestLimits { weight_per_minute: 100, orders_per_10s: 10, orders_per_minute: 50 }, true);
        for _ in 0..8 {
            assert_eq!(budget.admit(1, 1, Use::Normal, NOW), Ok(()));
        }
        assert_eq!(budget.admit(1, 1, Use::Normal, NOW), Err(Span::secs(10)));
        assert_eq!(budget.admit(1, 1, Use::Risk, NOW), Ok(()));
        assert_eq!(budget.admit(1, 1, Use::Risk, NOW), Ok(()));
        assert_eq!(budget.admit(1, 1, Use::Risk, NOW), Err(Span::secs(10)), "the exchange's limit holds for risk too");
        assert_eq!(budget.admit(1, 1, Use::Normal, NOW.plus(Span::secs(10))), Ok(()), "a new window");
    }

    #[test]
    fn what_the_headers_say_counts_even_if_others_spent_it() {
        let budget = Budget::new(RequestLimits { weight_per_minute: 100, orders_per_10s: 10, orders_per_minute: 50 }, true);
        budget.adopt(UsedHeaders { weight_1m: Some(80), ..UsedHeaders::default() }, NOW);
        assert!(budget.admit(1, 0, Use::Normal, NOW).is_err());
        assert_eq!(budget.admit(0, 1, Use::Normal, NOW), Ok(()), "orders cost no weight");
        assert_eq!(budget.admit(20, 0, Use::Risk, NOW), Ok(()));
    }

    #[test]
    fn after_a_429_only_risk_passes_and_after_a_418_nothing_does() {
        let budget = Budget::new(RequestLimits::default(), true);
        budget.throttled(Span::secs(5), Use::Normal, NOW);
        assert_eq!(budget.admit(1, 0, Use::Normal, NOW), Err(Span::secs(5)));
        assert_eq!(budget.admit(1, 0, Use::Risk, NOW), Ok(()));
        budget.banned(Span::secs(120), NOW);
        assert_eq!(budget.admit(0, 1, Use::Risk, NOW), Err(Span::secs(120)));
        assert_eq!(budget.banned_for(NOW), Some(Span::secs(120)));
        assert_eq!(budget.admit(0, 1, Use::Risk, NOW.plus(Span::secs(120))), Ok(()));
    }

    proptest! {
        #[test]
        fn no_window_is_ever_overspent(calls in proptest::collection::vec((0_u32..30, 0_u32..2, any::<bool>(), 0_i64..4_000), 1..300)) {
            let limits = RequestLimits { weight_per_minute: 200, orders_per_10s: 10, orders_per_minute: 30 };
            let budget = Budget::new(limits, true);
            let mut now = NOW;
            let mut spent = std::collections::BTreeMap::<(u8, i64), (u32, u32)>::new();
            for (weight, orders, risk, pause) in calls {
                now = now.plus(Span(pause));
                let purpose = if risk { Use::Risk } else { Use::Normal };
                if budget.admit(weight, orders, purpose, now).is_ok() {
                    for (kind, span, cost) in [(0, 60_000, weight), (1, 10_000, orders), (2, 60_000, orders)] {
                        let slot = spent.entry((kind, now.millis() / span)).or_default();
                        slot.0 += cost;
                        if !risk { slot.1 = slot.0; }
                        let limit = [limits.weight_per_minute, limits.orders_per_10s, limits.orders_per_minute][usize::from(kind)];
                        prop_assert!(slot.0 <= limit);
                        if !risk && cost > 0 { prop_assert!(slot.1 <= limit - limit / 5); }
                    }
                }
            }
        }
    }
}
