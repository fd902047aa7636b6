//! Conditional (algo) orders: they wait here, outside the book, and give birth to a regular order when they trigger.
//!
//! Life: NEW → TRIGGERING → TRIGGERED (the child exists, `actualOrderId`) → FINISHED when the child has ended; or CANCELED,
//! REJECTED (with `rm`), EXPIRED. The child has the algo order's client id.

use super::checks;
use super::exchange::Exchange;
use super::margin::{Wanted, closes_leg};
use super::orders::OrderState;
use super::{
    AccountId, AlgoRef, AlgoReport, AlgoStatus, ApiError, Emission, NewAlgoOrder, OrderReport, OrderType, PageQuery, Tif, UserEvent,
    VenueStatus,
};
use fulmar_domain::id::{AlgoId, ClientOrderId, OrderId};
use fulmar_domain::matching::{Trigger, TriggerDirection};
use fulmar_domain::num::{Price, Qty, Ratio, Rounding, SCALE, Usdt, notional};
use fulmar_domain::order::{Side, WorkingType};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;

/// Number of the first algo order.
const FIRST_ALGO: i64 = 4_000_000_000_000_001;
/// Conditional orders that one account may have open.
const OPEN_MAX: usize = 200;
/// Callback rates in percent that the exchange takes.
const CALLBACK_MIN: Ratio = Ratio::from_raw(SCALE / 10);
const CALLBACK_MAX: Ratio = Ratio::from_raw(SCALE * 10);

/// A conditional order.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlgoState {
    pub report: AlgoReport,
    pub account: AccountId,
    pub at: usize,
    pub trigger: Trigger,
}

const fn is_stop(kind: OrderType) -> bool {
    matches!(kind, OrderType::Stop | OrderType::StopMarket)
}

impl Exchange {
    fn check_algo(&self, account: AccountId, order: &NewAlgoOrder) -> Result<(usize, AlgoReport, Trigger), ApiError> {
        self.known(account)?;
        let at = self.find(order.symbol)?;
        let symbol = self.symbol(at);
        let instrument = &symbol.instrument;
        let kind = order.order_type;
        if !kind.is_conditional() {
            return Err(ApiError::new(-1116, "Invalid orderType."));
        }
        let given_id = order.client_id.as_deref().map(checks::client_id).transpose()?;
        let close = order.close_position.unwrap_or(false);
        if close {
            if !matches!(kind, OrderType::StopMarket | OrderType::TakeProfitMarket) {
                return Err(ApiError::new(-4136, "Target strategy invalid for orderType with closePosition."));
            }
            checks::unwanted(order.qty.filter(|q| !q.is_zero()).as_ref(), "quantity")?;
            checks::unwanted(order.reduce_only.filter(|r| *r).as_ref(), "reduceonly")?;
        }
        let leg = self.leg_of(account, order.position_side, order.reduce_only.filter(|r| *r || !close))?;
        if close && self.account(account).hedge && !closes_leg(order.side, leg) {
            return Err(ApiError::new(-4061, "Order's position side does not match user's setting."));
        }
        let limit = matches!(kind, OrderType::Stop | OrderType::TakeProfit);
        let qty = if close {
            Qty::ZERO
        } else {
            let qty = checks::needed(order.qty, "quantity")?;
            checks::quantity(instrument, qty, !limit)?;
            qty
        };
        let tif = order.tif.unwrap_or(Tif::Gtc);
        let good_till = self.good_till(tif, order.good_till)?;
        if !self.trading(at) {
            return Err(ApiError::new(-4140, "Invalid symbol status for opening position."));
        }
        let working = order.working.unwrap_or(WorkingType::ContractPrice);
        let reference = match working {
            WorkingType::MarkPrice => self.mark_of(at),
            WorkingType::ContractPrice => symbol.last.or_else(|| self.mark_of(at)),
        };
        let reference = reference.ok_or_else(|| ApiError::new(-2010, "NEW_ORDER_REJECTED: there is no market price yet."))?;
        let at_once = || ApiError::new(-2021, "Order would immediately trigger.");
        let selling = order.side == Side::Sell;
        let mut level = Price::ZERO;
        let (mut activation, mut callback) = (Price::ZERO, Ratio::ZERO);
        let trigger = if kind == OrderType::TrailingStopMarket {
            callback = checks::needed(order.callback_percent, "callbackrate")?;
            if callback < CALLBACK_MIN || callback > CALLBACK_MAX {
                return Err(ApiError::new(-2007, "Invalid callBack rate."));
            }
            if let Some(from) = order.activation.filter(|p| !p.is_zero()) {
                checks::price(instrument, from, true)?;
                if if selling { from < reference } else { from > reference } {
                    return Err(at_once());
                }
                activation = from;
            }
            Trigger::Trail {
                direction: if selling { TriggerDirection::Falling } else { TriggerDirection::Rising },
                activation: (!activation.is_zero()).then_some(activation),
                callback: callback.over_int(100, Rounding::HalfEven).map_err(super::exchange::broken)?,
                extreme: activation.is_zero().then_some(reference),
            }
        } else {
            level = checks::needed(order.trigger, "triggerprice")?;
            checks::price(instrument, level, true)?;
            let rising = is_stop(kind) != selling;
            if if rising { reference >= level } else { reference <= level } {
                return Err(at_once());
            }
            Trigger::Level { direction: if rising { TriggerDirection::Rising } else { TriggerDirection::Falling }, at: level }
        };
        let price = if !limit {
            Price::ZERO
        } else if order.price_match.is_some() {
            checks::unwanted(order.price.as_ref(), "price")?;
            level
        } else {
            let price = checks::needed(order.price, "price")?;
            checks::price(instrument, price, false)?;
            price
        };
        let reduce_only = order.reduce_only.unwrap_or(false) || close || closes_leg(order.side, leg);
        if !reduce_only {
            let value = checks::worth(
                instrument,
                if !price.is_zero() {
                    price
                } else if level.is_zero() {
                    reference
                } else {
                    level
                },
                qty,
            )?;
            self.affordable(account, Wanted { at, side: order.side, leg, value })?;
        } else if !qty.is_zero() {
            notional(reference, qty, Rounding::HalfEven).map_err(super::exchange::broken)?;
        }
        let open = self.account(account).open_algos.iter().filter_map(|a| self.algos.get(*a as usize)).map(|a| a.report);
        if let Some(id) = given_id
            && open.clone().any(|a| a.client_id == id)
        {
            return Err(ApiError::new(-4116, "ClientOrderId is duplicated."));
        }
        if close
            && open.clone().any(|a| {
                a.close_position
                    && a.symbol == order.symbol
                    && a.side == order.side
                    && a.position_side == leg
                    && is_stop(a.order_type) == is_stop(kind)
            })
        {
            return Err(ApiError::new(-4130, "An open stop or take profit order with GTE and closePosition in the direction is existing."));
        }
        if self.account(account).open_algos.len() >= OPEN_MAX
            || open.filter(|a| a.symbol == order.symbol).count() >= instrument.algo_orders_max as usize
        {
            return Err(ApiError::new(-4045, "Reach max stop order limit."));
        }
        let report = AlgoReport {
            algo: AlgoId(0),
            client_id: given_id.unwrap_or_else(|| ClientOrderId::new("x").unwrap_or_else(|| unreachable!())),
            symbol: order.symbol,
            side: order.side,
            position_side: leg,
            order_type: kind,
            tif,
            good_till,
            qty,
            trigger: level,
            price,
            activation,
            callback_percent: callback,
            working,
            reduce_only: order.reduce_only.unwrap_or(false),
            close_position: close,
            price_protect: order.price_protect.unwrap_or(false),
            price_match: order.price_match,
            stp: order.stp.unwrap_or_default(),
            status: AlgoStatus::New,
            child: None,
            child_average: Price::ZERO,
            child_filled: Qty::ZERO,
            created: self.now,
            updated: self.now,
            triggered: Timestamp::ZERO,
        };
        Ok((at, report, trigger))
    }
    /// POST algoOrder.
    ///
    /// # Errors
    /// The exchange's code for whatever is wrong with it.
    pub fn place_algo(&mut self, account: AccountId, order: &NewAlgoOrder, out: &mut Vec<Emission>) -> Result<AlgoReport, ApiError> {
        let checked = self.check_algo(account, order);
        let code = checked.as_ref().map_or_else(|e| e.code, |_| 0);
        self.log_request(account, "place_algo", Some(order.symbol), order.client_id.clone().unwrap_or_default(), code);
        let (at, mut report, trigger) = checked?;
        if order.client_id.is_none() {
            report.client_id = self.make_client_id(account, "a");
        }
        let ix = u32::try_from(self.algos.len()).unwrap_or(u32::MAX);
        report.algo = AlgoId(FIRST_ALGO + i64::from(ix));
        self.algos.push(AlgoState { report, account, at, trigger });
        let holder = self.account_mut(account);
        holder.algos.push(ix);
        holder.open_algos.insert(ix);
        holder.algo_clients.insert(report.client_id, ix);
        self.symbol_mut(at).waiting.push(ix);
        self.say_algo(ix, None, out);
        Ok(report)
    }
    fn algo(&self, ix: u32) -> &AlgoState {
        self.algos.get(ix as usize).unwrap_or_else(|| unreachable!())
    }
    fn algo_mut(&mut self, ix: u32) -> &mut AlgoState {
        self.algos.get_mut(ix as usize).unwrap_or_else(|| unreachable!())
    }
    fn say_algo(&mut self, ix: u32, reason: Option<&'static str>, out: &mut Vec<Emission>) {
        let AlgoState { report, account, .. } = *self.algo(ix);
        self.log.algo(self.now, account, &report);
        self.say(account, UserEvent::Algo(Box::new(report), reason), out);
    }
    fn set_algo(&mut self, ix: u32, status: AlgoStatus) {
        let now = self.now;
        let state = self.algo_mut(ix);
        state.report.status = status;
        state.report.updated = now;
        let (account, at) = (state.account, state.at);
        if !status.is_open() {
            self.account_mut(account).open_algos.remove(&ix);
            self.symbol_mut(at).waiting.retain(|w| *w != ix);
        }
    }
    fn find_algo(&self, account: AccountId, order: &AlgoRef) -> Result<Option<u32>, ApiError> {
        self.known(account)?;
        let found = match (order.algo, &order.client_id) {
            (Some(id), _) => u32::try_from(id.0.wrapping_sub(FIRST_ALGO)).ok().filter(|ix| (*ix as usize) < self.algos.len()),
            (None, Some(text)) => ClientOrderId::new(text).and_then(|id| self.account(account).algo_clients.get(&id).copied()),
            (None, None) => {
                return Err(ApiError::new(-1102, "Mandatory parameter 'algoId' was not sent, was empty/null, or malformed."));
            }
        };
        Ok(found.filter(|ix| self.algo(*ix).account == account))
    }
    /// DELETE algoOrder.
    ///
    /// # Errors
    /// −2011 when there is no such open algo order.
    pub fn cancel_algo(&mut self, account: AccountId, order: &AlgoRef, out: &mut Vec<Emission>) -> Result<AlgoReport, ApiError> {
        let found = self.find_algo(account, order)?.filter(|ix| self.algo(*ix).report.status.is_open());
        let named = order.client_id.clone().or_else(|| order.algo.map(|a| a.to_string())).unwrap_or_default();
        self.log_request(account, "cancel_algo", None, named, if found.is_some() { 0 } else { -2011 });
        let ix = found.ok_or_else(|| ApiError::new(-2011, "Unknown order sent."))?;
        self.set_algo(ix, AlgoStatus::Canceled);
        self.say_algo(ix, None, out);
        Ok(self.algo(ix).report)
    }
    /// DELETE algoOpenOrders of a symbol. Gives how many.
    ///
    /// # Errors
    /// −1121 for an unknown symbol.
    pub fn cancel_all_algo(&mut self, account: AccountId, symbol: Symbol, out: &mut Vec<Emission>) -> Result<usize, ApiError> {
        self.known(account)?;
        let at = self.find(symbol)?;
        self.log_request(account, "cancel_all_algo", Some(symbol), String::new(), 0);
        let open: Vec<u32> = self.account(account).open_algos.iter().copied().filter(|a| self.algo(*a).at == at).collect();
        for ix in &open {
            self.set_algo(*ix, AlgoStatus::Canceled);
            self.say_algo(*ix, None, out);
        }
        Ok(open.len())
    }
    /// GET algoOrder.
    ///
    /// # Errors
    /// −2013.
    pub fn algo_order(&self, account: AccountId, order: &AlgoRef) -> Result<AlgoReport, ApiError> {
        let found = self.find_algo(account, order)?;
        found.map(|ix| self.algo(ix).report).ok_or_else(|| ApiError::new(-2013, "Order does not exist."))
    }
    /// GET openAlgoOrders, oldest first.
    #[must_use]
    pub fn open_algo_orders(&self, account: AccountId, symbol: Option<Symbol>) -> Vec<AlgoReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        let open = self.account(account).open_algos.iter().map(|ix| self.algo(*ix).report);
        open.filter(|o| symbol.is_none_or(|s| s == o.symbol)).collect()
    }
    /// GET allAlgoOrders.
    #[must_use]
    pub fn all_algo_orders(&self, account: AccountId, symbol: Symbol, page: PageQuery) -> Vec<AlgoReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        let all = self.account(account).algos.iter().map(|ix| self.algo(*ix).report).filter(|o| o.symbol == symbol);
        super::query::paged(all, page, |o| o.created, |o| o.algo.0)
    }

    /// Fires what the next price of a series sets off.
    pub(super) fn run_triggers(&mut self, at: usize, working: WorkingType, price: Price, out: &mut Vec<Emission>) {
        if self.symbol(at).waiting.is_empty() || !self.trading(at) {
            return;
        }
        let mut fired = Vec::new();
        for n in 0..self.symbol(at).waiting.len() {
            let Some(ix) = self.symbol(at).waiting.get(n).copied() else { break };
            let state = self.algo_mut(ix);
            if state.report.working != working {
                continue;
            }
            match state.trigger.on_price(price) {
                Ok(true) => fired.push(ix),
                Ok(false) => {}
                Err(error) => self.note(Err(error)),
            }
        }
        for ix in fired {
            if self.algo(ix).report.status.is_open() && !self.protected(ix) {
                self.fire(ix, working, out);
            }
        }
    }
    /// `priceProtect`: mark and contract price are too far apart for this order to trigger.
    fn protected(&self, ix: u32) -> bool {
        let AlgoState { report, at, .. } = *self.algo(ix);
        let symbol = self.symbol(at);
        let protect = symbol.instrument.trigger_protect;
        let (Some(mark), Some(last)) = (self.mark_of(at), symbol.last) else { return false };
        let apart = Price::from_raw(mark.raw().saturating_sub(last.raw())).abs();
        report.price_protect && protect.is_positive() && apart.share_of(last, Rounding::Floor).is_ok_and(|share| share > protect)
    }
    fn fire(&mut self, ix: u32, working: WorkingType, out: &mut Vec<Emission>) {
        let now = self.now;
        let AlgoState { mut report, account, at, trigger } = *self.algo(ix);
        let level = trigger.level().ok().flatten();
        self.algo_mut(ix).report.triggered = now;
        self.set_algo(ix, AlgoStatus::Triggering);
        self.say_algo(ix, None, out);
        let reduces = report.reduce_only || report.close_position || closes_leg(report.side, report.position_side);
        let cap = self.reduce_cap(account, at, report.side, report.position_side, report.reduce_only || report.close_position);
        if cap.is_some_and(Qty::is_zero) {
            let status = if report.close_position { AlgoStatus::Expired } else { AlgoStatus::Rejected };
            self.set_algo(ix, status);
            self.say_algo(ix, Some("Reduce Only reject"), out);
            return;
        }
        if report.close_position {
            report.qty = cap.unwrap_or(Qty::ZERO);
        }
        let limit = matches!(report.order_type, OrderType::Stop | OrderType::TakeProfit);
        let price = if limit { report.price } else { Price::ZERO };
        if !reduces {
            let value = notional(if limit { price } else { level.unwrap_or(report.trigger) }, report.qty, Rounding::HalfEven);
            let wanted = value.map(|value| Wanted { at, side: report.side, leg: report.position_side, value });
            let poor = wanted.and_then(|w| self.too_dear(account, w));
            if poor != Ok(false) {
                self.set_algo(ix, AlgoStatus::Rejected);
                self.say_algo(ix, Some("Margin is insufficient."), out);
                return;
            }
        }
        let child = OrderReport {
            order: OrderId(0),
            client_id: report.client_id,
            symbol: report.symbol,
            side: report.side,
            position_side: report.position_side,
            order_type: if limit { OrderType::Limit } else { OrderType::Market },
            orig_type: report.order_type,
            tif: if limit { report.tif } else { Tif::Gtc },
            good_till: report.good_till,
            price,
            stop_price: level.unwrap_or(report.trigger),
            qty: report.qty,
            filled: Qty::ZERO,
            quote: Usdt::ZERO,
            average: Price::ZERO,
            status: VenueStatus::New,
            reduce_only: reduces,
            close_position: report.close_position,
            working: report.working,
            price_protect: report.price_protect,
            price_match: report.price_match,
            stp: report.stp,
            modifications: 0,
            algo: Some(report.algo),
            created: now,
            updated: now,
        };
        let number = OrderId(super::orders::FIRST_ORDER + i64::try_from(self.orders.len()).unwrap_or(i64::MAX / 2));
        let state = self.algo_mut(ix);
        state.report.child = Some(number);
        state.report.qty = if report.close_position { Qty::ZERO } else { report.qty };
        self.set_algo(ix, AlgoStatus::Triggered);
        self.say_algo(ix, None, out);
        let order = self.admit(account, at, child, out);
        if self.config.fills.stops_at_trigger && working == WorkingType::ContractPrice {
            self.state_mut(order).spanned = level;
        }
        self.work(order, out);
    }
    /// A child order filled or ended: its algo order follows.
    pub(super) fn algo_child_moved(&mut self, order: u32, out: &mut Vec<Emission>) {
        let OrderState { report, .. } = *self.state(order);
        let Some(algo) = self.algo_of(order) else { return };
        let Ok(ix) = u32::try_from(algo.0.wrapping_sub(FIRST_ALGO)) else { return };
        let state = self.algo_mut(ix);
        state.report.child_average = report.average;
        state.report.child_filled = report.filled;
        if !report.status.is_open() && state.report.status == AlgoStatus::Triggered {
            self.set_algo(ix, AlgoStatus::Finished);
            self.say_algo(ix, None, out);
        }
    }
    /// The level at which an open algo order would fire now.
    #[must_use]
    pub fn algo_level(&self, algo: AlgoId) -> Option<Price> {
        let ix = usize::try_from(algo.0.wrapping_sub(FIRST_ALGO)).ok()?;
        self.algos.get(ix)?.trigger.level().ok()?
    }
}
