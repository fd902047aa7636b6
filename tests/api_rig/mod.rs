//! A served API over fakes of the desks.
#![allow(dead_code, reason = "each test file uses its part")]

use fulmar::api::desk::{
    CheckStatus, ChildShape, CommandDesk, FailureShape, GroupShape, HealthCheck, HealthDesk, InjectFault, SupervisionDesk, SupervisionView,
};
use fulmar::api::{Api, ApiConfig, ApiState, Identity, serve};
use fulmar::view::{LiveView, StrategyInfo, ViewConfig};
use fulmar_domain::account::{AccountFrame, PositionView, TrackRecord};
use fulmar_domain::control::{Command, Notice, Severity, Signal};
use fulmar_domain::gate::{GateOwner, GateState, GateWord, Role};
use fulmar_domain::id::{ClientOrderId, DecisionId, Epoch, OrderId, StrategyId, TradeId};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::order::{
    Fill, MarginMode, OrderIntent, OrderKind, OrderRole, OrderStatus, OrderUpdate, PositionSide, Protection, Purpose, Side, WorkingType,
};
use fulmar_domain::record::{LedgerAccount, LedgerEntry, RefusalDetail, RefusalRecord, RoundTrip};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Timestamp};
use fulmar_ports::BoxFuture;
use fulmar_ports::outlook::{Happening, Outlook};
use fulmar_ports::store::*;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub const START: i64 = 1_780_000_020_000;

pub fn symbol(name: &str) -> Symbol {
    Symbol::new(name).expect("symbol")
}
pub fn price(text: &str) -> Price {
    text.parse().expect("price")
}
pub fn qty(text: &str) -> Qty {
    text.parse().expect("qty")
}
pub fn usdt(text: &str) -> Usdt {
    text.parse().expect("usdt")
}
pub fn ema_rsi() -> StrategyId {
    StrategyId::new("ema_rsi").expect("id")
}
pub fn at(ms: i64) -> Now {
    Now::both(Timestamp(START + ms))
}

pub fn bar(name: &str, minute: i64, close: &str) -> Bar {
    let close = price(close);
    Bar {
        symbol: symbol(name),
        timeframe: Timeframe::M1,
        open_time: Timestamp(START + minute * 60_000),
        open: close,
        high: close,
        low: close,
        close,
        volume: qty("2"),
        quote_volume: usdt("100"),
        trades: 3,
    }
}

pub fn intent(decision: u64, name: &str) -> OrderIntent {
    OrderIntent {
        decision: DecisionId(decision),
        strategy: ema_rsi(),
        symbol: symbol(name),
        side: Side::Buy,
        position_side: PositionSide::Both,
        kind: OrderKind::Market,
        qty: qty("0.01"),
        leverage: 3,
        margin_mode: MarginMode::Isolated,
        purpose: Purpose::Entry { protection: Some(protection()) },
        reference: price("60000"),
        seen: Default::default(),
        decided: Timestamp(START),
    }
}

pub fn protection() -> Protection {
    Protection { stop: price("58800.5"), working: WorkingType::MarkPrice, targets: vec![], trailing: None }
}

pub fn refusal(decision: u64, codes: &[(&str, &str, &str)]) -> RefusalRecord {
    RefusalRecord {
        intent: intent(decision, "BTCUSDT"),
        failures: codes
            .iter()
            .map(|(code, value, limit)| RefusalDetail {
                code: (*code).to_owned(),
                value: (*value).to_owned(),
                limit: (*limit).to_owned(),
                message: format!("{code}: {value} is beyond {limit}"),
            })
            .collect(),
    }
}

pub fn update(decision: u64, seq: u64, name: &str, status: OrderStatus, filled: Option<&str>) -> OrderUpdate {
    OrderUpdate {
        seq,
        client_id: ClientOrderId::new(&format!("F-{decision}-1")),
        strategy: ema_rsi(),
        decision: DecisionId(decision),
        symbol: symbol(name),
        side: Side::Buy,
        position_side: PositionSide::Both,
        role: Some(OrderRole::Entry { protection: protection() }),
        kind: Some(OrderKind::Market),
        order: Some(OrderId(77)),
        algo: None,
        status,
        qty: qty("0.01"),
        filled: filled.map_or(Qty::ZERO, |_| qty("0.01")),
        fill: filled.map(|at| Fill {
            symbol: symbol(name),
            trade: TradeId(i64::try_from(seq).expect("small")),
            order: OrderId(77),
            side: Side::Buy,
            position_side: PositionSide::Both,
            price: price(at),
            qty: qty("0.01"),
            realized: Usdt::ZERO,
            fee: usdt("0.3"),
            fee_in_usdt: true,
            maker: false,
            time: Timestamp(START),
        }),
        reject: None,
        frees_reservation: status.is_final(),
        time: Timestamp(START + i64::try_from(seq).expect("small")),
    }
}

pub fn position(name: &str, signed: &str, unrealized: &str) -> PositionView {
    PositionView {
        symbol: symbol(name),
        side: PositionSide::Both,
        strategy: ema_rsi(),
        qty: qty(signed),
        entry: price("60000"),
        mark: price("60100"),
        notional: usdt("601"),
        unrealized: usdt(unrealized),
        leverage: 3,
        margin_mode: MarginMode::Isolated,
        isolated_wallet: usdt("200"),
        initial_margin: usdt("200.33333333"),
        maintenance_margin: usdt("2.404"),
        liquidation: Some(price("40321.12345678")),
        stop: Some(price("58800.5")),
        realized: Usdt::ZERO,
        fees: usdt("0.3"),
        funding: Usdt::ZERO,
        opened: Timestamp(START),
    }
}

pub fn account(seq: u64, equity: &str, positions: Vec<PositionView>) -> Arc<AccountFrame> {
    Arc::new(AccountFrame {
        seq,
        known: true,
        wallet: usdt("10000"),
        equity: usdt(equity),
        unrealized: usdt("1"),
        available: usdt("9799.66666667"),
        day_start_equity: usdt("10000"),
        peak_equity: usdt("10020"),
        positions,
        records: [(
            (ema_rsi(), symbol("BTCUSDT")),
            TrackRecord { trades: 5, losses_in_a_row: 1, realized: usdt("12.5"), last_close: Timestamp(START) },
        )]
        .into(),
        time: Timestamp(START + i64::try_from(seq).expect("small") * 1_000),
        ..AccountFrame::default()
    })
}

/// What the fake engine does with a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnSignal {
    Refuse,
    Fill,
    Reject,
    Void,
    Nothing,
    Lose,
}

pub struct FakeEngine {
    pub view: Arc<LiveView>,
    pub on_signal: Mutex<OnSignal>,
    pub commands: Mutex<Vec<Command>>,
    next: AtomicU64,
}

impl FakeEngine {
    fn act(&self, signal: &Signal, what: OnSignal) {
        let id = signal.decision.0;
        let show = |h| self.view.show(h, at(1));
        show(Happening::Intent(OrderIntent { leverage: signal.leverage, side: signal.side, ..intent(id, signal.symbol.as_str()) }));
        match what {
            OnSignal::Refuse => show(Happening::Refused(refusal(id, &[("LEVERAGE_TOO_HIGH", "50", "10"), ("STOP_REQUIRED", "", "")]))),
            OnSignal::Fill => {
                show(Happening::Approved(intent(id, signal.symbol.as_str())));
                show(Happening::Order(update(id, 1, signal.symbol.as_str(), OrderStatus::New, None)));
                show(Happening::Order(update(id, 2, signal.symbol.as_str(), OrderStatus::Filled, Some("60001.5"))));
            }
            OnSignal::Reject => show(Happening::Order(update(id, 1, signal.symbol.as_str(), OrderStatus::Rejected, None))),
            OnSignal::Void => self.view.recorded(&fulmar_domain::record::Record::OrderVoided {
                decision: signal.decision,
                intent: None,
                cause: "the gate moved".to_owned(),
            }),
            OnSignal::Nothing | OnSignal::Lose => {}
        }
    }
}

impl CommandDesk for FakeEngine {
    fn submit(&self, command: Command) -> BoxFuture<'static, Result<(), String>> {
        let what = *self.on_signal.lock();
        if what == OnSignal::Lose {
            return Box::pin(async { Err("the journal is full".to_owned()) });
        }
        self.commands.lock().push(command.clone());
        if let Command::Signal(signal) = &command {
            self.act(signal, what);
        }
        Box::pin(async { Ok(()) })
    }
    fn next_decision(&self) -> DecisionId {
        DecisionId(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

pub struct FakeTree {
    pub enabled: AtomicBool,
    pub restarts: AtomicU64,
}

pub const ACTORS: [(&str, &str, &str, &[&str]); 5] = [
    ("trading", "one_for_all", "3 in 60 s", &["risk", "execution", "position"]),
    ("market", "rest_for_one", "5 in 60 s", &["market_feed", "indicator"]),
    ("strategies", "one_for_one", "3 in 10 min", &["ema_rsi"]),
    ("safety", "one_for_one", "3 in 60 s", &["circuit_breaker", "failover"]),
    ("platform", "one_for_one", "10 in 5 min", &["audit", "notifier", "health"]),
];

impl SupervisionDesk for FakeTree {
    fn tree(&self) -> SupervisionView {
        let restarts = self.restarts.load(Ordering::Relaxed);
        let child = |name: &str| ChildShape {
            name: name.to_owned(),
            state: "running".to_owned(),
            restarts: if name == "risk" { restarts } else { 0 },
            failures_in_window: 0,
            generation: 1,
            last_failure: (name == "risk" && restarts > 0).then(|| FailureShape {
                kind: "panic".to_owned(),
                text: "injected fault: handler".to_owned(),
                place: Some("actors/src/risk.rs:88".to_owned()),
                message_type: Some("OrderIntent".to_owned()),
                message_id: Some(4711),
                ago_ms: 1_500,
            }),
        };
        let groups = ACTORS.iter().map(|(name, strategy, intensity, children)| GroupShape {
            name: (*name).to_owned(),
            strategy: (*strategy).to_owned(),
            intensity: (*intensity).to_owned(),
            escalated: false,
            children: children.iter().map(|c| child(c)).collect(),
        });
        SupervisionView { groups: groups.collect() }
    }
    fn inject(&self, actor: &str, site: &str) -> Result<(), InjectFault> {
        if !ACTORS.iter().any(|(.., children)| children.contains(&actor)) {
            return Err(InjectFault::UnknownActor(actor.to_owned()));
        }
        match site {
            "handler" => {
                self.restarts.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            "hang" => Err(InjectFault::NotNow("it is being restarted".to_owned())),
            other => Err(InjectFault::BadSite(format!("{other} is no site"))),
        }
    }
    fn faults_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }
}

pub struct FakeHealth(pub Mutex<CheckStatus>);
impl HealthDesk for FakeHealth {
    fn checks(&self) -> Vec<HealthCheck> {
        vec![HealthCheck { name: "feed".to_owned(), status: *self.0.lock(), detail: "6 of 6 symbols up".to_owned() }]
    }
}

#[derive(Default)]
pub struct FakeStore {
    pub locked: AtomicBool,
    pub asked: Mutex<Vec<String>>,
}

impl FakeStore {
    fn answer<T: Send + 'static>(&self, asked: String, rows: T) -> Answer<'_, T> {
        self.asked.lock().push(asked);
        let locked = self.locked.load(Ordering::Relaxed);
        Box::pin(async move { if locked { Err(StoreError::Unavailable { reason: "database is locked".to_owned() }) } else { Ok(rows) } })
    }
}

impl Store for FakeStore {
    fn status(&self) -> Answer<'_, StoreStatus> {
        self.answer("status".to_owned(), StoreStatus::default())
    }
    fn orders(&self, page: Page, filter: OrderFilter) -> Answer<'_, Vec<OrderRow>> {
        let u = update(3, 2, "BTCUSDT", OrderStatus::Filled, Some("60001.5"));
        let row = OrderRow {
            seq: 9,
            client_id: u.client_id,
            strategy: u.strategy,
            decision: 3,
            symbol: u.symbol,
            side: u.side,
            position_side: u.position_side,
            role: u.role,
            kind: Some(OrderKind::Limit { price: price("60001.5"), tif: Default::default() }),
            qty: u.qty,
            filled: u.filled,
            average: Some(price("60001.25")),
            status: u.status,
            order: Some(77),
            algo: None,
            reject: None,
            created: u.time,
            updated: u.time,
        };
        self.answer(format!("orders {page:?} {filter:?}"), vec![row])
    }
    fn fills(&self, page: Page) -> Answer<'_, Vec<FillRow>> {
        let u = update(3, 2, "BTCUSDT", OrderStatus::Filled, Some("60001.5"));
        self.answer(
            format!("fills {page:?}"),
            u.fill.map(|fill| FillRow { seq: 4, strategy: u.strategy, client_id: u.client_id, fill }).into_iter().collect(),
        )
    }
    fn trades(&self, page: Page) -> Answer<'_, Vec<TradeRow>> {
        self.answer(format!("trades {page:?}"), vec![TradeRow { seq: 8, trip: trip("BTCUSDT", "12") }])
    }
    fn ledger(&self, page: Page) -> Answer<'_, Vec<LedgerRow>> {
        let entry = LedgerEntry {
            seq: 1,
            against: LedgerAccount::Commission,
            amount: usdt("-0.3"),
            symbol: Some(symbol("BTCUSDT")),
            strategy: ema_rsi(),
            source: "trade:1".to_owned(),
            time: Timestamp(START),
        };
        self.answer(format!("ledger {page:?}"), vec![LedgerRow { journal_seq: 3, entry }])
    }
    fn positions(&self) -> Answer<'_, Vec<PositionRow>> {
        self.answer("positions".to_owned(), vec![])
    }
    fn equity(&self, from: Option<Timestamp>, to: Option<Timestamp>, points: u32) -> Answer<'_, Vec<EquityRow>> {
        let row = EquityRow {
            seq: 1,
            time: Timestamp(START),
            wallet: usdt("10000"),
            equity: usdt("10000.5"),
            day_start: usdt("10000"),
            peak: usdt("10001"),
        };
        self.answer(format!("equity {from:?} {to:?} {points}"), vec![row])
    }
    fn events(&self, page: Page, kind: Option<String>) -> Answer<'_, Vec<EventRow>> {
        let body = "{\"kind\":\"session_ended\",\"reason\":\"SIGTERM\"}".to_owned();
        let row = EventRow { seq: 2, kind: "session_ended".to_owned(), time: Timestamp(START), wall: Timestamp(START), body };
        self.answer(format!("events {page:?} {kind:?}"), vec![row])
    }
    fn refusals(&self, page: Page, code: Option<String>) -> Answer<'_, Vec<RefusalRow>> {
        let row = RefusalRow { seq: 5, time: Timestamp(START), refusal: refusal(6, &[("MAX_POSITIONS", "11", "10")]) };
        self.answer(format!("refusals {page:?} {code:?}"), vec![row])
    }
    fn notifications(&self, page: Page) -> Answer<'_, Vec<NoticeRow>> {
        let row = NoticeRow { seq: 1, time: Timestamp(START), notice: Notice::new(Severity::Warning, "FEED_STALE", "no frame for 5 s") };
        self.answer(format!("notifications {page:?}"), vec![row])
    }
    fn dead_letters(&self, page: Page) -> Answer<'_, Vec<DeadLetterRow>> {
        let row = DeadLetterRow {
            seq: 1,
            time: Timestamp(START),
            actor: "trading/risk".to_owned(),
            message: "OrderIntent".to_owned(),
            message_id: 4711,
            text: "boom".to_owned(),
            place: "actors/src/risk.rs:88".to_owned(),
            restarts: 1,
        };
        self.answer(format!("dead_letters {page:?}"), vec![row])
    }
    fn bars(&self, symbol: Symbol, timeframe: Timeframe, before: Option<Timestamp>, limit: u32) -> Answer<'_, Vec<Bar>> {
        self.answer(format!("bars {symbol} {timeframe} {before:?} {limit}"), vec![bar("BTCUSDT", -9, "59000")])
    }
}

pub fn trip(name: &str, realized: &str) -> RoundTrip {
    RoundTrip {
        strategy: ema_rsi(),
        symbol: symbol(name),
        long: true,
        qty: qty("0.01"),
        entry: price("60000"),
        exit: price("61200"),
        realized: usdt(realized),
        fees: usdt("0.6"),
        funding: usdt("-0.1"),
        reason: fulmar_domain::order::ExitReason::Signal,
        opened: Timestamp(START),
        closed: Timestamp(START + 600_000),
    }
}

pub struct Rig {
    pub addr: SocketAddr,
    pub engine: Arc<FakeEngine>,
    pub tree: Arc<FakeTree>,
    pub health: Arc<FakeHealth>,
    pub store: Arc<FakeStore>,
    pub view: Arc<LiveView>,
    handle: actix_web::dev::ServerHandle,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
    _pulse: fulmar::api::ApiPulse,
}

pub struct Wish {
    pub token: Option<String>,
    pub config: ApiConfig,
    pub symbols: Vec<&'static str>,
    pub columns: Vec<String>,
    pub stream: String,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            token: None,
            config: ApiConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), workers: 1, ..ApiConfig::default() },
            symbols: vec!["BTCUSDT", "ETHUSDT"],
            columns: vec!["ema(12)".to_owned(), "rsi(14)".to_owned()],
            stream: "run-1".to_owned(),
        }
    }
}

impl Rig {
    pub fn start() -> Self {
        Self::with(Wish::default())
    }
    pub fn with(wish: Wish) -> Self {
        let symbols: Vec<Symbol> = wish.symbols.iter().map(|s| symbol(s)).collect();
        let view = LiveView::start(ViewConfig {
            symbols: symbols.clone(),
            strategies: vec![StrategyInfo {
                id: ema_rsi(),
                name: "EmaRsiStrategy".to_owned(),
                aliases: vec!["ema_rsi".to_owned()],
                symbols,
                timeframe: Timeframe::M1,
                leverage: 3,
            }],
            columns: wish.columns,
            bars_kept: 500,
            flush_every: Duration::from_millis(20),
            stream: wish.stream,
        })
        .expect("thread");
        let engine = Arc::new(FakeEngine {
            view: Arc::clone(&view),
            on_signal: Mutex::new(OnSignal::Fill),
            commands: Mutex::default(),
            next: AtomicU64::new(100),
        });
        let tree = Arc::new(FakeTree { enabled: AtomicBool::new(false), restarts: AtomicU64::new(0) });
        let health = Arc::new(FakeHealth(Mutex::new(CheckStatus::Ok)));
        let store = Arc::new(FakeStore::default());
        let state = ApiState {
            identity: Identity {
                version: "0.1.0".to_owned(),
                mode: "simex".to_owned(),
                exchange: "simex on 127.0.0.1".to_owned(),
                instance: "FULMAR01".to_owned(),
            },
            token: wish.token,
            view: Arc::clone(&view),
            commands: Arc::clone(&engine) as Arc<dyn CommandDesk>,
            supervision: Arc::clone(&tree) as Arc<dyn SupervisionDesk>,
            health: Arc::clone(&health) as Arc<dyn HealthDesk>,
            store: Some(Arc::clone(&store) as Arc<dyn Store>),
            metrics: None,
        };
        let Api { server, handle, addr, pulse } = serve(wish.config, state).expect("serves");
        let running = tokio::spawn(server);
        Self { addr, engine, tree, health, store, view, handle, running, _pulse: pulse }
    }
    pub fn show(&self, happening: Happening) {
        self.view.show(happening, at(0));
    }
    /// An account with one position, an open gate, a leader, one bar.
    pub fn furnish(&self) {
        self.show(Happening::Role(Role::Leader { epoch: Epoch(7), sign_until: i64::MAX }));
        self.show(Happening::Gate {
            owner: GateOwner::Recovery,
            held: GateState::Open,
            gate: GateWord { state: GateState::Open, epoch: 2 },
            cause: "reconciled".to_owned(),
        });
        self.show(Happening::Market(fulmar_domain::market::MarketEvent::BarClosed(bar("BTCUSDT", 0, "60000"))));
        self.show(Happening::Account(account(1, "10001.5", vec![position("BTCUSDT", "0.01", "1.00000001")])));
        self.view.take_up(true);
    }
    pub async fn stop(self) {
        self.handle.stop(false).await;
        self.running.await.expect("task").expect("server");
        self.view.stop();
    }
}
