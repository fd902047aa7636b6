//! Our books and the exchange's: natural delays are tolerated, real differences are found, snapshots are adopted.

use crate::build::*;
use fulmar_domain::id::StrategyId;
use fulmar_domain::order::{ExitReason, MarginMode, PositionSide, Side};
use fulmar_domain::position::node::PositionIn;
use fulmar_domain::record::LedgerAccount;

fn bought() -> PositionIn {
    let mut one = fill(btc(), 1, Side::Buy, "0.1", "50000", "0", 2_000);
    one.fee = usdt("2.5");
    PositionIn::Update(filled(one, entry_role()))
}
fn told() -> PositionIn {
    let position = venue_position(btc(), "0.1", "50000", MarginMode::Isolated, "500");
    PositionIn::Account(wallet_event("ORDER", "9997.5", "0", vec![position], 2_000))
}
fn tick(time: i64) -> PositionIn {
    PositionIn::Mark(mark(btc(), "50000", time))
}

#[test]
fn account_and_order_reports_may_come_in_either_order() {
    for inputs in [[bought(), told()], [told(), bought()]] {
        let mut bench = Bench::new();
        for input in inputs {
            bench.give(input, 2_000);
        }
        bench.give(tick(60_000), 60_000);
        assert!(bench.mismatches().is_empty(), "{:?}", bench.mismatches());
    }
}

#[test]
fn a_wallet_that_stays_different_is_told_once_after_the_grace() {
    let mut bench = Bench::new();
    bench.give(bought(), 2_000).give(told(), 2_000);
    bench.give(PositionIn::Account(wallet_event("ORDER", "9990", "0", Vec::new(), 3_000)), 3_000);
    bench.give(tick(8_000), 8_000);
    assert!(bench.mismatches().is_empty(), "within the grace");
    bench.give(tick(8_001), 8_001).give(tick(20_000), 20_000);
    let found = bench.mismatches();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("9997.5") && found[0].contains("9990"), "{found:?}");
}

#[test]
fn a_fill_that_never_reaches_us_is_a_mismatch_of_quantity() {
    let mut bench = Bench::new();
    let position = venue_position(btc(), "0.1", "50000", MarginMode::Isolated, "500");
    bench.give(PositionIn::Account(wallet_event("ORDER", "10000", "0", vec![position], 2_000)), 2_000);
    bench.give(tick(9_000), 9_000);
    assert!(bench.mismatches()[0].contains("BTCUSDT"), "{:?}", bench.mismatches());
}

#[test]
fn a_snapshot_is_adopted_and_each_difference_reported() {
    let mut bench = Bench::new();
    bench.give(bought(), 2_000);
    let theirs = vec![
        venue_position(btc(), "0.3", "50500", MarginMode::Isolated, "1500"),
        venue_position(eth(), "-2", "3000", MarginMode::Cross, "0"),
    ];
    bench.give(PositionIn::Snapshot(snapshot("9000", theirs, 5_000)), 5_000);
    let frame = bench.frame();
    let ours = frame.position(btc(), PositionSide::Both).expect("btc");
    assert_eq!((ours.qty, ours.entry, ours.strategy, ours.isolated_wallet), (qty("0.3"), price("50500"), ema(), usdt("1500")));
    let foreign = frame.position(eth(), PositionSide::Both).expect("eth");
    assert_eq!((foreign.qty, foreign.strategy), (qty("-2"), StrategyId::external()));
    assert_eq!((frame.wallet, bench.node.balance(LedgerAccount::Adjustment)), (usdt("9000"), usdt("997.5")));
    assert_eq!(bench.differences().len(), 3, "{:?}", bench.differences());
    assert!(bench.mismatches().is_empty());
}

#[test]
fn a_position_gone_at_the_exchange_ends_its_round_trip() {
    let mut bench = Bench::new();
    bench.give(bought(), 2_000);
    bench.give(PositionIn::Snapshot(snapshot("9000", Vec::new(), 5_000)), 5_000);
    assert!(bench.frame().positions.is_empty());
    assert_eq!(bench.trips()[0].reason, ExitReason::External);
}

#[test]
fn an_equal_snapshot_reports_nothing() {
    let mut bench = Bench::new();
    bench.give(bought(), 2_000);
    let theirs = vec![venue_position(btc(), "0.1", "50000", MarginMode::Isolated, "500")];
    bench.give(PositionIn::Snapshot(snapshot("9997.5", theirs, 5_000)), 5_000);
    assert!(bench.differences().is_empty(), "{:?}", bench.differences());
}

#[test]
fn a_fill_from_before_the_snapshot_moves_nothing_but_names_the_owner() {
    let theirs = vec![venue_position(btc(), "0.1", "50000", MarginMode::Isolated, "500")];
    let mut bench = Bench::new();
    bench.give(PositionIn::Snapshot(snapshot("9997.5", theirs, 5_000)), 5_000);
    assert_eq!(bench.frame().positions[0].strategy, StrategyId::external());
    bench.give(bought(), 5_010);
    let frame = bench.frame();
    assert_eq!((frame.wallet, frame.positions[0].qty, frame.positions[0].strategy), (usdt("9997.5"), qty("0.1"), ema()));
    assert_eq!(bench.node.balance(LedgerAccount::Commission), usdt("2.5"), "the fee finds its account");
    assert_eq!(bench.node.balance(LedgerAccount::Adjustment), usdt("0"));
}

#[test]
fn a_liquidation_is_named_by_the_exchanges_own_order_id() {
    let mut bench = Bench::new();
    bench.give(bought(), 2_000);
    let mut update = filled(fill(btc(), 2, Side::Sell, "0.1", "46000", "-400", 3_000), entry_role());
    update.client_id = fulmar_domain::id::ClientOrderId::new("autoclose-123");
    (update.role, update.strategy) = (None, StrategyId::external());
    bench.give(PositionIn::Update(update), 3_000);
    assert_eq!(bench.trips()[0].reason, ExitReason::Liquidation);
    assert_eq!(bench.trips()[0].strategy, ema());
}

#[test]
fn a_poll_compares_and_adopts_nothing() {
    let mut bench = Bench::new();
    bench.give(bought(), 2_000);
    bench.give(PositionIn::Polled(snapshot("9000", Vec::new(), 5_000)), 5_000);
    assert_eq!((bench.frame().wallet, bench.frame().positions.len()), (usdt("9997.5"), 1));
    bench.give(tick(11_000), 11_000);
    assert_eq!(bench.mismatches().len(), 1);
    let theirs = vec![venue_position(btc(), "0.1", "50000", MarginMode::Isolated, "500")];
    bench.give(PositionIn::Polled(snapshot("9997.5", theirs, 12_000)), 12_000).give(tick(20_000), 20_000);
    assert_eq!(bench.mismatches().len(), 1, "equal again");
}
