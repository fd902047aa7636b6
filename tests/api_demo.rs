//! The page over made-up facts, to be looked at: `cargo test --test api_demo -- --ignored`, then open the printed address.

mod api_rig;

use api_rig::{Rig, Wish, ema_rsi, intent, price, protection, qty, symbol, trip, usdt};
use fulmar_domain::account::{AccountFrame, PositionView};
use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::gate::{GateOwner, GateState, GateWord, Role};
use fulmar_domain::id::{ClientOrderId, DecisionId, Epoch, OrderId, TradeId};
use fulmar_domain::market::{Bar, BookTop, FeedState, FeedStatus, IndicatorFrame, Mark, MarketEvent, Timeframe};
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{
    Fill, MarginMode, OrderIntent, OrderKind, OrderRole, OrderStatus, OrderUpdate, PositionSide, Protection, Purpose, Side, WorkingType,
};
use fulmar_domain::record::{RefusalDetail, RefusalRecord};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Timestamp};
use fulmar_ports::outlook::{Happening, Outlook as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Small, seeded, good enough to draw.
struct Dice(u64);
impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f64 / (1_u64 << 31) as f64) - 0.5
    }
    fn bell(&mut self) -> f64 {
        (0..4).map(|_| self.next()).sum()
    }
}

struct Line {
    name: Symbol,
    last: f64,
    fast: f64,
    slow: f64,
    tick: f64,
    row: Option<Arc<[f64]>>,
    held: Option<(f64, f64, f64, i64)>,
    drift: f64,
}

fn fixed(value: f64, tick: f64) -> Price {
    price(&format!("{:.6}", (value / tick).round() * tick))
}

struct World {
    rig: Rig,
    dice: Dice,
    lines: Vec<Line>,
    minute: i64,
    wallet: f64,
    seq: u64,
    decision: u64,
    peak: f64,
}

impl World {
    fn now(&self) -> Now {
        Now::both(Timestamp(api_rig::START + self.minute * 60_000))
    }
    fn show(&self, happening: Happening) {
        self.rig.view.show(happening, self.now());
    }

    #[expect(clippy::too_many_arguments, reason = "a made-up order; each argument is one of its fields")]
    fn order(&mut self, at: usize, long: bool, role: OrderRole, kind: OrderKind, status: OrderStatus, size: f64, fill: Option<f64>) {
        self.seq += 1;
        let line = &self.lines[at];
        let side = if long { Side::Buy } else { Side::Sell };
        let time = Timestamp(self.now().market.0 + 400);
        let size = qty(&format!("{size:.4}"));
        let fill = fill.map(|f| Fill {
            symbol: line.name,
            trade: TradeId(i64::try_from(self.seq).expect("small")),
            order: OrderId(8_000 + i64::try_from(self.seq).expect("small")),
            side,
            position_side: PositionSide::Both,
            price: fixed(f, line.tick),
            qty: size,
            realized: Usdt::ZERO,
            fee: usdt("0.42"),
            fee_in_usdt: true,
            maker: false,
            time,
        });
        self.show(Happening::Order(OrderUpdate {
            seq: self.seq,
            client_id: ClientOrderId::new(&format!("FULMAR01-7-{}-0", self.seq)),
            strategy: ema_rsi(),
            decision: DecisionId(self.decision),
            symbol: line.name,
            side,
            position_side: PositionSide::Both,
            role: Some(role),
            kind: Some(kind),
            order: Some(OrderId(8_000)),
            algo: None,
            status,
            qty: size,
            filled: if fill.is_some() { size } else { Qty::ZERO },
            fill,
            reject: None,
            frees_reservation: false,
            time,
        }));
    }

    fn trade(&mut self, at: usize, long: bool) {
        let (name, last, tick) = (self.lines[at].name, self.lines[at].last, self.lines[at].tick);
        if let Some((size, entry, _, _)) = self.lines[at].held.take() {
            let gain = size * (last - entry);
            self.wallet += gain - last * size.abs() * 0.001;
            self.decision += 1;
            let exit = fulmar_domain::order::ExitReason::Signal;
            self.show(Happening::Intent(OrderIntent {
                symbol: name,
                side: if long { Side::Buy } else { Side::Sell },
                qty: qty(&format!("{:.4}", size.abs())),
                purpose: Purpose::Exit { reason: exit },
                decided: self.now().market,
                ..intent(self.decision, name.as_str())
            }));
            self.order(at, long, OrderRole::Exit { reason: exit }, OrderKind::Market, OrderStatus::Filled, size.abs(), Some(last));
            self.show(Happening::Trade(trip(name.as_str(), &format!("{gain:.4}"))));
        }
        self.decision += 1;
        let size = 1_000.0 / last;
        let stop = last * if long { 0.994 } else { 1.006 };
        let wanted = OrderIntent {
            symbol: name,
            side: if long { Side::Buy } else { Side::Sell },
            qty: qty(&format!("{size:.4}")),
            reference: fixed(last, tick),
            purpose: Purpose::Entry { protection: Some(Protection { stop: fixed(stop, tick), ..protection() }) },
            decided: self.now().market,
            ..intent(self.decision, name.as_str())
        };
        self.show(Happening::Intent(wanted.clone()));
        let held = self.lines.iter().filter(|l| l.held.is_some()).count();
        if held >= 4 || self.decision.is_multiple_of(7) {
            let (code, value, limit, message) = [
                ("GROSS_EXPOSURE", "3.12", "3", "gross exposure after the fill would be 3.12× equity, 3× is the limit"),
                ("COOLDOWN", "120000", "300000", "the last trade of ema_rsi on this symbol ended 2 min ago, 5 min are set"),
                ("CONSECUTIVE_LOSSES", "6", "6", "six losing trades in a row: locked for an hour"),
            ][usize::try_from(self.decision % 3).expect("small")];
            self.show(Happening::Refused(RefusalRecord {
                intent: wanted,
                failures: vec![RefusalDetail {
                    code: code.to_owned(),
                    value: value.to_owned(),
                    limit: limit.to_owned(),
                    message: message.to_owned(),
                }],
            }));
            return;
        }
        self.show(Happening::Approved(wanted));
        self.order(at, long, OrderRole::Entry { protection: protection() }, OrderKind::Market, OrderStatus::Filled, size, Some(last));
        let kind = OrderKind::StopMarket { trigger: fixed(stop, tick), working: WorkingType::MarkPrice };
        self.order(at, !long, OrderRole::Stop, kind, OrderStatus::New, 0.0, None);
        self.lines[at].held = Some((if long { size } else { -size }, last, stop, self.now().market.0));
    }

    fn account(&mut self) {
        let open: f64 = self.lines.iter().filter_map(|l| l.held.map(|(size, entry, ..)| size * (l.last - entry))).sum();
        let equity = self.wallet + open;
        self.peak = self.peak.max(equity);
        self.seq += 1;
        let money = |v: f64| usdt(&format!("{v:.6}"));
        let positions = self.lines.iter().filter_map(|l| {
            let (size, entry, stop, opened) = l.held?;
            Some(PositionView {
                symbol: l.name,
                qty: qty(&format!("{size:.4}")),
                entry: fixed(entry, l.tick),
                mark: fixed(l.last, l.tick),
                notional: money(size.abs() * l.last),
                unrealized: money(size * (l.last - entry)),
                margin_mode: MarginMode::Isolated,
                liquidation: Some(fixed(entry * if size > 0.0 { 0.672 } else { 1.327 }, l.tick)),
                stop: Some(fixed(stop, l.tick)),
                opened: Timestamp(opened),
                ..api_rig::position(l.name.as_str(), "1", "0")
            })
        });
        self.show(Happening::Account(Arc::new(AccountFrame {
            seq: self.seq,
            known: true,
            wallet: money(self.wallet),
            equity: money(equity),
            unrealized: money(open),
            available: money(equity * 0.8),
            day_start_equity: usdt("10000"),
            peak_equity: money(self.peak),
            positions: positions.collect(),
            time: self.now().market,
            ..AccountFrame::default()
        })));
    }

    fn tick(&mut self, at: usize) {
        let step = self.dice.bell() * 0.0004;
        let line = &mut self.lines[at];
        line.last *= 1.0 + step;
        let (name, last, tick) = (line.name, line.last, line.tick);
        let top = BookTop {
            symbol: name,
            update: 1,
            bid: fixed(last - tick, tick),
            bid_qty: qty("1"),
            ask: fixed(last + tick, tick),
            ask_qty: qty("1"),
            time: self.now().market,
        };
        self.show(Happening::Market(MarketEvent::BookTop(top)));
        let mark = Mark {
            symbol: name,
            price: fixed(last, tick),
            index: fixed(last * 0.9999, tick),
            funding_rate: Ratio::parse("0.0001").expect("ratio"),
            next_funding: Timestamp(0),
            time: self.now().market,
        };
        self.show(Happening::Market(MarketEvent::Mark(mark)));
    }

    fn bar(&mut self, at: usize) {
        let open = self.lines[at].last;
        self.lines[at].drift = self.lines[at].drift * 0.96 + self.dice.bell() * 0.00011;
        let swing = open * 0.0009;
        let drift = self.lines[at].drift;
        let close = open * (1.0 + drift) + swing * self.dice.bell();
        let high = open.max(close) + swing * self.dice.next().abs();
        let low = open.min(close) - swing * self.dice.next().abs();
        let busy = 0.4 + self.dice.next().abs() + (close - open).abs() / swing;
        let start = self.now().market;
        let line = &mut self.lines[at];
        line.last = close;
        let before = line.fast > line.slow;
        line.fast += (close - line.fast) * 2.0 / 13.0;
        line.slow += (close - line.slow) * 2.0 / 27.0;
        let after = line.fast > line.slow;
        let bar = Bar {
            symbol: line.name,
            timeframe: Timeframe::M1,
            open_time: start,
            open: fixed(open, line.tick),
            high: fixed(high, line.tick),
            low: fixed(low, line.tick),
            close: fixed(close, line.tick),
            volume: qty(&format!("{:.3}", busy * 2e6 / close)),
            quote_volume: usdt(&format!("{:.2}", busy * 2e6)),
            trades: 900,
        };
        let rsi = 50.0 + 22.0 * (line.fast - line.slow) / (0.001 * close);
        let values: Arc<[f64]> = Arc::from([line.fast, line.slow, rsi.clamp(5.0, 95.0), swing * 1.4]);
        let previous = line.row.replace(Arc::clone(&values));
        self.show(Happening::Market(MarketEvent::BarClosed(bar)));
        self.show(Happening::Indicators(IndicatorFrame { bar, values, previous, warm: true, history: false }));
        if before != after && self.minute > 40 {
            self.trade(at, after);
        }
    }
}

#[actix_web::test]
#[ignore = "serves a page to be looked at, for FULMAR_DEMO_SECONDS (default 60)"]
async fn the_page_can_be_looked_at() {
    let seconds = std::env::var("FULMAR_DEMO_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60_u64);
    let port = std::env::var("FULMAR_DEMO_PORT").ok().and_then(|s| s.parse().ok()).unwrap_or(8_099_u16);
    let names: [(&str, f64, f64); 6] = [
        ("BTCUSDT", 67_412.0, 0.1),
        ("ETHUSDT", 3_518.0, 0.01),
        ("SOLUSDT", 171.4, 0.01),
        ("XRPUSDT", 0.6132, 0.0001),
        ("BNBUSDT", 602.3, 0.01),
        ("DOGEUSDT", 0.16421, 0.00001),
    ];
    let mut wish = Wish { symbols: names.iter().map(|(n, ..)| *n).collect(), ..Wish::default() };
    wish.config.listen.set_port(port);
    wish.columns = ["ema(12)", "ema(26)", "rsi(14)", "atr(14)"].map(str::to_owned).to_vec();
    let rig = Rig::with(wish);
    rig.tree.enabled.store(true, Ordering::Relaxed);
    rig.tree.restarts.store(2, Ordering::Relaxed);
    let lines = names.iter().map(|(name, last, tick)| Line {
        name: symbol(name),
        last: *last,
        fast: *last,
        slow: *last,
        tick: *tick,
        row: None,
        held: None,
        drift: 0.0,
    });
    let mut world =
        World { lines: lines.collect(), rig, dice: Dice(0x5eed_0007), minute: 0, wallet: 10_000.0, seq: 0, decision: 0, peak: 10_000.0 };
    world.show(Happening::Role(Role::Leader { epoch: Epoch(7), sign_until: i64::MAX }));
    let gate = GateWord { state: GateState::Open, epoch: 2 };
    world.show(Happening::Reconciled);
    world.show(Happening::Gate { owner: GateOwner::Recovery, held: GateState::Open, gate, cause: "journal and exchange agree".to_owned() });
    for minute in 0..420 {
        world.minute = minute;
        for at in 0..world.lines.len() {
            world.bar(at);
        }
        world.account();
        if minute == 250 {
            let text = "trading/risk panicked at OrderIntent #4711 and was restarted in 3 ms; nothing queued was lost";
            world.show(Happening::Notice(Notice::new(Severity::Warning, "ACTOR_RESTARTED", text)));
        }
        if minute == 330 {
            world.show(Happening::Feed(FeedStatus { symbol: symbol("SOLUSDT"), state: FeedState::Resynced }));
            let text = "SOLUSDT: a gap of 3 frames was found and filled in 180 ms";
            world.show(Happening::Notice(Notice::new(Severity::Info, "FEED_RESYNCED", text).about(symbol("SOLUSDT"))));
        }
    }
    for line in &world.lines {
        world.show(Happening::Feed(FeedStatus { symbol: line.name, state: FeedState::Up }));
    }
    println!("http://{}/", world.rig.addr);
    for beat in 0..seconds * 5 {
        for at in 0..world.lines.len() {
            world.tick(at);
        }
        if beat % 15 == 14 {
            world.minute += 1;
            for at in 0..world.lines.len() {
                world.bar(at);
            }
        }
        world.account();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.rig.stop().await;
}
