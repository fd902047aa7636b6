//! Faults on demand: what goes wrong with requests, matched by method, path, account, chance and count; and faults that
//! strike at once (sockets, keys, contracts, positions).
//!
//! Chance is seeded: the same requests in the same order meet the same faults.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Which of Binance's four answers 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Text503 {
    /// Execution unknown.
    A,
    /// Failed; come back later.
    B,
    /// Failed; send again.
    C,
    /// Throttled; orders that only reduce and cancels are exempt.
    D,
}
impl Text503 {
    /// Code and text.
    pub(crate) const fn body(self) -> (i32, &'static str) {
        match self {
            Self::A => (-1000, "Unknown error, please check your request or try again later."),
            Self::B => (-1, "Service Unavailable."),
            Self::C => (-1001, "Internal error; unable to process your request. Please try again."),
            Self::D => {
                (-1008, "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.")
            }
        }
    }
}

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub(crate) enum RequestFault {
    /// It arrives at the matching engine this much later (wall clock; in lock-step its age grows by as much instead).
    Delay { ms: u64 },
    /// It never arrives; the connection breaks.
    DropBefore,
    /// It is executed; the connection breaks before the answer.
    DropAfter,
    /// 503 with one of four texts, executed or not.
    Unavailable {
        text: Text503,
        #[serde(default)]
        execute: bool,
    },
    /// 408, executed or not.
    Timeout {
        #[serde(default)]
        execute: bool,
    },
    /// 429 with `Retry-After`.
    TooManyRequests {
        #[serde(default = "one")]
        retry_after: i64,
    },
    /// 418: the address is banned.
    Banned { ms: i64 },
    /// −1021 at the door.
    BadTimestamp,
    /// −5028 by the matching engine.
    RecvWindow,
}

const fn one() -> i64 {
    1
}
const fn certain() -> f64 {
    1.0
}
const fn once() -> u64 {
    1
}

/// A fault on requests with what it matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FaultRule {
    /// What goes wrong.
    #[serde(flatten)]
    pub(crate) fault: RequestFault,
    /// Only this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// Only paths that begin with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Only this API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// Chance of each matching request.
    #[serde(default = "certain")]
    pub(crate) probability: f64,
    /// How many requests it strikes.
    #[serde(default = "once")]
    pub(crate) count: u64,
}

/// The faults in force.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<FaultRule>,
    struck: u64,
    chance: ChaCha8Rng,
}

impl Faults {
    /// None.
    pub(crate) fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), struck: 0, chance: ChaCha8Rng::seed_from_u64(seed) }
    }
    /// Adds one.
    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }
    /// Those that can still strike.
    pub(crate) fn rules(&self) -> &[FaultRule] {
        &self.rules
    }
    /// How many requests were struck.
    pub(crate) const fn struck(&self) -> u64 {
        self.struck
    }
    /// Takes all away.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }
    /// What goes wrong with this request: the first rule that matches and whose chance comes up.
    pub(crate) fn strike(
        &mut self,
        method: &str,
        path: &str,
        account: &str,
        spares: impl Fn(&RequestFault) -> bool,
    ) -> Option<RequestFault> {
        for index in 0..self.rules.len() {
            let Some(rule) = self.rules.get_mut(index) else { break };
            let fits = rule.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(method))
                && rule.path.as_deref().is_none_or(|p| path.starts_with(p))
                && rule.account.as_deref().is_none_or(|a| a == account)
                && !spares(&rule.fault);
            if !fits || (rule.probability < 1.0 && !self.chance.random_bool(rule.probability.clamp(0.0, 1.0))) {
                continue;
            }
            rule.count = rule.count.saturating_sub(1);
            let fault = rule.fault.clone();
            if rule.count == 0 {
                self.rules.remove(index);
            }
            self.struck += 1;
            return Some(fault);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> FaultRule {
        serde_json::from_str(json).expect("rule")
    }

    #[test]
    fn a_fault_strikes_what_it_matches_as_often_as_it_says() {
        let mut f = Faults::new(1);
        f.add(rule(r#"{"fault":"drop_after","method":"POST","path":"/fapi/v1/order","account":"k","count":2}"#));
        let never = |_: &RequestFault| false;
        assert_eq!(f.strike("GET", "/fapi/v1/order", "k", never), None);
        assert_eq!(f.strike("POST", "/fapi/v1/order", "other", never), None);
        for _ in 0..2 {
            assert_eq!(f.strike("POST", "/fapi/v1/order", "k", never), Some(RequestFault::DropAfter));
        }
        assert_eq!(f.strike("POST", "/fapi/v1/order", "k", never), None);
        assert_eq!(f.struck(), 2);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let run = |seed| {
            let mut f = Faults::new(seed);
            f.add(rule(r#"{"fault":"unavailable","text":"A","execute":true,"probability":0.5,"count":1000}"#));
            (0..100).map(|_| f.strike("POST", "/x", "", |_| false).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).iter().filter(|h| **h).count();
        assert!((30..70).contains(&hits), "{hits}");
    }
}
