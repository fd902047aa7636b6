//! Average entry, realised profit, round trips, idempotence: held against an oracle in rational decimals.

use crate::build::*;
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::order::{ExitReason, PositionSide, Side};
use fulmar_domain::position::node::PositionIn;
use proptest::prelude::*;
use rust_decimal::Decimal;

fn dec(raw: i64) -> Decimal {
    Decimal::new(raw, 8)
}

/// The rules of the average entry, written once more in another arithmetic.
#[derive(Default)]
struct Oracle {
    qty: Decimal,
    entry: Decimal,
}
impl Oracle {
    /// Gives realised profit.
    fn fill(&mut self, signed: Decimal, price: Decimal) -> Decimal {
        if self.qty.is_zero() || self.qty.is_sign_positive() == signed.is_sign_positive() {
            self.entry = (self.qty * self.entry + signed * price) / (self.qty + signed);
            self.qty += signed;
            return Decimal::ZERO;
        }
        let closed = signed.abs().min(self.qty.abs());
        let direction = if self.qty.is_sign_positive() { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
        let realized = (price - self.entry) * closed * direction;
        let before = self.qty;
        self.qty += signed;
        if !self.qty.is_zero() && before.is_sign_positive() != self.qty.is_sign_positive() {
            self.entry = price;
        }
        realized
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn entry_quantity_and_realised_profit_follow_the_average_entry_rules(
        steps in prop::collection::vec((any::<bool>(), 1_i64..5_000, 1_000_000_i64..10_000_000), 1..40)
    ) {
        let mut bench = Bench::with(snapshot("1000000", Vec::new(), 1_000));
        let mut oracle = Oracle::default();
        let mut wallet = dec(usdt("1000000").raw());
        for (index, (buy, thousandths, cents)) in steps.iter().enumerate() {
            let (amount, at) = (Qty::from_raw(thousandths * 100_000), Price::from_raw(cents * 1_000_000));
            let signed = if *buy { dec(amount.raw()) } else { -dec(amount.raw()) };
            let realized = oracle.fill(signed, dec(at.raw())).round_dp(8);
            wallet += realized;
            let trade = i64::try_from(index).expect("few") + 1;
            let side = if *buy { Side::Buy } else { Side::Sell };
            let mut one = fill(btc(), trade, side, "1", "1", "0", 2_000 + trade);
            (one.qty, one.price, one.realized) = (amount, at, Usdt::parse(&realized.to_string()).expect("fits"));
            bench.give(PositionIn::Update(filled(one, entry_role())), 2_000 + trade);
            let frame = bench.frame();
            let held = frame.position(btc(), PositionSide::Both);
            prop_assert_eq!(held.map(|p| dec(p.qty.raw())).unwrap_or_default(), oracle.qty);
            if let Some(held) = held {
                prop_assert!((dec(held.entry.raw()) - oracle.entry).abs() <= Decimal::new(trade, 8), "{} {}", held.entry, oracle.entry);
            }
            prop_assert_eq!(dec(frame.wallet.raw()), wallet);
        }
        prop_assert!(bench.notices().is_empty(), "{:?}", bench.notices());
    }
}

#[test]
fn a_fill_told_twice_counts_once() {
    let mut bench = Bench::new();
    let one = filled(fill(btc(), 7, Side::Buy, "0.1", "60000", "0", 2_000), entry_role());
    bench.give(PositionIn::Update(one.clone()), 2_000);
    let before = bench.frame();
    bench.give(PositionIn::Update(one), 2_001);
    let after = bench.frame();
    assert_eq!((before.wallet, &before.positions), (after.wallet, &after.positions));
}

#[test]
fn trades_of_the_same_number_on_two_symbols_are_two_trades() {
    let mut bench = Bench::new();
    bench.give(PositionIn::Update(filled(fill(btc(), 7, Side::Buy, "0.1", "60000", "0", 2_000), entry_role())), 2_000);
    bench.give(PositionIn::Update(filled(fill(eth(), 7, Side::Buy, "1", "3000", "0", 2_000), entry_role())), 2_000);
    assert_eq!(bench.frame().positions.len(), 2);
}

#[test]
fn crossing_zero_ends_one_round_trip_and_opens_the_rest_at_the_fill_price() {
    let mut bench = Bench::new();
    bench.give(PositionIn::Update(filled(fill(btc(), 1, Side::Buy, "0.2", "50000", "0", 2_000), entry_role())), 2_000);
    let mut turn = fill(btc(), 2, Side::Sell, "0.5", "51000", "200", 3_000);
    turn.fee = usdt("12.75");
    bench.give(PositionIn::Update(filled(turn, exit_role(ExitReason::Signal))), 3_000);
    let trips = bench.trips();
    assert_eq!(trips.len(), 1);
    let trip = &trips[0];
    assert_eq!((trip.long, trip.qty, trip.entry, trip.exit), (true, qty("0.2"), price("50000"), price("51000")));
    assert_eq!((trip.realized, trip.fees, trip.reason), (usdt("200"), usdt("5.1"), ExitReason::Signal));
    let frame = bench.frame();
    let rest = frame.position(btc(), PositionSide::Both).expect("rest");
    assert_eq!((rest.qty, rest.entry, rest.fees), (qty("-0.3"), price("51000"), usdt("7.65")));
    assert_eq!(frame.wallet, usdt("10187.25"));
}

#[test]
fn hedge_mode_keeps_a_long_and_a_short_apart() {
    let mut bench = Bench::new();
    for (trade, side, leg) in [(1, Side::Buy, PositionSide::Long), (2, Side::Sell, PositionSide::Short)] {
        let mut one = fill(btc(), trade, side, "0.1", "50000", "0", 2_000);
        one.position_side = leg;
        bench.give(PositionIn::Update(filled(one, entry_role())), 2_000);
    }
    let frame = bench.frame();
    assert_eq!(frame.position(btc(), PositionSide::Long).expect("long").qty, qty("0.1"));
    assert_eq!(frame.position(btc(), PositionSide::Short).expect("short").qty, qty("-0.1"));
}

#[test]
fn realised_profit_that_our_arithmetic_cannot_confirm_is_booked_and_reported() {
    let mut bench = Bench::new();
    bench.give(PositionIn::Update(filled(fill(btc(), 1, Side::Buy, "0.1", "50000", "0", 2_000), entry_role())), 2_000);
    let wrong = filled(fill(btc(), 2, Side::Sell, "0.1", "51000", "101", 3_000), exit_role(ExitReason::Signal));
    bench.give(PositionIn::Update(wrong), 3_000);
    assert_eq!(bench.notices(), ["REALIZED_DIFFERS"]);
    assert_eq!(bench.frame().wallet, usdt("10101"));
}

#[test]
fn a_fee_in_another_asset_stays_out_of_the_ledger_and_is_reported() {
    let mut bench = Bench::new();
    let mut one = fill(btc(), 1, Side::Buy, "0.1", "50000", "0", 2_000);
    (one.fee, one.fee_in_usdt) = (usdt("0.004"), false);
    bench.give(PositionIn::Update(filled(one, entry_role())), 2_000);
    assert_eq!(bench.frame().wallet, usdt("10000"));
    assert_eq!(bench.notices(), ["FEE_NOT_USDT"]);
}

#[test]
fn losing_trades_in_a_row_are_counted_after_fees_and_end_with_a_gain() {
    let mut bench = Bench::new();
    let mut trade = 0;
    let mut round = |bench: &mut Bench, exit: &str, realized: &str, fee: &str| {
        for (side, at, won, role) in
            [(Side::Buy, "50000", "0", entry_role()), (Side::Sell, exit, realized, exit_role(ExitReason::StopLoss))]
        {
            trade += 1;
            let mut one = fill(btc(), trade, side, "0.1", at, won, 2_000 + trade);
            one.fee = usdt(fee);
            bench.give(PositionIn::Update(filled(one, role)), 2_000 + trade);
        }
        bench.frame().records[&(ema(), btc())]
    };
    assert_eq!(round(&mut bench, "49000", "-100", "1").losses_in_a_row, 1);
    let second = round(&mut bench, "50010", "1", "1");
    assert_eq!((second.losses_in_a_row, second.trades), (2, 2), "a gain that the fees eat is a loss");
    let third = round(&mut bench, "51000", "100", "1");
    assert_eq!((third.losses_in_a_row, third.realized), (0, usdt("-5")));
}
