//! Funding and other payments: told twice, booked once.

use crate::build::*;
use fulmar_domain::order::{MarginMode, PositionSide, Side};
use fulmar_domain::position::margin::funding_payment;
use fulmar_domain::position::node::PositionIn;
use fulmar_domain::record::LedgerAccount;

const HOUR: i64 = 28_800_000;

fn bench() -> Bench {
    let cross = |symbol, amount, entry| venue_position(symbol, amount, entry, MarginMode::Cross, "0");
    Bench::with(snapshot("10000", vec![cross(btc(), "0.1", "60000"), cross(eth(), "-1", "3000")], 1_000))
}
/// Cross: the stream sends the balance alone.
fn stream(wallet: &str, change: &str) -> PositionIn {
    PositionIn::Account(wallet_event("FUNDING_FEE", wallet, change, Vec::new(), HOUR + 20))
}
fn record(id: i64, symbol: &str, amount: &str) -> PositionIn {
    PositionIn::Income(income(id, "FUNDING_FEE", Some(sym(symbol)), amount, HOUR))
}

#[test]
fn funding_is_booked_once_and_attributed_whatever_comes_first() {
    let stream_btc = || stream("9999.4", "-0.6");
    let stream_eth = || stream("9999.7", "0.3");
    let (record_btc, record_eth) = (|| record(1, "BTCUSDT", "-0.6"), || record(2, "ETHUSDT", "0.3"));
    let orders: [[PositionIn; 4]; 5] = [
        [stream_btc(), stream_eth(), record_btc(), record_eth()],
        [record_btc(), record_eth(), stream_btc(), stream_eth()],
        [record_btc(), stream_btc(), stream_eth(), record_eth()],
        [stream_btc(), record_eth(), record_btc(), stream_eth()],
        [stream_btc(), record_btc(), record_eth(), stream_eth()],
    ];
    for (index, order) in orders.into_iter().enumerate() {
        let mut bench = bench();
        for input in order {
            bench.give(input.clone(), HOUR + 30);
            if matches!(input, PositionIn::Income(_)) {
                bench.give(input, HOUR + 31);
            }
        }
        let frame = bench.frame();
        assert_eq!(frame.wallet, usdt("9999.7"), "order {index}");
        assert_eq!(bench.node.balance(LedgerAccount::Funding), usdt("0.3"), "order {index}");
        assert_eq!(frame.position(btc(), PositionSide::Both).expect("btc").funding, usdt("-0.6"), "order {index}");
        assert_eq!(frame.position(eth(), PositionSide::Both).expect("eth").funding, usdt("0.3"), "order {index}");
        assert!(bench.mismatches().is_empty());
    }
}

#[test]
fn one_streamed_balance_for_two_symbols_matches_both_records() {
    let mut bench = bench();
    bench.give(stream("9999.7", "-0.3"), HOUR + 20);
    bench.give(record(1, "BTCUSDT", "-0.6"), HOUR + 30).give(record(2, "ETHUSDT", "0.3"), HOUR + 30);
    let frame = bench.frame();
    assert_eq!((frame.wallet, bench.node.balance(LedgerAccount::Funding)), (usdt("9999.7"), usdt("0.3")));
    assert_eq!(frame.position(btc(), PositionSide::Both).expect("btc").funding, usdt("-0.6"));
}

#[test]
fn isolated_funding_names_its_symbol_and_needs_no_record() {
    let held = || venue_position(btc(), "0.1", "60000", MarginMode::Isolated, "600");
    let mut bench = Bench::with(snapshot("10000", vec![held()], 1_000));
    let mut after = held();
    after.isolated_wallet = usdt("599.4");
    bench.give(PositionIn::Account(wallet_event("FUNDING_FEE", "9999.4", "-0.6", vec![after], HOUR)), HOUR);
    bench.give(record(1, "BTCUSDT", "-0.6"), HOUR + 10);
    let frame = bench.frame();
    assert_eq!((frame.positions[0].funding, frame.positions[0].isolated_wallet), (usdt("-0.6"), usdt("599.4")));
    assert_eq!(frame.wallet, usdt("9999.4"));
}

#[test]
fn realised_profit_and_commission_records_are_not_booked_again() {
    let mut bench = Bench::new();
    let mut one = fill(btc(), 1, Side::Buy, "0.1", "50000", "0", 2_000);
    one.fee = usdt("2.5");
    bench.give(PositionIn::Update(filled(one, entry_role())), 2_000);
    bench.give(PositionIn::Income(income(5, "COMMISSION", Some(btc()), "-2.5", 2_000)), 2_010);
    assert_eq!(bench.frame().wallet, usdt("9997.5"));
}

#[test]
fn a_deposit_is_no_profit() {
    let mut bench = Bench::new();
    bench.give(PositionIn::Account(wallet_event("DEPOSIT", "15000", "5000", Vec::new(), 5_000)), 5_000);
    bench.give(PositionIn::Income(income(1, "TRANSFER", None, "5000", 5_000)), 5_100);
    let frame = bench.frame();
    assert_eq!((frame.wallet, frame.day_start_equity, frame.peak_equity), (usdt("15000"), usdt("15000"), usdt("15000")));
}

#[test]
fn a_long_pays_when_the_rate_is_positive() {
    assert_eq!(funding_payment(qty("0.1"), price("60000"), ratio("0.0001")), Ok(usdt("-0.6")));
    assert_eq!(funding_payment(qty("-0.1"), price("60000"), ratio("0.0001")), Ok(usdt("0.6")));
}

#[test]
fn a_withdrawal_is_no_loss() {
    let mut bench = Bench::new();
    bench.give(PositionIn::Account(wallet_event("WITHDRAW", "5000", "-5000", Vec::new(), 5_000)), 5_000);
    let frame = bench.frame();
    assert_eq!((frame.wallet, frame.day_start_equity, frame.peak_equity), (usdt("5000"), usdt("5000"), usdt("5000")));
}

#[test]
fn two_records_that_come_before_one_streamed_balance_are_both_matched() {
    let mut bench = bench();
    bench.give(record(1, "BTCUSDT", "-0.6"), HOUR + 10).give(record(2, "ETHUSDT", "0.3"), HOUR + 10);
    bench.give(stream("9999.7", "-0.3"), HOUR + 20);
    assert_eq!((bench.frame().wallet, bench.node.balance(LedgerAccount::Funding)), (usdt("9999.7"), usdt("0.3")));
}
