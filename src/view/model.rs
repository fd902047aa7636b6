//! The read model: what the API and the page show, kept by the view's own thread.
//!
//! Every fact that a channel carries is put into that channel's ring at the moment it changes the model, so that snapshot and
//! frames tell the same story. Invariant: nothing here is read by trading.

use super::decimal::to_json;
use super::market::{Market, Newest};
use super::ring::{Channel, Frame, Part, Ring};
use super::shape::{EquityShape, EventShape, IndicatorShape, OrderShape, PerformanceShape, PositionShape, SignalShape, Verdict};
use fulmar_domain::account::AccountFrame;
use fulmar_domain::control::Severity;
use fulmar_domain::gate::{GateOwner, GateState, GateWord, Role};
use fulmar_domain::id::{DecisionId, StrategyId};
use fulmar_domain::market::{MarketEvent, Timeframe};
use fulmar_domain::num::{Ratio, Rounding, Usdt};
use fulmar_domain::order::{OrderIntent, OrderUpdate};
use fulmar_domain::record::{RefusalRecord, RoundTrip};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Timestamp};
use fulmar_ports::outlook::Happening;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Signals remembered; a verdict is looked up among them.
const SIGNALS_KEPT: usize = 2_000;
/// Order facts, events and refusals remembered.
const FACTS_KEPT: usize = 1_000;
/// Points of the equity curve; when full, every second one goes.
const EQUITY_KEPT: usize = 4_096;
/// Elements of a snapshot that is a list of past things.
const SNAPSHOT_FACTS: usize = 200;
/// Bars and rows per symbol and timeframe in a snapshot.
const SNAPSHOT_BARS: usize = 300;

#[derive(Debug, Default)]
struct Earned {
    wins: u64,
    losses: u64,
    gains: Usdt,
    losts: Usdt,
    fees: Usdt,
    funding: Usdt,
}

/// All that is shown.
#[derive(Debug)]
pub struct Model {
    /// Prices, bars, indicators.
    pub market: Market,
    /// The newest complete account.
    pub account: Option<Arc<AccountFrame>>,
    /// The gate; `None` until the first word.
    pub gate: Option<GateWord>,
    /// Why, by owner that holds it shut.
    pub holds: BTreeMap<GateOwner, (GateState, String)>,
    /// The role; `None` until the first word.
    pub role: Option<Role>,
    /// Journal and exchange agree.
    pub reconciled: bool,
    /// Newest of both clocks.
    pub now: Now,
    signals: BTreeMap<u64, SignalShape>,
    signal_order: VecDeque<u64>,
    refusals: VecDeque<u64>,
    orders: VecDeque<OrderShape>,
    events: VecDeque<EventShape>,
    equity: Vec<EquityShape>,
    equity_step: i64,
    earned: BTreeMap<(StrategyId, Symbol), Earned>,
    supervision: Option<String>,
    rings: Vec<Ring>,
    stream: String,
    dirty_tickers: BTreeSet<Symbol>,
    dirty_forming: BTreeSet<Symbol>,
    dirty_account: bool,
}

fn part<T: Serialize>(symbol: Option<Symbol>, shape: &T) -> Vec<Part> {
    // A shape that cannot be written would be a mistake in this file; the frame is then left out, the model stays.
    to_json(shape).ok().map(|json| Part { symbol, json }).into_iter().collect()
}

fn bounded<T>(list: &mut VecDeque<T>, item: T, kept: usize) {
    if list.len() == kept {
        list.pop_front();
    }
    list.push_back(item);
}

impl Model {
    /// An empty model. `stream` names this run, so that a client notices that numbering began anew.
    #[must_use]
    pub fn new(market: Market, stream: String) -> Self {
        Self {
            market,
            account: None,
            gate: None,
            holds: BTreeMap::new(),
            role: None,
            reconciled: false,
            now: Now::default(),
            signals: BTreeMap::new(),
            signal_order: VecDeque::new(),
            refusals: VecDeque::new(),
            orders: VecDeque::new(),
            events: VecDeque::new(),
            equity: vec![],
            equity_step: 1_000,
            earned: BTreeMap::new(),
            supervision: None,
            rings: Channel::ALL.into_iter().map(Ring::new).collect(),
            stream,
            dirty_tickers: BTreeSet::new(),
            dirty_forming: BTreeSet::new(),
            dirty_account: false,
        }
    }

    fn publish(&mut self, channel: Channel, parts: Vec<Part>) {
        let time = self.now.market;
        if let Some(ring) = self.rings.get_mut(channel as usize) {
            ring.push(time, parts);
        }
    }

    /// Takes the newest prices of a symbol.
    pub fn newest(&mut self, symbol: Symbol, came: Newest) {
        if came.forming.is_some() {
            self.dirty_forming.insert(symbol);
        }
        self.market.newest(symbol, came);
        self.dirty_tickers.insert(symbol);
    }

    /// Takes a fact.
    pub fn take(&mut self, happening: Happening, now: Now) {
        self.now = Now { market: self.now.market.max(now.market), protocol: self.now.protocol.max(now.protocol) };
        match happening {
            Happening::Market(MarketEvent::BarClosed(bar)) => {
                self.dirty_tickers.insert(bar.symbol);
                if self.market.bar(&bar) {
                    self.publish(Channel::Bars, part(Some(bar.symbol), &super::shape::BarShape { bar, closed: true }));
                }
            }
            Happening::Market(_) => {}
            Happening::Feed(status) => {
                self.market.feed(status.symbol, status.state);
                self.dirty_tickers.insert(status.symbol);
            }
            Happening::Indicators(frame) => {
                self.market.indicators(&frame);
                if !frame.history {
                    let rows = self.market.rows(frame.bar.symbol, frame.bar.timeframe, 1);
                    self.publish(Channel::Indicators, rows.iter().flat_map(|row| part(Some(row.symbol), row)).collect());
                }
            }
            Happening::Intent(intent) => self.signal(intent.decision, Some(&intent), |_| {}),
            Happening::Approved(intent) => self.signal(intent.decision, Some(&intent), |s| s.verdict = Verdict::Approved),
            Happening::Refused(refusal) => self.refused(refusal),
            Happening::Order(update) => self.order(&update),
            Happening::Account(frame) => self.account(frame),
            Happening::Ledger(_) => {}
            Happening::Trade(trip) => self.trade(&trip),
            Happening::Gate { owner, held, gate, cause } => {
                self.gate = Some(gate);
                let word = match gate.state {
                    GateState::Open => "GATE_OPEN",
                    GateState::ReduceOnly => "GATE_REDUCE_ONLY",
                    GateState::Halted => "GATE_HALTED",
                };
                if held == GateState::Open {
                    self.holds.remove(&owner);
                } else {
                    self.holds.insert(owner, (held, cause.clone()));
                }
                if gate.state == GateState::Open {
                    self.holds.clear();
                }
                let severity = if gate.state == GateState::Open { Severity::Info } else { Severity::Warning };
                self.event("gate", severity, word.to_owned(), cause, None, now.market);
            }
            Happening::Role(role) => {
                self.role = Some(role);
                let (severity, code, text) = match role {
                    Role::Leader { epoch, .. } => (Severity::Info, "ROLE_LEADER", format!("this process trades, epoch {epoch}")),
                    Role::Standby => (Severity::Info, "ROLE_STANDBY", "another process holds the lease".to_owned()),
                    Role::Fenced => (Severity::Critical, "ROLE_FENCED", "this process lost the lease".to_owned()),
                };
                self.event("role", severity, code.to_owned(), text, None, now.market);
            }
            Happening::Notice(notice) => self.event("notice", notice.severity, notice.code, notice.text, notice.symbol, now.market),
            Happening::Reconciled => {
                self.reconciled = true;
                let text = "journal and exchange agree".to_owned();
                self.event("reconciled", Severity::Info, "RECONCILED".to_owned(), text, None, now.market);
            }
        }
    }

    fn event(&mut self, kind: &'static str, severity: Severity, code: String, text: String, symbol: Option<Symbol>, time: Timestamp) {
        let event = EventShape { kind, severity, code, text, symbol, time };
        self.publish(Channel::Events, part(symbol, &event));
        bounded(&mut self.events, event, FACTS_KEPT);
    }

    /// Changes a signal, which is made from the intent where it is not known yet.
    fn signal(&mut self, decision: DecisionId, intent: Option<&OrderIntent>, change: impl FnOnce(&mut SignalShape)) {
        if decision.0 == 0 {
            return;
        }
        if !self.signals.contains_key(&decision.0) {
            let Some(intent) = intent else { return };
            if self.signal_order.len() == SIGNALS_KEPT
                && let Some(oldest) = self.signal_order.pop_front()
            {
                self.signals.remove(&oldest);
                self.refusals.retain(|id| *id != oldest);
            }
            self.signal_order.push_back(decision.0);
            self.signals.insert(decision.0, SignalShape::from(intent));
        }
        let Some(signal) = self.signals.get_mut(&decision.0) else { return };
        change(signal);
        let (symbol, parts) = (signal.symbol, part(Some(signal.symbol), &*signal));
        debug_assert!(parts.iter().all(|p| p.symbol == Some(symbol)));
        self.publish(Channel::Signals, parts);
    }

    fn refused(&mut self, refusal: RefusalRecord) {
        let decision = refusal.intent.decision;
        self.signal(decision, Some(&refusal.intent), |s| {
            s.verdict = Verdict::Refused;
            s.code = refusal.failures.first().map(|f| f.code.clone());
            s.failures = refusal.failures;
        });
        bounded(&mut self.refusals, decision.0, FACTS_KEPT);
    }

    /// An approved order was dropped before it left.
    pub fn voided(&mut self, decision: DecisionId, cause: &str) {
        self.signal(decision, None, |s| {
            s.verdict = Verdict::Voided;
            s.cause = Some(cause.to_owned());
        });
    }

    fn order(&mut self, update: &OrderUpdate) {
        let shape = OrderShape::from(update);
        self.publish(Channel::Orders, part(Some(update.symbol), &shape));
        if matches!(shape.role, "entry" | "exit") {
            let copy = shape.clone();
            self.signal(update.decision, None, |s| {
                if s.verdict == Verdict::Pending {
                    s.verdict = Verdict::Approved;
                }
                s.order = Some(copy);
            });
        }
        bounded(&mut self.orders, shape, FACTS_KEPT);
    }

    fn account(&mut self, frame: Arc<AccountFrame>) {
        if frame.known {
            let point = EquityShape { time: frame.time.max(self.now.market), wallet: frame.wallet, equity: frame.equity };
            let due = self.equity.last().is_none_or(|last| point.time.since(last.time).0 >= self.equity_step);
            if due {
                self.publish(Channel::Equity, part(None, &point));
                self.equity.push(point);
                if self.equity.len() > EQUITY_KEPT {
                    let mut keep = false;
                    self.equity.retain(|_| {
                        keep = !keep;
                        keep
                    });
                    self.equity_step *= 2;
                }
            }
        }
        self.account = Some(frame);
        self.dirty_account = true;
    }

    fn trade(&mut self, trip: &RoundTrip) {
        let net = trip.realized.checked_sub(trip.fees).and_then(|n| n.checked_add(trip.funding)).unwrap_or_default();
        let earned = self.earned.entry((trip.strategy, trip.symbol)).or_default();
        let sum = |a: Usdt, b: Usdt| a.checked_add(b).unwrap_or(a);
        if net.is_negative() {
            earned.losses += 1;
            earned.losts = sum(earned.losts, net.abs());
        } else {
            earned.wins += 1;
            earned.gains = sum(earned.gains, net);
        }
        earned.fees = sum(earned.fees, trip.fees);
        earned.funding = sum(earned.funding, trip.funding);
    }

    /// Puts out what is gathered: prices and forming bars that changed, and the positions.
    pub fn flush(&mut self) {
        let symbols = std::mem::take(&mut self.dirty_tickers);
        let parts = symbols.iter().filter_map(|s| self.ticker_part(*s)).collect();
        self.publish(Channel::Ticker, parts);
        for symbol in std::mem::take(&mut self.dirty_forming) {
            for timeframe in self.market.timeframes(symbol) {
                if let Some(bar) = self.market.forming(symbol, timeframe) {
                    self.publish(Channel::Bars, part(Some(symbol), &bar));
                }
            }
        }
        if std::mem::take(&mut self.dirty_account) {
            let parts = self.position_parts();
            self.publish(Channel::Positions, parts);
        }
    }

    fn ticker_part(&self, symbol: Symbol) -> Option<Part> {
        let json = to_json(&self.market.ticker(symbol)?).ok()?;
        Some(Part { symbol: Some(symbol), json: format!("\"{symbol}\":{json}") })
    }

    fn position_parts(&self) -> Vec<Part> {
        self.positions().iter().flat_map(|p| part(Some(p.symbol), p)).collect()
    }

    /// Takes the supervision tree as JSON.
    pub fn supervision(&mut self, json: String) {
        self.publish(Channel::Supervision, vec![Part { symbol: None, json: json.clone() }]);
        self.supervision = Some(json);
    }

    /// The frames of a channel after number `seen`, at most `limit`; `None`: a snapshot is needed.
    #[must_use]
    pub fn after(&self, channel: Channel, seen: u64, limit: usize) -> Option<Vec<Frame>> {
        self.rings.get(channel as usize)?.after(seen, limit)
    }

    /// Number of the newest frame of a channel.
    #[must_use]
    pub fn last(&self, channel: Channel) -> u64 {
        self.rings.get(channel as usize).map_or(0, Ring::last)
    }

    /// Name of this run.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// All that a client needs to know before the next frame of a channel; for these symbols only, where any are named.
    #[must_use]
    pub fn snapshot(&self, channel: Channel, symbols: &[Symbol]) -> Frame {
        let wanted = |s: &Symbol| symbols.is_empty() || symbols.contains(s);
        let tail = |len: usize| len.saturating_sub(SNAPSHOT_FACTS);
        let series = || {
            let all = self.market.symbols().into_iter().filter(wanted);
            all.flat_map(|s| self.market.timeframes(s).into_iter().map(move |t| (s, t))).collect::<Vec<(Symbol, Timeframe)>>()
        };
        let parts = match channel {
            Channel::Ticker => self.market.symbols().into_iter().filter(wanted).filter_map(|s| self.ticker_part(s)).collect(),
            Channel::Bars => {
                let bars = series().into_iter().flat_map(|(s, t)| self.market.bars(s, t, SNAPSHOT_BARS));
                bars.flat_map(|b| part(Some(b.bar.symbol), &b)).collect()
            }
            Channel::Indicators => {
                let rows = series().into_iter().flat_map(|(s, t)| self.market.rows(s, t, SNAPSHOT_BARS));
                rows.flat_map(|r: IndicatorShape| part(Some(r.symbol), &r)).collect()
            }
            Channel::Signals => {
                let ids = self.signal_order.iter().skip(tail(self.signal_order.len()));
                ids.filter_map(|id| self.signals.get(id)).filter(|s| wanted(&s.symbol)).flat_map(|s| part(Some(s.symbol), s)).collect()
            }
            Channel::Orders => {
                let facts = self.orders.iter().filter(|o| wanted(&o.symbol)).collect::<Vec<_>>();
                facts.iter().skip(tail(facts.len())).flat_map(|o| part(Some(o.symbol), o)).collect()
            }
            Channel::Positions => self.position_parts().into_iter().filter(|p| p.symbol.is_none_or(|s| wanted(&s))).collect(),
            Channel::Equity => self.equity.iter().flat_map(|p| part(None, p)).collect(),
            Channel::Events => self.events.iter().skip(tail(self.events.len())).flat_map(|e| part(e.symbol, e)).collect(),
            Channel::Supervision => self.supervision.iter().map(|json| Part { symbol: None, json: json.clone() }).collect(),
        };
        Frame::new(channel, self.last(channel), self.now.market, Some(&self.stream), parts)
    }

    /// The open positions.
    #[must_use]
    pub fn positions(&self) -> Vec<PositionShape> {
        self.account.iter().flat_map(|a| &a.positions).map(PositionShape::from).collect()
    }
    /// The orders that are not final.
    #[must_use]
    pub fn open_orders(&self) -> Vec<OrderShape> {
        self.account.iter().flat_map(|a| &a.orders).map(OrderShape::from).collect()
    }
    /// A signal by its decision.
    #[must_use]
    pub fn signal_of(&self, decision: DecisionId) -> Option<&SignalShape> {
        self.signals.get(&decision.0)
    }
    /// The last signals, newest first.
    #[must_use]
    pub fn signals(&self, limit: usize) -> Vec<&SignalShape> {
        self.signal_order.iter().rev().take(limit).filter_map(|id| self.signals.get(id)).collect()
    }
    /// The last refusals, newest first.
    #[must_use]
    pub fn refusals(&self, limit: usize) -> Vec<&SignalShape> {
        self.refusals.iter().rev().take(limit).filter_map(|id| self.signals.get(id)).collect()
    }
    /// The last events, newest first.
    #[must_use]
    pub fn events(&self, limit: usize) -> Vec<&EventShape> {
        self.events.iter().rev().take(limit).collect()
    }
    /// The equity curve of this run, oldest first.
    #[must_use]
    pub fn equity(&self) -> &[EquityShape] {
        &self.equity
    }

    /// What a strategy has earned. Counts and realised profit are the account's; wins, losses, fees and funding are of this run.
    #[must_use]
    pub fn performance(&self, strategy: StrategyId, symbol: Option<Symbol>) -> PerformanceShape {
        let wanted = |desk: &(StrategyId, Symbol)| desk.0 == strategy && symbol.is_none_or(|s| s == desk.1);
        let mut shape = PerformanceShape::default();
        let sum = |a: Usdt, b: Usdt| a.checked_add(b).unwrap_or(a);
        for (desk, record) in self.account.iter().flat_map(|a| &a.records) {
            if wanted(desk) {
                shape.trades += u64::from(record.trades);
                shape.losses_in_a_row = shape.losses_in_a_row.max(record.losses_in_a_row);
                shape.realized_pnl = sum(shape.realized_pnl, record.realized);
            }
        }
        let (mut gains, mut losts) = (Usdt::ZERO, Usdt::ZERO);
        for (desk, earned) in &self.earned {
            if wanted(desk) {
                shape.wins += earned.wins;
                shape.losses += earned.losses;
                shape.fees = sum(shape.fees, earned.fees);
                shape.funding = sum(shape.funding, earned.funding);
                gains = sum(gains, earned.gains);
                losts = sum(losts, earned.losts);
            }
        }
        let ended = i64::try_from(shape.wins + shape.losses).unwrap_or(i64::MAX);
        let wins = Ratio::from_int(i64::try_from(shape.wins).unwrap_or(i64::MAX));
        shape.win_rate = wins.and_then(|w| w.over_int(ended, Rounding::HalfEven)).ok();
        shape.profit_factor = gains.share_of(losts, Rounding::HalfEven).ok();
        shape
    }
}
