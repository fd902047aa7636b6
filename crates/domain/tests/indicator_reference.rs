//! Every indicator against figures that this project did not compute: TA-Lib 0.8 and pandas-ta over 3,000 five-minute
//! bars of BTCUSDT. What neither offers is compared with its definition, computed naively over the same bars.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

use arrow_array::{Array, Float64Array, TimestampMillisecondArray, TimestampNanosecondArray};
use fulmar_domain::indicator::{BarF64, CATALOG, IndicatorSet, IndicatorSpec};

/// Relative tolerance of the trading rules.
const TOLERANCE: f64 = 1e-9;

/// Where an indicator's true values come from.
enum Reference {
    /// Columns of the recorded file, one per output, and the smallest scale that the tolerance is taken of.
    Recorded(&'static [&'static str], Scale),
    /// The definition, computed without a window or a recursion.
    Definition(fn(&[BarF64], usize) -> Option<f64>, Scale),
}

/// What one part in 1e9 is taken of, where the value itself is smaller.
#[derive(Clone, Copy)]
enum Scale {
    Price,
    Hundred,
    One,
}

impl Scale {
    fn at(self, bar: &BarF64) -> f64 {
        match self {
            Self::Price => bar.close,
            Self::Hundred => 100.0,
            Self::One => 1.0,
        }
    }
}

/// The table that a newcomer extends; a catalog entry without a line here fails the suite.
fn reference_of(name: &str) -> Option<Reference> {
    use Reference::{Definition, Recorded};
    Some(match name {
        "sma" => Recorded(&["sma20"], Scale::Price),
        "ema" => Recorded(&["ema20"], Scale::Price),
        "rsi" => Recorded(&["rsi14"], Scale::Hundred),
        "macd" => Recorded(&["macd", "macd_signal", "macd_hist"], Scale::Price),
        "atr" => Recorded(&["atr14"], Scale::Price),
        "bbands" => Recorded(&["bb_up", "bb_mid", "bb_low"], Scale::Price),
        "vwap" => Recorded(&["vwap_day"], Scale::Price),
        "rvol" => Definition(relative_volume_20, Scale::One),
        _ => return None,
    })
}

fn relative_volume_20(bars: &[BarF64], at: usize) -> Option<f64> {
    let before = bars.get(at.checked_sub(20)?..at)?;
    let mean = before.iter().map(|bar| bar.volume).sum::<f64>() / 20.0;
    Some(bars[at].volume / mean)
}

fn data() -> PathBuf {
    std::env::var_os("FULMAR_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from)
}

fn bars(count: usize) -> Option<Vec<BarF64>> {
    let file = File::open(data().join("klines/BTC_USDT_USDT-5m-futures.feather")).ok()?;
    let mut bars = Vec::new();
    for batch in arrow_ipc::reader::FileReader::try_new(file, None).unwrap() {
        let batch = batch.unwrap();
        let time = batch.column_by_name("date").unwrap();
        let nanoseconds = time.as_any().downcast_ref::<TimestampNanosecondArray>();
        let milliseconds = time.as_any().downcast_ref::<TimestampMillisecondArray>();
        let open_time_ms = |i| match (nanoseconds, milliseconds) {
            (Some(ns), _) => ns.value(i) / 1_000_000,
            (_, Some(ms)) => ms.value(i),
            _ => panic!("unexpected time type {}", time.data_type()),
        };
        let column = |name| batch.column_by_name(name).unwrap().as_any().downcast_ref::<Float64Array>().unwrap();
        let [open, high, low, close, volume] = ["open", "high", "low", "close", "volume"].map(column);
        bars.extend((0..batch.num_rows()).map(|i| BarF64 {
            open_time_ms: open_time_ms(i),
            open: open.value(i),
            high: high.value(i),
            low: low.value(i),
            close: close.value(i),
            volume: volume.value(i),
        }));
    }
    bars.truncate(count);
    Some(bars)
}

/// Columns of the recorded file by name, `None` where a cell is empty.
fn recorded() -> Option<HashMap<String, Vec<Option<f64>>>> {
    let file = File::open(data().join("reference/indicators_BTC_5m_first3000.csv.gz")).ok()?;
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut columns: HashMap<String, Vec<Option<f64>>> = HashMap::new();
    for row in reader.records() {
        for (name, cell) in names.iter().zip(row.unwrap().iter()) {
            let value = if cell.is_empty() { None } else { Some(cell.parse().unwrap()) };
            columns.entry(name.clone()).or_default().push(value);
        }
    }
    Some(columns)
}

#[test]
fn every_catalog_entry_has_a_reference_for_each_of_its_outputs() {
    for entry in CATALOG {
        let reference =
            reference_of(entry.name).unwrap_or_else(|| panic!("indicator `{}` has no reference: add it to the table", entry.name));
        let outputs = match reference {
            Reference::Recorded(columns, _) => columns.len(),
            Reference::Definition(..) => 1,
        };
        assert_eq!(outputs, entry.outputs.len(), "{}", entry.name);
    }
}

#[test]
fn every_indicator_equals_its_reference_from_the_first_valid_bar_on() {
    let Some((recorded, bars)) = recorded().and_then(|r| Some((r, bars(3_000)?))) else {
        println!("SKIPPED: every_indicator_equals_its_reference_from_the_first_valid_bar_on needs FULMAR_DATA");
        return;
    };
    assert_eq!(bars.len(), 3_000);
    assert!(bars.iter().zip(&recorded["close"]).all(|(bar, close)| Some(bar.close) == *close), "input and reference differ");
    for entry in CATALOG {
        let spec: IndicatorSpec = entry.example.parse().unwrap();
        let reference = reference_of(entry.name).unwrap();
        let mut set = IndicatorSet::new(&[spec]);
        let mut worst: f64 = 0.0;
        for (i, bar) in bars.iter().enumerate() {
            set.update(bar).unwrap();
            for (output, &ours) in set.values().iter().enumerate() {
                let (truth, scale) = match &reference {
                    Reference::Recorded(columns, scale) => (recorded[columns[output]][i], scale),
                    Reference::Definition(value, scale) => (value(&bars, i), scale),
                };
                let column = &set.layout().columns()[output];
                let Some(truth) = truth else {
                    assert!(ours.is_nan(), "{column}: bar {i} speaks before its reference does");
                    continue;
                };
                assert!(i + 1 >= spec.warmup(), "{column}: warm-up {} is longer than the reference's", spec.warmup());
                assert!(!ours.is_nan(), "{column}: bar {i} is silent where its reference speaks");
                let error = (ours - truth).abs() / truth.abs().max(scale.at(bar));
                worst = worst.max(error);
                assert!(error <= TOLERANCE, "{column}: bar {i} is {ours}, not {truth} (relative {error:e})");
            }
        }
        println!("{spec}: worst relative error {worst:e}");
    }
}
