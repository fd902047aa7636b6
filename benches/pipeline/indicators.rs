//! One bar into one indicator, against the crate `ta`.

use std::hint::black_box;

use divan::Bencher;
use fulmar_domain::indicator::{Atr, BarF64, Bbands, Bollinger, Ema, Indicator, Macd, MacdPeriods, Period, Rsi};
use ta::Next;
use ta::indicators::{BollingerBands, ExponentialMovingAverage, RelativeStrengthIndex};

use crate::pairs::{figure, ratio};

const BARS: usize = 4_096;

/// A seeded walk; the figures do not depend on its shape.
fn bars() -> Vec<BarF64> {
    let (mut state, mut price) = (12_345_u64, 100.0_f64);
    (0..BARS as i64)
        .map(|minute| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let step = (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5;
            price *= 1.0 + step * 0.002;
            BarF64 {
                open_time_ms: minute * 60_000,
                open: price,
                high: price * 1.001,
                low: price * 0.999,
                close: price,
                volume: 1.0 + step.abs(),
            }
        })
        .collect()
}

fn period(bars: u16) -> Period {
    Period::new(bars).unwrap()
}

fn ours<I: Indicator>(params: I::Params) -> impl FnMut() {
    let (bars, mut indicator, mut at) = (bars(), I::new(params), 0);
    move || {
        black_box(indicator.update(&bars[at & (BARS - 1)]));
        at += 1;
    }
}

fn theirs<T: Next<f64>>(mut indicator: T) -> impl FnMut() {
    let (bars, mut at) = (bars(), 0);
    move || {
        black_box(indicator.next(bars[at & (BARS - 1)].close));
        at += 1;
    }
}

fn pair(what: &str, goal: &str, mut a: impl FnMut(), mut b: impl FnMut()) {
    ratio(what, "crate ta", goal, &mut |n| (0..n).for_each(|_| a()), &mut |n| (0..n).for_each(|_| b()));
}

/// Prints the ratios.
pub fn ratios() {
    pair("ema(20) update", "<= 2.0", ours::<Ema>(period(20)), theirs(ExponentialMovingAverage::new(20).unwrap()));
    pair("rsi(14) update", "<= 0.8", ours::<Rsi>(period(14)), theirs(RelativeStrengthIndex::new(14).unwrap()));
    let bands = Bollinger::new(period(20), 200).unwrap();
    pair("bbands(20,2) update", "<= 1.0", ours::<Bbands>(bands), theirs(BollingerBands::new(20, 2.0).unwrap()));
    let mut macd = ours::<Macd>(MacdPeriods::new(period(12), period(26), period(9)).unwrap());
    figure("macd(12,26,9) update", &mut |n| (0..n).for_each(|_| macd()));
    let mut atr = ours::<Atr>(period(14));
    figure("atr(14) update", &mut |n| (0..n).for_each(|_| atr()));
}

#[divan::bench]
fn ema(bencher: Bencher) {
    bencher.bench_local(ours::<Ema>(period(20)));
}

#[divan::bench]
fn rsi(bencher: Bencher) {
    bencher.bench_local(ours::<Rsi>(period(14)));
}
