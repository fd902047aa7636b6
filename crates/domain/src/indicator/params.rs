//! Parameters of indicators as whole numbers, so that a spec can be compared, hashed and printed without rounding.
//!
//! Each type checks its range when made: an indicator built from one cannot be wrong. Invariant: `parse(print(p)) == p`.

use std::fmt;
use std::hash::Hash;

use super::SpecError;

/// Parameters of one indicator: read from the text between the brackets, printed back the same way.
pub trait Params: Copy + Eq + Ord + Hash + fmt::Debug {
    /// Reads the arguments, already split at commas and trimmed.
    ///
    /// # Errors
    /// When their number or a value is wrong; the error names what was expected.
    fn parse(args: &[&str]) -> Result<Self, SpecError>;

    /// Writes the arguments separated by commas, without brackets; nothing where there are none.
    ///
    /// # Errors
    /// Only those of the formatter.
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// No parameters at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoParams;

impl Params for NoParams {
    fn parse(args: &[&str]) -> Result<Self, SpecError> {
        if args.is_empty() { Ok(Self) } else { Err(SpecError::Arguments { want: "no arguments", got: args.len() }) }
    }

    fn print(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// A window length in bars, from [`Period::MIN`] to [`Period::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u16);

impl Period {
    /// TA-Lib's smallest period for averages.
    pub const MIN: u16 = 2;
    /// A week of one-minute bars; bounds the memory of a window to 80 kB.
    pub const MAX: u16 = 10_080;

    /// A window of `bars` bars.
    ///
    /// # Errors
    /// [`SpecError::Period`] outside of the range.
    pub const fn new(bars: u16) -> Result<Self, SpecError> {
        if bars < Self::MIN || bars > Self::MAX { Err(SpecError::Period { value: bars as u64 }) } else { Ok(Self(bars)) }
    }

    /// The length in bars.
    #[must_use]
    pub const fn bars(self) -> usize {
        self.0 as usize
    }

    pub(super) const fn as_f64(self) -> f64 {
        self.0 as f64
    }

    fn read(text: &str) -> Result<Self, SpecError> {
        let value: u64 = text.parse().map_err(|_| SpecError::Number { text: text.to_owned() })?;
        match u16::try_from(value) {
            Ok(bars) => Self::new(bars),
            Err(_) => Err(SpecError::Period { value }),
        }
    }
}

impl Params for Period {
    fn parse(args: &[&str]) -> Result<Self, SpecError> {
        match args {
            [bars] => Self::read(bars),
            _ => Err(SpecError::Arguments { want: "one period in bars", got: args.len() }),
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Periods of a MACD; the fast one is below the slow one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacdPeriods {
    fast: Period,
    slow: Period,
    signal: Period,
}

impl MacdPeriods {
    /// Periods of the fast, the slow and the signal average.
    ///
    /// # Errors
    /// [`SpecError::FastNotBelowSlow`].
    pub fn new(fast: Period, slow: Period, signal: Period) -> Result<Self, SpecError> {
        if fast < slow { Ok(Self { fast, slow, signal }) } else { Err(SpecError::FastNotBelowSlow { fast: fast.0, slow: slow.0 }) }
    }

    /// Period of the fast average.
    #[must_use]
    pub const fn fast(self) -> Period {
        self.fast
    }

    /// Period of the slow average.
    #[must_use]
    pub const fn slow(self) -> Period {
        self.slow
    }

    /// Period of the signal line.
    #[must_use]
    pub const fn signal(self) -> Period {
        self.signal
    }
}

impl Params for MacdPeriods {
    fn parse(args: &[&str]) -> Result<Self, SpecError> {
        match args {
            [fast, slow, signal] => Self::new(Period::read(fast)?, Period::read(slow)?, Period::read(signal)?),
            _ => Err(SpecError::Arguments { want: "three periods: fast, slow, signal", got: args.len() }),
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.fast.0, self.slow.0, self.signal.0)
    }
}

/// Window and width of Bollinger bands; the width is kept in hundredths of σ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bollinger {
    period: Period,
    hundredths: u16,
}

impl Bollinger {
    /// Widest bands: ten σ.
    pub const MAX_HUNDREDTHS: u16 = 1_000;

    /// Bands of `hundredths`/100 σ around the mean of `period` closes.
    ///
    /// # Errors
    /// [`SpecError::Deviations`] for a width of 0 or above ten σ.
    pub fn new(period: Period, hundredths: u16) -> Result<Self, SpecError> {
        if hundredths == 0 || hundredths > Self::MAX_HUNDREDTHS {
            return Err(SpecError::Deviations { hundredths });
        }
        Ok(Self { period, hundredths })
    }

    /// The window.
    #[must_use]
    pub const fn period(self) -> Period {
        self.period
    }

    /// The width as a multiple of σ.
    #[must_use]
    pub fn deviations(self) -> f64 {
        f64::from(self.hundredths) / 100.0
    }
}

/// Reads a decimal with at most two places as hundredths, without passing through a float.
fn hundredths(text: &str) -> Result<u16, SpecError> {
    let wrong = || SpecError::Number { text: text.to_owned() };
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(places) || places.len() > 2 {
        return Err(wrong());
    }
    let scale = if places.len() == 1 { 10 } else { 1 };
    let fraction: u16 = places.parse().map_err(|_| wrong())?;
    let whole: u16 = whole.parse().map_err(|_| wrong())?;
    whole.checked_mul(100).and_then(|h| h.checked_add(fraction * scale)).ok_or_else(wrong)
}

impl Params for Bollinger {
    fn parse(args: &[&str]) -> Result<Self, SpecError> {
        match args {
            [period, width] => Self::new(Period::read(period)?, hundredths(width)?),
            _ => Err(SpecError::Arguments { want: "a period in bars and a width in σ", got: args.len() }),
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.hundredths / 100, self.hundredths % 100);
        write!(f, "{},{whole}", self.period.0)?;
        match rest {
            0 => Ok(()),
            tenths if tenths % 10 == 0 => write!(f, ".{}", tenths / 10),
            both => write!(f, ".{both:02}"),
        }
    }
}
