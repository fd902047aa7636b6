//! Specs as text, and the row that a set lays out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use fulmar_domain::indicator::{Bollinger, CATALOG, IndicatorSet, IndicatorSpec, MacdPeriods, Period, SpecError};
use proptest::prelude::*;

fn spec(text: &str) -> IndicatorSpec {
    text.parse().unwrap()
}

#[test]
fn every_example_of_the_catalog_reads_back_as_printed() {
    for entry in CATALOG {
        assert_eq!(spec(entry.example).to_string(), entry.example);
        assert_eq!(spec(entry.example).name(), entry.name);
    }
}

#[test]
fn spaces_and_trailing_zeros_are_only_ways_of_writing() {
    assert_eq!(spec(" bbands( 20 , 2.50 ) "), spec("bbands(20,2.5)"));
    assert_eq!(spec("bbands(20,2.05)").to_string(), "bbands(20,2.05)");
    assert_eq!(spec("bbands(20,2.00)").to_string(), "bbands(20,2)");
}

#[test]
fn wrong_specs_are_refused_with_the_reason() {
    let refused = |text: &str| text.parse::<IndicatorSpec>().unwrap_err();
    assert!(matches!(refused(""), SpecError::Malformed { .. }));
    assert!(matches!(refused("ema(12"), SpecError::Malformed { .. }));
    assert!(matches!(refused("ema(12))"), SpecError::Malformed { .. }));
    assert!(matches!(refused("emma(12)"), SpecError::Unknown { .. }));
    assert!(matches!(refused("ema"), SpecError::Arguments { got: 0, .. }));
    assert!(matches!(refused("ema(12,13)"), SpecError::Arguments { got: 2, .. }));
    assert!(matches!(refused("vwap(1)"), SpecError::Arguments { got: 1, .. }));
    assert!(matches!(refused("ema(1)"), SpecError::Period { value: 1 }));
    assert!(matches!(refused("ema(70000)"), SpecError::Period { value: 70_000 }));
    assert!(matches!(refused("ema(-3)"), SpecError::Number { .. }));
    assert!(matches!(refused("macd(26,12,9)"), SpecError::FastNotBelowSlow { fast: 26, slow: 12 }));
    assert!(matches!(refused("bbands(20,0)"), SpecError::Deviations { hundredths: 0 }));
    assert!(matches!(refused("bbands(20,2.555)"), SpecError::Number { .. }));
    assert!(refused("emma(12)").to_string().contains("ema(20)"), "the message lists what exists");
}

#[test]
fn a_set_lays_its_columns_out_in_order_and_computes_a_spec_once() {
    let set = IndicatorSet::new(&[spec("ema(12)"), spec("macd(12,26,9)"), spec("ema(12)"), spec("vwap")]);
    let names = ["ema(12)", "macd(12,26,9).macd", "macd(12,26,9).signal", "macd(12,26,9).histogram", "vwap"];
    assert_eq!(set.layout().columns(), names);
    assert_eq!(set.layout().specs().len(), 3);
    assert_eq!(set.layout().first_column(&spec("vwap")), Some(4));
    assert_eq!(set.layout().first_column(&spec("ema(13)")), None);
    assert_eq!(set.warmup(), 34);
    assert!(!set.is_warm() && set.values().iter().all(|v| v.is_nan()));
}

proptest! {
    #[test]
    fn any_spec_reads_back_as_printed(kind in 0..8u8, a in 2..5_000u16, b in 1..5_000u16, width in 1..=1_000u16) {
        let period = Period::new(a).unwrap();
        let slow = Period::new(a + b).unwrap();
        let made = match kind {
            0 => IndicatorSpec::Sma(period),
            1 => IndicatorSpec::Ema(period),
            2 => IndicatorSpec::Rsi(period),
            3 => IndicatorSpec::Macd(MacdPeriods::new(period, slow, period).unwrap()),
            4 => IndicatorSpec::Atr(period),
            5 => IndicatorSpec::Bbands(Bollinger::new(period, width).unwrap()),
            6 => spec("vwap"),
            _ => IndicatorSpec::Rvol(period),
        };
        prop_assert_eq!(spec(&made.to_string()), made);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        if let Ok(read) = text.parse::<IndicatorSpec>() {
            prop_assert_eq!(spec(&read.to_string()), read);
        }
    }
}
