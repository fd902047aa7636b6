//! One restart of one or several children, step by step, as a pure state machine.
//!
//! A round goes: every member pauses; the back-off passes; the members are rebuilt one after the other in the order
//! of their registration; then all run again, in the same order. So no member handles a message between the failure
//! of one and the rebuilding of all, and what a rebuilt member sends waits in the mailbox of the next.
//!
//! Invariant: no member runs before every member is rebuilt.

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Pausing,
    Paused,
    Rebuilding,
    Rebuilt,
    Rising,
    Up,
}

/// What the group has to order next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: an answer is still out.
    Wait,
    /// This member rebuilds its state.
    Rebuild(usize),
    /// These members run again, in this order.
    Resume(Vec<usize>),
    /// The round is over.
    Done,
}

/// A round under way. Answers that do not fit the member's step are ignored: they are stale.
#[derive(Debug)]
pub(crate) struct Round {
    id: u64,
    due: bool,
    members: Vec<(usize, Step)>,
}

impl Round {
    /// A round over `members`, given in any order; `due` when there is no back-off to wait out.
    pub(crate) fn new(id: u64, mut members: Vec<usize>, due: bool) -> Self {
        members.sort_unstable();
        members.dedup();
        Self { id, due, members: members.into_iter().map(|m| (m, Step::Pausing)).collect() }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = usize> {
        self.members.iter().map(|(m, _)| *m)
    }

    /// The members that do not run yet; a new round takes them over.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = usize> {
        self.members.iter().filter(|(_, s)| *s != Step::Up).map(|(m, _)| *m)
    }

    pub(crate) fn paused(&mut self, member: usize) {
        self.step(member, Step::Pausing, Step::Paused);
    }

    pub(crate) fn due(&mut self) {
        self.due = true;
    }

    pub(crate) fn rebuilt(&mut self, member: usize) {
        self.step(member, Step::Rebuilding, Step::Rebuilt);
    }

    pub(crate) fn up(&mut self, member: usize) {
        self.step(member, Step::Rising, Step::Up);
    }

    /// Takes a member out: it is suspended or gone.
    pub(crate) fn remove(&mut self, member: usize) {
        self.members.retain(|(m, _)| *m != member);
    }

    fn step(&mut self, member: usize, from: Step, to: Step) {
        if let Some((_, step)) = self.members.iter_mut().find(|(m, s)| *m == member && *s == from) {
            *step = to;
        }
    }

    fn any(&self, step: Step) -> bool {
        self.members.iter().any(|(_, s)| *s == step)
    }

    /// What to order now; the order counts as given.
    pub(crate) fn next(&mut self) -> Next {
        if self.members.iter().all(|(_, s)| *s == Step::Up) {
            return Next::Done;
        }
        if !self.due || self.any(Step::Pausing) || self.any(Step::Rebuilding) {
            return Next::Wait;
        }
        if let Some((member, step)) = self.members.iter_mut().find(|(_, s)| *s == Step::Paused) {
            *step = Step::Rebuilding;
            return Next::Rebuild(*member);
        }
        let mut ready = Vec::new();
        for (member, step) in self.members.iter_mut().filter(|(_, s)| *s == Step::Rebuilt) {
            *step = Step::Rising;
            ready.push(*member);
        }
        if ready.is_empty() { Next::Wait } else { Next::Resume(ready) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_pause_then_rebuild_in_order_then_run_in_order() {
        let mut r = Round::new(1, vec![2, 0, 1], false);
        r.paused(0);
        r.paused(2);
        r.due();
        assert_eq!(r.next(), Next::Wait);
        r.paused(1);
        for member in 0..3 {
            assert_eq!(r.next(), Next::Rebuild(member));
            assert_eq!(r.next(), Next::Wait);
            r.rebuilt(member);
        }
        assert_eq!(r.next(), Next::Resume(vec![0, 1, 2]));
        for member in 0..3 {
            assert_eq!(r.next(), Next::Wait);
            r.up(member);
        }
        assert_eq!(r.next(), Next::Done);
    }

    #[test]
    fn a_member_that_leaves_holds_nobody_up() {
        let mut r = Round::new(1, vec![0, 1], true);
        r.paused(1);
        assert_eq!(r.next(), Next::Wait);
        r.remove(0);
        assert_eq!(r.next(), Next::Rebuild(1));
        r.remove(1);
        assert_eq!(r.next(), Next::Done);
    }

    proptest! {
        /// Whatever answers come in whatever order, nobody runs before all are rebuilt, and honest answers end the round.
        #[test]
        fn nobody_runs_before_all_are_rebuilt(n in 1_usize..6, noise in proptest::collection::vec((0_usize..8, 0_u8..5), 0..60)) {
            let mut r = Round::new(7, (0..n).collect(), false);
            let mut left: Vec<usize> = Vec::new();
            let mut rebuilt = vec![false; n];
            let mut asked: Option<usize> = None;
            for (m, what) in noise {
                match what {
                    0 => r.paused(m),
                    1 => r.due(),
                    2 => { if asked == Some(m) { rebuilt[m] = true; } r.rebuilt(m) }
                    3 => r.up(m),
                    _ => { if n > 1 && m + 1 < n { r.remove(m); left.push(m); } }
                }
                match r.next() {
                    Next::Rebuild(m) => { asked = Some(m); }
                    Next::Resume(all) => {
                        for m in all { prop_assert!(rebuilt[m] && !left.contains(&m)); }
                        for (m, is) in rebuilt.iter().enumerate() { prop_assert!(*is || left.contains(&m)); }
                    }
                    Next::Wait | Next::Done => {}
                }
            }
            r.due();
            for m in 0..n { r.paused(m); }
            if let Some(m) = asked { r.rebuilt(m); }
            for _ in 0..3 * n + 3 {
                match r.next() {
                    Next::Rebuild(m) => r.rebuilt(m),
                    Next::Resume(all) => for m in all { r.up(m) },
                    Next::Wait => for m in 0..n { r.up(m) },
                    Next::Done => return Ok(()),
                }
            }
            prop_assert!(false, "the round did not end: {r:?}");
        }
    }
}
