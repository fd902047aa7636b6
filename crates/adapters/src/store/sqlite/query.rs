//! Questions and answers. Values travel as bound parameters only; every query is bounded in rows and time.

use std::time::Duration;

use fulmar_domain::{
    id::{OrderId, TradeId},
    market::{Bar, Timeframe},
    num::{Rounding, average_price},
    order::Fill,
    record::{LedgerEntry, RoundTrip},
    symbol::Symbol,
    time::Timestamp,
};
use fulmar_ports::store::{
    Answer, DeadLetterRow, EquityRow, EventRow, FillRow, LIMIT_MAX, LedgerRow, NoticeRow, OrderFilter, OrderRow, Page, PositionRow,
    RefusalRow, Store, StoreError, StoreStatus, TradeRow,
};
use sqlx::{QueryBuilder, Sqlite, SqlitePool, sqlite::SqliteRow};

use super::{
    SqliteStore, unavailable,
    value::{Reader, int, word},
};

type Sql = QueryBuilder<Sqlite>;

impl SqliteStore {
    async fn limited<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let limit_ms = self.settings.query_limit_ms;
        match tokio::time::timeout(Duration::from_millis(limit_ms), work).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Timeout { limit_ms }),
        }
    }

    /// Runs a query and turns each row into a value.
    async fn rows<T>(
        &self,
        table: &'static str,
        mut sql: Sql,
        row: impl Fn(&Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.limited(async {
            let found: Vec<SqliteRow> = sql.build().fetch_all(&self.readers()?).await.map_err(unavailable)?;
            found.iter().map(|found| row(&Reader { table, row: found })).collect()
        })
        .await
    }

    fn readers(&self) -> Result<SqlitePool, StoreError> {
        Ok(self.opened()?.readers)
    }
}

/// `SELECT * FROM table WHERE 1`, narrowed by the page's symbol and strategy where the table has them.
fn select(sql: &'static str, page: &Page, has_symbol: bool, has_strategy: bool) -> Sql {
    let mut sql = Sql::new(sql);
    if let Some(symbol) = page.symbol.filter(|_| has_symbol) {
        sql.push(" AND symbol = ").push_bind(symbol.as_str().to_owned());
    }
    if let Some(strategy) = page.strategy.filter(|_| has_strategy) {
        sql.push(" AND strategy = ").push_bind(strategy.as_str().to_owned());
    }
    if let Some(before) = page.before {
        sql.push(" AND seq < ").push_bind(int(before));
    }
    sql
}

fn newest_first(mut sql: Sql, page: &Page) -> Sql {
    sql.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(page.limit.min(LIMIT_MAX)));
    sql
}

impl Store for SqliteStore {
    fn status(&self) -> Answer<'_, StoreStatus> {
        let sql = Sql::new("SELECT projected_seq, (SELECT count(*) FROM unreadable) AS unreadable FROM progress");
        Box::pin(async move {
            let found = self
                .rows("progress", sql, |r| {
                    Ok(StoreStatus { projected_seq: r.number("projected_seq")?, unreadable: r.number("unreadable")? })
                })
                .await?;
            Ok(found.into_iter().next().unwrap_or_default())
        })
    }

    fn orders(&self, page: Page, filter: OrderFilter) -> Answer<'_, Vec<OrderRow>> {
        let mut sql = select("SELECT * FROM orders WHERE 1", &page, true, true);
        match filter {
            OrderFilter::Any => {}
            OrderFilter::Open => {
                sql.push(" AND open = 1");
            }
            OrderFilter::Status(status) => {
                sql.push(" AND status = ").push_bind(word(&status));
            }
        }
        Box::pin(self.rows("orders", newest_first(sql, &page), order))
    }

    fn fills(&self, page: Page) -> Answer<'_, Vec<FillRow>> {
        let sql = select("SELECT * FROM fills WHERE 1", &page, true, true);
        Box::pin(self.rows("fills", newest_first(sql, &page), fill))
    }

    fn trades(&self, page: Page) -> Answer<'_, Vec<TradeRow>> {
        let sql = select("SELECT * FROM trades WHERE 1", &page, true, true);
        Box::pin(self.rows("trades", newest_first(sql, &page), trade))
    }

    fn ledger(&self, page: Page) -> Answer<'_, Vec<LedgerRow>> {
        let sql = select("SELECT * FROM ledger WHERE 1", &page, true, true);
        Box::pin(self.rows("ledger", newest_first(sql, &page), |r| {
            let entry = LedgerEntry {
                seq: r.number("number")?,
                against: r.word("against")?,
                amount: r.usdt("amount")?,
                symbol: r.word_opt("symbol")?,
                strategy: r.word("strategy")?,
                source: r.text("source")?,
                time: r.time("time_ms")?,
            };
            Ok(LedgerRow { journal_seq: r.number("seq")?, entry })
        }))
    }

    fn positions(&self) -> Answer<'_, Vec<PositionRow>> {
        let sql = Sql::new("SELECT * FROM positions ORDER BY symbol, side");
        Box::pin(self.rows("positions", sql, |r| {
            Ok(PositionRow {
                symbol: r.word("symbol")?,
                side: r.word("side")?,
                qty: r.qty("qty")?,
                entry: r.price("entry")?,
                updated: r.time("updated_ms")?,
            })
        }))
    }

    fn equity(&self, from: Option<Timestamp>, to: Option<Timestamp>, points: u32) -> Answer<'_, Vec<EquityRow>> {
        // Rows are numbered from the newest backwards, so the newest survives any thinning.
        let (from, to) = (from.map_or(i64::MIN, |t| t.0), to.map_or(i64::MAX, |t| t.0));
        let points = i64::from(points.clamp(1, LIMIT_MAX));
        let mut sql = Sql::new(
            "SELECT seq, time_ms, wallet, equity, day_start, peak FROM (SELECT *, row_number() OVER (ORDER BY seq DESC) - 1 AS back, \
             count(*) OVER () AS total FROM equity WHERE time_ms BETWEEN ",
        );
        sql.push_bind(from).push(" AND ").push_bind(to).push(") WHERE back % max(1, (total + ");
        sql.push_bind(points - 1).push(") / ").push_bind(points).push(") = 0 ORDER BY seq");
        Box::pin(self.rows("equity", sql, |r| {
            Ok(EquityRow {
                seq: r.number("seq")?,
                time: r.time("time_ms")?,
                wallet: r.usdt("wallet")?,
                equity: r.usdt("equity")?,
                day_start: r.usdt("day_start")?,
                peak: r.usdt("peak")?,
            })
        }))
    }

    fn events(&self, page: Page, kind: Option<String>) -> Answer<'_, Vec<EventRow>> {
        let mut sql = select("SELECT * FROM events WHERE 1", &page, false, false);
        if let Some(kind) = kind {
            sql.push(" AND kind = ").push_bind(kind);
        }
        Box::pin(self.rows("events", newest_first(sql, &page), |r| {
            Ok(EventRow {
                seq: r.number("seq")?,
                kind: r.text("kind")?,
                time: r.time("time_ms")?,
                wall: r.time("wall_ms")?,
                body: r.text("body")?,
            })
        }))
    }

    fn refusals(&self, page: Page, code: Option<String>) -> Answer<'_, Vec<RefusalRow>> {
        let mut sql = select("SELECT * FROM refusals WHERE 1", &page, true, true);
        if let Some(code) = code {
            sql.push(" AND code = ").push_bind(code);
        }
        Box::pin(self.rows("refusals", newest_first(sql, &page), |r| {
            Ok(RefusalRow { seq: r.number("seq")?, time: r.time("time_ms")?, refusal: r.json("body")? })
        }))
    }

    fn notifications(&self, page: Page) -> Answer<'_, Vec<NoticeRow>> {
        let sql = select("SELECT * FROM notifications WHERE 1", &page, true, false);
        Box::pin(self.rows("notifications", newest_first(sql, &page), |r| {
            let notice = fulmar_domain::control::Notice {
                severity: r.word("severity")?,
                code: r.text("code")?,
                text: r.text("text")?,
                symbol: r.word_opt("symbol")?,
            };
            Ok(NoticeRow { seq: r.number("seq")?, time: r.time("time_ms")?, notice })
        }))
    }

    fn dead_letters(&self, page: Page) -> Answer<'_, Vec<DeadLetterRow>> {
        let sql = select("SELECT * FROM dead_letters WHERE 1", &page, false, false);
        Box::pin(self.rows("dead_letters", newest_first(sql, &page), |r| {
            Ok(DeadLetterRow {
                seq: r.number("seq")?,
                time: r.time("time_ms")?,
                actor: r.text("actor")?,
                message: r.text("message")?,
                message_id: r.number("message_id")?,
                text: r.text("text")?,
                place: r.text("place")?,
                restarts: r.number("restarts")?,
            })
        }))
    }

    fn bars(&self, symbol: Symbol, timeframe: Timeframe, before: Option<Timestamp>, limit: u32) -> Answer<'_, Vec<Bar>> {
        let mut sql = Sql::new("SELECT * FROM bars WHERE symbol = ");
        sql.push_bind(symbol.as_str().to_owned()).push(" AND timeframe = ").push_bind(timeframe.as_str());
        if let Some(before) = before {
            sql.push(" AND open_ms < ").push_bind(before.0);
        }
        sql.push(" ORDER BY open_ms DESC LIMIT ").push_bind(i64::from(limit.min(LIMIT_MAX)));
        Box::pin(async move {
            let mut bars = self.rows("bars", sql, bar).await?;
            bars.reverse();
            Ok(bars)
        })
    }
}

fn order(r: &Reader<'_>) -> Result<OrderRow, StoreError> {
    let fill_qty = r.qty("fill_qty")?;
    let average = if fill_qty.is_positive() {
        let average = average_price(r.usdt("fill_value")?, fill_qty, Rounding::HalfEven);
        Some(average.map_err(|e| StoreError::Unreadable { place: "orders.fill_value".into(), reason: e.to_string() })?)
    } else {
        None
    };
    Ok(OrderRow {
        seq: r.number("seq")?,
        client_id: r.word_opt("client_id")?,
        strategy: r.word("strategy")?,
        decision: r.number("decision")?,
        symbol: r.word("symbol")?,
        side: r.word("side")?,
        position_side: r.word("position_side")?,
        role: r.json_opt("role")?,
        kind: r.json_opt("kind")?,
        qty: r.qty("qty")?,
        filled: r.qty("filled")?,
        average,
        status: r.word("status")?,
        order: r.int_opt("order_id")?,
        algo: r.int_opt("algo_id")?,
        reject: r.json_opt("reject")?,
        created: r.time("created_ms")?,
        updated: r.time("updated_ms")?,
    })
}

fn fill(r: &Reader<'_>) -> Result<FillRow, StoreError> {
    Ok(FillRow {
        seq: r.number("seq")?,
        strategy: r.word("strategy")?,
        client_id: r.word_opt("client_id")?,
        fill: Fill {
            symbol: r.word("symbol")?,
            trade: TradeId(r.int("trade_id")?),
            order: OrderId(r.int("order_id")?),
            side: r.word("side")?,
            position_side: r.word("position_side")?,
            price: r.price("price")?,
            qty: r.qty("qty")?,
            realized: r.usdt("realized")?,
            fee: r.usdt("fee")?,
            fee_in_usdt: r.flag("fee_in_usdt")?,
            maker: r.flag("maker")?,
            time: r.time("time_ms")?,
        },
    })
}

fn trade(r: &Reader<'_>) -> Result<TradeRow, StoreError> {
    let trip = RoundTrip {
        strategy: r.word("strategy")?,
        symbol: r.word("symbol")?,
        long: r.flag("long")?,
        qty: r.qty("qty")?,
        entry: r.price("entry")?,
        exit: r.price("exit")?,
        realized: r.usdt("realized")?,
        fees: r.usdt("fees")?,
        funding: r.usdt("funding")?,
        reason: r.word("reason")?,
        opened: r.time("opened_ms")?,
        closed: r.time("closed_ms")?,
    };
    Ok(TradeRow { seq: r.number("seq")?, trip })
}

fn bar(r: &Reader<'_>) -> Result<Bar, StoreError> {
    Ok(Bar {
        symbol: r.word("symbol")?,
        timeframe: r.word("timeframe")?,
        open_time: r.time("open_ms")?,
        open: r.price("open")?,
        high: r.price("high")?,
        low: r.price("low")?,
        close: r.price("close")?,
        volume: r.qty("volume")?,
        quote_volume: r.usdt("quote_volume")?,
        trades: r.number("trades")?,
    })
}
