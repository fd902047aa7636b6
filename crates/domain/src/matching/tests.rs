use super::*;
use crate::id::OrderId;
use crate::market::Level;
use crate::num::{Price, Qty, Ratio, SCALE, Usdt};
use crate::order::Side;
use proptest::prelude::*;

fn price(x: i64) -> Price {
    Price::from_raw(x * SCALE)
}
fn qty(x: i64) -> Qty {
    Qty::from_raw(x * SCALE)
}
fn shape() -> SyntheticBook {
    SyntheticBook { levels: 5, level_value: Usdt::from_raw(1_000 * SCALE), level_step: price(1), spread: price(1), qty_step: qty(1) }
}
fn book(queue: Box<dyn QueueModel>) -> SymbolBook {
    SymbolBook::new(shape(), queue, Price::ZERO)
}
fn taker(side: Side, limit: Option<i64>, q: i64) -> Taker {
    Taker { owner: 9, side, limit: limit.map(price), qty: qty(q) }
}

#[test]
fn a_drawn_book_stands_around_the_market_price_and_is_walked_level_by_level() {
    let mut book = book(Box::new(ThroughOnly));
    book.liquidity_mut().on_top(Level { price: price(99), qty: qty(1) }, Level { price: price(100), qty: qty(1) });
    let mut want = taker(Side::Buy, Some(101), 25);
    let mut fills = Vec::new();
    while let Some(hit) = book.offer(&want) {
        book.take(Side::Buy, &hit);
        fills.push((hit.price, hit.qty));
        want.qty = Qty::from_raw(want.qty.raw() - hit.qty.raw());
        if want.qty.is_zero() {
            break;
        }
    }
    assert_eq!(fills, [(price(100), qty(10)), (price(101), qty(10))]);
    assert_eq!(book.best(Side::Sell), Some(price(102)));
    book.liquidity_mut().on_top(Level { price: price(99), qty: qty(1) }, Level { price: price(100), qty: qty(1) });
    assert_eq!(book.best(Side::Sell), Some(price(100)), "the next market event refills");
}

#[test]
fn fill_or_kill_counts_what_stands_within_the_limit_and_not_the_owners_own_orders() {
    let mut book = book(Box::new(ThroughOnly));
    book.liquidity_mut().on_trade(price(100), Side::Buy);
    assert_eq!(book.fillable(&taker(Side::Buy, Some(100), 11)), qty(10));
    book.rest(OrderId(1), 9, Side::Sell, price(100), qty(5));
    assert_eq!(book.fillable(&taker(Side::Buy, Some(100), 11)), qty(10));
    book.rest(OrderId(2), 8, Side::Sell, price(100), qty(5));
    assert_eq!(book.fillable(&taker(Side::Buy, Some(100), 11)), qty(11));
}

#[test]
fn better_prices_first_then_the_older_order() {
    let mut book = book(Box::new(ThroughOnly));
    for (id, p) in [(1, 100), (2, 99), (3, 100), (4, 99)] {
        book.rest(OrderId(id), 1, Side::Sell, price(p), qty(1));
    }
    let order: Vec<i64> = book
        .offers(&taker(Side::Buy, None, 10))
        .filter_map(|e| if let Counter::Order(id, _) = e.counter { Some(id.0) } else { None })
        .collect();
    assert_eq!(order, [2, 4, 1, 3]);
}

fn crossed(book: &mut SymbolBook, print: Print) -> Vec<(i64, Qty)> {
    let mut out = Vec::new();
    book.crossings(print, &mut out);
    out.into_iter().map(|c| (c.id.0, c.qty)).collect()
}

#[test]
fn a_resting_limit_fills_through_its_price_and_by_touch_only_where_told() {
    let at = |p| Print::Trade { price: price(p), qty: qty(3), taker: Side::Sell };
    let mut strict = book(Box::new(ThroughOnly));
    strict.rest(OrderId(1), 1, Side::Buy, price(100), qty(5));
    assert_eq!(crossed(&mut strict, at(100)), []);
    assert_eq!(crossed(&mut strict, Print::Quote { bid: Some(price(99)), ask: Some(price(100)) }), []);
    assert_eq!(crossed(&mut strict, at(99)), [(1, qty(5))]);
    let mut touch = book(Box::new(OnTouch));
    touch.rest(OrderId(1), 1, Side::Buy, price(100), qty(5));
    assert_eq!(crossed(&mut touch, at(101)), []);
    assert_eq!(crossed(&mut touch, at(100)), [(1, qty(5))]);
}

#[test]
fn behind_visible_waits_for_the_quantity_ahead_and_shares_the_rest_in_line() {
    let mut book = book(Box::new(BehindVisible));
    book.liquidity_mut().on_depth(&[Level { price: price(100), qty: qty(4) }], &[Level { price: price(101), qty: qty(4) }]);
    book.rest(OrderId(1), 1, Side::Buy, price(100), qty(5));
    book.rest(OrderId(2), 1, Side::Buy, price(100), qty(5));
    let hit = |q| Print::Trade { price: price(100), qty: qty(q), taker: Side::Sell };
    assert_eq!(crossed(&mut book, hit(3)), []);
    assert_eq!(crossed(&mut book, hit(4)), [(1, qty(3))]);
    book.set_left(Side::Buy, OrderId(1), qty(2));
    assert_eq!(crossed(&mut book, hit(6)), [(1, qty(2)), (2, qty(4))]);
}

#[test]
fn triggers_fire_from_the_right_side() {
    let mut stop = Trigger::Level { direction: TriggerDirection::Falling, at: price(95) };
    assert_eq!(stop.on_price(price(96)), Ok(false));
    assert_eq!(stop.on_price(price(95)), Ok(true));
    let mut rise = Trigger::Level { direction: TriggerDirection::Rising, at: price(105) };
    assert_eq!(rise.on_price(price(104)), Ok(false));
    assert_eq!(rise.on_price(price(110)), Ok(true));
}

#[test]
fn a_trail_waits_for_its_activation_follows_the_extreme_and_fires_on_the_callback() {
    let mut trail = Trigger::Trail {
        direction: TriggerDirection::Falling,
        activation: Some(price(110)),
        callback: Ratio::from_raw(SCALE / 10),
        extreme: None,
    };
    for p in [100, 90, 109] {
        assert_eq!(trail.on_price(price(p)), Ok(false), "not active at {p}");
    }
    for p in [110, 120, 109] {
        assert_eq!(trail.on_price(price(p)), Ok(false), "within the callback at {p}");
    }
    assert_eq!(trail.level(), Ok(Some(price(108))));
    assert_eq!(trail.on_price(price(108)), Ok(true));
}

#[test]
fn fees_are_exact_shares() {
    let rates = FixedRates { maker: Ratio::from_raw(20_000), taker: Ratio::from_raw(50_000) };
    assert_eq!(rates.fee(Usdt::from_raw(1_000 * SCALE), true), Ok(Usdt::from_raw(SCALE / 5)));
    assert_eq!(rates.fee(Usdt::from_raw(1_000 * SCALE), false), Ok(Usdt::from_raw(SCALE / 2)));
}

proptest! {
    #[test]
    fn no_taker_gets_a_price_beyond_its_limit_or_more_than_stands_there(
        rests in proptest::collection::vec((1_i64..20, 90_i64..110, any::<bool>()), 0..20),
        side in any::<bool>(), limit in 85_i64..115, want in 1_i64..200, anchor in 95_i64..105,
    ) {
        let mut book = book(Box::new(ThroughOnly));
        book.liquidity_mut().on_top(Level { price: price(anchor), qty: qty(1) }, Level { price: price(anchor + 1), qty: qty(1) });
        for (n, (q, p, buy)) in rests.iter().enumerate() {
            book.rest(OrderId(i64::try_from(n).unwrap()), 1, if *buy { Side::Buy } else { Side::Sell }, price(*p), qty(*q));
        }
        let side = if side { Side::Buy } else { Side::Sell };
        let before: i64 = book.levels(side.opposite(), 1_000).iter().map(|l| l.qty.raw()).sum();
        let can = book.fillable(&taker(side, Some(limit), want));
        let (mut left, mut last) = (qty(want), None);
        while left.is_positive() {
            let Some(hit) = book.offer(&Taker { qty: left, ..taker(side, Some(limit), want) }) else { break };
            let within = if side == Side::Buy { hit.price <= price(limit) } else { hit.price >= price(limit) };
            prop_assert!(within);
            let worsens = last.is_none_or(|l| if side == Side::Buy { hit.price >= l } else { hit.price <= l });
            prop_assert!(worsens);
            last = Some(hit.price);
            book.take(side, &hit);
            left = Qty::from_raw(left.raw() - hit.qty.raw());
        }
        prop_assert_eq!(qty(want).raw() - left.raw(), can.raw());
        let after: i64 = book.levels(side.opposite(), 1_000).iter().map(|l| l.qty.raw()).sum();
        prop_assert_eq!(before - after, can.raw());
    }

    #[test]
    fn a_recorded_book_is_sorted_and_never_crossed(
        updates in proptest::collection::vec((80_i64..120, 0_i64..5, any::<bool>()), 1..60)
    ) {
        let mut liquidity = Liquidity::new(shape());
        for (p, q, bid) in updates {
            let level = [Level { price: price(p), qty: qty(q) }];
            if bid { liquidity.on_depth(&level, &[]) } else { liquidity.on_depth(&[], &level) }
            let bids: Vec<_> = (0..100).map_while(|i| liquidity.level(Side::Buy, i)).map(|l| l.price).collect();
            let asks: Vec<_> = (0..100).map_while(|i| liquidity.level(Side::Sell, i)).map(|l| l.price).collect();
            prop_assert!(bids.windows(2).all(|w| w[0] > w[1]) && asks.windows(2).all(|w| w[0] < w[1]));
            if let (Some(b), Some(a)) = (bids.first(), asks.first()) { prop_assert!(b < a); }
        }
    }
}
