//! The reference strategy: when it enters, when it reverses, when it only leaves.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod strategy_rig;

use std::collections::BTreeMap;
use std::sync::Arc;

use fulmar_domain::market::IndicatorFrame;
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{ExitReason, Purpose, Side};
use fulmar_domain::strategy::{BarView, Decision, Entry, Level, OwnPosition, ParameterError, Parameters, Strategy, find};
use fulmar_domain::time::Timestamp;
use proptest::prelude::*;
use strategy_rig::{Rig, bar_at, bars, settings, zigzag};

fn strategy() -> Box<dyn Strategy> {
    let entry = find("ema_rsi").unwrap();
    (entry.make)(&Parameters::resolve(entry.parameters, &BTreeMap::new()).unwrap()).unwrap()
}

fn frame(before: [f64; 3], now: [f64; 3]) -> IndicatorFrame {
    let bar = bar_at(1, Price::from_int(100).unwrap());
    IndicatorFrame { bar, values: Arc::new(now), previous: Some(Arc::new(before)), warm: true, history: false }
}

fn own(side: Side) -> Option<OwnPosition> {
    let entry = Price::from_int(100).unwrap();
    Some(OwnPosition { side, qty: Qty::ONE, entry, opened: Timestamp(0), leverage: 3, booked: Usdt::ZERO })
}

fn decide(before: [f64; 3], now: [f64; 3], position: Option<OwnPosition>) -> Decision {
    strategy().on_bar(&BarView::new(&frame(before, now), &[0, 1, 2], position))
}

fn entry(side: Side) -> Decision {
    Decision::Reverse(Entry::with_stop(side, Level::Distance(Ratio::parse("0.02").unwrap())))
}

const UP: ([f64; 2], [f64; 2]) = ([99.0, 100.0], [101.0, 100.0]);
const DOWN: ([f64; 2], [f64; 2]) = ([101.0, 100.0], [99.0, 100.0]);

fn cross((before, now): ([f64; 2], [f64; 2]), rsi: f64, position: Option<OwnPosition>) -> Decision {
    decide([before[0], before[1], rsi], [now[0], now[1], rsi], position)
}

#[test]
fn a_crossing_lets_in_on_its_side_only_while_the_market_has_not_run() {
    assert_eq!(cross(UP, 69.9, None), entry(Side::Buy));
    assert_eq!(cross(DOWN, 30.1, None), entry(Side::Sell));
    assert_eq!(cross(UP, 69.9, own(Side::Sell)), entry(Side::Buy));
}

#[test]
fn a_crossing_that_the_filter_keeps_out_still_ends_the_opposite_position() {
    assert_eq!(cross(UP, 70.0, own(Side::Sell)), Decision::Exit(ExitReason::Signal));
    assert_eq!(cross(DOWN, 30.0, own(Side::Buy)), Decision::Exit(ExitReason::Signal));
    assert_eq!(cross(UP, 70.0, own(Side::Buy)), Decision::Hold);
}

#[test]
fn without_a_crossing_nothing_happens() {
    assert_eq!(decide([101.0, 100.0, 50.0], [102.0, 100.0, 50.0], None), Decision::Hold);
    assert_eq!(decide([99.0, 100.0, 50.0], [100.0, 100.0, 50.0], None), Decision::Hold, "touching is no crossing");
    assert_eq!(decide([100.0, 100.0, 50.0], [100.1, 100.0, 50.0], None), entry(Side::Buy), "leaving a touch upwards is one");
}

#[test]
fn an_unknown_row_before_is_no_crossing() {
    assert_eq!(decide([f64::NAN, f64::NAN, 50.0], [101.0, 100.0, 50.0], None), Decision::Hold);
    let mut first = frame([0.0; 3], [101.0, 100.0, 50.0]);
    first.previous = None;
    assert_eq!(strategy().on_bar(&BarView::new(&first, &[0, 1, 2], None)), Decision::Hold);
}

#[test]
fn periods_that_do_not_go_together_are_refused() {
    let entry = find("EmaRsiStrategy").unwrap();
    let given = BTreeMap::from([("fast".to_owned(), Ratio::from_int(26).unwrap())]);
    let parameters = Parameters::resolve(entry.parameters, &given).unwrap();
    assert!(matches!((entry.make)(&parameters), Err(ParameterError::Together(_))));
}

#[test]
fn hand_made_bars_give_a_long_then_a_short_with_a_stop_of_two_per_cent() {
    let mut rig = Rig::new(settings());
    rig.run(&bars(&zigzag(4, 60, 60)));
    let entries = rig.entries();
    assert_eq!(entries.iter().map(|(_, side)| *side).collect::<Vec<_>>(), [Side::Buy, Side::Sell, Side::Buy]);
    for (_, intent) in rig.intents().iter().filter(|(_, intent)| intent.is_entry()) {
        let Purpose::Entry { protection: Some(protection) } = &intent.purpose else { panic!("an entry without a bracket") };
        let distance = (protection.stop.to_f64() / intent.reference.to_f64() - 1.0).abs();
        assert!(distance <= 0.02 && distance > 0.0199, "{distance}");
        assert_eq!(protection.stop < intent.reference, intent.side == Side::Buy);
    }
}

/// The rule on whole arrays, with averages as their textbook recursion.
fn crossings(closes: &[f64]) -> Vec<(usize, Side)> {
    let ema = |n: usize| {
        let mut out = vec![f64::NAN; closes.len()];
        for i in n - 1..closes.len() {
            let seed = closes[..n].iter().sum::<f64>() / n as f64;
            out[i] = if i == n - 1 { seed } else { out[i - 1] + (closes[i] - out[i - 1]) * 2.0 / (n as f64 + 1.0) };
        }
        out
    };
    let rsi = |i: usize| {
        let (mut gain, mut loss) = (0.0, 0.0);
        for k in 1..=i {
            let change = closes[k] - closes[k - 1];
            let weight = if k <= 14 { 1.0 / 14.0 } else { 1.0 };
            if k > 14 {
                (gain, loss) = (gain * 13.0 / 14.0 + change.max(0.0) / 14.0, loss * 13.0 / 14.0 + (-change).max(0.0) / 14.0);
            } else {
                (gain, loss) = (gain + change.max(0.0) * weight, loss + (-change).max(0.0) * weight);
            }
        }
        if gain + loss < 1e-14 { 0.0 } else { 100.0 * gain / (gain + loss) }
    };
    let (fast, slow) = (ema(12), ema(26));
    let mut found = Vec::new();
    let mut held = None;
    for i in 1..closes.len() {
        let up = fast[i - 1] <= slow[i - 1] && fast[i] > slow[i];
        let down = fast[i - 1] >= slow[i - 1] && fast[i] < slow[i];
        let wanted = if up { Side::Buy } else { Side::Sell };
        if (up || down) && held != Some(wanted) {
            let let_in = if up { rsi(i) < 70.0 } else { rsi(i) > 30.0 };
            held = let_in.then_some(wanted);
            if let_in {
                found.push((i, wanted));
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_node_enters_exactly_where_the_rule_on_whole_arrays_does(steps in prop::collection::vec(-900..=900i64, 60..400)) {
        let mut price = 1_000_000;
        let tenths: Vec<i64> = steps.iter().map(|step| { price += step; price }).collect();
        let mut rig = Rig::new(settings());
        rig.run(&bars(&tenths));
        let closes: Vec<f64> = bars(&tenths).iter().map(|bar| bar.close.to_f64()).collect();
        let expected: Vec<(i64, Side)> = crossings(&closes).into_iter().map(|(i, side)| (1_000 + i as i64, side)).collect();
        prop_assert_eq!(rig.entries(), expected);
    }
}
