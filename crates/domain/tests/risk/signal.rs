//! The operator's signal through the same rules.

use crate::build::*;
use fulmar_domain::control::Signal;
use fulmar_domain::gate::{GateState, GateWord};
use fulmar_domain::id::{DecisionId, StrategyId};
use fulmar_domain::node::Node;
use fulmar_domain::order::{ExitReason, Purpose, Side};
use fulmar_domain::risk::ProtectiveAction;
use fulmar_domain::risk::node::{RiskIn, RiskNode, RiskOut};
use fulmar_domain::time::{Now, Timestamp};

fn signal() -> Signal {
    Signal {
        decision: DecisionId(5),
        symbol: btc(),
        side: Side::Buy,
        leverage: 5,
        size_percent: ratio("0.1"),
        stop: Some(price("49000")),
        take_profit: Some(price("52000")),
        price: None,
        strategy: None,
    }
}
fn verdict(node: &mut RiskNode, signal: Signal) -> RiskOut {
    let mut out = Vec::new();
    let gate = GateWord { state: GateState::Open, epoch: 1 };
    node.on(&RiskIn::Signal { signal, gate }, Now::both(Timestamp(START)), &mut out);
    out.remove(0)
}

#[test]
fn a_signal_is_sized_by_equity_and_carries_its_protection() {
    let RiskOut::Approved(approved) = verdict(&mut World::new().node(), signal()) else { panic!("refused") };
    let intent = approved.intent();
    assert_eq!((intent.qty, intent.strategy, intent.decision), (qty("0.02"), StrategyId::operator(), DecisionId(5)));
    let Purpose::Entry { protection: Some(protection) } = &intent.purpose else { panic!("entry") };
    assert_eq!((protection.stop, protection.targets[0].price), (price("49000"), price("52000")));
}

#[test]
fn leverage_50_with_80_percent_of_equity_is_refused_for_its_leverage() {
    let wild = Signal { leverage: 50, size_percent: ratio("0.8"), ..signal() };
    let out = verdict(&mut World::new().node(), wild);
    assert_eq!(codes(&out).first().map(String::as_str), Some("LEVERAGE_TOO_HIGH"));
}

#[test]
fn a_signal_without_stop_or_without_known_account_is_refused() {
    let out = verdict(&mut World::new().node(), Signal { stop: None, ..signal() });
    assert_eq!(codes(&out).first().map(String::as_str), Some("STOP_REQUIRED"));
    let mut blind = World::new();
    blind.frame = None;
    assert!(codes(&verdict(&mut blind.node(), signal())).contains(&"UNKNOWN_ACCOUNT".to_owned()));
}

#[test]
fn size_zero_closes_what_stands() {
    let mut world = World::new();
    world.account().positions.push(position(btc(), "-0.03", "50000"));
    let out = verdict(&mut world.node(), Signal { size_percent: ratio("0"), stop: None, ..signal() });
    let RiskOut::Protect(token) = out else { panic!("{out:?}") };
    let ProtectiveAction::Exit(intent) = token.action() else { panic!("exit") };
    assert_eq!((intent.side, intent.qty), (Side::Buy, qty("0.03")));
    assert_eq!(intent.purpose, Purpose::Exit { reason: ExitReason::Operator });
}
