//! Journal records become rows. One transaction per batch holds the rows and the number of the last record.
//!
//! Applying a record twice changes nothing: records at or below `projected_seq` are skipped, orders never go back in state,
//! fills count once by trade number. A record that cannot be understood (written by a newer version) is named in the table
//! `unreadable` and left out: the projection never stands still for it.

use fulmar_domain::{
    account::VenuePosition,
    num::{Rounding, notional},
    order::{Fill, OrderStatus, OrderUpdate, VenueOrder},
    record::Record as Body,
    time::Timestamp,
};
use fulmar_ports::{
    journal::{JournalTail, Record},
    store::{StoreError, StoreStatus},
};
use sqlx::{Connection, SqliteConnection, query, query_scalar};

use super::{
    SqliteStore, is_damaged, unavailable,
    value::{int, word},
};

/// Every table that records fill; `progress` apart.
const TABLES: [&str; 14] = [
    "DELETE FROM orders",
    "DELETE FROM fills",
    "DELETE FROM trades",
    "DELETE FROM positions",
    "DELETE FROM ledger",
    "DELETE FROM income",
    "DELETE FROM equity",
    "DELETE FROM bars",
    "DELETE FROM events",
    "DELETE FROM refusals",
    "DELETE FROM notifications",
    "DELETE FROM dead_letters",
    "DELETE FROM unreadable",
    "UPDATE progress SET projected_seq = 0, prev = x''",
];

/// Why a batch was not stored.
pub(super) enum Failure {
    /// The database file is damaged: it must be built anew.
    Damaged(String),
    /// Anything else.
    Store(StoreError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if is_damaged(&error) { Self::Damaged(error.to_string()) } else { Self::Store(unavailable(error)) }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Damaged(reason) => Self::Unavailable { reason },
            Failure::Store(error) => error,
        }
    }
}

impl SqliteStore {
    /// Brings a batch of consecutive records into the tables, all or nothing.
    ///
    /// # Errors
    /// [`StoreError::Gap`] when the batch does not continue what is stored; [`StoreError::Unavailable`].
    pub async fn apply(&self, records: &[Record]) -> Result<(), StoreError> {
        Ok(self.apply_batch(records).await?)
    }

    pub(super) async fn apply_batch(&self, records: &[Record]) -> Result<(), Failure> {
        let open = self.opened().map_err(Failure::Store)?;
        let mut connection = open.writer.acquire().await?;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut projected: i64 = query_scalar("SELECT projected_seq FROM progress").fetch_one(&mut *tx).await?;
        let mut last = None;
        for record in records {
            let seq = int(record.seq);
            if seq <= projected {
                continue;
            }
            if seq != projected + 1 {
                let projected = u64::try_from(projected).unwrap_or_default();
                return Err(Failure::Store(StoreError::Gap { projected, first: record.seq }));
            }
            match serde_json::from_slice::<Body>(&record.entry.body) {
                Ok(body) => store_record(&mut tx, record, &body).await?,
                Err(error) => {
                    query("INSERT INTO unreadable (seq, kind, reason) VALUES (?, ?, ?)")
                        .bind(seq)
                        .bind(record.entry.kind.as_ref())
                        .bind(error.to_string())
                        .execute(&mut *tx)
                        .await?;
                }
            }
            projected = seq;
            last = Some(record);
        }
        if let Some(last) = last {
            query("UPDATE progress SET projected_seq = ?, prev = ?").bind(projected).bind(last.prev.as_slice()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Empties every table.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn clear(&self) -> Result<(), StoreError> {
        let open = self.opened()?;
        let mut connection = open.writer.acquire().await.map_err(unavailable)?;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        for sql in TABLES {
            query(sql).execute(&mut *tx).await.map_err(unavailable)?;
        }
        tx.commit().await.map_err(unavailable)
    }

    /// Empties the store and fills it with everything that `tail` (a reader from record 1) gives until it has caught up.
    ///
    /// # Errors
    /// [`StoreError::Journal`] when the journal cannot be read, else as [`SqliteStore::apply`].
    pub async fn rebuild(&self, mut tail: Box<dyn JournalTail>) -> Result<StoreStatus, StoreError> {
        self.clear().await?;
        loop {
            let batch = tail.read(self.settings.batch)?;
            if batch.is_empty() {
                return fulmar_ports::store::Store::status(self).await;
            }
            self.apply(&batch).await?;
        }
    }
}

async fn store_record(db: &mut SqliteConnection, record: &Record, body: &Body) -> Result<(), sqlx::Error> {
    let seq = int(record.seq);
    match body {
        Body::OrderPlanned(order) => plan(db, record, order).await?,
        Body::OrderUpdated(update) => update_order(db, seq, update).await?,
        Body::OrderVoided { decision, .. } => {
            event(db, record).await?;
            void(db, int(decision.0), record.entry.ts_ms).await?;
        }
        Body::AccountChanged(change) => {
            for position in &change.positions {
                put_position(db, seq, position, change.time).await?;
            }
        }
        Body::SnapshotAdopted(snapshot) => {
            query("DELETE FROM positions").execute(&mut *db).await?;
            for position in &snapshot.positions {
                put_position(db, seq, position, snapshot.time).await?;
            }
        }
        Body::IncomeBooked(income) => {
            query("INSERT OR IGNORE INTO income (kind, tran_id, seq, symbol, amount, asset, time_ms) VALUES (?, ?, ?, ?, ?, ?, ?)")
                .bind(&income.kind)
                .bind(income.id.0)
                .bind(seq)
                .bind(income.symbol.as_ref().map(|s| s.as_str()))
                .bind(income.amount.raw())
                .bind(&income.asset)
                .bind(income.time.0)
                .execute(db)
                .await?;
        }
        Body::LedgerBooked(entry) => {
            query(
                "INSERT INTO ledger (seq, number, against, amount, symbol, strategy, source, time_ms) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(seq)
            .bind(int(entry.seq))
            .bind(word(&entry.against))
            .bind(entry.amount.raw())
            .bind(entry.symbol.as_ref().map(|s| s.as_str()))
            .bind(entry.strategy.as_str())
            .bind(&entry.source)
            .bind(entry.time.0)
            .execute(db)
            .await?;
        }
        Body::EquityMarked { wallet, equity, day_start, peak, time } => {
            query("INSERT INTO equity (seq, time_ms, wallet, equity, day_start, peak) VALUES (?, ?, ?, ?, ?, ?)")
                .bind(seq)
                .bind(time.0)
                .bind(wallet.raw())
                .bind(equity.raw())
                .bind(day_start.raw())
                .bind(peak.raw())
                .execute(db)
                .await?;
        }
        Body::TradeClosed(trip) => {
            query(
                "INSERT INTO trades (seq, strategy, symbol, long, qty, entry, exit, realized, fees, funding, reason, \
                 opened_ms, closed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(seq)
            .bind(trip.strategy.as_str())
            .bind(trip.symbol.as_str())
            .bind(trip.long)
            .bind(trip.qty.raw())
            .bind(trip.entry.raw())
            .bind(trip.exit.raw())
            .bind(trip.realized.raw())
            .bind(trip.fees.raw())
            .bind(trip.funding.raw())
            .bind(word(&trip.reason))
            .bind(trip.opened.0)
            .bind(trip.closed.0)
            .execute(db)
            .await?;
        }
        Body::BarSeen(bar) => {
            query(
                "INSERT OR REPLACE INTO bars (symbol, timeframe, open_ms, open, high, low, close, volume, quote_volume, trades) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(bar.symbol.as_str())
            .bind(bar.timeframe.as_str())
            .bind(bar.open_time.0)
            .bind(bar.open.raw())
            .bind(bar.high.raw())
            .bind(bar.low.raw())
            .bind(bar.close.raw())
            .bind(bar.volume.raw())
            .bind(bar.quote_volume.raw())
            .bind(int(bar.trades))
            .execute(db)
            .await?;
        }
        Body::IntentRefused(refusal) => {
            query("INSERT INTO refusals (seq, strategy, symbol, code, time_ms, body) VALUES (?, ?, ?, ?, ?, ?)")
                .bind(seq)
                .bind(refusal.intent.strategy.as_str())
                .bind(refusal.intent.symbol.as_str())
                .bind(refusal.failures.first().map_or("", |f| f.code.as_str()))
                .bind(record.entry.ts_ms)
                .bind(text_of(record))
                .execute(db)
                .await?;
        }
        Body::ActorFailed { actor, message, message_id, text, place, restarts } => {
            event(db, record).await?;
            query(
                "INSERT INTO dead_letters (seq, actor, message, message_id, text, place, restarts, time_ms) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(seq)
            .bind(actor)
            .bind(message)
            .bind(int(*message_id))
            .bind(text)
            .bind(place)
            .bind(int(*restarts))
            .bind(record.entry.wall_ms)
            .execute(db)
            .await?;
        }
        Body::Noticed(notice) => {
            query("INSERT INTO notifications (seq, severity, code, text, symbol, time_ms) VALUES (?, ?, ?, ?, ?, ?)")
                .bind(seq)
                .bind(word(&notice.severity))
                .bind(&notice.code)
                .bind(&notice.text)
                .bind(notice.symbol.as_ref().map(|s| s.as_str()))
                .bind(record.entry.wall_ms)
                .execute(db)
                .await?;
        }
        Body::SessionStarted { .. }
        | Body::SessionEnded { .. }
        | Body::RoleChanged(_)
        | Body::GateChanged { .. }
        | Body::BreakerChanged(_)
        | Body::Command(_)
        | Body::CancelRaised(_)
        | Body::CancelPlanned { .. }
        | Body::DifferenceFound { .. } => event(db, record).await?,
        // Its verdict follows: an order, or a refusal that holds it whole.
        Body::IntentRaised(_) => {}
    }
    Ok(())
}

fn text_of(record: &Record) -> String {
    String::from_utf8_lossy(&record.entry.body).into_owned()
}

async fn event(db: &mut SqliteConnection, record: &Record) -> Result<(), sqlx::Error> {
    query("INSERT INTO events (seq, kind, time_ms, wall_ms, body) VALUES (?, ?, ?, ?, ?)")
        .bind(int(record.seq))
        .bind(record.entry.kind.as_ref())
        .bind(record.entry.ts_ms)
        .bind(record.entry.wall_ms)
        .bind(text_of(record))
        .execute(db)
        .await?;
    Ok(())
}

async fn plan(db: &mut SqliteConnection, record: &Record, order: &VenueOrder) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO orders (key, seq, client_id, strategy, decision, symbol, side, position_side, role, kind, qty, filled, \
         fill_qty, fill_value, status, status_rank, open, created_ms, updated_ms) \
         VALUES (?1, ?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, 0, 'PENDING', 0, 1, ?11, ?11) ON CONFLICT (key) DO NOTHING",
    )
    .bind(order.client_id.as_str())
    .bind(int(record.seq))
    .bind(order.strategy.as_str())
    .bind(int(order.decision.0))
    .bind(order.symbol.as_str())
    .bind(order.side.as_str())
    .bind(order.position_side.as_str())
    .bind(json(&order.role)?)
    .bind(json(&order.kind)?)
    .bind(order.qty.raw())
    .bind(record.entry.ts_ms)
    .execute(db)
    .await?;
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(e.into()))
}

/// The row of an order: its client id, or the exchange's number for orders that are not ours.
fn key(update: &OrderUpdate) -> String {
    match (&update.client_id, update.order, update.algo) {
        (Some(id), _, _) => id.as_str().to_owned(),
        (None, Some(order), _) => format!("order:{}:{}", update.symbol, order.0),
        (None, None, Some(algo)) => format!("algo:{}:{}", update.symbol, algo.0),
        (None, None, None) => format!("nameless:{}:{}", update.symbol, update.seq),
    }
}

async fn update_order(db: &mut SqliteConnection, seq: i64, update: &OrderUpdate) -> Result<(), sqlx::Error> {
    let key = key(update);
    let status = update.status;
    query(
        "INSERT INTO orders (key, seq, client_id, strategy, decision, symbol, side, position_side, role, kind, qty, filled, \
         fill_qty, fill_value, status, status_rank, open, order_id, algo_id, reject, created_ms, updated_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?19) \
         ON CONFLICT (key) DO UPDATE SET \
         filled = max(filled, excluded.filled), \
         qty = CASE WHEN qty = 0 THEN excluded.qty ELSE qty END, \
         status = CASE WHEN excluded.status_rank >= status_rank THEN excluded.status ELSE status END, \
         open = CASE WHEN excluded.status_rank >= status_rank THEN excluded.open ELSE open END, \
         status_rank = max(status_rank, excluded.status_rank), \
         role = coalesce(role, excluded.role), kind = coalesce(kind, excluded.kind), \
         order_id = coalesce(excluded.order_id, order_id), algo_id = coalesce(excluded.algo_id, algo_id), \
         reject = coalesce(excluded.reject, reject), updated_ms = max(updated_ms, excluded.updated_ms)",
    )
    .bind(&key)
    .bind(seq)
    .bind(update.client_id.as_ref().map(|id| id.as_str()))
    .bind(update.strategy.as_str())
    .bind(int(update.decision.0))
    .bind(update.symbol.as_str())
    .bind(update.side.as_str())
    .bind(update.position_side.as_str())
    .bind(update.role.as_ref().map(json).transpose()?)
    .bind(update.kind.as_ref().map(json).transpose()?)
    .bind(update.qty.raw())
    .bind(update.filled.raw())
    .bind(word(&status))
    .bind(i64::from(status.rank()))
    .bind(!status.is_final())
    .bind(update.order.map(|o| o.0))
    .bind(update.algo.map(|a| a.0))
    .bind(update.reject.as_ref().map(json).transpose()?)
    .bind(update.time.0)
    .execute(&mut *db)
    .await?;
    match &update.fill {
        Some(fill) => book_fill(db, seq, &key, update, fill).await,
        None => Ok(()),
    }
}

async fn book_fill(db: &mut SqliteConnection, seq: i64, key: &str, update: &OrderUpdate, fill: &Fill) -> Result<(), sqlx::Error> {
    let booked = query(
        "INSERT OR IGNORE INTO fills (symbol, trade_id, seq, order_id, client_id, strategy, side, position_side, price, qty, \
         realized, fee, fee_in_usdt, maker, time_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(fill.symbol.as_str())
    .bind(fill.trade.0)
    .bind(seq)
    .bind(fill.order.0)
    .bind(update.client_id.as_ref().map(|id| id.as_str()))
    .bind(update.strategy.as_str())
    .bind(fill.side.as_str())
    .bind(fill.position_side.as_str())
    .bind(fill.price.raw())
    .bind(fill.qty.raw())
    .bind(fill.realized.raw())
    .bind(fill.fee.raw())
    .bind(fill.fee_in_usdt)
    .bind(fill.maker)
    .bind(fill.time.0)
    .execute(&mut *db)
    .await?;
    if booked.rows_affected() == 0 {
        return Ok(());
    }
    let value = notional(fill.price, fill.qty, Rounding::HalfEven).map_err(|e| sqlx::Error::Encode(e.into()))?;
    query("UPDATE orders SET fill_qty = fill_qty + ?, fill_value = fill_value + ? WHERE key = ?")
        .bind(fill.qty.raw())
        .bind(value.raw())
        .bind(key)
        .execute(db)
        .await?;
    Ok(())
}

/// The order of a voided decision never left: the newest one that is still pending.
async fn void(db: &mut SqliteConnection, decision: i64, time_ms: i64) -> Result<(), sqlx::Error> {
    query(
        "UPDATE orders SET status = 'DEAD', status_rank = ?1, open = 0, updated_ms = ?2 WHERE status_rank = 0 AND ?3 <> 0 \
         AND seq = (SELECT max(seq) FROM orders WHERE decision = ?3 AND open = 1 AND status_rank = 0)",
    )
    .bind(i64::from(OrderStatus::Dead.rank()))
    .bind(time_ms)
    .bind(decision)
    .execute(db)
    .await?;
    Ok(())
}

async fn put_position(db: &mut SqliteConnection, seq: i64, position: &VenuePosition, time: Timestamp) -> Result<(), sqlx::Error> {
    let sql = if position.qty.is_zero() {
        "DELETE FROM positions WHERE symbol = ?1 AND side = ?2"
    } else {
        "INSERT OR REPLACE INTO positions (symbol, side, qty, entry, margin_mode, isolated_wallet, seq, updated_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    };
    let base = query(sql).bind(position.symbol.as_str()).bind(position.side.as_str());
    let full = if position.qty.is_zero() {
        base
    } else {
        base.bind(position.qty.raw())
            .bind(position.entry.raw())
            .bind(word(&position.margin_mode))
            .bind(position.isolated_wallet.raw())
            .bind(seq)
            .bind(time.0)
    };
    full.execute(db).await?;
    Ok(())
}
