//! Numbered frames per channel, kept for those who come back.
//!
//! Each channel numbers its frames from 1 and keeps the last of them. A frame is serialised once; all readers share the bytes.
//! Invariant: within one stream a number names one frame, and frames are given without a gap or not at all.

use bytestring::ByteString;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::collections::VecDeque;
use std::ops::Range;

/// What a client can subscribe to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Channel {
    /// Prices and day statistics, keyed by symbol.
    Ticker,
    /// Bars, closed and forming.
    Bars,
    /// Indicator values at the close of bars.
    Indicators,
    /// What strategies and the operator wanted, and the verdicts.
    Signals,
    /// Facts about orders, fills included.
    Orders,
    /// The open positions; each frame holds all.
    Positions,
    /// Points of the equity curve.
    Equity,
    /// Gate, role, notices.
    Events,
    /// The supervision tree; each frame holds all.
    Supervision,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ticker,
        Self::Bars,
        Self::Indicators,
        Self::Signals,
        Self::Orders,
        Self::Positions,
        Self::Equity,
        Self::Events,
        Self::Supervision,
    ];
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticker => "ticker",
            Self::Bars => "bars",
            Self::Indicators => "indicators",
            Self::Signals => "signals",
            Self::Orders => "orders",
            Self::Positions => "positions",
            Self::Equity => "equity",
            Self::Events => "events",
            Self::Supervision => "supervision",
        }
    }
    /// The channel of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == name)
    }
    /// Can a client ask for some symbols only?
    #[must_use]
    pub const fn has_symbols(self) -> bool {
        !matches!(self, Self::Equity | Self::Events | Self::Supervision)
    }
    /// How many frames are kept: enough for a minute or more away at a lively market.
    const fn kept(self) -> usize {
        match self {
            Self::Ticker | Self::Positions => 600,
            Self::Supervision => 128,
            Self::Equity => 1_024,
            _ => 2_048,
        }
    }
}

/// One part of a frame: what it says of one symbol.
#[derive(Clone, Debug)]
pub struct Part {
    /// Of which symbol; `None` goes to everybody.
    pub symbol: Option<Symbol>,
    /// JSON: for the ticker `"BTCUSDT":{…}`, else one element of the list.
    pub json: String,
}

/// A frame as sent.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its number in the channel.
    pub seq: u64,
    /// The whole text.
    pub text: ByteString,
    /// Where each symbol's part stands in the text.
    parts: Vec<(Option<Symbol>, Range<usize>)>,
    /// End of the head, that is where the data begins.
    head: usize,
    tail: &'static str,
}

impl Frame {
    /// Builds it. `snapshot`: the data replaces what the client holds, else it is added to it.
    #[must_use]
    pub fn new(channel: Channel, seq: u64, time: Timestamp, snapshot: Option<&str>, parts: Vec<Part>) -> Self {
        let (open, tail) = if channel == Channel::Ticker { ("{", "}}") } else { ("[", "]}") };
        let mut text = format!("{{\"type\":\"{}_update\",\"seq\":{seq},\"time\":{}", channel.as_str(), time.0);
        if let Some(stream) = snapshot {
            text.push_str(",\"snapshot\":true,\"stream\":\"");
            text.push_str(stream);
            text.push('"');
        }
        text.push_str(",\"data\":");
        text.push_str(open);
        let head = text.len();
        let mut places = Vec::with_capacity(parts.len());
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            let start = text.len();
            text.push_str(&part.json);
            places.push((part.symbol, start..text.len()));
        }
        text.push_str(tail);
        Self { seq, text: text.into(), parts: places, head, tail }
    }

    /// The frame for a client that wants these symbols only: put together from the parts, not serialised again. `None` when
    /// nothing of it concerns them.
    #[must_use]
    pub fn only(&self, symbols: &[Symbol]) -> Option<ByteString> {
        let wanted = |s: &Option<Symbol>| s.is_none_or(|s| symbols.contains(&s));
        if self.parts.iter().all(|(s, _)| wanted(s)) {
            return Some(self.text.clone());
        }
        let chosen: Vec<&str> = self.parts.iter().filter(|(s, _)| wanted(s)).filter_map(|(_, at)| self.text.get(at.clone())).collect();
        if chosen.is_empty() {
            return None;
        }
        Some(format!("{}{}{}", self.text.get(..self.head)?, chosen.join(","), self.tail).into())
    }
}

/// The kept frames of one channel.
#[derive(Debug)]
pub struct Ring {
    channel: Channel,
    last: u64,
    frames: VecDeque<Frame>,
}

impl Ring {
    /// An empty one.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { channel, last: 0, frames: VecDeque::new() }
    }
    /// Number of the newest frame, 0 before the first.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }
    /// Adds a frame; one without parts is not added.
    pub fn push(&mut self, time: Timestamp, parts: Vec<Part>) {
        if parts.is_empty() && self.channel != Channel::Positions {
            return;
        }
        self.last += 1;
        if self.frames.len() == self.channel.kept() {
            self.frames.pop_front();
        }
        self.frames.push_back(Frame::new(self.channel, self.last, time, None, parts));
    }
    /// The frames after number `seen`, at most `limit`; `None` when some of them are no longer kept or `seen` is not of this
    /// stream: the client needs a snapshot.
    #[must_use]
    pub fn after(&self, seen: u64, limit: usize) -> Option<Vec<Frame>> {
        if seen > self.last {
            return None;
        }
        let missing = usize::try_from(self.last - seen).ok()?;
        let from = self.frames.len().checked_sub(missing)?;
        Some(self.frames.iter().skip(from).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(symbol: &str, json: &str) -> Part {
        Part { symbol: Symbol::new(symbol).ok(), json: json.to_owned() }
    }

    #[test]
    fn frames_are_numbered_and_given_again_without_gap_or_not_at_all() {
        let mut ring = Ring::new(Channel::Bars);
        for at in 0..3_000 {
            ring.push(Timestamp(at), vec![part("BTCUSDT", "{}")]);
        }
        assert_eq!(ring.last(), 3_000);
        let seqs: Vec<u64> = ring.after(2_990, 100).expect("kept").iter().map(|f| f.seq).collect();
        assert_eq!(seqs, (2_991..=3_000).collect::<Vec<_>>());
        assert!(ring.after(3_000, 9).expect("up to date").is_empty());
        assert!(ring.after(10, 9).is_none(), "too old");
        assert!(ring.after(3_001, 9).is_none(), "of another stream");
        assert_eq!(ring.after(3_000 - 2_048, 9).expect("oldest kept").len(), 9);
    }

    #[test]
    fn a_filtered_frame_holds_the_wanted_symbols_only_and_the_same_number() {
        let frame = Frame::new(
            Channel::Ticker,
            7,
            Timestamp(1),
            Some("s"),
            vec![part("BTCUSDT", "\"BTCUSDT\":{\"last\":1}"), part("ETHUSDT", "\"ETHUSDT\":{\"last\":2}")],
        );
        let eth = Symbol::new("ETHUSDT").expect("name");
        let text = frame.only(&[eth]).expect("concerned");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            read,
            serde_json::json!({"type":"ticker_update","seq":7,"time":1,"snapshot":true,"stream":"s","data":{"ETHUSDT":{"last":2}}})
        );
        assert!(frame.only(&[Symbol::new("XRPUSDT").expect("name")]).is_none());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&frame.text).expect("JSON")["data"]["BTCUSDT"]["last"], 1);
    }
}
