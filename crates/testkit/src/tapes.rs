//! Tapes: a market from a seed. A walk with regimes, so that averages cross often; same seed, same tape.

use crate::build::mark;
use fulmar_domain::market::{Bar, Mark, Timeframe};
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};

/// SplitMix64: small, seedable, the same everywhere.
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    /// A source from a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// The next 64 bits.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A whole number within `-most..=most`.
    pub const fn within(&mut self, most: i64) -> i64 {
        (self.draw() % (2 * most as u64 + 1)) as i64 - most
    }
}

/// One contract's market, minute by minute, with several marks inside each minute; the last mark is the bar's close.
#[derive(Debug, Clone)]
pub struct Walk {
    symbol: Symbol,
    noise: Noise,
    /// Price in ticks of 0.1.
    ticks: i64,
    drift: i64,
    left: u64,
    minute: i64,
    marks: i64,
}

/// One minute of a walk.
#[derive(Debug, Clone)]
pub struct Minute {
    /// Marks in the order of their times; the last one stands at the end of the bar.
    pub marks: Vec<Mark>,
    /// The bar.
    pub bar: Bar,
}

impl Walk {
    /// A walk that begins at `first` (start of the first bar) at `price` in whole units, with `marks` prices a minute.
    #[must_use]
    pub const fn new(symbol: Symbol, seed: u64, first: Timestamp, price: i64, marks: i64) -> Self {
        Self { symbol, noise: Noise::new(seed), ticks: price * 10, drift: 0, left: 0, minute: first.0 / 60_000, marks }
    }

    fn price(&self) -> Price {
        Price::from_raw(self.ticks * 10_000_000)
    }

    /// One step: up to about 0.05 % either way, leaning to one side for a few minutes.
    fn walk(&mut self) {
        if self.left == 0 {
            self.left = 4 * u64::try_from(self.marks).unwrap() + self.noise.draw() % (12 * u64::try_from(self.marks).unwrap());
            self.drift = self.noise.within((self.ticks / 6_000).max(1));
        }
        self.left -= 1;
        let most = (self.ticks / 2_500).max(1);
        self.ticks = (self.ticks + self.drift + self.noise.within(most)).max(100);
    }

    /// The next minute.
    pub fn minute(&mut self) -> Minute {
        let open_time = Timestamp(self.minute * 60_000);
        let open = self.price();
        let mut marks = Vec::new();
        for index in 1..=self.marks {
            self.walk();
            marks.push(mark(self.symbol, self.price(), open_time.plus(Span(60_000 * index / self.marks))));
        }
        self.minute += 1;
        let prices = || std::iter::once(open).chain(marks.iter().map(|m| m.price));
        let bar = Bar {
            symbol: self.symbol,
            timeframe: Timeframe::M1,
            open_time,
            open,
            high: prices().max().unwrap(),
            low: prices().min().unwrap(),
            close: self.price(),
            volume: Qty::ONE,
            quote_volume: Usdt::ONE,
            trades: 1,
        };
        Minute { marks, bar }
    }

    /// The next `count` bars alone, for warming up.
    pub fn bars(&mut self, count: usize) -> Vec<Bar> {
        (0..count).map(|_| self.minute().bar).collect()
    }
}
