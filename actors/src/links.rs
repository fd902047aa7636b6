//! The links of one engine, by lane.
//!
//! forward: feed → indicator → strategies → risk → execution. facts: execution → position → { risk, strategies, operator,
//! breaker }. control: whoever commands → audit → its target; anyone → notifier. Nobody asks, nobody waits.

use fulmar_domain::audit::AuditIn;
use fulmar_domain::breaker::BreakerIn;
use fulmar_domain::control::Notice;
use fulmar_domain::execution::ExecIn;
use fulmar_domain::failover::FailoverIn;
use fulmar_domain::feed::FeedIn;
use fulmar_domain::id::TimerId;
use fulmar_domain::indicator::IndicatorIn;
use fulmar_domain::notify::NotifyIn;
use fulmar_domain::operator::OperatorIn;
use fulmar_domain::position::node::PositionIn;
use fulmar_domain::risk::node::RiskIn;
use fulmar_domain::strategy::StrategyIn;

use crate::link::Link;

/// All links. Cloning shares them.
#[derive(Clone)]
pub struct Links {
    /// To the market feed.
    pub feed: Link<FeedIn>,
    /// To the indicators.
    pub indicator: Link<IndicatorIn>,
    /// To each strategy, in the order of the configuration.
    pub strategies: Vec<Link<StrategyIn>>,
    /// To the operator's desk.
    pub operator: Link<OperatorIn>,
    /// To risk.
    pub risk: Link<RiskIn>,
    /// To execution.
    pub execution: Link<ExecIn>,
    /// To position.
    pub position: Link<PositionIn>,
    /// To the circuit breaker.
    pub breaker: Link<BreakerIn>,
    /// To fail-over.
    pub failover: Link<FailoverIn>,
    /// To the notifier.
    pub notifier: Link<NotifyIn>,
    /// To audit.
    pub audit: Link<AuditIn>,
}

impl Links {
    /// A notice for people.
    pub fn notify(&self, notice: Notice) {
        self.notifier.push(NotifyIn::Notice(notice));
    }

    /// Lock-step: market time moved. Whoever waits for a time looks whether it has come; the wake-up itself is nobody's.
    pub fn tick(&self) {
        let nobody = TimerId(0);
        self.execution.push(ExecIn::Wake(nobody));
        self.breaker.push(BreakerIn::Wake(nobody));
        self.notifier.push(NotifyIn::Wake(nobody));
    }

    /// One message to every strategy.
    pub fn each_strategy(&self, message: &StrategyIn) {
        for strategy in &self.strategies {
            strategy.push(message.clone());
        }
    }
}
