//! Where the market comes from: a seeded generator, recorded files, or the mirror of a live public feed.
//!
//! Each source hands on [`Step`]s: everything that happens in the market at one instant, symbols in a fixed order. The
//! exchange folds a step into its books and answers with what its clients see.
//!
//! Invariant: the time of steps never goes back, and a source that is not a live feed gives the same steps whenever it is
//! built from the same settings and the same bytes.

mod aggregate;
mod error;
mod frames;
pub mod generator;
pub mod mirror;
mod point;
pub mod recording;
pub mod replay;

pub use aggregate::aggregate;
pub use error::{RowFault, SourceError};
pub use point::{MarketPoint, PointKind, Step};

use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;

/// What a source will give for one symbol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolPlan {
    /// Contract.
    pub symbol: Symbol,
    /// Length of the bars that the source closes; [`MarketSource::history`] makes longer ones of them.
    pub timeframe: Timeframe,
    /// Closed bars from before the start.
    pub history_bars: u64,
    /// Closed bars that the steps will hold; `None` when the source does not end or cannot know.
    pub live_bars: Option<u64>,
}

/// A market that can be played.
pub trait MarketSource: Send {
    /// The contracts, with their filters, in the order in which steps name them.
    fn instruments(&self) -> Vec<Instrument>;
    /// The leverage brackets of each contract, in the same order.
    fn brackets(&self) -> Vec<Brackets>;
    /// When the market opens: no step is earlier.
    fn start(&self) -> Timestamp;
    /// What comes, by symbol.
    fn plan(&self) -> Vec<SymbolPlan>;
    /// Closed bars from before [`MarketSource::start`], oldest first, without gap at the end; empty where the source has none.
    fn history(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar>;
    /// Everything at the next instant; `None` at the end of the data. A live source blocks for a bounded time and then
    /// gives a step without points, so that the market clock moves on in a quiet market.
    ///
    /// # Errors
    /// [`SourceError`] where recorded data turns out to be broken, or a live feed is lost for good.
    fn next_step(&mut self) -> Result<Option<Step>, SourceError>;
    /// What the reader of a result must know about the data: what stands in for what, allowed gaps. One sentence each.
    fn remarks(&self) -> Vec<String>;
}

/// Opens a folder of recorded data: bars where the folder has them for every symbol, else recordings of streams.
///
/// # Errors
/// As [`replay::ReplaySource::open`] and [`recording::RecordingSource::open`].
pub fn open_recorded(options: &replay::ReplayOptions) -> Result<Box<dyn MarketSource>, SourceError> {
    let files = replay::discover::list(&options.folder)?;
    let found = |symbol: &Symbol| replay::discover::of_symbol(&files, *symbol, options.timeframe);
    let recorded = |symbol: &Symbol| {
        let found = found(symbol);
        found.klines.is_empty() && !found.recordings.is_empty()
    };
    if !options.symbols.is_empty() && options.symbols.iter().all(recorded) {
        return Ok(Box::new(recording::RecordingSource::open(&options.folder, &options.symbols, options.allow_gaps)?));
    }
    Ok(Box::new(replay::ReplaySource::open(options)?))
}
