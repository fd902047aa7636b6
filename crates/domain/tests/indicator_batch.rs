//! Incremental = batch, bit for bit, and no NaN, whatever the bars hold.
//!
//! The batch side works on whole arrays by index, without rings or state; only the order of the floating-point
//! operations is shared, since that is what bitwise equality is about.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use fulmar_domain::indicator::{BarF64, CATALOG, IndicatorSet, IndicatorSpec};
use proptest::prelude::*;

type Column = Vec<Option<f64>>;

fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |sum, x| sum + x)
}

/// Sum of the last `n` values per position, renewed where the position is a multiple of `n`.
fn window_sums(x: &[f64], n: usize) -> Column {
    let mut sums: Column = vec![None; x.len()];
    for i in n - 1..x.len() {
        let renewed = (i + 1).is_multiple_of(n);
        sums[i] = Some(if renewed { sum(&x[i + 1 - n..=i]) } else { sums[i - 1].unwrap() + (x[i] - x[i - n]) });
    }
    sums
}

fn recursion(x: &[f64], n: usize, step: impl Fn(f64, f64) -> f64) -> Column {
    let mut out: Column = vec![None; x.len()];
    for i in n - 1..x.len() {
        out[i] = Some(if i == n - 1 { sum(&x[..n]) / n as f64 } else { step(out[i - 1].unwrap(), x[i]) });
    }
    out
}

fn ema(x: &[f64], n: usize) -> Column {
    let k = 2.0 / (n as f64 + 1.0);
    recursion(x, n, |v, x| v + (x - v) * k)
}

fn wilder(x: &[f64], n: usize) -> Column {
    let n_f = n as f64;
    recursion(x, n, |v, x| v * ((n_f - 1.0) / n_f) + x * (1.0 / n_f))
}

/// Puts `count` silent positions before a column.
fn delayed(count: usize, column: Column) -> Column {
    std::iter::repeat_n(None, count).chain(column).collect()
}

fn rsi(x: &[f64]) -> Column {
    let changes: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let up = wilder(&changes.iter().map(|c| c.max(0.0)).collect::<Vec<_>>(), 14);
    let down = wilder(&changes.iter().map(|c| (-c).max(0.0)).collect::<Vec<_>>(), 14);
    let ratio = |(g, l): (Option<f64>, Option<f64>)| {
        let (g, l) = g.zip(l)?;
        Some(if g + l < 1e-14 { 0.0 } else { 100.0 * (g / (g + l)) })
    };
    delayed(1, up.into_iter().zip(down).map(ratio).collect())
}

fn macd(x: &[f64]) -> [Column; 3] {
    let slow = ema(x, 26);
    let fast = delayed(14, ema(&x[14.min(x.len())..], 12));
    let lines: Column = fast.iter().zip(&slow).map(|(f, s)| Some((*f)? - (*s)?)).collect();
    let start = lines.iter().position(Option::is_some).unwrap_or(lines.len());
    let line: Vec<f64> = lines.iter().flatten().copied().collect();
    let signal = if line.len() < 9 { vec![None; x.len()] } else { delayed(start, ema(&line, 9)) };
    let shown: Column = lines.iter().zip(&signal).map(|(m, s)| s.and(*m)).collect();
    let histogram = shown.iter().zip(&signal).map(|(m, s)| Some((*m)? - (*s)?)).collect();
    [shown, signal, histogram]
}

fn bbands(x: &[f64]) -> [Column; 3] {
    const N: usize = 20;
    let mut rows: Vec<Option<(f64, f64)>> = vec![None; x.len()];
    let mut anchor = x.first().copied().unwrap_or(0.0);
    for i in N - 1..x.len() {
        rows[i] = Some(if (i + 1).is_multiple_of(N) {
            let distances: Vec<f64> = x[i + 1 - N..=i].iter().map(|x| x - anchor).collect();
            let squares: Vec<f64> = distances.iter().map(|d| d * d).collect();
            let mean_distance = sum(&distances) * (1.0 / N as f64);
            let row = (anchor + mean_distance, (sum(&squares) - sum(&distances) * mean_distance).max(0.0));
            anchor = row.0;
            row
        } else {
            let (mean, squares) = rows[i - 1].unwrap();
            let (new, old) = (x[i], x[i - N]);
            let next = mean + (new - old) * (1.0 / N as f64);
            (next, (squares + (new - old) * ((new - next) + (old - mean))).max(0.0))
        });
    }
    let reach = |squares: f64| 2.0 * (squares * (1.0 / N as f64)).sqrt();
    let band = |side: f64| rows.iter().map(|row| row.map(|(mean, q)| mean + side * reach(q))).collect();
    [band(1.0), band(0.0), band(-1.0)]
}

fn vwap(bars: &[BarF64]) -> Column {
    let day = |bar: &BarF64| bar.open_time_ms.div_euclid(86_400_000);
    (0..bars.len())
        .map(|i| {
            let start = (0..=i).rev().take_while(|&j| day(&bars[j]) == day(&bars[i])).last().unwrap();
            let session = &bars[start..=i];
            let turnover: Vec<f64> = session.iter().map(|b| (b.high + b.low + b.close) / 3.0 * b.volume).collect();
            let volume = sum(&session.iter().map(|b| b.volume).collect::<Vec<_>>());
            (volume >= f64::MIN_POSITIVE).then(|| sum(&turnover) / volume)
        })
        .collect()
}

fn rvol(bars: &[BarF64]) -> Column {
    let volume: Vec<f64> = bars.iter().map(|b| if b.volume < 1e-9 { 0.0 } else { b.volume }).collect();
    let sums = window_sums(&volume, 20);
    (0..bars.len())
        .map(|i| {
            let sum = sums[i.checked_sub(1)?]?;
            let traded = volume[i - 20..i].iter().any(|v| *v > 0.0);
            (traded && sum >= 1e-9).then(|| volume[i] * 20.0 / sum)
        })
        .collect()
}

/// The batch columns of a catalog entry's example.
fn batch(name: &str, bars: &[BarF64]) -> Vec<Column> {
    let close: Vec<f64> = bars.iter().map(|b| b.close).collect();
    match name {
        "sma" => vec![window_sums(&close, 20).into_iter().map(|s| s.map(|s| s * (1.0 / 20.0))).collect()],
        "ema" => vec![ema(&close, 20)],
        "rsi" => vec![rsi(&close)],
        "macd" => macd(&close).into(),
        "atr" => {
            let pair = |w: &[BarF64]| {
                let previous = w[0].close;
                (w[1].high - w[1].low).max((w[1].high - previous).abs()).max((w[1].low - previous).abs())
            };
            vec![delayed(1, wilder(&bars.windows(2).map(pair).collect::<Vec<_>>(), 14))]
        }
        "bbands" => bbands(&close).into(),
        "vwap" => vec![vwap(bars)],
        "rvol" => vec![rvol(bars)],
        _ => panic!("indicator `{name}` has no batch computation: add it here"),
    }
}

/// Numbers of every size that passes the limit, many of them alike, some exactly zero.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 90.0..110.0f64,
        2 => Just(100.0),
        1 => Just(0.0),
        1 => -BarF64::LIMIT..BarF64::LIMIT,
        1 => -1e-300..1e-300f64,
    ]
}

fn bar_series(value: impl Strategy<Value = f64> + Clone + 'static) -> impl Strategy<Value = Vec<BarF64>> {
    let bar = (0..90i64, [value.clone(), value.clone(), value.clone(), value.clone(), value]);
    prop::collection::vec(bar, 0..120).prop_map(|rows| {
        let mut time = 1_748_169_300_000;
        rows.into_iter()
            .map(|(minutes, [open, high, low, close, volume])| {
                time += minutes * 60_000;
                BarF64 { open_time_ms: time, open, high, low, close, volume: volume.abs() }
            })
            .collect()
    })
}

fn anything() -> impl Strategy<Value = f64> + Clone {
    any::<f64>()
}

fn examples() -> Vec<IndicatorSpec> {
    CATALOG.iter().map(|entry| entry.example.parse().unwrap()).collect()
}

proptest! {
    #[test]
    fn incremental_equals_batch_bit_for_bit(bars in bar_series(number().boxed())) {
        for entry in CATALOG {
            let mut set = IndicatorSet::new(&[entry.example.parse().unwrap()]);
            let columns = batch(entry.name, &bars);
            for (i, bar) in bars.iter().enumerate() {
                let row = set.update(bar).unwrap();
                for (output, column) in columns.iter().enumerate() {
                    let (ours, theirs) = (row[output], column[i].unwrap_or(f64::NAN));
                    prop_assert!(
                        ours.to_bits() == theirs.to_bits() || (ours == 0.0 && theirs == 0.0) || (ours.is_nan() && theirs.is_nan()),
                        "{} output {output} at {i}: {ours:e} and {theirs:e}", entry.name
                    );
                }
            }
        }
    }

    #[test]
    fn no_finite_input_yields_a_panic_or_a_value_that_is_no_number(
        bars in bar_series(prop_oneof![3 => number(), 1 => anything()].boxed())
    ) {
        let mut set = IndicatorSet::new(&examples());
        for bar in &bars {
            let before: Vec<u64> = set.values().iter().map(|v| v.to_bits()).collect();
            match set.update(bar) {
                Ok(_) => {
                    prop_assert!(!set.values().iter().any(|v| v.is_infinite()), "{:?}", set.values());
                    prop_assert!(!set.is_warm() || set.values().iter().all(|v| v.is_finite()));
                }
                Err(refused) => {
                    prop_assert!(!bar.is_computable());
                    prop_assert_eq!(refused.open_time_ms, bar.open_time_ms);
                    let after: Vec<u64> = set.values().iter().map(|v| v.to_bits()).collect();
                    prop_assert_eq!(before, after);
                }
            }
        }
    }

    #[test]
    fn ranges_hold_for_plausible_bars(bars in bar_series((1.0..1e6f64).boxed())) {
        let specs: Vec<IndicatorSpec> = ["rsi(14)", "bbands(20,2)", "rvol(20)"].map(|s| s.parse().unwrap()).into();
        let mut set = IndicatorSet::new(&specs);
        for bar in &bars {
            let row = set.update(bar).unwrap();
            prop_assert!(row[0].is_nan() || (0.0..=100.0).contains(&row[0]));
            prop_assert!(row[1].is_nan() || (row[1] >= row[2] && row[2] >= row[3]));
            prop_assert!(row[4].is_nan() || row[4] >= 0.0);
        }
    }
}

#[test]
fn an_indicator_speaks_first_exactly_after_its_warm_up() {
    for entry in CATALOG {
        let spec: IndicatorSpec = entry.example.parse().unwrap();
        let mut set = IndicatorSet::new(&[spec]);
        for i in 1..=spec.warmup() + 5 {
            let price = 100.0 + (i % 7) as f64;
            let bar = BarF64 { open_time_ms: 0, open: price, high: price + 1.0, low: price - 1.0, close: price, volume: 2.0 };
            let row = set.update(&bar).unwrap();
            let speaks = row.iter().all(|v| v.is_finite());
            assert_eq!(speaks, i >= spec.warmup(), "{spec} after {i} bars");
            assert_eq!(speaks, set.is_warm());
        }
    }
}

#[test]
fn an_absurd_bar_is_forgotten_once_it_has_left_the_window() {
    let specs: Vec<IndicatorSpec> = ["sma(20)", "bbands(20,2)", "rvol(20)"].map(|s| s.parse().unwrap()).into();
    let mut set = IndicatorSet::new(&specs);
    for i in 0..200 {
        let price = if i == 30 { 1e12 } else { 100.0 + f64::from(i % 2) };
        let bar = BarF64 { open_time_ms: 0, open: price, high: price, low: price, close: price, volume: price };
        set.update(&bar).unwrap();
    }
    let [sma, upper, middle, lower, _] = set.values() else { panic!("five columns") };
    for (ours, truth) in [(sma, 100.5), (upper, 101.5), (middle, 100.5), (lower, 99.5)] {
        assert!((ours - truth).abs() < 1e-9, "{ours} is not {truth}");
    }
}

#[test]
fn a_market_without_trades_has_no_relative_volume_even_after_a_rounding_rest() {
    let mut set = IndicatorSet::new(&["rvol(20)".parse().unwrap()]);
    for i in 0..70 {
        let volume = if i < 50 { 1e9 + 0.1 * f64::from(i) } else { 0.0 };
        set.update(&BarF64 { open_time_ms: 0, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume }).unwrap();
    }
    // Twenty bars without a trade lie behind, in the middle of the ring.
    let next = BarF64 { open_time_ms: 0, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 5.0 };
    assert!(set.update(&next).unwrap()[0].is_nan());
}
