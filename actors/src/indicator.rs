//! The indicator actor: frames for the strategies, and bars fetched again where some are missing.

use std::sync::Arc;

use fulmar_domain::control::{Notice, Severity};
use fulmar_domain::id::TimerId;
use fulmar_domain::indicator::{IndicatorIn, IndicatorNode, IndicatorOut, IndicatorSpec};
use fulmar_domain::market::{Timeframe, WarmupBars};
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::strategy::StrategyIn;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Now;
use fulmar_ports::background::Background;
use fulmar_ports::exchange::MarketReference;
use fulmar_ports::outlook::{Happening, Outlook};

use crate::link::quiescence::Quiescence;
use crate::links::Links;
use crate::recent::Recent;
use crate::shell::Role;

/// What the indicator actor needs.
pub struct Indicator {
    /// Indicators of all strategies.
    pub specs: Vec<IndicatorSpec>,
    /// Bars that warm every strategy up.
    pub warmup_bars: u16,
    /// Where frames go.
    pub links: Links,
    /// What restarted actors are told.
    pub recent: Recent,
    /// Asked for missing bars.
    pub reference: Arc<dyn MarketReference>,
    /// Where that asking is done.
    pub background: Arc<dyn Background>,
    /// Work under way.
    pub quiescence: Quiescence,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
}

impl Indicator {
    fn refill(&self, symbol: Symbol, timeframe: Timeframe) {
        let (link, notifier) = (self.links.indicator.clone(), self.links.clone());
        let bars = self.reference.bars(symbol, timeframe, None, self.warmup_bars);
        let hold = self.quiescence.hold();
        self.background.spawn(Box::pin(async move {
            match bars.await {
                Ok(bars) => link.push(IndicatorIn::Warmup(WarmupBars { symbol, timeframe, bars: bars.into() })),
                Err(error) => {
                    let text = format!(
                        "{symbol} {timeframe}: missing bars could not be fetched ({error}); indicators stay cold until enough bars came"
                    );
                    notifier.notify(Notice::new(Severity::Warning, "BARS_NOT_REFILLED", text).about(symbol));
                }
            }
            drop(hold);
        }));
    }
}

impl Role for Indicator {
    type Node = IndicatorNode;

    const NAME: &'static str = "indicator";

    fn rebuild(&mut self, now: Now) -> IndicatorNode {
        let mut node = IndicatorNode::new(&self.specs);
        let mut unseen = Vec::new();
        for warmup in self.recent.warmups() {
            node.on(&IndicatorIn::Warmup(warmup), now, &mut unseen);
            unseen.clear();
        }
        node
    }

    fn before(&mut self, input: &mut IndicatorIn, _now: Now) {
        if let IndicatorIn::Bar(bar) = input {
            self.recent.bar_begins(bar);
        }
    }

    fn route(&mut self, _node: &IndicatorNode, out: IndicatorOut, now: Now) -> Option<WakeAt> {
        match out {
            IndicatorOut::Frame(frame) => {
                self.recent.set_frame(&frame);
                self.links.each_strategy(&StrategyIn::Frame(frame.clone()));
                if !frame.history {
                    self.outlook.show(Happening::Indicators(frame), now);
                }
            }
            IndicatorOut::Missing { symbol, timeframe, .. } => self.refill(symbol, timeframe),
            IndicatorOut::Refused { symbol, error } => {
                let text = format!("{symbol}: a bar was left out of the indicators: {error}");
                self.links.notify(Notice::new(Severity::Warning, "BAR_REFUSED", text).about(symbol));
            }
        }
        None
    }

    fn wake(_timer: TimerId) -> Option<IndicatorIn> {
        None
    }
}
