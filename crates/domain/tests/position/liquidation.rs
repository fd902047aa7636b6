//! The liquidation price against an independent bisection of the liquidation equation.

use crate::build::*;
use fulmar_domain::instrument::Brackets;
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::order::{MarginMode, PositionSide, Side};
use fulmar_domain::position::liquidation::{Leg, Liquidation, liquidation};
use fulmar_domain::position::node::PositionIn;
use proptest::prelude::*;
use rust_decimal::Decimal;

/// Margin left at `price`, from the definitions alone.
fn left(legs: &[Leg], tiers: &Brackets, collateral: Decimal, price: Decimal) -> Decimal {
    legs.iter().fold(collateral, |sum, leg| {
        let (q, e) = (Decimal::new(leg.qty.raw(), 8), Decimal::new(leg.entry.raw(), 8));
        let notional = q.abs() * price;
        let tier =
            tiers.tiers.iter().find(|t| notional <= Decimal::new(t.cap.raw(), 8)).unwrap_or_else(|| tiers.tiers.last().expect("tiers"));
        sum + q * (price - e) - (notional * Decimal::new(tier.mmr.raw(), 8) - Decimal::new(tier.cum.raw(), 8))
    })
}

/// Walks from `from` to `to` in small steps until the margin is gone, then halves the step that lost it.
fn bisect(from: Decimal, to: Decimal, margin: impl Fn(Decimal) -> Decimal) -> Option<Decimal> {
    if margin(to) > Decimal::ZERO {
        return None;
    }
    let (mut good, mut bad) = (from, to);
    for _ in 0..90 {
        let middle = (good + bad) / Decimal::TWO;
        if margin(middle) > Decimal::ZERO { good = middle } else { bad = middle }
    }
    Some(good)
}

fn check(legs: &[Leg], collateral: Usdt, mark: Price) -> Result<(), TestCaseError> {
    let tiers = tiers(btc());
    let money = Decimal::new(collateral.raw(), 8);
    let at = Decimal::new(mark.raw(), 8);
    let margin = |p: Decimal| left(legs, &tiers, money, p);
    let found = liquidation(legs, &tiers, collateral, mark).expect("fits");
    if margin(at) <= Decimal::ZERO {
        prop_assert_eq!(found, Liquidation::Gone);
        return Ok(());
    }
    // The margin is concave in the price: at most one root on each side of a price where some is left.
    let below = bisect(at, Decimal::new(1, 8), margin);
    let above = bisect(at, at * Decimal::from(100), margin);
    let nearest = match (below, above) {
        (Some(b), Some(a)) => Some(if at - b < a - at { b } else { a }),
        (b, a) => b.or(a),
    };
    match (nearest, found) {
        (Some(want), Liquidation::At(got)) => {
            let got = Decimal::new(got.raw(), 8);
            prop_assert!((want - got).abs() <= Decimal::new(3, 8), "bisection {want}, solved {got}");
        }
        (None, Liquidation::At(got)) => prop_assert!(Decimal::new(got.raw(), 8) > at * Decimal::from(99), "{got}"),
        (want, got) => prop_assert!(want.is_none() && got == Liquidation::Safe, "bisection {want:?}, solved {got:?}"),
    }
    Ok(())
}

fn leg(long: bool, thousandths: i64, entry_cents: i64) -> Leg {
    let raw = thousandths * 100_000;
    Leg { qty: Qty::from_raw(if long { raw } else { -raw }), entry: Price::from_raw(entry_cents * 1_000_000) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]
    #[test]
    fn one_leg_solves_as_bisection_does(
        long in any::<bool>(), size in 1_i64..400_000, entry in 100_000_i64..10_000_000, drift in -10_i64..=10, share in 1_i64..1_500
    ) {
        let leg = leg(long, size, entry);
        let notional = Decimal::new(leg.qty.raw(), 8).abs() * Decimal::new(leg.entry.raw(), 8);
        let collateral = (notional * Decimal::new(share, 3)).round_dp(2);
        let mark = Price::from_raw(leg.entry.raw() / 100 * (100 + drift));
        check(&[leg], Usdt::parse(&collateral.to_string()).expect("fits"), mark)?;
    }
    #[test]
    fn two_legs_that_share_collateral_solve_as_bisection_does(
        long in (1_i64..400_000, 100_000_i64..10_000_000), short in (1_i64..400_000, -10_i64..=10), share in 5_i64..1_500, drift in -3_i64..=3
    ) {
        let first = leg(true, long.0, long.1);
        let second = leg(false, short.0, long.1 / 100 * (100 + short.1));
        let notional = Decimal::new(first.qty.raw(), 8) * Decimal::new(first.entry.raw(), 8);
        let collateral = (notional * Decimal::new(share, 3)).round_dp(2);
        let mark = Price::from_raw(first.entry.raw() / 100 * (100 + drift));
        check(&[first, second], Usdt::parse(&collateral.to_string()).expect("fits"), mark)?;
    }
}

#[test]
fn the_published_formula_holds_within_one_tier() {
    // 1 BTC long at 60,000 with 6,000 USDT: tier 2 (0.5 %, cum 50) → (6000 + 50 − 60000) / (0.005 − 1) = 54,221.10552764
    let found = liquidation(&[leg(true, 1_000, 6_000_000)], &tiers(btc()), usdt("6000"), price("60000")).expect("fits");
    assert_eq!(found, Liquidation::At(price("54221.10552764")));
}

#[test]
fn the_tier_is_that_of_the_notional_at_the_liquidation_price() {
    // Entered in tier 2 (notional 50,500), liquidated in tier 1 (notional below 50,000).
    let found = liquidation(&[leg(true, 1_000, 5_050_000)], &tiers(btc()), usdt("5050"), price("50500")).expect("fits");
    // (5050 − 50500) / (0.004 − 1) = 45,632.53012049 (rounded towards the mark)
    assert_eq!(found, Liquidation::At(price("45632.53012049")));
}

#[test]
fn a_fully_paid_long_has_no_liquidation_price_and_a_lost_one_neither() {
    let long = [leg(true, 1_000, 6_000_000)];
    assert_eq!(liquidation(&long, &tiers(btc()), usdt("61000"), price("60000")), Ok(Liquidation::Safe));
    assert_eq!(liquidation(&long, &tiers(btc()), usdt("100"), price("60000")), Ok(Liquidation::Gone));
    assert_eq!(Liquidation::Safe.price(), None);
    assert_eq!(Liquidation::Gone.price(), None);
}

#[test]
fn cross_positions_lean_on_the_wallet_and_on_each_other() {
    let cross = |symbol, amount, entry| venue_position(symbol, amount, entry, MarginMode::Cross, "0");
    let mut bench = Bench::with(snapshot("1000", vec![cross(btc(), "0.1", "60000"), cross(eth(), "-1", "3000")], 1_000));
    bench.give(PositionIn::Mark(mark(btc(), "60000", 2_000)), 2_000);
    bench.give(PositionIn::Mark(mark(eth(), "2900", 2_000)), 2_000);
    let frame = bench.frame();
    // ETH short: +100 unrealised, 2900 · 0.004 = 11.6 maintenance. BTC: (1000 + 100 − 11.6 − 6000) / (0.1·0.004 − 0.1)
    let btc_price = frame.position(btc(), PositionSide::Both).expect("btc").liquidation;
    assert_eq!(btc_price, Some(price("49313.25301205")));
    // BTC: 6000 · 0.004 = 24 maintenance. ETH: (1000 − 24 + 3000) / (1·0.004 + 1)
    let eth_price = frame.position(eth(), PositionSide::Both).expect("eth").liquidation;
    assert_eq!(eth_price, Some(price("3960.15936254")));
}

#[test]
fn an_isolated_position_leans_on_its_own_wallet_only() {
    let isolated = venue_position(btc(), "0.1", "60000", MarginMode::Isolated, "600");
    let mut bench = Bench::with(snapshot("1000000", vec![isolated], 1_000));
    bench.give(PositionIn::Mark(mark(btc(), "60000", 2_000)), 2_000);
    // (600 − 6000) / (0.1·0.004 − 0.1)
    assert_eq!(bench.frame().positions[0].liquidation, Some(price("54216.86746988")));
    // Once a fill changes the quantity, the estimate takes over until the exchange reports anew.
    bench.give(PositionIn::Update(filled(fill(btc(), 9, Side::Buy, "0.1", "60000", "0", 3_000), entry_role())), 3_000);
    assert_eq!(bench.frame().positions[0].isolated_wallet, usdt("1200"));
}
