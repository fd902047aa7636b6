//! The market feed actor: checked market facts to whoever needs them.

use std::sync::Arc;

use fulmar_domain::breaker::BreakerIn;
use fulmar_domain::feed::{FeedIn, FeedNode, FeedOut};
use fulmar_domain::id::TimerId;
use fulmar_domain::indicator::IndicatorIn;
use fulmar_domain::market::{MarketEvent, WarmupBars};
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::operator::OperatorIn;
use fulmar_domain::position::node::PositionIn;
use fulmar_domain::record::Record;
use fulmar_domain::risk::node::RiskIn;
use fulmar_domain::time::Now;
use fulmar_ports::outlook::{Happening, Outlook};

use crate::facts::Facts;
use crate::links::Links;
use crate::recent::Recent;
use crate::shell::Role;

/// What the market feed needs.
pub struct MarketFeed {
    /// Where its facts go.
    pub links: Links,
    /// The journal.
    pub facts: Facts,
    /// What restarted actors are told.
    pub recent: Recent,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
}

impl MarketFeed {
    fn market(&self, event: MarketEvent, now: Now) {
        match &event {
            MarketEvent::BarClosed(bar) => {
                self.recent.set_handed(bar);
                self.links.indicator.push(IndicatorIn::Bar(*bar));
                self.facts.note(Record::BarSeen(*bar), now);
            }
            MarketEvent::Mark(mark) => {
                self.recent.set_mark(mark);
                self.links.position.push_latest(PositionIn::Mark(*mark));
                self.links.risk.push_latest(RiskIn::Mark(*mark));
                self.links.operator.push_latest(OperatorIn::Mark(*mark));
            }
            _ => {}
        }
        self.outlook.show(Happening::Market(event), now);
    }
}

impl Role for MarketFeed {
    type Node = FeedNode;

    const NAME: &'static str = "market_feed";

    fn rebuild(&mut self, now: Now) -> FeedNode {
        let mut node = FeedNode::default();
        // What was handed on before is known, so that nothing is handed on twice; also what the indicators have not begun yet,
        // so that the next bar does not seem to leave a hole.
        for warmup in self.recent.warmups() {
            node.on(&FeedIn::Warmup(warmup), now, &mut Vec::new());
        }
        for bar in self.recent.handed() {
            let warmup = WarmupBars { symbol: bar.symbol, timeframe: bar.timeframe, bars: [bar].into() };
            node.on(&FeedIn::Warmup(warmup), now, &mut Vec::new());
        }
        node
    }

    fn route(&mut self, _node: &FeedNode, out: FeedOut, now: Now) -> Option<WakeAt> {
        match out {
            FeedOut::Event(event) => self.market(event, now),
            FeedOut::Warmup(warmup) => {
                self.recent.set_warmup(&warmup);
                self.links.indicator.push(IndicatorIn::Warmup(warmup));
            }
            FeedOut::Status(status) => {
                self.recent.set_feed(status);
                self.links.risk.push(RiskIn::Feed(status));
                self.links.breaker.push(BreakerIn::Feed(status));
                self.outlook.show(Happening::Feed(status), now);
            }
            FeedOut::Notice(notice) => self.links.notify(notice),
        }
        None
    }

    fn wake(_timer: TimerId) -> Option<FeedIn> {
        None
    }
}
