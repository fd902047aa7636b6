//! Exits common to every strategy, decided at the close of each bar.
//!
//! The stop loss is not among them: it travels in the entry's bracket and lives at the exchange, as do the targets and
//! the trailing stop that a strategy puts there itself. These rules come from the settings, work for every strategy and
//! are watched here, so the two never close the same thing twice. Shares and distances are measured from the average
//! entry price. Invariant: a rule only ever reduces.

use crate::market::Bar;
use crate::num::{NumError, Price, Qty, Ratio, Rounding, Usdt, notional};
use crate::order::{ExitReason, Side};
use crate::time::{Span, Timestamp};

use super::OwnPosition;

/// A rung of the ladder: at a move of `gain` in favour, close `share` of the largest quantity held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Move of the price in favour, a share of the entry.
    pub gain: Ratio,
    /// Share of the largest quantity to close.
    pub share: Ratio,
}

/// Once the price has moved `activation` in favour, leave when it falls back from its best by `distance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailingRule {
    /// Move in favour from which on it holds; zero for at once.
    pub activation: Ratio,
    /// Share of the best price to give back.
    pub distance: Ratio,
}

/// Once the price has moved `activation` in favour, leave when it comes back to the entry plus `margin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakEvenRule {
    /// Move in favour from which on it holds.
    pub activation: Ratio,
    /// Share of the entry to keep, for the fees.
    pub margin: Ratio,
}

/// After `after`, leave at a return of `roi` on the initial margin or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoiStep {
    /// Time held from which on the step holds, until the next one does.
    pub after: Span,
    /// Return on the initial margin; negative to give up on a loser.
    pub roi: Ratio,
}

/// Which of the exits apply; none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExitRules {
    /// Take-profit ladder, nearest rung first; the shares sum to 1 at most.
    pub take_profit: Vec<Rung>,
    /// Trailing exit.
    pub trailing: Option<TrailingRule>,
    /// Break-even exit.
    pub break_even: Option<BreakEvenRule>,
    /// Longest time to hold.
    pub time_stop: Option<Span>,
    /// Minimal return by time held, shortest time first.
    pub minimal_roi: Vec<RoiStep>,
}

impl ExitRules {
    /// What is wrong with the rules, each in one sentence; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut tell = |wrong: bool, text: &str| {
            if wrong {
                found.push(text.to_owned());
            }
        };
        let share = |r: Ratio| r.is_positive() && r < Ratio::ONE;
        let sum = self.take_profit.iter().try_fold(Ratio::ZERO, |sum, rung| sum.checked_add(rung.share));
        tell(!sum.is_ok_and(|sum| sum <= Ratio::ONE), "take_profit: the shares must sum to 1 at most");
        tell(
            self.take_profit.iter().any(|r| !r.gain.is_positive() || !r.share.is_positive()),
            "take_profit: gain and share must be above 0",
        );
        tell(self.take_profit.windows(2).any(|w| w[0].gain >= w[1].gain), "take_profit: write the nearest rung first");
        tell(
            self.trailing.is_some_and(|t| t.activation.is_negative() || !share(t.distance)),
            "trailing: activation from 0, distance between 0 and 1",
        );
        tell(
            self.break_even.is_some_and(|b| !b.activation.is_positive() || b.margin.is_negative() || b.margin >= b.activation),
            "break_even: activation above 0, margin from 0 and below the activation",
        );
        tell(self.time_stop.is_some_and(|span| span.0 <= 0), "time_stop: must be above 0");
        tell(self.minimal_roi.iter().any(|step| step.after.0 < 0), "minimal_roi: times count from 0");
        tell(self.minimal_roi.windows(2).any(|w| w[0].after >= w[1].after), "minimal_roi: write the shortest time first");
        found
    }
}

/// What a rule wants: reduce to `keep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitWish {
    /// Which rule.
    pub reason: ExitReason,
    /// Quantity that may stay.
    pub keep: Qty,
}

/// What has to be remembered of one position to apply the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitWatch {
    opened: Timestamp,
    side: Side,
    largest: Qty,
    best: Price,
    rungs_taken: usize,
    found: bool,
}

impl ExitWatch {
    /// Watches a position. `found` says that it stood already when the engine started: rungs that the price has reached
    /// by the first bar then count as taken, since what was closed before is not known.
    #[must_use]
    pub const fn new(own: &OwnPosition, found: bool) -> Self {
        Self { opened: own.opened, side: own.side, largest: own.qty, best: own.entry, rungs_taken: 0, found }
    }

    /// Follows a change of the position; a new one starts anew.
    pub fn follow(&mut self, own: &OwnPosition) {
        if own.opened == self.opened && own.side == self.side {
            self.largest = self.largest.max(own.qty);
        } else {
            *self = Self::new(own, false);
        }
    }

    /// Applies the rules at the close of `bar`; the first that fires, in the order trailing, break-even, time, return,
    /// ladder, gives the reason.
    ///
    /// # Errors
    /// [`NumError`] where a price or an amount does not fit; nothing fires then.
    pub fn on_bar(&mut self, rules: &ExitRules, own: &OwnPosition, bar: &Bar) -> Result<Option<ExitWish>, NumError> {
        if bar.end() <= own.opened {
            return Ok(None);
        }
        let extreme = if own.side == Side::Buy { bar.high } else { bar.low };
        if reached(own.side, extreme, self.best) {
            self.best = extreme;
        }
        let close_all = |reason| Ok(Some(ExitWish { reason, keep: Qty::ZERO }));
        if let Some(rule) = rules.trailing {
            let active = reached(own.side, self.best, in_favour(own.side, own.entry, rule.activation)?);
            if active && !above(own.side, bar.close, in_favour(own.side, self.best, rule.distance.checked_neg()?)?) {
                return close_all(ExitReason::Trailing);
            }
        }
        if let Some(rule) = rules.break_even {
            let active = reached(own.side, self.best, in_favour(own.side, own.entry, rule.activation)?);
            if active && !above(own.side, bar.close, in_favour(own.side, own.entry, rule.margin)?) {
                return close_all(ExitReason::BreakEven);
            }
        }
        let held = bar.end().since(own.opened);
        if rules.time_stop.is_some_and(|longest| held >= longest) {
            return close_all(ExitReason::TimeStop);
        }
        if let Some(step) = rules.minimal_roi.iter().rev().find(|step| held >= step.after)
            && self.roi(own, bar.close)? >= step.roi
        {
            return close_all(ExitReason::MinimalRoi);
        }
        self.climb(rules, own, bar.close)
    }

    /// Takes every rung that the close has reached.
    fn climb(&mut self, rules: &ExitRules, own: &OwnPosition, close: Price) -> Result<Option<ExitWish>, NumError> {
        let before = self.rungs_taken;
        while let Some(rung) = rules.take_profit.get(self.rungs_taken)
            && reached(own.side, close, in_favour(own.side, own.entry, rung.gain)?)
        {
            self.rungs_taken += 1;
        }
        if std::mem::take(&mut self.found) || self.rungs_taken == before {
            return Ok(None);
        }
        let taken = rules.take_profit.iter().take(self.rungs_taken);
        let closed = taken.map(|rung| rung.share).try_fold(Ratio::ZERO, Ratio::checked_add)?;
        let keep = self.largest.times(Ratio::ONE.checked_sub(closed)?, Rounding::Floor)?;
        Ok(Some(ExitWish { reason: ExitReason::TakeProfit, keep }))
    }

    /// (Unrealised at `close` + booked) / initial margin of the largest quantity; trading rules, "Account".
    fn roi(&self, own: &OwnPosition, close: Price) -> Result<Ratio, NumError> {
        let gain = match own.side {
            Side::Buy => close.checked_sub(own.entry)?,
            Side::Sell => own.entry.checked_sub(close)?,
        };
        let unrealised = notional(gain, own.qty, Rounding::Floor)?;
        let margin: Usdt = notional(own.entry, self.largest, Rounding::Ceil)?.over_int(i64::from(own.leverage.max(1)), Rounding::Ceil)?;
        unrealised.checked_add(own.booked)?.share_of(margin, Rounding::Floor)
    }
}

/// `price` moved by `share` of itself in favour of `side`; against it for a negative share.
pub(super) fn in_favour(side: Side, price: Price, share: Ratio) -> Result<Price, NumError> {
    let factor = match side {
        Side::Buy => Ratio::ONE.checked_add(share)?,
        Side::Sell => Ratio::ONE.checked_sub(share)?,
    };
    price.times(factor, Rounding::HalfEven)
}

/// Is `price` at `level` or further in favour of `side`?
fn reached(side: Side, price: Price, level: Price) -> bool {
    match side {
        Side::Buy => price >= level,
        Side::Sell => price <= level,
    }
}

/// Is `price` strictly further in favour of `side` than `level`?
fn above(side: Side, price: Price, level: Price) -> bool {
    reached(side, price, level) && price != level
}
