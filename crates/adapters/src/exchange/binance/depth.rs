//! Synchronising a book: Binance's documented procedure as a pure state machine.
//!
//! Buffer the stream; fetch a snapshot; drop frames that end before it; the first frame must straddle it; then each frame's
//! `pu` must be the `u` before it, else start again. Invariant: what is handed on, applied in order, is the exchange's book
//! at the number handed on last, or the book is called invalid first.

use fulmar_domain::market::{DepthDelta, DepthSnapshot};
use std::collections::VecDeque;

/// Frames that wait for a snapshot at most; at ten a second more than a minute.
const BUFFER_MAX: usize = 1_024;

/// What the machine wants or gives.
#[derive(Debug, Clone, PartialEq)]
pub enum DepthOut {
    /// Fetch a snapshot (not more than one a second).
    NeedSnapshot,
    /// The book handed on so far holds no more.
    Invalid,
    /// The whole book.
    Book(DepthSnapshot),
    /// A change of it.
    Delta(DepthDelta),
}

#[derive(Debug)]
enum State {
    /// No snapshot yet, or the chain broke.
    Waiting(VecDeque<DepthDelta>),
    /// The snapshot stands; the first frame must straddle it.
    Joining(i64),
    /// The chain holds up to this number.
    Live(i64),
}

/// One contract's synchronisation.
#[derive(Debug)]
pub struct DepthSync {
    state: State,
    asked: bool,
}

impl Default for DepthSync {
    fn default() -> Self {
        Self { state: State::Waiting(VecDeque::new()), asked: false }
    }
}

impl DepthSync {
    /// Is the book handed on valid?
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        !matches!(self.state, State::Waiting(_))
    }
    /// The connection was lost: start again.
    pub fn reset(&mut self, out: &mut Vec<DepthOut>) {
        if self.is_valid() {
            out.push(DepthOut::Invalid);
        }
        *self = Self::default();
    }
    fn restart(&mut self, with: DepthDelta, out: &mut Vec<DepthOut>) {
        out.push(DepthOut::Invalid);
        self.state = State::Waiting(VecDeque::from([with]));
        self.asked = true;
        out.push(DepthOut::NeedSnapshot);
    }
    /// A frame of the stream.
    pub fn on_frame(&mut self, delta: DepthDelta, out: &mut Vec<DepthOut>) {
        match &mut self.state {
            State::Waiting(buffer) => {
                if buffer.len() == BUFFER_MAX {
                    buffer.pop_front();
                }
                buffer.push_back(delta);
                if !self.asked {
                    self.asked = true;
                    out.push(DepthOut::NeedSnapshot);
                }
            }
            State::Joining(at) => {
                let at = *at;
                if delta.last < at {
                    return;
                }
                if delta.previous == at || (delta.first <= at && at <= delta.last) {
                    self.state = State::Live(delta.last);
                    out.push(DepthOut::Delta(delta));
                } else {
                    self.restart(delta, out);
                }
            }
            State::Live(at) => {
                if delta.last <= *at {
                    return; // seen before
                }
                if delta.previous == *at {
                    *at = delta.last;
                    out.push(DepthOut::Delta(delta));
                } else {
                    self.restart(delta, out);
                }
            }
        }
    }
    /// The snapshot asked for could not be had: it will be asked for again.
    pub const fn on_failure(&mut self) {
        self.asked = false;
    }
    /// The snapshot asked for.
    pub fn on_snapshot(&mut self, snapshot: DepthSnapshot, out: &mut Vec<DepthOut>) {
        let State::Waiting(buffer) = &mut self.state else { return };
        let mut buffer = std::mem::take(buffer);
        let at = snapshot.last;
        buffer.retain(|d| d.last >= at);
        self.asked = false;
        if buffer.front().is_some_and(|d| d.first > at && d.previous != at) {
            // Older than what is buffered: the frames between were never seen.
            self.state = State::Waiting(buffer);
            self.asked = true;
            out.push(DepthOut::NeedSnapshot);
            return;
        }
        out.push(DepthOut::Book(snapshot));
        self.state = State::Joining(at);
        for delta in buffer {
            self.on_frame(delta, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulmar_domain::market::Level;
    use fulmar_domain::num::{Price, Qty};
    use fulmar_domain::symbol::Symbol;
    use fulmar_domain::time::Timestamp;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn symbol() -> Symbol {
        Symbol::new("BTCUSDT").expect("name")
    }
    type Side = BTreeMap<i64, i64>;

    fn apply(book: &mut Side, levels: &[Level]) {
        for l in levels {
            if l.qty.is_zero() {
                book.remove(&l.price.raw())
            } else {
                book.insert(l.price.raw(), l.qty.raw())
            };
        }
    }
    fn snapshot(book: &Side, last: i64) -> DepthSnapshot {
        let bids = book.iter().rev().map(|(p, q)| Level { price: Price::from_raw(*p), qty: Qty::from_raw(*q) }).collect();
        DepthSnapshot { symbol: symbol(), last, bids, asks: Vec::new(), time: Timestamp(last) }
    }

    proptest! {
        /// The true book is kept beside; frames are dropped, doubled and swapped, snapshots come late.
        #[test]
        fn lost_doubled_and_swapped_frames_never_yield_an_invalid_book(
            changes in proptest::collection::vec((1_i64..20, 0_i64..5, 1_i64..4, 0_u8..12), 1..200),
            delay in 0_usize..6,
        ) {
            let mut truth = Side::new();
            let mut history = BTreeMap::from([(100_i64, truth.clone())]);
            let (mut last, mut frames) = (100_i64, Vec::new());
            for (price, qty, width, fate) in changes {
                let (first, end) = (last + 1, last + width);
                let level = Level { price: Price::from_raw(price), qty: Qty::from_raw(qty) };
                apply(&mut truth, &[level]);
                // Inside a frame only its end is a state of the book that anybody sees.
                history.insert(end, truth.clone());
                frames.push((DepthDelta { symbol: symbol(), first, last: end, previous: last, bids: vec![level], asks: vec![], time: Timestamp(end) }, fate));
                last = end;
            }
            for i in 1..frames.len() { if frames[i].1 == 0 { frames.swap(i - 1, i); } }
            let mut sync = DepthSync::default();
            let mut shown: Option<(Side, i64)> = None;
            let mut due: Option<usize> = None;
            for (i, (delta, fate)) in frames.into_iter().enumerate() {
                let known = delta.last;
                let times = match fate { 1 => 0, 2 => 2, _ => 1 };
                let mut out = Vec::new();
                for _ in 0..times { sync.on_frame(delta.clone(), &mut out); }
                if due.is_some_and(|at| at <= i) {
                    due = None;
                    let (at, book) = history.range(..=known).next_back().expect("some state");
                    sync.on_snapshot(snapshot(book, *at), &mut out);
                }
                for o in out {
                    match o {
                        DepthOut::NeedSnapshot => due = Some(i + 1 + delay),
                        DepthOut::Invalid => shown = None,
                        DepthOut::Book(s) => { let mut b = Side::new(); apply(&mut b, &s.bids); shown = Some((b, s.last)); }
                        DepthOut::Delta(d) => {
                            let (book, at) = shown.as_mut().expect("a change without a book");
                            apply(book, &d.bids);
                            *at = (*at).max(d.last);
                        }
                    }
                }
                prop_assert_eq!(sync.is_valid(), shown.is_some());
                if let Some((book, at)) = &shown {
                    prop_assert_eq!(book, &history[at]);
                }
            }
        }
    }
}
