//! Each rule of the breaker by itself.

use crate::build::*;
use fulmar_domain::breaker::{BreakerIn, BreakerNode, BreakerOut, BreakerSettings, BreakerState, TripRule};
use fulmar_domain::control::Command;
use fulmar_domain::gate::GateState;
use fulmar_domain::id::TimerId;
use fulmar_domain::market::FeedState;
use fulmar_domain::num::Ratio;
use fulmar_domain::record::Record;
use fulmar_domain::risk::Limit;

#[test]
fn without_a_stored_state_it_is_tripped_and_says_so_with_the_first_input() {
    let mut bench = Bench { node: BreakerNode::default(), out: Vec::new() };
    assert_eq!(bench.gate(), GateState::Halted);
    bench.give(BreakerIn::Errors { failed: false }, 1);
    assert_eq!(bench.told().map(|t| t.0), Some(GateState::Halted));
    bench.give(BreakerIn::Restore(None), 2);
    assert_eq!(bench.rules(), [TripRule::NoState]);
    bench.give(BreakerIn::Command(Command::ResetBreaker), 3);
    assert_eq!((bench.gate(), bench.told().map(|t| t.0)), (GateState::Open, Some(GateState::Open)));
}

#[test]
fn a_stored_trip_holds_over_a_restart() {
    let mut first = Bench::closed();
    first.give(account(8_000, 8_000, 10_000), 5);
    assert_eq!(first.rules(), [TripRule::Drawdown]);
    let stored = first.out.iter().rev().find_map(|o| match o {
        BreakerOut::Journal(Record::BreakerChanged(state)) => Some(state.clone()),
        _ => None,
    });
    let mut second = Bench::closed();
    second.give(BreakerIn::Restore(stored), 10);
    assert_eq!((second.gate(), second.rules()), (GateState::Halted, vec![TripRule::Drawdown]));
}

#[test]
fn a_trip_says_rule_value_limit_and_when() {
    let mut bench = Bench::closed();
    bench.give(account(9_400, 10_000, 10_000), 60_000);
    let (state, cause) = bench.told().expect("told");
    assert_eq!(state, GateState::Halted);
    for part in ["DAILY_LOSS", "0.06 lost", "equity 9400 against 10000", "limit 0.05", "1970-01-01T00:01:00"] {
        assert!(cause.contains(part), "{part} in {cause}");
    }
}

#[test]
fn losses_trip_beyond_their_limit_only() {
    let mut bench = Bench::closed();
    bench.give(account(9_500, 10_000, 10_000), 1).give(account(8_500, 8_500, 10_000), 2);
    assert_eq!(bench.gate(), GateState::Open);
    bench.give(account(8_499, 8_499, 10_000), 3);
    assert_eq!(bench.rules(), [TripRule::Drawdown]);
}

#[test]
fn the_days_loss_ends_with_its_day_and_the_drawdown_does_not() {
    let mut bench = Bench::closed();
    bench.give(account(8_000, 10_000, 10_000), 1);
    assert_eq!(bench.rules(), [TripRule::Drawdown, TripRule::DailyLoss]);
    bench.give(account(8_000, 8_000, 10_000), DAY);
    assert_eq!(bench.rules(), [TripRule::Drawdown]);
}

#[test]
fn after_a_reset_losses_count_anew() {
    let mut bench = Bench::closed();
    bench.give(account(8_000, 10_000, 10_000), 1).give(BreakerIn::Command(Command::ResetBreaker), 2);
    bench.give(account(7_700, 10_000, 10_000), 3);
    assert_eq!(bench.gate(), GateState::Open);
    bench.give(account(7_500, 10_000, 10_000), 4);
    assert_eq!(bench.rules(), [TripRule::DailyLoss]);
    bench.give(account(6_700, 7_000, 10_000), DAY);
    assert_eq!(bench.rules(), [TripRule::Drawdown], "16.25 % below the equity at the reset, 4.3 % below midnight");
}

#[test]
fn losses_can_be_switched_off_and_an_unknown_account_says_nothing() {
    let settings = BreakerSettings { drawdown_max: Limit::OFF, daily_loss_max: Limit::OFF, ..BreakerSettings::default() };
    let mut bench = Bench { node: BreakerNode::new(settings), out: Vec::new() };
    bench.give(BreakerIn::Restore(Some(BreakerState::default())), 0).give(account(1, 10_000, 10_000), 1);
    assert_eq!(bench.gate(), GateState::Open);
    let mut other = Bench::closed();
    other.give(BreakerIn::Account(std::sync::Arc::default()), 1);
    assert_eq!(other.gate(), GateState::Open);
}

#[test]
fn most_symbols_stale_for_longer_than_the_limit_trip_by_themselves() {
    let mut bench = Bench::closed();
    bench.give(feed("A", FeedState::Up), 0).give(feed("B", FeedState::Up), 0).give(feed("C", FeedState::Up), 0);
    bench.give(feed("A", FeedState::Stale), 1_000).give(feed("B", FeedState::Gap), 3_000);
    let wake = bench.wake().expect("a wake-up for the second of three symbols");
    assert_eq!(wake.at.millis(), 13_001);
    bench.give(BreakerIn::Wake(TimerId(wake.timer.0 + 9)), 20_000);
    assert_eq!(bench.gate(), GateState::Open, "a number that it does not wait for");
    bench.give(BreakerIn::Wake(wake.timer), 13_001);
    assert_eq!(bench.rules(), [TripRule::FeedStale]);
    bench.give(feed("A", FeedState::Resynced), 14_000);
    assert_eq!(bench.gate(), GateState::Open, "fresh data heal");
}

#[test]
fn one_symbol_of_many_does_not_stop_the_others() {
    let mut bench = Bench::closed();
    bench.give(feed("A", FeedState::Up), 0).give(feed("B", FeedState::Up), 0).give(feed("C", FeedState::Stale), 0);
    bench.give(feed("A", FeedState::Up), 60_000);
    assert_eq!(bench.gate(), GateState::Open);
}

#[test]
fn eighty_percent_failures_trip_without_any_long_row_of_them() {
    let mut bench = Bench::closed();
    for round in 0..4 {
        bench.calls(1, 4, round * 1_000);
    }
    assert_eq!(bench.rules(), [TripRule::ErrorRate]);
}

#[test]
fn few_calls_or_old_ones_prove_nothing() {
    let mut bench = Bench::closed();
    bench.calls(0, 19, 0);
    assert_eq!(bench.gate(), GateState::Open);
    bench.calls(0, 19, 60_000);
    assert_eq!(bench.gate(), GateState::Open, "the first nineteen have left the window");
    bench.calls(0, 1, 60_000);
    assert_eq!(bench.gate(), GateState::Halted);
}

#[test]
fn after_a_pause_a_trial_of_exactly_its_quota_decides() {
    let mut bench = Bench::closed();
    bench.calls(0, 20, 0).calls(50, 0, 29_999);
    assert_eq!(bench.gate(), GateState::Halted, "calls in the pause are not judged");
    bench.calls(4, 0, 30_000);
    assert_eq!(bench.gate(), GateState::Halted, "not yet five");
    bench.calls(1, 0, 30_000);
    assert_eq!(bench.gate(), GateState::Open);
    bench.calls(0, 20, 40_000).calls(2, 3, 70_000).calls(50, 0, 99_999);
    assert_eq!(bench.gate(), GateState::Halted, "a failed trial pauses anew");
    bench.calls(3, 2, 100_000);
    assert_eq!(bench.gate(), GateState::Open);
}

#[test]
fn every_violation_of_the_settings_is_named() {
    assert_eq!(BreakerSettings::default().validate(), Ok(()));
    let wrong = BreakerSettings {
        error_calls_min: 0,
        error_rate_max: Ratio::ONE,
        drawdown_max: Limit::At(Ratio::ZERO),
        ..BreakerSettings::default()
    };
    let keys: Vec<String> = wrong.validate().expect_err("wrong").into_iter().map(|v| v.key).collect();
    assert_eq!(keys, ["error_rate_max", "error_calls_min", "drawdown_max"]);
}
