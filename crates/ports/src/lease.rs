//! The lease: which process may sign orders, and until when.
//!
//! A lease is a record {holder, epoch, expiry}. Each acquisition gets a higher epoch than every grant before it, so an
//! order that carries its epoch can be told from a stale one. Time is data: each call is given the caller's wall time, and
//! a grant's expiry is computed from the time given, so a process that was paused inside a call wakes with a grant that
//! is already over.
//!
//! Invariant: for any moment, at most one grant has `expiry_ms` behind it, provided that callers' clocks agree to within
//! the margin they subtract. A request may be signed only while its `timestamp + recvWindow` is at or before the expiry:
//! [`LeaseGrant::sign_allowed_until`].

use serde::{Deserialize, Serialize};

use crate::{BoxFuture, FaultKind};

/// A lease held by one holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseGrant {
    /// Who holds it: the name of an instance, unique among instances that share the lease.
    pub holder: String,
    /// Rises with each acquisition; carried by order ids as a fence.
    pub epoch: u64,
    /// Wall time in ms at which the grant ends unless renewed.
    pub expiry_ms: i64,
}

impl LeaseGrant {
    /// The latest request timestamp (exchange time, ms) that may be signed with the given receive window: a request
    /// stamped at or before it is dead at the exchange when the lease ends.
    pub fn sign_allowed_until(&self, recv_window_ms: i64) -> i64 {
        self.expiry_ms.saturating_sub(recv_window_ms)
    }

    /// True when a request stamped `timestamp_ms` may be signed.
    pub fn may_sign(&self, timestamp_ms: i64, recv_window_ms: i64) -> bool {
        timestamp_ms <= self.sign_allowed_until(recv_window_ms)
    }
}

/// Why a lease was not granted or renewed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Another holder's grant is in force: stand by.
    #[error("lease is held by `{holder}` (epoch {epoch}) until {expiry_ms} ms: stand by and try again then")]
    Held {
        /// The present holder.
        holder: String,
        /// Its epoch.
        epoch: u64,
        /// Its end, ms.
        expiry_ms: i64,
    },
    /// The grant to renew or release is no longer the newest, or has expired: stop signing, acquire anew.
    #[error("lease of epoch {epoch} is lost (newest epoch {newest}): stop signing and acquire anew")]
    Lost {
        /// The epoch of the grant presented.
        epoch: u64,
        /// The newest epoch seen.
        newest: u64,
    },
    /// Another process is acquiring at the same moment: try again after a short, jittered wait.
    #[error("lease is contended: try again")]
    Contended,
    /// The store of the lease cannot be read or written: stop signing before the expiry.
    #[error("lease store at {place} is unavailable: {reason}")]
    Unavailable {
        /// Folder or address.
        place: String,
        /// The cause.
        reason: String,
    },
    /// The record cannot be understood: nobody may acquire until a human has looked.
    #[error("lease record {place} is corrupt ({reason}): check that no other instance runs, then remove the file")]
    Corrupt {
        /// File or row.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The holder name, ttl or time given is not usable.
    #[error("lease request is invalid: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
}

impl LeaseError {
    /// What the caller may do.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Held { .. } | Self::Contended => FaultKind::Throttled,
            Self::Unavailable { .. } => FaultKind::Retryable,
            Self::Lost { .. } | Self::Corrupt { .. } | Self::Invalid { .. } => FaultKind::Fatal,
        }
    }
}

/// A place where one lease is kept.
pub trait Lease: Send + Sync {
    /// Takes the lease for `ttl_ms` from `now_ms` (wall time). A holder that was granted before and asks again (a restarted
    /// process) is granted at once with a new epoch: one instance name therefore belongs to one process at a time.
    ///
    /// # Errors
    /// [`LeaseError::Held`] while another holder's grant is in force; see the enum for the rest.
    fn acquire<'a>(&'a self, holder: &'a str, ttl_ms: i64, now_ms: i64) -> BoxFuture<'a, Result<LeaseGrant, LeaseError>>;

    /// Extends a grant to `now_ms + ttl_ms`; the epoch stays.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when the grant has expired at `now_ms` or a newer epoch exists.
    fn renew<'a>(&'a self, grant: &'a LeaseGrant, ttl_ms: i64, now_ms: i64) -> BoxFuture<'a, Result<LeaseGrant, LeaseError>>;

    /// Ends a grant, so that another holder may acquire at once.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when it was no longer the newest; nothing is changed then.
    fn release<'a>(&'a self, grant: &'a LeaseGrant) -> BoxFuture<'a, Result<(), LeaseError>>;

    /// The newest record, `None` before the first acquisition. An expired or released one is returned as it stands.
    ///
    /// # Errors
    /// [`LeaseError::Unavailable`], [`LeaseError::Corrupt`].
    fn read(&self) -> BoxFuture<'_, Result<Option<LeaseGrant>, LeaseError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_ends_one_receive_window_before_the_expiry() {
        let grant = LeaseGrant { holder: "a".into(), epoch: 1, expiry_ms: 10_000 };
        assert_eq!(grant.sign_allowed_until(2_000), 8_000);
        assert!(grant.may_sign(8_000, 2_000));
        assert!(!grant.may_sign(8_001, 2_000));
    }
}
