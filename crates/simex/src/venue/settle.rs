//! Funding, margin calls, liquidation and deleveraging.

use super::account::LEGS;
use super::exchange::{Exchange, NEVER};
use super::log::{LiquidationRecord, LogBody};
use super::{
    AccountId, AccountReason, ApiError, Emission, ForceOrderReport, FundingReport, IncomeKind, MarginCall, MarketEmission, OrderReport,
    OrderType, Stp, Tif, UserEvent, VenueStatus,
};
use crate::source::{MarketPoint, PointKind};
use fulmar_domain::id::{ClientOrderId, OrderId};
use fulmar_domain::num::{NumError, Price, Qty, Ratio, Rounding, Usdt, average_price};
use fulmar_domain::order::{MarginMode, PositionSide, Side, WorkingType};
use fulmar_domain::position::margin::funding_payment;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;

/// Fundings kept per symbol for `fundingRate`.
const FUNDINGS_KEPT: usize = 10_000;

/// Where an account stands against its maintenance margin.
#[derive(Debug, Clone, Copy)]
struct Standing {
    balance: Usdt,
    maintenance: Usdt,
}

impl Exchange {
    /// Books every funding that has fallen due, once per symbol and funding time, with a mark of that very instant where the step brings one.
    pub(super) fn run_funding(&mut self, points: &[MarketPoint], out: &mut Vec<Emission>) {
        let now = self.now;
        let mut next = NEVER;
        for at in 0..self.symbols.len() {
            let symbol = self.symbol_mut(at);
            while symbol.next_funding <= now {
                let due = symbol.next_funding;
                let interval = symbol.instrument.funding_interval;
                // After a long silence only the newest funding has a mark of its time; earlier ones are not made up.
                let newest = due.plus(interval) > now;
                symbol.next_funding = if newest { due.plus(interval) } else { now.floor_to(interval) };
                if newest {
                    let name = symbol.instrument.symbol;
                    let mark = points.iter().find_map(|p| match p.kind {
                        PointKind::Mark { price, .. } if p.symbol == name && p.time == due => Some(price),
                        _ => None,
                    });
                    let mark = mark.or(symbol.mark).or(symbol.last);
                    if let (Some(mark), Some(rate)) = (mark, symbol.rate) {
                        self.fund(at, due, mark, rate, out);
                    }
                    break;
                }
            }
            next = next.min(self.symbol(at).next_funding);
        }
        self.next_funding = next;
    }
    fn fund(&mut self, at: usize, due: Timestamp, mark: Price, rate: Ratio, out: &mut Vec<Emission>) {
        let symbol = self.symbol_mut(at);
        let name = symbol.instrument.symbol;
        if symbol.fundings.len() >= FUNDINGS_KEPT {
            symbol.fundings.remove(0);
        }
        symbol.fundings.push(FundingReport { symbol: name, rate, mark, time: due });
        for holder in symbol.holders.clone() {
            for side in LEGS {
                let done = self.fund_one(AccountId(holder), at, side, due, (mark, rate), out);
                self.note(done);
            }
        }
    }
    fn fund_one(
        &mut self,
        account: AccountId,
        at: usize,
        side: PositionSide,
        due: Timestamp,
        (mark, rate): (Price, Ratio),
        out: &mut Vec<Emission>,
    ) -> Result<(), NumError> {
        let position = self.account(account).position(at, side);
        if position.qty.is_zero() {
            return Ok(());
        }
        let name = self.symbol(at).instrument.symbol;
        let mode = self.account(account).setting(at).mode;
        let amount = funding_payment(position.qty, mark, rate)?;
        self.log.add(
            self.now,
            LogBody::Funding {
                account: account.0,
                symbol: name,
                position_side: side,
                margin_mode: mode,
                qty: position.qty,
                mark,
                rate,
                amount,
                funding_time: due,
            },
        );
        if amount.is_zero() {
            return Ok(());
        }
        self.earn(account, IncomeKind::FundingFee, Some(name), amount, None)?;
        // Isolated: the position pays from its own margin and the event shows it; cross: only the balance is sent.
        if mode == MarginMode::Isolated {
            if let Some(position) = self.account_mut(account).position_mut(at, side) {
                position.isolated = position.isolated.checked_add(amount)?;
            }
            self.say_account(account, AccountReason::FundingFee, amount, &[(at, side)], out);
        } else {
            self.say_account(account, AccountReason::FundingFee, amount, &[], out);
        }
        Ok(())
    }

    /// After a new mark: margin calls and liquidations of everyone who holds the contract.
    pub(super) fn check_margins(&mut self, at: usize, out: &mut Vec<Emission>) {
        if self.symbol(at).holders.is_empty() {
            return;
        }
        if self.log.wants_marks()
            && let Some(price) = self.mark_of(at)
        {
            let symbol = self.symbol(at).instrument.symbol;
            self.log.add(self.now, LogBody::Mark { symbol, price });
        }
        for holder in self.symbol(at).holders.clone() {
            let done = self.check_account(AccountId(holder), at, out);
            self.note(done);
        }
    }
    fn standing(&self, account: AccountId, at: usize, side: PositionSide) -> Result<Standing, NumError> {
        let holder = self.account(account);
        if holder.setting(at).mode == MarginMode::Cross {
            let (_, maintenance, unrealized) = self.position_sums(account, Some(MarginMode::Cross))?;
            return Ok(Standing { balance: holder.cross_wallet().checked_add(unrealized)?, maintenance });
        }
        let position = holder.position(at, side);
        let mark = self.mark_of(at).unwrap_or(position.entry);
        let maintenance = self.maintenance(at, position.value(mark)?)?;
        Ok(Standing { balance: position.isolated.checked_add(position.unrealized(mark)?)?, maintenance })
    }
    fn check_account(&mut self, account: AccountId, at: usize, out: &mut Vec<Emission>) -> Result<(), NumError> {
        if self.account(account).setting(at).mode == MarginMode::Isolated {
            for side in LEGS {
                if self.account(account).position(at, side).qty.is_zero() {
                    continue;
                }
                let standing = self.standing(account, at, side)?;
                if standing.balance <= standing.maintenance {
                    self.liquidate_position(account, at, side, Some(standing), out)?;
                } else {
                    self.warn(account, at, side, standing, out)?;
                }
            }
            return Ok(());
        }
        // Cross: the position with the largest maintenance margin goes first, until the rest is covered.
        loop {
            let Some((at, side)) = self.largest_cross(account)? else { return Ok(()) };
            let standing = self.standing(account, at, side)?;
            if standing.balance > standing.maintenance {
                return self.warn(account, at, side, standing, out);
            }
            self.liquidate_position(account, at, side, Some(standing), out)?;
            if !self.account(account).position(at, side).qty.is_zero() {
                return Ok(());
            }
        }
    }
    fn largest_cross(&self, account: AccountId) -> Result<Option<(usize, PositionSide)>, NumError> {
        let holder = self.account(account);
        let mut largest: Option<(Usdt, usize, PositionSide)> = None;
        for at in 0..self.symbols.len() {
            if !holder.holds(at) || holder.setting(at).mode != MarginMode::Cross || !self.trading(at) {
                continue;
            }
            for side in LEGS {
                let position = holder.position(at, side);
                if position.qty.is_zero() {
                    continue;
                }
                let need = self.maintenance(at, position.value(self.mark_of(at).unwrap_or(position.entry))?)?;
                if largest.is_none_or(|(most, ..)| need > most) {
                    largest = Some((need, at, side));
                }
            }
        }
        Ok(largest.map(|(_, at, side)| (at, side)))
    }
    /// `MARGIN_CALL` once, when maintenance takes 80 % of the margin balance.
    fn warn(
        &mut self,
        account: AccountId,
        at: usize,
        side: PositionSide,
        standing: Standing,
        out: &mut Vec<Emission>,
    ) -> Result<(), NumError> {
        let risky = standing.maintenance.times_int(5)? >= standing.balance.times_int(4)?;
        let Some(position) = self.account_mut(account).position_mut(at, side) else { return Ok(()) };
        if std::mem::replace(&mut position.warned, risky) || !risky {
            return Ok(());
        }
        let change = self.position_change(account, at, side);
        let mark = self.mark_of(at).unwrap_or(change.entry);
        let cross = change.margin_mode == MarginMode::Cross;
        let need = self.maintenance(at, self.account(account).position(at, side).value(mark)?)?;
        let call = MarginCall { cross_wallet: cross.then(|| self.account(account).cross_wallet()), positions: vec![(change, mark, need)] };
        self.say(account, UserEvent::MarginCall(call), out);
        Ok(())
    }
    /// The price at which nothing is left of the margin: mark − direction · margin balance / |qty|, rounded away from the
    /// account (so that the margin covers it) and to the tick.
    fn bankruptcy(&self, at: usize, qty: Qty, mark: Price, balance: Usdt) -> Result<Price, NumError> {
        let tick = self.symbol(at).instrument.tick;
        let long = qty.is_positive();
        let per_unit = average_price(balance, qty.abs(), Rounding::Floor)?;
        let exact = if long { mark.checked_sub(per_unit)? } else { mark.checked_add(per_unit)? };
        let price = exact.round_to(tick, if long { Rounding::Ceil } else { Rounding::Floor })?;
        Ok(price.max(tick))
    }
    fn forced_order(
        &mut self,
        (account, at, side): (AccountId, usize, PositionSide),
        qty: Qty,
        price: Price,
        id: &str,
        out: &mut Vec<Emission>,
    ) -> u32 {
        let held = self.account(account).position(at, side).qty;
        let now = self.now;
        let report = OrderReport {
            order: OrderId(0),
            client_id: ClientOrderId::new(id).unwrap_or_else(|| unreachable!()),
            symbol: self.symbol(at).instrument.symbol,
            side: if held.is_positive() { Side::Sell } else { Side::Buy },
            position_side: side,
            order_type: OrderType::Limit,
            orig_type: OrderType::Limit,
            tif: Tif::Ioc,
            good_till: Timestamp::ZERO,
            price,
            stop_price: Price::ZERO,
            qty,
            filled: Qty::ZERO,
            quote: Usdt::ZERO,
            average: Price::ZERO,
            status: VenueStatus::New,
            reduce_only: true,
            close_position: false,
            working: WorkingType::ContractPrice,
            price_protect: false,
            price_match: None,
            stp: Stp::None,
            modifications: 0,
            algo: None,
            created: now,
            updated: now,
        };
        let ix = self.admit(account, at, report, out);
        self.state_mut(ix).forced = true;
        ix
    }
    fn announce_forced(&mut self, ix: u32, adl: bool, out: &mut Vec<Emission>) {
        let (account, at, order) = (self.state(ix).account, self.state(ix).at, self.report(ix));
        let report = ForceOrderReport { order, adl };
        self.account_mut(account).forced.push(report);
        if self.symbol(at).interest.force_orders && !adl {
            out.push(Emission::Market { time: self.now, event: MarketEmission::ForceOrder(Box::new(report)) });
        }
    }
    fn liquidate_position(
        &mut self,
        account: AccountId,
        at: usize,
        side: PositionSide,
        standing: Option<Standing>,
        out: &mut Vec<Emission>,
    ) -> Result<(), NumError> {
        if !self.trading(at) {
            return Ok(());
        }
        for ix in self.open_of(account, at) {
            if self.report(ix).position_side == side {
                self.end_order(ix, VenueStatus::Canceled, 0, out);
            }
        }
        let position = self.account(account).position(at, side);
        let mark = self.mark_of(at).unwrap_or(position.entry);
        let forced = standing.is_none();
        let standing = match standing {
            Some(standing) => standing,
            None => self.standing(account, at, side)?,
        };
        let mode = self.account(account).setting(at).mode;
        let bankruptcy = self.bankruptcy(at, position.qty, mark, standing.balance)?;
        let id = format!("autoclose-{}{:06}", self.now.0, self.next_forced);
        self.next_forced = self.next_forced.saturating_add(1);
        let wallet_before = self.account(account).wallet;
        let fee_rate = self.symbol(at).instrument.liquidation_fee;
        let ix = self.forced_order((account, at, side), position.qty.abs(), bankruptcy, &id, out);
        let tier = self.tier(at, position.value(mark)?);
        self.log.add(
            self.now,
            LogBody::Liquidation(LiquidationRecord {
                account: account.0,
                symbol: self.symbol(at).instrument.symbol,
                position_side: side,
                margin_mode: mode,
                mark,
                qty: position.qty,
                entry: position.entry,
                isolated_wallet: position.isolated,
                margin_balance: standing.balance,
                maintenance_margin: standing.maintenance,
                rate: tier.mmr,
                cum: tier.cum,
                bankruptcy,
                fee_rate,
                order: self.report(ix).order,
                forced,
            }),
        );
        self.take_liquidation(ix, bankruptcy, out)?;
        // What is left of the collateral pays the liquidation fee; what lacks, insurance pays.
        let spent = self.account(account).wallet.checked_sub(wallet_before)?;
        let left = match mode {
            MarginMode::Isolated => position.isolated.checked_add(spent)?,
            MarginMode::Cross => {
                let (_, _, unrealized) = self.position_sums(account, Some(MarginMode::Cross))?;
                let covered = self.account(account).cross_wallet().checked_add(unrealized)?;
                // A loss of the other positions is theirs to be liquidated for, not insurance's to pay now.
                if self.largest_cross(account)?.is_some() { covered.max(Usdt::ZERO) } else { covered }
            }
        };
        let wanted = self.report(ix).quote.times(fee_rate, Rounding::HalfEven)?;
        let clear = if left.is_negative() { left.checked_neg()? } else { wanted.min(left).checked_neg()? };
        if !clear.is_zero() {
            self.insurance = self.insurance.checked_sub(clear)?;
            let symbol = self.symbol(at).instrument.symbol;
            self.earn(account, IncomeKind::InsuranceClear, Some(symbol), clear, None)?;
            self.say_account(account, AccountReason::InsuranceClear, clear, &[], out);
        }
        self.announce_forced(ix, false, out);
        self.flush_book(at, out);
        Ok(())
    }
    /// The market takes what it will at the bankruptcy price or better; insurance takes the rest over at it.
    fn take_liquidation(&mut self, ix: u32, bankruptcy: Price, out: &mut Vec<Emission>) -> Result<(), NumError> {
        loop {
            let (report, state) = (self.report(ix), *self.state(ix));
            let left = Qty::from_raw(report.qty.raw() - report.filled.raw());
            if left.is_zero() {
                return Ok(());
            }
            let taker = fulmar_domain::matching::Taker { owner: state.account.0, side: report.side, limit: Some(bankruptcy), qty: left };
            let market =
                self.symbol(state.at).book.offers(&taker).find(|o| matches!(o.counter, fulmar_domain::matching::Counter::Market(_)));
            match market {
                Some(hit) => {
                    self.symbol_mut(state.at).book.take(report.side, &hit);
                    self.fill_outright(ix, hit.price, hit.qty, out)?;
                }
                None => return self.fill_outright(ix, bankruptcy, left, out),
            }
        }
    }

    // Faults --------------------------------------------------------------------------------------------------------

    /// Liquidates the positions of a symbol now, whatever their margin.
    ///
    /// # Errors
    /// −1121; −2022 when there is no position.
    pub fn liquidate(&mut self, account: AccountId, symbol: Symbol, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        self.known(account)?;
        let at = self.find(symbol)?;
        if !self.account(account).holds(at) {
            return Err(ApiError::new(-2022, "ReduceOnly Order is rejected."));
        }
        for side in LEGS {
            if !self.account(account).position(at, side).qty.is_zero() {
                self.liquidate_position(account, at, side, None, out).map_err(super::exchange::broken)?;
            }
        }
        Ok(())
    }
    /// Deleverages: closes a share (1 = all, rounded down to the step, at least one step) of the positions of a symbol at the
    /// mark price on the tick.
    ///
    /// # Errors
    /// −1121; −2022 when there is no position.
    pub fn auto_deleverage(&mut self, account: AccountId, symbol: Symbol, share: Ratio, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        self.known(account)?;
        let at = self.find(symbol)?;
        if !self.account(account).holds(at) {
            return Err(ApiError::new(-2022, "ReduceOnly Order is rejected."));
        }
        for side in LEGS {
            let held = self.account(account).position(at, side).qty;
            if !held.is_zero() {
                self.deleverage(account, at, side, held, share, out).map_err(super::exchange::broken)?;
            }
        }
        Ok(())
    }
    fn deleverage(
        &mut self,
        account: AccountId,
        at: usize,
        side: PositionSide,
        held: Qty,
        share: Ratio,
        out: &mut Vec<Emission>,
    ) -> Result<(), NumError> {
        let instrument = std::sync::Arc::clone(&self.symbol(at).instrument);
        let part = held.abs().times(share.min(Ratio::ONE), Rounding::Floor)?.round_to(instrument.step, Rounding::Floor)?;
        let qty = part.max(instrument.step).min(held.abs());
        let mark = self.mark_of(at).unwrap_or(self.account(account).position(at, side).entry);
        let price = mark.round_to(instrument.tick, Rounding::HalfEven)?.max(instrument.tick);
        let ix = self.forced_order((account, at, side), qty, price, "adl_autoclose", out);
        self.fill_outright(ix, price, qty, out)?;
        self.announce_forced(ix, true, out);
        self.flush_book(at, out);
        Ok(())
    }
}
