//! The three things a caller can do about an error of the outside.
//!
//! Each port's error enum has a method `kind()`; policies (retry, back-off, halt) match on this and never on texts.

/// What may be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The same call may succeed later: try again after a back-off.
    Retryable,
    /// The same call will not succeed: something must change first (setting, right, disk, code).
    Fatal,
    /// The other side, or a bound of our own, asks for fewer calls: wait, then try again.
    Throttled,
}
