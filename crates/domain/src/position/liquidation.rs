//! At which mark price the exchange liquidates.
//!
//! The margin left over, `f(P) = collateral + Σ q·(P − E) − Σ (|q|·P·mmr − cum)`, is continuous and piecewise linear in the mark
//! price `P`, since `cum` makes the maintenance margin continuous over the tiers. Within one tier its root is Binance's formula
//! (trading rules, "Liquidation price"). The tier must be that of the notional **at** the root, so every piece is solved with its
//! own tier and only a root that lies in its piece is accepted.
//!
//! Invariant: a price is given only while margin is left at the current mark; it is rounded towards the mark, never away.

use crate::instrument::{Bracket, Brackets};
use crate::num::{NumError, Price, Qty, Rounding, SCALE, Usdt, div_round};

/// One leg of a symbol: its signed quantity and average entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Signed quantity.
    pub qty: Qty,
    /// Average entry price.
    pub entry: Price,
}

/// What the equation says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Liquidation {
    /// At this mark price nothing is left of the margin.
    At(Price),
    /// No price liquidates.
    Safe,
    /// At the current mark the margin is used up already.
    Gone,
}

impl Liquidation {
    /// The price, where there is one.
    #[must_use]
    pub const fn price(self) -> Option<Price> {
        match self {
            Self::At(price) => Some(price),
            Self::Safe | Self::Gone => None,
        }
    }
}

/// Solves for the liquidation price nearest to `mark`.
///
/// `legs`: the positions of one symbol that share the collateral (one in isolated and one-way mode, long and short in cross hedge
/// mode). `collateral`: isolated: the position's isolated wallet; cross: cross wallet − Σ maintenance + Σ unrealised of the
/// other symbols' cross positions, signs included.
///
/// # Errors
/// [`NumError::Overflow`] when a product leaves 128 bits.
pub fn liquidation(legs: &[Leg], tiers: &Brackets, collateral: Usdt, mark: Price) -> Result<Liquidation, NumError> {
    if legs.iter().all(|leg| leg.qty.is_zero()) {
        return Ok(Liquidation::Safe);
    }
    let mut bounds = vec![0_i128];
    for leg in legs.iter().filter(|leg| !leg.qty.is_zero()) {
        for tier in tiers.tiers.iter().take(tiers.tiers.len().saturating_sub(1)) {
            bounds.push(div_round(i128::from(tier.cap.raw()) * i128::from(SCALE), size(*leg), Rounding::Floor)?);
        }
    }
    bounds.sort_unstable();
    bounds.dedup();
    let at = i128::from(mark.raw());
    let mut best: Option<i128> = None;
    for (index, low) in bounds.iter().enumerate() {
        let high = bounds.get(index + 1).copied();
        let line = line(legs, tiers, collateral, high.unwrap_or(i128::MAX))?;
        if at >= *low && high.is_none_or(|h| at <= h) && line.margin_at(at)? <= 0 {
            return Ok(Liquidation::Gone);
        }
        let Some(root) = line.root()? else { continue };
        let inside = root > 0 && root >= *low && high.is_none_or(|h| root <= h + 1);
        if inside && best.is_none_or(|b| (root - at).abs() < (b - at).abs()) {
            best = Some(root);
        }
    }
    Ok(best.and_then(|raw| i64::try_from(raw).ok()).map_or(Liquidation::Safe, |raw| Liquidation::At(Price::from_raw(raw))))
}

fn size(leg: Leg) -> i128 {
    i128::from(leg.qty.raw()).abs()
}

/// `f(P) = constant − P · slope`; `constant` in 10⁻²⁴, `slope` in 10⁻¹⁶, `P` in 10⁻⁸.
struct Line {
    constant: i128,
    slope: i128,
}

impl Line {
    fn margin_at(&self, price: i128) -> Result<i128, NumError> {
        let used = self.slope.checked_mul(price).ok_or(NumError::Overflow)?;
        self.constant.checked_sub(used).ok_or(NumError::Overflow)
    }
    /// Margin falls with the price where the slope is below zero (long): the root is rounded up, else down.
    fn root(&self) -> Result<Option<i128>, NumError> {
        if self.slope == 0 {
            return Ok(None);
        }
        let rounding = if self.slope < 0 { Rounding::Ceil } else { Rounding::Floor };
        div_round(self.constant, self.slope, rounding).map(Some)
    }
}

/// The equation on the piece that ends at `high`, where each leg is in the tier of its notional there.
fn line(legs: &[Leg], tiers: &Brackets, collateral: Usdt, high: i128) -> Result<Line, NumError> {
    let scale = i128::from(SCALE);
    let mut constant = i128::from(collateral.raw()).checked_mul(scale * scale).ok_or(NumError::Overflow)?;
    let mut slope = 0_i128;
    for leg in legs.iter().filter(|leg| !leg.qty.is_zero()) {
        let Some(tier) = tier_below(tiers, *leg, high) else { continue };
        let (qty, entry) = (i128::from(leg.qty.raw()), i128::from(leg.entry.raw()));
        let cum = i128::from(tier.cum.raw()).checked_mul(scale * scale).ok_or(NumError::Overflow)?;
        let cost = (qty * entry).checked_mul(scale).ok_or(NumError::Overflow)?;
        constant = constant.checked_add(cum).and_then(|c| c.checked_sub(cost)).ok_or(NumError::Overflow)?;
        slope += qty.abs() * i128::from(tier.mmr.raw()) - qty * scale;
    }
    Ok(Line { constant, slope })
}

/// The tier that holds on the piece whose upper end is `high`.
fn tier_below(tiers: &Brackets, leg: Leg, high: i128) -> Option<&Bracket> {
    let notional = size(leg).checked_mul(high);
    let holds = |tier: &&Bracket| notional.is_some_and(|n| n <= i128::from(tier.cap.raw()) * i128::from(SCALE));
    tiers.tiers.iter().find(holds).or(tiers.tiers.last())
}
