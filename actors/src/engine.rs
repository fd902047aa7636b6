//! The engine put together: seats in their groups, links between them, what happens when a group gives up.
//!
//! The ports come from outside, placement too; everything else about how actors hang together stands here, so that a test in
//! virtual time and the program run the same house.

mod hooks;
mod letters;

use std::sync::Arc;

use actix::ArbiterHandle;
use fulmar_domain::breaker::BreakerSettings;
use fulmar_domain::execution::Tally;
use fulmar_domain::failover::LeaseRules;
use fulmar_domain::gate::{GateOwner, GateState};
use fulmar_domain::indicator::{IndicatorSpec, Layout};
use fulmar_domain::position::node::PositionIn;
use fulmar_domain::risk::RiskLimits;
use fulmar_domain::risk::node::RiskIn;
use fulmar_domain::strategy::{StrategyIn, StrategySettings};
use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::background::Background;
use fulmar_ports::channel::Channel;
use fulmar_ports::clock::Clock;
use fulmar_ports::exchange::{MarketReference, TradingVenue};
use fulmar_ports::lease::{Lease, LeaseGrant};
use fulmar_ports::outlook::Outlook;
use fulmar_ports::recorder::Recorder;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::audit::{Acknowledge, Audit};
use crate::circuit_breaker::{CircuitBreaker, StoredState};
use crate::execution::Execution;
use crate::facts::{Facts, Fold};
use crate::failover::Failover;
use crate::gate_desk::GateDesk;
use crate::indicator::Indicator;
use crate::link::Switchboard;
use crate::link::quiescence::Quiescence;
use crate::links::Links;
use crate::market_feed::MarketFeed;
use crate::notifier::{DELIVERIES_MAX, Notifier};
use crate::operator::Operator;
use crate::position::Position;
use crate::recent::Recent;
use crate::risk::Risk;
use crate::shell::{Role, Shell, Wakening};
use crate::strategy::Strategy;
use crate::supervision::dead_letters::DeadLetterBook;
use crate::supervision::guard::Seat;
use crate::supervision::policy::SupervisionPolicy;
use crate::supervision::supervisor::Supervisor;
use crate::trade_gate::TradeGate;
use crate::turnstile::Turnstile;

use hooks::{HaltAndExit, MarketHooks, PlatformHooks, StrategyHooks, TradingHooks};
use letters::Letters;

/// Ends the process with this exit code, after what may still be written has been written.
pub type Exit = Arc<dyn Fn(i32) + Send + Sync>;

/// What an engine is made of.
pub struct EngineParts {
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// How wake-ups come about.
    pub wakening: Wakening,
    /// The journal.
    pub recorder: Arc<dyn Recorder>,
    /// What recovery read from the journal.
    pub fold: Fold,
    /// Contracts, brackets, warm-up bars and marks known before the start.
    pub recent: Recent,
    /// The exchange: trading.
    pub venue: Arc<dyn TradingVenue>,
    /// The exchange: market.
    pub reference: Arc<dyn MarketReference>,
    /// Where waiting work runs.
    pub background: Arc<dyn Background>,
    /// The lease, and the grant already held, if any.
    pub lease: Arc<dyn Lease>,
    /// The grant found or taken before the start.
    pub grant: Option<LeaseGrant>,
    /// Name of this process among those that share the lease.
    pub holder: String,
    /// Where notices go.
    pub channels: Vec<Arc<dyn Channel>>,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
    /// Hears what became of commands.
    pub acknowledge: Acknowledge,
    /// Strategy instances.
    pub strategies: Vec<StrategySettings>,
    /// Indicators of all strategies.
    pub specs: Vec<IndicatorSpec>,
    /// Bars that warm every strategy up.
    pub warmup_bars: u16,
    /// Limits of risk.
    pub limits: RiskLimits,
    /// Limits of the circuit breaker.
    pub breaker: BreakerSettings,
    /// Its stored state.
    pub breaker_state: StoredState,
    /// Figures of the lease.
    pub lease_rules: LeaseRules,
    /// How long a signed request may still reach the exchange: receive window and margin.
    pub fence: Span,
    /// After a start over an earlier journal: until when its last requests may still arrive.
    pub first_fence: Option<Timestamp>,
    /// For how long equal notices are gathered.
    pub notice_window: Span,
    /// Figures of supervision.
    pub supervision: SupervisionPolicy,
    /// Faults may be injected.
    pub faults: bool,
    /// Leaves the process.
    pub exit: Exit,
}

/// On which arbiter each part runs; `None` is the current one.
#[derive(Default, Clone)]
pub struct Placement {
    /// Feed, indicators, strategies, risk, execution, position.
    pub trading: Option<ArbiterHandle>,
    /// Circuit breaker, fail-over.
    pub safety: Option<ArbiterHandle>,
    /// Audit, notifier.
    pub platform: Option<ArbiterHandle>,
}

/// A running engine. Cloning shares it.
#[derive(Clone)]
pub struct Engine {
    /// The links.
    pub links: Links,
    /// The gate and who hears of it.
    pub gate: GateDesk,
    /// Makes and counts links.
    pub switchboard: Switchboard,
    /// The tree of groups.
    pub supervisor: Supervisor,
    /// Work under way.
    pub quiescence: Quiescence,
    /// The journal and its fold.
    pub facts: Facts,
    /// What restarted actors are told.
    pub recent: Recent,
    /// Dead letters.
    pub dead_letters: Arc<DeadLetterBook>,
    /// What was approved, sent and voided so far.
    pub tally: Arc<Mutex<Tally>>,
}

/// The engine could not be started.
#[derive(Debug)]
pub struct NotStarted(pub String);
impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the engine could not be started: {}", self.0)
    }
}
impl std::error::Error for NotStarted {}

/// Dead letters kept in memory.
const DEAD_LETTERS_KEPT: usize = 1_024;

fn launch<R: Role + Send>(
    seat: Seat<Shell<R>>,
    arbiter: Option<&ArbiterHandle>,
    role: R,
    clock: &Arc<dyn Clock>,
    wakening: Wakening,
) -> Result<(), NotStarted>
where
    Shell<R>: actix::Actor<Context = actix::Context<Shell<R>>> + actix::Supervised,
{
    let clock = Arc::clone(clock);
    let build = move || Shell::new(role, clock, wakening);
    match arbiter {
        None => {
            seat.start(build);
            Ok(())
        }
        Some(arbiter) => seat.start_on(arbiter, build).map(|_| ()).map_err(|error| NotStarted(error.to_string())),
    }
}

impl Engine {
    /// Takes the seats, makes the links, starts the actors. The gate stays shut until the exchange has been asked.
    ///
    /// # Errors
    /// [`NotStarted`] when two actors share a name or an arbiter has ended.
    pub fn start(parts: EngineParts, placement: &Placement) -> Result<Self, NotStarted> {
        let quiescence = Quiescence::new();
        let dead_letters = Arc::new(DeadLetterBook::new(DEAD_LETTERS_KEPT));
        let facts = Facts::new(Arc::clone(&parts.recorder), parts.fold);
        let letters = Arc::new(Letters::new(Arc::clone(&dead_letters), facts.clone(), Arc::clone(&parts.clock)));
        let switchboard = Switchboard::new(letters.clone(), quiescence.clone());
        let supervisor = Supervisor::new(letters.clone(), quiescence.clone());
        let gate = TradeGate::new();
        let tally = Arc::new(Mutex::new(Tally::default()));
        let policy = &parts.supervision;

        let trading_hooks = Arc::new(TradingHooks::default());
        let market_hooks = Arc::new(MarketHooks::default());
        let strategy_hooks = Arc::new(StrategyHooks::default());
        let safety_hooks = Arc::new(HaltAndExit::default());
        let audit_hooks = Arc::new(HaltAndExit::default());
        let trading = supervisor.group("trading", policy.trading.clone(), trading_hooks.clone());
        let market = supervisor.group("market", policy.market.clone(), market_hooks.clone());
        let strategies = supervisor.group("strategies", policy.strategies.clone(), strategy_hooks.clone());
        let safety = supervisor.group("safety", policy.safety.clone(), safety_hooks.clone());
        let audit_group = supervisor.group("audit", policy.audit.clone(), audit_hooks.clone());
        let platform = supervisor.group("platform", policy.platform.clone(), Arc::new(PlatformHooks));

        let taken = |error: crate::supervision::group::NameTaken| NotStarted(error.to_string());
        let risk = trading.seat::<Shell<Risk>>("risk").map_err(taken)?;
        let execution = trading.seat::<Shell<Execution>>("execution").map_err(taken)?;
        let position = trading.seat::<Shell<Position>>("position").map_err(taken)?;
        let feed = market.seat::<Shell<MarketFeed>>("market_feed").map_err(taken)?;
        let indicator = market.seat::<Shell<Indicator>>("indicator").map_err(taken)?;
        let mut strategy_seats = Vec::new();
        for settings in &parts.strategies {
            strategy_seats.push(strategies.seat::<Shell<Strategy>>(&format!("strategy:{}", settings.id)).map_err(taken)?);
        }
        let operator = strategies.seat::<Shell<Operator>>("operator").map_err(taken)?;
        let breaker = safety.seat::<Shell<CircuitBreaker>>("circuit_breaker").map_err(taken)?;
        let failover = safety.seat::<Shell<Failover>>("failover").map_err(taken)?;
        let audit = audit_group.seat::<Shell<Audit>>("audit").map_err(taken)?;
        let notifier = platform.seat::<Shell<Notifier>>("notifier").map_err(taken)?;

        let lock_step = parts.wakening == Wakening::MarketTime;
        let account_key = |_: &StrategyIn| ();
        let links = Links {
            feed: switchboard.link("feed", feed.addr().recipient()),
            indicator: switchboard.link("indicator", indicator.addr().recipient()),
            // In lock-step nothing is conflated: what is decided must not depend on how fast an actor was.
            strategies: strategy_seats
                .iter()
                .zip(&parts.strategies)
                .map(|(seat, settings)| {
                    let name = format!("strategy:{}", settings.id);
                    if lock_step {
                        switchboard.link(&name, seat.addr().recipient())
                    } else {
                        switchboard.link_latest(&name, seat.addr().recipient(), seat.addr().recipient(), account_key)
                    }
                })
                .collect(),
            operator: switchboard.link("operator", operator.addr().recipient()),
            risk: if lock_step {
                switchboard.link("risk", risk.addr().recipient())
            } else {
                switchboard.link_latest("risk", risk.addr().recipient(), risk.addr().recipient(), |m: &RiskIn| match m {
                    RiskIn::Mark(mark) => Some(mark.symbol),
                    _ => None,
                })
            },
            execution: switchboard.link("execution", execution.addr().recipient()),
            position: if lock_step {
                switchboard.link("position", position.addr().recipient())
            } else {
                switchboard.link_latest("position", position.addr().recipient(), position.addr().recipient(), |m: &PositionIn| match m {
                    PositionIn::Mark(mark) => Some(mark.symbol),
                    _ => None,
                })
            },
            breaker: switchboard.link("circuit_breaker", breaker.addr().recipient()),
            failover: switchboard.link("failover", failover.addr().recipient()),
            notifier: switchboard.link("notifier", notifier.addr().recipient()),
            audit: switchboard.link("audit", audit.addr().recipient()),
        };
        letters.connect(links.clone());
        let gate = GateDesk {
            gate,
            links: links.clone(),
            facts: facts.clone(),
            outlook: Arc::clone(&parts.outlook),
            clock: Arc::clone(&parts.clock),
        };
        trading_hooks.connect(
            gate.clone(),
            facts.clone(),
            Arc::clone(&parts.venue),
            Arc::clone(&parts.background),
            Arc::clone(&parts.exit),
        );
        market_hooks.connect(gate.clone());
        strategy_hooks.connect(links.clone(), &parts.strategies, Arc::clone(&parts.clock));
        safety_hooks.connect(gate.clone(), Arc::clone(&parts.exit));
        audit_hooks.connect(gate.clone(), Arc::clone(&parts.exit));
        if parts.grant.is_none() {
            gate.gate.close(GateOwner::Failover, GateState::Halted, "the lease is not held yet");
        }

        let layout = Layout::new(&parts.specs);
        let engine = Self {
            links: links.clone(),
            gate: gate.clone(),
            switchboard,
            supervisor,
            quiescence: quiescence.clone(),
            facts: facts.clone(),
            recent: parts.recent.clone(),
            dead_letters,
            tally: Arc::clone(&tally),
        };
        let (clock, wakening, outlook, recent) = (&parts.clock, parts.wakening, &parts.outlook, &parts.recent);
        let on_trading = placement.trading.as_ref();
        let faulty = parts.faults;

        macro_rules! seat {
            ($seat:expr) => {
                if faulty { $seat.with_faults() } else { $seat }
            };
        }
        let role = Position {
            gate: gate.clone(),
            links: links.clone(),
            facts: facts.clone(),
            recent: recent.clone(),
            outlook: Arc::clone(outlook),
        };
        launch(seat!(position), on_trading, role, clock, wakening)?;
        let role = Risk {
            limits: parts.limits,
            gate: gate.gate.clone(),
            links: links.clone(),
            facts: facts.clone(),
            recent: recent.clone(),
            outlook: Arc::clone(outlook),
        };
        launch(seat!(risk), on_trading, role, clock, wakening)?;
        let lane = |index: usize| u8::try_from(index + 1).unwrap_or(u8::MAX);
        for (index, (seat, settings)) in strategy_seats.into_iter().zip(parts.strategies).enumerate() {
            let role = Strategy {
                settings,
                layout: layout.clone(),
                lane: lane(index),
                generation: 0,
                paused: false,
                gate: gate.gate.clone(),
                links: links.clone(),
                facts: facts.clone(),
                recent: recent.clone(),
                outlook: Arc::clone(outlook),
            };
            launch(seat!(seat), on_trading, role, clock, wakening)?;
        }
        let role = Operator {
            gate: gate.gate.clone(),
            links: links.clone(),
            facts: facts.clone(),
            recent: recent.clone(),
            outlook: Arc::clone(outlook),
        };
        launch(seat!(operator), on_trading, role, clock, wakening)?;
        let role = Indicator {
            specs: parts.specs,
            warmup_bars: parts.warmup_bars,
            links: links.clone(),
            recent: recent.clone(),
            reference: parts.reference,
            background: Arc::clone(&parts.background),
            quiescence: quiescence.clone(),
            outlook: Arc::clone(outlook),
        };
        launch(seat!(indicator), on_trading, role, clock, wakening)?;
        let role = MarketFeed { links: links.clone(), facts: facts.clone(), recent: recent.clone(), outlook: Arc::clone(outlook) };
        launch(seat!(feed), on_trading, role, clock, wakening)?;
        let role = CircuitBreaker {
            settings: parts.breaker,
            stored: parts.breaker_state,
            gate: gate.clone(),
            links: links.clone(),
            facts: facts.clone(),
            recent: recent.clone(),
        };
        launch(seat!(breaker), placement.safety.as_ref(), role, clock, wakening)?;
        let role = Failover {
            rules: parts.lease_rules,
            holder: parts.holder,
            lease: parts.lease,
            grant: Arc::new(Mutex::new(parts.grant)),
            background: Arc::clone(&parts.background),
            clock: Arc::clone(clock),
            gate: gate.clone(),
            links: links.clone(),
            facts: facts.clone(),
            outlook: Arc::clone(outlook),
            told: None,
        };
        // The lease lives on the wall clock, also in lock-step.
        launch(seat!(failover), placement.safety.as_ref(), role, clock, Wakening::Timers)?;
        let role = Audit {
            links: links.clone(),
            facts: facts.clone(),
            gate: gate.clone(),
            quiescence: quiescence.clone(),
            acknowledge: parts.acknowledge,
            waiting: std::collections::BTreeMap::new(),
        };
        launch(seat!(audit), placement.platform.as_ref(), role, clock, wakening)?;
        let role = Notifier {
            window: parts.notice_window,
            channels: parts.channels,
            background: Arc::clone(&parts.background),
            permits: Arc::new(Semaphore::new(DELIVERIES_MAX)),
            facts: facts.clone(),
            outlook: Arc::clone(outlook),
        };
        launch(seat!(notifier), placement.platform.as_ref(), role, clock, wakening)?;
        let turnstile = Turnstile::new(links.execution.clone(), quiescence, wakening == Wakening::MarketTime);
        if wakening == Wakening::MarketTime {
            actix::spawn(turnstile.clone().run());
        }
        let role = Execution {
            gate,
            links,
            facts,
            recent: recent.clone(),
            venue: parts.venue,
            background: parts.background,
            turnstile,
            outlook: Arc::clone(outlook),
            fence: parts.fence,
            first_fence: parts.first_fence,
            tally,
            recovering: true,
            sent: std::collections::BTreeSet::new(),
            ran: false,
        };
        launch(seat!(execution), on_trading, role, clock, wakening)?;
        Ok(engine)
    }
}

crate::faultable!(Shell<Risk>);
crate::faultable!(Shell<Execution>);
crate::faultable!(Shell<Position>);
crate::faultable!(Shell<MarketFeed>);
crate::faultable!(Shell<Indicator>);
crate::faultable!(Shell<Strategy>);
crate::faultable!(Shell<Operator>);
crate::faultable!(Shell<CircuitBreaker>);
crate::faultable!(Shell<Failover>);
crate::faultable!(Shell<Audit>);
crate::faultable!(Shell<Notifier>);
crate::conflated!(Shell<Risk>: RiskIn);
crate::conflated!(Shell<Position>: PositionIn);
crate::conflated!(Shell<Strategy>: StrategyIn);
