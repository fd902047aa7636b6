//! The exits that every strategy shares, rule by rule, and through the node.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod strategy_rig;

use fulmar_domain::market::Bar;
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{ExitReason, Purpose, Side};
use fulmar_domain::strategy::exits::{BreakEvenRule, ExitRules, ExitWatch, ExitWish, RoiStep, Rung, TrailingRule};
use fulmar_domain::strategy::{OwnPosition, StrategyOut};
use fulmar_domain::time::{Span, Timestamp};
use proptest::prelude::*;
use strategy_rig::{Rig, bar_at, bars, settings, zigzag};

fn r(text: &str) -> Ratio {
    Ratio::parse(text).unwrap()
}

fn own(side: Side) -> OwnPosition {
    let entry = Price::from_int(100).unwrap();
    OwnPosition { side, qty: Qty::from_int(10).unwrap(), entry, opened: Timestamp(0), leverage: 2, booked: Usdt::ZERO }
}

/// A bar whose close lies `favour` per mille from the entry in favour of the side, without wicks.
fn bar(side: Side, minute: i64, favour: i64) -> Bar {
    let close = Price::from_raw((1_000 + side.sign() * favour) * 10_000_000);
    Bar { high: close, low: close, ..bar_at(minute, close) }
}

/// What fires on each close.
fn fired(rules: &ExitRules, side: Side, closes: &[i64]) -> Vec<Option<ExitWish>> {
    assert_eq!(rules.violations(), Vec::<String>::new());
    let own = own(side);
    let mut watch = ExitWatch::new(&own, false);
    closes.iter().zip(0..).map(|(favour, minute)| watch.on_bar(rules, &own, &bar(side, minute, *favour)).unwrap()).collect()
}

fn whole(reason: ExitReason) -> Option<ExitWish> {
    Some(ExitWish { reason, keep: Qty::ZERO })
}

fn both_sides(rules: &ExitRules, closes: &[i64], expected: &[Option<ExitWish>]) {
    for side in [Side::Buy, Side::Sell] {
        assert_eq!(fired(rules, side, closes), expected, "{side:?}");
    }
}

#[test]
fn no_rules_never_fire() {
    both_sides(&ExitRules::default(), &[0, 500, -500], &[None; 3]);
}

#[test]
fn trailing_waits_for_its_activation_and_then_follows_the_best_price() {
    let rules = ExitRules { trailing: Some(TrailingRule { activation: r("0.02"), distance: r("0.01") }), ..ExitRules::default() };
    both_sides(&rules, &[10, -5, 30, 25, 10], &[None, None, None, None, whole(ExitReason::Trailing)]);
}

#[test]
fn break_even_leaves_with_its_margin_once_the_price_has_been_far_enough() {
    let rules = ExitRules { break_even: Some(BreakEvenRule { activation: r("0.02"), margin: r("0.002") }), ..ExitRules::default() };
    both_sides(&rules, &[0, 19, 1, 20, 3, 2], &[None, None, None, None, None, whole(ExitReason::BreakEven)]);
}

#[test]
fn the_time_stop_fires_once_the_time_is_up() {
    let rules = ExitRules { time_stop: Some(Span::minutes(3)), ..ExitRules::default() };
    both_sides(&rules, &[0, 0, 0], &[None, None, whole(ExitReason::TimeStop)]);
}

#[test]
fn the_minimal_return_falls_with_time_and_counts_leverage() {
    let steps = vec![RoiStep { after: Span(0), roi: r("0.04") }, RoiStep { after: Span::minutes(3), roi: r("0.01") }];
    let rules = ExitRules { minimal_roi: steps, ..ExitRules::default() };
    both_sides(&rules, &[19, 19, 5], &[None, None, whole(ExitReason::MinimalRoi)]);
    both_sides(&rules, &[20], &[whole(ExitReason::MinimalRoi)]);
}

#[test]
fn the_ladder_closes_each_rung_once_and_jumps_over_none() {
    let rungs = [("0.01", "0.5"), ("0.02", "0.25"), ("0.03", "0.25")].map(|(gain, share)| Rung { gain: r(gain), share: r(share) });
    let rules = ExitRules { take_profit: rungs.to_vec(), ..ExitRules::default() };
    let keep = |text: &str| Some(ExitWish { reason: ExitReason::TakeProfit, keep: Qty::parse(text).unwrap() });
    both_sides(&rules, &[10, 12, 20, 30], &[keep("5"), None, keep("2.5"), keep("0")]);
    both_sides(&rules, &[25], &[keep("2.5")]);
}

#[test]
fn rungs_are_shares_of_the_largest_quantity_not_of_what_is_left() {
    let rungs = [("0.01", "0.5"), ("0.02", "0.25")].map(|(gain, share)| Rung { gain: r(gain), share: r(share) });
    let rules = ExitRules { take_profit: rungs.to_vec(), ..ExitRules::default() };
    let own = own(Side::Buy);
    let mut watch = ExitWatch::new(&own, false);
    let first = watch.on_bar(&rules, &own, &bar(Side::Buy, 0, 10)).unwrap().unwrap();
    let half = OwnPosition { qty: first.keep, ..own };
    watch.follow(&half);
    let second = watch.on_bar(&rules, &half, &bar(Side::Buy, 1, 20)).unwrap().unwrap();
    assert_eq!((first.keep, second.keep), (Qty::parse("5").unwrap(), Qty::parse("2.5").unwrap()));
}

#[test]
fn a_position_found_at_start_does_not_repeat_rungs_that_the_price_has_passed() {
    let rules = ExitRules { take_profit: vec![Rung { gain: r("0.01"), share: r("0.5") }], ..ExitRules::default() };
    let own = own(Side::Buy);
    let mut watch = ExitWatch::new(&own, true);
    assert_eq!(watch.on_bar(&rules, &own, &bar(Side::Buy, 0, 15)).unwrap(), None);
    assert_eq!(watch.on_bar(&rules, &own, &bar(Side::Buy, 1, 20)).unwrap(), None);
}

#[test]
fn bars_from_before_the_position_count_for_nothing() {
    let rules = ExitRules { trailing: Some(TrailingRule { activation: Ratio::ZERO, distance: r("0.01") }), ..ExitRules::default() };
    let late = OwnPosition { opened: Timestamp(300_000), ..own(Side::Buy) };
    let mut watch = ExitWatch::new(&late, false);
    for (minute, favour) in [(0, 500), (4, -200)] {
        assert_eq!(watch.on_bar(&rules, &late, &bar(Side::Buy, minute, favour)).unwrap(), None);
    }
    assert_eq!(watch.on_bar(&rules, &late, &bar(Side::Buy, 5, -5)).unwrap(), None, "the old high is no best price");
}

#[test]
fn senseless_rules_are_named() {
    let rules = ExitRules {
        take_profit: vec![Rung { gain: r("0.02"), share: r("0.7") }, Rung { gain: r("0.01"), share: r("0.7") }],
        trailing: Some(TrailingRule { activation: r("0"), distance: r("1") }),
        break_even: Some(BreakEvenRule { activation: r("0.01"), margin: r("0.01") }),
        time_stop: Some(Span(0)),
        minimal_roi: vec![RoiStep { after: Span(5), roi: r("0") }, RoiStep { after: Span(5), roi: r("0") }],
    };
    assert_eq!(rules.violations().len(), 6, "{:?}", rules.violations());
}

#[test]
fn the_node_takes_half_off_at_the_first_rung_and_the_rest_on_the_signal() {
    let mut settings = settings();
    settings.exits.take_profit = vec![Rung { gain: r("0.001"), share: r("0.5") }];
    let mut rig = Rig::new(settings);
    rig.run(&bars(&zigzag(4, 60, 60)));
    let intents = rig.intents();
    let [(_, entry), (_, half), (_, rest), ..] = &intents[..] else { panic!("{intents:?}") };
    assert!(entry.is_entry());
    assert!(matches!(half.purpose, Purpose::Exit { reason: ExitReason::TakeProfit }));
    assert!(matches!(rest.purpose, Purpose::Exit { reason: ExitReason::Signal }));
    assert_eq!(half.qty.checked_add(rest.qty).unwrap(), entry.qty);
    assert!(half.qty <= rest.qty, "rounded down, never up");
}

#[test]
fn the_node_leaves_on_the_time_stop_and_stays_out_until_the_next_crossing() {
    let mut settings = settings();
    settings.exits.time_stop = Some(Span::minutes(5));
    let mut rig = Rig::new(settings);
    rig.run(&bars(&zigzag(2, 60, 60)));
    let kinds: Vec<bool> = rig.intents().iter().map(|(_, intent)| intent.is_entry()).collect();
    assert_eq!(kinds, [true, false]);
    assert!(rig.log.iter().all(|(_, out)| matches!(out, StrategyOut::Intent(_))));
}

proptest! {
    #[test]
    fn a_rule_only_ever_reduces(closes in prop::collection::vec(-400..900i64, 1..60), long in any::<bool>()) {
        let side = if long { Side::Buy } else { Side::Sell };
        let rungs = [("0.01", "0.3"), ("0.05", "0.3")].map(|(gain, share)| Rung { gain: r(gain), share: r(share) });
        let rules = ExitRules {
            take_profit: rungs.to_vec(),
            trailing: Some(TrailingRule { activation: r("0.1"), distance: r("0.05") }),
            break_even: Some(BreakEvenRule { activation: r("0.06"), margin: r("0.001") }),
            time_stop: Some(Span::minutes(50)),
            minimal_roi: vec![RoiStep { after: Span(0), roi: r("1") }],
        };
        let mut kept = own(side).qty;
        for wish in fired(&rules, side, &closes).into_iter().flatten() {
            prop_assert!(wish.keep < own(side).qty && !wish.keep.is_negative());
            if wish.reason == ExitReason::TakeProfit {
                prop_assert!(wish.keep < kept);
                kept = wish.keep;
            }
        }
    }
}
