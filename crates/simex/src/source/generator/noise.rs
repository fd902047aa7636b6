//! Seeded random numbers for the generator.
//!
//! One ChaCha stream for the whole market and one for each symbol, named by the symbol: so a symbol's series does not change
//! when others are added, removed or reordered.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use statrs::distribution::{ContinuousCDF, Normal};

/// Largest factor by which one draw may stretch a minute.
const STRETCH_MAX: f64 = 5.0;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    rng: ChaCha8Rng,
    normal: Normal,
}

impl Noise {
    /// The stream of `name` under `seed`.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(name.as_bytes());
        Self { rng: ChaCha8Rng::from_seed(hash.finalize().into()), normal: Normal::standard() }
    }
    /// Uniform in (0, 1), both ends excluded.
    pub fn uniform(&mut self) -> f64 {
        ((self.rng.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }
    /// Standard normal, by the inverse of its distribution.
    pub fn normal(&mut self) -> f64 {
        let u = self.uniform();
        self.normal.inverse_cdf(u)
    }
    /// A factor with mean square near one that, times a normal number, gives Student's t with four degrees of freedom,
    /// scaled to unit variance: √(2 / (χ²₄ / 2)) / √2 = √(2 / χ²₄), cut at five.
    pub fn stretch(&mut self) -> f64 {
        let chi: f64 = (0..4).map(|_| self.normal().powi(2)).sum();
        (2.0 / chi).sqrt().min(STRETCH_MAX)
    }
    /// True with this chance.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one_and_stretched_ones_heavy_tails() {
        let mut noise = Noise::new(7, "x");
        let plain: Vec<f64> = (0..20_000).map(|_| noise.normal()).collect();
        let heavy: Vec<f64> = (0..20_000).map(|_| noise.stretch() * noise.normal()).collect();
        let moment = |x: &[f64], n: i32| x.iter().map(|v| v.powi(n)).sum::<f64>() / x.len() as f64;
        let kurtosis = |x: &[f64]| moment(x, 4) / moment(x, 2).powi(2);
        assert!(moment(&plain, 1).abs() < 0.03 && (moment(&plain, 2) - 1.0).abs() < 0.04);
        assert!((kurtosis(&plain) - 3.0).abs() < 0.3 && kurtosis(&heavy) > 5.0, "{}", kurtosis(&heavy));
        assert!((moment(&heavy, 2) - 1.0).abs() < 0.15, "{}", moment(&heavy, 2));
    }

    #[test]
    fn streams_differ_by_seed_and_by_name() {
        let first = |seed, name| Noise::new(seed, name).uniform();
        assert_eq!(first(1, "A"), first(1, "A"));
        assert!(first(1, "A") != first(2, "A") && first(1, "A") != first(1, "B"));
    }
}
