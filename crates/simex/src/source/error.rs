//! Why a source cannot give its market: which file, which row, what to do.

use fulmar_domain::market::Timeframe;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::fmt;
use std::path::PathBuf;

/// What is wrong with one row of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RowFault {
    /// Bars or fundings are missing before this row.
    Gap {
        /// When the next row was due.
        expected: Timestamp,
        /// When it is.
        found: Timestamp,
    },
    /// The same time occurs twice.
    Duplicate {
        /// The time.
        time: Timestamp,
    },
    /// The row is older than the one before.
    Disorder {
        /// Time of the row before.
        before: Timestamp,
        /// Time of this row.
        found: Timestamp,
    },
    /// A bar does not begin at a multiple of its length.
    Misaligned {
        /// The time.
        time: Timestamp,
        /// The length of the bars.
        timeframe: Timeframe,
    },
    /// A number is NaN, infinite or missing.
    NotANumber {
        /// Name of the column.
        column: &'static str,
    },
    /// A number is below zero.
    Negative {
        /// Name of the column.
        column: &'static str,
    },
    /// A price is zero.
    Zero {
        /// Name of the column.
        column: &'static str,
    },
    /// A number is too large for 64 bits with eight decimals.
    OutOfRange {
        /// Name of the column.
        column: &'static str,
    },
    /// The high is not the highest or the low not the lowest price.
    Inconsistent,
    /// A cell is not what its column holds.
    Unparsable {
        /// Name of the column.
        column: &'static str,
        /// The cell.
        text: String,
    },
    /// A line has too few cells.
    Cells {
        /// How many are needed.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A recorded line is no message.
    Message {
        /// Why.
        reason: String,
    },
    /// The update numbers of the recorded book have a hole.
    BookGap {
        /// The update that should come before.
        expected: i64,
        /// The one that the frame names.
        found: i64,
    },
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { expected, found } => write!(
                f,
                "a gap: {expected} is due and {found} comes; fetch the missing rows, or allow gaps (allow_gaps) and have them reported"
            ),
            Self::Duplicate { time } => write!(f, "{time} occurs twice; remove one of the rows"),
            Self::Disorder { before, found } => write!(f, "{found} comes after {before}; sort the file by time"),
            Self::Misaligned { time, timeframe } => {
                write!(f, "{time} is no start of a {timeframe} bar; check the unit of the time column and the timeframe in the file's name")
            }
            Self::NotANumber { column } => write!(f, "{column} is missing, NaN or infinite; fetch the row again"),
            Self::Negative { column } => write!(f, "{column} is below zero; fetch the row again"),
            Self::Zero { column } => write!(f, "{column} is zero; fetch the row again"),
            Self::OutOfRange { column } => write!(f, "{column} is beyond 92 billion; check the unit of the column"),
            Self::Inconsistent => f.write_str("high is not the highest or low not the lowest price; check the order of the columns"),
            Self::Unparsable { column, text } => write!(f, "{column} reads {text:?}; check the order of the columns"),
            Self::Cells { expected, found } => {
                write!(f, "{found} cells where {expected} are needed; the line is cut or the separator is no comma")
            }
            Self::Message { reason } => write!(f, "no message of a market stream: {reason}; cut the line or record again"),
            Self::BookGap { expected, found } => write!(
                f,
                "the book's updates have a hole: {expected} is due before the frame and it names {found}; record again, or allow gaps (allow_gaps)"
            ),
        }
    }
}

/// Why a source cannot give its market.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder cannot be read at all.
    #[error("{}: cannot be read: {reason}; check the path and its permissions", file.display())]
    Open {
        /// Path.
        file: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// A file is not what its name says, or ends too early.
    #[error("{}: is no complete {format} file: {reason}; fetch it again", file.display())]
    Unreadable {
        /// Path.
        file: PathBuf,
        /// What it should be.
        format: &'static str,
        /// What the reader says.
        reason: String,
    },
    /// A file lacks a column.
    #[error("{}: has no column {column} (it has {found}); rename the column or convert the file", file.display())]
    Column {
        /// Path.
        file: PathBuf,
        /// The name, or the names of which one is needed.
        column: &'static str,
        /// The names that are there, with their types where the format has types.
        found: String,
    },
    /// A row is wrong.
    #[error("{}: row {row}: {fault}", file.display())]
    Row {
        /// Path.
        file: PathBuf,
        /// Number of the row or line, from 1; a header line counts in text files.
        row: u64,
        /// What is wrong with it.
        fault: RowFault,
    },
    /// A file holds no rows.
    #[error("{}: holds no rows; fetch it again", file.display())]
    Empty {
        /// Path.
        file: PathBuf,
    },
    /// A folder has nothing for a symbol.
    #[error("{}: has no {timeframe} bars and no recording of {symbol}; it has {found}", folder.display())]
    Missing {
        /// Path.
        folder: PathBuf,
        /// The contract asked for.
        symbol: Symbol,
        /// The length asked for.
        timeframe: Timeframe,
        /// What is there.
        found: String,
    },
    /// Settings do not fit the data or each other.
    #[error("{what}")]
    Settings {
        /// What does not fit, and what to change.
        what: String,
    },
    /// A live feed is lost.
    #[error("the feed at {url} is lost: {reason}")]
    Feed {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
}
