//! The resting orders of one contract by price and time, beside everybody else's.

use super::liquidity::{Liquidity, SyntheticBook};
use super::queue::{QueueModel, QueuePlace};
use crate::id::OrderId;
use crate::market::Level;
use crate::num::{Price, Qty};
use crate::order::Side;

/// Whose order it is, as the caller numbers its accounts.
pub type Owner = u32;

/// An order that stands in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resting {
    /// Its number.
    pub id: OrderId,
    /// Whose.
    pub owner: Owner,
    /// Side.
    pub side: Side,
    /// Limit.
    pub price: Price,
    /// What is left of it.
    pub left: Qty,
    /// Its place among others at the price.
    pub place: QueuePlace,
}

/// An order that wants to be filled now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taker {
    /// Whose.
    pub owner: Owner,
    /// Side.
    pub side: Side,
    /// Worst price that it takes.
    pub limit: Option<Price>,
    /// Quantity wanted.
    pub qty: Qty,
}

/// Who stands on the other side of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// The market, at this level.
    Market(u16),
    /// An order in the book.
    Order(OrderId, Owner),
}

/// A fill that can be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// From whom.
    pub counter: Counter,
}

/// What the market did, as resting orders see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print {
    /// A trade of others.
    Trade {
        /// Price.
        price: Price,
        /// Quantity.
        qty: Qty,
        /// Side of the taker.
        taker: Side,
    },
    /// The best prices of others.
    Quote {
        /// Best bid.
        bid: Option<Price>,
        /// Best ask.
        ask: Option<Price>,
    },
}

/// A resting order that the market reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// The order.
    pub id: OrderId,
    /// How much of it fills.
    pub qty: Qty,
    /// Its limit.
    pub limit: Price,
    /// The price that reached it, as good as the limit or better.
    pub reached: Price,
}

/// The book of one contract.
#[derive(Debug)]
pub struct SymbolBook {
    liquidity: Liquidity,
    bids: Vec<Resting>,
    asks: Vec<Resting>,
    queue: Box<dyn QueueModel>,
    slippage: Price,
}

impl SymbolBook {
    /// An empty book. A taker pays `slippage` (absolute, zero or more) on top of each price of the market's.
    #[must_use]
    pub fn new(shape: SyntheticBook, queue: Box<dyn QueueModel>, slippage: Price) -> Self {
        Self { liquidity: Liquidity::new(shape), bids: Vec::new(), asks: Vec::new(), queue, slippage }
    }
    /// Everybody else's orders.
    #[must_use]
    pub const fn liquidity(&self) -> &Liquidity {
        &self.liquidity
    }
    /// Everybody else's orders, to feed market events into.
    pub const fn liquidity_mut(&mut self) -> &mut Liquidity {
        &mut self.liquidity
    }
    /// Resting orders of a side, first in line first.
    #[must_use]
    pub fn resting(&self, side: Side) -> &[Resting] {
        if side == Side::Buy { &self.bids } else { &self.asks }
    }
    /// Puts an order at the end of the line at its price.
    pub fn rest(&mut self, id: OrderId, owner: Owner, side: Side, price: Price, left: Qty) {
        let place = self.queue.join(self.liquidity.standing(side, price));
        let line = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        let at = line.partition_point(|o| if side == Side::Buy { o.price >= price } else { o.price <= price });
        line.insert(at, Resting { id, owner, side, price, left, place });
    }
    /// Takes an order out of the book.
    pub fn remove(&mut self, side: Side, id: OrderId) -> Option<Resting> {
        let line = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        let at = line.iter().position(|o| o.id == id)?;
        Some(line.remove(at))
    }
    /// Changes what is left of an order without touching its place in line; at zero it leaves the book.
    pub fn set_left(&mut self, side: Side, id: OrderId, left: Qty) {
        let line = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        if left.is_positive() {
            if let Some(order) = line.iter_mut().find(|o| o.id == id) {
                order.left = left;
            }
        } else {
            line.retain(|o| o.id != id);
        }
    }
    /// Best price of a side (`Buy` = bids), orders in the book and market together.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Price> {
        let market = self.liquidity.best(side).map(|(_, l)| l.price);
        let own = self.resting(side).first().map(|o| o.price);
        match (market, own) {
            (Some(a), Some(b)) => Some(if side == Side::Buy { a.max(b) } else { a.min(b) }),
            (a, b) => a.or(b),
        }
    }
    /// Best level of a side (`Buy` = bids), orders in the book and market together.
    #[must_use]
    pub fn best_level(&self, side: Side) -> Option<Level> {
        let price = self.best(side)?;
        let market = self.liquidity.best(side).filter(|(_, l)| l.price == price).map_or(0, |(_, l)| l.qty.raw());
        let own: i64 = self.resting(side).iter().take_while(|o| o.price == price).fold(0, |sum, o| sum.saturating_add(o.left.raw()));
        Some(Level { price, qty: Qty::from_raw(market.saturating_add(own)) })
    }
    /// The best fill that a taker can have now; `None` when nothing stands within its limit. Orders in the book come before
    /// the market at the same price.
    #[must_use]
    pub fn offer(&self, taker: &Taker) -> Option<Execution> {
        self.offers(taker).next()
    }
    /// Everything that a taker could have now, best first, each with at most the taker's quantity.
    pub fn offers(&self, taker: &Taker) -> impl Iterator<Item = Execution> + '_ {
        let side = taker.side.opposite();
        let taker = *taker;
        let within = move |price: Price| taker.limit.is_none_or(|l| if taker.side == Side::Buy { price <= l } else { price >= l });
        let mut own = self.resting(side).iter().peekable();
        let mut index = 0_u16;
        std::iter::from_fn(move || {
            let market = loop {
                match self.liquidity.level(side, index) {
                    Some(level) if level.qty.is_positive() => break Some(level),
                    Some(_) => index = index.checked_add(1)?,
                    None => break None,
                }
            };
            let market = market.map(|l| {
                let slipped = Price::from_raw(l.price.raw().saturating_add(self.slippage.raw().saturating_mul(taker.side.sign())));
                Level { price: slipped, qty: l.qty }
            });
            let own_first = match (own.peek(), &market) {
                (Some(order), Some(level)) => {
                    if side == Side::Buy {
                        order.price >= level.price
                    } else {
                        order.price <= level.price
                    }
                }
                (Some(_), None) => true,
                (None, _) => false,
            };
            if own_first {
                let order = own.next()?;
                return within(order.price).then(|| Execution {
                    price: order.price,
                    qty: order.left.min(taker.qty),
                    counter: Counter::Order(order.id, order.owner),
                });
            }
            let level = market?;
            let at = index;
            index = index.checked_add(1)?;
            within(level.price).then(|| Execution { price: level.price, qty: level.qty.min(taker.qty), counter: Counter::Market(at) })
        })
    }
    /// How much of the taker's quantity can be had within its limit; orders of the owner itself do not count.
    #[must_use]
    pub fn fillable(&self, taker: &Taker) -> Qty {
        let mut sum = 0_i64;
        for offer in self.offers(taker) {
            if matches!(offer.counter, Counter::Order(_, owner) if owner == taker.owner) {
                continue;
            }
            sum = sum.saturating_add(offer.qty.raw());
            if sum >= taker.qty.raw() {
                return taker.qty;
            }
        }
        Qty::from_raw(sum)
    }
    /// Takes a fill that [`SymbolBook::offer`] gave (or a smaller quantity of it).
    pub fn take(&mut self, taker: Side, execution: &Execution) {
        match execution.counter {
            Counter::Market(index) => self.liquidity.take(taker.opposite(), index, execution.qty),
            Counter::Order(id, _) => {
                let side = taker.opposite();
                let left = self.resting(side).iter().find(|o| o.id == id).map_or(0, |o| o.left.raw());
                self.set_left(side, id, Qty::from_raw(left.saturating_sub(execution.qty.raw())));
            }
        }
    }
    /// Which resting orders the market reached, first in line first. Nothing is taken out: the caller fills and calls
    /// [`SymbolBook::set_left`].
    pub fn crossings(&mut self, print: Print, out: &mut Vec<Crossing>) {
        if self.bids.is_empty() && self.asks.is_empty() {
            return;
        }
        for side in [Side::Buy, Side::Sell] {
            let line = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
            let (price, traded) = match print {
                Print::Trade { price, qty, taker } => (Some(price), (taker != side).then_some(qty)),
                Print::Quote { bid, ask } => (if side == Side::Buy { ask } else { bid }, None),
            };
            let Some(price) = price else { continue };
            let mut spent = Qty::ZERO;
            for order in line.iter_mut() {
                let through = if side == Side::Buy { price < order.price } else { price > order.price };
                let qty = if through {
                    order.left
                } else if price == order.price {
                    match (print, traded) {
                        (Print::Trade { .. }, Some(traded)) => self.queue.at_price(&mut order.place, traded, spent, order.left),
                        (Print::Trade { .. }, None) | (Print::Quote { .. }, _) if self.queue.quote_touches() => order.left,
                        _ => Qty::ZERO,
                    }
                } else {
                    break;
                };
                if qty.is_positive() {
                    spent = Qty::from_raw(spent.raw().saturating_add(qty.raw()));
                    out.push(Crossing { id: order.id, qty, limit: order.price, reached: price });
                }
            }
        }
    }
    /// The best `limit` levels of a side, orders in the book and market added up.
    #[must_use]
    pub fn levels(&self, side: Side, limit: usize) -> Vec<Level> {
        let mut own = self.resting(side).iter().peekable();
        let mut out: Vec<Level> = Vec::with_capacity(limit.min(1_000));
        let mut index = 0_u16;
        let better = |a: Price, b: Price| if side == Side::Buy { a > b } else { a < b };
        while out.len() < limit {
            let market = self.liquidity.level(side, index);
            let next = match (own.peek().map(|o| o.price), market) {
                (Some(p), Some(l)) if better(p, l.price) => p,
                (_, Some(l)) => l.price,
                (Some(p), None) => p,
                (None, None) => break,
            };
            let mut qty = 0_i64;
            if let Some(level) = market.filter(|l| l.price == next) {
                qty = level.qty.raw();
                index = index.saturating_add(1);
            }
            while let Some(order) = own.next_if(|o| o.price == next) {
                qty = qty.saturating_add(order.left.raw());
            }
            if qty > 0 {
                out.push(Level { price: next, qty: Qty::from_raw(qty) });
            }
        }
        out
    }
}
