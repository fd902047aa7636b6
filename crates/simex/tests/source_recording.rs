//! What the replay of raw recordings promises.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use fulmar_domain::num::{Price, Qty};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_simex::source::recording::RecordingSource;
use fulmar_simex::source::replay::ReplayOptions;
use fulmar_simex::source::{MarketSource, PointKind, Step, open_recorded};
use std::fs;
use std::path::{Path, PathBuf};

fn name(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn play(folder: &Path, symbol: &str) -> Vec<Step> {
    let mut source = RecordingSource::open(folder, &[name(symbol)], false).unwrap();
    std::iter::from_fn(|| source.next_step().unwrap()).collect()
}

fn recorded(lines: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("btcusdt_20260601.txt"), lines.join("\n")).unwrap();
    folder
}

fn trade(time: i64, price: &str) -> String {
    format!(
        r#"1 {{"stream":"x","data":{{"e":"trade","E":{time},"T":{time},"s":"BTCUSDT","t":1,"p":"{price}","q":"0.5","X":"MARKET","m":false}}}}"#
    )
}

fn depth(time: i64, previous: i64, last: i64, bid: &str) -> String {
    format!(
        r#"1 {{"e":"depthUpdate","E":{time},"T":{time},"s":"BTCUSDT","U":{last},"u":{last},"pu":{previous},"b":[["{bid}","1"]],"a":[]}}"#
    )
}

#[test]
fn a_lagging_stream_counts_at_the_newer_time_and_whole_minutes_close_bars() {
    let lines = [trade(30_000, "100.0"), trade(61_000, "101.0"), trade(60_500, "99.0"), trade(90_000, "100.5"), trade(185_000, "100.0")];
    let folder = recorded(&lines.each_ref().map(String::as_str));
    let steps = play(folder.path(), "BTCUSDT");
    assert!(steps.windows(2).all(|w| w[0].time < w[1].time));
    let bars: Vec<_> = steps
        .iter()
        .flat_map(|s| &s.points)
        .filter_map(|p| if let PointKind::BarClosed(b) = p.kind { Some((p.time, b)) } else { None })
        .collect();
    assert_eq!(bars.len(), 2, "the first minute is a part only, the last one has not ended");
    let (time, bar) = bars[0];
    let price = |text| Price::parse(text).unwrap();
    assert_eq!((time, bar.open_time), (Timestamp(119_999), Timestamp(60_000)));
    assert_eq!((bar.open, bar.high, bar.low, bar.close), (price("101"), price("101"), price("99"), price("100.5")));
    assert_eq!((bar.volume, bar.trades), (Qty::parse("1.5").unwrap(), 3));
    let quiet = bars[1].1;
    assert_eq!((quiet.open_time, quiet.close, quiet.trades), (Timestamp(120_000), price("100.5"), 0));
}

#[test]
fn a_snapshot_that_comes_late_keeps_newer_levels_and_removes_those_it_does_not_have() {
    let snapshot = r#"1 {"lastUpdateId":11,"bids":[["99.0","7"]],"asks":[["101.0","7"]]}"#;
    let lines = [depth(1_000, 9, 10, "98.0"), depth(2_000, 10, 12, "99.5"), snapshot.to_owned(), depth(3_000, 12, 13, "99.7")];
    let folder = recorded(&lines.each_ref().map(String::as_str));
    let steps = play(folder.path(), "BTCUSDT");
    let mut book = std::collections::BTreeMap::new();
    for point in steps.iter().flat_map(|s| &s.points) {
        if let PointKind::Depth { bids, .. } = &point.kind {
            for level in bids {
                if level.qty.is_zero() {
                    book.remove(&level.price);
                } else {
                    book.insert(level.price, level.qty);
                }
            }
        }
    }
    let prices: Vec<String> = book.keys().map(ToString::to_string).collect();
    assert_eq!(prices, ["99", "99.5", "99.7"], "98 is older than the snapshot and not in it");
    let top = steps.iter().flat_map(|s| &s.points).find(|p| matches!(p.kind, PointKind::Top { .. })).map(|p| p.kind.clone());
    assert!(matches!(top, Some(PointKind::Top { bid, ask, .. }) if bid.to_string() == "99.7" && ask.to_string() == "101"));
}

#[test]
fn broken_lines_holes_and_disorder_name_file_and_line() {
    let error = |lines: &[&str]| {
        let folder = recorded(lines);
        let opened = RecordingSource::open(folder.path(), &[name("BTCUSDT")], false);
        let text = match opened {
            Err(error) => error.to_string(),
            Ok(mut source) => loop {
                match source.next_step() {
                    Ok(Some(_)) => {}
                    Ok(None) => return "no error".to_owned(),
                    Err(error) => break error.to_string(),
                }
            },
        };
        assert!(text.contains("btcusdt_20260601.txt"), "{text}");
        text
    };
    let good = trade(60_000, "100.0");
    assert!(error(&[&good, "1 {\"e\":\"trade\""]).contains("line") || error(&[&good, "1 {\"e\":\"trade\""]).contains("row 2: no message"));
    assert!(error(&[&good, "word {}"]).contains("row 2: no message of a market stream: \"word\" is no local time"));
    assert!(error(&["a,b,c", "1,2,3"]).contains("row 1: no message of a market stream: \"a,b,c\" is neither"));
    assert!(error(&[&good, &trade(1_000, "100.0")]).contains("row 2: 1970-01-01T00:00:01.000Z comes after"));
    assert!(error(&[&depth(1_000, 1, 2, "99"), &depth(2_000, 3, 4, "99")]).contains("row 2: the book's updates have a hole: 2 is due"));
    assert!(error(&[]).contains("holds no rows"));
    let folder = recorded(&[&depth(1_000, 1, 2, "99"), &depth(2_000, 3, 4, "99")]);
    let mut source = RecordingSource::open(folder.path(), &[name("BTCUSDT")], true).unwrap();
    while source.next_step().unwrap().is_some() {}
    assert!(source.remarks().iter().any(|r| r.contains("have 1 holes")), "an allowed hole is reported");
}

#[test]
fn a_folder_is_opened_as_what_it_holds() {
    let folder = recorded(&[&trade(60_000, "100.0")]);
    let options = ReplayOptions::new(folder.path(), vec![name("BTCUSDT")]);
    assert_eq!(open_recorded(&options).unwrap().plan()[0].live_bars, None, "a recording cannot know its bars");
    let options = ReplayOptions { symbols: vec![name("ETHUSDT")], ..options };
    assert!(open_recorded(&options).err().unwrap().to_string().contains("no recording of ETHUSDT"));
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
fn the_recordings_of_every_shape_are_played_whole() {
    let Some(root) = data("the_recordings_of_every_shape_are_played_whole") else { return };
    let folder = root.join("recordings");
    // trades, tops, depth frames (with the snapshot), bars
    let expected = [
        ("btcusdt_20240808.gz", "BTCUSDT", [21_313, 66_089, 6_552, 5]),
        ("btcusdt_bookticker_20231002.csv.gz", "BTCUSDT", [0, 9_999, 0, 0]),
        ("ethusdt_aggtrades_20230202.csv.gz", "ETHUSDT", [1_000, 1_000, 0, 2]),
        ("sushiusdt_20210722.txt.gz", "SUSHIUSDT", [-1, -1, -1, 0]),
    ];
    for (file, symbol, counts) in expected {
        let mut seen = [0_i64; 4];
        let mut marks = 0;
        let steps = play(&folder.join(file), symbol);
        assert!(steps.windows(2).all(|w| w[0].time < w[1].time), "{file}");
        for point in steps.iter().flat_map(|s| &s.points) {
            match &point.kind {
                PointKind::Trade { .. } => seen[0] += 1,
                PointKind::Top { bid, ask, .. } => {
                    assert!(bid < ask);
                    seen[1] += 1;
                }
                PointKind::Depth { .. } => seen[2] += 1,
                PointKind::BarClosed(_) => seen[3] += 1,
                PointKind::Mark { .. } => marks += 1,
                PointKind::FundingRate(_) => {}
            }
        }
        println!("{file}: {} steps, {seen:?}, {marks} marks", steps.len());
        assert!(marks > 0, "{file}");
        for (seen, expected) in seen.iter().zip(counts) {
            assert!(expected < 0 || *seen == expected, "{file}: {seen} where {expected} are expected");
        }
    }
}
