//! The figures of supervision: who is restarted with whom, how often, how soon, and what follows when it is too often.
//!
//! All of them are settings; the defaults are those of the architecture's table. `validate` reports every
//! violation at once, with the key that is wrong.

use std::time::Duration;

/// Who is restarted together with the child that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The failed child alone.
    OneForOne,
    /// All children of the group.
    OneForAll,
    /// The failed child and those registered after it.
    RestForOne,
}

impl Strategy {
    /// Stable name, as in the settings and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
        }
    }
}

/// Whose failures are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One window for the group: too many failures among all children escalate the group.
    Group,
    /// One window for each child: too many failures of a child escalate that child alone.
    Child,
}

/// How many restarts are allowed within a sliding window; one failure more escalates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts allowed within the window.
    pub max: u32,
    /// Length of the window. A failure leaves it when it is exactly this old.
    pub window: Duration,
}

/// How long a restart waits: the first in a window not at all, the second `min`, then twice as long each time up to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Wait before the second restart in a window.
    pub min: Duration,
    /// Longest wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait before the `nth` restart in a window, counted from 1.
    pub fn delay(&self, nth: u32) -> Duration {
        if nth <= 1 {
            return Duration::ZERO;
        }
        let doublings = (nth - 2).min(31);
        self.min.saturating_mul(1_u32 << doublings).min(self.max)
    }
}

/// What follows when the intensity is exceeded. The failed child is suspended in any case: it runs no more, but its
/// mailbox lives and nothing queued is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EscalationKind {
    /// Halt trading, cancel entry orders (never protective stops), end the process with this exit code.
    HaltAndExit {
        /// Exit code of the process.
        code: i32,
    },
    /// The symbols of this group go reduce-only.
    ReduceOnly,
    /// The strategy is disabled, its entry orders are cancelled, its stops stay.
    DisableStrategy,
    /// The service is marked degraded; trading goes on.
    Degrade,
}

impl EscalationKind {
    /// Stable name, as in the settings and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HaltAndExit { .. } => "halt_and_exit",
            Self::ReduceOnly => "reduce_only",
            Self::DisableStrategy => "disable_strategy",
            Self::Degrade => "degrade",
        }
    }
}

/// The policy of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPolicy {
    /// Who is restarted together.
    pub strategy: Strategy,
    /// Whose failures are counted together.
    pub scope: Scope,
    /// How many restarts within which window.
    pub intensity: Intensity,
    /// How long a restart waits.
    pub backoff: Backoff,
    /// What follows when the intensity is exceeded.
    pub escalation: EscalationKind,
}

/// Exit code when supervision gives up: the process supervisor starts the program again.
pub const EXIT_ESCALATED: i32 = 70;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl GroupPolicy {
    /// Risk, execution, position: all restart together, behind a closed gate.
    pub const fn trading() -> Self {
        Self {
            strategy: Strategy::OneForAll,
            scope: Scope::Group,
            intensity: Intensity { max: 3, window: secs(60) },
            backoff: Backoff { min: millis(200), max: secs(5) },
            escalation: EscalationKind::HaltAndExit { code: EXIT_ESCALATED },
        }
    }

    /// One shard of market data: the feed, then the indicators that live on it.
    pub const fn market() -> Self {
        Self {
            strategy: Strategy::RestForOne,
            scope: Scope::Group,
            intensity: Intensity { max: 5, window: secs(60) },
            backoff: Backoff { min: millis(250), max: secs(30) },
            escalation: EscalationKind::ReduceOnly,
        }
    }

    /// Strategy instances: each for itself.
    pub const fn strategies() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            scope: Scope::Child,
            intensity: Intensity { max: 3, window: secs(600) },
            backoff: Backoff { min: secs(1), max: secs(60) },
            escalation: EscalationKind::DisableStrategy,
        }
    }

    /// Circuit breaker and fail-over, on a thread of their own; they fail closed.
    pub const fn safety() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            scope: Scope::Group,
            intensity: Intensity { max: 3, window: secs(60) },
            backoff: Backoff { min: millis(100), max: secs(1) },
            escalation: EscalationKind::HaltAndExit { code: EXIT_ESCALATED },
        }
    }

    /// Notifier, WebSocket hub, health: the engine trades without them.
    pub const fn platform() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            scope: Scope::Child,
            intensity: Intensity { max: 10, window: secs(300) },
            backoff: Backoff { min: millis(100), max: secs(60) },
            escalation: EscalationKind::Degrade,
        }
    }

    /// Audit: the engine does not trade without it.
    pub const fn audit() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            scope: Scope::Child,
            intensity: Intensity { max: 5, window: secs(60) },
            backoff: Backoff { min: millis(100), max: secs(60) },
            escalation: EscalationKind::HaltAndExit { code: EXIT_ESCALATED },
        }
    }

    /// Reports every violation, each with the key `{prefix}.…` that is wrong; empty when all is well.
    pub fn validate(&self, prefix: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.intensity.window.is_zero() {
            wrong.push(format!("{prefix}.intensity.window is 0: give the length of the window, above 0"));
        }
        if self.intensity.max > 1_000 {
            wrong.push(format!("{prefix}.intensity.max is {}: allow at most 1000 restarts in a window", self.intensity.max));
        }
        if self.backoff.min.is_zero() {
            wrong.push(format!("{prefix}.backoff.min is 0: give a wait above 0 (the first restart never waits)"));
        }
        if self.backoff.max < self.backoff.min {
            wrong.push(format!("{prefix}.backoff.max ({:?}) is below {prefix}.backoff.min ({:?})", self.backoff.max, self.backoff.min));
        }
        if self.backoff.max > secs(3_600) {
            wrong.push(format!("{prefix}.backoff.max is {:?}: at most one hour, so that a fault does not hide", self.backoff.max));
        }
        if let EscalationKind::HaltAndExit { code } = self.escalation
            && !(1..=255).contains(&code)
        {
            wrong.push(format!("{prefix}.escalation.code is {code}: an exit code that says failure is 1 to 255"));
        }
        wrong
    }
}

/// When the watchdog calls a thread stalled, and what it does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchdogPolicy {
    /// A stall is found no later than this after it began.
    pub found_within: Duration,
    /// How often each arbiter beats its heart.
    pub beat_every: Duration,
    /// How often the watchdog looks.
    pub check_every: Duration,
    /// How long the halt may take before the process ends without it.
    pub halt_grace: Duration,
    /// Exit code of the process.
    pub exit_code: i32,
}

impl Default for WatchdogPolicy {
    fn default() -> Self {
        Self {
            found_within: millis(500),
            beat_every: millis(50),
            check_every: millis(20),
            halt_grace: millis(200),
            exit_code: EXIT_ESCALATED,
        }
    }
}

impl WatchdogPolicy {
    /// Reports every violation; empty when all is well.
    pub fn validate(&self, prefix: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.beat_every.is_zero() || self.check_every.is_zero() {
            wrong.push(format!("{prefix}.beat_every and {prefix}.check_every must be above 0"));
        }
        if self.found_within < (self.beat_every + self.check_every) * 2 {
            wrong.push(format!(
                "{prefix}.found_within ({:?}) must be at least twice {prefix}.beat_every + {prefix}.check_every ({:?})",
                self.found_within,
                self.beat_every + self.check_every
            ));
        }
        if !(1..=255).contains(&self.exit_code) {
            wrong.push(format!("{prefix}.exit_code is {}: an exit code that says failure is 1 to 255", self.exit_code));
        }
        wrong
    }
}

/// The policies of all groups: the `[supervision]` section of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisionPolicy {
    /// Risk, execution, position.
    pub trading: GroupPolicy,
    /// One shard of market data.
    pub market: GroupPolicy,
    /// Strategy instances.
    pub strategies: GroupPolicy,
    /// Circuit breaker and fail-over.
    pub safety: GroupPolicy,
    /// Notifier, WebSocket hub, health.
    pub platform: GroupPolicy,
    /// Audit.
    pub audit: GroupPolicy,
    /// The watchdog of the threads.
    pub watchdog: WatchdogPolicy,
}

impl Default for SupervisionPolicy {
    fn default() -> Self {
        Self {
            trading: GroupPolicy::trading(),
            market: GroupPolicy::market(),
            strategies: GroupPolicy::strategies(),
            safety: GroupPolicy::safety(),
            platform: GroupPolicy::platform(),
            audit: GroupPolicy::audit(),
            watchdog: WatchdogPolicy::default(),
        }
    }
}

impl SupervisionPolicy {
    /// Reports every violation of every group; empty when all is well.
    pub fn validate(&self) -> Vec<String> {
        let groups = [
            ("supervision.trading", &self.trading),
            ("supervision.market", &self.market),
            ("supervision.strategies", &self.strategies),
            ("supervision.safety", &self.safety),
            ("supervision.platform", &self.platform),
            ("supervision.audit", &self.audit),
        ];
        let mut wrong: Vec<String> = groups.iter().flat_map(|(key, policy)| policy.validate(key)).collect();
        wrong.extend(self.watchdog.validate("supervision.watchdog"));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_immediate_then_the_wait_doubles_up_to_its_cap() {
        let waits: Vec<u128> = (1..=8).map(|n| GroupPolicy::trading().backoff.delay(n).as_millis()).collect();
        assert_eq!(waits, [0, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(GroupPolicy::market().backoff.delay(u32::MAX), secs(30));
    }

    #[test]
    fn the_defaults_are_those_of_the_table_and_valid() {
        let all = SupervisionPolicy::default();
        assert_eq!(all.validate(), Vec::<String>::new());
        let figures = |p: &GroupPolicy| (p.strategy.as_str(), p.intensity.max, p.intensity.window.as_secs());
        assert_eq!(figures(&all.trading), ("one_for_all", 3, 60));
        assert_eq!(figures(&all.market), ("rest_for_one", 5, 60));
        assert_eq!(figures(&all.strategies), ("one_for_one", 3, 600));
        assert_eq!(figures(&all.safety), ("one_for_one", 3, 60));
        assert_eq!(figures(&all.platform), ("one_for_one", 10, 300));
        assert_eq!(figures(&all.audit), ("one_for_one", 5, 60));
    }

    #[test]
    fn every_violation_is_reported_with_its_key() {
        let mut all = SupervisionPolicy::default();
        all.trading.intensity.window = Duration::ZERO;
        all.market.backoff = Backoff { min: secs(2), max: secs(1) };
        all.audit.escalation = EscalationKind::HaltAndExit { code: 0 };
        all.watchdog.found_within = millis(100);
        let wrong = all.validate();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        for key in ["trading.intensity.window", "market.backoff.max", "audit.escalation.code", "watchdog.found_within"] {
            assert!(wrong.iter().any(|w| w.contains(key)), "{key} in {wrong:?}");
        }
    }
}
