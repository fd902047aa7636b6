//! The exchange: state and entry points.

use super::*;
use crate::source::Step;
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, BookTop, Mark, Timeframe};
use fulmar_domain::num::{Ratio, Usdt};
use fulmar_domain::order::MarginMode;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use std::sync::Arc;

/// A simulated exchange.
#[derive(Debug)]
pub struct Exchange {
    config: ExchangeConfig,
    now: Timestamp,
}

fn missing<T>() -> Result<T, ApiError> {
    Err(ApiError::new(-1000, "An unknown error occurred while processing the request."))
}

#[expect(unused_variables, reason = "the bodies follow")]
impl Exchange {
    /// Sets up the exchange without accounts.
    ///
    /// # Errors
    /// [`ApiError`] −1000 with the reason when a contract has no brackets, or filters that cannot be used.
    pub fn new(config: ExchangeConfig) -> Result<Self, ApiError> {
        let now = config.start;
        Ok(Self { config, now })
    }
    /// Market time: of the last step or tick.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }
    /// How it was set up.
    #[must_use]
    pub const fn config(&self) -> &ExchangeConfig {
        &self.config
    }

    // Market side ---------------------------------------------------------------------------------------------------

    /// Adds closed bars from before the start, oldest first, of one symbol and timeframe.
    pub fn add_history(&mut self, symbol: Symbol, timeframe: Timeframe, bars: &[Bar]) {}
    /// Says which public events of a symbol have subscribers. All off at the start.
    pub fn set_interest(&mut self, symbol: Symbol, interest: Interest) {}
    /// Applies all points of one instant in order: market, triggers, fills, funding, liquidations. Appends what follows.
    pub fn advance(&mut self, step: &Step, out: &mut Vec<Emission>) {}
    /// Lets market time pass without a point: count-downs, GTD, funding, minutes without trades.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<Emission>) {}

    // Accounts ------------------------------------------------------------------------------------------------------

    /// Finds or opens the account of an API key, with the start balance (booked as a TRANSFER).
    pub fn open_account(&mut self, api_key: &str) -> AccountId {
        AccountId(0)
    }
    /// Finds the account of an API key.
    #[must_use]
    pub fn account_of(&self, api_key: &str) -> Option<AccountId> {
        None
    }
    /// Deposits (or withdraws, negative).
    ///
    /// # Errors
    /// −2018 when more is withdrawn than may be.
    pub fn transfer(&mut self, account: AccountId, amount: Usdt, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        missing()
    }

    // Orders --------------------------------------------------------------------------------------------------------

    /// POST order. The answer is NEW; market and crossing limit orders fill in the next [`Exchange::advance`].
    ///
    /// # Errors
    /// The exchange's code for whatever is wrong with it.
    pub fn place(&mut self, account: AccountId, order: &NewOrder, out: &mut Vec<Emission>) -> Result<OrderReport, ApiError> {
        missing()
    }
    /// POST order/test: all checks, nothing done.
    ///
    /// # Errors
    /// As [`Exchange::place`].
    pub fn test(&self, account: AccountId, order: &NewOrder) -> Result<(), ApiError> {
        missing()
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
        missing()
    }
    /// DELETE allOpenOrders: regular orders of the symbol. Gives how many.
    ///
    /// # Errors
    /// −1121 for an unknown symbol.
    pub fn cancel_all(&mut self, account: AccountId, symbol: Symbol, out: &mut Vec<Emission>) -> Result<usize, ApiError> {
        missing()
    }
    /// PUT order.
    ///
    /// # Errors
    /// −2013, −5027 and those of [`Exchange::place`].
    pub fn modify(&mut self, account: AccountId, change: &ModifyOrder, out: &mut Vec<Emission>) -> Result<OrderReport, ApiError> {
        missing()
    }
    /// GET order: any order, open or ended.
    ///
    /// # Errors
    /// −2013.
    pub fn order(&self, account: AccountId, symbol: Symbol, order: &OrderRef) -> Result<OrderReport, ApiError> {
        missing()
    }
    /// GET openOrder.
    ///
    /// # Errors
    /// −2013.
    pub fn open_order(&self, account: AccountId, symbol: Symbol, order: &OrderRef) -> Result<OrderReport, ApiError> {
        missing()
    }
    /// GET openOrders, oldest first; algo orders excluded.
    #[must_use]
    pub fn open_orders(&self, account: AccountId, symbol: Option<Symbol>) -> Vec<OrderReport> {
        Vec::new()
    }
    /// GET allOrders.
    #[must_use]
    pub fn all_orders(&self, account: AccountId, symbol: Symbol, page: PageQuery) -> Vec<OrderReport> {
        Vec::new()
    }
    /// POST countdownCancelAll: zero switches off.
    ///
    /// # Errors
    /// −1121 for an unknown symbol.
    pub fn countdown_cancel_all(&mut self, account: AccountId, symbol: Symbol, countdown: Span) -> Result<(), ApiError> {
        missing()
    }

    // Algo orders ---------------------------------------------------------------------------------------------------

    /// POST algoOrder.
    ///
    /// # Errors
    /// The exchange's code for whatever is wrong with it.
    pub fn place_algo(&mut self, account: AccountId, order: &NewAlgoOrder, out: &mut Vec<Emission>) -> Result<AlgoReport, ApiError> {
        missing()
    }
    /// DELETE algoOrder.
    ///
    /// # Errors
    /// −2011 when there is no such open algo order.
    pub fn cancel_algo(&mut self, account: AccountId, order: &AlgoRef, out: &mut Vec<Emission>) -> Result<AlgoReport, ApiError> {
        missing()
    }
    /// DELETE algoOpenOrders of a symbol. Gives how many.
    ///
    /// # Errors
    /// −1121 for an unknown symbol.
    pub fn cancel_all_algo(&mut self, account: AccountId, symbol: Symbol, out: &mut Vec<Emission>) -> Result<usize, ApiError> {
        missing()
    }
    /// GET algoOrder.
    ///
    /// # Errors
    /// −2013.
    pub fn algo_order(&self, account: AccountId, order: &AlgoRef) -> Result<AlgoReport, ApiError> {
        missing()
    }
    /// GET openAlgoOrders, oldest first.
    #[must_use]
    pub fn open_algo_orders(&self, account: AccountId, symbol: Option<Symbol>) -> Vec<AlgoReport> {
        Vec::new()
    }
    /// GET allAlgoOrders.
    #[must_use]
    pub fn all_algo_orders(&self, account: AccountId, symbol: Symbol, page: PageQuery) -> Vec<AlgoReport> {
        Vec::new()
    }

    // Account state -------------------------------------------------------------------------------------------------

    /// Sums of the account.
    ///
    /// # Errors
    /// −2015 for an unknown account.
    pub fn summary(&self, account: AccountId) -> Result<AccountSummary, ApiError> {
        missing()
    }
    /// Positions: of one symbol or all; flat ones with `flat` (one-way: BOTH; hedge: LONG and SHORT).
    #[must_use]
    pub fn positions(&self, account: AccountId, symbol: Option<Symbol>, flat: bool) -> Vec<PositionReport> {
        Vec::new()
    }
    /// Leverage and margin mode of one symbol or all.
    #[must_use]
    pub fn symbol_configs(&self, account: AccountId, symbol: Option<Symbol>) -> Vec<SymbolConfigReport> {
        Vec::new()
    }
    /// POST leverage.
    ///
    /// # Errors
    /// −4028, −2027, −4161 (cannot reduce with an isolated position).
    pub fn set_leverage(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        leverage: u16,
        out: &mut Vec<Emission>,
    ) -> Result<SymbolConfigReport, ApiError> {
        missing()
    }
    /// POST marginType.
    ///
    /// # Errors
    /// −4046, −4047, −4048, −4168.
    pub fn set_margin_mode(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        mode: MarginMode,
        out: &mut Vec<Emission>,
    ) -> Result<(), ApiError> {
        missing()
    }
    /// POST positionMargin.
    ///
    /// # Errors
    /// −4046-family codes when the position is not isolated or the margin does not suffice.
    pub fn change_position_margin(
        &mut self,
        account: AccountId,
        change: &PositionMarginChange,
        out: &mut Vec<Emission>,
    ) -> Result<(), ApiError> {
        missing()
    }
    /// POST positionSide/dual.
    ///
    /// # Errors
    /// −4059, −4067, −4068.
    pub fn set_hedge_mode(&mut self, account: AccountId, hedge: bool) -> Result<(), ApiError> {
        missing()
    }
    /// POST multiAssetsMargin.
    ///
    /// # Errors
    /// −4171, −4167.
    pub fn set_multi_assets(&mut self, account: AccountId, on: bool, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        missing()
    }
    /// GET userTrades of a symbol, of one order where given.
    #[must_use]
    pub fn user_trades(
        &self,
        account: AccountId,
        symbol: Symbol,
        order: Option<fulmar_domain::id::OrderId>,
        page: PageQuery,
    ) -> Vec<TradeReport> {
        Vec::new()
    }
    /// GET income.
    #[must_use]
    pub fn income(&self, account: AccountId, symbol: Option<Symbol>, kind: Option<IncomeKind>, page: PageQuery) -> Vec<IncomeReport> {
        Vec::new()
    }
    /// GET forceOrders.
    #[must_use]
    pub fn force_orders(&self, account: AccountId, symbol: Option<Symbol>, page: PageQuery) -> Vec<ForceOrderReport> {
        Vec::new()
    }

    // Public state --------------------------------------------------------------------------------------------------

    /// Contracts in the order of the configuration.
    #[must_use]
    pub fn instruments(&self) -> Vec<Arc<Instrument>> {
        Vec::new()
    }
    /// Brackets of a contract.
    #[must_use]
    pub fn brackets(&self, symbol: Symbol) -> Option<Arc<Brackets>> {
        None
    }
    /// GET depth. Takes a number of the update chain of its own, so that the next depth event spans it.
    pub fn book(&mut self, symbol: Symbol, limit: usize) -> Option<BookReport> {
        None
    }
    /// The best `limit` levels as they stand, for partial-depth streams; takes no number.
    #[must_use]
    pub fn peek_book(&self, symbol: Symbol, limit: usize) -> Option<BookReport> {
        None
    }
    /// GET ticker/bookTicker.
    #[must_use]
    pub fn top(&self, symbol: Symbol) -> Option<BookTop> {
        None
    }
    /// GET trades and aggTrades, oldest first.
    #[must_use]
    pub fn trades(&self, symbol: Symbol, page: PageQuery) -> Vec<PublicTrade> {
        Vec::new()
    }
    /// GET klines and markPriceKlines, oldest first, the forming one last. The timeframe must be one of [`Timeframe::ALL`].
    #[must_use]
    pub fn klines(&self, symbol: Symbol, source: KlineSource, timeframe: Timeframe, page: PageQuery) -> Vec<Kline> {
        Vec::new()
    }
    /// GET premiumIndex.
    #[must_use]
    pub fn premium(&self, symbol: Symbol) -> Option<PremiumReport> {
        None
    }
    /// As the mark stream shows it.
    #[must_use]
    pub fn mark(&self, symbol: Symbol) -> Option<Mark> {
        None
    }
    /// GET fundingRate: booked ones, oldest first.
    #[must_use]
    pub fn fundings(&self, symbol: Option<Symbol>, page: PageQuery) -> Vec<FundingReport> {
        Vec::new()
    }
    /// GET ticker/24hr (and ticker/price).
    #[must_use]
    pub fn ticker(&self, symbol: Symbol) -> Option<TickerReport> {
        None
    }
    /// GET openInterest: Σ long positions of all accounts.
    #[must_use]
    pub fn open_interest(&self, symbol: Symbol) -> Option<fulmar_domain::num::Qty> {
        None
    }

    // Faults --------------------------------------------------------------------------------------------------------

    /// Changes a contract.
    ///
    /// # Errors
    /// −1121 for an unknown symbol, −1130 for values that cannot be used.
    pub fn symbol_fault(&mut self, fault: SymbolFault, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        missing()
    }
    /// Liquidates the positions of a symbol now, whatever their margin.
    ///
    /// # Errors
    /// −1121; −2022 when there is no position.
    pub fn liquidate(&mut self, account: AccountId, symbol: Symbol, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        missing()
    }
    /// Deleverages: closes a share (1 = all) of the positions of a symbol at the mark price.
    ///
    /// # Errors
    /// −1121; −2022 when there is no position.
    pub fn auto_deleverage(&mut self, account: AccountId, symbol: Symbol, share: Ratio, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        missing()
    }
    /// Places an order on the account as if by another program (client id `web_…`).
    ///
    /// # Errors
    /// As [`Exchange::place`].
    pub fn foreign_order(&mut self, account: AccountId, order: &NewOrder, out: &mut Vec<Emission>) -> Result<OrderReport, ApiError> {
        missing()
    }
}
