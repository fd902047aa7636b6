//! The market of recorded streams: `<local time> <message>` lines, book-ticker tables and aggregate-trade tables, gzipped or
//! plain, read line by line while they are played.
//!
//! The time of a message is the exchange's own; where a stream lags behind another one (an older time after a newer one), the
//! message counts at the newer time, so time never goes back. A step back of more than ten seconds is no lag but disorder.
//! A book without best-bid frames gets its top from the levels; a file of trades alone gets a top one tick wide around each
//! trade. Where no mark price is recorded the contract price stands in, once a second. Bars are closed from the trades, for
//! every minute that lies wholly in the recording. Of the two trade streams the one that comes first counts.
//!
//! Broken lines are found when they are reached, by file and line; a hole in the book's update numbers is an error unless
//! gaps are allowed.

mod book;

use super::frames::{Frame, decode};
use super::replay::{discover, text};
use super::{MarketPoint, MarketSource, PointKind, RowFault, SourceError, Step, SymbolPlan};
use crate::contracts::{self, Contract};
use book::Book;
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, Level, Timeframe};
use fulmar_domain::num::{Price, Qty, Rounding, Usdt, notional};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest lag of a stream behind another one.
const LAG_MAX: Span = Span::secs(10);
const MINUTE: Span = Span::minutes(1);

/// Recorded streams as a market.
#[derive(Debug)]
pub struct RecordingSource {
    tapes: Vec<Tape>,
    start: Timestamp,
    last: Timestamp,
}

impl RecordingSource {
    /// Opens the recordings of `symbols` in a folder (or one file); several files of one symbol follow each other by name.
    ///
    /// # Errors
    /// [`SourceError`] when a symbol has no recording or a first line does not read.
    pub fn open(folder: &Path, symbols: &[Symbol], allow_gaps: bool) -> Result<Self, SourceError> {
        let files = discover::list(folder)?;
        let mut tapes = Vec::with_capacity(symbols.len());
        for &symbol in symbols {
            let found = discover::of_symbol(&files, symbol, Timeframe::M1);
            if found.recordings.is_empty() {
                let (folder, found) = (folder.to_path_buf(), discover::names(&files));
                return Err(SourceError::Missing { folder, symbol, timeframe: Timeframe::M1, found });
            }
            tapes.push(Tape::open(symbol, found.recordings, allow_gaps)?);
        }
        let start = tapes.iter().filter_map(Tape::next_time).min();
        let start = start.ok_or_else(|| SourceError::Settings { what: "no symbol to play; name at least one".to_owned() })?;
        Ok(Self { tapes, start, last: start })
    }
}

impl MarketSource for RecordingSource {
    fn instruments(&self) -> Vec<Instrument> {
        self.tapes.iter().map(|t| t.contract.instrument.clone()).collect()
    }
    fn brackets(&self) -> Vec<Brackets> {
        self.tapes.iter().map(|t| t.contract.brackets.clone()).collect()
    }
    fn start(&self) -> Timestamp {
        self.start
    }
    fn plan(&self) -> Vec<SymbolPlan> {
        let plan = |t: &Tape| SymbolPlan { symbol: t.symbol, timeframe: Timeframe::M1, history_bars: 0, live_bars: None };
        self.tapes.iter().map(plan).collect()
    }
    fn history(&self, _: Symbol, _: Timeframe) -> Vec<Bar> {
        Vec::new()
    }
    fn next_step(&mut self) -> Result<Option<Step>, SourceError> {
        let Some(time) = self.tapes.iter().filter_map(Tape::next_time).min() else { return Ok(None) };
        let time = time.max(self.last);
        self.last = time;
        let mut points = Vec::new();
        for tape in &mut self.tapes {
            while tape.next_time().is_some_and(|t| t <= time) {
                let Some((_, kind)) = tape.queue.pop_front() else { break };
                points.push(MarketPoint { time, symbol: tape.symbol, kind });
                tape.fill()?;
            }
        }
        Ok(Some(Step { time, points }))
    }
    fn remarks(&self) -> Vec<String> {
        self.tapes.iter().flat_map(Tape::remarks).collect()
    }
}

/// How the lines of a file read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lines {
    Messages,
    /// update_id, best_bid_price, best_bid_qty, best_ask_price, best_ask_qty, transaction_time, event_time
    Tops,
    /// Columns (timestamp, side, price, amount) by the header.
    Trades {
        time: usize,
        side: usize,
        price: usize,
        amount: usize,
    },
}

struct Reader {
    file: PathBuf,
    lines: BufReader<Box<dyn Read + Send>>,
    shape: Option<Lines>,
    row: u64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("file", &self.file).field("row", &self.row).finish_non_exhaustive()
    }
}

/// One symbol's recording.
#[derive(Debug)]
struct Tape {
    symbol: Symbol,
    contract: Contract,
    files: VecDeque<PathBuf>,
    reader: Option<Reader>,
    allow_gaps: bool,
    queue: VecDeque<(Timestamp, PointKind)>,
    now: Timestamp,
    book: Book,
    tops: bool,
    marks: bool,
    marked: Option<Timestamp>,
    /// The trade stream that counts: `Some(true)` for aggregate trades.
    aggregate: Option<bool>,
    bar: Option<Bar>,
    whole: bool,
    close: Option<Price>,
    gaps: u64,
}

impl Tape {
    fn open(symbol: Symbol, files: Vec<PathBuf>, allow_gaps: bool) -> Result<Self, SourceError> {
        let contract = contracts::contract(symbol).map_err(|e| SourceError::Settings { what: e.to_string() })?;
        let first = files.first().cloned().unwrap_or_default();
        let mut tape = Self {
            symbol,
            contract,
            files: files.into(),
            reader: None,
            allow_gaps,
            queue: VecDeque::new(),
            now: Timestamp::ZERO,
            book: Book::default(),
            tops: false,
            marks: false,
            marked: None,
            aggregate: None,
            bar: None,
            whole: false,
            close: None,
            gaps: 0,
        };
        tape.fill()?;
        if tape.queue.is_empty() {
            return Err(SourceError::Empty { file: first });
        }
        Ok(tape)
    }
    fn next_time(&self) -> Option<Timestamp> {
        self.queue.front().map(|(time, _)| *time)
    }
    fn remarks(&self) -> Vec<String> {
        let name = self.symbol;
        let mut out = vec![format!("{name}: a recording without history; bars are closed from its trades")];
        if !self.marks {
            out.push(format!("{name}: no mark price recorded so far; the contract price stands in for mark and index"));
        }
        if self.gaps > 0 {
            out.push(format!("{name}: the book's update numbers have {} holes", self.gaps));
        }
        if !self.contract.listed {
            out.push(format!("{name}: no listed contract; filters and leverage tiers are the general ones"));
        }
        out
    }
    /// Reads on until something is there or all files are done.
    fn fill(&mut self) -> Result<(), SourceError> {
        while self.queue.is_empty() {
            if self.reader.is_none() {
                let Some(file) = self.files.pop_front() else { return Ok(()) };
                let lines = BufReader::new(text::open(&file)?);
                self.reader = Some(Reader { file, lines, shape: None, row: 0 });
            }
            let Some(reader) = &mut self.reader else { return Ok(()) };
            let mut line = String::new();
            let count = reader.lines.read_line(&mut line).map_err(|e| SourceError::Unreadable {
                file: reader.file.clone(),
                format: "recording",
                reason: format!("after line {}: {e}", reader.row),
            })?;
            if count == 0 {
                self.reader = None;
                continue;
            }
            reader.row += 1;
            let (file, row) = (reader.file.clone(), reader.row);
            let read = read_line(reader, line.trim_end(), self.symbol);
            let done = read.and_then(|frame| frame.map_or(Ok(()), |frame| self.take(frame)));
            done.map_err(|fault| SourceError::Row { file, row, fault })?;
        }
        Ok(())
    }
    fn take(&mut self, frame: Frame) -> Result<(), RowFault> {
        let of = |symbol: Symbol| symbol == self.symbol;
        match frame {
            Frame::Trade { symbol, time, price, qty, taker, aggregate } if of(symbol) => {
                if *self.aggregate.get_or_insert(aggregate) != aggregate {
                    return Ok(());
                }
                let time = self.move_to(time)?;
                self.count(time, price, qty)?;
                self.queue.push_back((time, PointKind::Trade { price, qty, taker }));
                if !self.tops {
                    let tick = self.contract.instrument.tick.raw();
                    let (bid, ask) = match taker {
                        Side::Buy if price.raw() > tick => (price.raw() - tick, price.raw()),
                        _ => (price.raw(), price.raw().saturating_add(tick)),
                    };
                    let (bid, ask) = (Level { price: Price::from_raw(bid), qty }, Level { price: Price::from_raw(ask), qty });
                    self.top(time, bid, ask);
                }
                self.stand_in_mark(time, price);
            }
            Frame::Top { symbol, time, bid, ask } if of(symbol) => {
                let time = self.move_to(time)?;
                self.tops = true;
                self.top(time, bid, ask);
                self.stand_in_mark(time, Price::from_raw(bid.price.raw() + (ask.price.raw() - bid.price.raw()) / 2));
            }
            Frame::Depth { symbol, time, last, previous, bids, asks } if of(symbol) => {
                let time = self.move_to(time)?;
                if let (Some(known), Some(previous)) = (self.book.last(), previous)
                    && known != previous
                {
                    if !self.allow_gaps {
                        return Err(RowFault::BookGap { expected: known, found: previous });
                    }
                    self.gaps += 1;
                }
                self.book.take_delta(last, &bids, &asks);
                self.queue.push_back((time, PointKind::Depth { bids, asks }));
                if self.book.whole()
                    && !self.tops
                    && let Some((bid, ask)) = self.book.top()
                {
                    self.top(time, bid, ask);
                }
            }
            Frame::Snapshot { last, bids, asks } => {
                let (bids, asks) = self.book.take_snapshot(last, &bids, &asks);
                self.queue.push_back((self.now, PointKind::Depth { bids, asks }));
            }
            Frame::Mark { symbol, time, price, index, rate } if of(symbol) => {
                let time = self.move_to(time)?;
                self.marks = true;
                self.queue.push_back((time, PointKind::Mark { price, index }));
                self.queue.extend(rate.map(|rate| (time, PointKind::FundingRate(rate))));
            }
            _ => {}
        }
        Ok(())
    }
    fn top(&mut self, time: Timestamp, bid: Level, ask: Level) {
        self.queue.push_back((time, PointKind::Top { bid: bid.price, bid_qty: bid.qty, ask: ask.price, ask_qty: ask.qty }));
    }
    fn stand_in_mark(&mut self, time: Timestamp, price: Price) {
        let second = time.floor_to(Span::secs(1));
        if !self.marks && self.marked != Some(second) {
            self.marked = Some(second);
            self.queue.push_back((time, PointKind::Mark { price, index: price }));
        }
    }
    /// Time goes on to `time`, or stays where a stream lags; closes the bars that end on the way.
    fn move_to(&mut self, time: Timestamp) -> Result<Timestamp, RowFault> {
        if self.now != Timestamp::ZERO && self.now.since(time) > LAG_MAX {
            return Err(RowFault::Disorder { before: self.now, found: time });
        }
        let time = time.max(self.now);
        let minute = time.floor_to(MINUTE);
        if self.now != Timestamp::ZERO {
            let mut open_time = self.now.floor_to(MINUTE);
            while open_time < minute {
                self.close_bar(open_time);
                open_time = open_time.plus(MINUTE);
            }
        }
        self.now = time;
        Ok(time)
    }
    fn close_bar(&mut self, open_time: Timestamp) {
        let made = self.bar.take().or_else(|| {
            let p = self.close?;
            let (volume, quote_volume) = (Qty::ZERO, Usdt::ZERO);
            Some(Bar {
                symbol: self.symbol,
                timeframe: Timeframe::M1,
                open_time,
                open: p,
                high: p,
                low: p,
                close: p,
                volume,
                quote_volume,
                trades: 0,
            })
        });
        if let Some(bar) = made {
            self.close = Some(bar.close);
            if self.whole {
                self.queue.push_back((bar.end().minus(Span(1)), PointKind::BarClosed(bar)));
            }
        }
        self.whole = true;
    }
    fn count(&mut self, time: Timestamp, price: Price, qty: Qty) -> Result<(), RowFault> {
        let large = |_| RowFault::OutOfRange { column: "volume" };
        let value = notional(price, qty, Rounding::HalfEven).map_err(large)?;
        let open_time = time.floor_to(MINUTE);
        let fresh = Bar {
            symbol: self.symbol,
            timeframe: Timeframe::M1,
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            quote_volume: Usdt::ZERO,
            trades: 0,
        };
        let bar = self.bar.get_or_insert(fresh);
        (bar.high, bar.low, bar.close) = (bar.high.max(price), bar.low.min(price), price);
        bar.volume = bar.volume.checked_add(qty).map_err(large)?;
        bar.quote_volume = bar.quote_volume.checked_add(value).map_err(large)?;
        bar.trades += 1;
        Ok(())
    }
}

/// Reads a line; `None` for a header.
fn read_line(reader: &mut Reader, line: &str, symbol: Symbol) -> Result<Option<Frame>, RowFault> {
    let Some(shape) = reader.shape else {
        let shape = if line.contains('{') { Lines::Messages } else { table(line)? };
        reader.shape = Some(shape);
        return if shape == Lines::Messages { message(line).map(Some) } else { Ok(None) };
    };
    let cells: Vec<&str> = line.split(',').collect();
    let cell = |index: usize| cells.get(index).copied().ok_or(RowFault::Cells { expected: index + 1, found: cells.len() });
    let price =
        |index: usize, column| cell(index).and_then(|c| Price::parse(c).ok().filter(|p| p.is_positive()).ok_or_else(|| garbled(column, c)));
    let qty =
        |index: usize, column| cell(index).and_then(|c| Qty::parse(c).ok().filter(|q| !q.is_negative()).ok_or_else(|| garbled(column, c)));
    match shape {
        Lines::Messages => message(line).map(Some),
        Lines::Tops => {
            let bid = Level { price: price(1, "best_bid_price")?, qty: qty(2, "best_bid_qty")? };
            let ask = Level { price: price(3, "best_ask_price")?, qty: qty(4, "best_ask_qty")? };
            if bid.price >= ask.price {
                return Err(RowFault::Message { reason: format!("bid {} and ask {} are no book", bid.price, ask.price) });
            }
            Ok(Some(Frame::Top { symbol, time: text::instant(cell(5)?)?, bid, ask }))
        }
        Lines::Trades { time, side, price: at, amount } => {
            let taker = match cell(side)? {
                "buy" => Side::Buy,
                "sell" => Side::Sell,
                other => return Err(garbled("side", other)),
            };
            let (price, qty) = (price(at, "price")?, qty(amount, "amount")?);
            Ok(Some(Frame::Trade { symbol, time: text::instant(cell(time)?)?, price, qty, taker, aggregate: true }))
        }
    }
}

fn garbled(column: &'static str, cell: &str) -> RowFault {
    RowFault::Unparsable { column, text: cell.chars().take(40).collect() }
}

fn table(header: &str) -> Result<Lines, RowFault> {
    let at = |name: &str| header.split(',').position(|cell| cell == name);
    if at("best_bid_price") == Some(1) && at("transaction_time") == Some(5) {
        return Ok(Lines::Tops);
    }
    match (at("timestamp"), at("side"), at("price"), at("amount")) {
        (Some(time), Some(side), Some(price), Some(amount)) => Ok(Lines::Trades { time, side, price, amount }),
        _ => Err(RowFault::Message {
            reason: format!("{:?} is neither a message nor a known header", header.chars().take(80).collect::<String>()),
        }),
    }
}

/// `<local time> <message>` or `<local time>: <message>`.
fn message(line: &str) -> Result<Frame, RowFault> {
    let (stamp, body) = line.split_at(line.find('{').ok_or_else(|| RowFault::Message { reason: "no message in the line".to_owned() })?);
    let stamp = stamp.trim().trim_end_matches(':');
    if !stamp.is_empty() && !stamp.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(RowFault::Message { reason: format!("{:?} is no local time", stamp.chars().take(40).collect::<String>()) });
    }
    decode(body).map_err(|reason| RowFault::Message { reason })
}
