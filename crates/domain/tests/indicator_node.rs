//! From bars to frames: what is dropped, what starts anew, what is history.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::Arc;

use fulmar_domain::indicator::{IndicatorIn, IndicatorNode, IndicatorOut};
use fulmar_domain::market::{Bar, IndicatorFrame, Timeframe, WarmupBars};
use fulmar_domain::node::Node;
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Timestamp};

fn bar(minute: i64) -> Bar {
    let price = Price::from_int(100 + minute % 7).unwrap();
    Bar {
        symbol: Symbol::new("BTCUSDT").unwrap(),
        timeframe: Timeframe::M1,
        open_time: Timestamp(minute * 60_000),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Qty::ONE,
        quote_volume: Usdt::ONE,
        trades: 1,
    }
}

fn node() -> IndicatorNode {
    IndicatorNode::new(&["sma(3)".parse().unwrap(), "vwap".parse().unwrap()])
}

fn feed(node: &mut IndicatorNode, input: IndicatorIn) -> Vec<IndicatorOut> {
    let mut out = Vec::new();
    node.on(&input, Now::default(), &mut out);
    out
}

fn warmup(minutes: std::ops::Range<i64>) -> IndicatorIn {
    let bars: Arc<[Bar]> = minutes.map(bar).collect();
    IndicatorIn::Warmup(WarmupBars { symbol: Symbol::new("BTCUSDT").unwrap(), timeframe: Timeframe::M1, bars })
}

fn frame(out: &[IndicatorOut]) -> &IndicatorFrame {
    match out {
        [.., IndicatorOut::Frame(frame)] => frame,
        other => panic!("no frame in {other:?}"),
    }
}

#[test]
fn warm_up_bars_make_the_first_live_frame_warm_and_are_marked_as_history() {
    let mut node = node();
    let history = feed(&mut node, warmup(0..3));
    assert_eq!(history.len(), 3);
    assert!(frame(&history).history && frame(&history).warm);
    let live = feed(&mut node, IndicatorIn::Bar(bar(3)));
    assert!(frame(&live).warm && !frame(&live).history);
    assert_eq!(frame(&live).previous.as_deref(), Some(&*frame(&history).values));
}

#[test]
fn a_bar_seen_before_yields_nothing() {
    let mut node = node();
    feed(&mut node, warmup(0..4));
    assert!(feed(&mut node, IndicatorIn::Bar(bar(3))).is_empty());
    assert!(feed(&mut node, IndicatorIn::Bar(bar(1))).is_empty());
    assert!(feed(&mut node, warmup(0..4)).is_empty());
}

#[test]
fn a_gap_is_reported_and_nothing_is_warm_until_it_is_filled() {
    let mut node = node();
    feed(&mut node, warmup(0..4));
    let out = feed(&mut node, IndicatorIn::Bar(bar(6)));
    let symbol = Symbol::new("BTCUSDT").unwrap();
    let missing = IndicatorOut::Missing { symbol, timeframe: Timeframe::M1, from: Timestamp(240_000), to: Timestamp(360_000) };
    assert_eq!(out[0], missing);
    assert!(!frame(&out).warm && frame(&out).previous.is_none());
    let refilled = feed(&mut node, warmup(2..7));
    assert!(frame(&refilled).warm && frame(&refilled).history);
    let live = feed(&mut node, IndicatorIn::Bar(bar(7)));
    assert!(frame(&live).warm && !frame(&live).history);
}

#[test]
fn warm_up_bars_that_follow_on_are_taken_without_starting_anew() {
    let mut node = node();
    feed(&mut node, warmup(0..4));
    let out = feed(&mut node, warmup(2..6));
    assert_eq!(out.len(), 2, "only the bars after the last one");
    assert!(out.iter().all(|o| matches!(o, IndicatorOut::Frame(f) if f.warm)));
}

#[test]
fn a_hole_in_the_history_itself_is_not_asked_for_again() {
    let mut node = node();
    feed(&mut node, warmup(0..4));
    assert!(matches!(feed(&mut node, IndicatorIn::Bar(bar(6)))[0], IndicatorOut::Missing { .. }));
    let with_hole: Arc<[Bar]> = (0..4).chain(5..7).map(bar).collect();
    let symbol = Symbol::new("BTCUSDT").unwrap();
    let out = feed(&mut node, IndicatorIn::Warmup(WarmupBars { symbol, timeframe: Timeframe::M1, bars: with_hole }));
    assert!(out.iter().all(|o| matches!(o, IndicatorOut::Frame(_))), "or it would be asked for without end: {out:?}");
    let filled: Vec<_> = (7..10).map(|minute| feed(&mut node, IndicatorIn::Bar(bar(minute)))).collect();
    assert!(frame(&filled[2]).warm, "warm again once enough bars followed on each other");
}
