//! The exchange: its state, its accounts, and the small things that every other part needs.

use super::account::Account;
use super::algo::AlgoState;
use super::log::{ExchangeLog, LogBody};
use super::orders::OrderState;
use super::symbol::SymbolState;
use super::{
    AccountId, AccountReason, AccountUpdate, ApiError, BalanceChange, Emission, ExchangeConfig, IncomeKind, IncomeReport, Interest,
    LimitFill, PositionChange, UserEvent,
};
use fulmar_domain::id::{TradeId, TranId};
use fulmar_domain::instrument::SymbolStatus;
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::matching::{
    BehindVisible, FeeModel, FixedLatency, FixedRates, LatencyModel, OnTouch, QueueModel, SymbolBook, SyntheticBook, ThroughOnly,
};
use fulmar_domain::num::{NumError, Price, Usdt};
use fulmar_domain::order::PositionSide;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::collections::HashMap;

/// A simulated exchange.
#[derive(Debug)]
pub struct Exchange {
    pub(super) config: ExchangeConfig,
    pub(super) now: Timestamp,
    pub(super) symbols: Vec<SymbolState>,
    pub(super) index: HashMap<Symbol, usize>,
    pub(super) accounts: Vec<Account>,
    keys: HashMap<String, AccountId>,
    pub(super) orders: Vec<OrderState>,
    pub(super) algos: Vec<AlgoState>,
    pub(super) fees: Box<dyn FeeModel>,
    pub(super) latency: Box<dyn LatencyModel>,
    pub(super) insurance: Usdt,
    pub(super) next_funding: Timestamp,
    pub(super) next_timer: Timestamp,
    next_tran: i64,
    pub(super) next_forced: u64,
    pub(super) log: ExchangeLog,
    pub(super) failed: Option<NumError>,
}

/// Far beyond any data: no timer is set.
pub(super) const NEVER: Timestamp = Timestamp(i64::MAX);

pub(super) fn broken(_: NumError) -> ApiError {
    ApiError::new(-1013, "Invalid message: a number of this request is out of range.")
}

impl Exchange {
    /// Sets up the exchange without accounts.
    ///
    /// # Errors
    /// [`ApiError`] −1000 with the reason when a contract comes twice, has no brackets, or has filters that cannot be used.
    pub fn new(config: ExchangeConfig) -> Result<Self, ApiError> {
        let unusable = |symbol: Symbol, why: &str| ApiError::new(-1000, format!("{symbol}: {why}"));
        let mut symbols = Vec::with_capacity(config.instruments.len());
        let mut index = HashMap::new();
        for instrument in &config.instruments {
            let symbol = instrument.symbol;
            let brackets = config.brackets.iter().find(|b| b.symbol == symbol && !b.tiers.is_empty());
            let brackets = brackets.ok_or_else(|| unusable(symbol, "no leverage brackets"))?;
            if !instrument.tick.is_positive() || !instrument.step.is_positive() || instrument.funding_interval.0 <= 0 {
                return Err(unusable(symbol, "tick, step and funding interval must be above zero"));
            }
            if index.insert(symbol, symbols.len()).is_some() {
                return Err(unusable(symbol, "configured twice"));
            }
            let fills = &config.fills;
            let ticks = |n: u16| instrument.tick.times_int(i64::from(n)).map_err(broken);
            let shape = SyntheticBook {
                levels: fills.book.levels.clamp(1, 1_000),
                level_value: fills.book.level_value,
                level_step: ticks(fills.book.level_ticks.max(1))?,
                spread: ticks(fills.book.spread_ticks.max(1))?,
                qty_step: instrument.step,
            };
            let queue: Box<dyn QueueModel> = match fills.limit_fill {
                LimitFill::Through => Box::new(ThroughOnly),
                LimitFill::Touch => Box::new(OnTouch),
                LimitFill::Queue => Box::new(BehindVisible),
            };
            let book = SymbolBook::new(shape, queue, ticks(fills.slippage_ticks)?);
            symbols.push(SymbolState::new(
                instrument.clone(),
                brackets.clone(),
                book,
                config.start,
                config.klines_kept,
                config.trades_kept,
            ));
        }
        let next_funding = symbols.iter().map(|s| s.next_funding).min().unwrap_or(NEVER);
        Ok(Self {
            now: config.start,
            symbols,
            index,
            accounts: Vec::new(),
            keys: HashMap::new(),
            orders: Vec::new(),
            algos: Vec::new(),
            fees: Box::new(FixedRates { maker: config.maker_fee, taker: config.taker_fee }),
            latency: Box::new(FixedLatency(config.fills.latency)),
            insurance: Usdt::ZERO,
            next_funding,
            next_timer: NEVER,
            next_tran: 1,
            next_forced: 1,
            log: ExchangeLog::default(),
            failed: None,
            config,
        })
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
    /// The exchange's own ledger.
    #[must_use]
    pub const fn log(&self) -> &ExchangeLog {
        &self.log
    }
    /// The exchange's own ledger, to attach a file or switch marks on.
    pub const fn log_mut(&mut self) -> &mut ExchangeLog {
        &mut self.log
    }
    /// The insurance fund, which starts at zero and may go below.
    #[must_use]
    pub const fn insurance(&self) -> Usdt {
        self.insurance
    }
    /// Whether all figures still fit the number range.
    ///
    /// # Errors
    /// [`NumError`] of the first sum that did not; what it belonged to was left out.
    pub fn health(&self) -> Result<(), NumError> {
        self.failed.map_or(Ok(()), Err)
    }
    pub(super) fn note(&mut self, result: Result<(), NumError>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }

    /// Adds closed bars from before the start, oldest first, of one symbol and timeframe. The first call of a symbol names
    /// its base timeframe, the shortest; longer ones without history of their own are folded from it.
    pub fn add_history(&mut self, symbol: Symbol, timeframe: Timeframe, bars: &[Bar]) {
        if let Some(state) = self.index.get(&symbol).and_then(|s| self.symbols.get_mut(*s))
            && !bars.is_empty()
        {
            state.add_history(timeframe, bars);
        }
    }
    /// Says which public events of a symbol have subscribers. All off at the start.
    pub fn set_interest(&mut self, symbol: Symbol, interest: Interest) {
        if let Some(state) = self.index.get(&symbol).and_then(|s| self.symbols.get_mut(*s)) {
            state.set_interest(interest);
        }
    }

    /// Finds or opens the account of an API key, with the start balance (booked as a TRANSFER).
    pub fn open_account(&mut self, api_key: &str) -> AccountId {
        if let Some(id) = self.keys.get(api_key) {
            return *id;
        }
        let id = AccountId(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX));
        let leverages: Vec<u16> =
            self.symbols.iter().map(|s| self.config.leverage.min(s.brackets.tiers.first().map_or(1, |t| t.leverage_max)).max(1)).collect();
        self.accounts.push(Account::new(&leverages, self.now));
        self.keys.insert(api_key.to_owned(), id);
        let balance = self.config.start_balance;
        self.log.add(self.now, LogBody::Account { account: id.0, api_key: api_key.to_owned(), start_balance: balance });
        if !balance.is_zero() {
            let booked = self.earn(id, IncomeKind::Transfer, None, balance, None);
            self.note(booked);
        }
        id
    }
    /// Finds the account of an API key.
    #[must_use]
    pub fn account_of(&self, api_key: &str) -> Option<AccountId> {
        self.keys.get(api_key).copied()
    }
    /// Deposits (or withdraws, negative).
    ///
    /// # Errors
    /// −2018 when more is withdrawn than may be.
    pub fn transfer(&mut self, account: AccountId, amount: Usdt, out: &mut Vec<Emission>) -> Result<(), ApiError> {
        self.known(account)?;
        if amount.is_negative() && self.available(account).map_err(broken)? < amount.abs() {
            return Err(ApiError::new(-2018, "Balance is insufficient."));
        }
        self.earn(account, IncomeKind::Transfer, None, amount, None).map_err(broken)?;
        let reason = if amount.is_negative() { AccountReason::Withdraw } else { AccountReason::Deposit };
        self.say_account(account, reason, amount, &[], out);
        Ok(())
    }

    // Shared by all parts ---------------------------------------------------------------------------------------------

    pub(super) fn symbol(&self, at: usize) -> &SymbolState {
        self.symbols.get(at).unwrap_or_else(|| unreachable!())
    }
    pub(super) fn symbol_mut(&mut self, at: usize) -> &mut SymbolState {
        self.symbols.get_mut(at).unwrap_or_else(|| unreachable!())
    }
    pub(super) fn account(&self, id: AccountId) -> &Account {
        self.accounts.get(id.0 as usize).unwrap_or_else(|| unreachable!())
    }
    pub(super) fn account_mut(&mut self, id: AccountId) -> &mut Account {
        self.accounts.get_mut(id.0 as usize).unwrap_or_else(|| unreachable!())
    }
    pub(super) fn known(&self, account: AccountId) -> Result<(), ApiError> {
        if (account.0 as usize) < self.accounts.len() {
            return Ok(());
        }
        Err(ApiError { code: -2015, http: 401, msg: "Invalid API-key, IP, or permissions for action.".to_owned() })
    }
    /// Index of a contract.
    pub(super) fn find(&self, symbol: Symbol) -> Result<usize, ApiError> {
        self.index.get(&symbol).copied().ok_or_else(|| ApiError::new(-1121, "Invalid symbol."))
    }
    /// Books a wallet change and its income record.
    pub(super) fn earn(
        &mut self,
        account: AccountId,
        kind: IncomeKind,
        symbol: Option<Symbol>,
        amount: Usdt,
        trade: Option<TradeId>,
    ) -> Result<(), NumError> {
        let (time, tran) = (self.now, self.next_tran);
        let wallet = self.account(account).wallet.checked_add(amount)?;
        self.next_tran = tran.saturating_add(1);
        let holder = self.account_mut(account);
        holder.wallet = wallet;
        holder.updated = time;
        holder.income.push(IncomeReport { tran: TranId(tran), kind, symbol, amount, trade, time });
        self.log.wallet(time, account, (kind, symbol, amount, tran), wallet);
        Ok(())
    }
    pub(super) fn say(&self, account: AccountId, event: UserEvent, out: &mut Vec<Emission>) {
        out.push(Emission::User { account, time: self.now, event });
    }
    /// The contract's mark; the last price where the source gives no mark.
    pub(super) fn mark_of(&self, at: usize) -> Option<Price> {
        let symbol = self.symbol(at);
        symbol.mark.or(symbol.last)
    }
    pub(super) fn position_change(&self, account: AccountId, at: usize, side: PositionSide) -> PositionChange {
        let (holder, mark) = (self.account(account), self.mark_of(at));
        let position = holder.position(at, side);
        PositionChange {
            symbol: self.symbol(at).instrument.symbol,
            side,
            qty: position.qty,
            entry: position.entry,
            break_even: position.break_even(),
            realized: position.realized,
            unrealized: mark.and_then(|m| position.unrealized(m).ok()).unwrap_or(Usdt::ZERO),
            margin_mode: holder.setting(at).mode,
            isolated_wallet: position.isolated,
        }
    }
    /// `ACCOUNT_UPDATE` with the balance and the positions named.
    pub(super) fn say_account(
        &self,
        account: AccountId,
        reason: AccountReason,
        change: Usdt,
        positions: &[(usize, PositionSide)],
        out: &mut Vec<Emission>,
    ) {
        let holder = self.account(account);
        let balance = BalanceChange { wallet: holder.wallet, cross_wallet: holder.cross_wallet(), change };
        let positions = positions.iter().map(|(at, side)| self.position_change(account, *at, *side)).collect();
        self.say(account, UserEvent::Account(AccountUpdate { reason, balance: Some(balance), positions }), out);
    }
    pub(super) fn trading(&self, at: usize) -> bool {
        let symbol = self.symbol(at);
        !symbol.halted && symbol.instrument.status == SymbolStatus::Trading
    }
}
