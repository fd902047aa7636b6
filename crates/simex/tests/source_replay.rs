//! What the replay of recorded bars promises: every bar is played once, along a path inside its range; broken files are
//! refused by file, row and remedy.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use arrow_array::{ArrayRef, Float64Array, RecordBatch, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{Price, Qty, Ratio};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_simex::source::replay::{PathOrder, ReplayOptions, ReplaySource};
use fulmar_simex::source::{MarketSource, PointKind, Step};
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const T0: i64 = 1_780_272_000_000;

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

fn options(folder: &Path, name: &str, history: u32) -> ReplayOptions {
    ReplayOptions { history_bars: history, ..ReplayOptions::new(folder, vec![symbol(name)]) }
}

fn steps(source: &mut ReplaySource) -> Vec<Step> {
    std::iter::from_fn(|| source.next_step().unwrap()).collect()
}

fn line(minute: i64, prices: [&str; 4], volume: &str) -> String {
    let [o, h, l, c] = prices;
    let open_time = T0 + minute * 60_000;
    format!("{open_time},{o},{h},{l},{c},{volume},{},100.5,7,0,0,0\n", open_time + 59_999)
}

fn csv(folder: &Path, lines: &[String]) -> PathBuf {
    let file = folder.join("NEARUSDT-1m-2026-06.csv");
    fs::write(&file, lines.concat()).unwrap();
    file
}

/// Checks what holds for every step sequence, and gives the bars back.
fn check(steps: &[Step], name: Symbol) -> Vec<Bar> {
    let (mut last, mut bars) = (Timestamp::ZERO, Vec::new());
    let (mut traded, mut prices) = (Qty::ZERO, Vec::new());
    for step in steps {
        assert!(step.time > last, "time goes on");
        last = step.time;
        for point in &step.points {
            assert_eq!(point.time, step.time);
            if point.symbol != name {
                continue;
            }
            match point.kind {
                PointKind::Trade { price, qty, .. } => {
                    assert!(qty.is_positive());
                    traded = traded.checked_add(qty).unwrap();
                    prices.push(price);
                }
                PointKind::Top { bid, ask, bid_qty, ask_qty } => {
                    assert!(bid < ask && bid.is_positive() && bid_qty.is_positive() && ask_qty.is_positive());
                    prices.push(if prices.last() == Some(&ask) { ask } else { bid });
                }
                PointKind::Mark { price, .. } => assert!(price.is_positive()),
                PointKind::BarClosed(bar) => {
                    assert_eq!(step.time, bar.end().minus(Span(1)));
                    assert_eq!(traded, bar.volume, "volumes add up");
                    assert!(prices.iter().all(|p| *p >= bar.low && *p <= bar.high), "the path leaves {bar:?}: {prices:?}");
                    if bar.volume.is_positive() {
                        assert!(prices.contains(&bar.low) && prices.contains(&bar.high));
                        assert_eq!((prices.first(), prices.last()), (Some(&bar.open), Some(&bar.close)));
                    }
                    bars.push(bar);
                    (traded, prices) = (Qty::ZERO, Vec::new());
                }
                PointKind::FundingRate(_) | PointKind::Depth { .. } => {}
            }
        }
    }
    bars
}

#[test]
fn the_first_bars_are_history_and_every_other_is_played_once() {
    let folder = tempfile::tempdir().unwrap();
    csv(folder.path(), &(0..10).map(|m| line(m, ["2.320", "2.330", "2.310", "2.325"], "1000")).collect::<Vec<_>>());
    let mut source = ReplaySource::open(&options(folder.path(), "NEARUSDT", 4)).unwrap();
    let plan = &source.plan()[0];
    assert_eq!((plan.history_bars, plan.live_bars), (4, Some(6)));
    let history = source.history(symbol("NEARUSDT"), Timeframe::M1);
    assert_eq!(history.len(), 4);
    assert_eq!(history[3].end(), source.start());
    let steps = steps(&mut source);
    assert_eq!(steps.len(), 24);
    assert_eq!(steps[0].time, source.start());
    let bars = check(&steps, symbol("NEARUSDT"));
    assert_eq!(bars.len(), 6);
    assert_eq!(bars[0].trades, 7, "as in the file");
    assert_eq!(source.next_step().unwrap(), None, "the end stays the end");
}

#[test]
fn csv_plain_gzipped_and_zipped_with_and_without_header_give_the_same_market() {
    let lines: Vec<String> = (0..5).map(|m| line(m, ["2.320", "2.330", "2.310", "2.325"], "1000")).collect();
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
    let text = lines.concat();
    let mut seen = Vec::new();
    for variant in ["csv", "header", "gz", "zip"] {
        let folder = tempfile::tempdir().unwrap();
        match variant {
            "csv" => fs::write(folder.path().join("NEARUSDT-1m-2026-06.csv"), &text).unwrap(),
            "header" => fs::write(folder.path().join("NEARUSDT-1m-2026-06.csv"), format!("{header}{text}")).unwrap(),
            "gz" => {
                let file = fs::File::create(folder.path().join("NEARUSDT-1m-2026-06.csv.gz")).unwrap();
                let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                packer.write_all(text.as_bytes()).unwrap();
                packer.finish().unwrap();
            }
            _ => {
                let file = fs::File::create(folder.path().join("NEARUSDT-1m-2026-06.zip")).unwrap();
                let mut packer = zip::ZipWriter::new(file);
                packer.start_file("NEARUSDT-1m-2026-06.csv", zip::write::SimpleFileOptions::default()).unwrap();
                packer.write_all(text.as_bytes()).unwrap();
                packer.finish().unwrap();
            }
        }
        seen.push(steps(&mut ReplaySource::open(&options(folder.path(), "NEARUSDT", 1)).unwrap()));
    }
    assert!(seen.iter().all(|s| *s == seen[0] && s.len() == 16));
}

fn batch(times: &[i64], columns: &[(&str, Vec<f64>)]) -> RecordBatch {
    let mut fields = vec![Field::new("date", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(TimestampMillisecondArray::from(times.to_vec()).with_timezone("UTC"))];
    for (name, values) in columns {
        fields.push(Field::new(*name, DataType::Float64, true));
        arrays.push(Arc::new(Float64Array::from(values.clone())));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn feather(file: &Path, batch: &RecordBatch) {
    let mut writer = arrow_ipc::writer::FileWriter::try_new(fs::File::create(file).unwrap(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

fn ohlcv(times: &[i64]) -> RecordBatch {
    let column = |v: f64| vec![v; times.len()];
    batch(
        times,
        &[("open", column(2.32)), ("high", column(2.33)), ("low", column(2.31)), ("close", column(2.325)), ("volume", column(1000.0))],
    )
}

#[test]
fn feather_and_parquet_bars_are_played_alike() {
    let times: Vec<i64> = (0..6).map(|m| T0 + m * 60_000).collect();
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    feather(&a.path().join("NEAR_USDT_USDT-1m-futures.feather"), &ohlcv(&times));
    let parquet = fs::File::create(b.path().join("NEARUSDT-1m.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(parquet, ohlcv(&times).schema(), None).unwrap();
    writer.write(&ohlcv(&times)).unwrap();
    writer.close().unwrap();
    let play = |folder: &Path| steps(&mut ReplaySource::open(&options(folder, "NEARUSDT", 1)).unwrap());
    assert_eq!(play(a.path()), play(b.path()));
    assert_eq!(check(&play(a.path()), symbol("NEARUSDT")).len(), 5);
}

#[test]
fn marks_keep_the_basis_and_funding_rates_are_known_one_millisecond_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let times: Vec<i64> = (0..961).map(|m| T0 + m * 60_000).collect();
    feather(&folder.path().join("NEAR_USDT_USDT-1m-futures.feather"), &ohlcv(&times));
    let eight = [T0, T0 + 28_800_000, T0 + 57_600_000];
    feather(&folder.path().join("NEAR_USDT_USDT-8h-mark.feather"), &batch(&eight, &[("open", vec![2.32, 2.34, 2.34])]));
    let jitter = [T0 + 5, T0 + 28_800_003, T0 + 57_600_000];
    feather(&folder.path().join("NEAR_USDT_USDT-8h-funding_rate.feather"), &batch(&jitter, &[("open", vec![0.0001, -0.0003, 0.0002])]));
    let mut source = ReplaySource::open(&options(folder.path(), "NEARUSDT", 0)).unwrap();
    assert_eq!(source.instruments()[0].funding_interval, Span::hours(8));
    let mut rates = Vec::new();
    while let Some(step) = source.next_step().unwrap() {
        for point in &step.points {
            match point.kind {
                PointKind::FundingRate(rate) => rates.push((step.time.0 - T0, rate)),
                PointKind::Mark { price, .. } if step.time.0 == T0 => assert_eq!(price, Price::parse("2.32").unwrap()),
                PointKind::Mark { price, .. } if step.time.0 == T0 + 14_400_000 => assert_eq!(price, Price::parse("2.33").unwrap()),
                PointKind::Mark { price, .. } if step.time.0 == T0 + 28_800_000 => assert_eq!(price, Price::parse("2.34").unwrap()),
                _ => {}
            }
        }
    }
    let rate = |text| Ratio::parse(text).unwrap();
    assert_eq!(rates, vec![(0, rate("0.0001")), (28_799_999, rate("-0.0003")), (57_599_999, rate("0.0002"))]);
}

#[test]
fn a_broken_file_is_refused_by_name_row_and_remedy() {
    let good = |m: i64| line(m, ["2.320", "2.330", "2.310", "2.325"], "1000");
    let with = |bad: String| vec![good(0), good(1), bad, good(3)];
    let cell = |index: usize, text: &str| {
        let row = good(2);
        let mut cells: Vec<&str> = row.trim_end().split(',').collect();
        cells[index] = text;
        with(cells.join(",") + "\n")
    };
    let table: Vec<(&str, Vec<String>, &str)> = vec![
        ("gap", vec![good(0), good(1), good(3)], "row 3: a gap"),
        ("duplicate", vec![good(0), good(1), good(1)], "row 3: 2026-06-01T00:01:00.000Z occurs twice"),
        ("disorder", vec![good(1), good(2), good(0)], "row 3: 2026-06-01T00:00:00.000Z comes after"),
        ("NaN", cell(1, "NaN"), "row 3: open is missing, NaN"),
        ("infinite", cell(2, "inf"), "row 3: high is missing, NaN or infinite"),
        ("empty", cell(5, ""), "row 3: volume is missing"),
        ("negative price", cell(3, "-2.31"), "row 3: low is below zero"),
        ("negative volume", cell(5, "-1"), "row 3: volume is below zero"),
        ("zero price", cell(4, "0.0"), "row 3: close is zero"),
        ("high below open", cell(2, "2.315"), "row 3: high is not the highest"),
        ("low above close", cell(3, "2.329"), "row 3: high is not the highest or low"),
        ("word", cell(1, "abc"), "row 3: open reads \"abc\""),
        ("huge", cell(5, "100000000000"), "row 3: volume is beyond"),
        ("bad count", cell(8, "many"), "row 3: count reads"),
        ("half a minute", cell(0, "1780272150000"), "row 3: 2026-06-01T00:02:30.000Z is no start of a 1m bar"),
        ("cut line", with("1780272120000,2.320,2.3\n".into()), "row 3: 3 cells where 4"),
        (
            "wrong columns",
            vec!["time,price,amount\n".into(), "1780272120000,2.3,1\n".into()],
            "has no column open (it has time, price, amount)",
        ),
        ("nothing", vec![], "holds no rows"),
    ];
    for (name, lines, expected) in table {
        let folder = tempfile::tempdir().unwrap();
        let file = csv(folder.path(), &lines);
        let text = ReplaySource::open(&options(folder.path(), "NEARUSDT", 0)).unwrap_err().to_string();
        assert!(text.contains(expected) && text.contains(file.to_str().unwrap()), "{name}: {text}");
    }
}

#[test]
fn cut_packed_files_and_missing_symbols_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let times: Vec<i64> = (0..500).map(|m| T0 + m * 60_000).collect();
    let file = folder.path().join("NEAR_USDT_USDT-1m-futures.feather");
    feather(&file, &ohlcv(&times));
    let whole = fs::read(&file).unwrap();
    for length in [0, 5, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        let text = ReplaySource::open(&options(folder.path(), "NEARUSDT", 0)).unwrap_err().to_string();
        assert!(text.contains("is no complete feather (Arrow IPC) file"), "{length}: {text}");
    }
    fs::remove_file(&file).unwrap();
    let packed = folder.path().join("NEARUSDT-1m-2026-06.csv.gz");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for m in 0..500 {
        packer.write_all(line(m, ["2.320", "2.330", "2.310", "2.325"], &(1000 + m * m).to_string()).as_bytes()).unwrap();
    }
    let whole = packer.finish().unwrap();
    fs::write(&packed, &whole[..whole.len() / 2]).unwrap();
    assert!(ReplaySource::open(&options(folder.path(), "NEARUSDT", 0)).is_err(), "a cut gzip");
    let text = ReplaySource::open(&options(folder.path(), "BTCUSDT", 0)).unwrap_err().to_string();
    assert!(text.contains("no 1m bars and no recording of BTCUSDT; it has NEARUSDT-1m-2026-06.csv.gz"), "{text}");
    let nowhere = folder.path().join("nowhere");
    assert!(ReplaySource::open(&options(&nowhere, "BTCUSDT", 0)).unwrap_err().to_string().contains("cannot be read"));
    let mut null = ohlcv(&times);
    null = batch(
        &times,
        &[
            ("open", vec![f64::NAN; null.num_rows()]),
            ("high", vec![1.0; 500]),
            ("low", vec![1.0; 500]),
            ("close", vec![1.0; 500]),
            ("volume", vec![1.0; 500]),
        ],
    );
    feather(&file, &null);
    fs::remove_file(&packed).unwrap();
    assert!(ReplaySource::open(&options(folder.path(), "NEARUSDT", 0)).unwrap_err().to_string().contains("row 1: open is missing, NaN"));
    feather(&file, &batch(&times, &[("open", vec![1.0; 500])]));
    assert!(ReplaySource::open(&options(folder.path(), "NEARUSDT", 0)).unwrap_err().to_string().contains("has no column high"));
}

#[test]
fn an_allowed_gap_is_reported_and_nothing_happens_in_it() {
    let folder = tempfile::tempdir().unwrap();
    csv(folder.path(), &[0, 1, 2, 6, 7].map(|m| line(m, ["2.320", "2.330", "2.310", "2.325"], "1000")));
    let mut source = ReplaySource::open(&ReplayOptions { allow_gaps: true, ..options(folder.path(), "NEARUSDT", 1) }).unwrap();
    assert!(source.remarks().iter().any(|r| r.contains("3 bars are missing in 1 gaps")), "{:?}", source.remarks());
    let bars = check(&steps(&mut source), symbol("NEARUSDT"));
    assert_eq!(bars.iter().map(|b| (b.open_time.0 - T0) / 60_000).collect::<Vec<_>>(), vec![1, 2, 6, 7]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bar_becomes_a_path_inside_its_range_that_adds_up(
        rows in prop::collection::vec((1_i64..50_000, 0_i64..40, 0_i64..40, 0_i64..40, 0_i64..3_000), 1..20), seed in any::<u64>(), spread in 1_u32..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let price = |ticks: i64| format!("{}.{:03}", ticks / 1_000, ticks % 1_000);
        let lines: Vec<String> = rows.iter().enumerate().map(|(m, (low, up, o, c, volume))| {
            let (open, close) = (low + o % (up + 1), low + c % (up + 1));
            line(m as i64, [&price(open), &price(low + up), &price(*low), &price(close)], &volume.to_string())
        }).collect();
        csv(folder.path(), &lines);
        for order in [PathOrder::NearestFirst, PathOrder::Seeded(seed)] {
            let options = ReplayOptions { order, spread_ticks: spread, ..options(folder.path(), "NEARUSDT", 0) };
            let first = steps(&mut ReplaySource::open(&options).unwrap());
            let again = steps(&mut ReplaySource::open(&options).unwrap());
            prop_assert_eq!(&first, &again);
            for step in &first {
                let mut trade = None;
                for point in &step.points {
                    match point.kind {
                        PointKind::Trade { price, .. } => trade = Some(price),
                        PointKind::Top { bid, ask, .. } => {
                            prop_assert!(bid.is_positive() && ask.raw() - bid.raw() == i64::from(spread) * 100_000);
                            prop_assert!(trade.is_none_or(|t| t == bid || t == ask));
                        }
                        _ => {}
                    }
                }
            }
            let mut traded = Qty::ZERO;
            for point in first.iter().flat_map(|s| &s.points) {
                match point.kind {
                    PointKind::Trade { price, qty, .. } => {
                        traded = traded.checked_add(qty).unwrap();
                        let (low, up, ..) = rows[usize::try_from((point.time.0 - T0) / 60_000).unwrap()];
                        prop_assert!(price.raw() >= low * 100_000 && price.raw() <= (low + up) * 100_000);
                    }
                    PointKind::BarClosed(bar) => {
                        prop_assert_eq!(traded, bar.volume);
                        traded = Qty::ZERO;
                    }
                    _ => {}
                }
            }
        }
    }
}

fn data(test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FULMAR_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    println!("SKIPPED: {test} needs FULMAR_DATA");
    None
}

#[test]
fn thirty_recorded_days_of_six_symbols_are_played_whole() {
    let Some(root) = data("thirty_recorded_days_of_six_symbols_are_played_whole") else { return };
    let names = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT"].map(symbol);
    let mut source = ReplaySource::open(&ReplayOptions::new(root.join("klines"), names.to_vec())).unwrap();
    for remark in source.remarks() {
        println!("{remark}");
    }
    let plan = source.plan();
    println!("{plan:?}");
    let mut bars = vec![0_u64; names.len()];
    let (mut steps, mut fundings, mut last) = (0_u64, 0_u64, Timestamp::ZERO);
    let mut off = 0.0_f64;
    let mut price = [Price::ZERO; 6];
    while let Some(step) = source.next_step().unwrap() {
        steps += 1;
        assert!(step.time > last);
        last = step.time;
        for point in &step.points {
            let index = names.iter().position(|n| *n == point.symbol).unwrap();
            match point.kind {
                PointKind::Trade { price: p, .. } => price[index] = p,
                PointKind::Mark { price: p, .. } => off = off.max((p.to_f64() / price[index].to_f64() - 1.0).abs()),
                PointKind::BarClosed(_) => bars[index] += 1,
                PointKind::FundingRate(_) => fundings += 1,
                _ => {}
            }
        }
    }
    println!("{steps} steps, {fundings} funding rates, mark at most {off} off");
    for (p, n) in plan.iter().zip(&bars) {
        assert_eq!(p.live_bars, Some(*n), "{}", p.symbol);
        assert!((498..=500).contains(&p.history_bars) && *n >= 42_699);
    }
    assert!(fundings > 6 * 85 && off < 0.02);
    for (file, name, count) in
        [("klines-long", "BTCUSDT", None), ("klines-vision", "AVAXUSDT", Some(43_200)), ("klines-vision", "FILUSDT", Some(43_200))]
    {
        let timeframe = if file == "klines-long" { Timeframe::H1 } else { Timeframe::M1 };
        let options = ReplayOptions { timeframe, ..options(&root.join(file), name, 500) };
        let source = ReplaySource::open(&options).unwrap();
        println!("{file} {name}: {:?} {:?}", source.plan(), source.remarks());
        assert!(count.is_none_or(|n| source.plan()[0].live_bars == Some(n - 500)));
    }
}
