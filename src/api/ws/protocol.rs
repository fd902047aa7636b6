//! What clients say over the WebSocket, and the short answers to it.

use crate::api::input::too_deep;
use crate::view::ring::Channel;
use bytestring::ByteString;
use fulmar_domain::symbol::Symbol;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Symbols in one subscription.
const SYMBOLS_MAX: usize = 1_000;

/// A wish for a channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub channel: Channel,
    /// Only these; all where none is named.
    pub symbols: Vec<Symbol>,
    /// Number of the last frame that the client has.
    pub from: Option<u64>,
    /// Of which run that number is.
    pub stream: Option<String>,
}

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    Subscribe(Vec<Want>),
    Unsubscribe(Vec<Channel>),
    /// With what is to be given back, as JSON.
    Ping(Option<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    channel: String,
    #[serde(default)]
    symbols: Vec<String>,
    from: Option<u64>,
    stream: Option<String>,
}

/// A frame that says what was wrong.
pub(super) fn error_frame(error: &str, message: &str) -> ByteString {
    serde_json::json!({ "type": "error", "error": error, "message": message }).to_string().into()
}

pub(super) fn unsubscribed(channel: Channel) -> ByteString {
    format!("{{\"type\":\"unsubscribed\",\"data\":\"{}\"}}", channel.as_str()).into()
}

pub(super) fn pong(data: Option<&str>) -> ByteString {
    data.map_or_else(|| "{\"type\":\"pong\"}".to_owned(), |d| format!("{{\"type\":\"pong\",\"data\":{d}}}")).into()
}

fn channel(name: &str) -> Result<Channel, ByteString> {
    Channel::parse(name).ok_or_else(|| {
        let known: Vec<&str> = Channel::ALL.iter().map(|c| c.as_str()).collect();
        let shown: String = name.chars().take(40).collect();
        error_frame("unknown_channel", &format!("{shown:?} is no channel; there are {}", known.join(", ")))
    })
}

fn want(raw: &RawValue) -> Result<Want, ByteString> {
    if let Ok(name) = serde_json::from_str::<String>(raw.get()) {
        return Ok(Want { channel: channel(&name)?, symbols: vec![], from: None, stream: None });
    }
    let wanted: Wanted = serde_json::from_str(raw.get()).map_err(|error| {
        error_frame("bad_message", &format!("data is a channel's name or {{\"channel\":…,\"symbols\":[…],\"from\":N}}: {error}"))
    })?;
    let channel = channel(&wanted.channel)?;
    if wanted.symbols.len() > SYMBOLS_MAX {
        return Err(error_frame("bad_message", &format!("at most {SYMBOLS_MAX} symbols")));
    }
    if !wanted.symbols.is_empty() && !channel.has_symbols() {
        return Err(error_frame("bad_message", &format!("{} knows no symbols", channel.as_str())));
    }
    let symbols: Result<Vec<Symbol>, _> = wanted.symbols.iter().map(|s| Symbol::new(&s.to_uppercase())).collect();
    let symbols = symbols.map_err(|error| error_frame("bad_message", &error.to_string()))?;
    Ok(Want { channel, symbols, from: wanted.from, stream: wanted.stream })
}

/// One or a list.
fn each<T>(data: Option<&RawValue>, read: impl Fn(&RawValue) -> Result<T, ByteString>) -> Result<Vec<T>, ByteString> {
    let data = data.ok_or_else(|| error_frame("bad_message", "data is missing: the name of a channel"))?;
    if data.get().starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(data.get()).map_err(|e| error_frame("bad_message", &e.to_string()))?;
        if list.len() > 4 * Channel::ALL.len() {
            return Err(error_frame("bad_message", "too many subscriptions in one message"));
        }
        return list.into_iter().map(read).collect();
    }
    read(data).map(|one| vec![one])
}

/// Reads a message; the error is the frame to answer with.
pub(super) fn read(text: &str) -> Result<Order, ByteString> {
    if too_deep(text.as_bytes()) {
        return Err(error_frame("bad_message", "nested too deep"));
    }
    let message: Message<'_> = serde_json::from_str(text)
        .map_err(|error| error_frame("bad_message", &format!("a message is {{\"type\":…,\"data\":…}}: {error}")))?;
    match message.kind.as_str() {
        "subscribe" => each(message.data, want).map(Order::Subscribe),
        "unsubscribe" => each(message.data, |raw| want(raw).map(|w| w.channel)).map(Order::Unsubscribe),
        "ping" => Ok(Order::Ping(message.data.map(|d| d.get().to_owned()))),
        other => {
            let shown: String = other.chars().take(40).collect();
            Err(error_frame("unknown_type", &format!("{shown:?}: subscribe, unsubscribe or ping expected")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn channels_are_taken_by_name_as_object_or_as_list() {
        let plain = |channel| Want { channel, symbols: vec![], from: None, stream: None };
        assert_eq!(read(r#"{"type":"subscribe","data":"ticker"}"#), Ok(Order::Subscribe(vec![plain(Channel::Ticker)])));
        let full = Want {
            channel: Channel::Bars,
            symbols: vec![Symbol::new("BTCUSDT").expect("name")],
            from: Some(7),
            stream: Some("s".to_owned()),
        };
        let text = r#"{"type":"subscribe","data":["orders",{"channel":"bars","symbols":["btcusdt"],"from":7,"stream":"s"}]}"#;
        assert_eq!(read(text), Ok(Order::Subscribe(vec![plain(Channel::Orders), full])));
        assert_eq!(read(r#"{"type":"unsubscribe","data":"bars"}"#), Ok(Order::Unsubscribe(vec![Channel::Bars])));
        assert_eq!(read(r#"{"type":"ping","data":{"a":1}}"#), Ok(Order::Ping(Some("{\"a\":1}".to_owned()))));
    }

    #[test]
    fn nonsense_is_answered_with_a_frame_that_says_what_is_expected() {
        for (text, word) in [
            ("", "bad_message"),
            ("[]", "bad_message"),
            (r#"{"type":"subscribe"}"#, "bad_message"),
            (r#"{"type":"subscribe","data":"weather"}"#, "unknown_channel"),
            (r#"{"type":"subscribe","data":{"channel":"bars","extra":1}}"#, "bad_message"),
            (r#"{"type":"subscribe","data":{"channel":"bars","symbols":["A/B"]}}"#, "bad_message"),
            (r#"{"type":"subscribe","data":{"channel":"equity","symbols":["BTCUSDT"]}}"#, "bad_message"),
            (r#"{"type":"shout","data":1}"#, "unknown_type"),
            (r#"{"type":"ping","x":1}"#, "bad_message"),
        ] {
            let frame = read(text).expect_err(text);
            let json: serde_json::Value = serde_json::from_str(&frame).expect("JSON");
            assert_eq!((json["type"].as_str(), json["error"].as_str()), (Some("error"), Some(word)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_answered_with_anything_but_json(text in "\\PC{0,80}") {
            if let Err(frame) = read(&text) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&frame).is_ok());
            }
        }
    }
}
