//! Settings of an account, and what the fault interface may change.

use super::account::LEGS;
use super::exchange::{Exchange, broken};
use super::report::SymbolConfigReport;
use super::{AccountId, AccountReason, ApiError, Emission, NewOrder, OrderReport, PositionMarginChange, SymbolFault, UserEvent};
use fulmar_domain::num::{Ratio, Usdt};
use fulmar_domain::order::{MarginMode, PositionSide};
use fulmar_domain::position::margin::initial_margin;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Span;
use std::sync::Arc;

impl Exchange {
    pub(super) fn config_of(&self, account: AccountId, at: usize) -> SymbolConfigReport {
        let setting = self.account(account).setting(at);
        SymbolConfigReport {
            symbol: self.symbol(at).instrument.symbol,
            margin_mode: setting.mode,
            leverage: setting.leverage,
            notional_max: self.notional_max(at, setting.leverage),
        }
    }
    /// POST leverage.
    ///
    /// # Errors
    /// −4028 outside the brackets, −2027 when the position is too large for it, −4161 when an isolated position stands and
    /// the leverage would fall.
    pub fn set_leverage(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        leverage: u16,
        out: &mut Vec<Emission>,
    ) -> Result<SymbolConfigReport, ApiError> {
        self.known(account)?;
        let at = self.find(symbol)?;
        let most = self.symbol(at).brackets.tiers.first().map_or(1, |t| t.leverage_max);
        if leverage == 0 || leverage > most {
            return Err(ApiError::new(-4028, format!("Leverage {leverage} is not valid")));
        }
        let holder = self.account(account);
        let setting = holder.setting(at);
        if holder.holds(at) {
            if setting.mode == MarginMode::Isolated && leverage < setting.leverage {
                return Err(ApiError::new(-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions"));
            }
            let limit = self.notional_max(at, leverage);
            for side in LEGS {
                let position = holder.position(at, side);
                let mark = self.mark_of(at).unwrap_or(position.entry);
                if position.value(mark).map_err(broken)? > limit {
                    return Err(ApiError::new(-2027, "Exceeded the maximum allowable position at current leverage."));
                }
            }
        }
        if let Some(setting) = self.account_mut(account).settings.get_mut(at) {
            setting.leverage = leverage;
        }
        if self.free(account, None).map_err(broken)?.is_negative() && leverage < setting.leverage {
            if let Some(changed) = self.account_mut(account).settings.get_mut(at) {
                changed.leverage = setting.leverage;
            }
            return Err(ApiError::new(-2019, "Margin is insufficient."));
        }
        self.log_request(account, "leverage", Some(symbol), leverage.to_string(), 0);
        if setting.leverage != leverage {
            self.say(account, UserEvent::Leverage(symbol, leverage), out);
        }
        Ok(self.config_of(account, at))
    }
    /// POST marginType.
    ///
    /// # Errors
    /// −4046 already so, −4047 open orders, −4048 a position, −4168 isolated in multi-assets mode.
    pub fn set_margin_mode(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        mode: MarginMode,
        out: &mut Vec<Emission>,
    ) -> Result<(), ApiError> {
        self.known(account)?;
        let at = self.find(symbol)?;
        let holder = self.account(account);
        if holder.setting(at).mode == mode {
            return Err(ApiError::new(-4046, "No need to change margin type."));
        }
        if holder.multi_assets && mode == MarginMode::Isolated {
            return Err(ApiError::new(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode."));
        }
        if !self.open_of(account, at).is_empty() {
            return Err(ApiError::new(-4047, "Margin type cannot be changed if there exists open orders."));
        }
        if holder.holds(at) {
            return Err(ApiError::new(-4048, "Margin type cannot be changed if there exists position."));
        }
        if let Some(setting) = self.account_mut(account).settings.get_mut(at) {
            setting.mode = mode;
        }
        let named = if mode == MarginMode::Isolated { "ISOLATED" } else { "CROSSED" };
        self.log_request(account, "margin_type", Some(symbol), named.to_owned(), 0);
        let legs: &[(usize, PositionSide)] =
            if self.account(account).hedge { &[(at, PositionSide::Long), (at, PositionSide::Short)] } else { &[(at, PositionSide::Both)] };
        self.say_account(account, AccountReason::MarginTypeChange, Usdt::ZERO, legs, out);
        Ok(())
    }
    /// POST positionMargin.
    ///
    /// # Errors
    /// −4053 when the position is not isolated, −4052 without a position, −2018 when the wallet does not suffice, −4051 when
    /// the position needs what would be taken.
    pub fn change_position_margin(
        &mut self,
        account: AccountId,
        change: &PositionMarginChange,
        out: &mut Vec<Emission>,
    ) -> Result<(), ApiError> {
        self.known(account)?;
        let at = self.find(change.symbol)?;
        let side = self.leg_of(account, change.side, None)?;
        let setting = self.account(account).setting(at);
        let position = self.account(account).position(at, side);
        if !change.amount.is_positive() {
            return Err(ApiError::new(-4054, "Cannot add position margin: position is 0."));
        }
        if setting.mode != MarginMode::Isolated {
            return Err(ApiError::new(-4053, "Auto add margin is only allowed for isolated positions."));
        }
        if position.qty.is_zero() {
            return Err(ApiError::new(-4054, "Cannot add position margin: position is 0."));
        }
        let after = if change.add {
            if self.available(account).map_err(broken)? < change.amount {
                return Err(ApiError::new(-4050, "Cross balance insufficient."));
            }
            position.isolated.checked_add(change.amount)
        } else {
            position.isolated.checked_sub(change.amount)
        }
        .map_err(broken)?;
        if !change.add {
            let mark = self.mark_of(at).unwrap_or(position.entry);
            let value = position.value(mark).map_err(broken)?;
            let unrealized = position.unrealized(mark).map_err(broken)?;
            let need = initial_margin(value, setting.leverage).map_err(broken)?;
            let left = after.checked_add(Usdt::from_raw(unrealized.raw().min(0))).map_err(broken)?;
            if left < need {
                return Err(ApiError::new(-4051, "Isolated balance insufficient."));
            }
        }
        if let Some(position) = self.account_mut(account).position_mut(at, side) {
            position.isolated = after;
        }
        let signed = if change.add { change.amount.to_string() } else { format!("-{}", change.amount) };
        self.log_request(account, "position_margin", Some(change.symbol), signed, 0);
        self.say_account(account, AccountReason::MarginTransfer, Usdt::ZERO, &[(at, side)], out);
        Ok(())
    }
    /// POST positionSide/dual.
    ///
    /// # Errors
    /// −4059 already so, −4067 open orders, −4068 a position.
    pub fn set_hedge_mode(&mut self, account: AccountId, hedge: bool) -> Result<(), ApiError> {
        self.known(account)?;
        let holder = self.account(account);
        if holder.hedge == hedge {
            return Err(ApiError::new(-4059, "No need to change position side."));
        }
        if !holder.open.is_empty() || !holder.open_algos.is_empty() {
            return Err(ApiError::new(-4067, "Position side cannot be changed if there exists open orders."));
        }
        if (0..self.symbols.len()).any(|at| holder.holds(at)) {
            return Err(ApiError::new(-4068, "Position side cannot be changed if there exists position."));
        }
        self.account_mut(account).hedge = hedge;
        self.log_request(account, "hedge_mode", None, hedge.to_string(), 0);
        Ok(())
    }
    /// POST multiAssetsMargin. With USDT as the only asset the mode changes nothing but what is allowed.
    ///
    /// # Errors
    /// −4172 already so, −4167 a symbol is isolated.
    pub fn set_multi_assets(&mut self, account: AccountId, on: bool, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        self.known(account)?;
        let holder = self.account(account);
        if holder.multi_assets == on {
            return Err(ApiError::new(-4172, "Adjusted asset mode is currently set and does not need to be adjusted repeatedly."));
        }
        if on && holder.settings.iter().any(|s| s.mode == MarginMode::Isolated) {
            return Err(ApiError::new(
                -4167,
                "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode.",
            ));
        }
        self.account_mut(account).multi_assets = on;
        self.log_request(account, "multi_assets", None, on.to_string(), 0);
        self.say(account, UserEvent::MultiAssets(on), out);
        Ok(())
    }

    // Faults --------------------------------------------------------------------------------------------------------

    /// Changes a contract.
    ///
    /// # Errors
    /// −1121 for an unknown symbol, −1130 for values that cannot be used.
    pub fn symbol_fault(&mut self, fault: SymbolFault, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        let invalid = |what: &str| ApiError::new(-1130, format!("Data sent for parameter '{what}' is not valid."));
        match fault {
            SymbolFault::Filters(instrument) => {
                let at = self.find(instrument.symbol)?;
                if !instrument.tick.is_positive() || !instrument.step.is_positive() || instrument.funding_interval.0 <= 0 {
                    return Err(invalid("filters"));
                }
                self.set_interval(at, instrument.funding_interval);
                self.symbol_mut(at).instrument = Arc::from(instrument);
            }
            SymbolFault::Brackets(brackets) => {
                let at = self.find(brackets.symbol)?;
                if brackets.tiers.is_empty() {
                    return Err(invalid("brackets"));
                }
                self.symbol_mut(at).brackets = Arc::new(brackets);
                self.check_margins(at, out);
            }
            SymbolFault::Halt(symbol, halted) => {
                let at = self.find(symbol)?;
                self.symbol_mut(at).halted = halted;
            }
            SymbolFault::FundingInterval(symbol, hours) => {
                let at = self.find(symbol)?;
                if !matches!(hours, 1 | 4 | 8) {
                    return Err(invalid("fundingIntervalHours"));
                }
                self.set_interval(at, Span::hours(i64::from(hours)));
            }
            SymbolFault::FundingRate(symbol, rate) => {
                let at = self.find(symbol)?;
                if rate.abs() > Ratio::ONE {
                    return Err(invalid("fundingRate"));
                }
                self.symbol_mut(at).rate = Some(rate);
            }
        }
        Ok(())
    }
    fn set_interval(&mut self, at: usize, interval: Span) {
        let now = self.now;
        let symbol = self.symbol_mut(at);
        if symbol.instrument.funding_interval != interval {
            Arc::make_mut(&mut symbol.instrument).funding_interval = interval;
            symbol.next_funding = now.floor_to(interval).plus(interval);
            self.next_funding = self.symbols.iter().map(|s| s.next_funding).min().unwrap_or(super::exchange::NEVER);
        }
    }
    /// Is trading of a contract stopped by a fault?
    #[must_use]
    pub fn halted(&self, symbol: Symbol) -> bool {
        self.find(symbol).is_ok_and(|at| self.symbol(at).halted)
    }
    /// Places an order on the account as if by another program (client id `web_…` where none is given).
    ///
    /// # Errors
    /// As [`Exchange::place`].
    pub fn foreign_order(&mut self, account: AccountId, order: &NewOrder, out: &mut Vec<Emission>) -> Result<OrderReport, ApiError> {
        self.known(account)?;
        let mut order = order.clone();
        if order.client_id.is_none() {
            order.client_id = Some(self.make_client_id(account, "web_").to_string());
        }
        self.place(account, &order, out)
    }
}
