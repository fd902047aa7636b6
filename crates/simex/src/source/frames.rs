//! Messages of the exchange's public streams, as far as a market can be made of them.
//!
//! Used for recordings and for the mirror of a live feed. Unknown fields and unknown events are ignored; a field that is
//! needed and missing, or a number that does not read, is an error, never a default.

use fulmar_domain::market::{Bar, Level, Timeframe};
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Frame {
    /// A trade; `aggregate` tells which of the two trade streams it comes from.
    Trade { symbol: Symbol, time: Timestamp, price: Price, qty: Qty, taker: Side, aggregate: bool },
    /// Best bid and ask.
    Top { symbol: Symbol, time: Timestamp, bid: Level, ask: Level },
    /// Changed levels.
    Depth { symbol: Symbol, time: Timestamp, last: i64, previous: Option<i64>, bids: Vec<Level>, asks: Vec<Level> },
    /// A whole book, as REST gives it.
    Snapshot { last: i64, bids: Vec<Level>, asks: Vec<Level> },
    /// Mark price and running funding rate.
    Mark { symbol: Symbol, time: Timestamp, price: Price, index: Price, rate: Option<Ratio> },
    /// A closed bar.
    Bar { time: Timestamp, bar: Bar },
    /// Anything else.
    Other,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
    #[serde(rename = "lastUpdateId")]
    last_update_id: Option<i64>,
}

#[derive(Deserialize)]
struct TradeBody {
    s: Symbol,
    #[serde(rename = "T")]
    time: i64,
    p: Price,
    q: Qty,
    m: bool,
    /// Of single trades: `MARKET`, or `INSURANCE_FUND` and `ADL`, which are no trades of the book.
    #[serde(rename = "X")]
    origin: Option<String>,
}

#[derive(Deserialize)]
struct TopBody {
    s: Symbol,
    #[serde(rename = "T")]
    time: i64,
    b: Price,
    #[serde(rename = "B")]
    bid_qty: Qty,
    a: Price,
    #[serde(rename = "A")]
    ask_qty: Qty,
}

#[derive(Deserialize)]
struct DepthBody {
    s: Symbol,
    #[serde(rename = "T")]
    time: i64,
    u: i64,
    pu: Option<i64>,
    b: Vec<(Price, Qty)>,
    a: Vec<(Price, Qty)>,
}

#[derive(Deserialize)]
struct SnapshotBody {
    #[serde(rename = "lastUpdateId")]
    last: i64,
    bids: Vec<(Price, Qty)>,
    asks: Vec<(Price, Qty)>,
}

#[derive(Deserialize)]
struct MarkBody {
    s: Symbol,
    #[serde(rename = "E")]
    time: i64,
    p: Price,
    i: Price,
    /// Empty for contracts without funding.
    r: String,
}

#[derive(Deserialize)]
struct KlineBody {
    #[serde(rename = "E")]
    time: i64,
    k: Kline,
}

#[derive(Deserialize)]
struct Kline {
    t: i64,
    s: Symbol,
    i: String,
    o: Price,
    c: Price,
    h: Price,
    l: Price,
    v: Qty,
    n: u64,
    x: bool,
    q: Usdt,
}

/// Reads a message, bare or in the envelope of combined streams.
pub(super) fn decode(text: &str) -> Result<Frame, String> {
    let why = |e: serde_json::Error| e.to_string();
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(why)?;
    let body = envelope.data.map_or(text, RawValue::get);
    let kind: Kind<'_> = serde_json::from_str(body).map_err(why)?;
    let levels = |side: Vec<(Price, Qty)>| -> Result<Vec<Level>, String> {
        side.into_iter()
            .map(|(price, qty)| if price.is_positive() && !qty.is_negative() { Ok(Level { price, qty }) } else { Err(odd(price, qty)) })
            .collect()
    };
    let traded = |aggregate| {
        let t: TradeBody = serde_json::from_str(body).map_err(why)?;
        if t.origin.is_some_and(|o| o != "MARKET") {
            return Ok(Frame::Other);
        }
        if !t.p.is_positive() || !t.q.is_positive() {
            return Err(odd(t.p, t.q));
        }
        let taker = if t.m { Side::Sell } else { Side::Buy };
        Ok(Frame::Trade { symbol: t.s, time: Timestamp(t.time), price: t.p, qty: t.q, taker, aggregate })
    };
    match kind.e.as_deref() {
        Some("trade") => traded(false),
        Some("aggTrade") => traded(true),
        Some("bookTicker") => {
            let t: TopBody = serde_json::from_str(body).map_err(why)?;
            if !t.b.is_positive() || t.b >= t.a {
                return Err(format!("bid {} and ask {} are no book", t.b, t.a));
            }
            let (bid, ask) = (Level { price: t.b, qty: t.bid_qty }, Level { price: t.a, qty: t.ask_qty });
            Ok(Frame::Top { symbol: t.s, time: Timestamp(t.time), bid, ask })
        }
        Some("depthUpdate") => {
            let d: DepthBody = serde_json::from_str(body).map_err(why)?;
            Ok(Frame::Depth { symbol: d.s, time: Timestamp(d.time), last: d.u, previous: d.pu, bids: levels(d.b)?, asks: levels(d.a)? })
        }
        Some("markPriceUpdate") => {
            let m: MarkBody = serde_json::from_str(body).map_err(why)?;
            if !m.p.is_positive() || m.i.is_negative() {
                return Err(format!("mark {} and index {} are no prices", m.p, m.i));
            }
            let rate = if m.r.is_empty() { None } else { Some(Ratio::parse(&m.r).map_err(|e| format!("r {:?}: {e}", m.r))?) };
            let index = if m.i.is_zero() { m.p } else { m.i };
            Ok(Frame::Mark { symbol: m.s, time: Timestamp(m.time), price: m.p, index, rate })
        }
        Some("kline") => {
            let KlineBody { time, k } = serde_json::from_str(body).map_err(why)?;
            if !k.x {
                return Ok(Frame::Other);
            }
            let timeframe: Timeframe = k.i.parse().map_err(|e: fulmar_domain::market::BadTimeframe| e.to_string())?;
            if !k.l.is_positive() || k.h < k.o.max(k.c) || k.l > k.o.min(k.c) || k.v.is_negative() {
                return Err(format!("bar {} {} {} {} is inconsistent", k.o, k.h, k.l, k.c));
            }
            let (open_time, volume, quote_volume) = (Timestamp(k.t), k.v, k.q);
            let bar =
                Bar { symbol: k.s, timeframe, open_time, open: k.o, high: k.h, low: k.l, close: k.c, volume, quote_volume, trades: k.n };
            Ok(Frame::Bar { time: Timestamp(time), bar })
        }
        None if kind.last_update_id.is_some() => {
            let s: SnapshotBody = serde_json::from_str(body).map_err(why)?;
            Ok(Frame::Snapshot { last: s.last, bids: levels(s.bids)?, asks: levels(s.asks)? })
        }
        _ => Ok(Frame::Other),
    }
}

fn odd(price: Price, qty: Qty) -> String {
    format!("{qty} at {price} is no order or trade")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_of_every_used_kind_are_read_and_others_passed_over() {
        let read = |text: &str| decode(text).unwrap();
        let trade = read(
            r#"{"stream":"x@aggTrade","data":{"e":"aggTrade","E":5,"a":1,"s":"ABCUSDT","p":"7.6120","q":"297","f":1,"l":2,"T":4,"m":true,"nq":"1"}}"#,
        );
        assert!(matches!(trade, Frame::Trade { taker: Side::Sell, aggregate: true, time: Timestamp(4), .. }));
        assert!(matches!(read(r#"{"e":"trade","E":5,"T":4,"s":"A","t":1,"p":"1","q":"1","X":"INSURANCE_FUND","m":true}"#), Frame::Other));
        let top = read(r#"{"e":"bookTicker","u":1,"s":"A","b":"1.0","B":"2","a":"1.1","A":"3","T":4,"E":5}"#);
        assert!(matches!(top, Frame::Top { bid, .. } if bid.qty == Qty::from_int(2).unwrap()));
        let mark = read(r#"{"e":"markPriceUpdate","E":5,"s":"A","p":"1.01","ap":"1","i":"1.02","P":"1","r":"-0.0001","T":9}"#);
        assert!(matches!(mark, Frame::Mark { time: Timestamp(5), rate: Some(_), .. }));
        let bar = r#"{"e":"kline","E":60001,"s":"A","k":{"t":0,"T":59999,"s":"A","i":"1m","f":1,"L":2,"o":"1","c":"2","h":"2","l":"1","v":"5","n":3,"x":true,"q":"9","V":"1","Q":"1","B":"0"}}"#;
        assert!(matches!(read(bar), Frame::Bar { bar, .. } if bar.trades == 3 && bar.timeframe == Timeframe::M1));
        assert_eq!(read(&bar.replace("\"x\":true", "\"x\":false")), Frame::Other);
        let depth = read(r#"{"e":"depthUpdate","E":5,"T":4,"s":"A","U":1,"u":2,"pu":0,"b":[["1","0"]],"a":[]}"#);
        assert!(matches!(depth, Frame::Depth { last: 2, previous: Some(0), .. }));
        assert!(matches!(read(r#"{"lastUpdateId":7,"bids":[["1","1"]],"asks":[]}"#), Frame::Snapshot { last: 7, .. }));
        assert_eq!(read(r#"{"result":null,"id":1}"#), Frame::Other);
    }

    #[test]
    fn messages_that_lack_or_garble_a_field_are_errors() {
        for text in [
            "",
            "{",
            r#"{"e":"bookTicker","s":"A","b":"2","B":"1","a":"1","A":"1","T":1}"#,
            r#"{"e":"bookTicker","s":"A","b":"NaN","B":"1","a":"1","A":"1","T":1}"#,
            r#"{"e":"trade","s":"A","T":1,"p":"-1","q":"1","m":true}"#,
            r#"{"e":"aggTrade","s":"A","T":1,"p":"1","m":true}"#,
            r#"{"e":"depthUpdate","T":1,"s":"A","u":2,"b":[["0","1"]],"a":[]}"#,
        ] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in r#"\{?("e":"(trade|kline|depthUpdate)")?.{0,60}"#) {
            drop(decode(&text));
        }
    }
}
