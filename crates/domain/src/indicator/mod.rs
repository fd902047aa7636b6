//! Indicators: statistics of closed bars, in floating point, never money.
//!
//! Each is incremental, takes constant time per bar, allocates nothing after construction, is silent until warm with
//! TA-Lib's warm-up length, and equals the batch computation over the same bars bit for bit. A newcomer adds a file
//! with an [`Indicator`] and one line in the catalog at the end of this page; the suite asks for its reference.
//! Invariant: a bar within [`BarF64::LIMIT`] never yields NaN or infinity.

mod atr;
mod bar;
mod bbands;
mod ema;
mod layout;
mod macd;
mod node;
mod params;
mod rsi;
mod rvol;
mod set;
mod sma;
mod spec;
mod vwap;
mod wilder;
mod window;

use std::fmt;

pub use atr::Atr;
pub use bar::BarF64;
pub use bbands::{Bands, Bbands};
pub use ema::Ema;
pub use layout::Layout;
pub use macd::{Macd, MacdLines};
pub use node::{IndicatorIn, IndicatorNode, IndicatorOut};
pub use params::{Bollinger, MacdPeriods, NoParams, Params, Period};
pub use rsi::Rsi;
pub use rvol::RelativeVolume;
pub use set::{IndicatorSet, UncomputableBar};
pub use sma::Sma;
pub use spec::SpecError;
pub use vwap::SessionVwap;

/// One indicator over a series of closed bars.
pub trait Indicator: Sized {
    /// Name in a spec, such as `ema`.
    const NAME: &'static str;
    /// A usual spec, such as `ema(20)`; it must parse.
    const EXAMPLE: &'static str;
    /// Names of the outputs; a single one is called by the spec itself and is empty here.
    const OUTPUTS: &'static [&'static str];
    /// What it is configured with.
    type Params: Params;
    /// What it gives per bar.
    type Output: Outputs;

    /// Builds it; all memory is taken here.
    fn new(params: Self::Params) -> Self;

    /// Takes the next closed bar; `None` until warm, or where the value is undefined for this bar.
    fn update(&mut self, bar: &BarF64) -> Option<Self::Output>;

    /// Bars after which the first value comes: TA-Lib's look-back plus one.
    fn warmup(&self) -> usize;
}

/// Values of one bar that can be laid into consecutive columns.
pub trait Outputs: Copy {
    /// Writes them; `out` has as many places as [`Indicator::OUTPUTS`] names.
    fn write(self, out: &mut [f64]);
}

impl Outputs for f64 {
    #[inline]
    fn write(self, out: &mut [f64]) {
        if let [value] = out {
            *value = self;
        }
    }
}

/// What the catalog says about one indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Name in a spec.
    pub name: &'static str,
    /// A usual spec.
    pub example: &'static str,
    /// Names of the outputs, a single empty one where there is but one.
    pub outputs: &'static [&'static str],
}

/// Makes the spec, the slot that a set holds, and the table of entries from one line per indicator.
macro_rules! catalog {
    ($($variant:ident => $indicator:ty),+ $(,)?) => {
        /// An indicator with its parameters: what a strategy asks for and a set builds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum IndicatorSpec {
            $(#[doc = concat!("A [`", stringify!($indicator), "`].")] $variant(<$indicator as Indicator>::Params),)+
        }

        /// Every indicator there is.
        pub const CATALOG: &[CatalogEntry] = &[$(CatalogEntry {
            name: <$indicator>::NAME,
            example: <$indicator>::EXAMPLE,
            outputs: <$indicator>::OUTPUTS,
        }),+];

        impl IndicatorSpec {
            /// Name without parameters.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => <$indicator>::NAME,)+ }
            }

            /// Names of the outputs, a single empty one where there is but one.
            #[must_use]
            pub const fn outputs(&self) -> &'static [&'static str] {
                match self { $(Self::$variant(_) => <$indicator>::OUTPUTS,)+ }
            }

            /// Bars after which the first value comes.
            #[must_use]
            pub fn warmup(&self) -> usize {
                self.build().warmup()
            }

            fn takes_arguments(&self) -> bool {
                match self { $(Self::$variant(_) => <$indicator>::EXAMPLE.contains('('),)+ }
            }

            fn print_arguments(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$variant(params) => params.print(f),)+ }
            }

            fn from_parts(name: &str, args: &[&str]) -> Result<Self, SpecError> {
                match name {
                    $(<$indicator>::NAME => Params::parse(args).map(Self::$variant),)+
                    _ => Err(SpecError::Unknown {
                        name: name.to_owned(),
                        known: [$(<$indicator>::EXAMPLE),+].join(", "),
                    }),
                }
            }

            fn build(&self) -> Slot {
                match self { $(Self::$variant(params) => Slot::$variant(<$indicator>::new(*params)),)+ }
            }
        }

        /// An indicator of any kind, told apart by a branch and not by a pointer.
        #[derive(Debug, Clone)]
        enum Slot {
            $($variant($indicator),)+
        }

        impl Slot {
            /// Number of columns.
            #[inline]
            const fn width(&self) -> usize {
                match self { $(Self::$variant(_) => <$indicator>::OUTPUTS.len(),)+ }
            }

            fn warmup(&self) -> usize {
                match self { $(Self::$variant(indicator) => indicator.warmup(),)+ }
            }

            /// Feeds a bar and writes the columns; whether there was a value.
            #[inline]
            fn update(&mut self, bar: &BarF64, out: &mut [f64]) -> bool {
                match self {
                    $(Self::$variant(indicator) => match indicator.update(bar) {
                        Some(value) => { value.write(out); true }
                        None => { out.fill(f64::NAN); false }
                    },)+
                }
            }
        }
    };
}

catalog! {
    Sma => Sma,
    Ema => Ema,
    Rsi => Rsi,
    Macd => Macd,
    Atr => Atr,
    Bbands => Bbands,
    Vwap => SessionVwap,
    Rvol => RelativeVolume,
}
