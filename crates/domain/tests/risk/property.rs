//! 120,000 random orders on 20,000 random accounts: whatever is approved, filled all together, leaves the account inside every
//! limit. The figures are recomputed in decimals from the definitions, with none of the gate's code.

use crate::build::*;
use fulmar_domain::account::PositionView;
use fulmar_domain::gate::GateState;
use fulmar_domain::id::DecisionId;
use fulmar_domain::instrument::Brackets;
use fulmar_domain::node::Node;
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::order::{MarginMode, OrderIntent, OrderKind, OrderRole, Purpose, Side, TimeInForce};
use fulmar_domain::risk::node::{RiskIn, RiskNode, RiskOut};
use fulmar_domain::time::{Now, Timestamp};
use rust_decimal::Decimal;
use std::sync::Arc;

const ACCOUNTS: u64 = 20_000;
const ORDERS: u64 = 6;

/// SplitMix64: same seed, same run.
struct Dice(u64);
impl Dice {
    fn roll(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % u64::try_from(below).expect("positive")).expect("fits")
    }
    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.roll(high - low + 1)
    }
    fn flip(&mut self) -> bool {
        self.roll(2) == 0
    }
}

fn dec(raw: i64) -> Decimal {
    Decimal::new(raw, 8)
}
fn pct(units: i64) -> Decimal {
    Decimal::new(units, 2)
}

fn random_world(dice: &mut Dice) -> World {
    let mut world = World::new();
    let at = Price::from_raw(dice.between(400_000, 600_000) * 10_000_000);
    world.mark = Some(fulmar_domain::market::Mark {
        price: at,
        funding_rate: fulmar_domain::num::Ratio::from_raw(dice.between(-300_000, 300_000)),
        ..mark(btc(), "50000", "0")
    });
    let mut positions: Vec<PositionView> = Vec::new();
    if dice.roll(3) == 0 {
        let mut held = position(btc(), "0.001", "1");
        held.qty = Qty::from_raw(dice.between(-60, 60).saturating_mul(100_000));
        (held.entry, held.mark) = (Price::from_raw(at.raw() / 100 * dice.between(97, 103)), at);
        held.margin_mode = if dice.flip() { MarginMode::Isolated } else { MarginMode::Cross };
        if !held.qty.is_zero() {
            positions.push(held);
        }
    }
    if dice.flip() {
        let mut held = position(eth(), "0.001", "1");
        held.qty = Qty::from_raw(dice.between(-9_000, 9_000).saturating_mul(100_000));
        (held.entry, held.mark) = (price("3000"), price("3000"));
        held.margin_mode = if dice.flip() { MarginMode::Isolated } else { MarginMode::Cross };
        if !held.qty.is_zero() {
            positions.push(held);
        }
    }
    let wallet = Usdt::from_raw(dice.between(500, 20_000) * 100_000_000);
    let (mut equity, mut used) = (wallet, Usdt::ZERO);
    for held in &mut positions {
        held.unrealized = fulmar_domain::position::margin::profit(held.entry, held.mark, held.qty).expect("fits");
        let notional = fulmar_domain::position::margin::position_notional(held.qty, held.mark).expect("fits");
        held.initial_margin = fulmar_domain::position::margin::initial_margin(notional, 5).expect("fits");
        held.isolated_wallet = if held.margin_mode == MarginMode::Isolated { held.initial_margin } else { Usdt::ZERO };
        equity = equity.checked_add(held.unrealized).expect("fits");
        used = used.checked_add(held.initial_margin).expect("fits");
    }
    let account = world.account();
    (account.wallet, account.equity, account.positions) = (wallet, equity, positions);
    account.available = equity.checked_sub(used).expect("fits").max(Usdt::ZERO);
    account.day_start_equity = Usdt::from_raw(equity.raw() / 1_000 * dice.between(960, 1_060));
    account.peak_equity = Usdt::from_raw(equity.raw() / 1_000 * dice.between(1_000, 1_190)).max(account.day_start_equity);
    for _ in 0..dice.roll(3) {
        let role = OrderRole::Entry { protection: protection("1") };
        let side = if dice.flip() { Side::Buy } else { Side::Sell };
        account.orders.push(order(btc(), role, side, "0.01", "50000"));
    }
    world
}

fn random_order(dice: &mut Dice, world: &World, number: u64) -> OrderIntent {
    let at = world.mark.expect("mark").price;
    let side = if dice.flip() { Side::Buy } else { Side::Sell };
    let near = |dice: &mut Dice, low: i64, high: i64| {
        let raw = at.raw() / 1_000 * dice.between(low, high);
        Price::from_raw(raw - raw % 10_000_000)
    };
    let kind = if dice.flip() { OrderKind::Market } else { OrderKind::Limit { price: near(dice, 940, 1_060), tif: TimeInForce::Gtc } };
    let stop = if side == Side::Buy { near(dice, 900, 1_005) } else { near(dice, 995, 1_100) };
    let protection = (dice.roll(20) > 0).then(|| fulmar_domain::order::Protection { stop, ..protection("1") });
    // From dust to far too much, in equal shares of each order of magnitude.
    let size = [(1, 10), (10, 100), (100, 1_000), (1_000, 100_000)][usize::try_from(dice.roll(4)).expect("small")];
    OrderIntent {
        decision: DecisionId(number),
        side,
        kind,
        qty: Qty::from_raw(dice.between(size.0, size.1) * 100_000 + if dice.roll(20) == 0 { 1 } else { 0 }),
        leverage: u16::try_from(dice.between(0, 14)).expect("small"),
        margin_mode: if dice.flip() { MarginMode::Isolated } else { MarginMode::Cross },
        purpose: Purpose::Entry { protection },
        reference: near(dice, 940, 1_060),
        ..entry()
    }
}

/// The account as it would be with everything filled.
struct After {
    equity: Decimal,
    mark: Decimal,
    btc: (Decimal, Decimal, Decimal),
    others: Vec<PositionView>,
    free: Decimal,
}

fn price_of(intent: &OrderIntent, mark: Decimal) -> Decimal {
    match intent.kind {
        OrderKind::Limit { price, .. } => dec(price.raw()),
        _ => mark,
    }
}

fn maintenance(tiers: &Brackets, notional: Decimal) -> Decimal {
    let tier = tiers.tiers.iter().find(|t| notional <= dec(t.cap.raw())).or(tiers.tiers.last()).expect("tiers");
    notional * dec(tier.mmr.raw()) - dec(tier.cum.raw())
}

impl After {
    fn new(world: &World) -> Self {
        let account = world.frame.as_ref().expect("frame");
        let held = account.positions.iter().find(|p| p.symbol == btc()).map(|p| dec(p.qty.raw())).unwrap_or_default();
        let pending = |side: Side| account.orders.iter().filter(|o| o.side == side).map(|o| dec(o.qty.raw())).sum::<Decimal>();
        Self {
            equity: dec(account.equity.raw()),
            mark: dec(world.mark.expect("mark").price.raw()),
            btc: (held, pending(Side::Buy), pending(Side::Sell)),
            others: account.positions.iter().filter(|p| p.symbol != btc()).cloned().collect(),
            free: dec(account.available.raw()),
        }
    }
    fn fill(&mut self, intent: &OrderIntent) {
        let amount = dec(intent.qty.raw());
        match intent.side {
            Side::Buy => self.btc.1 += amount,
            Side::Sell => self.btc.2 += amount,
        }
    }
    fn check(&mut self, world: &World, intent: &OrderIntent) {
        let account = world.frame.as_ref().expect("frame");
        let ctx = || format!("{intent:?}\n{account:?}");
        let (mark, price, amount) = (self.mark, price_of(intent, self.mark), dec(intent.qty.raw()));
        let leverage = Decimal::from(intent.leverage);
        let held = self.btc.0;
        let alone = if intent.side == Side::Buy { held + amount } else { held - amount };
        let all = if intent.side == Side::Buy { held + self.btc.1 } else { held - self.btc.2 };
        let other_gross: Decimal = self.others.iter().map(|p| dec(p.qty.raw()).abs() * dec(p.mark.raw())).sum();
        let other_net: Decimal = self.others.iter().map(|p| dec(p.qty.raw()) * dec(p.mark.raw())).sum();
        assert!((1..=10).contains(&intent.leverage), "leverage {}", ctx());
        for after in [alone, all] {
            assert!(after.abs() * mark / leverage <= self.equity * pct(10), "position {}", ctx());
            assert!(other_gross + after.abs() * mark <= self.equity * Decimal::from(3), "gross {}", ctx());
            assert!((other_net + after * mark).abs() <= self.equity * Decimal::from(2), "net {}", ctx());
        }
        assert!(dec(account.day_start_equity.raw()) - self.equity <= dec(account.day_start_equity.raw()) * pct(5), "day {}", ctx());
        assert!(dec(account.peak_equity.raw()) - self.equity <= dec(account.peak_equity.raw()) * pct(15), "peak {}", ctx());
        let against = !held.is_zero() && (held > Decimal::ZERO) != (intent.side == Side::Buy);
        let opening = if against { (amount - held.abs()).max(Decimal::ZERO) } else { amount };
        self.free -= opening * price.max(mark) / leverage + amount * price * Decimal::new(5, 4);
        assert!(self.free >= Decimal::ZERO, "margin {}", ctx());
        let Purpose::Entry { protection: Some(protection) } = &intent.purpose else { panic!("no stop {}", ctx()) };
        let stop = dec(protection.stop.raw());
        assert!((price - stop).abs() * amount <= self.equity * pct(1), "risk {}", ctx());
        assert!(if intent.side == Side::Buy { stop < price && stop < mark } else { stop > price && stop > mark }, "side {}", ctx());
        assert!((price - mark).abs() <= mark * pct(5), "band {}", ctx());
        assert!(amount * price >= Decimal::from(5) && amount % Decimal::new(1, 3) == Decimal::ZERO, "filters {}", ctx());
        let rate = dec(world.mark.expect("mark").funding_rate.raw());
        let pays = if intent.side == Side::Buy { rate } else { -rate };
        assert!(pays * leverage <= pct(1), "funding {}", ctx());
        self.check_liquidation(world, intent, alone, opening, price, stop);
    }
    /// At the limit's distance from mark, and at the stop, margin must be left.
    fn check_liquidation(&self, world: &World, intent: &OrderIntent, after: Decimal, opening: Decimal, price: Decimal, stop: Decimal) {
        if after.is_zero() {
            return;
        }
        let account = world.frame.as_ref().expect("frame");
        let before = account.positions.iter().find(|p| p.symbol == btc());
        let mode = before.map_or(intent.margin_mode, |p| p.margin_mode);
        let held = before.map(|p| dec(p.qty.raw())).unwrap_or_default();
        let entry = match before {
            Some(p) if (held > Decimal::ZERO) == (intent.side == Side::Buy) => (dec(p.entry.raw()) * held + price * (after - held)) / after,
            Some(p) if (held > Decimal::ZERO) == (after > Decimal::ZERO) => dec(p.entry.raw()),
            _ => price,
        };
        let same_side = (held > Decimal::ZERO) == (after > Decimal::ZERO) && !held.is_zero();
        let collateral = if mode == MarginMode::Isolated {
            let kept = before.filter(|_| same_side).map(|p| dec(p.isolated_wallet.raw())).unwrap_or_default();
            kept + opening * price / Decimal::from(intent.leverage)
        } else {
            let mut sum = dec(account.wallet.raw());
            for p in &self.others {
                sum += match p.margin_mode {
                    MarginMode::Isolated => -dec(p.isolated_wallet.raw()),
                    MarginMode::Cross => {
                        dec(p.unrealized.raw()) - maintenance(&brackets(eth()), dec(p.qty.raw()).abs() * dec(p.mark.raw()))
                    }
                };
            }
            let closed = dec(intent.qty.raw()) - opening;
            let sign = if held > Decimal::ZERO { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
            sum + before.map(|p| (price - dec(p.entry.raw())) * closed * sign).unwrap_or_default()
        };
        let left = |at: Decimal| collateral + after * (at - entry) - maintenance(&brackets(btc()), after.abs() * at);
        let worst = if after > Decimal::ZERO { self.mark * pct(95) } else { self.mark * pct(105) };
        let slack = Decimal::new(-1, 3);
        assert!(left(worst) >= slack, "liquidated within the distance: {intent:?}\n{account:?}");
        let protects_after = (after > Decimal::ZERO) == (intent.side == Side::Buy);
        assert!(!protects_after || left(stop) >= slack, "liquidated before the stop: {intent:?}\n{account:?}");
    }
}

#[test]
fn no_accepted_order_leaves_the_account_past_any_limit() {
    let mut dice = Dice(20_250_624);
    let (mut approved, mut refused) = (0_u64, 0_u64);
    let filters = Arc::new(instrument(btc()));
    let tiers = [Arc::new(brackets(btc())), Arc::new(brackets(eth()))];
    for _ in 0..ACCOUNTS {
        let world = random_world(&mut dice);
        let mut node = RiskNode::new(world.limits.clone());
        let mut out = Vec::new();
        let eth_mark = mark(eth(), "3000", "0.0001");
        let mut inputs = vec![
            RiskIn::Account(Arc::new(world.frame.clone().expect("frame"))),
            RiskIn::Mark(world.mark.expect("mark")),
            RiskIn::Mark(eth_mark),
            RiskIn::Instrument(Arc::clone(&filters)),
        ];
        inputs.extend(tiers.iter().map(|t| RiskIn::Brackets(Arc::clone(t))));
        for input in inputs {
            node.on(&input, Now::both(Timestamp(START)), &mut out);
        }
        let mut after = After::new(&world);
        for number in 1..=ORDERS {
            let intent = random_order(&mut dice, &world, number);
            match ask(&mut node, &intent, GateState::Open, START) {
                RiskOut::Approved(_) => {
                    approved += 1;
                    after.fill(&intent);
                    after.check(&world, &intent);
                }
                RiskOut::Refused(record) => {
                    refused += 1;
                    assert!(!record.failures.is_empty());
                }
                RiskOut::Protect(_) => panic!("an entry is no protection"),
            }
        }
    }
    println!("approved {approved}, refused {refused}");
    assert_eq!(approved + refused, ACCOUNTS * ORDERS);
    assert!(approved > 5_000, "the gate lets enough pass for the test to mean something: {approved}");
}
