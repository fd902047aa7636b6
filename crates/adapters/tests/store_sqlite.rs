//! The projection: every kind of record finds its table, applying twice changes nothing, and losing the file costs a rebuild.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use fulmar_adapters::{
    journal::segments::{JournalSettings, SegmentJournal},
    store::sqlite::{SqliteStore, StoreSettings},
};
use fulmar_domain::{
    account::{AccountEvent, AccountSnapshot, Income, VenuePosition},
    control::{Command, Notice, Severity},
    gate::{GateOwner, GateState, GateWord, Role},
    id::{AlgoId, ClientOrderId, DecisionId, Epoch, FactSeq, IntentSeq, OrderId, StrategyId, TradeId, TranId},
    market::{Bar, Timeframe},
    num::{Price, Qty, Usdt},
    order::{
        ExitReason, Fill, MarginMode, OrderIntent, OrderKind, OrderRole, OrderStatus, OrderUpdate, PositionSide, Protection, Purpose, Side,
        TimeInForce, VenueError, VenueOrder, WorkingType,
    },
    record::{LedgerAccount, LedgerEntry, Record as Body, RefusalDetail, RefusalRecord, RoundTrip},
    symbol::Symbol,
    time::Timestamp,
};
use fulmar_ports::{
    journal::{Durability, Entry, Journal, Priority, Record},
    store::{LIMIT_MAX, OrderFilter, Page, Store, StoreError},
};
use proptest::prelude::*;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use tokio::sync::watch;

fn btc() -> Symbol {
    Symbol::new("BTCUSDT").unwrap()
}
fn eth() -> Symbol {
    Symbol::new("ETHUSDT").unwrap()
}
fn owner() -> StrategyId {
    StrategyId::new("ema_rsi").unwrap()
}
fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}
fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}
fn usdt(text: &str) -> Usdt {
    Usdt::parse(text).unwrap()
}
fn client(n: u64) -> ClientOrderId {
    ClientOrderId::new(&format!("F1-1-{n}-0")).unwrap()
}

fn protection() -> Protection {
    Protection { stop: price("98"), working: WorkingType::MarkPrice, targets: Vec::new(), trailing: None }
}

fn planned(n: u64, symbol: Symbol) -> Body {
    Body::OrderPlanned(VenueOrder {
        intent: IntentSeq(n),
        client_id: client(n),
        decision: DecisionId(n),
        strategy: owner(),
        symbol,
        side: Side::Buy,
        position_side: PositionSide::Both,
        kind: OrderKind::Limit { price: price("100.5"), tif: TimeInForce::Gtc },
        qty: qty("3"),
        reduce_only: false,
        close_position: false,
        role: OrderRole::Entry { protection: protection() },
        decided: Timestamp(1_000),
    })
}

fn update(n: u64, symbol: Symbol, status: OrderStatus, filled: &str, fill: Option<Fill>) -> OrderUpdate {
    OrderUpdate {
        seq: n,
        client_id: Some(client(n)),
        strategy: owner(),
        decision: DecisionId(n),
        symbol,
        side: Side::Buy,
        position_side: PositionSide::Both,
        role: Some(OrderRole::Entry { protection: protection() }),
        kind: Some(OrderKind::Limit { price: price("100.5"), tif: TimeInForce::Gtc }),
        order: Some(OrderId(900 + n as i64)),
        algo: None,
        status,
        qty: qty("3"),
        filled: qty(filled),
        fill,
        reject: None,
        frees_reservation: false,
        time: Timestamp(2_000 + n as i64),
    }
}

fn fill(symbol: Symbol, trade: i64, at: &str, how_much: &str) -> Fill {
    Fill {
        symbol,
        trade: TradeId(trade),
        order: OrderId(901),
        side: Side::Buy,
        position_side: PositionSide::Both,
        price: price(at),
        qty: qty(how_much),
        realized: usdt("0"),
        fee: usdt("0.05"),
        fee_in_usdt: true,
        maker: false,
        time: Timestamp(2_500),
    }
}

fn intent() -> OrderIntent {
    OrderIntent {
        decision: DecisionId(77),
        strategy: owner(),
        symbol: btc(),
        side: Side::Buy,
        position_side: PositionSide::Both,
        kind: OrderKind::Market,
        qty: qty("1"),
        leverage: 50,
        margin_mode: MarginMode::Isolated,
        purpose: Purpose::Entry { protection: Some(protection()) },
        reference: price("100"),
        seen: FactSeq(4),
        decided: Timestamp(1_000),
    }
}

fn bar(symbol: Symbol, minute: i64) -> Bar {
    Bar {
        symbol,
        timeframe: Timeframe::M1,
        open_time: Timestamp(minute * 60_000),
        open: price("1"),
        high: price("3"),
        low: price("0.5"),
        close: price("2"),
        volume: qty("10"),
        quote_volume: usdt("20"),
        trades: 5,
    }
}

fn position(symbol: Symbol, how_much: &str) -> VenuePosition {
    VenuePosition {
        symbol,
        side: PositionSide::Both,
        qty: qty(how_much),
        entry: price("100"),
        margin_mode: MarginMode::Isolated,
        isolated_wallet: usdt("10"),
    }
}

fn equity_at(ms: i64, wallet: Usdt, equity: Usdt) -> Body {
    Body::EquityMarked { wallet, equity, day_start: usdt("990"), peak: usdt("1010"), time: Timestamp(ms) }
}

/// One of each kind, and the life of three orders.
fn story() -> Vec<Body> {
    let rejected = OrderUpdate {
        reject: Some(VenueError { code: -2019, message: "Margin is insufficient.".into() }),
        ..update(3, eth(), OrderStatus::Rejected, "0", None)
    };
    let foreign = OrderUpdate {
        client_id: None,
        role: None,
        kind: None,
        strategy: StrategyId::external(),
        order: None,
        algo: Some(AlgoId(55)),
        ..update(4, eth(), OrderStatus::New, "0", None)
    };
    let snapshot = AccountSnapshot {
        wallet: usdt("1000"),
        positions: vec![position(btc(), "2"), position(eth(), "-1")],
        ..AccountSnapshot::default()
    };
    vec![
        Body::SessionStarted { epoch: Epoch(1), version: "0.1.0".into(), config_digest: "d".into() },
        Body::RoleChanged(Role::Leader { epoch: Epoch(1), sign_until: 5_000 }),
        Body::GateChanged { owner: GateOwner::Recovery, gate: GateWord { state: GateState::Open, epoch: 2 }, cause: "reconciled".into() },
        Body::Command(Command::Pause { strategy: Some(owner()) }),
        Body::IntentRaised(intent()),
        Body::IntentRefused(RefusalRecord {
            intent: intent(),
            failures: vec![RefusalDetail {
                code: "LEVERAGE_TOO_HIGH".into(),
                value: "50".into(),
                limit: "10".into(),
                message: "leverage 50 is above 10".into(),
            }],
        }),
        planned(1, btc()),
        Body::OrderUpdated(update(1, btc(), OrderStatus::New, "0", None)),
        Body::OrderUpdated(update(1, btc(), OrderStatus::PartiallyFilled, "1", Some(fill(btc(), 10, "100", "1")))),
        Body::OrderUpdated(update(1, btc(), OrderStatus::Filled, "3", Some(fill(btc(), 11, "103", "2")))),
        // The same fill again, and a late word of an earlier state.
        Body::OrderUpdated(update(1, btc(), OrderStatus::PartiallyFilled, "1", Some(fill(btc(), 10, "100", "1")))),
        planned(2, btc()),
        Body::OrderVoided { decision: DecisionId(2), intent: Some(IntentSeq(2)), cause: "gate moved".into() },
        planned(3, eth()),
        Body::OrderUpdated(rejected),
        Body::OrderUpdated(foreign),
        Body::CancelPlanned { client_id: client(1), symbol: btc(), algo: false },
        Body::SnapshotAdopted(snapshot),
        Body::AccountChanged(AccountEvent {
            reason: "ORDER".into(),
            balances: Vec::new(),
            positions: vec![position(eth(), "0"), position(btc(), "3")],
            time: Timestamp(9_000),
        }),
        Body::IncomeBooked(Income {
            id: TranId(5),
            kind: "FUNDING_FEE".into(),
            symbol: Some(btc()),
            amount: usdt("-0.1"),
            asset: "USDT".into(),
            time: Timestamp(9_100),
        }),
        Body::DifferenceFound { text: "position of BTCUSDT: 2 there, 1 here".into() },
        Body::LedgerBooked(LedgerEntry {
            seq: 1,
            against: LedgerAccount::Commission,
            amount: usdt("-0.05"),
            symbol: Some(btc()),
            strategy: owner(),
            source: "trade:10".into(),
            time: Timestamp(2_500),
        }),
        equity_at(23, usdt("1000"), usdt("1001.5")),
        Body::TradeClosed(RoundTrip {
            strategy: owner(),
            symbol: btc(),
            long: true,
            qty: qty("3"),
            entry: price("102"),
            exit: price("104"),
            realized: usdt("6"),
            fees: usdt("0.3"),
            funding: usdt("-0.1"),
            reason: ExitReason::TakeProfit,
            opened: Timestamp(2_500),
            closed: Timestamp(3_500),
        }),
        Body::BarSeen(bar(btc(), 1)),
        Body::BarSeen(bar(btc(), 2)),
        Body::BarSeen(bar(btc(), 2)),
        Body::ActorFailed {
            actor: "trading/risk".into(),
            message: "OrderIntent".into(),
            message_id: 9,
            text: "index out of bounds".into(),
            place: "risk.rs:1".into(),
            restarts: 1,
        },
        Body::Noticed(Notice::new(Severity::Warning, "FEED_STALE", "no frame for 5 s").about(btc())),
        Body::SessionEnded { reason: "SIGTERM".into() },
    ]
}

fn entry(body: &Body, at: i64) -> Entry {
    Entry { kind: body.kind().into(), ts_ms: at, wall_ms: 1_000_000 + at, id: at as u64, cause: 0, body: serde_json::to_vec(body).unwrap() }
}

/// Records as a journal gives them.
fn records(bodies: &[Body]) -> Vec<Record> {
    let mut seq = 0;
    bodies
        .iter()
        .map(|body| {
            seq += 1;
            Record { seq, prev: [seq as u8; 32], entry: entry(body, seq as i64) }
        })
        .collect()
}

async fn store(dir: &Path) -> SqliteStore {
    let store = SqliteStore::new(StoreSettings::at(dir.join("db/fulmar.db")));
    store.open().await.unwrap();
    store
}

fn journal(dir: &Path) -> Arc<SegmentJournal> {
    let settings = JournalSettings { reserve_bytes: 0, fsync: false, ..JournalSettings::in_dir(dir.join("journal")) };
    Arc::new(SegmentJournal::open(settings, Box::new(|_| {}), &mut |_| {}).unwrap().0)
}

async fn append(journal: &SegmentJournal, bodies: &[Body]) {
    for (at, body) in bodies.iter().enumerate() {
        journal.append(entry(body, at as i64 + 1), Durability::Lazy, Priority::Normal, None);
    }
    journal.flush().await.unwrap();
}

async fn until_projected(store: &SqliteStore, seq: u64) {
    let start = Instant::now();
    loop {
        let status = store.status().await;
        if status.as_ref().is_ok_and(|s| s.projected_seq >= seq) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_kind_of_record_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let story = story();
    store.apply(&records(&story)).await.unwrap();
    let status = store.status().await.unwrap();
    assert_eq!((status.projected_seq, status.unreadable), (story.len() as u64, 0));

    let orders = store.orders(Page::default(), OrderFilter::Any).await.unwrap();
    assert_eq!(orders.iter().map(|o| o.seq).collect::<Vec<_>>(), [16, 14, 12, 7]);
    let first = &orders[3];
    assert_eq!((first.status, first.filled, first.average), (OrderStatus::Filled, qty("3"), Some(price("102"))));
    assert_eq!((first.client_id, first.order, first.decision), (Some(client(1)), Some(901), 1));
    assert_eq!(first.kind, Some(OrderKind::Limit { price: price("100.5"), tif: TimeInForce::Gtc }));
    assert!(matches!(first.role, Some(OrderRole::Entry { .. })));
    assert_eq!(orders[2].status, OrderStatus::Dead, "a voided order never left");
    assert_eq!(orders[1].reject.as_ref().unwrap().code, -2019);
    assert_eq!((orders[0].client_id, orders[0].algo, orders[0].strategy), (None, Some(55), StrategyId::external()));
    let open = store.orders(Page::default(), OrderFilter::Open).await.unwrap();
    assert_eq!(open.iter().map(|o| o.seq).collect::<Vec<_>>(), [16]);
    let rejected = store.orders(Page::default(), OrderFilter::Status(OrderStatus::Rejected)).await.unwrap();
    assert_eq!(rejected.len(), 1);

    let fills = store.fills(Page::default()).await.unwrap();
    assert_eq!(fills.iter().map(|f| f.fill.trade.0).collect::<Vec<_>>(), [11, 10], "each fill once");
    assert_eq!(fills[1].fill, fill(btc(), 10, "100", "1"));
    let trades = store.trades(Page::default()).await.unwrap();
    assert!(matches!(&story[23], Body::TradeClosed(trip) if *trip == trades[0].trip));
    let ledger = store.ledger(Page::default()).await.unwrap();
    assert!(matches!(&story[21], Body::LedgerBooked(e) if *e == ledger[0].entry));
    let positions = store.positions().await.unwrap();
    assert_eq!(positions.len(), 1);
    assert_eq!((positions[0].symbol, positions[0].qty, positions[0].updated), (btc(), qty("3"), Timestamp(9_000)));
    let equity = store.equity(None, None, 100).await.unwrap();
    assert_eq!((equity[0].wallet, equity[0].equity, equity[0].time), (usdt("1000"), usdt("1001.5"), Timestamp(23)));
    assert_eq!((equity[0].day_start, equity[0].peak), (usdt("990"), usdt("1010")));

    let events = store.events(Page::default(), None).await.unwrap();
    let kinds: Vec<&str> = events.iter().rev().map(|e| e.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "session_started",
            "role_changed",
            "gate_changed",
            "command",
            "order_voided",
            "cancel_planned",
            "difference_found",
            "actor_failed",
            "session_ended"
        ]
    );
    let command = store.events(Page::default(), Some("command".into())).await.unwrap();
    assert!(command[0].body.contains("pause") && command.len() == 1);
    let refusals = store.refusals(Page::default(), Some("LEVERAGE_TOO_HIGH".into())).await.unwrap();
    assert!(matches!(&story[5], Body::IntentRefused(r) if *r == refusals[0].refusal));
    assert!(store.refusals(Page::default(), Some("DRAWDOWN".into())).await.unwrap().is_empty());
    let notices = store.notifications(Page::default()).await.unwrap();
    assert!(matches!(&story[28], Body::Noticed(n) if *n == notices[0].notice));
    let dead = store.dead_letters(Page::default()).await.unwrap();
    assert_eq!((dead[0].actor.as_str(), dead[0].message_id, dead[0].restarts), ("trading/risk", 9, 1));
    let bars = store.bars(btc(), Timeframe::M1, None, 10).await.unwrap();
    assert_eq!(bars, [bar(btc(), 1), bar(btc(), 2)], "oldest first, each once");
    assert_eq!(store.bars(btc(), Timeframe::M1, Some(Timestamp(120_000)), 10).await.unwrap(), [bar(btc(), 1)]);
    assert!(store.bars(btc(), Timeframe::H1, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn lists_are_filtered_bounded_and_paged_without_overlap() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let bodies: Vec<Body> = (1..=50).map(|n| planned(n, if n % 2 == 0 { btc() } else { eth() })).collect();
    store.apply(&records(&bodies)).await.unwrap();
    let (mut page, mut seen) = (Page { limit: 7, symbol: Some(btc()), ..Page::default() }, Vec::new());
    loop {
        let rows = store.orders(page.clone(), OrderFilter::Any).await.unwrap();
        assert!(rows.len() <= 7);
        let Some(last) = rows.last() else { break };
        page.before = Some(last.seq);
        seen.extend(rows.iter().map(|r| r.seq));
    }
    assert_eq!(seen, (1..=50).rev().filter(|n| n % 2 == 0).collect::<Vec<u64>>());
    let nobody = Page { strategy: StrategyId::new("x' OR 1=1 --"), ..Page::default() };
    assert!(store.orders(nobody, OrderFilter::Any).await.unwrap().is_empty());
    assert!(store.orders(Page { limit: 0, ..Page::default() }, OrderFilter::Any).await.unwrap().is_empty());
    let all = store.orders(Page { limit: u32::MAX, ..Page::default() }, OrderFilter::Any).await.unwrap();
    assert_eq!(all.len(), 50.min(LIMIT_MAX as usize));
}

#[tokio::test]
async fn an_equity_series_is_thinned_evenly_and_keeps_its_newest_point() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let bodies: Vec<Body> = (0..1_000).map(|n| equity_at(n + 1, usdt("1"), Usdt::from_raw(n))).collect();
    store.apply(&records(&bodies)).await.unwrap();
    let all = store.equity(None, None, 5_000).await.unwrap();
    assert_eq!(all.len(), 1_000);
    let thin = store.equity(None, None, 100).await.unwrap();
    assert_eq!(thin.len(), 100);
    assert_eq!(thin.last(), all.last());
    assert!(thin.windows(2).all(|w| w[1].seq - w[0].seq == 10));
    let part = store.equity(Some(Timestamp(10)), Some(Timestamp(19)), 100).await.unwrap();
    assert_eq!(part.iter().map(|e| e.time.0).collect::<Vec<_>>(), (10..=19).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// However the records are cut into batches, and however batches overlap, the content is the same.
    #[test]
    fn batches_and_repetitions_do_not_change_the_content(cuts in prop::collection::vec((0..30usize, 0..8usize), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let story = records(&story());
            let whole = tempfile::tempdir().unwrap();
            let whole = (store(whole.path()).await, whole);
            whole.0.apply(&story).await.unwrap();
            let parts = tempfile::tempdir().unwrap();
            let parts = (store(parts.path()).await, parts);
            let mut at = 0usize;
            for (len, back) in cuts {
                let from = at.saturating_sub(back);
                let to = (at + len).min(story.len());
                parts.0.apply(&story[from..to]).await.unwrap();
                at = to;
            }
            parts.0.apply(&story[at..]).await.unwrap();
            assert_eq!(whole.0.digest().await.unwrap(), parts.0.digest().await.unwrap());
        });
    }
}

#[tokio::test]
async fn a_batch_that_leaves_a_gap_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let all = records(&story());
    store.apply(&all[..4]).await.unwrap();
    let before = store.digest().await.unwrap();
    let holed = [&all[4..8], &all[9..]].concat();
    assert_eq!(store.apply(&holed).await, Err(StoreError::Gap { projected: 8, first: 10 }));
    assert_eq!(store.digest().await.unwrap(), before, "the transaction was taken back");
    assert_eq!(store.apply(&all[6..]).await, Err(StoreError::Gap { projected: 4, first: 7 }));
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_named_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut all = records(&story());
    all[1].entry.kind = "moon_phase".into();
    all[1].entry.body = b"{\"record\":\"moon_phase\",\"full\":true}".to_vec();
    all[2].entry.body = b"no json".to_vec();
    store.apply(&all).await.unwrap();
    let status = store.status().await.unwrap();
    assert_eq!((status.projected_seq, status.unreadable), (all.len() as u64, 2));
}

#[tokio::test]
async fn a_rebuild_gives_the_same_content() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    append(&journal, &story()).await;
    let store = store(dir.path()).await;
    assert_eq!(store.rebuild(journal.tail(1).unwrap()).await.unwrap().projected_seq, 30);
    let first = store.digest().await.unwrap();
    store.apply(&[]).await.unwrap();
    assert_eq!(store.rebuild(journal.tail(1).unwrap()).await.unwrap().projected_seq, 30);
    assert_eq!(store.digest().await.unwrap(), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_follower_keeps_up_goes_on_after_a_restart_and_stores_all_before_it_stops() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    append(&journal, &story()).await;
    for round in 1..=2u64 {
        let store = Arc::new(SqliteStore::new(StoreSettings::at(dir.path().join("fulmar.db"))));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn({
            let (store, journal) = (Arc::clone(&store), Arc::clone(&journal));
            async move { store.follow(journal, stopped).await }
        });
        until_projected(&store, 30 + (round - 1) * 100).await;
        let more: Vec<Body> = (0..100).map(|n| Body::BarSeen(bar(eth(), n + 100 * round as i64))).collect();
        append(&journal, &more).await;
        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
        assert_eq!(store.status().await.unwrap().projected_seq, 30 + round * 100);
        let bars = store.bars(eth(), Timeframe::M1, None, 1_000).await.unwrap();
        assert_eq!(bars.len() as u64, round * 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_lost_damaged_or_of_another_journal_is_built_anew_while_the_engine_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fulmar.db");
    // Of another journal.
    let other = SqliteStore::new(StoreSettings::at(&path));
    other.open().await.unwrap();
    other.apply(&records(&[story(), story()].concat())).await.unwrap();
    other.close("done").await;

    let journal = journal(dir.path());
    append(&journal, &story()).await;
    let reference = store(&dir.path().join("reference")).await;
    reference.rebuild(journal.tail(1).unwrap()).await.unwrap();
    let wanted = reference.digest().await.unwrap();

    let store = Arc::new(SqliteStore::new(StoreSettings::at(&path)));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn({
        let (store, journal) = (Arc::clone(&store), Arc::clone(&journal));
        async move { store.follow(journal, stopped).await }
    });
    let same = async |what: &str| {
        let start = Instant::now();
        loop {
            let found = store.digest().await;
            if found.as_ref().is_ok_and(|d| *d == wanted) && fs::exists(&path).unwrap() {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{what}: {found:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    same("another journal's").await;
    // Lost while it is open.
    for file in ["fulmar.db", "fulmar.db-wal", "fulmar.db-shm"] {
        fs::remove_file(dir.path().join(file)).unwrap();
    }
    same("lost").await;
    stop.send(true).unwrap();
    task.await.unwrap();
    store.close("test").await;

    // Damaged before the start.
    fs::write(&path, vec![b'x'; 8_192]).unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn({
        let (store, journal) = (Arc::clone(&store), Arc::clone(&journal));
        async move { store.follow(journal, stopped).await }
    });
    same("damaged").await;
    assert!(dir.path().join("fulmar.db.damaged").exists());
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_fail_clearly_while_the_store_is_missing_or_locked_and_answer_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    append(&journal, &story()).await;
    let blocked = dir.path().join("blocked");
    fs::write(&blocked, "a file where the folder should be").unwrap();
    let store = Arc::new(SqliteStore::new(StoreSettings { busy_ms: 50, ..StoreSettings::at(blocked.join("fulmar.db")) }));
    assert!(matches!(store.orders(Page::default(), OrderFilter::Any).await, Err(StoreError::Unavailable { .. })));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn({
        let (store, journal) = (Arc::clone(&store), Arc::clone(&journal));
        async move { store.follow(journal, stopped).await }
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let error = store.orders(Page::default(), OrderFilter::Any).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { reason } if reason.contains("blocked")), "{error}");
    fs::remove_file(&blocked).unwrap();
    until_projected(&store, 30).await;

    // Another process holds the write lock: records wait, reads go on.
    let mut holder = SqliteConnectOptions::new().filename(store.path()).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
    append(&journal, &[Body::BarSeen(bar(eth(), 1))]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    sqlx::query("ROLLBACK").execute(&mut holder).await.unwrap();
    until_projected(&store, 31).await;
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn projection_speed_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let bodies: Vec<Body> = (0..10_000).map(|n| Body::BarSeen(bar(btc(), n))).collect();
    let records = records(&bodies);
    let start = Instant::now();
    for batch in records.chunks(5_000) {
        store.apply(batch).await.unwrap();
    }
    println!("projection: {:.0} rows/s", 10_000.0 / start.elapsed().as_secs_f64());
    assert_eq!(store.status().await.unwrap().projected_seq, 10_000);
}
