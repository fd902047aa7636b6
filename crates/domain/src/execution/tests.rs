//! Promises of execution, against a small exchange that loses answers, repeats events and refuses stops.

use super::*;
use crate::account::{AccountSnapshot, VenuePosition};
use crate::gate::{GateState, GateWord};
use crate::id::{AlgoId, ClientOrderId, DecisionId, Epoch, FactSeq, OrderId, StrategyId, TradeId};
use crate::node::Node;
use crate::num::{Price, Qty, Usdt};
use crate::order::*;
use crate::record::Record;
use crate::risk::ApprovedOrder;
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const GATE: GateWord = GateWord { state: GateState::Open, epoch: 7 };

fn symbol() -> Symbol {
    Symbol::new("BTCUSDT").expect("symbol")
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).expect("qty")
}

fn price(text: &str) -> Price {
    Price::parse(text).expect("price")
}

fn entry(decision: u64, side: Side, amount: Qty) -> OrderIntent {
    let stop = if side == Side::Buy { price("98") } else { price("102") };
    OrderIntent {
        decision: DecisionId(decision),
        strategy: StrategyId::new("ema_rsi").expect("name"),
        symbol: symbol(),
        side,
        position_side: PositionSide::Both,
        kind: OrderKind::Market,
        qty: amount,
        leverage: 3,
        margin_mode: MarginMode::Isolated,
        purpose: Purpose::Entry {
            protection: Some(Protection { stop, working: WorkingType::ContractPrice, targets: vec![], trailing: None }),
        },
        reference: price("100"),
        seen: FactSeq(0),
        decided: Timestamp(0),
    }
}

/// What the next placement meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Luck {
    Fine,
    LostButExecuted,
    LostNotExecuted,
    Refused,
    NotExecuted,
}

/// The bare minimum of an exchange: keeps orders by client id, fills market orders at once in two parts, keeps stops.
#[derive(Default)]
struct Venue {
    orders: BTreeMap<ClientOrderId, VenueOrder>,
    states: BTreeMap<ClientOrderId, OrderState>,
    stops: BTreeMap<ClientOrderId, VenueOrder>,
    events: VecDeque<ExecIn>,
    fills: Vec<Fill>,
    net: i64,
    duplicates: u32,
    next: i64,
    placed: u32,
}

impl Venue {
    fn execute(&mut self, order: &VenueOrder) {
        if self.orders.insert(order.client_id, order.clone()).is_some() {
            self.duplicates += 1;
        }
        self.placed += 1;
        self.next += 1;
        let id = self.next;
        if order.kind.is_algo() {
            self.stops.insert(order.client_id, order.clone());
            let event = self.algo_event(order, id, OrderStatus::New);
            self.states.insert(order.client_id, OrderState::Algo(event.clone()));
            self.events.push_back(ExecIn::Algo(event));
            return;
        }
        let wanted = if order.reduce_only { order.qty.raw().min((-self.net * order.side.sign()).max(0)) } else { order.qty.raw() };
        let parts = [wanted / 2, wanted - wanted / 2];
        let mut filled = 0;
        for part in parts.into_iter().filter(|p| *p > 0) {
            filled += part;
            self.next += 1;
            let fill = Fill {
                symbol: order.symbol,
                trade: TradeId(self.next),
                order: OrderId(id),
                side: order.side,
                position_side: order.position_side,
                price: price("100"),
                qty: Qty::from_raw(part),
                realized: Usdt::ZERO,
                fee: Usdt::ZERO,
                fee_in_usdt: true,
                maker: false,
                time: Timestamp(self.next),
            };
            self.net += part * order.side.sign();
            self.fills.push(fill);
            let status = if filled == order.qty.raw() { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
            let event = self.order_event(order, id, status, filled, Some(fill));
            self.events.push_back(ExecIn::Order(event));
        }
        let status = if filled == order.qty.raw() { OrderStatus::Filled } else { OrderStatus::Expired };
        let last = self.order_event(order, id, status, filled, None);
        if status == OrderStatus::Expired {
            self.events.push_back(ExecIn::Order(last.clone()));
        }
        self.states.insert(order.client_id, OrderState::Regular(last));
    }

    fn order_event(&self, order: &VenueOrder, id: i64, status: OrderStatus, filled: i64, fill: Option<Fill>) -> OrderEvent {
        OrderEvent {
            symbol: order.symbol,
            order: OrderId(id),
            client_id: Some(order.client_id),
            client_text: order.client_id.to_string(),
            side: order.side,
            position_side: order.position_side,
            status: Some(status),
            qty: order.qty,
            filled: Qty::from_raw(filled),
            average: None,
            price: Price::ZERO,
            reduce_only: order.reduce_only,
            type_text: "MARKET".into(),
            fill,
            time: Timestamp(self.next),
        }
    }

    fn algo_event(&self, order: &VenueOrder, id: i64, status: OrderStatus) -> AlgoEvent {
        AlgoEvent {
            symbol: order.symbol,
            algo: AlgoId(id),
            client_id: Some(order.client_id),
            side: order.side,
            position_side: order.position_side,
            status: Some(status),
            trigger: price("98"),
            qty: Qty::ZERO,
            close_position: true,
            child: None,
            type_text: "STOP_MARKET".into(),
            time: Timestamp(self.next),
        }
    }

    fn cancel(&mut self, id: ClientOrderId) -> Outcome<OrderState> {
        match self.stops.remove(&id) {
            Some(order) => {
                let event = self.algo_event(&order, 1, OrderStatus::Canceled);
                self.states.insert(id, OrderState::Algo(event.clone()));
                Outcome::Done(OrderState::Algo(event))
            }
            None => Outcome::Refused(VenueError { code: -2011, message: "Unknown order sent.".into() }),
        }
    }

    fn survey(&self, plan: &SurveyPlan) -> SurveyAnswer {
        let account = AccountSnapshot {
            positions: if self.net == 0 {
                vec![]
            } else {
                vec![VenuePosition {
                    symbol: symbol(),
                    side: PositionSide::Both,
                    qty: Qty::from_raw(self.net),
                    entry: price("100"),
                    margin_mode: MarginMode::Isolated,
                    isolated_wallet: Usdt::ZERO,
                }]
            },
            ..AccountSnapshot::default()
        };
        let from = plan.fills.first().and_then(|f| f.1).map_or(0, |t| t.0);
        SurveyAnswer {
            number: plan.number,
            orders: plan.orders.iter().map(|o| (o.client_id, self.states.get(&o.client_id).cloned())).collect(),
            open: self.stops.keys().filter_map(|id| self.states.get(id).cloned()).collect(),
            fills: self.fills.iter().filter(|f| f.trade.0 >= from).copied().collect(),
            incomes: vec![],
            account,
        }
    }
}

struct World {
    node: ExecutionNode,
    venue: Venue,
    luck: VecDeque<Luck>,
    at: i64,
    wakes: BTreeMap<(i64, u64), ()>,
    journal: Vec<Record>,
    lose_events: bool,
    repeat_events: bool,
    reconciled: u32,
    notices: Vec<String>,
}

impl World {
    fn new(luck: &[Luck]) -> Self {
        Self {
            node: ExecutionNode::new(ExecutionRules::default(), Epoch(1), &[symbol()], Timestamp(0)),
            venue: Venue::default(),
            luck: luck.iter().copied().collect(),
            at: 0,
            wakes: BTreeMap::new(),
            journal: vec![],
            lose_events: false,
            repeat_events: false,
            reconciled: 0,
            notices: vec![],
        }
    }

    fn now(&self) -> Now {
        Now::both(Timestamp(self.at))
    }

    fn give(&mut self, input: ExecIn) {
        let mut queue = VecDeque::from([input]);
        while let Some(input) = queue.pop_front() {
            let mut out = vec![];
            self.node.on(&input, self.now(), &mut out);
            for effect in out {
                self.follow(effect, &mut queue);
            }
        }
    }

    fn follow(&mut self, effect: ExecOut, queue: &mut VecDeque<ExecIn>) {
        match effect {
            ExecOut::Journal { record, durable, .. } => {
                self.journal.push(record);
                if let Some(client_id) = durable {
                    queue.push_back(ExecIn::Durable { client_id, gate: GATE });
                }
            }
            ExecOut::Update(update) => self.journal.push(Record::OrderUpdated(update)),
            ExecOut::Place { order, .. } => {
                let planned = self.journal.iter().any(|r| matches!(r, Record::OrderPlanned(o) if o.client_id == order.client_id));
                assert!(planned, "an order left before its intent was journalled");
                let client_id = order.client_id;
                let error = VenueError { code: -1007, message: "timeout".into() };
                let unknown = Outcome::Unknown { error: error.clone(), fence: Timestamp(self.at + 7_000) };
                let outcome = match self.luck.pop_front().unwrap_or(Luck::Fine) {
                    Luck::Fine => {
                        self.venue.execute(&order);
                        Outcome::Done(self.venue.states[&client_id].clone())
                    }
                    Luck::LostButExecuted => {
                        self.venue.execute(&order);
                        unknown
                    }
                    Luck::LostNotExecuted => unknown,
                    Luck::Refused => Outcome::Refused(VenueError { code: -2021, message: "Order would immediately trigger.".into() }),
                    Luck::NotExecuted => Outcome::NotExecuted { error, retry_after: crate::time::Span(0) },
                };
                queue.push_back(ExecIn::Placed { client_id, outcome });
            }
            ExecOut::Cancel(order) => {
                let outcome = self.venue.cancel(order.client_id);
                queue.push_back(ExecIn::Cancelled { client_id: order.client_id, outcome });
            }
            ExecOut::Query(order) => {
                let answer = Ok(self.venue.states.get(&order.client_id).cloned());
                queue.push_back(ExecIn::Queried { client_id: order.client_id, answer });
            }
            ExecOut::Configure { symbol, leverage, margin_mode } => {
                queue.push_back(ExecIn::Configured { symbol, outcome: Outcome::Done((leverage, margin_mode)) });
            }
            ExecOut::Survey(plan) => queue.push_back(ExecIn::Surveyed(Ok(Box::new(self.venue.survey(&plan))))),
            ExecOut::Wake(wake) => {
                self.wakes.insert((wake.at.0, wake.timer.0), ());
            }
            ExecOut::Reconciled => self.reconciled += 1,
            ExecOut::Notice(notice) => self.notices.push(notice.code),
            ExecOut::Account(_) | ExecOut::Snapshot { .. } | ExecOut::Frozen { .. } => {}
        }
    }

    fn deliver(&mut self) {
        while let Some(event) = self.venue.events.pop_front() {
            if self.lose_events {
                continue;
            }
            self.give(event.clone());
            if self.repeat_events {
                self.give(event);
            }
        }
    }

    /// Lets time pass until nothing is left to wake up for.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.deliver();
            let Some(((at, timer), ())) = self.wakes.pop_first() else { break };
            self.at = self.at.max(at);
            self.give(ExecIn::Wake(crate::id::TimerId(timer)));
        }
        self.deliver();
    }

    fn enter(&mut self, decision: u64, side: Side, amount: Qty) {
        let order = ApprovedOrder::for_tests(entry(decision, side, amount), GATE.epoch);
        self.give(ExecIn::Approved { order, gate: GATE });
        self.deliver();
    }

    fn assert_whole(&self) {
        assert_eq!(self.venue.duplicates, 0, "an order was sent twice under one id");
        assert_eq!(self.node.net(symbol(), PositionSide::Both).raw(), self.venue.net, "net position differs from the exchange's");
        let tally = self.node.tally();
        assert_eq!(tally.approved + tally.protective, tally.sent + tally.voided, "{tally:?}");
        let stops = self.venue.stops.len();
        assert_eq!(stops, usize::from(self.venue.net != 0), "one stop for a position and none without; notices {:?}", self.notices);
    }
}

#[test]
fn the_stop_stands_after_the_first_fill_and_goes_with_the_position() {
    let mut world = World::new(&[]);
    world.enter(1, Side::Buy, qty("0.5"));
    world.settle();
    world.assert_whole();
    assert_eq!(world.venue.net, qty("0.5").raw());
    let exit = crate::risk::ApprovedProtection::for_tests_exit(OrderIntent {
        side: Side::Sell,
        purpose: Purpose::Exit { reason: ExitReason::Signal },
        ..entry(2, Side::Sell, qty("0.5"))
    });
    world.give(ExecIn::Protect(exit));
    world.settle();
    world.assert_whole();
    assert_eq!(world.venue.net, 0);
}

#[test]
fn a_lost_answer_freezes_asks_after_the_fence_and_never_sends_twice() {
    for luck in [Luck::LostButExecuted, Luck::LostNotExecuted] {
        let mut world = World::new(&[luck]);
        world.lose_events = true;
        world.enter(1, Side::Buy, qty("0.5"));
        assert!(world.notices.contains(&"ORDER_UNKNOWN".to_owned()));
        world.enter(2, Side::Buy, qty("0.5")); // the symbol is frozen: voided
        assert_eq!(world.node.tally().voided, 1);
        world.settle();
        assert!(world.at >= 7_000, "believed before the fence");
        world.assert_whole();
        let expected = if luck == Luck::LostButExecuted { qty("0.5").raw() } else { 0 };
        assert_eq!(world.venue.net, expected);
        assert_eq!(world.node.open_orders().filter(|o| o.status == OrderStatus::Unknown).count(), 0);
    }
}

#[test]
fn a_refused_stop_closes_the_position() {
    // The first stop is refused after half of the entry has filled: that half is closed, and the other one when its stop is refused as well.
    let mut world = World::new(&[Luck::Fine, Luck::Refused, Luck::Fine, Luck::Refused]);
    world.enter(1, Side::Sell, qty("0.5"));
    world.settle();
    assert_eq!(world.venue.net, 0);
    world.assert_whole();
    assert!(world.notices.contains(&"STOP_REFUSED".to_owned()));
}

#[test]
fn a_stop_that_is_not_accepted_in_time_closes_the_position() {
    let mut world = World::new(&[Luck::Fine, Luck::LostNotExecuted]);
    world.enter(1, Side::Buy, qty("0.5"));
    world.settle();
    assert_eq!(world.venue.net, 0);
    world.assert_whole();
    assert!(world.notices.contains(&"STOP_LATE".to_owned()));
}

#[test]
fn a_stop_cancelled_outside_is_placed_again() {
    let mut world = World::new(&[]);
    world.enter(1, Side::Buy, qty("0.5"));
    world.settle();
    let id = *world.venue.stops.keys().next().expect("a stop");
    let Outcome::Done(OrderState::Algo(event)) = world.venue.cancel(id) else { panic!("it stood") };
    world.give(ExecIn::Algo(event));
    world.settle();
    world.assert_whole();
    assert!(world.notices.contains(&"STOP_VANISHED".to_owned()));
}

#[test]
fn an_approval_is_void_once_the_gate_moved() {
    let mut world = World::new(&[]);
    let order = ApprovedOrder::for_tests(entry(1, Side::Buy, qty("1")), GATE.epoch);
    world.give(ExecIn::Approved { order, gate: GateWord { epoch: 8, ..GATE } });
    world.settle();
    assert_eq!(world.venue.placed, 0);
    world.assert_whole();
}

#[test]
fn a_stale_stream_is_caught_up_by_a_survey() {
    let mut world = World::new(&[]);
    world.lose_events = true;
    world.enter(1, Side::Buy, qty("0.5"));
    world.give(ExecIn::Reconcile { cause: "test" });
    world.settle();
    world.assert_whole();
    assert!(world.journal.iter().any(|r| matches!(r, Record::DifferenceFound { .. })));
}

#[test]
fn an_order_of_ours_that_the_journal_does_not_know_is_cancelled() {
    let mut world = World::new(&[]);
    world.enter(1, Side::Buy, qty("0.5"));
    world.settle();
    world.node = ExecutionNode::new(ExecutionRules::default(), Epoch(2), &[symbol()], Timestamp(0));
    world.give(ExecIn::Reconcile { cause: "start" });
    world.settle();
    assert_eq!(world.venue.stops.len(), 0, "an orphan stop was left");
    assert_eq!(world.node.net(symbol(), PositionSide::Both).raw(), world.venue.net);
}

#[test]
fn a_stop_that_never_left_before_a_restart_is_planned_anew_at_once() {
    let mut world = World::new(&[]);
    world.enter(1, Side::Buy, qty("0.5"));
    world.settle();
    // The journal as it stood when the stop was planned and had not left.
    let cut = world.journal.iter().position(|r| matches!(r, Record::OrderPlanned(o) if o.role == OrderRole::Stop)).expect("a stop");
    let journal: Vec<Record> = world.journal.drain(..).take(cut + 1).collect();
    world.venue.stops.clear();
    world.venue.states.retain(|_, state| matches!(state, OrderState::Regular(_)));
    world.wakes.clear();
    let mut node = ExecutionNode::new(ExecutionRules::default(), Epoch(1), &[symbol()], Timestamp(0));
    for record in &journal {
        node.replay(record);
    }
    world.journal = journal;
    world.node = node;
    let (before, mut out) = (world.at, vec![]);
    world.node.void_unsent(&std::collections::BTreeSet::new(), world.now(), &mut out);
    world.node.recover(Timestamp(before + 7_000), world.now(), &mut out);
    let mut queue = VecDeque::new();
    for effect in out {
        world.follow(effect, &mut queue);
    }
    while let Some(input) = queue.pop_front() {
        world.give(input);
    }
    world.deliver();
    assert_eq!(world.venue.stops.len(), 1, "the position waits for a stop; notices {:?}", world.notices);
    assert_eq!(world.at, before, "no time had to pass");
}

#[test]
fn after_a_restart_the_exchange_is_asked_from_the_last_adoption_on() {
    let hour = 3_600_000;
    let mut node = ExecutionNode::new(ExecutionRules::default(), Epoch(2), &[symbol()], Timestamp(50 * hour));
    node.replay(&Record::SnapshotAdopted(AccountSnapshot { time: Timestamp(10 * hour), ..AccountSnapshot::default() }));
    let mut out = vec![];
    node.recover(Timestamp(0), Now::both(Timestamp(50 * hour)), &mut out);
    let since = out.iter().find_map(|o| if let ExecOut::Survey(plan) = o { Some(plan.since) } else { None });
    assert_eq!(since, Some(Timestamp(9 * hour)), "what came while no process ran would be missed");
}

fn any_luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        5 => Just(Luck::Fine),
        1 => Just(Luck::LostButExecuted),
        1 => Just(Luck::LostNotExecuted),
        1 => Just(Luck::Refused),
        1 => Just(Luck::NotExecuted),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_repeated_or_crashed_the_books_agree_with_the_exchange(
        luck in proptest::collection::vec(any_luck(), 0..12),
        trades in proptest::collection::vec((any::<bool>(), 1_i64..4), 1..6),
        lose in any::<bool>(), repeat in any::<bool>(), crash_at in proptest::option::of(0_usize..6)
    ) {
        let mut world = World::new(&luck);
        world.lose_events = lose;
        world.repeat_events = repeat;
        for (turn, (buy, size)) in trades.into_iter().enumerate() {
            let held = world.venue.net;
            let side = if held > 0 || (held == 0 && buy) { Side::Buy } else { Side::Sell };
            world.enter(turn as u64 + 1, side, Qty::from_raw(size * 100_000_000));
            if crash_at == Some(turn) {
                // The process dies: timers and state are gone, the journal stays.
                world.wakes.clear();
                let mut node = ExecutionNode::new(ExecutionRules::default(), Epoch(2 + turn as u64), &[symbol()], Timestamp(0));
                for record in &world.journal { node.replay(record); }
                world.node = node;
                let tally_now = world.node.tally();
                prop_assert_eq!(tally_now, Tally::default());
                let mut out = vec![];
                let fence = Timestamp(world.at + 7_000);
                world.node.recover(fence, world.now(), &mut out);
                let mut queue = VecDeque::new();
                for effect in out { world.follow(effect, &mut queue); }
                while let Some(input) = queue.pop_front() { world.give(input); }
            }
            world.settle();
            world.give(ExecIn::Reconcile { cause: "poll" });
            world.settle();
            world.assert_whole();
        }
    }
}
