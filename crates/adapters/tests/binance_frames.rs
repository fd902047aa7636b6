//! Decoding: every recorded and documented frame is read, every broken one refused, any bytes survived.

mod binance_server;

use binance_server::{data, unpack};
use fulmar_adapters::exchange::binance::UserEvent;
use fulmar_adapters::exchange::binance::decode::{Frame, frame};
use fulmar_domain::market::MarketEvent;
use proptest::prelude::*;

#[test]
fn every_recorded_frame_is_read_as_what_it_is() {
    let Some(data) = data("every_recorded_frame_is_read_as_what_it_is") else { return };
    let (mut market, mut user) = (0, 0);
    for line in String::from_utf8(unpack(&data.join("frames.jsonl"))).expect("text").lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("json");
        let raw = line["raw"].as_str().expect("raw");
        match frame(raw.as_bytes()) {
            Ok(Frame::Market(_)) if line["route"] != "private" => market += 1,
            Ok(Frame::User(_)) if line["route"] == "private" => user += 1,
            other => panic!("{other:?}: {raw}"),
        }
    }
    assert!(market >= 11 && user >= 8, "{market} {user}");
    for folder in ["samples/market_data_json", "samples/user_data_json"] {
        for file in std::fs::read_dir(data.join(folder)).expect("folder") {
            let path = file.expect("entry").path();
            let read = frame(&std::fs::read(&path).expect("file"));
            if path.ends_with("kline_stream_open.json") {
                // The documentation made this one up: its low lies above its open.
                assert!(read.is_err(), "{read:?}");
                continue;
            }
            assert!(matches!(read, Ok(Frame::Market(_) | Frame::User(_))), "{path:?}: {read:?}");
        }
    }
}

#[test]
fn whole_recordings_are_read_without_a_loss() {
    let Some(data) = data("whole_recordings_are_read_without_a_loss") else { return };
    let text = unpack(&data.join("recordings/btcusdt_20240808.gz"));
    let (mut tops, mut trades, mut depths, mut others, mut last) = (0, 0, 0, 0, None);
    for line in text.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let space = line.iter().position(|b| *b == b' ').expect("time");
        match frame(&line[space + 1..]).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(line))) {
            Frame::Market(MarketEvent::BookTop(_)) => tops += 1,
            Frame::Market(MarketEvent::Trade(_)) => trades += 1,
            Frame::Market(MarketEvent::Depth(d)) => {
                assert!(last.is_none_or(|l| l == d.previous));
                last = Some(d.last);
                depths += 1;
            }
            _ => others += 1,
        }
    }
    assert_eq!((tops, depths), (66_089, 6_551));
    assert!(trades + others >= 21_313 && others < 200, "{trades} {others}");
    let text = unpack(&data.join("recordings/sushiusdt_20210722.txt.gz"));
    for line in text.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let space = line.iter().position(|b| *b == b' ').expect("time");
        let read = frame(&line[space + 1..]);
        assert!(matches!(read, Ok(Frame::Market(_))), "{read:?}: {}", String::from_utf8_lossy(line));
    }
}

const TOP: &str =
    r#"{"u":4,"e":"bookTicker","s":"BNBUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66","T":15,"E":16,"st":1,"new":{"x":[]}}"#;

#[test]
fn absurd_and_incomplete_frames_are_refused() {
    assert!(matches!(frame(TOP.as_bytes()), Ok(Frame::Market(MarketEvent::BookTop(_)))));
    assert!(matches!(frame(format!(r#"{{"data":{TOP},"stream":"x"}}"#).as_bytes()), Ok(Frame::Market(MarketEvent::BookTop(_)))));
    assert!(matches!(frame(format!(r#"{{"new":1,"stream":"x","data":{TOP}}}"#).as_bytes()), Ok(Frame::Market(MarketEvent::BookTop(_)))));
    for price in ["0", "-1", "NaN", "Infinity", "1e5", "", "1000000001", "0.000000001", "25.37"] {
        assert!(frame(TOP.replace(r#""b":"25.35""#, &format!(r#""b":"{price}""#)).as_bytes()).is_err(), "{price}");
    }
    for field in [r#""u":4,"#, r#""s":"BNBUSDT","#, r#""b":"25.35","#, r#""A":"40.66","#, r#""T":15,"#] {
        assert!(frame(TOP.replace(field, "").as_bytes()).is_err(), "{field}");
    }
    assert!(frame(TOP.replace(r#""u":4"#, r#""u":4,"u":5"#).as_bytes()).is_err());
}

#[test]
fn a_missing_fee_is_no_fee_and_a_missing_price_is_an_error() {
    let fill = r#"{"e":"ORDER_TRADE_UPDATE","T":1,"E":"2","o":{"s":"BTCUSDT","c":"autoclose-1","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"9910","x":"CALCULATED","X":"NEW_ADL","i":8,"l":"0.014","z":"0.014","L":"9910.12","T":3,"t":5,"m":false,"R":true,"ot":"LIMIT","ps":"BOTH","rp":"-5.67"}}"#;
    let Ok(Frame::User(UserEvent::Order(order))) = frame(fill.as_bytes()) else { panic!("{:?}", frame(fill.as_bytes())) };
    assert_eq!((order.status, order.average, order.time.millis(), order.client_text.as_str()), (None, None, 2, "autoclose-1"));
    assert!(order.fill.is_some_and(|f| f.fee.is_zero() && f.trade.0 == 5));
    for field in [r#""L":"9910.12","#, r#""t":5,"#, r#","rp":"-5.67""#, r#""z":"0.014","#] {
        assert!(frame(fill.replace(field, "").as_bytes()).is_err(), "{field}");
    }
}

proptest! {
    #[test]
    fn any_bytes_and_any_mutation_of_a_frame_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..120, byte in any::<u8>(), cut in 0_usize..130) {
        let _first = frame(&bytes);
        let mut mutated = TOP.as_bytes().to_vec();
        if let Some(slot) = mutated.get_mut(at) { *slot = byte; }
        mutated.truncate(cut.max(1));
        let mut wrapped = br#"{"stream":"a","data":"#.to_vec();
        wrapped.extend_from_slice(&mutated);
        for bytes in [&mutated, &wrapped] {
            if let Ok(Frame::Market(MarketEvent::BookTop(top))) = frame(bytes) {
                prop_assert!(top.bid.is_positive() && top.ask >= top.bid && !top.bid_qty.is_negative());
            }
        }
    }
}
