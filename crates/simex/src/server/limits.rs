//! Request limits as Binance counts them: request weight per minute and address, orders per 10 s and per minute and account.
//!
//! Windows are aligned to the protocol clock, as at Binance. Who goes on after 429 is banned (418), by address, for longer
//! each time.

use super::config::LimitConfig;
use crate::venue::ApiError;
use fulmar_domain::time::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;

const MINUTE_MS: i64 = 60_000;
const TEN_SECONDS_MS: i64 = 10_000;
/// Longest ban: three days.
const BAN_MS_MAX: i64 = 3 * 86_400_000;

#[derive(Debug, Default, Clone, Copy)]
struct Window {
    slot: i64,
    used: u32,
}
impl Window {
    fn at(&mut self, now: Timestamp, length: i64) -> &mut u32 {
        let slot = now.millis().div_euclid(length);
        if slot != self.slot {
            *self = Self { slot, used: 0 };
        }
        &mut self.used
    }
}

#[derive(Debug, Default)]
struct Address {
    weight: Window,
    refused: u32,
    bans: u32,
    banned_until: i64,
}

#[derive(Debug, Default)]
struct Orders {
    ten_seconds: Window,
    minute: Window,
}

/// A refusal by a limit, with the seconds after which to come back.
#[derive(Debug)]
pub(crate) struct Throttled {
    /// The answer.
    pub(crate) error: ApiError,
    /// `Retry-After`.
    pub(crate) retry_after_secs: i64,
}

/// What an account has used, for the headers of an order's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderCounts {
    /// In the running 10 s.
    pub(crate) ten_seconds: u32,
    /// In the running minute.
    pub(crate) minute: u32,
}

/// All counters.
#[derive(Debug)]
pub(crate) struct Limits {
    config: LimitConfig,
    addresses: HashMap<IpAddr, Address>,
    orders: HashMap<String, Orders>,
}

impl Limits {
    /// With these limits; zero switches one off.
    pub(crate) fn new(config: LimitConfig) -> Self {
        Self { config, addresses: HashMap::new(), orders: HashMap::new() }
    }
    /// The limits in force.
    pub(crate) const fn config(&self) -> &LimitConfig {
        &self.config
    }
    /// Counts a request. Gives the weight used in this minute.
    pub(crate) fn request(&mut self, from: IpAddr, weight: u32, now: Timestamp) -> Result<u32, Throttled> {
        let limit = self.config.weight_per_minute;
        let config = &self.config;
        let address = self.addresses.entry(from).or_default();
        if address.banned_until > now.millis() {
            return Err(banned(from, address.banned_until, now));
        }
        let used = address.weight.at(now, MINUTE_MS);
        *used = used.saturating_add(weight);
        let used = *used;
        if limit == 0 || used <= limit {
            address.refused = 0;
            return Ok(used);
        }
        address.refused += 1;
        if config.refusals_before_ban > 0 && address.refused > config.refusals_before_ban {
            address.refused = 0;
            let length = (config.ban_ms << address.bans.min(11)).min(BAN_MS_MAX);
            address.bans += 1;
            address.banned_until = now.millis() + length;
            return Err(banned(from, address.banned_until, now));
        }
        Err(Throttled {
            error: ApiError {
                code: -1003,
                http: 429,
                msg: format!(
                    "Too many requests; current limit of IP({from}) is {limit} requests per minute. Please use the websocket for live updates to avoid polling the API."
                ),
            },
            retry_after_secs: seconds_left(now, MINUTE_MS),
        })
    }
    /// Counts `orders` new orders of an account.
    pub(crate) fn order(&mut self, account: &str, orders: u32, now: Timestamp) -> Result<OrderCounts, Throttled> {
        let config = &self.config;
        let windows = match self.orders.get_mut(account) {
            Some(windows) => windows,
            None => self.orders.entry(account.to_owned()).or_default(),
        };
        let ten_seconds = windows.ten_seconds.at(now, TEN_SECONDS_MS);
        let minute = windows.minute.at(now, MINUTE_MS);
        for (used, limit, what, length) in [
            (*ten_seconds, config.orders_per_10_seconds, "10 SECOND", TEN_SECONDS_MS),
            (*minute, config.orders_per_minute, "1 MINUTE", MINUTE_MS),
        ] {
            if limit > 0 && used.saturating_add(orders) > limit {
                return Err(Throttled {
                    error: ApiError {
                        code: -1015,
                        http: 429,
                        msg: format!("Too many new orders; current limit is {limit} orders per {what}."),
                    },
                    retry_after_secs: seconds_left(now, length),
                });
            }
        }
        *ten_seconds = ten_seconds.saturating_add(orders);
        *minute = minute.saturating_add(orders);
        Ok(OrderCounts { ten_seconds: *ten_seconds, minute: *minute })
    }
    /// The weight that an address has used in this minute.
    pub(crate) fn used(&mut self, from: IpAddr, now: Timestamp) -> u32 {
        *self.addresses.entry(from).or_default().weight.at(now, MINUTE_MS)
    }
    /// Bans an address, for a fault.
    pub(crate) fn ban(&mut self, from: IpAddr, length_ms: i64, now: Timestamp) -> Throttled {
        let until = now.millis() + length_ms;
        self.addresses.entry(from).or_default().banned_until = until;
        banned(from, until, now)
    }
    /// Lifts all bans.
    pub(crate) fn pardon(&mut self) {
        self.addresses.clear();
    }
}

fn seconds_left(now: Timestamp, length: i64) -> i64 {
    (length - now.millis().rem_euclid(length) + 999) / 1_000
}

fn banned(from: IpAddr, until: i64, now: Timestamp) -> Throttled {
    Throttled {
        error: ApiError {
            code: -1003,
            http: 418,
            msg: format!(
                "Way too many requests; IP({from}) banned until {until}. Please use the websocket for live updates to avoid bans."
            ),
        },
        retry_after_secs: (until - now.millis() + 999) / 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    fn limits() -> Limits {
        Limits::new(LimitConfig {
            weight_per_minute: 10,
            orders_per_10_seconds: 2,
            orders_per_minute: 3,
            refusals_before_ban: 2,
            ban_ms: 120_000,
        })
    }

    #[test]
    fn weight_is_refused_with_the_seconds_left_and_counts_anew_in_the_next_minute() {
        let mut l = limits();
        assert_eq!(l.request(HOME, 10, Timestamp(60_000)).expect("within"), 10);
        let refused = l.request(HOME, 1, Timestamp(75_000)).expect_err("over");
        assert_eq!((refused.error.http, refused.error.code, refused.retry_after_secs), (429, -1003, 45));
        assert_eq!(l.request(HOME, 1, Timestamp(120_000)).expect("new minute"), 1);
    }

    #[test]
    fn who_goes_on_after_429_is_banned_for_longer_each_time() {
        let mut l = limits();
        let mut now = Timestamp(0);
        for ban in [120_000, 240_000] {
            l.request(HOME, 10, now).expect("within");
            for _ in 0..2 {
                assert_eq!(l.request(HOME, 1, now).expect_err("over").error.http, 429);
            }
            let banned = l.request(HOME, 1, now).expect_err("banned");
            assert_eq!((banned.error.http, banned.retry_after_secs), (418, ban / 1_000));
            assert_eq!(l.request(HOME, 1, Timestamp(now.millis() + ban - 1)).expect_err("still").error.http, 418);
            now = Timestamp(now.millis() + ban);
        }
    }

    #[test]
    fn orders_are_counted_per_account_in_both_windows() {
        let mut l = limits();
        assert_eq!(l.order("a", 2, Timestamp(0)).expect("within"), OrderCounts { ten_seconds: 2, minute: 2 });
        assert_eq!(l.order("a", 1, Timestamp(9_999)).expect_err("10 s").error.code, -1015);
        assert_eq!(l.order("a", 1, Timestamp(10_000)).expect("next 10 s"), OrderCounts { ten_seconds: 1, minute: 3 });
        assert_eq!(l.order("a", 1, Timestamp(20_000)).expect_err("minute").retry_after_secs, 40);
        assert!(l.order("b", 2, Timestamp(0)).is_ok());
    }

    #[test]
    fn zero_switches_a_limit_off() {
        let mut l = Limits::new(LimitConfig {
            weight_per_minute: 0,
            orders_per_10_seconds: 0,
            orders_per_minute: 0,
            refusals_before_ban: 0,
            ban_ms: 0,
        });
        assert!(l.request(HOME, 1_000_000, Timestamp(0)).is_ok());
        assert!(l.order("a", 1_000_000, Timestamp(0)).is_ok());
    }
}
