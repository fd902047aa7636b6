//! One stream frame into typed values: our decoder against `serde_json` into a borrowed struct, and against copying the bytes.

use std::hint::black_box;

use divan::Bencher;
use fulmar_adapters::exchange::binance::decode;
use fulmar_domain::num::{Price, Qty};
use serde::Deserialize;

use crate::pairs::ratio;

const BOOK_TICKER: &str = r#"{"e":"bookTicker","u":400900217,"s":"BTCUSDT","b":"64990.10","B":"4.121","a":"64990.20","A":"2.043","T":1786171884471,"E":1786171884624}"#;
const AGG_TRADE: &str = r#"{"e":"aggTrade","E":1786171884624,"a":3404749954,"s":"BTCUSDT","p":"64990.90","q":"0.002","nq":"0.002","f":7960913511,"l":7960913511,"T":1786171884471,"m":true,"st":1}"#;

#[derive(Deserialize)]
struct BookTicker<'a> {
    s: &'a str,
    b: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
    #[serde(rename = "T")]
    time: i64,
}

#[derive(Deserialize)]
struct AggTrade<'a> {
    s: &'a str,
    a: u64,
    p: &'a str,
    q: &'a str,
    m: bool,
    #[serde(rename = "T")]
    time: i64,
}

fn ours(frame: &'static str) -> impl FnMut() {
    move || {
        black_box(decode::frame(black_box(frame.as_bytes()))).unwrap();
    }
}

fn serde_book_ticker() {
    let t: BookTicker<'_> = serde_json::from_str(black_box(BOOK_TICKER)).unwrap();
    let (bid, ask) = (Price::parse(t.b).unwrap(), Price::parse(t.a).unwrap());
    black_box((t.s, bid, ask, Qty::parse(t.bid_qty).unwrap(), Qty::parse(t.ask_qty).unwrap(), t.time));
}

fn serde_agg_trade() {
    let t: AggTrade<'_> = serde_json::from_str(black_box(AGG_TRADE)).unwrap();
    black_box((t.s, t.a, Price::parse(t.p).unwrap(), Qty::parse(t.q).unwrap(), t.m, t.time));
}

/// Prints the ratios.
pub fn ratios() {
    let mut a = ours(BOOK_TICKER);
    let typed = "serde_json, typed, borrowed";
    ratio("bookTicker parse", typed, "<= 0.42", &mut |n| (0..n).for_each(|_| a()), &mut |n| (0..n).for_each(|_| serde_book_ticker()));
    let mut buffer = Vec::with_capacity(BOOK_TICKER.len());
    let mut copy = |n| {
        for _ in 0..n {
            buffer.clear();
            buffer.extend_from_slice(black_box(BOOK_TICKER.as_bytes()));
            black_box(&buffer);
        }
    };
    ratio("bookTicker parse", "copying its bytes", "<= 30", &mut |n| (0..n).for_each(|_| a()), &mut copy);
    let mut a = ours(AGG_TRADE);
    ratio("aggTrade parse", typed, "<= 0.42", &mut |n| (0..n).for_each(|_| a()), &mut |n| (0..n).for_each(|_| serde_agg_trade()));
}

#[divan::bench]
fn book_ticker(bencher: Bencher) {
    bencher.bench_local(ours(BOOK_TICKER));
}

#[divan::bench]
fn agg_trade(bencher: Bencher) {
    bencher.bench_local(ours(AGG_TRADE));
}
