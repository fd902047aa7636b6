//! Clocks, read only at the edges.

use fulmar_domain::time::Now;

/// Gives both clocks at once.
pub trait Clock: Send + Sync {
    /// Market and protocol time.
    fn now(&self) -> Now;
    /// Monotonic nanoseconds since an arbitrary start, for latencies.
    fn monotonic_ns(&self) -> u64;
}
