//! The exchange's promises about orders, fills, money and the public book.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use fulmar_domain::instrument::{Bracket, Brackets, Instrument, SymbolStatus};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{Price, Qty, Ratio, SCALE, Usdt};
use fulmar_domain::order::{MarginMode, PositionSide, Side, WorkingType};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_simex::source::{MarketPoint, PointKind, Step};
use fulmar_simex::venue::*;
use proptest::prelude::*;

const START: i64 = 1_750_000_020_000 - 1_750_000_020_000 % 28_800_000;

fn btc() -> Symbol {
    Symbol::new("BTCUSDT").unwrap()
}
fn p(text: &str) -> Price {
    Price::parse(text).unwrap()
}
fn q(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}
fn u(text: &str) -> Usdt {
    Usdt::parse(text).unwrap()
}
fn r(text: &str) -> Ratio {
    Ratio::parse(text).unwrap()
}

fn instrument() -> Instrument {
    Instrument {
        symbol: btc(),
        base: "BTC".into(),
        status: SymbolStatus::Trading,
        price_min: p("1"),
        price_max: p("1000000"),
        tick: p("0.5"),
        qty_min: q("0.002"),
        qty_max: q("1000"),
        step: q("0.002"),
        market_qty_min: q("0.002"),
        market_qty_max: q("100"),
        market_step: q("0.002"),
        notional_min: u("5"),
        band_up: r("1.05"),
        band_down: r("0.95"),
        orders_max: 5,
        algo_orders_max: 3,
        liquidation_fee: r("0.01"),
        market_take_bound: r("0.05"),
        trigger_protect: r("0.05"),
        price_places: 2,
        qty_places: 3,
        funding_interval: Span::hours(8),
    }
}
fn brackets() -> Brackets {
    let tier = |tier, leverage_max, floor: &str, cap: &str, mmr: &str, cum: &str| Bracket {
        tier,
        leverage_max,
        floor: u(floor),
        cap: u(cap),
        mmr: r(mmr),
        cum: u(cum),
    };
    Brackets {
        symbol: btc(),
        tiers: vec![
            tier(1, 100, "0", "50000", "0.004", "0"),
            tier(2, 20, "50000", "1000000", "0.01", "300"),
            tier(3, 5, "1000000", "9000000", "0.05", "40300"),
        ],
    }
}

struct Desk {
    x: Exchange,
    a: AccountId,
    t: i64,
    out: Vec<Emission>,
}
fn desk_with(edit: impl FnOnce(&mut ExchangeConfig)) -> Desk {
    let mut config = ExchangeConfig::new(Timestamp(START), vec![instrument()], vec![brackets()]);
    edit(&mut config);
    let mut x = Exchange::new(config).unwrap();
    let a = x.open_account("key-a");
    let mut desk = Desk { x, a, t: START, out: Vec::new() };
    desk.quote(100, 101);
    desk.trade("100", Side::Sell);
    desk.mark("100");
    desk.out.clear();
    desk
}
fn desk() -> Desk {
    desk_with(|_| {})
}
impl Desk {
    fn point(&mut self, kind: PointKind) {
        self.t += 100;
        let time = Timestamp(self.t);
        self.x.advance(&Step { time, points: vec![MarketPoint { time, symbol: btc(), kind }] }, &mut self.out);
    }
    fn quote(&mut self, bid: i64, ask: i64) {
        let level = |x: i64| Price::from_raw(x * SCALE);
        self.point(PointKind::Top { bid: level(bid), bid_qty: Qty::ONE, ask: level(ask), ask_qty: Qty::ONE });
    }
    fn trade(&mut self, price: &str, taker: Side) {
        self.point(PointKind::Trade { price: p(price), qty: Qty::ONE, taker });
    }
    fn mark(&mut self, price: &str) {
        self.point(PointKind::Mark { price: p(price), index: p(price) });
    }
    fn place(&mut self, order: &NewOrder) -> Result<OrderReport, ApiError> {
        self.x.place(self.a, order, &mut self.out)
    }
    fn algo(&mut self, order: &NewAlgoOrder) -> Result<AlgoReport, ApiError> {
        self.x.place_algo(self.a, order, &mut self.out)
    }
    fn market(&mut self, side: Side, qty: &str) -> OrderReport {
        let order = self.place(&NewOrder::market(btc(), side, q(qty))).unwrap();
        assert_eq!(order.status, VenueStatus::New);
        self.quote(100, 101);
        self.now(&order)
    }
    fn now(&self, order: &OrderReport) -> OrderReport {
        self.x.order(self.a, btc(), &OrderRef { order: Some(order.order), client_id: None }).unwrap()
    }
    fn wallet(&self) -> Usdt {
        self.x.summary(self.a).unwrap().balance.wallet
    }
    fn position(&self) -> PositionReport {
        self.x.positions(self.a, Some(btc()), true)[0]
    }
    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> i32 {
        result.expect_err("a refusal").code
    }
}
fn limit(side: Side, qty: &str, price: &str, tif: Tif) -> NewOrder {
    NewOrder::limit(btc(), side, q(qty), p(price), tif)
}
fn stop(side: Side, qty: &str, at: &str) -> NewAlgoOrder {
    NewAlgoOrder::market(btc(), side, OrderType::StopMarket, q(qty), p(at))
}
fn all() -> PageQuery {
    PageQuery { from: Some(Timestamp(0)), to: None, from_id: None, limit: 100_000 }
}
fn words(out: &[Emission]) -> Vec<String> {
    out.iter()
        .filter_map(|e| match e {
            Emission::User { event, .. } => Some(match event {
                UserEvent::Order(o) => format!("{}/{}", o.execution.as_str(), o.order.status.as_str()),
                UserEvent::Account(a) => format!("account {}", a.reason.as_str()),
                UserEvent::Algo(a, _) => format!("algo {}", a.status.as_str()),
                UserEvent::TradeLite(_) => "lite".into(),
                UserEvent::MarginCall(_) => "call".into(),
                UserEvent::Leverage(..) => "leverage".into(),
                UserEvent::MultiAssets(_) => "assets".into(),
            }),
            Emission::Market { .. } => None,
        })
        .collect()
}

#[test]
fn a_market_order_is_new_at_once_and_fills_at_the_next_event_with_its_events_in_order() {
    let mut d = desk();
    let order = d.market(Side::Buy, "1");
    assert_eq!((order.status, order.average, order.filled), (VenueStatus::Filled, p("101"), q("1")));
    assert_eq!(words(&d.out), ["NEW/NEW", "lite", "account ORDER", "TRADE/FILLED"]);
    assert_eq!(d.wallet(), u("9999.9495"), "fee 0.05 % of 101");
    let close = d.market(Side::Sell, "1");
    assert_eq!(close.average, p("100"));
    assert_eq!(d.wallet(), u("9998.8995"));
    let trades = d.x.user_trades(d.a, btc(), None, all());
    assert_eq!((trades.len(), trades[1].realized, trades[1].fee), (2, u("-1"), u("0.05")));
}

#[test]
fn a_resting_limit_fills_when_the_market_trades_through_and_as_maker() {
    let mut d = desk();
    let order = d.place(&limit(Side::Buy, "1", "99", Tif::Gtc)).unwrap();
    assert_eq!(d.x.peek_book(btc(), 5).unwrap().bids[1].price, p("99.5"));
    d.trade("99", Side::Sell);
    assert_eq!(d.now(&order).status, VenueStatus::New, "touch alone fills nothing");
    d.trade("98.5", Side::Sell);
    let order = d.now(&order);
    assert_eq!((order.status, order.average), (VenueStatus::Filled, p("99")));
    let trade = d.x.user_trades(d.a, btc(), None, all())[0];
    assert!(trade.maker);
    assert_eq!(trade.fee, u("0.0198"));
}

#[test]
fn where_the_market_jumped_over_a_limit_the_price_it_jumped_to_is_what_was_offered() {
    let mut d = desk();
    let order = d.place(&limit(Side::Buy, "1", "99", Tif::Gtc)).unwrap();
    let bar = Bar {
        symbol: btc(),
        timeframe: Timeframe::M1,
        open_time: Timestamp(d.t).floor_to(Span::minutes(1)),
        open: p("100"),
        high: p("100"),
        low: p("100"),
        close: p("100"),
        volume: Qty::ONE,
        quote_volume: u("100"),
        trades: 1,
    };
    d.t = bar.end().0 - 100;
    d.point(PointKind::BarClosed(bar));
    d.trade("97", Side::Sell);
    assert_eq!(d.now(&order).average, p("97"));
}

#[test]
fn touch_fills_where_configured() {
    let mut d = desk_with(|c| c.fills.limit_fill = LimitFill::Touch);
    let order = d.place(&limit(Side::Buy, "1", "99", Tif::Gtc)).unwrap();
    d.trade("99", Side::Sell);
    assert_eq!(d.now(&order).status, VenueStatus::Filled);
}

#[test]
fn times_in_force_do_what_they_say() {
    let small = |c: &mut ExchangeConfig| c.fills.book.level_value = u("303");
    let mut d = desk_with(small);
    // Three coins at 101; the next level is a tick away.
    let ioc = d.place(&limit(Side::Buy, "5", "101", Tif::Ioc)).unwrap();
    d.quote(100, 101);
    assert_eq!((d.now(&ioc).status, d.now(&ioc).filled), (VenueStatus::Expired, q("3")));
    assert_eq!(Desk::code(d.place(&limit(Side::Buy, "5", "101", Tif::Fok))), -5021);
    d.quote(100, 101);
    let fok = d.place(&limit(Side::Buy, "3", "101", Tif::Fok)).unwrap();
    d.quote(103, 104);
    assert_eq!((d.now(&fok).status, d.now(&fok).filled), (VenueStatus::Expired, Qty::ZERO), "all or nothing");
    d.quote(100, 101);
    let fok = d.place(&limit(Side::Buy, "3", "101", Tif::Fok)).unwrap();
    d.quote(100, 101);
    assert_eq!(d.now(&fok).status, VenueStatus::Filled);
    d.quote(100, 101);
    assert_eq!(Desk::code(d.place(&limit(Side::Buy, "1", "101", Tif::Gtx))), -5022);
    let gtd = NewOrder { good_till: Some(Timestamp(d.t + 700_000)), ..limit(Side::Buy, "1", "99", Tif::Gtd) };
    let gtd = d.place(&gtd).unwrap();
    assert_eq!(gtd.good_till.0 % 1_000, 0);
    let (until, mut out) = (gtd.good_till, Vec::new());
    d.x.tick(until.minus(Span(1)), &mut out);
    assert_eq!(d.now(&gtd).status, VenueStatus::New);
    d.x.tick(until, &mut out);
    assert_eq!(d.now(&gtd).status, VenueStatus::Expired);
    let partial = d.place(&limit(Side::Sell, "8", "100", Tif::Gtc)).unwrap();
    d.t = until.0;
    d.quote(100, 101);
    assert_eq!((d.now(&partial).status, d.now(&partial).filled), (VenueStatus::PartiallyFilled, q("3.03")));
}

#[test]
fn refusals_carry_the_exchanges_codes() {
    let mut d = desk();
    let buy = |qty: &str, price: &str| limit(Side::Buy, qty, price, Tif::Gtc);
    let cases: Vec<(i32, NewOrder)> = vec![
        (-1121, NewOrder::market(Symbol::new("XUSDT").unwrap(), Side::Buy, q("1"))),
        (-4120, NewOrder { order_type: OrderType::StopMarket, ..NewOrder::market(btc(), Side::Buy, q("1")) }),
        (-1102, NewOrder { qty: None, ..buy("1", "99") }),
        (-1102, NewOrder { price: None, ..buy("1", "99") }),
        (-4003, buy("0", "99")),
        (-1111, buy("0.0021", "99")),
        (-4023, buy("1.001", "99")),
        (-4005, buy("1002", "99")),
        (-4005, NewOrder::market(btc(), Side::Buy, q("102"))),
        (-1111, buy("1", "99.001")),
        (-4014, buy("1", "99.25")),
        (-4013, buy("10", "0.5")),
        (-4016, buy("1", "105.5")),
        (-4024, limit(Side::Sell, "1", "94.5", Tif::Gtc)),
        (-4164, buy("0.002", "99")),
        (-2027, buy("11", "99")),
        (-2022, NewOrder { reduce_only: Some(true), ..buy("1", "99") }),
        (-4061, NewOrder { position_side: Some(PositionSide::Long), ..buy("1", "99") }),
        (-4015, NewOrder { client_id: Some("with blank".into()), ..buy("1", "99") }),
        (-4015, NewOrder { client_id: Some("x".repeat(37)), ..buy("1", "99") }),
        (-1130, NewOrder { good_till: Some(Timestamp(START + 1_000)), ..limit(Side::Buy, "1", "99", Tif::Gtd) }),
    ];
    for (n, (code, order)) in cases.into_iter().enumerate() {
        if code == -2027 {
            // At leverage 20 the second tier's cap of 1,000,000 is the limit.
            let order = limit(Side::Buy, "1000", "104", Tif::Gtc);
            let mut rich = desk_with(|c| c.start_balance = u("10000000"));
            let half = limit(Side::Buy, "1000", "99", Tif::Gtc);
            for _ in 0..5 {
                rich.place(&half).unwrap();
            }
            assert_eq!(Desk::code(rich.place(&order)), -2025);
            let mut rich = desk_with(|c| {
                c.start_balance = u("10000000");
                c.leverage = 100;
            });
            assert_eq!(Desk::code(rich.place(&order)), -2027);
            continue;
        }
        assert_eq!(Desk::code(d.place(&order)), code, "case {n}");
    }
    // 1,000 coins at 104 take 5,200 of the 10,000 USDT at leverage 20.
    d.place(&buy("1000", "104")).unwrap();
    assert_eq!(Desk::code(d.place(&buy("1000", "104"))), -2019);
    d.x.cancel_all(d.a, btc(), &mut Vec::new()).unwrap();
    d.place(&NewOrder { client_id: Some("once".into()), ..buy("1", "99") }).unwrap();
    assert_eq!(Desk::code(d.place(&NewOrder { client_id: Some("once".into()), ..buy("1", "99") })), -4116);
    let named = |id: &str| OrderRef { order: None, client_id: Some(id.into()) };
    let mut out = Vec::new();
    assert_eq!(Desk::code(d.x.cancel(d.a, btc(), &named("never"), &mut out)), -2011);
    assert_eq!(Desk::code(d.x.order(d.a, btc(), &named("never"))), -2013);
    d.x.cancel(d.a, btc(), &named("once"), &mut out).unwrap();
    assert_eq!(Desk::code(d.x.cancel(d.a, btc(), &named("once"), &mut out)), -2011);
    d.place(&NewOrder { client_id: Some("once".into()), ..buy("1", "99") }).unwrap();
    let change =
        ModifyOrder { symbol: btc(), order: named("once"), side: Side::Buy, qty: Some(q("1")), price: Some(p("99")), price_match: None };
    assert_eq!(Desk::code(d.x.modify(d.a, &change, &mut out)), -5027);
    let moved = d.x.modify(d.a, &ModifyOrder { price: Some(p("98")), ..change.clone() }, &mut out).unwrap();
    assert_eq!((moved.price, moved.modifications), (p("98"), 1));
    assert_eq!(Desk::code(d.x.set_margin_mode(d.a, btc(), MarginMode::Cross, &mut out)), -4046);
    assert_eq!(Desk::code(d.x.set_margin_mode(d.a, btc(), MarginMode::Isolated, &mut out)), -4047);
    assert_eq!(Desk::code(d.x.set_hedge_mode(d.a, false)), -4059);
    assert_eq!(Desk::code(d.x.set_hedge_mode(d.a, true)), -4067);
    assert_eq!(Desk::code(d.x.set_leverage(d.a, btc(), 101, &mut out)), -4028);
    d.x.cancel_all(d.a, btc(), &mut out).unwrap();
    d.market(Side::Buy, "1");
    assert_eq!(Desk::code(d.x.set_hedge_mode(d.a, true)), -4068);
    assert_eq!(Desk::code(d.x.set_margin_mode(d.a, btc(), MarginMode::Isolated, &mut out)), -4048);
    assert_eq!(Desk::code(d.x.transfer(d.a, u("-20000"), &mut out)), -2018);
    d.x.symbol_fault(SymbolFault::Halt(btc(), true), &mut out).unwrap();
    assert_eq!(Desk::code(d.place(&buy("1", "99"))), -4140);
    let mut fresh = Exchange::new(ExchangeConfig::new(Timestamp(START), vec![instrument()], vec![brackets()])).unwrap();
    let a = fresh.open_account("k");
    assert_eq!(Desk::code(fresh.place(a, &buy("1", "99"), &mut out)), -2010, "no market yet");
}

#[test]
fn conditional_orders_refuse_what_would_trigger_at_once_and_what_is_too_many() {
    let mut d = desk();
    assert_eq!(Desk::code(d.algo(&stop(Side::Sell, "1", "100"))), -2021);
    assert_eq!(Desk::code(d.algo(&NewAlgoOrder { order_type: OrderType::TakeProfitMarket, ..stop(Side::Sell, "1", "99") })), -2021);
    assert_eq!(Desk::code(d.algo(&NewAlgoOrder { order_type: OrderType::Limit, ..stop(Side::Sell, "1", "99") })), -1116);
    let trailing =
        NewAlgoOrder { order_type: OrderType::TrailingStopMarket, callback_percent: Some(r("11")), ..stop(Side::Sell, "1", "99") };
    assert_eq!(Desk::code(d.algo(&trailing)), -2007);
    let close = NewAlgoOrder { qty: None, reduce_only: None, close_position: Some(true), ..stop(Side::Sell, "1", "99") };
    d.algo(&close).unwrap();
    assert_eq!(Desk::code(d.algo(&close)), -4130);
    d.algo(&NewAlgoOrder { client_id: Some("s".into()), ..stop(Side::Sell, "1", "99") }).unwrap();
    assert_eq!(Desk::code(d.algo(&NewAlgoOrder { client_id: Some("s".into()), ..stop(Side::Sell, "1", "99") })), -4116);
    d.algo(&stop(Side::Sell, "1", "98")).unwrap();
    assert_eq!(Desk::code(d.algo(&stop(Side::Sell, "1", "97"))), -4045);
    assert!(d.x.open_orders(d.a, None).is_empty(), "algo orders are not among the regular ones");
    assert_eq!(d.x.cancel_all_algo(d.a, btc(), &mut Vec::new()).unwrap(), 3);
    assert_eq!(Desk::code(d.x.cancel_algo(d.a, &AlgoRef { algo: None, client_id: Some("s".into()) }, &mut Vec::new())), -2011);
}

#[test]
fn a_stop_triggers_gives_birth_to_a_child_with_its_client_id_and_closes_the_position() {
    let mut d = desk();
    d.market(Side::Buy, "1");
    let algo = d.algo(&NewAlgoOrder { client_id: Some("guard".into()), ..stop(Side::Sell, "1", "98") }).unwrap();
    d.quote(99, 100);
    d.trade("99", Side::Sell);
    d.out.clear();
    d.trade("97.5", Side::Sell);
    let words = words(&d.out);
    assert_eq!(words, ["algo TRIGGERING", "algo TRIGGERED", "NEW/NEW", "lite", "account ORDER", "TRADE/FILLED", "algo FINISHED"]);
    let algo = d.x.algo_order(d.a, &AlgoRef { algo: Some(algo.algo), client_id: None }).unwrap();
    let child = d.x.order(d.a, btc(), &OrderRef { order: algo.child, client_id: None }).unwrap();
    assert_eq!((child.client_id.as_str(), child.average, child.orig_type), ("guard", p("97.5"), OrderType::StopMarket));
    assert_eq!((algo.status, algo.child_average), (AlgoStatus::Finished, p("97.5")));
    assert!(d.position().qty.is_zero());
}

#[test]
fn a_stop_of_a_bar_path_fills_at_its_trigger_where_the_bar_spanned_it() {
    let mut d = desk_with(|c| c.fills.stops_at_trigger = true);
    d.market(Side::Buy, "1");
    let algo = d.algo(&stop(Side::Sell, "1", "98")).unwrap();
    d.trade("90", Side::Sell);
    let algo = d.x.algo_order(d.a, &AlgoRef { algo: Some(algo.algo), client_id: None }).unwrap();
    assert_eq!(algo.child_average, p("98"));
}

#[test]
fn mark_and_contract_triggers_do_not_mix_and_take_profit_and_trail_work() {
    let mut d = desk();
    d.market(Side::Buy, "3");
    let by_mark = d.algo(&NewAlgoOrder { working: Some(WorkingType::MarkPrice), ..stop(Side::Sell, "1", "95") }).unwrap();
    let profit = d.algo(&NewAlgoOrder { order_type: OrderType::TakeProfitMarket, ..stop(Side::Sell, "1", "110") }).unwrap();
    let trail = NewAlgoOrder {
        order_type: OrderType::TrailingStopMarket,
        trigger: None,
        callback_percent: Some(r("5")),
        ..stop(Side::Sell, "1", "1")
    };
    let trail = d.algo(&trail).unwrap();
    let status = |d: &Desk, a: &AlgoReport| d.x.algo_order(d.a, &AlgoRef { algo: Some(a.algo), client_id: None }).unwrap().status;
    d.trade("96", Side::Sell);
    d.mark("96");
    assert!(status(&d, &by_mark).is_open() && status(&d, &trail).is_open());
    d.trade("110", Side::Buy);
    assert_eq!(status(&d, &profit), AlgoStatus::Finished);
    d.trade("104", Side::Sell);
    assert_eq!(status(&d, &trail), AlgoStatus::Finished);
    d.mark("95");
    assert_eq!(status(&d, &by_mark), AlgoStatus::Finished);
    assert!(d.position().qty.is_zero());
}

#[test]
fn reduce_only_never_turns_a_position_and_close_position_closes_what_stands() {
    let mut d = desk();
    d.market(Side::Buy, "1");
    let order = d.place(&NewOrder { reduce_only: Some(true), ..NewOrder::market(btc(), Side::Sell, q("5")) }).unwrap();
    d.quote(100, 101);
    assert_eq!((d.now(&order).status, d.now(&order).filled), (VenueStatus::Expired, q("1")));
    assert!(d.position().qty.is_zero());
    d.market(Side::Buy, "2");
    let close = NewAlgoOrder { qty: None, reduce_only: None, close_position: Some(true), ..stop(Side::Sell, "1", "99") };
    let gone = d.algo(&close).unwrap();
    d.market(Side::Buy, "1");
    d.trade("99", Side::Sell);
    assert!(d.position().qty.is_zero());
    assert_eq!(d.x.algo_order(d.a, &AlgoRef { algo: Some(gone.algo), client_id: None }).unwrap().child_filled, q("3"));
    d.trade("100", Side::Sell);
    let orphan = d.algo(&close).unwrap();
    d.out.clear();
    d.trade("98", Side::Sell);
    assert_eq!(words(&d.out), ["algo TRIGGERING", "algo EXPIRED"]);
    assert_eq!(d.x.algo_order(d.a, &AlgoRef { algo: Some(orphan.algo), client_id: None }).unwrap().child, None);
}

#[test]
fn hedge_mode_keeps_a_long_and_a_short_and_closing_more_than_held_is_refused() {
    let mut d = desk();
    d.x.set_hedge_mode(d.a, true).unwrap();
    assert_eq!(Desk::code(d.place(&NewOrder::market(btc(), Side::Buy, q("1")))), -4061);
    let on = |side, leg, qty: &str| NewOrder { position_side: Some(leg), ..NewOrder::market(btc(), side, q(qty)) };
    d.place(&on(Side::Buy, PositionSide::Long, "2")).unwrap();
    d.place(&on(Side::Sell, PositionSide::Short, "1")).unwrap();
    d.quote(100, 101);
    let held: Vec<_> = d.x.positions(d.a, None, false).iter().map(|p| (p.side, p.qty)).collect();
    assert_eq!(held, [(PositionSide::Long, q("2")), (PositionSide::Short, q("-1"))]);
    assert_eq!(Desk::code(d.place(&on(Side::Sell, PositionSide::Long, "3"))), -2022);
    let reduce = NewOrder { reduce_only: Some(true), ..on(Side::Sell, PositionSide::Long, "1") };
    assert_eq!(Desk::code(d.place(&reduce)), -1106);
    d.place(&on(Side::Sell, PositionSide::Long, "2")).unwrap();
    d.quote(100, 101);
    assert_eq!(d.x.positions(d.a, None, false).len(), 1);
}

#[test]
fn funding_is_paid_once_per_symbol_and_time_by_who_holds_then() {
    let mut d = desk();
    d.market(Side::Buy, "2");
    d.point(PointKind::FundingRate(r("0.001")));
    let before = d.wallet();
    d.t = START + 28_800_000 - 100;
    d.out.clear();
    d.mark("110");
    assert_eq!(d.wallet(), before.checked_sub(u("0.22")).unwrap(), "long pays 2 · 110 · 0.001");
    assert_eq!(words(&d.out), ["account FUNDING_FEE"]);
    d.mark("111");
    d.x.tick(Timestamp(d.t + 1_000), &mut Vec::new());
    assert_eq!(d.x.fundings(None, all()).len(), 1);
    let paid = d.x.income(d.a, None, Some(IncomeKind::FundingFee), all());
    assert_eq!((paid.len(), paid[0].amount), (1, u("-0.22")));
    d.x.symbol_fault(SymbolFault::FundingInterval(btc(), 1), &mut Vec::new()).unwrap();
    assert_eq!(d.x.mark(btc()).unwrap().next_funding, Timestamp(START + 28_800_000 + 3_600_000));
}

#[test]
fn isolated_liquidation_strikes_at_maintenance_closes_at_bankruptcy_or_better_and_costs_the_margin_at_most() {
    let mut d = desk();
    d.x.set_margin_mode(d.a, btc(), MarginMode::Isolated, &mut Vec::new()).unwrap();
    d.x.set_leverage(d.a, btc(), 10, &mut Vec::new()).unwrap();
    let open = d.market(Side::Buy, "10");
    let (margin, before) = (d.position().isolated_wallet, d.wallet());
    assert_eq!((open.average, margin), (p("101"), u("101")));
    // LP = (margin − q·E) / (q·mmr − q) = (101 − 1010) / (10·0.004 − 10)
    assert_eq!(d.position().liquidation, Some(p("91.26506025")));
    d.mark("91.5");
    assert_eq!(d.position().qty, q("10"));
    d.quote(90, 91);
    d.out.clear();
    d.mark("91");
    assert!(d.position().qty.is_zero());
    let forced = d.x.force_orders(d.a, None, all());
    assert_eq!(forced.len(), 1);
    assert!(forced[0].order.client_id.as_str().starts_with("autoclose-"));
    // Bankruptcy 101 − 10.1 = 90.9, on the tick for a seller 91; the book's 90 is worse, so insurance takes it at 91.
    assert_eq!(forced[0].order.average, p("91"));
    assert_eq!(d.wallet(), before.checked_sub(margin).unwrap(), "the whole margin and nothing more");
    assert!(words(&d.out).contains(&"CALCULATED/FILLED".to_owned()));
    let cleared: i64 = d.x.income(d.a, None, Some(IncomeKind::InsuranceClear), all()).iter().map(|i| i.amount.raw()).sum();
    assert_eq!(d.x.insurance().raw(), -cleared);
}

#[test]
fn cross_liquidation_looks_at_the_whole_account() {
    let mut d = desk_with(|c| c.start_balance = u("1000"));
    d.market(Side::Buy, "100");
    assert!(d.position().liquidation.is_some());
    d.mark("95");
    assert_eq!(d.position().qty, q("100"));
    d.quote(91, 92);
    d.mark("91.4");
    assert!(d.position().qty.is_zero());
    assert!(!d.wallet().is_negative());
    assert_eq!(d.x.health(), Ok(()));
}

#[test]
fn a_countdown_cancels_regular_orders_and_leaves_stops() {
    let mut d = desk();
    let order = d.place(&limit(Side::Buy, "1", "99", Tif::Gtc)).unwrap();
    let guard = d.algo(&stop(Side::Sell, "1", "90")).unwrap();
    d.x.countdown_cancel_all(d.a, btc(), Span(5_000)).unwrap();
    d.x.tick(Timestamp(d.t + 5_000), &mut Vec::new());
    assert_eq!(d.now(&order).status, VenueStatus::Canceled);
    assert_eq!(d.x.open_algo_orders(d.a, None), [guard]);
}

#[test]
fn accounts_trade_with_each_other_by_price_and_time_and_never_with_themselves() {
    let mut d = desk();
    let b = d.x.open_account("key-b");
    let first = d.place(&limit(Side::Sell, "1", "100.5", Tif::Gtc)).unwrap();
    let second = d.place(&limit(Side::Sell, "1", "100.5", Tif::Gtc)).unwrap();
    d.x.place(b, &limit(Side::Buy, "1.5", "100.5", Tif::Gtc), &mut d.out).unwrap();
    d.mark("100");
    d.point(PointKind::Trade { price: p("100"), qty: Qty::ONE, taker: Side::Sell });
    assert_eq!((d.now(&first).filled, d.now(&second).filled), (q("1"), q("0.5")));
    let theirs = d.x.user_trades(b, btc(), None, all());
    assert_eq!(theirs[0].trade, d.x.user_trades(d.a, btc(), None, all())[0].trade, "one trade, two sides");
    let own = d.place(&limit(Side::Buy, "1", "100.5", Tif::Ioc)).unwrap();
    d.point(PointKind::Trade { price: p("100"), qty: Qty::ONE, taker: Side::Sell });
    assert_eq!(d.now(&second).status, VenueStatus::ExpiredInMatch);
    assert!(d.now(&own).filled.is_zero());
}

#[test]
fn the_depth_chain_is_unbroken_and_rebuilds_the_book() {
    let mut d = desk();
    d.x.set_interest(btc(), Interest::ALL);
    d.quote(100, 101);
    let base = d.x.book(btc(), 1_000).unwrap();
    d.out.clear();
    for n in 0..20 {
        d.quote(100 + n % 3, 103 + n % 2);
        if n % 4 == 0 {
            d.place(&limit(Side::Buy, "1", "98.5", Tif::Gtc)).ok();
        }
    }
    let (mut bids, mut last) = (std::collections::BTreeMap::new(), None);
    bids.extend(base.bids.iter().map(|l| (l.price, l.qty)));
    for event in &d.out {
        let Emission::Market { event: MarketEmission::Depth(delta), .. } = event else { continue };
        match last {
            None => assert!(delta.first <= base.last && base.last <= delta.last),
            Some(last) => assert_eq!((delta.previous, delta.first), (last, last + 1)),
        }
        last = Some(delta.last);
        for level in &delta.bids {
            if level.qty.is_zero() {
                bids.remove(&level.price)
            } else {
                bids.insert(level.price, level.qty)
            };
        }
    }
    let now = d.x.peek_book(btc(), 1_000).unwrap();
    let ours: Vec<_> = bids.into_iter().rev().collect();
    assert_eq!(ours, now.bids.iter().map(|l| (l.price, l.qty)).collect::<Vec<_>>());
}

#[test]
fn faults_deleverage_liquidate_and_meddle() {
    let mut d = desk();
    d.market(Side::Buy, "2");
    let mut out = Vec::new();
    d.x.auto_deleverage(d.a, btc(), r("0.5"), &mut out).unwrap();
    assert_eq!(d.position().qty, q("1"));
    d.x.liquidate(d.a, btc(), &mut out).unwrap();
    assert!(d.position().qty.is_zero());
    assert_eq!(Desk::code(d.x.liquidate(d.a, btc(), &mut out)), -2022);
    let foreign = d.x.foreign_order(d.a, &NewOrder::market(btc(), Side::Buy, q("1")), &mut out).unwrap();
    assert!(foreign.client_id.as_str().starts_with("web_"));
}

#[test]
fn the_same_requests_and_steps_give_the_same_ledger() {
    let run = || {
        let mut d = desk();
        d.market(Side::Buy, "2");
        d.algo(&stop(Side::Sell, "1", "98")).unwrap();
        d.trade("97", Side::Sell);
        serde_json::to_string(d.x.log().records()).unwrap()
    };
    assert_eq!(run(), run());
}

/// a · b / 10⁸, half to even, by another road than the product's.
fn product(a: i64, b: i64) -> i64 {
    let wide = i128::from(a) * i128::from(b);
    let (low, unit) = (wide.div_euclid(i128::from(SCALE)), i128::from(SCALE));
    let rest = wide - low * unit;
    let up = rest * 2 > unit || (rest * 2 == unit && low % 2 != 0);
    i64::try_from(low).unwrap() + i64::from(up)
}

/// Wallet of the only account from raw fills, fundings and insurance payments; checks each fill and liquidation on the way.
fn recomputed(records: &[LogRecord]) -> Result<i64, String> {
    let (mut wallet, mut held, mut entry) = (0_i64, 0_i64, 0_i128);
    for (n, record) in records.iter().enumerate() {
        if record.seq != n as u64 {
            return Err(format!("record {n} has number {}", record.seq));
        }
        match &record.body {
            LogBody::Account { start_balance, .. } => wallet += start_balance.raw(),
            LogBody::Wallet { kind: "INSURANCE_CLEAR", amount, .. } => wallet += amount.raw(),
            LogBody::Funding { qty, mark, rate, amount, .. } => {
                let due = -product(product(mark.raw(), qty.raw()), rate.raw());
                if due != amount.raw() {
                    return Err(format!("funding {amount}"));
                }
                wallet += due;
            }
            LogBody::Liquidation(l) if !l.forced && l.margin_balance > l.maintenance_margin => {
                return Err(format!("liquidated early: {l:?}"));
            }
            LogBody::Fill(f) => {
                let signed = f.qty.raw() * f.side.sign();
                if f.position_before.raw() != held || i128::from(f.entry_before.raw()) != entry {
                    return Err(format!("position before: {f:?}"));
                }
                let fee = product(product(f.price.raw(), f.qty.raw()), f.fee_rate.raw());
                let closes = if held.signum() * signed.signum() < 0 { held.abs().min(signed.abs()) } else { 0 };
                let gain = product(i64::try_from(i128::from(f.price.raw()) - entry).unwrap(), closes * held.signum());
                if (fee, gain) != (f.fee.raw(), f.realized.raw()) {
                    return Err(format!("fee {fee} gain {gain}: {f:?}"));
                }
                let opens = signed.abs() - closes;
                let stays = held.abs() - closes;
                if opens > 0 {
                    let sum = entry * i128::from(stays) + i128::from(f.price.raw()) * i128::from(opens);
                    let (all, twice) = (i128::from(stays + opens), sum * 2);
                    let low = sum / all;
                    let rest = twice - low * all * 2;
                    entry = low + i128::from(rest > all || (rest == all && low % 2 != 0));
                } else if stays == 0 {
                    entry = 0;
                }
                held += signed;
                if f.position_after.raw() != held || i128::from(f.entry_after.raw()) != entry {
                    return Err(format!("position after: {held} {entry}: {f:?}"));
                }
                wallet += gain - fee;
            }
            _ => {}
        }
    }
    Ok(wallet)
}

#[derive(Debug, Clone)]
enum Act {
    Market(bool, i64),
    Limit(bool, i64, i64, u8),
    Stop(bool, i64, i64),
    Reduce(bool, i64),
    Move(i64),
    Mark(i64),
    Cancel,
}
fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (any::<bool>(), 1_i64..40).prop_map(|(b, n)| Act::Market(b, n)),
        (any::<bool>(), 1_i64..40, 95_i64..106, 0_u8..4).prop_map(|(b, n, p, t)| Act::Limit(b, n, p, t)),
        (any::<bool>(), 1_i64..40, 90_i64..110).prop_map(|(b, n, p)| Act::Stop(b, n, p)),
        (any::<bool>(), 1_i64..40).prop_map(|(b, n)| Act::Reduce(b, n)),
        (80_i64..120).prop_map(Act::Move),
        (80_i64..120).prop_map(Act::Mark),
        Just(Act::Cancel),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn money_is_conserved_and_nothing_fills_outside_what_was_offered(acts in proptest::collection::vec(act(), 1..60), isolated in any::<bool>()) {
        let mut d = desk_with(|c| c.start_balance = u("500"));
        d.x.set_leverage(d.a, btc(), 50, &mut Vec::new()).unwrap();
        if isolated { d.x.set_margin_mode(d.a, btc(), MarginMode::Isolated, &mut Vec::new()).unwrap(); }
        let side = |b| if b { Side::Buy } else { Side::Sell };
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for act in acts {
            let held = d.position().qty;
            let reducing = matches!(act, Act::Reduce(..));
            match act {
                Act::Market(b, n) => { d.place(&NewOrder::market(btc(), side(b), Qty::from_raw(n * SCALE / 2))).ok(); }
                Act::Limit(b, n, at, t) => {
                    let tif = [Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::Gtx][usize::from(t)];
                    d.place(&NewOrder::limit(btc(), side(b), Qty::from_raw(n * SCALE / 2), Price::from_raw(at * SCALE), tif)).ok();
                }
                Act::Stop(b, n, at) => { d.algo(&NewAlgoOrder::market(btc(), side(b), OrderType::StopMarket, Qty::from_raw(n * SCALE / 2), Price::from_raw(at * SCALE))).ok(); }
                Act::Reduce(b, n) => {
                    d.x.cancel_all(d.a, btc(), &mut Vec::new()).unwrap();
                    d.place(&NewOrder { reduce_only: Some(true), ..NewOrder::market(btc(), side(b), Qty::from_raw(n * SCALE / 2)) }).ok();
                    d.quote(100, 101);
                    (low, high) = (low.min(100), high.max(101));
                }
                Act::Move(at) => { d.quote(at, at + 1); d.trade(&at.to_string(), Side::Sell); (low, high) = (low.min(at), high.max(at + 1)); }
                Act::Mark(at) => {
                    d.mark(&at.to_string());
                    let left = d.position();
                    if isolated && !left.qty.is_zero() { prop_assert!(left.isolated_margin > left.maintenance_margin, "should be liquidated: {left:?}"); }
                }
                Act::Cancel => { d.x.cancel_all(d.a, btc(), &mut Vec::new()).unwrap(); }
            }
            if reducing {
                let after = d.position().qty;
                prop_assert!(after.raw().signum() * held.raw().signum() >= 0 && after.abs() <= held.abs(), "reduce-only turned or grew: {} {}", held, after);
            }
        }
        prop_assert_eq!(d.x.health(), Ok(()));
        let income = d.x.income(d.a, None, None, all());
        prop_assert_eq!(d.wallet().raw(), income.iter().map(|i| i.amount.raw()).sum::<i64>(), "wallet is the sum of its income");
        let trades = d.x.user_trades(d.a, btc(), None, all());
        prop_assert_eq!(d.position().qty.raw(), trades.iter().map(|t| t.qty.raw() * t.side.sign()).sum::<i64>(), "position is the sum of its fills");
        let by = |kind| income.iter().filter(|i| i.kind == kind).map(|i| i.amount.raw()).sum::<i64>();
        prop_assert_eq!(by(IncomeKind::RealizedPnl), trades.iter().map(|t| t.realized.raw()).sum::<i64>());
        prop_assert_eq!(by(IncomeKind::Commission), -trades.iter().map(|t| t.fee.raw()).sum::<i64>());
        prop_assert_eq!(by(IncomeKind::InsuranceClear) + d.x.insurance().raw(), 0);
        if isolated { prop_assert!(!d.wallet().is_negative()); }
        prop_assert_eq!(recomputed(d.x.log().records()), Ok(d.wallet().raw()), "wallet recomputed from raw records alone");
        let forced: Vec<_> = d.x.force_orders(d.a, None, all()).iter().map(|f| f.order.order).collect();
        for t in trades.iter().filter(|t| !forced.contains(&t.order)) {
            prop_assert!(t.price.raw() >= low.min(100) * SCALE && t.price.raw() <= high.max(101) * SCALE, "fill at {} outside {}..{}", t.price, low, high);
        }
        for o in d.x.all_orders(d.a, btc(), all()) {
            prop_assert!(o.filled <= o.qty);
            if o.tif == Tif::Fok { prop_assert!(o.filled.is_zero() || o.filled == o.qty || o.status.is_open()); }
        }
    }
}

#[test]
fn latency_and_slippage_are_paid_where_configured() {
    let mut d = desk_with(|c| {
        c.fills.latency = Span(250);
        c.fills.slippage_ticks = 2;
    });
    let order = d.place(&NewOrder::market(btc(), Side::Buy, q("1"))).unwrap();
    d.quote(100, 101);
    d.quote(100, 101);
    assert_eq!(d.now(&order).status, VenueStatus::New, "200 ms: still under way");
    d.quote(110, 111);
    assert_eq!(d.now(&order).status, VenueStatus::Expired, "111 is beyond the bound around the mark");
    let order = d.place(&NewOrder::market(btc(), Side::Buy, q("1")));
    assert_eq!(Desk::code(order), -4131);
    d.mark("110");
    let order = d.place(&NewOrder::market(btc(), Side::Buy, q("1"))).unwrap();
    d.t += 300;
    d.quote(110, 111);
    assert_eq!(d.now(&order).average, p("112"));
}

#[test]
fn a_bar_of_the_source_is_served_and_streamed_exactly_and_once() {
    let mut d = desk();
    d.x.set_interest(btc(), Interest::default().with_kline(Timeframe::M1));
    d.trade("100", Side::Buy);
    let open_time = Timestamp(d.t).floor_to(Span::minutes(1));
    let bar = Bar {
        symbol: btc(),
        timeframe: Timeframe::M1,
        open_time,
        open: p("100"),
        high: p("107"),
        low: p("93"),
        close: p("101"),
        volume: q("12"),
        quote_volume: u("1200"),
        trades: 9,
    };
    d.out.clear();
    d.t = bar.end().0 - 100;
    d.point(PointKind::BarClosed(bar));
    d.trade("101", Side::Buy);
    let served = d.x.klines(btc(), KlineSource::Contract, Timeframe::M1, all());
    assert_eq!((served[0].bar, served[0].closed, served.len()), (bar, true, 2));
    let closed: Vec<Bar> = d
        .out
        .iter()
        .filter_map(|e| match e {
            Emission::Market { event: MarketEmission::Kline(k), .. } if k.closed => Some(k.bar),
            _ => None,
        })
        .collect();
    assert_eq!(closed, [bar]);
    let ticker = d.x.ticker(btc()).unwrap();
    assert_eq!((ticker.high, ticker.low, ticker.volume), (p("107"), p("93"), q("13")));
}

#[test]
fn isolated_margin_is_added_taken_and_warned_about() {
    let mut d = desk();
    let mut out = Vec::new();
    let change = |amount: &str, add| PositionMarginChange { symbol: btc(), side: None, amount: u(amount), add };
    d.market(Side::Buy, "10");
    assert_eq!(Desk::code(d.x.change_position_margin(d.a, &change("5", true), &mut out)), -4053);
    d.market(Side::Sell, "10");
    d.x.set_margin_mode(d.a, btc(), MarginMode::Isolated, &mut out).unwrap();
    assert_eq!(Desk::code(d.x.set_multi_assets(d.a, true, &mut out)), -4167);
    d.market(Side::Buy, "10");
    let margin = d.position().isolated_wallet;
    d.x.change_position_margin(d.a, &change("5", true), &mut out).unwrap();
    assert_eq!(d.position().isolated_wallet, margin.checked_add(u("5")).unwrap());
    assert_eq!(Desk::code(d.x.change_position_margin(d.a, &change("50", false), &mut out)), -4051);
    assert_eq!(Desk::code(d.x.change_position_margin(d.a, &change("50000", true), &mut out)), -4050);
    assert_eq!(Desk::code(d.x.set_leverage(d.a, btc(), 5, &mut out)), -4161);
    d.out.clear();
    d.mark("95.92");
    d.mark("95.9");
    assert_eq!(words(&d.out), ["call"], "one call on the way down");
    assert_eq!(d.position().qty, q("10"));
}
