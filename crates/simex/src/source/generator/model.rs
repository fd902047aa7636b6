//! The price model: what the whole market does in a minute, and what one symbol makes of it.
//!
//! A minute's return of a symbol is `sd · (share · market + √(1 − share²) · own) + drift + jumps`. Market and own shocks are
//! Student-t (the same stretch for the whole minute, so that wild minutes exist), scaled by a regime (calm, usual, storm; a
//! Markov chain) and, for the own part, by a variance that remembers its shocks (GARCH(1,1)). The market part comes from three
//! factors, the market itself and two sectors, through a matrix of loadings. A slow drift makes trends, a weak pull towards the
//! start price keeps a long series in range. Traded volume remembers itself and grows with the size of moves. The premium over
//! the index follows returns and fades; the funding rate follows the premium by the exchange's formula.

use super::noise::Noise;
use ndarray::{Array1, Array2};

/// Factors: the market and two sectors.
pub(super) const FACTORS: usize = 3;
/// Share of the market part's variance that is a sector's.
const SECTOR_SHARE: f64 = 0.15;
/// Volatility of calm, usual and stormy times, as a multiple of the usual.
const REGIME: [f64; 3] = [0.65, 1.0, 1.8];
/// Chances per minute to leave a regime, downwards and upwards.
const LEAVE: [[f64; 2]; 3] = [[0.0, 1.0 / 180.0], [1.0 / 300.0, 1.0 / 240.0], [1.0 / 60.0, 0.0]];
/// GARCH(1,1) with unconditional variance one: constant, weight of the last shock, weight of the last variance.
const GARCH: [f64; 3] = [0.06, 0.10, 0.84];
/// A jump, in multiples of the usual minute: at least, and how much more at most.
const JUMP: [f64; 2] = [3.0, 5.0];
/// Chance of a jump per minute, of the market and of one symbol.
const JUMP_CHANCE: [f64; 2] = [1.0 / 2_880.0, 1.0 / 1_440.0];
/// How slowly the drift changes, and its size in usual minutes.
const DRIFT: [f64; 2] = [0.995, 0.05];
/// Pull towards the start price per minute: a tenth of the distance in three days.
const PULL: f64 = 1.0 / 43_200.0;
/// Interest part of the funding rate, the band in which the premium does not count, and the cap.
const FUNDING: [f64; 3] = [0.000_1, 0.000_5, 0.003];
/// Largest premium over the index.
const PREMIUM_MAX: f64 = 0.002;

fn next_regime(now: usize, noise: &mut Noise) -> usize {
    let [down, up] = LEAVE[now];
    let u = noise.uniform();
    if u < down {
        now - 1
    } else if u < down + up {
        now + 1
    } else {
        now
    }
}

/// What the whole market does in one minute.
#[derive(Debug)]
pub(super) struct Weather {
    /// Size of the market's shocks in this minute.
    scale: f64,
    /// Factor shocks: one row for each part of the minute.
    shocks: Array2<f64>,
    /// A jump of the whole market: in which part, and how far.
    jump: Option<(usize, f64)>,
}

/// The whole market.
#[derive(Debug)]
pub(super) struct Climate {
    noise: Noise,
    regime: usize,
}

impl Climate {
    pub fn new(seed: u64) -> Self {
        Self { noise: Noise::new(seed, "market"), regime: 1 }
    }
    /// The next minute in `parts` parts.
    pub fn minute(&mut self, parts: usize) -> Weather {
        self.regime = next_regime(self.regime, &mut self.noise);
        let scale = REGIME[self.regime] * self.noise.stretch();
        let shocks = Array2::from_shape_simple_fn((parts, FACTORS), || self.noise.normal());
        Weather { scale, shocks, jump: jump(&mut self.noise, JUMP_CHANCE[0], parts) }
    }
}

fn jump(noise: &mut Noise, chance: f64, parts: usize) -> Option<(usize, f64)> {
    if !noise.chance(chance) {
        return None;
    }
    let part = ((noise.uniform() * parts as f64) as usize).min(parts.saturating_sub(1));
    let size = JUMP[0] + JUMP[1] * noise.uniform();
    Some((part, if noise.chance(0.5) { size } else { -size }))
}

/// What one symbol does in one part of a minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub price: f64,
    /// Traded value.
    pub value: f64,
    /// A number in (0, 1) for choices that the caller makes.
    pub coin: f64,
    pub mark: f64,
    pub index: f64,
}

/// One symbol's process.
#[derive(Debug)]
pub(super) struct Process {
    noise: Noise,
    loadings: Array1<f64>,
    own_share: f64,
    sd: f64,
    anchor: f64,
    value_1m: f64,
    price: f64,
    regime: usize,
    variance: f64,
    drift: f64,
    activity: f64,
    premium: f64,
    premium_mean: f64,
    premium_sum: f64,
    premium_minutes: f64,
}

impl Process {
    /// `sd`: of one-minute returns; `share`: of it that comes from the market; `value_1m`: usual traded value in a minute.
    pub fn new(seed: u64, name: &str, price: f64, sd: f64, share: f64, value_1m: f64) -> Self {
        let mut noise = Noise::new(seed, name);
        // The sector hangs on the name alone, so that it is the same under every seed.
        let sector = name.bytes().map(usize::from).sum::<usize>() % (FACTORS - 1) + 1;
        let mut loadings = Array1::zeros(FACTORS);
        loadings[0] = share * (1.0 - SECTOR_SHARE).sqrt();
        loadings[sector] = share * SECTOR_SHARE.sqrt();
        let drift = DRIFT[1] * noise.normal();
        Self {
            noise,
            loadings,
            own_share: (1.0 - share * share).max(0.0).sqrt(),
            sd,
            anchor: price,
            value_1m,
            price,
            regime: 1,
            variance: 1.0,
            drift,
            activity: 1.0,
            premium: 0.0,
            premium_mean: 0.0,
            premium_sum: 0.0,
            premium_minutes: 0.0,
        }
    }
    /// The next minute, part by part.
    pub fn minute(&mut self, weather: &Weather) -> Vec<Part> {
        let parts = weather.shocks.nrows();
        let root = (parts as f64).sqrt();
        self.regime = next_regime(self.regime, &mut self.noise);
        let own_scale = self.own_share * self.variance.sqrt() * REGIME[self.regime] * self.noise.stretch();
        let own_jump = jump(&mut self.noise, JUMP_CHANCE[1], parts);
        self.drift = DRIFT[0] * self.drift + DRIFT[1] * (1.0 - DRIFT[0] * DRIFT[0]).sqrt() * self.noise.normal();
        let market = weather.shocks.dot(&self.loadings);
        let (mut own, mut moved, before) = (0.0, 0.0, self.price);
        let mut out = Vec::with_capacity(parts);
        for (part, market) in market.iter().enumerate() {
            let z = self.noise.normal() / root;
            own += z;
            let jumps = [weather.jump.map(|(p, size)| (p, size * self.loadings[0])), own_jump];
            let jump: f64 = jumps.iter().flatten().filter(|(p, _)| *p == part).map(|(_, size)| size).sum();
            let shock = weather.scale * market / root + own_scale * z + jump + self.drift / parts as f64;
            let pull = PULL * (1.0 - self.price / self.anchor) / parts as f64;
            self.price *= (1.0 + self.sd * shock + pull).clamp(0.8, 1.25);
            moved += shock.abs() / root;
            let burst = 0.25 + 1.5 * self.noise.uniform().powi(2) + shock.abs();
            let coin = self.noise.uniform();
            let index = self.price * (1.0 - self.premium);
            let value = self.value_1m * self.activity * burst / parts as f64;
            out.push(Part { price: self.price, value, coin, mark: index * (1.0 + self.premium_mean), index });
        }
        self.variance = (GARCH[0] + GARCH[1] * (own * self.variance.sqrt()).powi(2) + GARCH[2] * self.variance).clamp(0.1, 8.0);
        self.activity = (0.92 * self.activity + 0.08 * (0.4 + moved + 0.4 * self.noise.uniform())).clamp(0.05, 12.0);
        let turned = self.price / before - 1.0;
        self.premium = (0.97 * self.premium + 0.05 * turned + 0.000_02 * self.noise.normal()).clamp(-PREMIUM_MAX, PREMIUM_MAX);
        self.premium_mean = 0.9 * self.premium_mean + 0.1 * self.premium;
        self.premium_sum += self.premium;
        self.premium_minutes += 1.0;
        out
    }
    /// The rate of the next funding as it stands: average premium since the last one + clamp(0.01 % − premium, ±0.05 %),
    /// the exchange's formula, capped at ±0.3 %.
    pub fn funding_rate(&self) -> f64 {
        let premium = if self.premium_minutes > 0.0 { self.premium_sum / self.premium_minutes } else { 0.0 };
        let [interest, band, cap] = FUNDING;
        (premium + (interest - premium).clamp(-band, band)).clamp(-cap, cap)
    }
    /// A funding was booked: the premium's average starts anew.
    pub fn funding_booked(&mut self) {
        (self.premium_sum, self.premium_minutes) = (0.0, 0.0);
    }
}
