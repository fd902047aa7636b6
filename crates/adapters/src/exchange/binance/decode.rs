//! Stream frames in our types, straight from their bytes.
//!
//! Market frames are scanned without a tree and without allocation (but for depth levels); the account's rarer events go
//! through typed serde structs. Unknown fields are skipped, missing ones are errors, and a price that is not positive, is
//! beyond [`PRICE_MAX`] or contradicts its neighbours is refused. Any bytes end in a frame or an error, never in a panic.

pub use super::scan::DecodeError;
use super::scan::{Fields, Scan, text_of, whole_of};
use super::user::{self, UserEvent};
use fulmar_domain::market::{Bar, BookTop, DepthDelta, Level, Liquidation, Mark, MarketEvent, Ticker, Timeframe, Trade};
use fulmar_domain::num::{Price, Qty, Ratio, SCALE, Usdt};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::str;

/// No contract costs more than a billion USDT; beyond lies a broken frame.
pub const PRICE_MAX: Price = Price::from_raw(1_000_000_000 * SCALE);
/// Largest frame that is read. The exchange's full-depth frames have some 100 kB.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// One frame of a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A fact about the market.
    Market(MarketEvent),
    /// An event of the account.
    User(UserEvent),
    /// The answer to a request on the socket.
    Reply {
        /// Number of the request.
        id: i64,
        /// It was refused, with the raw error.
        refused: Option<String>,
    },
    /// Lock-step: the step is complete.
    Barrier {
        /// Its number.
        number: u64,
        /// Market time.
        at: Timestamp,
        /// The market has ended.
        last: bool,
    },
    /// Something that is not ours to know.
    Other,
}

/// Reads one text frame.
///
/// # Errors
/// [`DecodeError`] for anything that is not a readable frame of a kind that we know.
pub fn frame(bytes: &[u8]) -> Result<Frame, DecodeError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(DecodeError::Shape);
    }
    let mut scan = Scan::new(bytes);
    scan.take(b'{')?;
    scan.next();
    let first = scan.string().unwrap_or_default();
    if matches!(first, b"stream" | b"data") {
        return match envelope(bytes)? {
            Some(data) => event(data),
            None => Err(DecodeError::Missing("data")),
        };
    }
    event(bytes)
}

/// The `data` of a combined-stream envelope.
fn envelope(bytes: &[u8]) -> Result<Option<&[u8]>, DecodeError> {
    // The usual form, `{"stream":"…","data":{…}}`, without a second walk over the data.
    if let Some(rest) = bytes.strip_prefix(b"{\"stream\":\"")
        && let Some(quote) = memchr::memchr(b'"', rest)
        && let Some(data) = rest.get(quote..).and_then(|r| r.strip_prefix(b"\",\"data\":"))
        && let Some(data @ [b'{', ..]) = data.strip_suffix(b"}")
    {
        return Ok(Some(data));
    }
    let mut scan = Scan::new(bytes);
    let mut data = None;
    scan.object(|name, value| {
        if name == b"data" && data.replace(value).is_some() {
            return Err(DecodeError::Twice);
        }
        Ok(())
    })?;
    scan.end()?;
    Ok(data)
}

fn event(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let fields = match bytes {
        [b'[', ..] => return Ok(Frame::Other), // all-symbol arrays, which we do not subscribe to
        _ => Fields::read(bytes)?,
    };
    let Ok(kind) = fields.raw("e") else { return without_kind(bytes) };
    let market = match text_of(kind, "e")? {
        b"bookTicker" => MarketEvent::BookTop(book_top(&fields)?),
        b"aggTrade" => MarketEvent::Trade(trade(&fields, "a")?),
        b"trade" => {
            // Insurance fund, ADL and "NA" prints are no trades of the market.
            if fields.text("X").is_ok_and(|x| x != b"MARKET") {
                return Ok(Frame::Other);
            }
            MarketEvent::Trade(trade(&fields, "t")?)
        }
        b"kline" => return kline(&fields),
        b"markPriceUpdate" => MarketEvent::Mark(mark(&fields)?),
        b"depthUpdate" => MarketEvent::Depth(depth(&fields)?),
        b"24hrTicker" | b"24hrMiniTicker" => MarketEvent::Ticker(ticker(&fields)?),
        b"forceOrder" => MarketEvent::Liquidation(liquidation(&fields)?),
        b"simexBarrier" => return barrier(bytes, &fields),
        other => return user::event(other, bytes).map(|event| event.map_or(Frame::Other, Frame::User)),
    };
    Ok(Frame::Market(market))
}

/// Replies to SUBSCRIBE and the like, and envelopes whose first field is neither `stream` nor `data`.
fn without_kind(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let (mut id, mut refused, mut data) = (None, None, None);
    Scan::new(bytes).object(|name, value| {
        match name {
            b"id" => id = whole_of(value, "id").ok(),
            b"error" if value != b"null" => refused = Some(String::from_utf8_lossy(value.get(..200).unwrap_or(value)).into_owned()),
            b"data" => data = Some(value),
            _ => {}
        }
        Ok(())
    })?;
    match (id, data) {
        (Some(id), _) => Ok(Frame::Reply { id, refused }),
        (None, Some(data)) if !data.is_empty() => {
            if Fields::read(data)?.raw("e").is_err() {
                return Ok(Frame::Other);
            }
            event(data)
        }
        _ => Ok(Frame::Other),
    }
}

fn barrier(bytes: &[u8], fields: &Fields<'_>) -> Result<Frame, DecodeError> {
    let mut last = None;
    Scan::new(bytes).object(|name, value| {
        if name == b"last" {
            last = Some(value == b"true");
        }
        Ok(())
    })?;
    let number = u64::try_from(fields.whole("n")?).map_err(|_| DecodeError::Bad("n"))?;
    Ok(Frame::Barrier { number, at: Timestamp(fields.whole("T")?), last: last.ok_or(DecodeError::Missing("last"))? })
}

#[inline]
fn symbol(fields: &Fields<'_>) -> Result<Symbol, DecodeError> {
    str::from_utf8(fields.text("s")?).ok().and_then(|s| Symbol::new(s).ok()).ok_or(DecodeError::Bad("s"))
}
#[inline]
fn price_of(text: &[u8], name: &'static str) -> Result<Price, DecodeError> {
    let price = Price::parse_bytes(text).map_err(|_| DecodeError::Bad(name))?;
    if price.is_positive() && price <= PRICE_MAX { Ok(price) } else { Err(DecodeError::Absurd(name)) }
}
#[inline]
fn qty_of(text: &[u8], name: &'static str) -> Result<Qty, DecodeError> {
    let qty = Qty::parse_bytes(text).map_err(|_| DecodeError::Bad(name))?;
    if qty.is_negative() { Err(DecodeError::Absurd(name)) } else { Ok(qty) }
}
#[inline]
fn price(fields: &Fields<'_>, name: &'static str) -> Result<Price, DecodeError> {
    price_of(fields.text(name)?, name)
}
#[inline]
fn qty(fields: &Fields<'_>, name: &'static str) -> Result<Qty, DecodeError> {
    qty_of(fields.text(name)?, name)
}
fn traded(fields: &Fields<'_>, name: &'static str) -> Result<Qty, DecodeError> {
    let qty = qty(fields, name)?;
    if qty.is_positive() { Ok(qty) } else { Err(DecodeError::Absurd(name)) }
}
fn value(fields: &Fields<'_>, name: &'static str) -> Result<Usdt, DecodeError> {
    let value = Usdt::parse_bytes(fields.text(name)?).map_err(|_| DecodeError::Bad(name))?;
    if value.is_negative() { Err(DecodeError::Absurd(name)) } else { Ok(value) }
}
fn time(fields: &Fields<'_>, name: &'static str) -> Result<Timestamp, DecodeError> {
    match fields.whole(name)? {
        at if at > 0 => Ok(Timestamp(at)),
        _ => Err(DecodeError::Bad(name)),
    }
}

fn book_top(f: &Fields<'_>) -> Result<BookTop, DecodeError> {
    let top = BookTop {
        symbol: symbol(f)?,
        update: f.whole("u")?,
        bid: price(f, "b")?,
        bid_qty: qty(f, "B")?,
        ask: price(f, "a")?,
        ask_qty: qty(f, "A")?,
        time: time(f, "T")?,
    };
    if top.bid > top.ask { Err(DecodeError::Absurd("b")) } else { Ok(top) }
}

fn trade(f: &Fields<'_>, id: &'static str) -> Result<Trade, DecodeError> {
    // `m`: the buyer was the maker, so the taker sold.
    let taker = if f.flag("m")? { Side::Sell } else { Side::Buy };
    Ok(Trade { symbol: symbol(f)?, id: f.whole(id)?, price: price(f, "p")?, qty: traded(f, "q")?, taker, time: time(f, "T")? })
}

fn kline(f: &Fields<'_>) -> Result<Frame, DecodeError> {
    let k = Fields::read(f.raw("k")?)?;
    let Some(timeframe) = str::from_utf8(k.text("i")?).ok().and_then(|i| i.parse::<Timeframe>().ok()) else {
        return Ok(Frame::Other); // an interval that the engine has no bars of (1w, 1M)
    };
    let bar = Bar {
        symbol: symbol(f)?,
        timeframe,
        open_time: time(&k, "t")?,
        open: price(&k, "o")?,
        high: price(&k, "h")?,
        low: price(&k, "l")?,
        close: price(&k, "c")?,
        volume: qty(&k, "v")?,
        quote_volume: value(&k, "q")?,
        trades: u64::try_from(k.whole("n")?).map_err(|_| DecodeError::Bad("n"))?,
    };
    check_bar(&bar)?;
    Ok(Frame::Market(if k.flag("x")? { MarketEvent::BarClosed(bar) } else { MarketEvent::BarForming(bar) }))
}

/// Refuses a bar that no market makes: prices that are not positive, an extreme that is none, an open time off the grid.
///
/// # Errors
/// [`DecodeError::Absurd`] with the field.
pub fn check_bar(bar: &Bar) -> Result<(), DecodeError> {
    let prices = [bar.open, bar.high, bar.low, bar.close];
    if prices.iter().any(|p| !p.is_positive() || *p > PRICE_MAX) {
        return Err(DecodeError::Absurd("o h l c"));
    }
    if bar.high < bar.open.max(bar.close) || bar.low > bar.open.min(bar.close) {
        return Err(DecodeError::Absurd("h l"));
    }
    if bar.volume.is_negative() || bar.quote_volume.is_negative() {
        return Err(DecodeError::Absurd("v q"));
    }
    if bar.open_time.millis() <= 0 || bar.open_time.floor_to(bar.timeframe.span()) != bar.open_time {
        return Err(DecodeError::Absurd("t"));
    }
    Ok(())
}

fn mark(f: &Fields<'_>) -> Result<Mark, DecodeError> {
    let rate = Ratio::parse_bytes(f.text("r")?).map_err(|_| DecodeError::Bad("r"))?;
    let next_funding = Timestamp(f.whole("T")?);
    Ok(Mark { symbol: symbol(f)?, price: price(f, "p")?, index: price(f, "i")?, funding_rate: rate, next_funding, time: time(f, "E")? })
}

fn depth(f: &Fields<'_>) -> Result<DepthDelta, DecodeError> {
    let (first, last) = (f.whole("U")?, f.whole("u")?);
    if f.pu.is_empty() {
        return Err(DecodeError::Missing("pu"));
    }
    let previous = whole_of(f.pu, "pu")?;
    if first > last {
        return Err(DecodeError::Absurd("U"));
    }
    Ok(DepthDelta {
        symbol: symbol(f)?,
        first,
        last,
        previous,
        bids: levels(f.raw("b")?)?,
        asks: levels(f.raw("a")?)?,
        time: time(f, "T")?,
    })
}

/// Bytes of one level on the wire, at least: `["1","1"],`.
const LEVEL_BYTES: usize = 22;

fn levels(raw: &[u8]) -> Result<Vec<Level>, DecodeError> {
    let mut scan = Scan::new(raw);
    scan.take(b'[')?;
    let mut levels = Vec::with_capacity(raw.len() / LEVEL_BYTES + 1);
    if scan.next() == Some(b']') {
        return Ok(levels);
    }
    loop {
        scan.take(b'[')?;
        let price = price_of(scan.string()?, "b a")?;
        scan.take(b',')?;
        let qty = qty_of(scan.string()?, "b a")?;
        scan.take(b']')?;
        levels.push(Level { price, qty });
        if scan.take(b',').is_err() {
            scan.take(b']')?;
            return Ok(levels);
        }
    }
}

fn ticker(f: &Fields<'_>) -> Result<Ticker, DecodeError> {
    Ok(Ticker {
        symbol: symbol(f)?,
        last: price(f, "c")?,
        open: price(f, "o")?,
        high: price(f, "h")?,
        low: price(f, "l")?,
        volume: qty(f, "v")?,
        quote_volume: value(f, "q")?,
        time: time(f, "E")?,
    })
}

fn liquidation(f: &Fields<'_>) -> Result<Liquidation, DecodeError> {
    let o = Fields::read(f.raw("o")?)?;
    let side = super::words::side(o.text("S")?).ok_or(DecodeError::Bad("S"))?;
    Ok(Liquidation { symbol: symbol(&o)?, side, price: price(&o, "p")?, qty: traded(&o, "q")?, time: time(&o, "T")? })
}
