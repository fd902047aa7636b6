//! Short builders and a bench that runs a node.

use fulmar_domain::account::{AccountEvent, AccountFrame, AccountSnapshot, Income, SymbolSettings, VenueBalance, VenuePosition};
use fulmar_domain::id::{ClientOrderId, DecisionId, OrderId, StrategyId, TradeId, TranId};
use fulmar_domain::instrument::{Bracket, Brackets};
use fulmar_domain::market::Mark;
use fulmar_domain::node::Node;
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{
    ExitReason, Fill, MarginMode, OrderKind, OrderRole, OrderStatus, OrderUpdate, PositionSide, Protection, Side, WorkingType,
};
use fulmar_domain::position::node::{PositionIn, PositionNode, PositionOut};
use fulmar_domain::record::{LedgerAccount, Record, RoundTrip};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Timestamp};
use std::sync::Arc;

pub fn sym(name: &str) -> Symbol {
    Symbol::new(name).expect("symbol")
}
pub fn btc() -> Symbol {
    sym("BTCUSDT")
}
pub fn eth() -> Symbol {
    sym("ETHUSDT")
}
pub fn ema() -> StrategyId {
    StrategyId::new("ema_rsi").expect("name")
}
pub fn usdt(text: &str) -> Usdt {
    Usdt::parse(text).expect("amount")
}
pub fn price(text: &str) -> Price {
    Price::parse(text).expect("price")
}
pub fn qty(text: &str) -> Qty {
    Qty::parse(text).expect("quantity")
}
pub fn ratio(text: &str) -> Ratio {
    Ratio::parse(text).expect("ratio")
}

/// Tiers of BTCUSDT as published, shortened: 0.4 %, 0.5 %, 1 %, 2.5 %, 5 %.
pub fn tiers(symbol: Symbol) -> Brackets {
    let caps = [50_000, 600_000, 3_000_000, 12_000_000, 70_000_000];
    let mmrs = ["0.004", "0.005", "0.01", "0.025", "0.05"];
    let levers = [125, 100, 75, 50, 25];
    let mut tiers: Vec<Bracket> = Vec::new();
    for (index, cap) in caps.into_iter().enumerate() {
        let mmr = ratio(mmrs[index]);
        let (floor, cum) = tiers.last().map_or((Usdt::ZERO, Usdt::ZERO), |last: &Bracket| {
            let step = Ratio::from_raw(mmr.raw() - last.mmr.raw());
            let raised = last.cap.times(step, fulmar_domain::num::Rounding::HalfEven).expect("fits");
            (last.cap, raised.checked_add(last.cum).expect("fits"))
        });
        tiers.push(Bracket {
            tier: u8::try_from(index + 1).expect("few"),
            leverage_max: levers[index],
            floor,
            cap: Usdt::from_int(cap).expect("fits"),
            mmr,
            cum,
        });
    }
    Brackets { symbol, tiers }
}

pub fn settings(symbol: Symbol, leverage: u16, margin_mode: MarginMode) -> SymbolSettings {
    SymbolSettings { symbol, leverage, margin_mode }
}

pub fn snapshot(wallet: &str, positions: Vec<VenuePosition>, time: i64) -> AccountSnapshot {
    AccountSnapshot {
        wallet: usdt(wallet),
        positions,
        settings: vec![settings(btc(), 10, MarginMode::Isolated), settings(eth(), 5, MarginMode::Cross)],
        taker_fee: ratio("0.0005"),
        maker_fee: ratio("0.0002"),
        time: Timestamp(time),
        ..AccountSnapshot::default()
    }
}

pub fn venue_position(symbol: Symbol, amount: &str, entry: &str, mode: MarginMode, wallet: &str) -> VenuePosition {
    VenuePosition {
        symbol,
        side: PositionSide::Both,
        qty: qty(amount),
        entry: price(entry),
        margin_mode: mode,
        isolated_wallet: usdt(wallet),
    }
}

pub fn fill(symbol: Symbol, trade: i64, side: Side, amount: &str, at: &str, realized: &str, time: i64) -> Fill {
    Fill {
        symbol,
        trade: TradeId(trade),
        order: OrderId(trade),
        side,
        position_side: PositionSide::Both,
        price: price(at),
        qty: qty(amount),
        realized: usdt(realized),
        fee: Usdt::ZERO,
        fee_in_usdt: true,
        maker: false,
        time: Timestamp(time),
    }
}

pub fn protection(stop: &str) -> Protection {
    Protection { stop: price(stop), working: WorkingType::MarkPrice, targets: Vec::new(), trailing: None }
}
pub fn entry_role() -> OrderRole {
    OrderRole::Entry { protection: protection("1") }
}
pub fn exit_role(reason: ExitReason) -> OrderRole {
    OrderRole::Exit { reason }
}

/// A filled order of our own strategy, one order per fill.
pub fn filled(fill: Fill, role: OrderRole) -> OrderUpdate {
    OrderUpdate {
        seq: u64::try_from(fill.trade.0).expect("positive"),
        client_id: ClientOrderId::new(&format!("T-{}-{}", fill.symbol, fill.trade)),
        strategy: ema(),
        decision: DecisionId(u64::try_from(fill.trade.0).expect("positive")),
        symbol: fill.symbol,
        side: fill.side,
        position_side: fill.position_side,
        role: Some(role),
        kind: Some(OrderKind::Market),
        order: Some(fill.order),
        algo: None,
        status: OrderStatus::Filled,
        qty: fill.qty,
        filled: fill.qty,
        time: fill.time,
        fill: Some(fill),
        reject: None,
        frees_reservation: true,
    }
}

pub fn mark(symbol: Symbol, at: &str, time: i64) -> Mark {
    Mark {
        symbol,
        price: price(at),
        index: price(at),
        funding_rate: ratio("0.0001"),
        next_funding: Timestamp(time + 3_600_000),
        time: Timestamp(time),
    }
}

pub fn wallet_event(reason: &str, wallet: &str, change: &str, positions: Vec<VenuePosition>, time: i64) -> AccountEvent {
    AccountEvent {
        reason: reason.to_owned(),
        balances: vec![VenueBalance { asset: "USDT".to_owned(), wallet: usdt(wallet), cross_wallet: usdt(wallet), change: usdt(change) }],
        positions,
        time: Timestamp(time),
    }
}

pub fn income(id: i64, kind: &str, symbol: Option<Symbol>, amount: &str, time: i64) -> Income {
    Income { id: TranId(id), kind: kind.to_owned(), symbol, amount: usdt(amount), asset: "USDT".to_owned(), time: Timestamp(time) }
}

/// A node with its outputs, its journal and a check of the ledger after each input.
pub struct Bench {
    pub node: PositionNode,
    pub out: Vec<PositionOut>,
    pub journal: Vec<Record>,
}

impl Bench {
    /// Knows BTC and ETH, holds 10,000 USDT since instant 1,000.
    pub fn new() -> Self {
        Self::with(snapshot("10000", Vec::new(), 1_000))
    }
    pub fn with(snapshot: AccountSnapshot) -> Self {
        let mut bench = Self { node: PositionNode::default(), out: Vec::new(), journal: Vec::new() };
        for symbol in [btc(), eth()] {
            bench.give(PositionIn::Brackets(Arc::new(tiers(symbol))), 0);
        }
        bench.give(PositionIn::Snapshot(snapshot), 1_000);
        bench
    }
    pub fn give(&mut self, input: PositionIn, at: i64) -> &mut Self {
        let from = self.out.len();
        if let PositionIn::Update(update) = &input {
            self.journal.push(Record::OrderUpdated(update.clone()));
        }
        self.node.on(&input, Now::both(Timestamp(at)), &mut self.out);
        for out in &self.out[from..] {
            if let PositionOut::Journal(record) = out {
                self.journal.push(record.clone());
            }
        }
        self.check_ledger();
        self
    }
    fn check_ledger(&self) {
        use LedgerAccount::{Adjustment, Commission, Funding, Insurance, RealizedPnl, Transfer, Wallet};
        let all = [Wallet, RealizedPnl, Commission, Funding, Transfer, Insurance, Adjustment];
        let sum: i128 = all.iter().map(|account| i128::from(self.node.balance(*account).raw())).sum();
        assert_eq!(sum, 0, "the ledger balances after every input");
        assert_eq!(self.node.frame().expect("fits").wallet, self.node.balance(Wallet));
    }
    pub fn frame(&self) -> Arc<AccountFrame> {
        self.out.iter().rev().find_map(|o| if let PositionOut::Frame(f) = o { Some(Arc::clone(f)) } else { None }).expect("a frame")
    }
    pub fn mismatches(&self) -> Vec<String> {
        self.out.iter().filter_map(|o| if let PositionOut::Mismatch { text } = o { Some(text.clone()) } else { None }).collect()
    }
    pub fn notices(&self) -> Vec<String> {
        self.out.iter().filter_map(|o| if let PositionOut::Notice(n) = o { Some(n.code.clone()) } else { None }).collect()
    }
    pub fn trips(&self) -> Vec<RoundTrip> {
        self.journal.iter().filter_map(|r| if let Record::TradeClosed(t) = r { Some(t.clone()) } else { None }).collect()
    }
    pub fn differences(&self) -> Vec<String> {
        self.journal.iter().filter_map(|r| if let Record::DifferenceFound { text } = r { Some(text.clone()) } else { None }).collect()
    }
}
