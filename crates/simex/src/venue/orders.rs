//! Regular orders: placing, changing, cancelling, finding.

use super::checks;
use super::exchange::{Exchange, NEVER, broken};
use super::log::LogBody;
use super::margin::{Wanted, closes_leg};
use super::{
    AccountId, ApiError, Emission, ExecutionType, ModifyOrder, NewOrder, OrderRef, OrderReport, OrderTradeUpdate, OrderType, PageQuery,
    PriceMatch, Tif, UserEvent, VenueStatus,
};
use fulmar_domain::id::{AlgoId, ClientOrderId, OrderId, TradeId};
use fulmar_domain::matching::Taker;
use fulmar_domain::num::{NumError, Price, Qty, Rounding, Usdt, notional};
use fulmar_domain::order::{PositionSide, Side, WorkingType};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};

/// Number of the first order.
pub(super) const FIRST_ORDER: i64 = 8_000_000_001;
/// A GTD order stands at least this long.
const GOOD_TILL_MIN: Span = Span::secs(600);
/// The exchange's latest goodTillDate.
const GOOD_TILL_MAX: Timestamp = Timestamp(253_402_300_799_000);

/// A regular order.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrderState {
    pub report: OrderReport,
    pub account: AccountId,
    pub at: usize,
    /// When it reaches the book; it waits for the first event from then on.
    pub ready: Timestamp,
    pub resting: bool,
    /// Liquidation and ADL orders report their fills as CALCULATED.
    pub forced: bool,
    /// A trigger price that the running bar may have spanned.
    pub spanned: Option<Price>,
}

/// An order that passed all checks.
#[derive(Debug, Clone, Copy)]
struct Checked {
    at: usize,
    leg: PositionSide,
    tif: Tif,
    price: Price,
    qty: Qty,
    reduce_only: bool,
    client_id: Option<ClientOrderId>,
    good_till: Timestamp,
    crosses: bool,
}

impl Exchange {
    /// The leg that an order works on, and whether it may only reduce.
    pub(super) fn leg_of(
        &self,
        account: AccountId,
        side: Option<PositionSide>,
        reduce_only: Option<bool>,
    ) -> Result<PositionSide, ApiError> {
        let wrong = || ApiError::new(-4061, "Order's position side does not match user's setting.");
        if self.account(account).hedge {
            let side = side.filter(|s| *s != PositionSide::Both).ok_or_else(wrong)?;
            checks::unwanted(reduce_only.as_ref(), "reduceonly")?;
            return Ok(side);
        }
        match side {
            None | Some(PositionSide::Both) => Ok(PositionSide::Both),
            Some(_) => Err(wrong()),
        }
    }
    pub(super) fn good_till(&self, tif: Tif, given: Option<Timestamp>) -> Result<Timestamp, ApiError> {
        if tif != Tif::Gtd {
            return Ok(Timestamp::ZERO);
        }
        let until = checks::needed(given, "goodTillDate")?;
        if until < self.now.plus(GOOD_TILL_MIN) || until >= GOOD_TILL_MAX {
            return Err(ApiError::new(-1130, "Data sent for parameter 'goodTillDate' is not valid."));
        }
        // The exchange keeps whole seconds.
        Ok(until.floor_to(Span::secs(1)))
    }
    fn price_of(&self, at: usize, side: Side, matched: PriceMatch) -> Result<Price, ApiError> {
        let (same, depth) = match matched {
            PriceMatch::Opponent => (false, 1),
            PriceMatch::Opponent5 => (false, 5),
            PriceMatch::Opponent10 => (false, 10),
            PriceMatch::Opponent20 => (false, 20),
            PriceMatch::Queue => (true, 1),
            PriceMatch::Queue5 => (true, 5),
            PriceMatch::Queue10 => (true, 10),
            PriceMatch::Queue20 => (true, 20),
        };
        let side = if same { side } else { side.opposite() };
        let levels = self.symbol(at).book.levels(side, depth);
        levels.last().map(|l| l.price).ok_or_else(|| ApiError::new(-2010, "NEW_ORDER_REJECTED: there is no market price yet."))
    }
    fn check(&self, account: AccountId, order: &NewOrder) -> Result<Checked, ApiError> {
        self.known(account)?;
        let at = self.find(order.symbol)?;
        let symbol = self.symbol(at);
        let instrument = &symbol.instrument;
        if order.order_type.is_conditional() {
            return Err(ApiError::new(
                -4120,
                "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
            ));
        }
        let market = order.order_type == OrderType::Market;
        let client_id = order.client_id.as_deref().map(checks::client_id).transpose()?;
        let leg = self.leg_of(account, order.position_side, order.reduce_only)?;
        let qty = checks::needed(order.qty, "quantity")?;
        let tif = if market { Tif::Gtc } else { checks::needed(order.tif, "timeinforce")? };
        let good_till = self.good_till(tif, order.good_till)?;
        checks::quantity(instrument, qty, market)?;
        let price = if market {
            checks::unwanted(order.price.filter(|p| !p.is_zero()).as_ref(), "price")?;
            Price::ZERO
        } else if let Some(matched) = order.price_match {
            checks::unwanted(order.price.as_ref(), "price")?;
            self.price_of(at, order.side, matched)?
        } else {
            let price = checks::needed(order.price, "price")?;
            checks::price(instrument, price, false)?;
            price
        };
        if !self.trading(at) {
            return Err(ApiError::new(-4140, "Invalid symbol status for opening position."));
        }
        let (Some(mark), Some(opposite)) = (self.mark_of(at), symbol.book.best(order.side.opposite())) else {
            return Err(ApiError::new(-2010, "NEW_ORDER_REJECTED: there is no market price yet."));
        };
        if !market {
            checks::band(instrument, order.side, price, mark)?;
        } else if self
            .take_bound(at, order.side)
            .map_err(broken)?
            .is_some_and(|b| if order.side == Side::Buy { opposite > b } else { opposite < b })
        {
            return Err(ApiError::new(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."));
        }
        let reduce_only = order.reduce_only.unwrap_or(false);
        if let Some(cap) = self.reduce_cap(account, at, order.side, leg, reduce_only)
            && (cap.is_zero() || (!reduce_only && qty > cap))
        {
            return Err(ApiError::new(-2022, "ReduceOnly Order is rejected."));
        }
        let reference = if market { opposite } else { price };
        if reduce_only || closes_leg(order.side, leg) {
            notional(reference, qty, Rounding::HalfEven).map_err(broken)?;
        } else {
            let value = checks::worth(instrument, reference, qty)?;
            self.affordable(account, Wanted { at, side: order.side, leg, value })?;
        }
        if let Some(id) = client_id
            && self.account(account).clients.get(&id).is_some_and(|o| self.account(account).open.contains(o))
        {
            return Err(ApiError::new(-4116, "ClientOrderId is duplicated."));
        }
        let open = self.account(account).open.iter().filter(|o| self.orders.get(**o as usize).is_some_and(|s| s.at == at)).count();
        if open >= instrument.orders_max as usize {
            return Err(ApiError::new(-2025, "Reach max open order limit."));
        }
        let crosses = market || if order.side == Side::Buy { price >= opposite } else { price <= opposite };
        if tif == Tif::Gtx && crosses {
            return Err(ApiError::new(
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be recorded in the order history",
            ));
        }
        if tif == Tif::Fok {
            let taker = Taker { owner: account.0, side: order.side, limit: Some(price), qty };
            if symbol.book.fillable(&taker) < qty {
                return Err(ApiError::new(
                    -5021,
                    "Due to the order could not be filled immediately, the FOK order has been rejected. The order will not be recorded in the order history",
                ));
            }
        }
        Ok(Checked { at, leg, tif, price, qty, reduce_only, client_id, good_till, crosses })
    }
    /// Margin and position limit.
    pub(super) fn affordable(&self, account: AccountId, wanted: Wanted) -> Result<(), ApiError> {
        let holder = self.account(account);
        let setting = holder.setting(wanted.at);
        let position = holder.position(wanted.at, wanted.leg);
        let mark = self.mark_of(wanted.at).unwrap_or(position.entry);
        let exceeds = || -> Result<bool, NumError> {
            let held = position.value(mark)?.times_int(position.sign())?;
            let open = self.open_value(account, wanted.at, wanted.leg)?;
            let after = if wanted.side == Side::Buy {
                held.checked_add(open.bids)?.checked_add(wanted.value)?
            } else {
                held.checked_sub(open.asks)?.checked_sub(wanted.value)?
            };
            Ok(after.abs() > held.abs() && after.abs() > self.notional_max(wanted.at, setting.leverage))
        };
        if exceeds().map_err(broken)? {
            return Err(ApiError::new(-2027, "Exceeded the maximum allowable position at current leverage."));
        }
        if self.too_dear(account, wanted).map_err(broken)? {
            return Err(ApiError::new(-2019, "Margin is insufficient."));
        }
        Ok(())
    }
    /// The worst price that a market order may take: mark · (1 ± marketTakeBound).
    pub(super) fn take_bound(&self, at: usize, side: Side) -> Result<Option<Price>, NumError> {
        let bound = self.symbol(at).instrument.market_take_bound;
        let Some(mark) = self.mark_of(at).filter(|_| bound.is_positive()) else { return Ok(None) };
        let away = mark.times(bound, Rounding::TowardZero)?;
        if side == Side::Buy { mark.checked_add(away).map(Some) } else { mark.checked_sub(away).map(Some) }
    }
    pub(super) fn log_request(&mut self, account: AccountId, what: &'static str, symbol: Option<Symbol>, id: String, code: i32) {
        self.log.add(self.now, LogBody::Request { account: account.0, what, symbol, id, code });
    }
    fn logged<T>(
        &mut self,
        account: AccountId,
        what: &'static str,
        symbol: Symbol,
        id: &Option<String>,
        done: Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let code = done.as_ref().map_or_else(|e| e.code, |_| 0);
        self.log_request(account, what, Some(symbol), id.clone().unwrap_or_default(), code);
        done
    }

    /// POST order. The answer is NEW; market and crossing limit orders fill in the next [`Exchange::advance`].
    ///
    /// # Errors
    /// The exchange's code for whatever is wrong with it.
    pub fn place(&mut self, account: AccountId, order: &NewOrder, out: &mut Vec<Emission>) -> Result<OrderReport, ApiError> {
        let checked = self.check(account, order);
        let checked = self.logged(account, "place", order.symbol, &order.client_id, checked)?;
        let client_id = checked.client_id.unwrap_or_else(|| self.make_client_id(account, ""));
        let report = OrderReport {
            order: OrderId(0),
            client_id,
            symbol: order.symbol,
            side: order.side,
            position_side: checked.leg,
            order_type: order.order_type,
            orig_type: order.order_type,
            tif: checked.tif,
            good_till: checked.good_till,
            price: checked.price,
            stop_price: Price::ZERO,
            qty: checked.qty,
            filled: Qty::ZERO,
            quote: Usdt::ZERO,
            average: Price::ZERO,
            status: VenueStatus::New,
            reduce_only: checked.reduce_only || closes_leg(order.side, checked.leg),
            close_position: false,
            working: WorkingType::ContractPrice,
            price_protect: false,
            price_match: order.price_match,
            stp: order.stp.unwrap_or_default(),
            modifications: 0,
            algo: None,
            created: self.now,
            updated: self.now,
        };
        let ix = self.admit(account, checked.at, report, out);
        let rests_now =
            !checked.crosses && matches!(checked.tif, Tif::Gtc | Tif::Gtx | Tif::Gtd) && self.latency.ready(self.now) <= self.now;
        if rests_now {
            self.rest(ix);
            let now = self.now;
            let symbol = self.symbol_mut(checked.at);
            symbol.flush_top(now, out);
            symbol.flush_depth(now, out);
        } else {
            self.symbol_mut(checked.at).arrivals.push_back(ix);
        }
        Ok(self.report(ix))
    }
    /// POST order/test: all checks, nothing done.
    ///
    /// # Errors
    /// As [`Exchange::place`].
    pub fn test(&self, account: AccountId, order: &NewOrder) -> Result<(), ApiError> {
        self.check(account, order).map(|_| ())
    }
    pub(super) fn make_client_id(&mut self, account: AccountId, prefix: &str) -> ClientOrderId {
        let holder = self.account_mut(account);
        let number = holder.next_client;
        holder.next_client = number.saturating_add(1);
        ClientOrderId::new(&format!("{prefix}{}x{number:012}", account.0)).unwrap_or_else(|| unreachable!())
    }
    /// Gives an order its number, enters it in all lists and says NEW.
    pub(super) fn admit(&mut self, account: AccountId, at: usize, mut report: OrderReport, out: &mut Vec<Emission>) -> u32 {
        let ix = u32::try_from(self.orders.len()).unwrap_or(u32::MAX);
        report.order = OrderId(FIRST_ORDER + i64::from(ix));
        let ready = self.latency.ready(self.now);
        self.orders.push(OrderState { report, account, at, ready, resting: false, forced: false, spanned: None });
        let holder = self.account_mut(account);
        holder.orders.push(ix);
        holder.open.insert(ix);
        holder.clients.insert(report.client_id, ix);
        if report.tif == Tif::Gtd {
            self.next_timer = self.next_timer.min(report.good_till);
        }
        self.log.order(self.now, account, &report);
        self.say_order(ix, ExecutionType::New, 0, out);
        ix
    }
    pub(super) fn state(&self, ix: u32) -> &OrderState {
        self.orders.get(ix as usize).unwrap_or_else(|| unreachable!())
    }
    pub(super) fn state_mut(&mut self, ix: u32) -> &mut OrderState {
        self.orders.get_mut(ix as usize).unwrap_or_else(|| unreachable!())
    }
    pub(super) fn report(&self, ix: u32) -> OrderReport {
        self.state(ix).report
    }
    /// Puts what is left of an order into the book.
    pub(super) fn rest(&mut self, ix: u32) {
        let OrderState { report, account, at, .. } = *self.state(ix);
        let left = Qty::from_raw(report.qty.raw() - report.filled.raw());
        let now = self.now;
        let symbol = self.symbol_mut(at);
        symbol.book.rest(report.order, account.0, report.side, report.price, left);
        symbol.touch(now);
        self.state_mut(ix).resting = true;
    }
    /// `ORDER_TRADE_UPDATE` without a fill.
    pub(super) fn say_order(&self, ix: u32, execution: ExecutionType, expiry_reason: u8, out: &mut Vec<Emission>) {
        let state = self.state(ix);
        let open = self.open_value(state.account, state.at, state.report.position_side).unwrap_or_default();
        let update = OrderTradeUpdate {
            order: state.report,
            execution,
            last_qty: Qty::ZERO,
            last_price: Price::ZERO,
            fee: Usdt::ZERO,
            trade: TradeId(0),
            maker: false,
            realized: Usdt::ZERO,
            bid_notional: open.bids,
            ask_notional: open.asks,
            expiry_reason,
        };
        self.say(state.account, UserEvent::Order(Box::new(update)), out);
    }
    /// Ends an order without a fill.
    pub(super) fn end_order(&mut self, ix: u32, status: VenueStatus, expiry_reason: u8, out: &mut Vec<Emission>) {
        let now = self.now;
        let OrderState { report, account, at, resting, .. } = *self.state(ix);
        if !report.status.is_open() {
            return;
        }
        if resting {
            let symbol = self.symbol_mut(at);
            symbol.book.remove(report.side, report.order);
            symbol.touch(now);
        } else {
            self.symbol_mut(at).arrivals.retain(|o| *o != ix);
        }
        let state = self.state_mut(ix);
        state.resting = false;
        state.report.status = status;
        state.report.updated = now;
        self.account_mut(account).open.remove(&ix);
        let report = self.report(ix);
        self.log.order(now, account, &report);
        let execution = if status == VenueStatus::Canceled { ExecutionType::Canceled } else { ExecutionType::Expired };
        self.say_order(ix, execution, expiry_reason, out);
        self.algo_child_moved(ix, out);
    }
    fn lookup(&self, account: AccountId, symbol: Symbol, order: &OrderRef) -> Result<Option<u32>, ApiError> {
        self.known(account)?;
        self.find(symbol)?;
        let found = match (order.order, &order.client_id) {
            (Some(id), _) => u32::try_from(id.0.wrapping_sub(FIRST_ORDER)).ok().filter(|ix| (*ix as usize) < self.orders.len()),
            (None, Some(text)) => ClientOrderId::new(text).and_then(|id| self.account(account).clients.get(&id).copied()),
            (None, None) => {
                return Err(ApiError::new(-1102, "Mandatory parameter 'orderId' was not sent, was empty/null, or malformed."));
            }
        };
        Ok(found.filter(|ix| self.state(*ix).account == account && self.report(*ix).symbol == symbol))
    }
    /// DELETE order.
    ///
    /// # Errors
    /// −2011 when there is no such open order.
    pub fn cancel(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        order: &OrderRef,
        out: &mut Vec<Emission>,
    ) -> Result<OrderReport, ApiError> {
        let found = self.lookup(account, symbol, order).and_then(|found| {
            found.filter(|ix| self.report(*ix).status.is_open()).ok_or_else(|| ApiError::new(-2011, "Unknown order sent."))
        });
        let named = order.client_id.clone().or_else(|| order.order.map(|o| o.to_string()));
        let ix = self.logged(account, "cancel", symbol, &named, found)?;
        self.end_order(ix, VenueStatus::Canceled, 0, out);
        self.flush_book(self.state(ix).at, out);
        Ok(self.report(ix))
    }
    pub(super) fn flush_book(&mut self, at: usize, out: &mut Vec<Emission>) {
        let now = self.now;
        let symbol = self.symbol_mut(at);
        symbol.flush_top(now, out);
        symbol.flush_depth(now, out);
    }
    /// DELETE allOpenOrders: regular orders of the symbol. Gives how many.
    ///
    /// # Errors
    /// −1121 for an unknown symbol.
    pub fn cancel_all(&mut self, account: AccountId, symbol: Symbol, out: &mut Vec<Emission>) -> Result<usize, ApiError> {
        self.known(account)?;
        let at = self.find(symbol)?;
        self.log_request(account, "cancel_all", Some(symbol), String::new(), 0);
        let open = self.open_of(account, at);
        for ix in &open {
            self.end_order(*ix, VenueStatus::Canceled, 0, out);
        }
        self.flush_book(at, out);
        Ok(open.len())
    }
    pub(super) fn open_of(&self, account: AccountId, at: usize) -> Vec<u32> {
        self.account(account).open.iter().copied().filter(|o| self.state(*o).at == at).collect()
    }
    /// PUT order: a new price or quantity of an open limit order. Its place in line is lost.
    ///
    /// # Errors
    /// −2013 when there is no such open order, −5027 when nothing would change, and those of [`Exchange::place`].
    pub fn modify(&mut self, account: AccountId, change: &ModifyOrder, out: &mut Vec<Emission>) -> Result<OrderReport, ApiError> {
        let checked = self.check_change(account, change);
        let named = change.order.client_id.clone().or_else(|| change.order.order.map(|o| o.to_string()));
        let (ix, price, qty, crosses) = self.logged(account, "modify", change.symbol, &named, checked)?;
        let now = self.now;
        let OrderState { report, at, resting, .. } = *self.state(ix);
        if resting {
            let symbol = self.symbol_mut(at);
            symbol.book.remove(report.side, report.order);
            symbol.touch(now);
        } else {
            self.symbol_mut(at).arrivals.retain(|o| *o != ix);
        }
        let ready = self.latency.ready(now);
        let state = self.state_mut(ix);
        state.report.price = price;
        state.report.qty = qty;
        state.report.updated = now;
        state.report.modifications = state.report.modifications.saturating_add(1);
        state.report.price_match = change.price_match.or(report.price_match);
        state.resting = false;
        state.ready = ready;
        if crosses || ready > now {
            self.symbol_mut(at).arrivals.push_back(ix);
        } else {
            self.rest(ix);
        }
        let report = self.report(ix);
        self.log.order(now, account, &report);
        self.say_order(ix, ExecutionType::Amendment, 0, out);
        self.flush_book(at, out);
        Ok(report)
    }
    fn check_change(&self, account: AccountId, change: &ModifyOrder) -> Result<(u32, Price, Qty, bool), ApiError> {
        let found = self.lookup(account, change.symbol, &change.order)?;
        let ix = found.filter(|ix| self.report(*ix).status.is_open()).ok_or_else(|| ApiError::new(-2013, "Order does not exist."))?;
        let OrderState { report, at, .. } = *self.state(ix);
        if report.order_type != OrderType::Limit || report.side != change.side {
            return Err(ApiError::new(-2013, "Order does not exist."));
        }
        let instrument = &self.symbol(at).instrument;
        let qty = checks::needed(change.qty, "quantity")?;
        let price = match change.price_match {
            Some(matched) => self.price_of(at, report.side, matched)?,
            None => checks::needed(change.price, "price")?,
        };
        checks::quantity(instrument, qty, false)?;
        checks::price(instrument, price, false)?;
        if price == report.price && qty == report.qty {
            return Err(ApiError::new(-5027, "No need to modify the order."));
        }
        if qty <= report.filled {
            return Err(ApiError::new(-4005, "Quantity greater than max quantity."));
        }
        if report.modifications >= 10_000 {
            return Err(ApiError::new(-5026, "Exceed maximum modify order limit."));
        }
        let mark = self.mark_of(at).ok_or_else(|| ApiError::new(-2010, "NEW_ORDER_REJECTED: there is no market price yet."))?;
        checks::band(instrument, report.side, price, mark)?;
        if !report.reduce_only {
            let value = checks::worth(instrument, price, qty)?;
            let old = notional(report.price, report.qty, Rounding::HalfEven).map_err(broken)?;
            if value > old {
                let more = value.checked_sub(old).map_err(broken)?;
                self.affordable(account, Wanted { at, side: report.side, leg: report.position_side, value: more })?;
            }
        }
        let opposite = self.symbol(at).book.best(report.side.opposite());
        let crosses = opposite.is_some_and(|o| if report.side == Side::Buy { price >= o } else { price <= o });
        if crosses && report.tif == Tif::Gtx {
            return Err(ApiError::new(-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."));
        }
        Ok((ix, price, qty, crosses))
    }
    /// GET order: any order, open or ended.
    ///
    /// # Errors
    /// −2013.
    pub fn order(&self, account: AccountId, symbol: Symbol, order: &OrderRef) -> Result<OrderReport, ApiError> {
        let found = self.lookup(account, symbol, order)?;
        found.map(|ix| self.report(ix)).ok_or_else(|| ApiError::new(-2013, "Order does not exist."))
    }
    /// GET openOrder.
    ///
    /// # Errors
    /// −2013.
    pub fn open_order(&self, account: AccountId, symbol: Symbol, order: &OrderRef) -> Result<OrderReport, ApiError> {
        let report = self.order(account, symbol, order)?;
        if report.status.is_open() { Ok(report) } else { Err(ApiError::new(-2013, "Order does not exist.")) }
    }
    /// GET openOrders, oldest first; algo orders excluded.
    #[must_use]
    pub fn open_orders(&self, account: AccountId, symbol: Option<Symbol>) -> Vec<OrderReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        let open = self.account(account).open.iter().map(|ix| self.report(*ix));
        open.filter(|o| symbol.is_none_or(|s| s == o.symbol)).collect()
    }
    /// GET allOrders.
    #[must_use]
    pub fn all_orders(&self, account: AccountId, symbol: Symbol, page: PageQuery) -> Vec<OrderReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        let all = self.account(account).orders.iter().map(|ix| self.report(*ix)).filter(|o| o.symbol == symbol);
        super::query::paged(all, page, |o| o.created, |o| o.order.0)
    }
    /// POST countdownCancelAll: zero switches off.
    ///
    /// # Errors
    /// −1121 for an unknown symbol.
    pub fn countdown_cancel_all(&mut self, account: AccountId, symbol: Symbol, countdown: Span) -> Result<(), ApiError> {
        self.known(account)?;
        let at = self.find(symbol)?;
        let due = (countdown.0 > 0).then(|| self.now.plus(countdown));
        if let Some(setting) = self.account_mut(account).settings.get_mut(at) {
            setting.countdown = due;
        }
        self.next_timer = self.next_timer.min(due.unwrap_or(NEVER));
        self.log_request(account, "countdown_cancel_all", Some(symbol), countdown.0.to_string(), 0);
        Ok(())
    }
    /// Count-downs and GTD orders whose time has come.
    pub(super) fn run_timers(&mut self, out: &mut Vec<Emission>) {
        if self.now < self.next_timer {
            return;
        }
        let now = self.now;
        let mut next = NEVER;
        let mut ended: Vec<(u32, VenueStatus)> = Vec::new();
        for holder in &mut self.accounts {
            for (at, setting) in holder.settings.iter_mut().enumerate() {
                match setting.countdown {
                    Some(due) if due <= now => {
                        setting.countdown = None;
                        let mine = holder.open.iter().filter(|o| self.orders.get(**o as usize).is_some_and(|s| s.at == at));
                        ended.extend(mine.map(|o| (*o, VenueStatus::Canceled)));
                    }
                    Some(due) => next = next.min(due),
                    None => {}
                }
            }
            for ix in &holder.open {
                let Some(state) = self.orders.get(*ix as usize).filter(|s| s.report.tif == Tif::Gtd) else { continue };
                if state.report.good_till <= now {
                    ended.push((*ix, VenueStatus::Expired));
                } else {
                    next = next.min(state.report.good_till);
                }
            }
        }
        self.next_timer = next;
        for (ix, status) in ended {
            self.end_order(ix, status, 0, out);
        }
    }
    /// The algo order behind a regular one.
    pub(super) fn algo_of(&self, ix: u32) -> Option<AlgoId> {
        self.state(ix).report.algo
    }
}
