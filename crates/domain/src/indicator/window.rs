//! A fixed window of the last `n` values with their sum, in constant time and without drift.
//!
//! A running sum that only adds and subtracts collects rounding errors for ever. Here the sum of the values written
//! since the ring last wrapped is kept beside it; at each wrap that sum *is* the sum of the window and replaces the
//! running one, so an error lives for less than `n` bars. Invariant: the ring never grows after construction.

/// The last `n` values and their sum.
#[derive(Debug, Clone)]
pub(super) struct RollingSum {
    ring: Box<[f64]>,
    at: usize,
    full: bool,
    sum: f64,
    since_wrap: f64,
}

impl RollingSum {
    /// An empty window of `n` values, `n` at least 1.
    pub(super) fn new(n: usize) -> Self {
        Self { ring: vec![0.0; n.max(1)].into_boxed_slice(), at: 0, full: false, sum: 0.0, since_wrap: 0.0 }
    }

    /// Number of values the window holds once full.
    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Sum of the window before the next push, `None` until it is full.
    #[inline]
    pub(super) fn sum(&self) -> Option<f64> {
        self.full.then_some(self.sum)
    }

    /// Puts `x` in the place of the oldest value, which is given back (0 while the window fills).
    #[inline]
    pub(super) fn push(&mut self, x: f64) -> f64 {
        let oldest = std::mem::replace(&mut self.ring[self.at], x);
        self.since_wrap += x;
        self.at += 1;
        if self.at == self.ring.len() {
            self.at = 0;
            self.sum = self.since_wrap;
            self.since_wrap = 0.0;
            self.full = true;
        } else if self.full {
            self.sum += x - oldest;
        }
        oldest
    }
}
