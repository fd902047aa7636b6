//! Approvals, reservations, exits, locks and overrides.

use crate::build::*;
use fulmar_domain::account::{AccountFrame, TrackRecord};
use fulmar_domain::gate::{GateState, GateWord};
use fulmar_domain::id::{DecisionId, FactSeq};
use fulmar_domain::market::{FeedState, FeedStatus};
use fulmar_domain::node::Node;
use fulmar_domain::order::{CancelIntent, MarginMode, OrderIntent, OrderRole, PositionSide, Side};
use fulmar_domain::record::Record;
use fulmar_domain::risk::node::{RiskIn, RiskNode, RiskOut};
use fulmar_domain::risk::{Limit, ProtectiveAction, RiskLimits, StrategyLimits};
use fulmar_domain::time::{Now, Timestamp};
use std::sync::Arc;

fn give(node: &mut RiskNode, input: RiskIn, at: i64) -> Vec<RiskOut> {
    let mut out = Vec::new();
    node.on(&input, Now::both(Timestamp(at)), &mut out);
    out
}
fn numbered(number: u64) -> OrderIntent {
    OrderIntent { decision: DecisionId(number), qty: qty(&format!("0.0{}", 10 + number)), ..entry() }
}

#[test]
fn an_approval_holds_the_intent_the_gates_epoch_and_the_reservation() {
    let RiskOut::Approved(approved) = World::new().verdict() else { panic!("refused") };
    assert_eq!((approved.intent(), approved.gate_epoch(), approved.reserved()), (&entry(), 77, usdt("200.5")));
}

#[test]
fn a_gate_that_knows_nothing_refuses_every_entry_and_every_exit() {
    let mut node = RiskNode::default();
    for intent in [entry(), exit(Side::Sell, "0.01")] {
        assert!(matches!(ask(&mut node, &intent, GateState::Open, START), RiskOut::Refused(_)));
    }
}

#[test]
fn margin_of_orders_in_flight_is_reserved_until_the_frame_has_heard_of_them() {
    let mut world = World::new();
    world.account().available = usdt("300");
    let mut node = world.node();
    assert!(matches!(ask(&mut node, &numbered(1), GateState::Open, START), RiskOut::Approved(_)));
    assert_eq!(codes(&ask(&mut node, &world.intent, GateState::Open, START)), ["INSUFFICIENT_MARGIN"]);
    let mut heard = world.frame.clone().expect("frame");
    heard.heard = vec![DecisionId(1)];
    give(&mut node, RiskIn::Account(Arc::new(heard)), START);
    assert_eq!(node.reserved(), usdt("0"));
    assert!(matches!(ask(&mut node, &world.intent, GateState::Open, START), RiskOut::Approved(_)));
}

#[test]
fn a_voided_or_forgotten_approval_frees_its_reservation() {
    let mut node = World::new().node();
    ask(&mut node, &numbered(1), GateState::Open, START);
    give(&mut node, RiskIn::Voided(DecisionId(1)), START);
    assert_eq!(node.reserved(), usdt("0"));
    ask(&mut node, &numbered(2), GateState::Open, START);
    assert!(node.reserved().is_positive());
    ask(&mut node, &numbered(3), GateState::Open, START + 60_001);
    assert_eq!(node.reserved(), usdt("0"), "the third is refused for its old mark; the second has run out");
}

#[test]
fn orders_in_flight_count_as_filled_for_exposure_positions_and_orders() {
    let mut world = World::new();
    world.limits.gross_exposure_max = Limit::At(ratio("0.15"));
    world.before.push((START, numbered(1)));
    assert_eq!(world.codes(), ["GROSS_EXPOSURE"]);
    world.limits = RiskLimits { orders_max: Limit::At(1), ..RiskLimits::default() };
    assert_eq!(world.codes(), ["MAX_ORDERS"]);
}

#[test]
fn standing_entry_orders_count_as_filled() {
    let mut world = World::new();
    world.limits.net_exposure_max = Limit::At(ratio("0.15"));
    let role = OrderRole::Entry { protection: protection("49000") };
    world.account().orders.push(order(btc(), role, Side::Buy, "0.02", "50000"));
    assert_eq!(world.codes(), ["NET_EXPOSURE"]);
}

#[test]
fn an_exit_passes_whatever_forbids_entries() {
    for gate in [GateState::Open, GateState::ReduceOnly, GateState::Halted] {
        let mut world = World::new();
        (world.gate, world.frozen, world.mark, world.brackets) = (gate, true, None, None);
        world.feed = Some(FeedStatus { symbol: btc(), state: FeedState::Stale });
        world.limits.orders_max = Limit::At(1);
        world.limits.positions_max = Limit::At(1);
        let account = world.account();
        account.equity = usdt("1");
        account.available = usdt("0");
        account.positions = vec![position(btc(), "0.02", "50000"), position(eth(), "1", "3000")];
        account.orders.push(order(btc(), OrderRole::Stop, Side::Sell, "0.02", "49000"));
        account.facts.insert((ema(), btc()), FactSeq(9));
        let streak = TrackRecord { trades: 9, losses_in_a_row: 9, realized: usdt("-900"), last_close: Timestamp(START) };
        account.records.insert((ema(), btc()), streak);
        world.intent = exit(Side::Sell, "0.02");
        world.intent.leverage = 99;
        let RiskOut::Protect(token) = world.verdict() else { panic!("{:?}", world.codes()) };
        assert_eq!(token.action(), &ProtectiveAction::Exit(world.intent.clone()));
    }
}

#[test]
fn an_exit_that_does_not_reduce_is_refused() {
    let tries = [(Side::Buy, "0.02"), (Side::Sell, "0.03")];
    for (side, amount) in tries {
        let mut world = World::new();
        world.account().positions.push(position(btc(), "0.02", "50000"));
        world.intent = exit(side, amount);
        assert_eq!(world.codes(), ["NOT_REDUCING"]);
    }
    let mut short = World::new();
    short.account().positions.push(position(btc(), "-0.02", "50000"));
    short.intent = exit(Side::Buy, "0.01");
    assert!(matches!(short.verdict(), RiskOut::Protect(_)));
    short.intent.position_side = PositionSide::Short;
    assert_eq!(short.codes(), ["NOT_REDUCING"], "another position than the one that stands");
}

#[test]
fn a_withdrawal_passes_a_halted_gate() {
    let intent = CancelIntent { strategy: ema(), symbol: btc(), client_id: None, decided: Timestamp(START) };
    let gate = GateWord { state: GateState::Halted, epoch: 1 };
    let out = give(&mut RiskNode::default(), RiskIn::Cancel { intent, gate }, START);
    let [RiskOut::Protect(token)] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(token.action(), &ProtectiveAction::Cancel(intent));
}

#[test]
fn a_stale_feed_or_a_gap_stops_entries_until_it_is_repaired() {
    for (state, passes) in [(FeedState::Stale, false), (FeedState::Gap, false), (FeedState::Resynced, true), (FeedState::Up, true)] {
        let mut world = World::new();
        world.feed = Some(FeedStatus { symbol: btc(), state });
        assert_eq!(world.codes().is_empty(), passes, "{state:?}");
    }
}

#[test]
fn staleness_and_rate_run_on_the_protocol_clock_and_cooldown_on_the_market_clock() {
    let mut world = World::new();
    world.limits.cooldown = Limit::At(fulmar_domain::time::Span::minutes(1));
    world.record(TrackRecord { trades: 1, last_close: Timestamp(START), ..TrackRecord::default() });
    let mut node = world.node();
    let mut verdict = |market: i64, protocol: i64| {
        let mut out = Vec::new();
        let now = Now { market: Timestamp(market), protocol: Timestamp(protocol) };
        let gate = GateWord { state: GateState::Open, epoch: 1 };
        node.on(&RiskIn::Intent { intent: entry(), gate }, now, &mut out);
        codes(&out[0])
    };
    assert_eq!(verdict(START + 59_999, START + 1_000), ["COOLDOWN"]);
    assert_eq!(verdict(START + 600_000, START + 5_001), ["DATA_STALE"]);
    assert!(verdict(START + 600_000, START + 1_000).is_empty());
}

#[test]
fn a_strategys_own_limit_replaces_the_engines_but_never_lifts_its_leverage() {
    let mut world = World::new();
    let own = StrategyLimits { leverage_max: Some(20), risk_per_trade_max: Some(Limit::At(ratio("0.001"))), ..StrategyLimits::default() };
    world.limits.strategies.insert(ema(), own);
    world.intent.leverage = 11;
    let codes = world.codes();
    assert_eq!(codes, ["LEVERAGE_TOO_HIGH", "RISK_PER_TRADE"]);
}

#[test]
fn rules_can_be_switched_off() {
    let mut world = World::new();
    (world.account().equity, world.account().peak_equity) = (usdt("5000"), usdt("10000"));
    world.record(TrackRecord { trades: 9, losses_in_a_row: 9, realized: usdt("-9"), last_close: Timestamp(START) });
    assert_eq!(world.codes(), ["DAILY_LOSS", "DRAWDOWN", "CONSECUTIVE_LOSSES"]);
    world.limits = RiskLimits { daily_loss_max: Limit::OFF, drawdown_max: Limit::OFF, consecutive_losses: Limit::OFF, ..world.limits };
    assert!(world.codes().is_empty());
}

#[test]
fn an_unlock_forgives_the_past_and_later_losses_lock_again() {
    let mut world = World::new();
    world.record(TrackRecord { trades: 6, losses_in_a_row: 6, realized: usdt("-9"), last_close: Timestamp(START - 10) });
    let mut node = world.node();
    assert_eq!(node.locks(Timestamp(START)).len(), 1);
    assert_eq!(codes(&ask(&mut node, &entry(), GateState::Open, START)), ["CONSECUTIVE_LOSSES"]);
    give(&mut node, RiskIn::Unlock { symbol: btc() }, START);
    assert!(node.locks(Timestamp(START)).is_empty());
    assert!(matches!(ask(&mut node, &entry(), GateState::Open, START), RiskOut::Approved(_)));
    world.record(TrackRecord { trades: 7, losses_in_a_row: 7, realized: usdt("-10"), last_close: Timestamp(START + 10) });
    give(&mut node, RiskIn::Account(Arc::new(world.frame.clone().expect("frame"))), START + 10);
    assert!(codes(&ask(&mut node, &entry(), GateState::Open, START + 2_000)).contains(&"CONSECUTIVE_LOSSES".to_owned()));
}

#[test]
fn crossing_zero_needs_margin_for_the_opening_part_only() {
    let mut world = World::new();
    world.account().positions.push(position(btc(), "-0.01", "50000"));
    // 0.01 opens: 500 / 5 of margin and 0.5 of fee for the whole.
    world.account().available = usdt("100.5");
    assert!(world.codes().is_empty(), "{:?}", world.codes());
    world.account().available = usdt("100.49");
    assert_eq!(world.codes(), ["INSUFFICIENT_MARGIN"]);
}

#[test]
fn liquidation_before_the_stop_is_refused() {
    let mut world = World::new();
    world.stop("40000");
    world.limits.risk_per_trade_max = Limit::OFF;
    assert_eq!(world.codes(), ["LIQUIDATION_DISTANCE"]);
}

#[test]
fn in_cross_mode_the_other_positions_brackets_are_needed() {
    let mut world = World::new();
    world.intent.margin_mode = MarginMode::Cross;
    assert!(world.codes().is_empty(), "{:?}", world.codes());
    let mut other = position(eth(), "1", "3000");
    other.margin_mode = MarginMode::Cross;
    world.account().positions.push(other);
    let codes = world.codes();
    assert!(codes.contains(&"LIQUIDATION_DISTANCE".to_owned()), "{codes:?}");
}

#[test]
fn the_notional_of_the_day_survives_a_restart() {
    let mut world = World::new();
    world.limits.notional_per_day = Limit::At(ratio("0.15"));
    let mut node = world.node();
    let planned = fulmar_domain::order::VenueOrder {
        intent: fulmar_domain::id::IntentSeq(1),
        client_id: fulmar_domain::id::ClientOrderId::new("A-1").expect("id"),
        decision: DecisionId(9),
        strategy: ema(),
        symbol: btc(),
        side: Side::Buy,
        position_side: PositionSide::Both,
        kind: fulmar_domain::order::OrderKind::Market,
        qty: qty("0.02"),
        reduce_only: false,
        close_position: false,
        role: OrderRole::Entry { protection: protection("49000") },
        decided: Timestamp(START),
    };
    let raised = OrderIntent { decision: DecisionId(9), ..entry() };
    node.restore([Record::IntentRaised(raised), Record::OrderPlanned(planned)].iter());
    assert_eq!(codes(&ask(&mut node, &entry(), GateState::Open, START)), ["NOTIONAL_PER_DAY"]);
    // The next UTC day counts from zero.
    give(&mut node, RiskIn::Mark(mark(btc(), "50000", "0.0001")), START + 86_400_000);
    assert!(matches!(ask(&mut node, &entry(), GateState::Open, START + 86_400_000), RiskOut::Approved(_)));
}

#[test]
fn without_equity_nothing_is_entered() {
    let mut world = World::new();
    let frame = AccountFrame { known: true, ..AccountFrame::default() };
    world.frame = Some(frame);
    assert_eq!(world.codes().first().map(String::as_str), Some("UNKNOWN_ACCOUNT"));
}

#[test]
fn adding_reckons_the_liquidation_price_with_the_average_entry() {
    let mut world = World::new();
    let mut held = position(btc(), "0.02", "40000");
    held.mark = price("50000");
    world.account().positions.push(held);
    // 0.04 at 45,000 with 160 + 200 of margin: (360 − 1800) / (0.04 · 0.004 − 0.04) = 36,144.58, 27.71 % below mark.
    world.limits.liquidation_distance_min = ratio("0.2771");
    assert!(world.codes().is_empty(), "{:?}", world.codes());
    world.limits.liquidation_distance_min = ratio("0.2772");
    assert_eq!(world.codes(), ["LIQUIDATION_DISTANCE"]);
}
