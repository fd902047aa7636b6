//! The account as a node: facts in, complete frames and journal records out.
//!
//! Comparison with the exchange. `ACCOUNT_UPDATE` may arrive before or after the `ORDER_TRADE_UPDATE` of the same trade, so a
//! difference between our wallet or quantities and the last reported ones is natural while a batch is under way. It becomes a
//! [`PositionOut::Mismatch`] when it has stood without interruption for longer than the grace (protocol clock), looked at with
//! every input, marks included; it is told once until a snapshot is adopted. A snapshot compares at once: differences are
//! reported, booked and gone.

use super::books::Books;
use super::frame::{EquityMarks, Market};
use crate::account::{AccountEvent, AccountFrame, AccountSnapshot, Income, SymbolSettings};
use crate::control::{Notice, Severity};
use crate::instrument::{Brackets, Instrument};
use crate::market::Mark;
use crate::node::Node;
use crate::num::{NumError, Usdt};
use crate::order::OrderUpdate;
use crate::record::{LedgerAccount, Record};
use crate::time::{Now, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What position keeping takes.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum PositionIn {
    /// A fact about an order, with its fill.
    Update(OrderUpdate),
    /// Wallet or positions changed at the exchange.
    Account(AccountEvent),
    /// An income record.
    Income(Income),
    /// Mark price.
    Mark(Mark),
    /// The account read whole: its truth is adopted, differences are reported. Its time must not be later than its contents.
    Snapshot(AccountSnapshot),
    /// The account as polled now and then: compared, never adopted; a difference that lasts is a mismatch.
    Polled(AccountSnapshot),
    /// Leverage or margin mode of a contract.
    Settings(SymbolSettings),
    /// Filters of a contract.
    Instrument(Arc<Instrument>),
    /// Leverage brackets of a contract.
    Brackets(Arc<Brackets>),
}

/// What position keeping gives.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum PositionOut {
    /// The complete account; replaces the one before.
    Frame(Arc<AccountFrame>),
    /// For the journal: `LedgerBooked`, `TradeClosed`, `EquityMarked`, `IncomeBooked`, `DifferenceFound`, `AccountChanged`,
    /// `SnapshotAdopted`.
    Journal(Record),
    /// For people.
    Notice(Notice),
    /// Our books and the exchange's differ: halt and reconcile.
    Mismatch {
        /// What differs, with both figures.
        text: String,
    },
}

/// Settings of position keeping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PositionSettings {
    /// How long books and exchange may differ while the reports of one batch are under way (protocol clock).
    pub grace: Span,
    /// Difference of the wallets that is none.
    pub wallet_tolerance: Usdt,
}

impl Default for PositionSettings {
    fn default() -> Self {
        Self { grace: Span::secs(5), wallet_tolerance: Usdt::from_raw(1) }
    }
}

/// A new peak is journalled when it lies this share above the last one journalled (1 / 1,000).
const PEAK_STEP: i64 = 1_000;

/// The keeper of positions and ledger.
#[derive(Clone, Debug, Default)]
pub struct PositionNode {
    settings: PositionSettings,
    books: Books,
    market: Market,
    equity: EquityMarks,
    peak_journalled: Usdt,
    frames: u64,
    differs_since: Option<Timestamp>,
    told: bool,
}

impl PositionNode {
    /// Empty books: nothing is known until a snapshot was adopted.
    #[must_use]
    pub fn new(settings: PositionSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// The books as the journal tells them. Marks, brackets and settings changed since the last snapshot come anew.
    ///
    /// # Errors
    /// [`NumError`] when a recorded figure cannot be booked.
    pub fn rebuild<'a>(settings: PositionSettings, records: impl Iterator<Item = &'a Record>) -> Result<Self, NumError> {
        let mut node = Self::new(settings);
        for record in records {
            node.replay(record)?;
        }
        Ok(node)
    }

    /// Takes one record of the journal, without putting anything out. Records that do not concern the books are passed over.
    ///
    /// # Errors
    /// [`NumError`] when a recorded figure cannot be booked.
    pub fn replay(&mut self, record: &Record) -> Result<(), NumError> {
        let mut dropped = Vec::new();
        match record {
            Record::OrderUpdated(update) => self.books.update(update, &mut dropped).map(|_| ()),
            Record::AccountChanged(event) => self.books.account(event, &mut dropped),
            Record::IncomeBooked(income) => self.books.income(income, &mut dropped),
            Record::SnapshotAdopted(snapshot) => self.books.adopt(snapshot, &mut dropped).map(|_| ()),
            Record::EquityMarked { day_start, peak, time, .. } => {
                self.equity = EquityMarks { day: Some(time.day()), day_start: *day_start, peak: *peak };
                self.peak_journalled = *peak;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Frames go on from this number: for a rebuilt node whose predecessor published up to it.
    pub const fn resume_frames(&mut self, seq: u64) {
        self.frames = seq;
    }

    /// The account as it stands, unnumbered: for a rebuilt node, before its first fact.
    ///
    /// # Errors
    /// [`NumError`] when a figure does not fit.
    pub fn frame(&self) -> Result<AccountFrame, NumError> {
        self.books.frame(self.frames, &self.market, self.equity)
    }

    /// The balance of one account of the ledger.
    #[must_use]
    pub fn balance(&self, account: LedgerAccount) -> Usdt {
        self.books.ledger.balance(account)
    }

    /// Equal in everything that follows from the journal.
    #[must_use]
    pub fn same_books(&self, other: &Self) -> bool {
        self.books == other.books
    }

    fn take(&mut self, input: &PositionIn, now: Now, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        self.roll_day(now, out)?;
        let wallet_before = self.wallet_of_others();
        let mut publish = true;
        let mut mark_equity = false;
        match input {
            PositionIn::Update(update) => mark_equity = self.books.update(update, out)?,
            PositionIn::Account(event) => self.books.account(event, out)?,
            PositionIn::Income(income) => self.books.income(income, out)?,
            PositionIn::Snapshot(snapshot) => {
                self.books.adopt(snapshot, out)?;
                self.differs_since = None;
                self.told = false;
                mark_equity = true;
            }
            PositionIn::Polled(snapshot) => {
                self.books.polled(snapshot);
                publish = false;
            }
            PositionIn::Mark(mark) => {
                self.market.marks.insert(mark.symbol, mark.price);
                publish = self.books.holdings.keys().any(|key| key.0 == mark.symbol);
            }
            PositionIn::Settings(settings) => {
                self.books.settings.insert(settings.symbol, *settings);
            }
            PositionIn::Brackets(brackets) => {
                self.market.brackets.insert(brackets.symbol, Arc::clone(brackets));
            }
            PositionIn::Instrument(_) => publish = false,
        }
        self.shift_marks(wallet_before)?;
        self.compare(now, out);
        if publish {
            self.mark_equity(now, mark_equity, out)?;
            self.frames += 1;
            out.push(PositionOut::Frame(Arc::new(self.frame()?)));
        }
        Ok(())
    }

    /// Money that came or went without trading (a credit on the transfer account counts negative).
    fn wallet_of_others(&self) -> Usdt {
        self.books.ledger.balance(LedgerAccount::Transfer)
    }

    /// A deposit is no profit and a withdrawal no loss: day start and peak move with them.
    fn shift_marks(&mut self, before: Usdt) -> Result<(), NumError> {
        let moved = before.checked_sub(self.wallet_of_others())?;
        if !moved.is_zero() && self.equity.day.is_some() {
            self.equity.day_start = self.equity.day_start.checked_add(moved)?;
            self.equity.peak = self.equity.peak.checked_add(moved)?;
        }
        Ok(())
    }

    /// At the first input of a UTC day (market clock) the equity before it becomes the day's start.
    fn roll_day(&mut self, now: Now, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        if self.books.known && self.equity.day.is_some_and(|day| day < now.market.day()) {
            self.equity.day = Some(now.market.day());
            self.equity.day_start = self.books.equity(&self.market)?;
            self.journal_equity(now, out)?;
        }
        Ok(())
    }

    fn mark_equity(&mut self, now: Now, wanted: bool, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        if !self.books.known {
            return Ok(());
        }
        let equity = self.books.equity(&self.market)?;
        if self.equity.day.is_none() {
            self.equity = EquityMarks { day: Some(now.market.day()), day_start: equity, peak: equity };
        }
        self.equity.peak = self.equity.peak.max(equity);
        let risen = self.equity.peak.checked_sub(self.peak_journalled)?;
        if wanted || risen.raw() > self.peak_journalled.raw() / PEAK_STEP {
            self.journal_equity(now, out)?;
        }
        Ok(())
    }

    fn journal_equity(&mut self, now: Now, out: &mut Vec<PositionOut>) -> Result<(), NumError> {
        self.peak_journalled = self.equity.peak;
        out.push(PositionOut::Journal(Record::EquityMarked {
            wallet: self.books.wallet,
            equity: self.books.equity(&self.market)?,
            day_start: self.equity.day_start,
            peak: self.equity.peak,
            time: now.market,
        }));
        Ok(())
    }

    /// What differs between the books and the exchange's last word, in one sentence.
    fn difference(&self) -> Option<String> {
        let reported = &self.books.reported;
        if let Some(theirs) = reported.wallet
            && theirs.checked_sub(self.books.wallet).map_or(Usdt::MAX, Usdt::abs) > self.settings.wallet_tolerance
        {
            return Some(format!("wallet: ours is {}, the exchange's {theirs}", self.books.wallet));
        }
        reported.positions.iter().find_map(|(key, theirs)| {
            let ours = self.books.holdings.get(key).map(|h| h.qty).unwrap_or_default();
            (ours != theirs.qty).then(|| format!("{} {}: ours is {ours}, the exchange's {}", key.0, key.1.as_str(), theirs.qty))
        })
    }

    fn compare(&mut self, now: Now, out: &mut Vec<PositionOut>) {
        if let Some(text) = self.books.broken() {
            out.push(PositionOut::Mismatch { text });
        }
        if !self.books.known {
            return;
        }
        let Some(text) = self.difference() else {
            self.differs_since = None;
            self.told = false;
            return;
        };
        let since = *self.differs_since.get_or_insert(now.protocol);
        if !self.told && now.protocol.since(since) > self.settings.grace {
            self.told = true;
            out.push(PositionOut::Mismatch { text: format!("{text}; since {since}") });
        }
    }
}

impl Node for PositionNode {
    type In = PositionIn;
    type Out = PositionOut;

    fn on(&mut self, input: &PositionIn, now: Now, out: &mut Vec<PositionOut>) {
        if let Err(error) = self.take(input, now, out) {
            let text = format!("a fact could not be booked: {error}; the account must be read anew");
            out.push(PositionOut::Notice(Notice::new(Severity::Critical, "BOOKING_FAILED", text.clone())));
            out.push(PositionOut::Mismatch { text });
        }
    }
}
