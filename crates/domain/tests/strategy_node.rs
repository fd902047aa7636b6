//! What the strategy node promises whatever the strategy: one decision at a time, exits first, nothing while paused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod strategy_rig;

use std::sync::Arc;

use fulmar_domain::account::OrderView;
use fulmar_domain::control::Command;
use fulmar_domain::gate::GateState;
use fulmar_domain::id::DecisionId;
use fulmar_domain::indicator::{IndicatorNode, IndicatorSpec, Layout};
use fulmar_domain::market::WarmupBars;
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::node::Node;
use fulmar_domain::num::{Qty, Ratio, Rounding, Usdt, notional};
use fulmar_domain::order::{ExitReason, OrderIntent, OrderRole, OrderStatus, Purpose, Side};
use fulmar_domain::strategy::exits::Rung;
use fulmar_domain::strategy::{SettingsError, StrategyIn, StrategyNode, StrategyOut, StrategySettings};
use fulmar_domain::time::{Now, Span, Timestamp};
use proptest::prelude::*;
use strategy_rig::{Rig, bars, btc, instrument, owner, refusal, settings, start, zigzag};

fn waves() -> Vec<Bar> {
    bars(&zigzag(6, 60, 60))
}

fn intent(out: &[StrategyOut]) -> &OrderIntent {
    match out {
        [StrategyOut::Intent(intent)] => intent,
        other => panic!("one intent expected, got {other:?}"),
    }
}

/// A rig whose venue does nothing by itself, stopped right after the bar whose decision has just left.
fn at_first_entry() -> (Rig, OrderIntent, Vec<Bar>) {
    let mut rig = Rig::new(settings());
    rig.fills = false;
    let bars = waves();
    for (i, bar) in bars.iter().enumerate() {
        if let [StrategyOut::Intent(intent)] = &rig.bar(*bar)[..] {
            let intent = intent.clone();
            return (rig, intent, bars[i + 1..].to_vec());
        }
    }
    panic!("no entry in the waves");
}

/// The same with the entry filled, run on to the bar of the opposite crossing; the exit has just left.
fn at_reversal() -> (Rig, OrderIntent, Vec<Bar>) {
    let (mut rig, entry, rest) = at_first_entry();
    rig.fill(&entry);
    assert!(rig.publish().is_empty());
    for (i, bar) in rest.iter().enumerate() {
        if let [StrategyOut::Intent(exit)] = &rig.bar(*bar)[..] {
            let exit = exit.clone();
            assert!(matches!(exit.purpose, Purpose::Exit { reason: ExitReason::Signal }));
            return (rig, exit, rest[i + 1..].to_vec());
        }
    }
    panic!("no opposite crossing in the waves");
}

#[test]
fn on_an_opposite_crossing_the_exit_goes_first_and_the_entry_follows_once_the_account_is_flat() {
    let (mut rig, exit, _) = at_reversal();
    assert_eq!(exit.qty, rig.position().unwrap().qty.abs());
    rig.account.heard.push(exit.decision);
    rig.account.heard.pop();
    assert!(rig.publish().is_empty(), "still in: nothing more leaves");
    rig.fill(&exit);
    let out = rig.publish();
    let entry = intent(&out);
    assert!(entry.is_entry() && entry.side == exit.side);
    assert_eq!(entry.seen, rig.account.fact(owner(), btc()), "the decision is made on the newest facts");
}

#[test]
fn a_waiting_entry_lapses_when_the_next_bar_closes() {
    let (mut rig, exit, rest) = at_reversal();
    assert!(rig.bar(rest[0]).is_empty());
    rig.fill(&exit);
    assert!(rig.publish().is_empty(), "too late for the entry");
}

#[test]
fn a_decision_called_out_of_date_is_made_again_on_the_newer_account_and_no_sooner() {
    let (mut rig, entry, _) = at_first_entry();
    assert!(rig.feed(refusal(&entry, "ACCOUNT_STALE")).is_empty(), "the newer fact is not known yet");
    assert!(rig.publish().is_empty(), "nor does the same account bring it");
    rig.new_fact();
    let out = rig.publish();
    let again = intent(&out);
    assert!(again.seen > entry.seen && again.decision != entry.decision);
    assert_eq!((again.side, again.qty), (entry.side, entry.qty));
}

#[test]
fn an_entry_refused_for_any_other_reason_is_not_tried_again() {
    let (mut rig, entry, rest) = at_first_entry();
    assert!(rig.feed(refusal(&entry, "LEVERAGE_TOO_HIGH")).is_empty());
    rig.new_fact();
    assert!(rig.publish().is_empty());
    assert!(rig.bar(rest[0]).is_empty());
}

#[test]
fn a_refused_exit_is_tried_again_with_the_next_bar() {
    let (mut rig, exit, rest) = at_reversal();
    assert!(rig.feed(refusal(&exit, "UNKNOWN_BRACKET")).is_empty());
    let out = rig.bar(rest[0]);
    assert!(matches!(intent(&out).purpose, Purpose::Exit { reason: ExitReason::Signal }));
}

#[test]
fn refusals_without_end_cost_a_bounded_number_of_orders_per_bar() {
    let (mut rig, mut exit, _) = at_reversal();
    for _ in 0..100 {
        rig.new_fact();
        rig.publish();
        let out = rig.feed(refusal(&exit, "ACCOUNT_STALE"));
        let Some(StrategyOut::Intent(again)) = out.first() else { break };
        exit = again.clone();
    }
    assert!(rig.intents().len() <= 8, "{} intents", rig.intents().len());
}

#[test]
fn a_decision_that_nobody_spoke_of_is_given_up_with_a_notice() {
    let (mut rig, _, rest) = at_first_entry();
    assert!(rig.bar(rest[0]).is_empty());
    let out = rig.bar(rest[1]);
    assert!(matches!(&out[..], [StrategyOut::Notice(notice)] if notice.code == "DECISION_LOST"));
}

#[test]
fn a_paused_strategy_makes_no_entry_but_leaves_on_its_signal() {
    let (mut rig, entry, rest) = at_first_entry();
    rig.fill(&entry);
    rig.publish();
    rig.fills = true;
    rig.feed(StrategyIn::Command(Command::Pause { strategy: Some(owner()) }));
    rig.run(&rest);
    let after: Vec<OrderIntent> = rig.intents().into_iter().skip(1).map(|(_, intent)| intent).collect();
    assert!(matches!(&after[..], [only] if !only.is_entry()), "{after:?}");
    rig.feed(StrategyIn::Command(Command::Resume { strategy: None }));
    assert!(!rig.node.status().paused);
}

#[test]
fn a_pause_of_another_strategy_is_none_of_ours() {
    let mut rig = Rig::new(settings());
    let other = fulmar_domain::id::StrategyId::new("other").unwrap();
    rig.feed(StrategyIn::Command(Command::Pause { strategy: Some(other) }));
    assert!(!rig.node.status().paused);
}

#[test]
fn a_shut_gate_holds_entries_and_lets_exits_pass() {
    for shut in [GateState::ReduceOnly, GateState::Halted] {
        let (mut rig, exit, rest) = at_reversal();
        rig.feed(StrategyIn::Gate(shut));
        rig.fill(&exit);
        rig.fills = true;
        assert!(rig.publish().is_empty(), "the waiting entry has lapsed");
        rig.run(&rest);
        assert_eq!(rig.entries().len(), 1);
    }
}

#[test]
fn flatten_closes_the_position_and_nothing_enters_before_the_next_signal() {
    let (mut rig, entry, _) = at_first_entry();
    let out = rig.feed(StrategyIn::Command(Command::Flatten { symbol: None }));
    assert!(matches!(&out[..], [StrategyOut::Cancel(cancel)] if cancel.symbol == btc()), "the entry on its way is withdrawn");
    rig.fill(&entry);
    let out = rig.publish();
    let exit = intent(&out);
    assert!(matches!(exit.purpose, Purpose::Exit { reason: ExitReason::Flatten }));
    let exit = exit.clone();
    rig.fill(&exit);
    assert!(rig.publish().is_empty());
}

#[test]
fn history_and_cold_frames_decide_nothing() {
    let bars = waves();
    let mut rig = Rig::new(settings());
    let shared: Arc<[Bar]> = bars[..200].into();
    let warmup = WarmupBars { symbol: btc(), timeframe: Timeframe::M1, bars: shared };
    let mut frames = Vec::new();
    rig.indicators.on(&fulmar_domain::indicator::IndicatorIn::Warmup(warmup), Now::default(), &mut frames);
    for frame in frames {
        if let fulmar_domain::indicator::IndicatorOut::Frame(frame) = frame {
            assert!(rig.feed(StrategyIn::Frame(frame)).is_empty());
        }
    }
    rig.run(&bars[200..]);
    assert!(!rig.entries().is_empty(), "live bars after history do decide");
    let mut cold = Rig::new(settings());
    cold.run(&bars[..27]);
    assert!(cold.log.is_empty(), "one warm row has no row before it to cross from");
}

#[test]
fn frames_of_other_contracts_timeframes_and_times_are_passed_over() {
    let mut rig = Rig::new(settings());
    for bar in waves() {
        rig.bar(Bar { timeframe: Timeframe::M5, open_time: fulmar_domain::time::Timestamp(bar.open_time.0 * 5), ..bar });
    }
    assert!(rig.log.is_empty());
    let (mut rig, entry, _) = at_first_entry();
    rig.fill(&entry);
    rig.publish();
    assert!(rig.bar(waves()[0]).is_empty(), "an old bar");
}

#[test]
fn an_entry_too_small_for_the_exchange_is_skipped_with_the_reason() {
    let mut rig = Rig::new(settings());
    rig.account.equity = Usdt::from_int(30).unwrap();
    rig.publish();
    rig.run(&waves());
    assert!(rig.entries().is_empty());
    let skipped =
        |out: &StrategyOut| matches!(out, StrategyOut::Notice(n) if n.code == "ENTRY_SKIPPED" && n.text.contains("smallest order"));
    assert!(!rig.log.is_empty() && rig.log.iter().all(|(_, out)| skipped(out)));
}

#[test]
fn a_node_built_anew_goes_on_from_the_next_account_frame() {
    let (mut rig, entry, rest) = at_first_entry();
    rig.fill(&entry);
    rig.publish();
    // The failure takes the node and nothing else.
    rig.node = StrategyNode::new(settings(), rig.indicators.layout(), start()).unwrap();
    rig.feed(StrategyIn::Instrument(Arc::new(instrument())));
    rig.publish();
    rig.fills = true;
    rig.run(&rest);
    let sides: Vec<Side> = rig.entries().iter().map(|(_, side)| *side).collect();
    assert_eq!(sides[..2], [Side::Buy, Side::Sell], "the opposite crossing reverses the position found");
}

#[test]
fn a_layout_without_the_indicators_is_refused_by_name() {
    let layout = Layout::new(&["ema(12)".parse().unwrap(), "rsi(14)".parse().unwrap()]);
    let missing: IndicatorSpec = "ema(26)".parse().unwrap();
    assert_eq!(StrategyNode::new(settings(), &layout, start()).unwrap_err(), [SettingsError::IndicatorNotComputed(missing)]);
}

#[test]
fn all_violations_of_the_settings_are_told_together() {
    let mut wrong: StrategySettings = settings();
    wrong.leverage = 0;
    wrong.symbols.clear();
    wrong.parameters.insert("fats".to_owned(), Ratio::ONE);
    wrong.parameters.insert("slow".to_owned(), Ratio::parse("2.5").unwrap());
    wrong.parameters.insert("stop".to_owned(), Ratio::parse("0.6").unwrap());
    let layout = IndicatorNode::new(&[]).layout().clone();
    let errors = StrategyNode::new(wrong, &layout, start()).unwrap_err();
    assert_eq!(errors.len(), 5, "{errors:?}");
}

#[test]
fn an_entry_to_be_made_again_is_dropped_when_a_position_has_appeared_meanwhile() {
    let (mut rig, entry, _) = at_first_entry();
    assert!(rig.feed(refusal(&entry, "ACCOUNT_STALE")).is_empty());
    rig.fill(&entry);
    assert!(rig.publish().is_empty());
}

#[test]
fn nothing_is_sent_while_an_order_of_ours_stands() {
    let (mut rig, entry, rest) = at_first_entry();
    let standing = OrderView {
        client_id: None,
        decision: DecisionId(77),
        strategy: owner(),
        symbol: btc(),
        side: entry.side,
        position_side: entry.position_side,
        role: Some(OrderRole::Exit { reason: ExitReason::Signal }),
        kind: Some(entry.kind),
        status: OrderStatus::Unknown,
        qty: entry.qty,
        filled: Qty::ZERO,
        updated: Timestamp(0),
    };
    rig.account.orders.push(standing.clone());
    rig.account.heard.push(entry.decision);
    rig.publish();
    rig.run(&rest);
    assert_eq!(rig.intents().len(), 1);
    rig.account.orders = vec![OrderView { role: Some(OrderRole::Stop), ..standing }];
    rig.publish();
    rig.fills = true;
    let later: Vec<Bar> = rest.iter().map(|bar| Bar { open_time: bar.open_time.plus(Span::minutes(rest.len() as i64)), ..*bar }).collect();
    rig.run(&later);
    assert!(rig.intents().len() > 1, "a protective order holds nothing up");
}

#[test]
fn a_wish_to_leave_whole_is_not_weakened_by_a_rung_reached_later() {
    let mut settings = settings();
    settings.exits.take_profit = vec![Rung { gain: Ratio::parse("0.2").unwrap(), share: Ratio::parse("0.5").unwrap() }];
    let mut rig = Rig::new(settings);
    rig.fills = false;
    let mut bars = waves().into_iter();
    let mut exit = None;
    while exit.is_none() {
        let bar = bars.next().unwrap();
        if let [StrategyOut::Intent(intent)] = &rig.bar(bar)[..] {
            if intent.is_entry() {
                let intent = intent.clone();
                rig.fill(&intent);
                rig.publish();
            } else {
                exit = Some(intent.clone());
            }
        }
    }
    let exit = exit.unwrap();
    rig.feed(refusal(&exit, "UNKNOWN_BRACKET"));
    let next = bars.next().unwrap();
    let far = next.close.times_int(2).unwrap();
    let out = rig.bar(Bar { close: far, high: far, ..next });
    assert_eq!(intent(&out).qty, exit.qty);
}

fn walk() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(-900..=900i64, 40..300).prop_map(|steps| {
        let mut price = 1_000_000;
        steps
            .iter()
            .map(|step| {
                price += step;
                price
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_inputs_give_the_same_outputs(tenths in walk()) {
        let run = || { let mut rig = Rig::new(settings()); rig.run(&bars(&tenths)); rig.log };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn later_bars_change_nothing_that_was_decided_before(tenths in walk(), poison in 1..2_000_000i64, cut in 0..300usize) {
        let cut = cut.min(tenths.len());
        let mut poisoned = tenths.clone();
        poisoned[cut..].fill(poison);
        let run = |tenths: &[i64]| {
            let mut rig = Rig::new(settings());
            rig.run(&bars(tenths));
            let before = 1_000 + cut as i64;
            rig.log.into_iter().filter(|(minute, _)| *minute < before).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(&tenths), run(&poisoned));
    }

    #[test]
    fn every_entry_is_protected_on_the_step_within_its_size_and_into_a_flat_contract(tenths in walk()) {
        let mut rig = Rig::new(settings());
        rig.run(&bars(&tenths));
        let budget = Usdt::from_int(1_000).unwrap();
        let mut held = None;
        for (_, intent) in rig.intents() {
            prop_assert!(intent.qty.is_positive() && intent.qty.is_multiple_of(instrument().step));
            match &intent.purpose {
                Purpose::Entry { protection } => {
                    prop_assert_eq!(held, None);
                    let stop = protection.as_ref().unwrap().stop;
                    prop_assert!(stop.is_multiple_of(instrument().tick));
                    prop_assert_eq!(stop < intent.reference, intent.side == Side::Buy);
                    prop_assert!(notional(intent.reference, intent.qty, Rounding::Ceil).unwrap() <= budget);
                    held = Some((intent.side, intent.qty));
                }
                Purpose::Exit { .. } => {
                    prop_assert_eq!(held, Some((intent.side.opposite(), intent.qty)));
                    held = None;
                }
            }
        }
    }
}
