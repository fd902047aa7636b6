//! What everybody else offers: a recorded book, or one drawn around the market price.
//!
//! A source that records the book gives its levels. One that gives only trades, quotes or bars gives the best prices, and
//! [`SyntheticBook`] says what stands there and behind. What is taken stays taken until the next market event.

use crate::market::Level;
use crate::num::{Price, Qty, Rounding, Usdt, qty_for};
use crate::order::Side;

/// Shape of a drawn book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntheticBook {
    /// Levels a side.
    pub levels: u16,
    /// Value at each level.
    pub level_value: Usdt,
    /// Distance from one level to the next.
    pub level_step: Price,
    /// Distance of best bid and best ask where only trades are known.
    pub spread: Price,
    /// Quantities are multiples of this.
    pub qty_step: Qty,
}

#[derive(Debug, Clone, Default)]
struct Ladder {
    best: Option<Price>,
    qty: Qty,
    taken: Vec<(u16, Qty)>,
}

#[derive(Debug, Clone, Default)]
struct Recorded {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// The market's own orders on one contract.
#[derive(Debug, Clone)]
pub struct Liquidity {
    shape: SyntheticBook,
    bids: Ladder,
    asks: Ladder,
    recorded: Option<Recorded>,
}

impl Liquidity {
    /// Nothing offered yet.
    #[must_use]
    pub fn new(shape: SyntheticBook) -> Self {
        Self { shape, bids: Ladder::default(), asks: Ladder::default(), recorded: None }
    }
    /// Somebody traded. Of a recorded book that tells nothing new; a drawn one moves: a buyer's trade gives the ask, a
    /// seller's the bid, and the other side keeps its last price unless the two would meet.
    pub fn on_trade(&mut self, price: Price, taker: Side) {
        if self.recorded.is_some() {
            return;
        }
        let spread = self.shape.spread.raw().max(1);
        match taker {
            Side::Buy => {
                let bid = self.bids.best.filter(|b| b.raw() < price.raw());
                let near = bid.filter(|b| price.raw() - b.raw() <= spread.saturating_mul(4));
                self.draw(near.or_else(|| positive(price.raw().saturating_sub(spread))), Some(price));
            }
            Side::Sell => {
                let ask = self.asks.best.filter(|a| a.raw() > price.raw());
                let near = ask.filter(|a| a.raw() - price.raw() <= spread.saturating_mul(4));
                self.draw(Some(price), near.or_else(|| positive(price.raw().saturating_add(spread))));
            }
        }
    }
    /// The best prices are these from now on.
    pub fn on_top(&mut self, bid: Level, ask: Level) {
        match &mut self.recorded {
            Some(book) => {
                book.bids.retain(|l| l.price < bid.price);
                book.asks.retain(|l| l.price > ask.price);
                if bid.qty.is_positive() {
                    book.bids.insert(0, bid);
                }
                if ask.qty.is_positive() {
                    book.asks.insert(0, ask);
                }
            }
            None => self.draw(positive(bid.price.raw()), positive(ask.price.raw())),
        }
    }
    /// These levels stand from now on; quantity zero removes one. From the first such event on the book is a recorded one.
    pub fn on_depth(&mut self, bids: &[Level], asks: &[Level]) {
        let book = self.recorded.get_or_insert_with(Recorded::default);
        for level in bids {
            set(&mut book.bids, level, |a, b| b.cmp(&a));
            // A bid at or above an old ask says that the ask is gone.
            if level.qty.is_positive() {
                book.asks.retain(|l| l.price > level.price);
            }
        }
        for level in asks {
            set(&mut book.asks, level, |a, b| a.cmp(&b));
            if level.qty.is_positive() {
                book.bids.retain(|l| l.price < level.price);
            }
        }
    }
    fn draw(&mut self, bid: Option<Price>, ask: Option<Price>) {
        for (ladder, best) in [(&mut self.bids, bid), (&mut self.asks, ask)] {
            ladder.taken.clear();
            if ladder.best != best {
                ladder.qty = best.map_or(Qty::ZERO, |price| {
                    let whole = qty_for(self.shape.level_value, price, Rounding::Floor).unwrap_or(Qty::MAX);
                    whole.round_to(self.shape.qty_step, Rounding::Floor).unwrap_or(whole).max(self.shape.qty_step)
                });
            }
            ladder.best = best;
        }
    }
    /// Level `index` of a side (`Buy` = bids), best first; `None` beyond the last. What was taken whole has quantity zero.
    #[must_use]
    pub fn level(&self, side: Side, index: u16) -> Option<Level> {
        if let Some(book) = &self.recorded {
            return if side == Side::Buy { book.bids.get(usize::from(index)) } else { book.asks.get(usize::from(index)) }.copied();
        }
        if index >= self.shape.levels {
            return None;
        }
        let ladder = if side == Side::Buy { &self.bids } else { &self.asks };
        let away = self.shape.level_step.raw().saturating_mul(i64::from(index)).saturating_mul(side.sign());
        let price = positive(ladder.best?.raw().saturating_sub(away))?;
        let taken = ladder.taken.iter().find(|(i, _)| *i == index).map_or(0, |(_, q)| q.raw());
        Some(Level { price, qty: Qty::from_raw(ladder.qty.raw().saturating_sub(taken).max(0)) })
    }
    /// The best level of a side that still holds something.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<(u16, Level)> {
        (0..u16::MAX).map_while(|i| self.level(side, i).map(|l| (i, l))).find(|(_, l)| l.qty.is_positive())
    }
    /// What stands at a price.
    #[must_use]
    pub fn standing(&self, side: Side, price: Price) -> Qty {
        (0..u16::MAX)
            .map_while(|i| self.level(side, i))
            .take_while(|l| if side == Side::Buy { l.price >= price } else { l.price <= price })
            .find(|l| l.price == price)
            .map_or(Qty::ZERO, |l| l.qty)
    }
    /// Takes quantity from a level of a side (`Buy` = bids).
    pub fn take(&mut self, side: Side, index: u16, qty: Qty) {
        if let Some(book) = &mut self.recorded {
            let levels = if side == Side::Buy { &mut book.bids } else { &mut book.asks };
            if let Some(level) = levels.get_mut(usize::from(index)) {
                level.qty = Qty::from_raw(level.qty.raw().saturating_sub(qty.raw()).max(0));
            }
            return;
        }
        let ladder = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        match ladder.taken.iter_mut().find(|(i, _)| *i == index) {
            Some((_, taken)) => *taken = Qty::from_raw(taken.raw().saturating_add(qty.raw())),
            None => ladder.taken.push((index, qty)),
        }
    }
}

fn positive(raw: i64) -> Option<Price> {
    (raw > 0).then(|| Price::from_raw(raw))
}

fn set(levels: &mut Vec<Level>, level: &Level, order: impl Fn(Price, Price) -> std::cmp::Ordering) {
    match levels.binary_search_by(|l| order(l.price, level.price)) {
        Ok(at) if level.qty.is_positive() => {
            if let Some(slot) = levels.get_mut(at) {
                slot.qty = level.qty;
            }
        }
        Ok(at) => {
            levels.remove(at);
        }
        Err(at) if level.qty.is_positive() => levels.insert(at, *level),
        Err(_) => {}
    }
}
