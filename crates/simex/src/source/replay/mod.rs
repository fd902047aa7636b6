//! The market of recorded bars: a folder of feather, Parquet or CSV files, played bar by bar along a plausible path.
//!
//! Files are loaded and checked whole at the start, so a broken row is found before the first order, never in the middle of
//! a run. Steps are made on the fly, one bar of each symbol at a time.
//!
//! The first `history_bars` bars (counted from the earliest bar of all symbols) are history: they are served as klines, so
//! that strategies are warm at the first live bar. Every later bar of every file is played: [`MarketSource::plan`] says how
//! many, and a run that is whole has seen exactly that many closed bars. A symbol whose data begins later or ends earlier
//! is silent for that time, and a remark says so.
//!
//! Points of one symbol at one instant: FundingRate (one millisecond before a funding and at the first bar), Trade, Top,
//! Mark, BarClosed (at the last instant of the bar).

mod candles;
mod columnar;
pub(crate) mod discover;
mod path;
mod series;
pub(crate) mod text;
mod track;

pub use path::PathOrder;
pub use series::FUNDING_DEFAULT;

use super::{MarketPoint, MarketSource, SourceError, Step, SymbolPlan, aggregate};
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use std::path::PathBuf;
use track::Track;

/// Most bars that [`ReplayOptions::history_bars`] may ask for: what one kline request can serve.
pub const HISTORY_BARS_MAX: u32 = 1_500;

/// How to play a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayOptions {
    /// A folder, or one file.
    pub folder: PathBuf,
    /// The contracts, in the order in which steps name them.
    pub symbols: Vec<Symbol>,
    /// Length of the recorded bars, up to 1 h.
    pub timeframe: Timeframe,
    /// How many of the first bars are history.
    pub history_bars: u32,
    /// Bars may be missing; they are counted and reported, and nothing happens in their time.
    pub allow_gaps: bool,
    /// Distance of bid and ask in ticks, from 1.
    pub spread_ticks: u32,
    /// Which extreme of a bar comes first.
    pub order: PathOrder,
}

impl ReplayOptions {
    /// One-minute bars, 500 of them as history, no gaps, a spread of one tick, the nearer extreme first.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, symbols: Vec<Symbol>) -> Self {
        Self {
            folder: folder.into(),
            symbols,
            timeframe: Timeframe::M1,
            history_bars: 500,
            allow_gaps: false,
            spread_ticks: 1,
            order: PathOrder::NearestFirst,
        }
    }
}

/// Recorded bars as a market.
#[derive(Debug)]
pub struct ReplaySource {
    timeframe: Timeframe,
    start: Timestamp,
    tracks: Vec<Track>,
    /// Start of the bar being played, and the next instant in it.
    bar: Timestamp,
    point: usize,
    remarks: Vec<String>,
}

impl ReplaySource {
    /// Loads and checks all files of the symbols.
    ///
    /// # Errors
    /// [`SourceError`] naming file, row and what to do; [`SourceError::Settings`] for options that fit no data.
    pub fn open(options: &ReplayOptions) -> Result<Self, SourceError> {
        check(options)?;
        let files = discover::list(&options.folder)?;
        let mut tracks = Vec::with_capacity(options.symbols.len());
        for &symbol in &options.symbols {
            tracks.push(Track::load(options, &files, symbol)?);
        }
        let first = tracks.iter().map(Track::first).min().unwrap_or(Timestamp::ZERO);
        let start = first.plus(Span(options.timeframe.span().0 * i64::from(options.history_bars)));
        let mut remarks = Vec::new();
        for track in &mut tracks {
            track.start_at(start);
            remarks.append(&mut track.remarks(first));
        }
        if tracks.iter().all(|t| t.live_bars() == 0) {
            let what = format!(
                "{}: all bars are history: {} bars or fewer; set history_bars below that",
                options.folder.display(),
                options.history_bars
            );
            return Err(SourceError::Settings { what });
        }
        let mut source = Self { timeframe: options.timeframe, start, tracks, bar: start, point: 0, remarks };
        source.bar = source.next_bar().unwrap_or(start);
        Ok(source)
    }
    fn next_bar(&self) -> Option<Timestamp> {
        self.tracks.iter().filter_map(Track::next_open).min()
    }
    fn track(&self, symbol: Symbol) -> Option<&Track> {
        self.tracks.iter().find(|t| t.symbol() == symbol)
    }
}

fn check(options: &ReplayOptions) -> Result<(), SourceError> {
    let refuse = |what: String| Err(SourceError::Settings { what });
    if options.symbols.is_empty() {
        return refuse("no symbol to replay; name at least one".to_owned());
    }
    if let Some(twice) = options.symbols.iter().enumerate().find_map(|(i, s)| options.symbols[..i].contains(s).then_some(s)) {
        return refuse(format!("symbol {twice} is named twice; name it once"));
    }
    if options.timeframe > Timeframe::H1 {
        return refuse(format!("bars of {} hold a funding inside; replay 1h bars or shorter ones", options.timeframe));
    }
    if options.history_bars > HISTORY_BARS_MAX {
        return refuse(format!("history_bars is {}; at most {HISTORY_BARS_MAX} can be served", options.history_bars));
    }
    if options.spread_ticks == 0 {
        return refuse("spread_ticks is 0; bid and ask must differ, set at least 1".to_owned());
    }
    Ok(())
}

impl MarketSource for ReplaySource {
    fn instruments(&self) -> Vec<Instrument> {
        self.tracks.iter().map(|t| t.instrument().clone()).collect()
    }
    fn brackets(&self) -> Vec<Brackets> {
        self.tracks.iter().map(|t| t.brackets().clone()).collect()
    }
    fn start(&self) -> Timestamp {
        self.start
    }
    fn plan(&self) -> Vec<SymbolPlan> {
        let plan = |t: &Track| SymbolPlan {
            symbol: t.symbol(),
            timeframe: self.timeframe,
            history_bars: t.history_bars(),
            live_bars: Some(t.live_bars()),
        };
        self.tracks.iter().map(plan).collect()
    }
    fn history(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar> {
        self.track(symbol).map(|t| aggregate(&t.history(), timeframe)).unwrap_or_default()
    }
    fn next_step(&mut self) -> Result<Option<Step>, SourceError> {
        if self.point == 0 {
            let Some(bar) = self.next_bar() else { return Ok(None) };
            self.bar = bar;
        }
        let time = path::instant(self.bar, self.timeframe.span(), self.point);
        let mut points: Vec<MarketPoint> = Vec::with_capacity(self.tracks.len() * 4);
        for track in &mut self.tracks {
            track.play(self.bar, self.point, time, &mut points)?;
        }
        self.point = (self.point + 1) % path::POINTS;
        Ok(Some(Step { time, points }))
    }
    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

/// Milliseconds since 1970 from an epoch number in seconds, milliseconds, microseconds or nanoseconds, told by its size
/// (years 2001 to 5138 in each unit).
pub(crate) const fn epoch_millis(number: i64) -> i64 {
    match number {
        n if n < 100_000_000_000 => n.saturating_mul(1_000),
        n if n < 100_000_000_000_000 => n,
        n if n < 100_000_000_000_000_000 => n / 1_000,
        n => n / 1_000_000,
    }
}
