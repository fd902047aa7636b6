//! The engine's own books: wallet, ledger, positions, orders, counters. Everything here is rebuilt from the journal alone.
//!
//! Invariant: the wallet is the ledger's wallet account and the ledger's sum is zero, after every fact.

use super::flows::{Flows, Recorded};
use super::holding::{Holding, Terms, apply_fill};
use super::ledger::{Cause, Ledger};
use super::node::PositionOut;
use super::orders::OpenOrders;
use super::seen::{SeenFills, SeenIncomes};
use crate::account::{AccountEvent, AccountSnapshot, Desk, HEARD_MAX, Income, SymbolSettings, TrackRecord, VenuePosition};
use crate::control::{Notice, Severity};
use crate::id::{DecisionId, FactSeq, StrategyId};
use crate::num::{NumError, Price, Qty, Rounding, Usdt, notional};
use crate::order::{ExitReason, Fill, MarginMode, OrderRole, OrderUpdate, PositionSide};
use crate::record::{LedgerAccount, Record, RoundTrip};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// The one asset that the ledger counts.
pub(super) const ASSET: &str = "USDT";

/// One position of the account.
pub(super) type PositionKey = (Symbol, PositionSide);

/// What the exchange said last about wallet and positions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reported {
    pub wallet: Option<Usdt>,
    pub positions: BTreeMap<PositionKey, VenuePosition>,
    pub time: Timestamp,
}

/// Everything that follows from the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Books {
    pub known: bool,
    pub hedge: bool,
    pub wallet: Usdt,
    pub ledger: Ledger,
    pub holdings: BTreeMap<PositionKey, Holding>,
    pub settings: BTreeMap<Symbol, SymbolSettings>,
    pub orders: OpenOrders,
    pub facts: BTreeMap<Desk, FactSeq>,
    pub records: BTreeMap<Desk, TrackRecord>,
    pub heard: VecDeque<DecisionId>,
    pub reported: Reported,
    pub seen: BTreeMap<Symbol, SeenFills>,
    pub incomes: SeenIncomes,
    pub flows: Flows,
    /// Last owner of a symbol, for payments that come after its position.
    pub owners: BTreeMap<Symbol, StrategyId>,
    /// Exchange time of the first and of the last snapshot: facts up to the last one are contained in it.
    pub first_adopted: Option<Timestamp>,
    pub adopted: Option<Timestamp>,
    pub time: Timestamp,
}

/// Why a position ended, as far as the order tells.
fn reason_of(update: &OrderUpdate) -> ExitReason {
    let id = update.client_id.map(|id| id.as_str().to_owned()).unwrap_or_default();
    if id.starts_with("autoclose-") || id.starts_with("adl_autoclose") || id.starts_with("settlement_autoclose") {
        return ExitReason::Liquidation;
    }
    match update.role {
        Some(OrderRole::Exit { reason }) => reason,
        Some(OrderRole::Stop) => ExitReason::StopLoss,
        Some(OrderRole::Target) => ExitReason::TakeProfit,
        Some(OrderRole::Trailing) => ExitReason::Trailing,
        Some(OrderRole::Entry { .. }) => ExitReason::Signal,
        None => ExitReason::External,
    }
}

/// Which account a wallet change outside of trading belongs to, by the stream's reason or the income's kind.
fn account_of(word: &str) -> LedgerAccount {
    match word {
        "FUNDING_FEE" => LedgerAccount::Funding,
        "INSURANCE_CLEAR" | "ORDER" => LedgerAccount::Insurance,
        _ => LedgerAccount::Transfer,
    }
}

impl Books {
    /// Books one payment and journals it; nothing for zero.
    pub fn book(&mut self, against: LedgerAccount, amount: Usdt, cause: Cause, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        if amount.is_zero() {
            return Ok(());
        }
        let wallet = self.wallet.checked_add(amount)?;
        let entry = self.ledger.book(against, amount, cause)?;
        self.wallet = wallet;
        out.push(PositionOut::Journal(Record::LedgerBooked(entry)));
        Ok(())
    }
    /// Counts a fact of a desk.
    pub fn bump(&mut self, strategy: StrategyId, symbol: Symbol) {
        self.facts.entry((strategy, symbol)).or_default().0 += 1;
    }
    /// Leverage and margin mode of a symbol; without settings leverage 1, isolated: the most margin.
    pub fn terms(&self, symbol: Symbol) -> (u16, MarginMode) {
        self.settings.get(&symbol).map_or((1, MarginMode::Isolated), |s| (s.leverage.max(1), s.margin_mode))
    }
    /// The exchange's books already contain what happened at `time`.
    fn contained(&self, time: Timestamp) -> bool {
        self.adopted.is_some_and(|at| time <= at)
    }

    /// A fact about an order; gives whether it brought a new fill.
    pub fn update(&mut self, update: &OrderUpdate, out: &mut Vec<PositionOut>) -> Result<bool, NumError> {
        self.time = self.time.max(update.time);
        if update.decision.0 != 0 && !self.heard.contains(&update.decision) {
            self.heard.push_back(update.decision);
            if self.heard.len() > HEARD_MAX {
                self.heard.pop_front();
            }
        }
        self.bump(update.strategy, update.symbol);
        self.orders.apply(update);
        match &update.fill {
            Some(fill) if self.seen.entry(fill.symbol).or_default().first(fill.trade) => {
                self.fill(update, fill, out)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn fill(&mut self, update: &OrderUpdate, fill: &Fill, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        let key = (fill.symbol, fill.position_side);
        let before = self.holdings.get(&key).cloned();
        let owner = before.as_ref().map_or(update.strategy, |h| h.strategy);
        let fee = if fill.fee_in_usdt { fill.fee } else { Usdt::ZERO };
        if !fill.fee_in_usdt && !fill.fee.is_zero() {
            let text = format!("trade {} on {} paid its fee of {} in another asset than {ASSET}", fill.trade, fill.symbol, fill.fee);
            out.push(PositionOut::Notice(Notice::new(Severity::Info, "FEE_NOT_USDT", text).about(fill.symbol)));
        }
        let cause = Cause { symbol: Some(fill.symbol), strategy: owner, source: format!("trade:{}", fill.trade), time: fill.time };
        self.book(LedgerAccount::RealizedPnl, fill.realized, cause.clone(), out)?;
        self.book(LedgerAccount::Commission, fee.checked_neg()?, cause.clone(), out)?;
        if self.contained(fill.time) {
            self.book(LedgerAccount::Adjustment, fee.checked_sub(fill.realized)?, cause, out)?;
            self.claim(key, update.strategy);
            return Ok(());
        }
        let (leverage, margin_mode) = self.terms(fill.symbol);
        let terms = Terms { strategy: update.strategy, margin_mode, leverage, reason: reason_of(update) };
        let applied = apply_fill(before, fill, fee, terms)?;
        self.compare_realized(fill, applied.own_realized, out)?;
        self.owners.insert(fill.symbol, owner);
        if owner != update.strategy {
            self.bump(owner, fill.symbol);
        }
        match applied.left {
            Some(held) => self.holdings.insert(key, held),
            None => self.holdings.remove(&key),
        };
        match applied.closed {
            Some(trip) => self.close(trip, out),
            None => Ok(()),
        }
    }

    /// A fill that the snapshot contained already tells who owns the position that was adopted as foreign.
    fn claim(&mut self, key: PositionKey, strategy: StrategyId) {
        if let Some(held) = self.holdings.get_mut(&key)
            && held.strategy == StrategyId::external()
            && held.strategy != strategy
        {
            held.strategy = strategy;
            self.owners.insert(key.0, strategy);
            self.bump(strategy, key.0);
        }
    }

    /// Counts and journals a round trip.
    pub fn close(&mut self, trip: RoundTrip, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        let net = trip.realized.checked_sub(trip.fees)?.checked_add(trip.funding)?;
        let record = self.records.entry((trip.strategy, trip.symbol)).or_default();
        record.trades = record.trades.saturating_add(1);
        record.losses_in_a_row = if net.is_negative() { record.losses_in_a_row.saturating_add(1) } else { 0 };
        record.realized = record.realized.checked_add(net)?;
        record.last_close = trip.closed;
        out.push(PositionOut::Journal(Record::TradeClosed(trip)));
        Ok(())
    }

    /// The exchange's realised profit is booked; our own must agree within 10⁻⁸ of the fill's notional.
    fn compare_realized(&self, fill: &Fill, own: Usdt, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        let scale = notional(fill.price, fill.qty, Rounding::Ceil)?.raw() / crate::num::SCALE;
        let apart = own.checked_sub(fill.realized)?.abs();
        if apart.raw() > scale.saturating_add(4) {
            let text = format!(
                "trade {} on {}: the exchange realised {}, our own arithmetic gives {own}; the exchange's figure was booked",
                fill.trade, fill.symbol, fill.realized
            );
            out.push(PositionOut::Notice(Notice::new(Severity::Warning, "REALIZED_DIFFERS", text).about(fill.symbol)));
        }
        Ok(())
    }

    /// `ACCOUNT_UPDATE`. What a later snapshot contains is left alone.
    pub fn account(&mut self, event: &AccountEvent, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        if self.contained(event.time) {
            return Ok(());
        }
        self.time = self.time.max(event.time);
        out.push(PositionOut::Journal(Record::AccountChanged(event.clone())));
        for balance in event.balances.iter().filter(|b| b.asset == ASSET) {
            // Moving margin into or out of an isolated position leaves the wallet as it is.
            if event.reason != "MARGIN_TRANSFER" && !balance.change.is_zero() {
                self.streamed_payment(event, balance.change, out)?;
            }
            if event.time >= self.reported.time {
                self.reported.wallet = Some(balance.wallet);
            }
        }
        for position in event.positions.iter().filter(|_| event.time >= self.reported.time) {
            self.reported.positions.insert((position.symbol, position.side), position.clone());
        }
        self.reported.time = self.reported.time.max(event.time);
        Ok(())
    }

    /// The account as polled: what is held against our books from now on. Nothing is adopted or booked.
    pub fn polled(&mut self, snapshot: &AccountSnapshot) {
        if snapshot.time < self.reported.time {
            return;
        }
        for position in self.reported.positions.values_mut() {
            position.qty = Qty::ZERO;
        }
        for key in self.holdings.keys().filter(|key| !snapshot.positions.iter().any(|p| (p.symbol, p.side) == **key)) {
            let gone = VenuePosition {
                symbol: key.0,
                side: key.1,
                qty: Qty::ZERO,
                entry: Price::ZERO,
                margin_mode: MarginMode::default(),
                isolated_wallet: Usdt::ZERO,
            };
            self.reported.positions.insert(*key, gone);
        }
        for position in &snapshot.positions {
            self.reported.positions.insert((position.symbol, position.side), position.clone());
        }
        self.reported.wallet = Some(snapshot.wallet);
        self.reported.time = snapshot.time;
    }

    fn streamed_payment(&mut self, event: &AccountEvent, change: Usdt, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        let account = account_of(&event.reason);
        let symbol = self.only_symbol(event);
        let due = self.flows.streamed(account, change, event.time, symbol.is_some())?;
        let strategy = symbol.and_then(|s| self.owners.get(&s).copied()).unwrap_or_else(StrategyId::external);
        let source = format!("stream:{}:{}", event.reason, event.time.millis());
        self.book(account, due, Cause { symbol, strategy, source, time: event.time }, out)?;
        match symbol {
            Some(symbol) if account == LedgerAccount::Funding => self.attribute_funding(symbol, due),
            _ => Ok(()),
        }
    }

    /// The symbol that a payment of the stream belongs to, where only one can be meant.
    fn only_symbol(&self, event: &AccountEvent) -> Option<Symbol> {
        if let [position] = event.positions.as_slice() {
            return Some(position.symbol);
        }
        let mut symbols = self.holdings.keys().map(|key| key.0);
        let first = symbols.next()?;
        symbols.all(|s| s == first).then_some(first)
    }

    fn attribute_funding(&mut self, symbol: Symbol, amount: Usdt) -> Result<(), NumError> {
        if let Some(held) = self.holdings.values_mut().find(|h| h.symbol == symbol) {
            held.funding = held.funding.checked_add(amount)?;
        } else if let Some(owner) = self.owners.get(&symbol) {
            let record = self.records.entry((*owner, symbol)).or_default();
            record.realized = record.realized.checked_add(amount)?;
        }
        Ok(())
    }

    /// An income record: booked once by kind and number. Realised profit and commission came with their fill.
    pub fn income(&mut self, income: &Income, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        let with_fill = matches!(income.kind.as_str(), "REALIZED_PNL" | "COMMISSION");
        if with_fill || income.asset != ASSET || self.first_adopted.is_some_and(|at| income.time <= at) {
            return Ok(());
        }
        if !self.incomes.first(&income.kind, income.id) {
            return Ok(());
        }
        self.time = self.time.max(income.time);
        out.push(PositionOut::Journal(Record::IncomeBooked(income.clone())));
        let account = account_of(&income.kind);
        let strategy = income.symbol.and_then(|s| self.owners.get(&s).copied()).unwrap_or_else(StrategyId::external);
        let source = format!("tran:{}", income.id);
        let cause = Cause { symbol: income.symbol, strategy, source, time: income.time };
        let what = self.flows.recorded(account, income.amount, income.time)?;
        match what {
            Recorded::Known => return Ok(()),
            Recorded::Attribute => {
                let turned = Cause { symbol: None, strategy: StrategyId::external(), ..cause.clone() };
                self.book(account, income.amount.checked_neg()?, turned, out)?;
                self.book(account, income.amount, cause, out)?;
            }
            Recorded::Book => {
                self.book(account, income.amount, cause.clone(), out)?;
                if self.contained(income.time) {
                    self.book(LedgerAccount::Adjustment, income.amount.checked_neg()?, cause, out)?;
                    self.flows.forget_recorded(income.time);
                }
            }
        }
        match income.symbol {
            Some(symbol) if account == LedgerAccount::Funding => self.attribute_funding(symbol, income.amount),
            _ => Ok(()),
        }
    }

    /// What is wrong with the books themselves, if anything.
    pub fn broken(&self) -> Option<String> {
        let booked = self.ledger.balance(LedgerAccount::Wallet);
        if self.ledger.sum() != 0 {
            return Some(format!("the ledger's sum is {} units of 1e-8 instead of zero", self.ledger.sum()));
        }
        (booked != self.wallet).then(|| format!("wallet {} but the ledger's wallet account holds {booked}", self.wallet))
    }
}
