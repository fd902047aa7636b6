//! What the frame shows: equity, day start, peak, orders, stop, facts, heard decisions, free margin.

use crate::build::*;
use fulmar_domain::account::HEARD_MAX;
use fulmar_domain::id::{ClientOrderId, DecisionId, FactSeq};
use fulmar_domain::order::{OrderKind, OrderRole, OrderStatus, OrderUpdate, Side, TimeInForce, WorkingType};
use fulmar_domain::position::node::{PositionIn, PositionNode};

fn long() -> Bench {
    let mut bench = Bench::new();
    bench.give(PositionIn::Update(filled(fill(btc(), 1, Side::Buy, "0.1", "50000", "0", 2_000), entry_role())), 2_000);
    bench
}

fn order(id: &str, role: OrderRole, kind: OrderKind, side: Side, status: OrderStatus) -> OrderUpdate {
    let mut update = filled(fill(btc(), 90, side, "0.1", "1", "0", 3_000), role);
    update.client_id = ClientOrderId::new(id);
    (update.fill, update.status, update.filled) = (None, status, qty("0"));
    (update.kind, update.decision) = (Some(kind), DecisionId(0));
    update
}

fn stop(id: &str, trigger: &str, status: OrderStatus) -> PositionIn {
    let kind = OrderKind::StopMarket { trigger: price(trigger), working: WorkingType::MarkPrice };
    PositionIn::Update(order(id, OrderRole::Stop, kind, Side::Sell, status))
}

#[test]
fn equity_follows_the_mark_and_a_mark_without_position_makes_no_frame() {
    let mut bench = long();
    bench.give(PositionIn::Mark(mark(btc(), "51000", 3_000)), 3_000);
    let frame = bench.frame();
    assert_eq!((frame.equity, frame.unrealized, frame.peak_equity), (usdt("10100"), usdt("100"), usdt("10100")));
    // Leverage 10: 5,100 / 10.
    assert_eq!(frame.available, usdt("9590"));
    let seq = frame.seq;
    bench.give(PositionIn::Mark(mark(eth(), "3000", 3_000)), 3_000);
    assert_eq!(bench.frame().seq, seq);
}

#[test]
fn the_day_starts_with_the_equity_at_midnight_and_the_peak_stays() {
    let mut bench = long();
    bench.give(PositionIn::Mark(mark(btc(), "52000", 3_000)), 3_000);
    bench.give(PositionIn::Mark(mark(btc(), "51000", 4_000)), 4_000);
    bench.give(PositionIn::Mark(mark(btc(), "49000", 86_400_000)), 86_400_000);
    let frame = bench.frame();
    assert_eq!((frame.day_start_equity, frame.peak_equity, frame.equity), (usdt("10100"), usdt("10200"), usdt("9900")));
}

#[test]
fn only_a_stop_that_lives_at_the_exchange_counts() {
    let mut bench = long();
    assert_eq!(bench.frame().positions[0].stop, None);
    bench.give(stop("S-1", "49000", OrderStatus::Pending), 3_000);
    assert_eq!(bench.frame().positions[0].stop, None);
    bench.give(stop("S-1", "49000", OrderStatus::New), 3_000);
    assert_eq!(bench.frame().positions[0].stop, Some(price("49000")));
    bench.give(stop("S-1", "49000", OrderStatus::Canceled), 3_001);
    assert_eq!(bench.frame().positions[0].stop, None);
    bench.give(stop("S-1", "49000", OrderStatus::New), 3_002);
    assert_eq!(bench.frame().positions[0].stop, None, "an ended order does not come back");
}

#[test]
fn an_order_never_goes_back_in_its_life() {
    let mut bench = long();
    bench.give(stop("S-1", "49000", OrderStatus::Triggered), 3_000).give(stop("S-1", "49000", OrderStatus::New), 3_001);
    assert_eq!(bench.frame().orders[0].status, OrderStatus::Triggered);
}

#[test]
fn standing_entries_take_their_margin_from_what_is_available() {
    let mut bench = Bench::new();
    let kind = OrderKind::Limit { price: price("40000"), tif: TimeInForce::Gtc };
    bench.give(PositionIn::Update(order("E-1", entry_role(), kind, Side::Buy, OrderStatus::New)), 3_000);
    // 0.1 · 40,000 / 10
    assert_eq!(bench.frame().available, usdt("9600"));
}

#[test]
fn each_order_or_fill_is_a_fact_of_its_desk_and_only_of_it() {
    let mut bench = long();
    assert_eq!(bench.frame().fact(ema(), btc()), FactSeq(1));
    bench.give(stop("S-1", "49000", OrderStatus::New), 3_000);
    assert_eq!((bench.frame().fact(ema(), btc()), bench.frame().fact(ema(), eth())), (FactSeq(2), FactSeq(0)));
}

#[test]
fn a_decision_is_heard_with_its_first_fact_and_the_memory_of_it_is_bounded() {
    let mut bench = Bench::new();
    for number in 1..=300_u64 {
        let mut update = order(&format!("E-{number}"), entry_role(), OrderKind::Market, Side::Buy, OrderStatus::Pending);
        update.decision = DecisionId(number);
        bench.give(PositionIn::Update(update.clone()), 3_000).give(PositionIn::Update(update), 3_000);
    }
    let heard = &bench.frame().heard;
    assert_eq!(heard.len(), HEARD_MAX);
    assert_eq!((heard.first(), heard.last()), (Some(&DecisionId(45)), Some(&DecisionId(300))));
}

#[test]
fn nothing_is_known_before_a_snapshot() {
    let node = PositionNode::default();
    assert!(!node.frame().expect("empty").known);
}

#[test]
fn a_fact_that_does_not_fit_halts_instead_of_wrapping() {
    let mut bench = Bench::new();
    let mut huge = fill(btc(), 5, Side::Buy, "90000000000", "90000000000", "0", 2_000);
    huge.fee = usdt("1");
    bench.give(PositionIn::Update(filled(huge, entry_role())), 2_000);
    assert_eq!(bench.mismatches().len(), 1);
}
