//! Holding frames back until a barrier has come on every socket, so that the order of facts does not depend on the machine.

use super::super::decode::Frame;
use fulmar_domain::time::Timestamp;
use std::collections::VecDeque;

#[derive(Debug)]
enum Entry {
    Frame(Box<Frame>, u64),
    Barrier(u64),
}

/// A step that is complete: its frames in the order of the sockets, and its barrier.
#[derive(Debug, PartialEq)]
pub(super) struct StepDone {
    pub frames: Vec<(Frame, u64)>,
    pub number: u64,
    pub at: Timestamp,
    pub last: bool,
}

/// One queue per socket, in the order in which they are handed on.
#[derive(Debug)]
pub(super) struct LockStep {
    queues: Vec<VecDeque<Entry>>,
}

impl LockStep {
    pub fn new(sockets: usize) -> Self {
        Self { queues: (0..sockets).map(|_| VecDeque::new()).collect() }
    }
    /// A socket was lost; what it held of an unfinished step comes no more.
    pub fn reset(&mut self, socket: usize) {
        if let Some(queue) = self.queues.get_mut(socket) {
            queue.clear();
        }
    }
    /// Keeps a frame of a socket; gives a step when that was the last that it waited for.
    pub fn push(&mut self, socket: usize, frame: Frame, received_ns: u64) -> Option<StepDone> {
        let queue = self.queues.get_mut(socket)?;
        let Frame::Barrier { number, at, last } = frame else {
            queue.push_back(Entry::Frame(Box::new(frame), received_ns));
            return None;
        };
        queue.push_back(Entry::Barrier(number));
        let barriers = |queue: &VecDeque<Entry>, wanted: u64| queue.iter().any(|e| matches!(e, Entry::Barrier(n) if *n == wanted));
        if !self.queues.iter().all(|q| barriers(q, number)) {
            return None;
        }
        let mut frames = Vec::new();
        for queue in &mut self.queues {
            while let Some(entry) = queue.pop_front() {
                match entry {
                    Entry::Frame(frame, received_ns) => frames.push((*frame, received_ns)),
                    Entry::Barrier(n) if n == number => break,
                    Entry::Barrier(_) => {}
                }
            }
        }
        Some(StepDone { frames, number, at, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(id: i64) -> Frame {
        Frame::Reply { id, refused: None }
    }
    fn barrier(number: u64) -> Frame {
        Frame::Barrier { number, at: Timestamp(1), last: false }
    }

    #[test]
    fn a_step_is_handed_on_in_the_order_of_sockets_once_all_have_its_barrier() {
        let mut held = LockStep::new(3);
        assert_eq!(held.push(2, reply(20), 0), None);
        assert_eq!(held.push(2, barrier(1), 0), None);
        assert_eq!(held.push(1, reply(10), 0), None);
        assert_eq!(held.push(0, reply(1), 0), None);
        assert_eq!(held.push(0, barrier(1), 0), None);
        assert_eq!(held.push(0, reply(2), 0), None, "what follows the barrier belongs to the next step");
        let step = held.push(1, barrier(1), 0).expect("complete");
        assert_eq!(step.frames.into_iter().map(|(f, _)| f).collect::<Vec<_>>(), vec![reply(1), reply(10), reply(20)]);
        assert_eq!(held.push(1, barrier(2), 0), None);
        assert_eq!(held.push(2, barrier(2), 0), None);
        assert_eq!(held.push(0, barrier(2), 0).expect("complete").frames, vec![(reply(2), 0)]);
    }

    #[test]
    fn a_socket_that_came_late_is_waited_for() {
        let mut held = LockStep::new(2);
        assert_eq!(held.push(0, barrier(4), 0), None);
        held.reset(0);
        assert_eq!(held.push(1, barrier(4), 0), None);
        assert_eq!(held.push(0, barrier(4), 0).expect("complete").number, 4);
    }
}
