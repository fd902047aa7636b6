//! The barrier of lock-step: who has joined, which barrier was sent, who has acknowledged it.
//!
//! A socket joins a group by subscribing to `simex@barrier@<group>`; one acknowledgement on any of its sockets counts for the
//! group. A group whose last socket went is forgotten. Invariant: market time moves only while at least the configured
//! number of groups is there and each of them has acknowledged the newest barrier.

use std::collections::BTreeMap;

/// Number of a socket.
pub(crate) type SocketId = u64;

#[derive(Debug, Default)]
struct Group {
    sockets: Vec<SocketId>,
    acknowledged: u64,
}

/// The state of the barrier.
#[derive(Debug)]
pub(crate) struct Barrier {
    required: usize,
    groups: BTreeMap<String, Group>,
    number: u64,
    market_ms: i64,
    last: bool,
    private_frames: u64,
}

impl Barrier {
    /// Nobody has joined; the market waits for `required` groups.
    pub(crate) const fn new(required: usize) -> Self {
        Self { required, groups: BTreeMap::new(), number: 0, market_ms: 0, last: false, private_frames: 0 }
    }
    /// How many groups there are.
    pub(crate) fn joined(&self) -> usize {
        self.groups.len()
    }
    /// As many groups as the market waits for?
    pub(crate) fn complete(&self) -> bool {
        self.groups.len() >= self.required
    }
    /// A socket joins. Where a barrier stands already, the socket is to get it at once and gives it back here as a frame.
    pub(crate) fn join(&mut self, group: &str, socket: SocketId) -> Option<String> {
        let standing = self.number;
        let entry =
            self.groups.entry(group.to_owned()).or_insert_with(|| Group { sockets: Vec::new(), acknowledged: standing.saturating_sub(1) });
        if !entry.sockets.contains(&socket) {
            entry.sockets.push(socket);
        }
        if standing > 0 { Some(self.frame()) } else { None }
    }
    /// A socket leaves one group.
    pub(crate) fn leave_group(&mut self, group: &str, socket: SocketId) {
        if let Some(entry) = self.groups.get_mut(group) {
            entry.sockets.retain(|s| *s != socket);
            if entry.sockets.is_empty() {
                self.groups.remove(group);
            }
        }
    }
    /// A socket went.
    pub(crate) fn leave(&mut self, socket: SocketId) {
        for group in self.groups.values_mut() {
            group.sockets.retain(|s| *s != socket);
        }
        self.groups.retain(|_, group| !group.sockets.is_empty());
    }
    /// A new barrier: its number, its frame, the sockets that get it.
    pub(crate) fn send(&mut self, market_ms: i64, last: bool) -> (u64, String, Vec<SocketId>) {
        self.number += 1;
        self.market_ms = market_ms;
        self.last = last;
        self.private_frames = 0;
        let sockets = self.groups.values().flat_map(|g| g.sockets.iter().copied()).collect();
        (self.number, self.frame(), sockets)
    }
    fn frame(&self) -> String {
        format!(r#"{{"e":"simexBarrier","n":{},"T":{},"last":{}}}"#, self.number, self.market_ms, self.last)
    }
    /// A socket acknowledges for its groups; false when it has joined none.
    pub(crate) fn acknowledge(&mut self, socket: SocketId, number: u64) -> bool {
        let standing = self.number;
        let mut known = false;
        for group in self.groups.values_mut().filter(|g| g.sockets.contains(&socket)) {
            known = true;
            group.acknowledged = group.acknowledged.max(number.min(standing));
        }
        known
    }
    /// May the market go on past barrier `number`?
    pub(crate) fn passed(&self, number: u64) -> bool {
        self.complete() && self.groups.values().all(|g| g.acknowledged >= number)
    }
    /// A user-data frame went out.
    pub(crate) const fn private_frame(&mut self) {
        self.private_frames += 1;
    }
    /// User-data frames since the newest barrier.
    pub(crate) const fn private_frames(&self) -> u64 {
        self.private_frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_market_waits_for_every_joined_group() {
        let mut b = Barrier::new(2);
        assert_eq!(b.join("a", 1), None);
        assert!(!b.complete());
        assert_eq!(b.join("b", 2), None);
        assert_eq!(b.join("b", 3), None);
        let (n, frame, sockets) = b.send(60_000, false);
        assert_eq!((n, sockets), (1, vec![1, 2, 3]));
        assert_eq!(frame, r#"{"e":"simexBarrier","n":1,"T":60000,"last":false}"#);
        assert!(b.acknowledge(1, 1));
        assert!(!b.passed(1));
        assert!(b.acknowledge(3, 1), "any socket of the group may acknowledge");
        assert!(b.passed(1));
    }

    #[test]
    fn a_group_that_went_holds_nobody_up_but_too_few_groups_do() {
        let mut b = Barrier::new(1);
        b.join("a", 1);
        b.join("b", 2);
        let (n, ..) = b.send(0, false);
        b.acknowledge(1, n);
        assert!(!b.passed(n));
        b.leave(2);
        assert!(b.passed(n));
        b.leave(1);
        assert!(!b.passed(n));
    }

    #[test]
    fn who_joins_late_gets_the_standing_barrier_and_must_acknowledge_it() {
        let mut b = Barrier::new(1);
        b.join("a", 1);
        let (n, frame, _) = b.send(7, true);
        b.acknowledge(1, n);
        assert_eq!(b.join("b", 2), Some(frame));
        assert!(!b.passed(n));
        b.acknowledge(2, n);
        assert!(b.passed(n));
    }

    #[test]
    fn strangers_and_barriers_to_come_cannot_be_acknowledged() {
        let mut b = Barrier::new(1);
        b.join("a", 1);
        let (n, ..) = b.send(0, false);
        assert!(!b.acknowledge(9, n));
        b.acknowledge(1, 99);
        let (n, ..) = b.send(1, false);
        assert!(!b.passed(n));
    }
}
