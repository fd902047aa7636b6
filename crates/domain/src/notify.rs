//! Notices to people, coalesced by code: the first at once, repetitions as one with their count.

use crate::control::Notice;
use crate::id::TimerId;
use crate::node::{ClockKind, Node, WakeAt};
use crate::symbol::Symbol;
use crate::time::{Now, Span, Timestamp};
use std::collections::BTreeMap;

/// What the notifier takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyIn {
    /// Something a person should know.
    Notice(Notice),
    /// A wake-up.
    Wake(TimerId),
}

/// What the notifier gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyOut {
    /// Deliver it.
    Deliver {
        /// The notice.
        notice: Notice,
        /// How many it stands for.
        count: u32,
        /// When the first of them came (protocol clock).
        first: Timestamp,
    },
    /// Call again.
    Wake(WakeAt),
}

#[derive(Debug, Clone)]
struct Quiet {
    timer: TimerId,
    held: Option<(Notice, u32, Timestamp)>,
}

/// Coalesces. Invariant: every notice is counted in exactly one delivery.
#[derive(Debug, Clone)]
pub struct NotifyNode {
    window: Span,
    quiet: BTreeMap<(String, Option<Symbol>), Quiet>,
    timer: u64,
}

impl NotifyNode {
    /// `window`: after a delivery, how long notices of the same code and symbol are gathered (protocol clock).
    #[must_use]
    pub const fn new(window: Span) -> Self {
        Self { window, quiet: BTreeMap::new(), timer: 0 }
    }

    fn hush(&mut self, now: Now, out: &mut Vec<NotifyOut>) -> TimerId {
        self.timer += 1;
        let timer = TimerId(self.timer);
        out.push(NotifyOut::Wake(WakeAt { clock: ClockKind::Protocol, at: now.protocol.plus(self.window), timer }));
        timer
    }
}

impl Node for NotifyNode {
    type In = NotifyIn;
    type Out = NotifyOut;

    fn on(&mut self, input: &NotifyIn, now: Now, out: &mut Vec<NotifyOut>) {
        match input {
            NotifyIn::Notice(notice) => {
                let key = (notice.code.clone(), notice.symbol);
                if let Some(quiet) = self.quiet.get_mut(&key) {
                    let (_, count, first) = quiet.held.take().unwrap_or((notice.clone(), 0, now.protocol));
                    quiet.held = Some((notice.clone(), count.saturating_add(1), first));
                    return;
                }
                out.push(NotifyOut::Deliver { notice: notice.clone(), count: 1, first: now.protocol });
                let timer = self.hush(now, out);
                self.quiet.insert(key, Quiet { timer, held: None });
            }
            NotifyIn::Wake(timer) => {
                let Some(key) = self.quiet.iter().find(|(_, q)| q.timer == *timer).map(|(k, _)| k.clone()) else { return };
                let held = self.quiet.get_mut(&key).and_then(|q| q.held.take());
                match held {
                    None => {
                        self.quiet.remove(&key);
                    }
                    Some((notice, count, first)) => {
                        out.push(NotifyOut::Deliver { notice, count, first });
                        let timer = self.hush(now, out);
                        self.quiet.insert(key, Quiet { timer, held: None });
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Severity;

    #[test]
    fn repetitions_are_delivered_as_one_with_their_count() {
        let mut node = NotifyNode::new(Span::secs(60));
        let notice = |text: &str| NotifyIn::Notice(Notice::new(Severity::Warning, "FEED_STALE", text));
        let mut out = vec![];
        for at in 0..5 {
            node.on(&notice(&format!("at {at}")), Now::both(Timestamp(at)), &mut out);
        }
        assert_eq!(out.iter().filter(|o| matches!(o, NotifyOut::Deliver { .. })).count(), 1);
        out.clear();
        node.on(&NotifyIn::Wake(TimerId(1)), Now::both(Timestamp(60_000)), &mut out);
        assert!(
            matches!(out.first(), Some(NotifyOut::Deliver { count: 4, first: Timestamp(1), notice }) if notice.text == "at 4"),
            "{out:?}"
        );
        out.clear();
        node.on(&NotifyIn::Wake(TimerId(2)), Now::both(Timestamp(120_000)), &mut out);
        assert!(out.is_empty());
        node.on(&notice("later"), Now::both(Timestamp(130_000)), &mut out);
        assert!(matches!(out.first(), Some(NotifyOut::Deliver { count: 1, .. })));
    }
}
