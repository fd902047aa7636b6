//! Stream names, read once at subscription.
//!
//! Every spelling is a topic of its own (`btcusdt@depth` and `btcusdt@depth@250ms` carry the same data and are two topics),
//! so that one frame serves all subscribers of a topic, combined or not.

use fulmar_domain::market::Timeframe;
use fulmar_domain::symbol::Symbol;

/// How often a conflated stream is sent, in milliseconds of market time; zero sends every change.
pub(crate) type PaceMs = i64;

/// What a stream shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    /// Aggregate trades.
    AggTrade,
    /// Single trades.
    Trade,
    /// Bars.
    Kline(Timeframe),
    /// Bars of the perpetual contract of a pair.
    ContinuousKline(Timeframe),
    /// Mark price.
    Mark(Spelled),
    /// Best bid and ask.
    BookTicker,
    /// Changes of the book.
    Depth(Spelled),
    /// The best levels of the book.
    Partial(u8, Spelled),
    /// Day statistics.
    Ticker,
    /// Short day statistics.
    MiniTicker,
    /// Liquidations.
    ForceOrder,
    /// Changes of contracts.
    ContractInfo,
}

/// A pace, and whether the name spelled it out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Spelled {
    /// The pace.
    pub(crate) ms: PaceMs,
    /// It stood in the name.
    pub(crate) named: bool,
}

/// A stream: of one symbol, or of all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Topic {
    /// What it shows.
    pub(crate) kind: Kind,
    /// Of which contract; `None` for the all-symbol form.
    pub(crate) symbol: Option<Symbol>,
}

impl Topic {
    /// A topic of one contract.
    pub(crate) const fn of(kind: Kind, symbol: Symbol) -> Self {
        Self { kind, symbol: Some(symbol) }
    }
    /// A topic of all contracts.
    pub(crate) const fn all(kind: Kind) -> Self {
        Self { kind, symbol: None }
    }
    /// Reads a stream name; `None` when it names no market stream (Binance accepts such names and sends nothing).
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(all) = name.strip_prefix('!') {
            let kind = match all {
                "bookTicker" => Kind::BookTicker,
                "ticker@arr" => Kind::Ticker,
                "miniTicker@arr" => Kind::MiniTicker,
                "forceOrder@arr" => Kind::ForceOrder,
                "contractInfo" => Kind::ContractInfo,
                _ => Kind::Mark(mark_pace(all.strip_prefix("markPrice@arr")?)?),
            };
            return Some(Self::all(kind));
        }
        let (symbol, stream) = name.split_once('@')?;
        if let Some(interval) = stream.strip_prefix("continuousKline_") {
            let pair = symbol.strip_suffix("_perpetual")?;
            return Some(Self::of(Kind::ContinuousKline(interval.parse().ok()?), Symbol::new(&pair.to_uppercase()).ok()?));
        }
        let kind = match stream {
            "aggTrade" => Kind::AggTrade,
            "trade" => Kind::Trade,
            "bookTicker" => Kind::BookTicker,
            "ticker" => Kind::Ticker,
            "miniTicker" => Kind::MiniTicker,
            "forceOrder" => Kind::ForceOrder,
            _ => {
                if let Some(interval) = stream.strip_prefix("kline_") {
                    Kind::Kline(interval.parse().ok()?)
                } else if let Some(rest) = stream.strip_prefix("markPrice") {
                    Kind::Mark(mark_pace(rest)?)
                } else {
                    let rest = stream.strip_prefix("depth")?;
                    let (levels, pace) = rest.split_at(rest.find('@').unwrap_or(rest.len()));
                    let pace = depth_pace(pace)?;
                    match levels {
                        "" => Kind::Depth(pace),
                        "5" => Kind::Partial(5, pace),
                        "10" => Kind::Partial(10, pace),
                        "20" => Kind::Partial(20, pace),
                        _ => return None,
                    }
                }
            }
        };
        Some(Self::of(kind, Symbol::new(&symbol.to_uppercase()).ok()?))
    }
}

fn mark_pace(rest: &str) -> Option<Spelled> {
    match rest {
        "" => Some(Spelled { ms: 3_000, named: false }),
        "@3s" => Some(Spelled { ms: 3_000, named: true }),
        "@1s" => Some(Spelled { ms: 1_000, named: true }),
        _ => None,
    }
}

fn depth_pace(rest: &str) -> Option<Spelled> {
    let ms = match rest {
        "" => return Some(Spelled { ms: 250, named: false }),
        "@0ms" => 0,
        "@100ms" => 100,
        "@250ms" => 250,
        "@500ms" => 500,
        _ => return None,
    };
    Some(Spelled { ms, named: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn btc() -> Symbol {
        Symbol::new("BTCUSDT").expect("name")
    }

    #[test]
    fn every_documented_form_is_understood() {
        let quick = |ms| Spelled { ms, named: true };
        for (name, kind) in [
            ("btcusdt@aggTrade", Kind::AggTrade),
            ("btcusdt@trade", Kind::Trade),
            ("btcusdt@kline_1m", Kind::Kline(Timeframe::M1)),
            ("btcusdt_perpetual@continuousKline_4h", Kind::ContinuousKline(Timeframe::H4)),
            ("btcusdt@markPrice", Kind::Mark(Spelled { ms: 3_000, named: false })),
            ("btcusdt@markPrice@1s", Kind::Mark(quick(1_000))),
            ("btcusdt@bookTicker", Kind::BookTicker),
            ("btcusdt@depth", Kind::Depth(Spelled { ms: 250, named: false })),
            ("btcusdt@depth@0ms", Kind::Depth(quick(0))),
            ("btcusdt@depth@500ms", Kind::Depth(quick(500))),
            ("btcusdt@depth5@100ms", Kind::Partial(5, quick(100))),
            ("btcusdt@depth20", Kind::Partial(20, Spelled { ms: 250, named: false })),
            ("btcusdt@ticker", Kind::Ticker),
            ("btcusdt@miniTicker", Kind::MiniTicker),
            ("btcusdt@forceOrder", Kind::ForceOrder),
        ] {
            assert_eq!(Topic::parse(name), Some(Topic::of(kind, btc())), "{name}");
        }
        for (name, kind) in [
            ("!markPrice@arr", Kind::Mark(Spelled { ms: 3_000, named: false })),
            ("!markPrice@arr@1s", Kind::Mark(quick(1_000))),
            ("!bookTicker", Kind::BookTicker),
            ("!ticker@arr", Kind::Ticker),
            ("!miniTicker@arr", Kind::MiniTicker),
            ("!forceOrder@arr", Kind::ForceOrder),
            ("!contractInfo", Kind::ContractInfo),
        ] {
            assert_eq!(Topic::parse(name), Some(Topic::all(kind)), "{name}");
        }
    }

    #[test]
    fn names_of_nothing_are_no_topics() {
        for name in ["", "btcusdt", "@trade", "btcusdt@depth7", "btcusdt@depth5@7ms", "btcusdt@kline_7m", "!what", "btcusdt@markPrice@7s"] {
            assert_eq!(Topic::parse(name), None, "{name}");
        }
    }
}
