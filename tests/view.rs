//! The read model without a server: exact counts, day statistics, verdicts, bounds.

mod api_rig;

use api_rig::{account, at, bar, ema_rsi, intent, position, refusal, symbol, trip, update};
use fulmar::view::shape::Verdict;
use fulmar::view::{LiveView, StrategyInfo, StrategyState, ViewConfig};
use fulmar_domain::gate::{GateOwner, GateState, GateWord};
use fulmar_domain::id::DecisionId;
use fulmar_domain::market::{MarketEvent, Timeframe};
use fulmar_domain::order::OrderStatus;
use fulmar_domain::record::Record;
use fulmar_ports::outlook::{Happening, Outlook as _};
use std::time::Duration;

fn view(bars_kept: usize) -> LiveView {
    LiveView::still(ViewConfig {
        symbols: vec![symbol("BTCUSDT")],
        strategies: vec![StrategyInfo {
            id: ema_rsi(),
            name: "EmaRsiStrategy".to_owned(),
            aliases: vec![],
            symbols: vec![symbol("BTCUSDT")],
            timeframe: Timeframe::M1,
            leverage: 3,
        }],
        columns: vec![],
        bars_kept,
        flush_every: Duration::from_millis(100),
        stream: "s".to_owned(),
    })
}

fn closed(minute: i64, close: &str) -> Happening {
    Happening::Market(MarketEvent::BarClosed(bar("BTCUSDT", minute, close)))
}

#[test]
fn counts_are_exact_even_when_the_display_is_overrun() {
    let view = view(10);
    for minute in 0..300_000 {
        view.show(closed(minute, "60000"), at(0));
    }
    let sum = view.summary();
    assert_eq!(sum.bars_total(), 300_000);
    assert!(sum.undisplayed > 0, "the display was thinned, and says so");
    view.take_up(true);
    view.show(closed(300_001, "61000"), at(0));
    view.take_up(true);
    assert_eq!(view.model().market.ticker(symbol("BTCUSDT")).and_then(|t| t.last), Some(api_rig::price("61000")), "and goes on");
}

#[test]
fn the_summary_balances_intents_and_counts_what_was_journalled() {
    let view = view(10);
    for id in 1..=3 {
        view.show(Happening::Intent(intent(id, "BTCUSDT")), at(0));
    }
    view.show(Happening::Approved(intent(1, "BTCUSDT")), at(0));
    view.show(Happening::Refused(refusal(2, &[("MAX_POSITIONS", "11", "10"), ("DRAWDOWN", "0.2", "0.15")])), at(0));
    view.show(Happening::Refused(refusal(3, &[("DRAWDOWN", "0.2", "0.15")])), at(0));
    view.show(Happening::Order(update(1, 1, "BTCUSDT", OrderStatus::Filled, Some("60000"))), at(0));
    view.show(Happening::Trade(trip("BTCUSDT", "5")), at(0));
    view.recorded(&Record::OrderVoided { decision: DecisionId(1), intent: None, cause: "gate".to_owned() });
    let sum = view.summary();
    assert_eq!(sum.intents, sum.approved + sum.refused_total());
    assert_eq!(sum.refused.get("DRAWDOWN"), Some(&1), "counted by the first rule that failed");
    assert_eq!((sum.fills, sum.round_trips.get(&symbol("BTCUSDT")), sum.voided), (1, Some(&1), (1, 0)));
    assert!(sum.to_string().contains("intents 3 = approved 1 + refused 2"), "{sum}");
}

#[test]
fn day_statistics_come_from_the_bars_where_no_ticker_comes() {
    let view = view(10);
    for minute in 0..3_000 {
        view.show(closed(minute, if minute == 100 { "99999" } else { "60000" }), at(0));
    }
    view.show(closed(3_000, "61200"), at(0));
    view.take_up(true);
    let model = view.model();
    let ticker = model.market.ticker(symbol("BTCUSDT")).expect("known");
    assert_eq!(ticker.high_24h, Some(api_rig::price("61200")), "the high of two days ago is out");
    assert_eq!(ticker.change_24h.map(|c| c.to_string()), Some("0.02".to_owned()));
    assert_eq!(model.market.bars(symbol("BTCUSDT"), Timeframe::M1, 100).len(), 10, "bounded");
}

#[test]
fn a_bar_shown_twice_is_one_bar_and_one_frame() {
    let view = view(10);
    for _ in 0..2 {
        view.show(closed(0, "60000"), at(0));
        view.take_up(true);
    }
    assert_eq!(view.model().last(fulmar::view::ring::Channel::Bars), 1);
}

#[test]
fn a_signal_is_followed_from_wish_to_order_or_void() {
    let view = view(10);
    let verdict = |id| {
        view.take_up(false);
        view.model().signal_of(DecisionId(id)).map(|s| s.verdict)
    };
    view.show(Happening::Intent(intent(1, "BTCUSDT")), at(0));
    assert_eq!(verdict(1), Some(Verdict::Pending));
    view.show(Happening::Approved(intent(1, "BTCUSDT")), at(0));
    assert_eq!(verdict(1), Some(Verdict::Approved));
    view.recorded(&Record::OrderVoided { decision: DecisionId(1), intent: None, cause: "gate".to_owned() });
    assert_eq!(verdict(1), Some(Verdict::Voided));
    for id in 2..3_000 {
        view.show(Happening::Intent(intent(id, "BTCUSDT")), at(0));
    }
    assert_eq!(verdict(1), None, "old ones are forgotten");
    assert_eq!(verdict(2_999), Some(Verdict::Pending));
}

#[test]
fn the_gate_shows_who_still_holds_it_after_another_let_go() {
    let view = view(10);
    let mut epoch = 1;
    let mut hold = |owner, held, state| {
        epoch += 1;
        view.show(Happening::Gate { owner, held, gate: GateWord { state, epoch }, cause: "why".to_owned() }, at(0));
        view.take_up(false);
        view.model().holds.keys().copied().collect::<Vec<_>>()
    };
    assert_eq!(hold(GateOwner::Breaker, GateState::Halted, GateState::Halted), [GateOwner::Breaker]);
    assert_eq!(hold(GateOwner::Operator, GateState::ReduceOnly, GateState::Halted), [GateOwner::Breaker, GateOwner::Operator]);
    assert_eq!(hold(GateOwner::Breaker, GateState::Open, GateState::ReduceOnly), [GateOwner::Operator]);
    assert_eq!(hold(GateOwner::Operator, GateState::Open, GateState::Open), []);
}

#[test]
fn the_equity_curve_is_bounded_and_keeps_its_span() {
    let view = view(10);
    for seq in 0..20_000 {
        view.show(Happening::Account(account(seq, "10000", vec![position("BTCUSDT", "0.01", "1")])), at(0));
        if seq % 1_000 == 0 {
            view.take_up(false);
        }
    }
    view.take_up(false);
    let model = view.model();
    let (first, last) = (model.equity().first().expect("points"), model.equity().last().expect("points"));
    assert!(model.equity().len() <= 4_097);
    assert!(last.time.since(first.time).0 >= 19_900_000, "from the start to nearly now");
}

#[test]
fn what_supervision_gave_up_stays_so_when_all_are_resumed() {
    let view = view(10);
    view.set_strategy_state(None, StrategyState::Paused);
    assert_eq!(view.strategy_state(ema_rsi()), StrategyState::Paused);
    view.set_strategy_state(Some(ema_rsi()), StrategyState::Disabled);
    view.set_strategy_state(None, StrategyState::Running);
    assert_eq!(view.strategy_state(ema_rsi()), StrategyState::Disabled);
}
