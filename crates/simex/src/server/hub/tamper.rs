//! Faults on frames: skipped, doubled, or sent after their successor. Each fault is bounded by a count and a seeded chance.

use super::{Socket, push};
use bytestring::ByteString;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What happens to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameFault {
    /// It is lost.
    Skip,
    /// It comes twice.
    Duplicate,
    /// It comes after the next one.
    Reorder,
}

#[derive(Debug)]
struct Rule {
    fault: FrameFault,
    stream: String,
    left: u64,
    probability: f64,
}

/// The faults in force.
#[derive(Debug)]
pub(crate) struct Tamper {
    rules: Vec<Rule>,
    chance: ChaCha8Rng,
}

impl Tamper {
    /// None.
    pub(crate) fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), chance: ChaCha8Rng::seed_from_u64(seed) }
    }
    /// Adds a fault for the next `count` frames of streams (or user events) whose name holds `stream`.
    pub(crate) fn add(&mut self, fault: FrameFault, stream: &str, count: u64, probability: f64) {
        self.rules.push(Rule { fault, stream: stream.to_owned(), left: count, probability });
    }
    /// Takes all away.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }
    /// Sends a frame on, or does to it what a fault says.
    pub(super) fn pass(&mut self, name: &str, socket: &mut Socket, frame: ByteString, backlog_max: usize) {
        let fault = if self.rules.is_empty() { None } else { self.strike(name) };
        let held = socket.held.take();
        match fault {
            None => push(socket, frame, backlog_max),
            Some(FrameFault::Skip) => {}
            Some(FrameFault::Duplicate) => {
                push(socket, frame.clone(), backlog_max);
                push(socket, frame, backlog_max);
            }
            Some(FrameFault::Reorder) => socket.held = Some(frame),
        }
        if let Some(late) = held {
            push(socket, late, backlog_max);
        }
    }
    fn strike(&mut self, name: &str) -> Option<FrameFault> {
        let chance = &mut self.chance;
        let rule = self.rules.iter_mut().find(|r| r.left > 0 && name.contains(&r.stream))?;
        if rule.probability < 1.0 && !chance.random_bool(rule.probability.clamp(0.0, 1.0)) {
            return None;
        }
        rule.left -= 1;
        let fault = rule.fault;
        self.rules.retain(|r| r.left > 0);
        Some(fault)
    }
}
