//! The exchange's own append-only ledger: the truth for tests, and raw material for an independent recomputation.
//!
//! Each record has a dense `seq` and market time `time`; in the file it is one JSON object a line with a tag `record`.
//! All numbers are decimal text, exact to eight places. Records and what follows from them:
//! - `account`: account number, start balance. Wallet starts at zero; the balance comes as the first `wallet` record.
//! - `request`: what was asked (`what`), the client id or number it named, and the code of the refusal (0 = accepted).
//! - `order`, `algo`: an order's state after each change.
//! - `fill`: everything that reckons it: side, position side, price, qty, maker, fee rate, leverage and margin mode in force,
//!   position and entry before. `realized` = (price − entry) · closed · direction and `fee` = price · qty · rate (rounding:
//!   each product half to even at eight decimals), position and entry after.
//! - `funding`: signed qty, mark, rate; `amount` = −qty · mark · rate: first the value, half to even, then the share, half
//!   to even.
//! - `liquidation`: mark, margin balance and maintenance margin that set it off (for cross: of the account), quantity, entry,
//!   isolated wallet, bankruptcy price, tier's rate and amount, fee rate.
//! - `wallet`: every wallet change with its kind, amount and the balance after. Wallet = Σ amounts.
//! - `mark`: a mark price used for a liquidation check of a symbol that has positions; written only when asked for.

use super::report::{AccountId, AlgoReport, IncomeKind, OrderReport};
use fulmar_domain::id::{OrderId, TradeId};
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{MarginMode, PositionSide, Side};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use serde::Serialize;

/// A fill with all its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the module's page says what each is")]
pub struct FillRecord {
    pub account: u32,
    pub symbol: Symbol,
    pub order: OrderId,
    pub trade: TradeId,
    pub side: Side,
    pub position_side: PositionSide,
    pub price: Price,
    pub qty: Qty,
    pub maker: bool,
    pub fee_rate: Ratio,
    pub fee: Usdt,
    pub realized: Usdt,
    pub leverage: u16,
    pub margin_mode: MarginMode,
    pub position_before: Qty,
    pub entry_before: Price,
    pub position_after: Qty,
    pub entry_after: Price,
    pub isolated_after: Usdt,
}

/// A liquidation with all its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the module's page says what each is")]
pub struct LiquidationRecord {
    pub account: u32,
    pub symbol: Symbol,
    pub position_side: PositionSide,
    pub margin_mode: MarginMode,
    pub mark: Price,
    pub qty: Qty,
    pub entry: Price,
    pub isolated_wallet: Usdt,
    pub margin_balance: Usdt,
    pub maintenance_margin: Usdt,
    pub rate: Ratio,
    pub cum: Usdt,
    pub bankruptcy: Price,
    pub fee_rate: Ratio,
    pub order: OrderId,
    /// Not by margin but by the fault interface.
    pub forced: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the module's page says what each is")]
pub enum LogBody {
    Account {
        account: u32,
        api_key: String,
        start_balance: Usdt,
    },
    Request {
        account: u32,
        what: &'static str,
        symbol: Option<Symbol>,
        id: String,
        code: i32,
    },
    Order {
        account: u32,
        symbol: Symbol,
        order: OrderId,
        client_id: String,
        side: Side,
        position_side: PositionSide,
        kind: &'static str,
        tif: &'static str,
        price: Price,
        qty: Qty,
        filled: Qty,
        status: &'static str,
        reduce_only: bool,
        algo: i64,
    },
    Algo {
        account: u32,
        symbol: Symbol,
        algo: i64,
        client_id: String,
        side: Side,
        position_side: PositionSide,
        kind: &'static str,
        trigger: Price,
        qty: Qty,
        close_position: bool,
        status: &'static str,
        child: i64,
    },
    Fill(FillRecord),
    Funding {
        account: u32,
        symbol: Symbol,
        position_side: PositionSide,
        margin_mode: MarginMode,
        qty: Qty,
        mark: Price,
        rate: Ratio,
        amount: Usdt,
        funding_time: Timestamp,
    },
    Liquidation(LiquidationRecord),
    Wallet {
        account: u32,
        kind: &'static str,
        symbol: Option<Symbol>,
        amount: Usdt,
        wallet: Usdt,
        tran: i64,
    },
    Mark {
        symbol: Symbol,
        price: Price,
    },
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// Dense, from zero.
    pub seq: u64,
    /// Market time.
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub body: LogBody,
}

/// The ledger in memory, and in a file where one was given.
#[derive(Default)]
pub struct ExchangeLog {
    records: Vec<LogRecord>,
    sink: Option<Box<dyn std::io::Write + Send>>,
    failed: Option<String>,
    marks: bool,
}
impl std::fmt::Debug for ExchangeLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExchangeLog").field("records", &self.records.len()).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl ExchangeLog {
    /// All records, oldest first.
    #[must_use]
    pub fn records(&self) -> &[LogRecord] {
        &self.records
    }
    /// Writes every record also to `sink`, those so far first. Give a buffered writer.
    pub fn write_to(&mut self, sink: Box<dyn std::io::Write + Send>) {
        self.sink = Some(sink);
        for at in 0..self.records.len() {
            self.write(at);
        }
    }
    /// Also records every mark that a liquidation check used (many records).
    pub const fn record_marks(&mut self, on: bool) {
        self.marks = on;
    }
    pub(super) const fn wants_marks(&self) -> bool {
        self.marks
    }
    /// Brings what is buffered into the file.
    ///
    /// # Errors
    /// The first failure of the file, now or before; the ledger in memory is whole all the same.
    pub fn flush(&mut self) -> Result<(), String> {
        if let Some(sink) = &mut self.sink
            && let Err(error) = sink.flush()
        {
            self.failed.get_or_insert(format!("exchange ledger: flush failed: {error}"));
        }
        self.failed.clone().map_or(Ok(()), Err)
    }
    pub(super) fn add(&mut self, time: Timestamp, body: LogBody) {
        self.records.push(LogRecord { seq: self.records.len() as u64, time, body });
        if self.sink.is_some() {
            self.write(self.records.len() - 1);
        }
    }
    fn write(&mut self, at: usize) {
        let (Some(sink), Some(record), None) = (&mut self.sink, self.records.get(at), &self.failed) else { return };
        let line = serde_json::to_vec(record).map_err(|e| e.to_string());
        let done = line.and_then(|mut line| {
            line.push(b'\n');
            sink.write_all(&line).map_err(|e| e.to_string())
        });
        if let Err(error) = done {
            self.failed = Some(format!("exchange ledger: record {at} could not be written: {error}"));
        }
    }
    pub(super) fn order(&mut self, time: Timestamp, account: AccountId, o: &OrderReport) {
        self.add(
            time,
            LogBody::Order {
                account: account.0,
                symbol: o.symbol,
                order: o.order,
                client_id: o.client_id.to_string(),
                side: o.side,
                position_side: o.position_side,
                kind: o.order_type.as_str(),
                tif: o.tif.as_str(),
                price: o.price,
                qty: o.qty,
                filled: o.filled,
                status: o.status.as_str(),
                reduce_only: o.reduce_only,
                algo: o.algo.map_or(0, |a| a.0),
            },
        );
    }
    pub(super) fn algo(&mut self, time: Timestamp, account: AccountId, o: &AlgoReport) {
        self.add(
            time,
            LogBody::Algo {
                account: account.0,
                symbol: o.symbol,
                algo: o.algo.0,
                client_id: o.client_id.to_string(),
                side: o.side,
                position_side: o.position_side,
                kind: o.order_type.as_str(),
                trigger: o.trigger,
                qty: o.qty,
                close_position: o.close_position,
                status: o.status.as_str(),
                child: o.child.map_or(0, |c| c.0),
            },
        );
    }
    pub(super) fn wallet(&mut self, time: Timestamp, account: AccountId, change: (IncomeKind, Option<Symbol>, Usdt, i64), wallet: Usdt) {
        let (kind, symbol, amount, tran) = change;
        self.add(time, LogBody::Wallet { account: account.0, kind: kind.as_str(), symbol, amount, wallet, tran });
    }
}
