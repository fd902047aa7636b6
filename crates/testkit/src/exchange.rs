//! A small exchange in memory: one account in one-way mode, isolated margin, market and limit orders, stops and targets.
//!
//! It knows one price per contract, the mark. An order that is placed is answered as new and matched at the next price; a
//! conditional order triggers when the price has reached its trigger and fills at that price. Every change is also reported on the
//! account's stream at the next [`Venue::advance`], in the order in which it took effect. Fees, realised profit and entries follow
//! the exchange's rules; funding and liquidation do not exist here.
//! Invariant: the wallet is what was deposited plus realised profit less fees, of exactly the fills that it tells.

use std::collections::BTreeMap;

use fulmar_domain::account::{AccountEvent, AccountSnapshot, Income, SymbolSettings, VenueBalance, VenuePosition};
use fulmar_domain::execution::{OrderRef, OrderState, Outcome};
use fulmar_domain::id::{AlgoId, ClientOrderId, OrderId, TradeId};
use fulmar_domain::market::{Bar, MarketEvent, Timeframe};
use fulmar_domain::num::{Price, Qty, Ratio, Rounding, Usdt, average_price, notional};
use fulmar_domain::order::{AlgoEvent, Fill, MarginMode, OrderEvent, OrderKind, OrderStatus, PositionSide, Side, VenueError, VenueOrder};
use fulmar_domain::replay::{Report, Venue};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;

/// What was asked of the exchange so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Orders taken.
    pub placed: u64,
    /// Orders turned down.
    pub refused: u64,
    /// Orders withdrawn.
    pub cancelled: u64,
    /// Surveys of the account.
    pub surveys: u64,
    /// Conditional orders that triggered.
    pub triggered: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    qty: Qty,
    entry: Price,
    wallet: Usdt,
}

#[derive(Debug, Clone)]
struct Standing {
    order: VenueOrder,
    number: i64,
    state: OrderState,
}

impl Standing {
    const fn is_open(&self) -> bool {
        let status = match &self.state {
            OrderState::Regular(event) => event.status,
            OrderState::Algo(event) => event.status,
        };
        matches!(status, Some(OrderStatus::New))
    }
}

/// The exchange. See the module.
#[derive(Debug, Clone)]
pub struct Exchange {
    now: Timestamp,
    wallet: Usdt,
    fee: Ratio,
    prices: BTreeMap<Symbol, Price>,
    held: BTreeMap<Symbol, Held>,
    settings: BTreeMap<Symbol, (u16, MarginMode)>,
    orders: BTreeMap<ClientOrderId, Standing>,
    fills: Vec<Fill>,
    bars: BTreeMap<(Symbol, Timeframe), Vec<Bar>>,
    reports: Vec<Report>,
    numbers: i64,
    calls: Calls,
}

fn refuse<T>(code: i32, message: &str) -> Outcome<T> {
    Outcome::Refused(VenueError { code, message: message.to_owned() })
}

impl Exchange {
    /// An exchange whose account holds `wallet` and pays a taker fee of 0.05 %.
    #[must_use]
    pub fn new(wallet: Usdt, now: Timestamp) -> Self {
        Self {
            now,
            wallet,
            fee: Ratio::from_raw(50_000),
            prices: BTreeMap::new(),
            held: BTreeMap::new(),
            settings: BTreeMap::new(),
            orders: BTreeMap::new(),
            fills: Vec::new(),
            bars: BTreeMap::new(),
            reports: Vec::new(),
            numbers: 0,
            calls: Calls::default(),
        }
    }

    /// What was asked so far.
    #[must_use]
    pub const fn calls(&self) -> Calls {
        self.calls
    }
    /// All fills, oldest first.
    #[must_use]
    pub fn all_fills(&self) -> &[Fill] {
        &self.fills
    }
    /// The wallet.
    #[must_use]
    pub const fn wallet(&self) -> Usdt {
        self.wallet
    }
    /// Positions that are not flat: signed quantity by contract.
    #[must_use]
    pub fn positions(&self) -> BTreeMap<Symbol, Qty> {
        self.held.iter().map(|(symbol, held)| (*symbol, held.qty)).collect()
    }
    /// Open orders, oldest first.
    #[must_use]
    pub fn open(&self) -> Vec<VenueOrder> {
        let mut open: Vec<&Standing> = self.orders.values().filter(|o| o.is_open()).collect();
        open.sort_by_key(|o| o.number);
        open.into_iter().map(|o| o.order.clone()).collect()
    }
    /// Reports that nobody has fetched yet.
    #[must_use]
    pub const fn unreported(&self) -> usize {
        self.reports.len()
    }

    const fn number(&mut self) -> i64 {
        self.numbers += 1;
        self.numbers
    }

    fn show(&mut self, client_id: ClientOrderId, state: OrderState) {
        if let Some(standing) = self.orders.get_mut(&client_id) {
            standing.state = state.clone();
        }
        self.reports.push(match state {
            OrderState::Regular(event) => Report::Order(event),
            OrderState::Algo(event) => Report::Algo(event),
        });
    }

    fn regular(&self, order: &VenueOrder, number: i64, status: OrderStatus, filled: Qty) -> OrderEvent {
        OrderEvent {
            symbol: order.symbol,
            order: OrderId(number),
            client_id: Some(order.client_id),
            client_text: order.client_id.as_str().to_owned(),
            side: order.side,
            position_side: order.position_side,
            status: Some(status),
            qty: order.qty,
            filled,
            average: None,
            price: if let OrderKind::Limit { price, .. } = order.kind { price } else { Price::ZERO },
            reduce_only: order.reduce_only,
            type_text: if matches!(order.kind, OrderKind::Market) { "MARKET" } else { "LIMIT" }.to_owned(),
            fill: None,
            time: self.now,
        }
    }

    fn algo(&self, order: &VenueOrder, number: i64, status: OrderStatus, child: Option<i64>) -> AlgoEvent {
        AlgoEvent {
            symbol: order.symbol,
            algo: AlgoId(number),
            client_id: Some(order.client_id),
            side: order.side,
            position_side: order.position_side,
            status: Some(status),
            trigger: trigger_of(order).unwrap_or_default(),
            qty: order.qty,
            close_position: order.close_position,
            child: child.map(OrderId),
            type_text: "STOP_MARKET".to_owned(),
            time: self.now,
        }
    }

    /// Books a fill and tells of it: order, then account.
    fn fill(&mut self, order: &VenueOrder, number: i64, qty: Qty, price: Price) {
        let before = self.held.get(&order.symbol).copied().unwrap_or_default();
        let leverage = self.settings.get(&order.symbol).map_or(1, |s| s.0);
        let (after, realized) = turn(before, order.side, qty, price, leverage);
        let value = notional(price, qty, Rounding::HalfEven).unwrap();
        let fee = value.times(self.fee, Rounding::HalfEven).unwrap();
        self.wallet = self.wallet.checked_add(realized).unwrap().checked_sub(fee).unwrap();
        if after.qty.is_zero() {
            self.held.remove(&order.symbol);
        } else {
            self.held.insert(order.symbol, after);
        }
        let fill = Fill {
            symbol: order.symbol,
            trade: TradeId(self.number()),
            order: OrderId(number),
            side: order.side,
            position_side: order.position_side,
            price,
            qty,
            realized,
            fee,
            fee_in_usdt: true,
            maker: false,
            time: self.now,
        };
        self.fills.push(fill);
        let filled = OrderEvent { fill: Some(fill), ..self.regular(order, number, OrderStatus::Filled, qty) };
        if order.kind.is_algo() {
            self.reports.push(Report::Order(OrderEvent { client_id: None, qty, ..filled }));
        } else {
            self.show(order.client_id, OrderState::Regular(filled));
        }
        let position = self.position(order.symbol, after);
        let isolated = self.held.values().try_fold(Usdt::ZERO, |sum, h| sum.checked_add(h.wallet)).unwrap();
        self.reports.push(Report::Account(AccountEvent {
            reason: "ORDER".to_owned(),
            balances: vec![VenueBalance {
                asset: "USDT".to_owned(),
                wallet: self.wallet,
                cross_wallet: self.wallet.checked_sub(isolated).unwrap(),
                change: Usdt::ZERO,
            }],
            positions: vec![position],
            time: self.now,
        }));
    }

    fn position(&self, symbol: Symbol, held: Held) -> VenuePosition {
        VenuePosition {
            symbol,
            side: PositionSide::Both,
            qty: held.qty,
            entry: held.entry,
            margin_mode: self.settings.get(&symbol).map_or_else(MarginMode::default, |s| s.1),
            isolated_wallet: held.wallet,
        }
    }

    /// What may still be closed by an order of this side.
    fn reducible(&self, symbol: Symbol, side: Side) -> Qty {
        let held = self.held.get(&symbol).copied().unwrap_or_default().qty;
        let closes = if side == Side::Sell { held.is_positive() } else { held.is_negative() };
        if closes { held.abs() } else { Qty::ZERO }
    }

    fn end(&mut self, client_id: ClientOrderId, status: OrderStatus) -> Option<OrderState> {
        let standing = self.orders.get(&client_id).filter(|o| o.is_open())?.clone();
        let state = match standing.state {
            OrderState::Regular(_) => OrderState::Regular(self.regular(&standing.order, standing.number, status, Qty::ZERO)),
            OrderState::Algo(_) => OrderState::Algo(self.algo(&standing.order, standing.number, status, None)),
        };
        self.show(client_id, state.clone());
        Some(state)
    }

    /// The price of a contract moved: whatever it reaches is matched, oldest order first.
    fn match_at(&mut self, symbol: Symbol, price: Price) {
        self.prices.insert(symbol, price);
        let mut standing: Vec<Standing> = self.orders.values().filter(|o| o.order.symbol == symbol && o.is_open()).cloned().collect();
        standing.sort_by_key(|o| o.number);
        for Standing { order, number, .. } in standing {
            if !reached(&order, price) {
                continue;
            }
            let most = self.reducible(symbol, order.side);
            let qty = if order.close_position {
                most
            } else if order.reduce_only {
                order.qty.min(most)
            } else {
                order.qty
            };
            if !qty.is_positive() {
                self.end(order.client_id, OrderStatus::Expired);
            } else if order.kind.is_algo() {
                self.calls.triggered += 1;
                let child = self.number();
                let state = OrderState::Algo(self.algo(&order, number, OrderStatus::Triggered, Some(child)));
                self.show(order.client_id, state);
                self.fill(&order, child, qty, price);
                let state = OrderState::Algo(self.algo(&order, number, OrderStatus::Filled, Some(child)));
                self.show(order.client_id, state);
            } else {
                self.fill(&order, number, qty, price);
            }
        }
    }
}

/// What a fill of `qty` at `price` makes of a position, and the profit that it realises.
fn turn(before: Held, side: Side, qty: Qty, price: Price, leverage: u16) -> (Held, Usdt) {
    let signed = Qty::from_raw(qty.raw() * side.sign());
    let margin = |price, qty| notional(price, qty, Rounding::Ceil).unwrap().over_int(i64::from(leverage.max(1)), Rounding::Ceil).unwrap();
    let total = before.qty.checked_add(signed).unwrap();
    if before.qty.is_zero() || before.qty.is_negative() == signed.is_negative() {
        let value = notional(before.entry, before.qty.abs(), Rounding::HalfEven).unwrap();
        let value = value.checked_add(notional(price, qty, Rounding::HalfEven).unwrap()).unwrap();
        let entry = if before.qty.is_zero() { price } else { average_price(value, total.abs(), Rounding::HalfEven).unwrap() };
        return (Held { qty: total, entry, wallet: before.wallet.checked_add(margin(price, qty)).unwrap() }, Usdt::ZERO);
    }
    let closed = qty.min(before.qty.abs());
    let gain = Price::from_raw((price.raw() - before.entry.raw()) * before.qty.raw().signum());
    let realized = notional(gain, closed, Rounding::HalfEven).unwrap();
    let after = if total.is_zero() {
        Held::default()
    } else if total.is_negative() == before.qty.is_negative() {
        let share = Qty::share_of(total.abs(), before.qty.abs(), Rounding::Floor).unwrap();
        Held { qty: total, entry: before.entry, wallet: before.wallet.times(share, Rounding::Floor).unwrap() }
    } else {
        Held { qty: total, entry: price, wallet: margin(price, total.abs()) }
    };
    (after, realized)
}

const fn trigger_of(order: &VenueOrder) -> Option<Price> {
    match order.kind {
        OrderKind::StopMarket { trigger, .. } | OrderKind::TakeProfitMarket { trigger, .. } => Some(trigger),
        _ => None,
    }
}

/// Whether a price lets an order trade.
fn reached(order: &VenueOrder, price: Price) -> bool {
    let down = |level: Price| price <= level;
    let up = |level: Price| price >= level;
    match order.kind {
        OrderKind::Market => true,
        OrderKind::Limit { price: limit, .. } if order.side == Side::Buy => down(limit),
        OrderKind::Limit { price: limit, .. } => up(limit),
        OrderKind::StopMarket { trigger, .. } if order.side == Side::Sell => down(trigger),
        OrderKind::StopMarket { trigger, .. } => up(trigger),
        OrderKind::TakeProfitMarket { trigger, .. } if order.side == Side::Sell => up(trigger),
        OrderKind::TakeProfitMarket { trigger, .. } => down(trigger),
        _ => false,
    }
}

impl Venue for Exchange {
    fn advance(&mut self, at: Timestamp, events: &[MarketEvent]) -> Vec<Report> {
        self.now = at;
        for event in events {
            match event {
                MarketEvent::Mark(mark) => self.match_at(mark.symbol, mark.price),
                MarketEvent::BarClosed(bar) => self.bars.entry((bar.symbol, bar.timeframe)).or_default().push(*bar),
                _ => {}
            }
        }
        std::mem::take(&mut self.reports)
    }

    fn place(&mut self, order: &VenueOrder) -> Outcome<OrderState> {
        let refused = if self.orders.contains_key(&order.client_id) {
            Some((-4116, "ClientOrderId is duplicated."))
        } else if order.kind.is_algo() && trigger_of(order).is_none() {
            Some((-1116, "Invalid orderType."))
        } else if order.kind.is_algo() && self.prices.get(&order.symbol).is_some_and(|price| reached(order, *price)) {
            Some((-2021, "Order would immediately trigger."))
        } else if !order.kind.is_algo() && order.reduce_only && self.reducible(order.symbol, order.side).is_zero() {
            Some((-2022, "ReduceOnly Order is rejected."))
        } else {
            None
        };
        if let Some((code, text)) = refused {
            self.calls.refused += 1;
            return refuse(code, text);
        }
        self.calls.placed += 1;
        let number = self.number();
        let state = if order.kind.is_algo() {
            OrderState::Algo(self.algo(order, number, OrderStatus::New, None))
        } else {
            OrderState::Regular(self.regular(order, number, OrderStatus::New, Qty::ZERO))
        };
        self.orders.insert(order.client_id, Standing { order: order.clone(), number, state: state.clone() });
        self.show(order.client_id, state.clone());
        Outcome::Done(state)
    }

    fn cancel(&mut self, order: OrderRef) -> Outcome<OrderState> {
        match self.end(order.client_id, OrderStatus::Canceled) {
            Some(state) => {
                self.calls.cancelled += 1;
                Outcome::Done(state)
            }
            None => refuse(-2011, "Unknown order sent."),
        }
    }

    fn set_leverage(&mut self, symbol: Symbol, leverage: u16) -> Outcome<u16> {
        self.settings.entry(symbol).or_default().0 = leverage;
        Outcome::Done(leverage)
    }

    fn set_margin_mode(&mut self, symbol: Symbol, mode: MarginMode) -> Outcome<()> {
        self.settings.entry(symbol).or_insert((20, mode)).1 = mode;
        Outcome::Done(())
    }

    fn query(&mut self, order: OrderRef) -> Option<OrderState> {
        self.orders.get(&order.client_id).map(|standing| standing.state.clone())
    }

    fn open_orders(&mut self) -> Vec<OrderState> {
        self.orders.values().filter(|o| o.is_open()).map(|o| o.state.clone()).collect()
    }

    fn fills(&mut self, symbol: Symbol, from: Option<TradeId>, since: Timestamp) -> Vec<Fill> {
        let wanted = |fill: &&Fill| fill.symbol == symbol && from.map_or(fill.time >= since, |from| fill.trade >= from);
        self.fills.iter().filter(wanted).take(1_000).copied().collect()
    }

    fn incomes(&mut self, _since: Timestamp) -> Vec<Income> {
        Vec::new()
    }

    fn account(&mut self) -> AccountSnapshot {
        self.calls.surveys += 1;
        AccountSnapshot {
            wallet: self.wallet,
            hedge_mode: false,
            positions: self.held.iter().map(|(symbol, held)| self.position(*symbol, *held)).collect(),
            settings: self
                .settings
                .iter()
                .map(|(symbol, (leverage, margin_mode))| SymbolSettings { symbol: *symbol, leverage: *leverage, margin_mode: *margin_mode })
                .collect(),
            taker_fee: self.fee,
            maker_fee: Ratio::from_raw(20_000),
            time: self.now,
        }
    }

    fn bars(&mut self, symbol: Symbol, timeframe: Timeframe, limit: u16) -> Vec<Bar> {
        let bars = self.bars.get(&(symbol, timeframe)).map_or(&[][..], Vec::as_slice);
        bars[bars.len().saturating_sub(usize::from(limit))..].to_vec()
    }
}
