//! How orders become fills, and fills become positions, fees and events.
//!
//! A fill says, in this order: TRADE_LITE, ACCOUNT_UPDATE, ORDER_TRADE_UPDATE.

use super::exchange::Exchange;
use super::log::{FillRecord, LogBody};
use super::margin::Wanted;
use super::orders::OrderState;
use super::{
    AccountReason, Emission, ExecutionType, IncomeKind, OrderTradeUpdate, OrderType, PublicTrade, Stp, Tif, TradeLite, TradeReport,
    UserEvent, VenueStatus,
};
use fulmar_domain::id::TradeId;
use fulmar_domain::matching::{Counter, Crossing, Print, Taker};
use fulmar_domain::num::{NumError, Price, Qty, Rounding, Usdt, average_price, notional};
use fulmar_domain::order::Side;

/// `er` of an order that ended because it could only reduce and nothing was left (Binance, "Event: Order Update").
const REDUCE_ONLY_EXPIRED: u8 = 3;
/// `er` of an order that ended since the account could not afford it.
const MARGIN_EXPIRED: u8 = 4;
/// `er` of an order ended by self-trade prevention.
const STP_EXPIRED: u8 = 1;

impl Exchange {
    /// Everything that waits for the first event after its arrival meets the market now.
    pub(super) fn work_arrivals(&mut self, at: usize, out: &mut Vec<Emission>) {
        if self.symbol(at).arrivals.is_empty() {
            return;
        }
        let now = self.now;
        let waiting = std::mem::take(&mut self.symbol_mut(at).arrivals);
        for ix in waiting {
            if self.state(ix).ready > now {
                self.symbol_mut(at).arrivals.push_back(ix);
            } else if self.state(ix).report.status.is_open() {
                self.work(ix, out);
            }
        }
    }
    /// Resting orders that the market reached.
    pub(super) fn work_crossings(&mut self, at: usize, print: Print, out: &mut Vec<Emission>) {
        let symbol = self.symbol_mut(at);
        if symbol.book.resting(Side::Buy).is_empty() && symbol.book.resting(Side::Sell).is_empty() {
            return;
        }
        let mut crossed: Vec<Crossing> = Vec::new();
        symbol.book.crossings(print, &mut crossed);
        let spanned = symbol.spanned();
        for crossing in crossed {
            let Some(ix) = self.index_of(crossing.id) else { continue };
            let report = self.report(ix);
            if !report.status.is_open() {
                continue;
            }
            let mut qty = Qty::from_raw(crossing.qty.raw().min(report.qty.raw() - report.filled.raw()));
            if let Some(cap) = self.cap(ix) {
                if cap.is_zero() {
                    self.end_order(ix, VenueStatus::Expired, REDUCE_ONLY_EXPIRED, out);
                    continue;
                }
                qty = qty.min(cap);
            }
            // Where the market jumped over the limit without ever offering it, the price it jumped to is what was offered.
            let (low, high) = spanned.unwrap_or((crossing.reached, crossing.reached));
            let (low, high) = (low.min(crossing.reached), high.max(crossing.reached));
            let price = if report.side == Side::Buy { crossing.limit.min(high) } else { crossing.limit.max(low) };
            let done = self.fill_both(ix, None, price, qty, out);
            self.note(done);
        }
    }
    pub(super) fn index_of(&self, order: fulmar_domain::id::OrderId) -> Option<u32> {
        u32::try_from(order.0.wrapping_sub(super::orders::FIRST_ORDER)).ok().filter(|ix| (*ix as usize) < self.orders.len())
    }
    fn cap(&self, ix: u32) -> Option<Qty> {
        let s = self.state(ix);
        self.reduce_cap(s.account, s.at, s.report.side, s.report.position_side, s.report.reduce_only)
    }
    /// Matches an order now: fills, then rests or ends.
    pub(super) fn work(&mut self, ix: u32, out: &mut Vec<Emission>) {
        let done = self.work_checked(ix, out);
        self.note(done);
    }
    fn work_checked(&mut self, ix: u32, out: &mut Vec<Emission>) -> Result<(), NumError> {
        let OrderState { report, account, at, .. } = *self.state(ix);
        let market = report.order_type == OrderType::Market;
        if !self.trading(at) {
            self.end_order(ix, VenueStatus::Expired, 0, out);
            return Ok(());
        }
        let left = Qty::from_raw(report.qty.raw() - report.filled.raw());
        let limit = if market { self.take_bound(at, report.side)? } else { Some(report.price) };
        let want = |qty| Taker { owner: account.0, side: report.side, limit, qty };
        let cap = self.cap(ix);
        if cap.is_some_and(Qty::is_zero) {
            self.end_order(ix, VenueStatus::Expired, REDUCE_ONLY_EXPIRED, out);
            return Ok(());
        }
        let offer = self.symbol(at).book.offer(&want(left));
        if report.tif == Tif::Gtx && offer.is_some() {
            self.end_order(ix, VenueStatus::Expired, 0, out);
            return Ok(());
        }
        if report.tif == Tif::Fok && self.symbol(at).book.fillable(&want(left)) < left {
            self.end_order(ix, VenueStatus::Expired, 0, out);
            return Ok(());
        }
        if let (None, Some(offer)) = (cap, offer) {
            let value = notional(offer.price, left, Rounding::HalfEven)?;
            if !self.still_affordable(ix, Wanted { at, side: report.side, leg: report.position_side, value })? {
                self.end_order(ix, VenueStatus::Expired, MARGIN_EXPIRED, out);
                return Ok(());
            }
        }
        self.take_spanned(ix, out)?;
        while self.state(ix).report.status.is_open() {
            let report = self.report(ix);
            let mut left = Qty::from_raw(report.qty.raw() - report.filled.raw());
            if let Some(cap) = self.cap(ix) {
                left = left.min(cap);
            }
            if left.is_zero() {
                break;
            }
            let Some(mut hit) = self.symbol(at).book.offer(&want(left)) else { break };
            let mut maker = None;
            if let Counter::Order(id, owner) = hit.counter {
                let Some(other) = self.index_of(id) else { break };
                if owner == account.0 && report.stp != Stp::None {
                    if report.stp != Stp::ExpireMaker {
                        self.end_order(ix, VenueStatus::ExpiredInMatch, STP_EXPIRED, out);
                    }
                    if report.stp != Stp::ExpireTaker {
                        self.end_order(other, VenueStatus::ExpiredInMatch, STP_EXPIRED, out);
                    }
                    continue;
                }
                if let Some(cap) = self.cap(other) {
                    if cap.is_zero() {
                        self.end_order(other, VenueStatus::Expired, REDUCE_ONLY_EXPIRED, out);
                        continue;
                    }
                    hit.qty = hit.qty.min(cap);
                }
                maker = Some(other);
            } else {
                self.symbol_mut(at).book.take(report.side, &hit);
            }
            self.fill_both(maker.unwrap_or(ix), maker.map(|_| ix).or(Some(ix)), hit.price, hit.qty, out)?;
        }
        let report = self.report(ix);
        if !report.status.is_open() {
            return Ok(());
        }
        if market || matches!(report.tif, Tif::Ioc | Tif::Fok) {
            let reason = if self.cap(ix).is_some_and(Qty::is_zero) { REDUCE_ONLY_EXPIRED } else { 0 };
            self.end_order(ix, VenueStatus::Expired, reason, out);
        } else {
            self.rest(ix);
        }
        Ok(())
    }
    /// Whether a taker that waited can still be paid at the price it meets. Its own claim as an open order is not counted
    /// twice.
    fn still_affordable(&mut self, ix: u32, wanted: Wanted) -> Result<bool, NumError> {
        let account = self.state(ix).account;
        let was_open = self.account_mut(account).open.remove(&ix);
        let dear = self.too_dear(account, wanted);
        if was_open {
            self.account_mut(account).open.insert(ix);
        }
        Ok(!dear?)
    }
    /// A stop of a bar path: where the running bar went through the trigger, that price was offered on the way.
    fn take_spanned(&mut self, ix: u32, out: &mut Vec<Emission>) -> Result<(), NumError> {
        let OrderState { report, at, spanned, .. } = *self.state(ix);
        let Some(trigger) = spanned else { return Ok(()) };
        let Some((low, high)) = self.symbol(at).spanned() else { return Ok(()) };
        let Some(best) = self.symbol(at).book.best(report.side.opposite()) else { return Ok(()) };
        let slip = self.symbol(at).instrument.tick.times_int(i64::from(self.config.fills.slippage_ticks) * report.side.sign())?;
        let price = trigger.max(low).min(high);
        let better = if report.side == Side::Buy { price < best } else { price > best };
        let price = price.checked_add(slip)?;
        let within = report.price.is_zero() || if report.side == Side::Buy { price <= report.price } else { price >= report.price };
        if !better || !within {
            return Ok(());
        }
        let mut qty = Qty::from_raw(report.qty.raw() - report.filled.raw());
        if let Some(cap) = self.cap(ix) {
            qty = qty.min(cap);
        }
        if qty.is_positive() { self.fill_both(ix, Some(ix), price, qty, out) } else { Ok(()) }
    }
    /// One execution: `first` fills as maker unless it is the taker itself; the market stands on the side that no order takes.
    fn fill_both(&mut self, first: u32, taker: Option<u32>, price: Price, qty: Qty, out: &mut Vec<Emission>) -> Result<(), NumError> {
        let at = self.state(first).at;
        let side = taker.map_or_else(|| self.report(first).side.opposite(), |t| self.report(t).side);
        let (now, symbol) = (self.now, self.symbol(at).instrument.symbol);
        let quote = notional(price, qty, Rounding::HalfEven)?;
        let id = self.symbol_mut(at).take_trade_id();
        self.symbol_mut(at).publish_trade(PublicTrade { symbol, id, price, qty, quote, taker: side, time: now }, out);
        if let Some(taker) = taker {
            self.book_fill(taker, TradeId(id), price, qty, false, out)?;
        }
        if taker != Some(first) {
            self.book_fill(first, TradeId(id), price, qty, true, out)?;
        }
        self.symbol_mut(at).touch(now);
        Ok(())
    }
    /// Books one side of an execution.
    pub(super) fn book_fill(
        &mut self,
        ix: u32,
        trade: TradeId,
        price: Price,
        qty: Qty,
        maker: bool,
        out: &mut Vec<Emission>,
    ) -> Result<(), NumError> {
        let now = self.now;
        let OrderState { mut report, account, at, resting, forced, .. } = *self.state(ix);
        let quote = notional(price, qty, Rounding::HalfEven)?;
        let fee = self.fees.fee(quote, maker)?;
        report.filled = report.filled.checked_add(qty)?;
        report.quote = report.quote.checked_add(quote)?;
        report.average = average_price(report.quote, report.filled, Rounding::HalfEven)?;
        report.status = if report.filled >= report.qty { VenueStatus::Filled } else { VenueStatus::PartiallyFilled };
        report.updated = now;
        let setting = self.account(account).setting(at);
        let before = self.account(account).position(at, report.position_side);
        let mut after = before;
        let signed = Qty::from_raw(qty.raw() * report.side.sign());
        let booked = after.apply(signed, price, setting.leverage, setting.mode)?;
        if !after.qty.is_zero() {
            after.fees = after.fees.checked_add(fee)?;
        }
        after.updated = now;
        // From here on nothing can fail but a wallet beyond the number range.
        if let Some(position) = self.account_mut(account).position_mut(at, report.position_side) {
            *position = after;
        }
        self.hold(account, at);
        self.state_mut(ix).report = report;
        if resting {
            let left = Qty::from_raw(report.qty.raw() - report.filled.raw());
            self.symbol_mut(at).book.set_left(report.side, report.order, left);
        }
        if !report.status.is_open() {
            self.account_mut(account).open.remove(&ix);
            self.state_mut(ix).resting = false;
        }
        if !booked.realized.is_zero() {
            self.earn(account, IncomeKind::RealizedPnl, Some(report.symbol), booked.realized, Some(trade))?;
        }
        if !fee.is_zero() {
            self.earn(account, IncomeKind::Commission, Some(report.symbol), fee.checked_neg()?, Some(trade))?;
        }
        self.account_mut(account).trades.push(TradeReport {
            trade,
            order: report.order,
            symbol: report.symbol,
            side: report.side,
            position_side: report.position_side,
            price,
            qty,
            quote,
            realized: booked.realized,
            fee,
            maker,
            time: now,
        });
        let fee_rate = if maker { self.config.maker_fee } else { self.config.taker_fee };
        self.log.add(
            now,
            LogBody::Fill(FillRecord {
                account: account.0,
                symbol: report.symbol,
                order: report.order,
                trade,
                side: report.side,
                position_side: report.position_side,
                price,
                qty,
                maker,
                fee_rate,
                fee,
                realized: booked.realized,
                leverage: setting.leverage,
                margin_mode: setting.mode,
                position_before: before.qty,
                entry_before: before.entry,
                position_after: after.qty,
                entry_after: after.entry,
                isolated_after: after.isolated,
            }),
        );
        self.log.order(now, account, &report);
        if !forced {
            let lite = TradeLite {
                symbol: report.symbol,
                client_id: report.client_id,
                order: report.order,
                side: report.side,
                qty: report.qty,
                price: report.price,
                last_price: price,
                last_qty: qty,
                trade,
                maker,
            };
            self.say(account, UserEvent::TradeLite(lite), out);
        }
        self.say_account(account, AccountReason::Order, Usdt::ZERO, &[(at, report.position_side)], out);
        let open = self.open_value(account, at, report.position_side)?;
        let update = OrderTradeUpdate {
            order: report,
            execution: if forced { ExecutionType::Calculated } else { ExecutionType::Trade },
            last_qty: qty,
            last_price: price,
            fee,
            trade,
            maker,
            realized: booked.realized,
            bid_notional: open.bids,
            ask_notional: open.asks,
            expiry_reason: 0,
        };
        self.say(account, UserEvent::Order(Box::new(update)), out);
        self.algo_child_moved(ix, out);
        Ok(())
    }
    /// Keeps the list of accounts with a position on a contract.
    fn hold(&mut self, account: super::AccountId, at: usize) {
        let holds = self.account(account).holds(at);
        let holders = &mut self.symbol_mut(at).holders;
        let listed = holders.iter().position(|h| *h == account.0);
        match (holds, listed) {
            (true, None) => holders.push(account.0),
            (false, Some(at)) => {
                holders.remove(at);
            }
            _ => {}
        }
    }
    /// Fills an order outright at a price, without the book: takeover by insurance, deleveraging.
    pub(super) fn fill_outright(&mut self, ix: u32, price: Price, qty: Qty, out: &mut Vec<Emission>) -> Result<(), NumError> {
        self.fill_both(ix, Some(ix), price, qty, out)
    }
}
