//! An account: wallet, settings, positions, and the lists of what belongs to it.
//!
//! Formulas and rounding (the independent oracle uses the same): value of a fill = price · qty, half to even; notional of a
//! position = |qty| · mark, rounded up; entry after adding =
//! (entry · |qty| + price · added) / sum, half to even; realised = (exit − entry) · closed · direction, half to even;
//! margin moved into an isolated position = value / leverage, rounded up; margin released = isolated wallet · closed / |qty|,
//! half to even, all of it with the last piece.

use super::report::{ForceOrderReport, IncomeReport, TradeReport};
use fulmar_domain::id::ClientOrderId;
use fulmar_domain::num::{NumError, Price, Qty, Rounding, Usdt, notional};
use fulmar_domain::order::{MarginMode, PositionSide};
use fulmar_domain::position::margin::{initial_margin, position_notional, profit};
use fulmar_domain::time::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// Settings of one symbol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub leverage: u16,
    pub mode: MarginMode,
    /// When countdownCancelAll strikes.
    pub countdown: Option<Timestamp>,
}

/// One position.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Position {
    pub qty: Qty,
    pub entry: Price,
    pub isolated: Usdt,
    /// Realised so far on this position entry, without fees.
    pub realized: Usdt,
    /// Fees paid since it was last flat.
    pub fees: Usdt,
    pub warned: bool,
    pub updated: Timestamp,
}

/// What a fill did to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Booked {
    pub realized: Usdt,
    pub closed: Qty,
}

impl Position {
    pub fn unrealized(&self, mark: Price) -> Result<Usdt, NumError> {
        profit(self.entry, mark, self.qty)
    }
    /// |qty| · mark.
    pub fn value(&self, mark: Price) -> Result<Usdt, NumError> {
        position_notional(self.qty, mark)
    }
    pub fn sign(&self) -> i64 {
        self.qty.raw().signum()
    }
    /// Books `signed` quantity at `price`.
    pub fn apply(&mut self, signed: Qty, price: Price, leverage: u16, mode: MarginMode) -> Result<Booked, NumError> {
        let mut booked = Booked { realized: Usdt::ZERO, closed: Qty::ZERO };
        let mut rest = signed;
        if self.qty.raw().signum() * signed.raw().signum() < 0 {
            let closed = Qty::from_raw(self.qty.abs().raw().min(signed.abs().raw()));
            let direction = Qty::from_raw(closed.raw() * self.sign());
            booked.realized = profit(self.entry, price, direction)?;
            booked.closed = closed;
            let whole = closed == self.qty.abs();
            let part = i128::from(self.isolated.raw()) * i128::from(closed.raw());
            let released = if whole { self.isolated } else { Usdt::from_raw(half_even(part, i128::from(self.qty.abs().raw()))?) };
            self.isolated = self.isolated.checked_sub(released)?;
            self.realized = self.realized.checked_add(booked.realized)?;
            self.qty = self.qty.checked_sub(direction)?;
            rest = signed.checked_add(direction)?;
            if whole {
                self.entry = Price::ZERO;
                self.fees = Usdt::ZERO;
                self.warned = false;
            }
        }
        if !rest.is_zero() {
            let added = rest.abs();
            let after = self.qty.abs().checked_add(added)?;
            let sum = i128::from(self.entry.raw()) * i128::from(self.qty.abs().raw()) + i128::from(price.raw()) * i128::from(added.raw());
            self.entry = Price::from_raw(half_even(sum, i128::from(after.raw()))?);
            self.qty = self.qty.checked_add(rest)?;
            if mode == MarginMode::Isolated {
                self.isolated = self.isolated.checked_add(initial_margin(notional(price, added, Rounding::HalfEven)?, leverage)?)?;
            }
        }
        Ok(booked)
    }
    /// Entry moved by the fees paid since the position was flat.
    pub fn break_even(&self) -> Price {
        if self.qty.is_zero() {
            return Price::ZERO;
        }
        let per_unit = fulmar_domain::num::average_price(self.fees, self.qty.abs(), Rounding::HalfEven).unwrap_or(Price::ZERO);
        Price::from_raw(self.entry.raw().saturating_add(per_unit.raw().saturating_mul(self.sign())))
    }
}

/// n / d for d > 0, half to even.
fn half_even(n: i128, d: i128) -> Result<i64, NumError> {
    if d <= 0 {
        return Err(NumError::DivisionByZero);
    }
    let (quotient, rest) = (n.div_euclid(d), n.rem_euclid(d));
    let up = match (rest * 2).cmp(&d) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Greater => 1,
        std::cmp::Ordering::Equal => quotient & 1,
    };
    i64::try_from(quotient + up).map_err(|_| NumError::Overflow)
}

/// Index of a position side in [`Account::positions`].
pub(super) const fn leg(side: PositionSide) -> usize {
    match side {
        PositionSide::Both => 0,
        PositionSide::Long => 1,
        PositionSide::Short => 2,
    }
}
/// The three legs of a symbol.
pub(super) const LEGS: [PositionSide; 3] = [PositionSide::Both, PositionSide::Long, PositionSide::Short];

/// An account.
#[derive(Debug)]
pub(super) struct Account {
    pub wallet: Usdt,
    pub hedge: bool,
    pub multi_assets: bool,
    pub settings: Vec<Settings>,
    pub positions: Vec<[Position; 3]>,
    /// Regular orders that are open, by index.
    pub open: BTreeSet<u32>,
    /// All regular orders, by index, oldest first.
    pub orders: Vec<u32>,
    pub open_algos: BTreeSet<u32>,
    pub algos: Vec<u32>,
    /// Newest order with each client id.
    pub clients: HashMap<ClientOrderId, u32>,
    pub algo_clients: HashMap<ClientOrderId, u32>,
    pub trades: Vec<TradeReport>,
    pub income: Vec<IncomeReport>,
    pub forced: Vec<ForceOrderReport>,
    pub next_client: u64,
    pub updated: Timestamp,
}

impl Account {
    pub fn new(symbols: &[u16], start: Timestamp) -> Self {
        Self {
            wallet: Usdt::ZERO,
            hedge: false,
            multi_assets: false,
            settings: symbols.iter().map(|leverage| Settings { leverage: *leverage, mode: MarginMode::Cross, countdown: None }).collect(),
            positions: vec![[Position::default(); 3]; symbols.len()],
            open: BTreeSet::new(),
            orders: Vec::new(),
            open_algos: BTreeSet::new(),
            algos: Vec::new(),
            clients: HashMap::new(),
            algo_clients: HashMap::new(),
            trades: Vec::new(),
            income: Vec::new(),
            forced: Vec::new(),
            next_client: 1,
            updated: start,
        }
    }
    /// Wallet less what isolated positions hold.
    pub fn cross_wallet(&self) -> Usdt {
        let held = self.positions.iter().flatten().fold(0_i64, |sum, p| sum.saturating_add(p.isolated.raw()));
        Usdt::from_raw(self.wallet.raw().saturating_sub(held))
    }
    pub fn position(&self, symbol: usize, side: PositionSide) -> Position {
        self.positions.get(symbol).and_then(|legs| legs.get(leg(side))).copied().unwrap_or_default()
    }
    pub fn position_mut(&mut self, symbol: usize, side: PositionSide) -> Option<&mut Position> {
        self.positions.get_mut(symbol).and_then(|legs| legs.get_mut(leg(side)))
    }
    pub fn setting(&self, symbol: usize) -> Settings {
        self.settings.get(symbol).copied().unwrap_or(Settings { leverage: 1, mode: MarginMode::Cross, countdown: None })
    }
    pub fn holds(&self, symbol: usize) -> bool {
        self.positions.get(symbol).is_some_and(|legs| legs.iter().any(|p| !p.qty.is_zero()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulmar_domain::num::SCALE;
    use proptest::prelude::*;

    const fn price(x: i64) -> Price {
        Price::from_raw(x * SCALE)
    }
    const fn qty(x: i64) -> Qty {
        Qty::from_raw(x * SCALE)
    }

    #[test]
    fn crossing_zero_closes_the_position_and_opens_the_rest_at_the_fill_price() {
        let mut p = Position::default();
        p.apply(qty(2), price(100), 10, MarginMode::Isolated).unwrap();
        p.apply(qty(2), price(200), 10, MarginMode::Isolated).unwrap();
        assert_eq!((p.entry, p.isolated), (price(150), Usdt::from_raw(60 * SCALE)));
        let booked = p.apply(qty(-5), price(160), 10, MarginMode::Isolated).unwrap();
        assert_eq!((booked.realized, booked.closed), (Usdt::from_raw(40 * SCALE), qty(4)));
        assert_eq!((p.qty, p.entry, p.isolated), (qty(-1), price(160), Usdt::from_raw(16 * SCALE)));
    }

    #[test]
    fn reducing_releases_margin_by_share_and_keeps_the_entry() {
        let mut p = Position::default();
        p.apply(qty(-4), price(100), 4, MarginMode::Isolated).unwrap();
        let booked = p.apply(qty(1), price(90), 4, MarginMode::Isolated).unwrap();
        assert_eq!((booked.realized, p.entry, p.isolated), (Usdt::from_raw(10 * SCALE), price(100), Usdt::from_raw(75 * SCALE)));
    }

    proptest! {
        #[test]
        fn a_position_is_the_sum_of_its_fills_and_profit_adds_up(fills in proptest::collection::vec((-5_i64..=5, 50_i64..150), 1..40)) {
            let mut p = Position::default();
            let (mut sum, mut cash, mut realized) = (0, 0_i64, 0_i64);
            for (q, at) in fills {
                if q == 0 { continue; }
                realized += p.apply(qty(q), price(at), 5, MarginMode::Cross).unwrap().realized.raw();
                sum += q;
                cash -= q * at * SCALE;
                prop_assert_eq!(p.qty, qty(sum));
            }
            // Cash flow + value at a last price = realised + unrealised, up to the rounding of the entry price.
            let total = cash + sum * 100 * SCALE;
            let ours = realized + p.unrealized(price(100)).unwrap().raw();
            prop_assert!((total - ours).abs() <= 40 * 5 * 2, "{} {}", total, ours);
        }
    }
}
