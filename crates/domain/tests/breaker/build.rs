//! A bench that runs a breaker.

use fulmar_domain::account::AccountFrame;
use fulmar_domain::breaker::{BreakerIn, BreakerNode, BreakerOut, BreakerSettings, BreakerState, TripRule};
use fulmar_domain::gate::GateState;
use fulmar_domain::market::{FeedState, FeedStatus};
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::num::Usdt;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Now, Timestamp};
use std::sync::Arc;

pub const DAY: i64 = 86_400_000;

pub fn feed(name: &str, state: FeedState) -> BreakerIn {
    BreakerIn::Feed(FeedStatus { symbol: Symbol::new(name).expect("symbol"), state })
}
pub fn account(equity: i64, day_start: i64, peak: i64) -> BreakerIn {
    let usdt = |units| Usdt::from_int(units).expect("fits");
    BreakerIn::Account(Arc::new(AccountFrame {
        known: true,
        equity: usdt(equity),
        day_start_equity: usdt(day_start),
        peak_equity: usdt(peak),
        ..AccountFrame::default()
    }))
}

pub struct Bench {
    pub node: BreakerNode,
    pub out: Vec<BreakerOut>,
}
impl Bench {
    pub fn closed() -> Self {
        let mut bench = Self { node: BreakerNode::new(BreakerSettings::default()), out: Vec::new() };
        bench.give(BreakerIn::Restore(Some(BreakerState::default())), 0);
        bench
    }
    pub fn give(&mut self, input: BreakerIn, at: i64) -> &mut Self {
        self.node.on(&input, Now::both(Timestamp(at)), &mut self.out);
        self
    }
    pub fn calls(&mut self, ok: u32, failed: u32, at: i64) -> &mut Self {
        for index in 0..ok + failed {
            self.give(BreakerIn::Errors { failed: index >= ok }, at);
        }
        self
    }
    pub fn gate(&self) -> GateState {
        self.node.gate()
    }
    /// The last word that was put out must be the node's own.
    pub fn told(&self) -> Option<(GateState, String)> {
        self.out.iter().rev().find_map(|o| if let BreakerOut::Gate { state, cause } = o { Some((*state, cause.clone())) } else { None })
    }
    pub fn rules(&self) -> Vec<TripRule> {
        let mut rules: Vec<TripRule> = self.node.state().causes.iter().map(|c| c.rule).collect();
        rules.sort_unstable();
        rules
    }
    pub fn wake(&self) -> Option<WakeAt> {
        self.out.iter().rev().find_map(|o| if let BreakerOut::Wake(wake) = o { Some(*wake) } else { None })
    }
}
