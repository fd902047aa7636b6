//! The watchdog: finds a thread that never comes back, which no guard can.
//!
//! Every arbiter beats a heart, a task that counts up. A plain thread reads the counts; when one stands still for too
//! long it has trading halted and ends the process, for a stuck thread cannot be stopped from outside. Starting again
//! is recovering.
//!
//! This is the single place in the crate that reads `std::time::Instant`: a watchdog on the clock of the thread that it
//! watches would stand still with it. For the same reason it has no place in virtual time.
//!
//! Invariant: a stall is found no later than `found_within` after it began, and a pause of the whole process (a
//! debugger, a suspended machine) is not taken for a stall of all its threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::ArbiterHandle;
use parking_lot::Mutex;

use super::policy::WatchdogPolicy;

/// A thread that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Name of the heart.
    pub heart: Arc<str>,
    /// How long it has not beaten.
    pub silent_for: Duration,
}

/// What the watchdog does about a stall.
pub trait WatchdogHooks: Send + Sync {
    /// Halts trading. Runs on a thread of its own and has `halt_grace` to do it: it may touch what the stuck thread holds.
    fn stalled(&self, stall: &Stall);
    /// Ends the process. A test may return instead.
    fn exit(&self, code: i32) {
        std::process::exit(code);
    }
}

struct Heart {
    name: Arc<str>,
    beats: Arc<AtomicU64>,
    seen: u64,
    since: Option<Instant>,
    reported: bool,
}

/// Judges hearts by the clock it is given. Pure, so that it can be tested without waiting.
struct Judge {
    silent_max: Duration,
    gap_max: Duration,
    last_look: Option<Instant>,
}

impl Judge {
    fn new(policy: &WatchdogPolicy) -> Self {
        // A heart may have beaten up to `beat_every` before the stall, and the next look may come `check_every` late.
        let silent_max = policy.found_within.saturating_sub(policy.check_every * 2);
        Self { silent_max, gap_max: policy.found_within / 2, last_look: None }
    }

    fn look(&mut self, hearts: &mut [Heart], now: Instant) -> Vec<Stall> {
        // When the watchdog itself was away, the whole process was: everybody gets a fresh start.
        let away = self.last_look.is_some_and(|t| now.saturating_duration_since(t) > self.gap_max);
        self.last_look = Some(now);
        let mut stalls = Vec::new();
        for heart in hearts {
            let beats = heart.beats.load(Ordering::Relaxed);
            if beats == 0 {
                continue;
            }
            let since = *heart.since.get_or_insert(now);
            if beats != heart.seen || away {
                heart.seen = beats;
                heart.since = Some(now);
                heart.reported = false;
                continue;
            }
            let silent_for = now.saturating_duration_since(since);
            if silent_for >= self.silent_max && !heart.reported {
                heart.reported = true;
                stalls.push(Stall { heart: heart.name.clone(), silent_for });
            }
        }
        stalls
    }
}

/// The watchdog and its thread; dropping it ends both.
pub struct Watchdog {
    policy: WatchdogPolicy,
    hearts: Arc<Mutex<Vec<Heart>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(policy: WatchdogPolicy, hooks: Arc<dyn WatchdogHooks>) -> std::io::Result<Self> {
        let hearts = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn({
            let (hearts, ended) = (hearts.clone(), ended.clone());
            move || watch(&policy, &hearts, &ended, &hooks)
        })?;
        Ok(Self { policy, hearts, ended, thread: Some(thread) })
    }

    /// A new heart; it is watched from its first beat on. The future beats it: spawn it on the runtime to be watched.
    pub fn heart(&self, name: &str) -> impl Future<Output = ()> + Send + 'static {
        let beats = Arc::new(AtomicU64::new(0));
        self.hearts.lock().push(Heart { name: name.into(), beats: beats.clone(), seen: 0, since: None, reported: false });
        let every = self.policy.beat_every;
        async move {
            let mut interval = tokio::time::interval(every);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                beats.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Beats a heart of this name on an arbiter. Returns false when the arbiter has ended.
    pub fn watch_arbiter(&self, name: &str, arbiter: &ArbiterHandle) -> bool {
        arbiter.spawn(self.heart(name))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the watchdog's thread had panicked");
            }
        }
    }
}

fn watch(policy: &WatchdogPolicy, hearts: &Mutex<Vec<Heart>>, ended: &AtomicBool, hooks: &Arc<dyn WatchdogHooks>) {
    let mut judge = Judge::new(policy);
    while !ended.load(Ordering::Acquire) {
        let stalls = judge.look(&mut hearts.lock(), Instant::now());
        if let Some(stall) = stalls.into_iter().next() {
            halt(hooks, &stall, policy.halt_grace);
            hooks.exit(policy.exit_code);
        }
        std::thread::park_timeout(policy.check_every);
    }
}

/// Has trading halted, but waits no longer than the grace: the stuck thread may hold what the halt needs.
fn halt(hooks: &Arc<dyn WatchdogHooks>, stall: &Stall, grace: Duration) {
    let (done, halted) = channel();
    let spawned = std::thread::Builder::new().name("watchdog-halt".into()).spawn({
        let (hooks, stall) = (hooks.clone(), stall.clone());
        move || {
            hooks.stalled(&stall);
            tracing::error!(
                heart = %stall.heart,
                silent_ms = u64::try_from(stall.silent_for.as_millis()).unwrap_or(u64::MAX),
                "a thread stands still: trading halted, the process ends"
            );
            // The receiver gives up after the grace; nobody is left to tell then.
            done.send(()).ok();
        }
    });
    if spawned.is_ok() {
        // Done, or too late: the process ends either way.
        halted.recv_timeout(grace).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heart(name: &str, beats: u64) -> Heart {
        Heart { name: name.into(), beats: Arc::new(AtomicU64::new(beats)), seen: 0, since: None, reported: false }
    }

    fn policy() -> WatchdogPolicy {
        WatchdogPolicy::default()
    }

    #[test]
    fn a_silent_heart_is_found_in_time_and_once_and_a_beating_one_never() {
        let mut judge = Judge::new(&policy());
        let mut hearts = [heart("stuck", 1), heart("alive", 1), heart("not started", 0)];
        let start = Instant::now();
        let mut found = Vec::new();
        for look in 0..100_u32 {
            hearts[1].beats.fetch_add(1, Ordering::Relaxed);
            let after = policy().check_every * look;
            for stall in judge.look(&mut hearts, start + after) {
                found.push((stall.heart.to_string(), after));
            }
        }
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "stuck");
        assert!(found[0].1 <= policy().found_within, "{found:?}");
    }

    #[test]
    fn a_pause_of_the_whole_process_is_no_stall() {
        let mut judge = Judge::new(&policy());
        let mut hearts = [heart("a", 1)];
        let start = Instant::now();
        assert_eq!(judge.look(&mut hearts, start), []);
        assert_eq!(judge.look(&mut hearts, start + Duration::from_secs(3_600)), []);
        assert_eq!(judge.look(&mut hearts, start + Duration::from_secs(3_600) + policy().check_every), []);
    }

    #[test]
    fn a_heart_that_beats_again_can_be_found_again() {
        let mut judge = Judge::new(&policy());
        let mut hearts = [heart("a", 1)];
        let mut at = Instant::now();
        let mut found = 0;
        for round in 0..2 {
            hearts[0].beats.store(2 + round, Ordering::Relaxed);
            for _ in 0..40 {
                found += judge.look(&mut hearts, at).len();
                at += policy().check_every;
            }
        }
        assert_eq!(found, 2);
    }
}
