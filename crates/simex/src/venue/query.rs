//! Reading: what GET endpoints show. Every figure comes from the state, none is made up.

use super::account::LEGS;
use super::exchange::{Exchange, broken};
use super::report::{
    AccountId, AccountSummary, BalanceReport, BookReport, ForceOrderReport, FundingReport, IncomeKind, IncomeReport, Kline, KlineSource,
    PositionReport, PremiumReport, SymbolConfigReport, TradeReport,
};
use super::{ApiError, PageQuery, PublicTrade, TickerReport};
use fulmar_domain::id::OrderId;
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{BookTop, Mark, Timeframe};
use fulmar_domain::num::{NumError, Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{MarginMode, PositionSide};
use fulmar_domain::position::liquidation::{Leg, liquidation};
use fulmar_domain::position::margin::initial_margin;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::sync::Arc;

/// Cuts a history: the oldest of the window when a start was given, else the newest; oldest first.
pub(super) fn paged<T: Clone>(
    all: impl DoubleEndedIterator<Item = T>,
    page: PageQuery,
    time: impl Fn(&T) -> Timestamp,
    id: impl Fn(&T) -> i64,
) -> Vec<T> {
    let inside = all.filter(|x| {
        page.from.is_none_or(|t| time(x) >= t) && page.to.is_none_or(|t| time(x) <= t) && page.from_id.is_none_or(|i| id(x) >= i)
    });
    if page.from.is_some() || page.from_id.is_some() {
        return inside.take(page.limit).collect();
    }
    let mut newest: Vec<T> = inside.rev().take(page.limit).collect();
    newest.reverse();
    newest
}

impl Exchange {
    /// Sums of the account.
    ///
    /// # Errors
    /// −2015 for an unknown account.
    pub fn summary(&self, account: AccountId) -> Result<AccountSummary, ApiError> {
        self.known(account)?;
        self.sums(account).map_err(broken)
    }
    fn sums(&self, account: AccountId) -> Result<AccountSummary, NumError> {
        let holder = self.account(account);
        let (position_margin, maintenance_margin, unrealized) = self.position_sums(account, None)?;
        let (_, _, cross_unrealized) = self.position_sums(account, Some(MarginMode::Cross))?;
        let mut order_margin = Usdt::ZERO;
        for at in 0..self.symbols.len() {
            for leg in LEGS {
                order_margin = order_margin.checked_add(self.order_margin(account, at, leg, None)?)?;
            }
        }
        let available = self.available(account)?;
        Ok(AccountSummary {
            balance: BalanceReport {
                asset: "USDT",
                wallet: holder.wallet,
                cross_wallet: holder.cross_wallet(),
                cross_unrealized,
                available,
                withdrawable: available.min(holder.cross_wallet()).max(Usdt::ZERO),
                updated: holder.updated,
            },
            unrealized,
            margin_balance: holder.wallet.checked_add(unrealized)?,
            initial_margin: position_margin.checked_add(order_margin)?,
            position_margin,
            order_margin,
            maintenance_margin,
            hedge: holder.hedge,
            multi_assets: holder.multi_assets,
            maker_fee: self.config.maker_fee,
            taker_fee: self.config.taker_fee,
            updated: holder.updated,
        })
    }
    /// Positions: of one symbol or all; flat ones with `flat` (one-way: BOTH; hedge: LONG and SHORT).
    #[must_use]
    pub fn positions(&self, account: AccountId, symbol: Option<Symbol>, flat: bool) -> Vec<PositionReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        let holder = self.account(account);
        let legs: &[PositionSide] = if holder.hedge { &[PositionSide::Long, PositionSide::Short] } else { &[PositionSide::Both] };
        let mut out = Vec::new();
        for at in 0..self.symbols.len() {
            if symbol.is_some_and(|s| s != self.symbol(at).instrument.symbol) || (!flat && !holder.holds(at)) {
                continue;
            }
            for side in legs {
                if flat || !holder.position(at, *side).qty.is_zero() {
                    out.extend(self.position_report(account, at, *side).ok());
                }
            }
        }
        out
    }
    fn position_report(&self, account: AccountId, at: usize, side: PositionSide) -> Result<PositionReport, NumError> {
        let holder = self.account(account);
        let position = holder.position(at, side);
        let setting = holder.setting(at);
        let mark = self.mark_of(at).unwrap_or(position.entry);
        let value = position.value(mark)?;
        let unrealized = position.unrealized(mark)?;
        let isolated = setting.mode == MarginMode::Isolated;
        let open = self.open_value(account, at, side)?;
        Ok(PositionReport {
            symbol: self.symbol(at).instrument.symbol,
            side,
            qty: position.qty,
            entry: position.entry,
            break_even: position.break_even(),
            mark,
            unrealized,
            notional: value.times_int(position.sign())?,
            liquidation: self.liquidation_price(account, at, side, mark)?,
            margin_mode: setting.mode,
            leverage: setting.leverage,
            notional_max: self.notional_max(at, setting.leverage),
            isolated_wallet: position.isolated,
            isolated_margin: if isolated { position.isolated.checked_add(unrealized)? } else { Usdt::ZERO },
            initial_margin: initial_margin(value, setting.leverage)?,
            maintenance_margin: self.maintenance(at, value)?,
            order_margin: self.order_margin(account, at, side, None)?,
            bid_notional: open.bids,
            ask_notional: open.asks,
            adl: self.adl_quantile(account, at, side),
            updated: position.updated,
        })
    }
    fn liquidation_price(&self, account: AccountId, at: usize, side: PositionSide, mark: Price) -> Result<Option<Price>, NumError> {
        let holder = self.account(account);
        let position = holder.position(at, side);
        if position.qty.is_zero() {
            return Ok(None);
        }
        let brackets = &self.symbol(at).brackets;
        if holder.setting(at).mode == MarginMode::Isolated {
            let leg = [Leg { qty: position.qty, entry: position.entry }];
            return Ok(liquidation(&leg, brackets, position.isolated, mark)?.price());
        }
        let (_, maintenance, unrealized) = self.position_sums(account, Some(MarginMode::Cross))?;
        let mut legs = Vec::with_capacity(3);
        let mut collateral = holder.cross_wallet().checked_add(unrealized)?.checked_sub(maintenance)?;
        for leg in LEGS {
            let position = holder.position(at, leg);
            if !position.qty.is_zero() {
                legs.push(Leg { qty: position.qty, entry: position.entry });
                collateral =
                    collateral.checked_sub(position.unrealized(mark)?)?.checked_add(self.maintenance(at, position.value(mark)?)?)?;
            }
        }
        Ok(liquidation(&legs, brackets, collateral, mark)?.price())
    }
    /// 0 (last in line) to 4 (first): where the position's profit rate times leverage stands among all positions of that
    /// direction on the contract.
    fn adl_quantile(&self, account: AccountId, at: usize, side: PositionSide) -> u8 {
        let score = |holder: &super::account::Account, side: PositionSide| {
            let position = holder.position(at, side);
            let mark = self.mark_of(at)?;
            let profit = position.unrealized(mark).ok()?;
            let value = position.value(mark).ok().filter(|v| v.is_positive())?;
            let share = profit.share_of(value, fulmar_domain::num::Rounding::Floor).ok()?;
            Some((position.sign(), share.raw().saturating_mul(i64::from(holder.setting(at).leverage))))
        };
        let Some((sign, own)) = score(self.account(account), side) else { return 0 };
        if own <= 0 {
            return 0;
        }
        let others = self.symbol(at).holders.iter().filter_map(|h| self.accounts.get(*h as usize));
        let scores: Vec<i64> =
            others.flat_map(|h| LEGS.into_iter().filter_map(move |l| score(h, l))).filter(|(s, _)| *s == sign).map(|(_, x)| x).collect();
        let below = scores.iter().filter(|x| **x <= own).count();
        u8::try_from(below * 4 / scores.len().max(1)).unwrap_or(4)
    }
    /// Leverage and margin mode of one symbol or all.
    #[must_use]
    pub fn symbol_configs(&self, account: AccountId, symbol: Option<Symbol>) -> Vec<SymbolConfigReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        (0..self.symbols.len()).map(|at| self.config_of(account, at)).filter(|c| symbol.is_none_or(|s| s == c.symbol)).collect()
    }
    /// GET userTrades of a symbol, of one order where given.
    #[must_use]
    pub fn user_trades(&self, account: AccountId, symbol: Symbol, order: Option<OrderId>, page: PageQuery) -> Vec<TradeReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        let mine = self.account(account).trades.iter().copied().filter(|t| t.symbol == symbol && order.is_none_or(|o| o == t.order));
        paged(mine, page, |t| t.time, |t| t.trade.0)
    }
    /// GET income.
    #[must_use]
    pub fn income(&self, account: AccountId, symbol: Option<Symbol>, kind: Option<IncomeKind>, page: PageQuery) -> Vec<IncomeReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        let all = self.account(account).income.iter().copied();
        let mine = all.filter(|i| symbol.is_none_or(|s| i.symbol == Some(s)) && kind.is_none_or(|k| i.kind == k));
        paged(mine, page, |i| i.time, |i| i.tran.0)
    }
    /// GET forceOrders.
    #[must_use]
    pub fn force_orders(&self, account: AccountId, symbol: Option<Symbol>, page: PageQuery) -> Vec<ForceOrderReport> {
        if self.known(account).is_err() {
            return Vec::new();
        }
        let all = self.account(account).forced.iter().copied().filter(|f| symbol.is_none_or(|s| s == f.order.symbol));
        paged(all, page, |f| f.order.created, |f| f.order.order.0)
    }

    /// Contracts in the order of the configuration.
    #[must_use]
    pub fn instruments(&self) -> Vec<Arc<Instrument>> {
        self.symbols.iter().map(|s| Arc::clone(&s.instrument)).collect()
    }
    /// One contract.
    #[must_use]
    pub fn instrument(&self, symbol: Symbol) -> Option<Arc<Instrument>> {
        self.find(symbol).ok().map(|at| Arc::clone(&self.symbol(at).instrument))
    }
    /// Brackets of a contract.
    #[must_use]
    pub fn brackets(&self, symbol: Symbol) -> Option<Arc<Brackets>> {
        self.find(symbol).ok().map(|at| Arc::clone(&self.symbol(at).brackets))
    }
    /// GET depth. Takes a number of the update chain of its own, so that the next depth event spans it.
    pub fn book(&mut self, symbol: Symbol, limit: usize) -> Option<BookReport> {
        let at = self.find(symbol).ok()?;
        Some(self.symbol_mut(at).snapshot(limit))
    }
    /// The best `limit` levels as they stand, for partial-depth streams; takes no number.
    #[must_use]
    pub fn peek_book(&self, symbol: Symbol, limit: usize) -> Option<BookReport> {
        self.find(symbol).ok().map(|at| self.symbol(at).peek(limit))
    }
    /// GET ticker/bookTicker; `None` until both sides offer something.
    #[must_use]
    pub fn top(&self, symbol: Symbol) -> Option<BookTop> {
        self.find(symbol).ok().and_then(|at| self.symbol(at).top())
    }
    /// GET trades and aggTrades, oldest first.
    #[must_use]
    pub fn trades(&self, symbol: Symbol, page: PageQuery) -> Vec<PublicTrade> {
        self.find(symbol).map_or_else(|_| Vec::new(), |at| paged(self.symbol(at).trades.iter().copied(), page, |t| t.time, |t| t.id))
    }
    /// GET klines and markPriceKlines, oldest first, the forming one last. `from` and `to` name opening times.
    #[must_use]
    pub fn klines(&self, symbol: Symbol, source: KlineSource, timeframe: Timeframe, page: PageQuery) -> Vec<Kline> {
        let Ok(at) = self.find(symbol) else { return Vec::new() };
        let set = match source {
            KlineSource::Contract => &self.symbol(at).klines,
            KlineSource::Mark => &self.symbol(at).mark_klines,
        };
        let closed = set.closed(timeframe);
        let last = closed.back().map(|k| k.bar.open_time);
        let forming = set.forming(timeframe).filter(|f| last.is_none_or(|l| f.bar.open_time > l));
        // Closed bars are in order of time: what lies before the window is skipped without a look.
        let skip = page.from.map_or(0, |t| closed.partition_point(|k| k.bar.open_time < t));
        paged(closed.range(skip..).copied().chain(forming), page, |k| k.bar.open_time, |k| k.bar.open_time.0)
    }
    /// GET premiumIndex.
    #[must_use]
    pub fn premium(&self, symbol: Symbol) -> Option<PremiumReport> {
        let at = self.find(symbol).ok()?;
        let state = self.symbol(at);
        let mark = self.mark_of(at)?;
        Some(PremiumReport {
            symbol,
            mark,
            index: state.index_price.unwrap_or(mark),
            rate: state.rate.unwrap_or(Ratio::ZERO),
            next_funding: state.next_funding,
            time: state.mark_time,
        })
    }
    /// As the mark stream shows it.
    #[must_use]
    pub fn mark(&self, symbol: Symbol) -> Option<Mark> {
        self.find(symbol).ok().and_then(|at| self.symbol(at).mark_report())
    }
    /// GET fundingRate: booked ones, oldest first.
    #[must_use]
    pub fn fundings(&self, symbol: Option<Symbol>, page: PageQuery) -> Vec<FundingReport> {
        let some = self.symbols.iter().filter(|s| symbol.is_none_or(|n| n == s.instrument.symbol));
        let mut all: Vec<FundingReport> = some.flat_map(|s| s.fundings.iter().copied()).collect();
        all.sort_by_key(|f| f.time);
        paged(all.into_iter(), page, |f| f.time, |f| f.time.0)
    }
    /// GET ticker/24hr (and ticker/price).
    #[must_use]
    pub fn ticker(&self, symbol: Symbol) -> Option<TickerReport> {
        self.find(symbol).ok().and_then(|at| self.symbol(at).ticker(self.now))
    }
    /// GET openInterest: Σ long positions of all accounts.
    #[must_use]
    pub fn open_interest(&self, symbol: Symbol) -> Option<Qty> {
        let at = self.find(symbol).ok()?;
        let long = self.accounts.iter().flat_map(|a| LEGS.map(|l| a.position(at, l).qty.raw().max(0)));
        Some(Qty::from_raw(long.fold(0, i64::saturating_add)))
    }
}
