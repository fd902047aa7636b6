//! The shell around every node: takes a message, gives it to the node, routes what comes out.
//!
//! One shell serves all actors; what differs between them is their [`Role`]. The shell reads the clocks, keeps the wake-ups,
//! and rebuilds the node from facts after a failure.
//! Invariant: a node never survives a restart; whatever it knew that matters is in the facts from which [`Role::rebuild`] reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Supervised};
use fulmar_domain::id::TimerId;
use fulmar_domain::node::{Node, WakeAt};
use fulmar_domain::time::{Now, Timestamp};
use fulmar_ports::clock::Clock;

use crate::link::Envelope;
use crate::supervision::fault::{FaultSite, point};

/// What one actor does that the others do not.
pub trait Role: Sized + Unpin + 'static {
    /// The rule that it carries out.
    type Node: Node<In: Send + 'static, Out: Unpin + 'static> + Unpin + 'static;

    /// Name in metrics.
    const NAME: &'static str;

    /// A node from facts: at the start and after each failure.
    fn rebuild(&mut self, now: Now) -> Self::Node;
    /// Called once the node stands, at the start and after each failure.
    fn begin(&mut self, node: &mut Self::Node, now: Now, out: &mut Vec<<Self::Node as Node>::Out>) {
        let _ = (node, now, out);
    }
    /// Called with each input before the node sees it: to note it as begun, or to refresh what must be read at the instant of use.
    fn before(&mut self, input: &mut <Self::Node as Node>::In, now: Now) {
        let _ = (input, now);
    }
    /// Routes one output. A wish to be woken is given back to the shell.
    fn route(&mut self, node: &Self::Node, out: <Self::Node as Node>::Out, now: Now) -> Option<WakeAt>;
    /// The input that a wake-up becomes; `None` for nodes that never ask for one.
    fn wake(timer: TimerId) -> Option<<Self::Node as Node>::In>;
}

/// How wake-ups come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakening {
    /// By the runtime's timers, on the protocol clock.
    Timers,
    /// In lock-step: when market time has passed them, looked at with each input; see [`crate::links::Links::tick`].
    MarketTime,
}

/// An actor: a node, its role, its wake-ups.
pub struct Shell<R: Role> {
    role: R,
    node: R::Node,
    clock: Arc<dyn Clock>,
    wakening: Wakening,
    due: BTreeMap<(Timestamp, TimerId), ()>,
    out: Vec<<R::Node as Node>::Out>,
    reached: metrics::Histogram,
}

impl<R: Role> Shell<R> {
    /// A shell whose node is built from facts at once.
    pub fn new(mut role: R, clock: Arc<dyn Clock>, wakening: Wakening) -> Self {
        let node = role.rebuild(clock.now());
        let reached = metrics::histogram!("fulmar_frame_to_actor_seconds", "actor" => R::NAME);
        Self { role, node, clock, wakening, due: BTreeMap::new(), out: Vec::new(), reached }
    }

    fn take(&mut self, input: &mut <R::Node as Node>::In, now: Now, ctx: &mut Context<Self>) {
        self.role.before(input, now);
        let mut out = std::mem::take(&mut self.out);
        self.node.on(input, now, &mut out);
        self.send(&mut out, now, ctx);
        self.out = out;
    }

    fn send(&mut self, out: &mut Vec<<R::Node as Node>::Out>, now: Now, ctx: &mut Context<Self>) {
        for effect in out.drain(..) {
            if let Some(wake) = self.role.route(&self.node, effect, now) {
                self.arm(wake, now, ctx);
            }
        }
    }

    fn arm(&mut self, wake: WakeAt, now: Now, ctx: &mut Context<Self>) {
        match self.wakening {
            Wakening::MarketTime => {
                self.due.insert((wake.at, wake.timer), ());
            }
            Wakening::Timers => {
                let wait = u64::try_from(wake.at.since(now.protocol).0).unwrap_or(0);
                ctx.run_later(Duration::from_millis(wait), move |shell, ctx| shell.woken(wake.timer, ctx));
            }
        }
    }

    fn woken(&mut self, timer: TimerId, ctx: &mut Context<Self>) {
        let _tag = crate::supervision::failure::Tag::new("Wake", timer.0);
        if let Some(mut input) = R::wake(timer) {
            let now = self.clock.now();
            self.take(&mut input, now, ctx);
        }
    }

    fn wake_due(&mut self, now: Now, ctx: &mut Context<Self>) {
        while let Some(((at, timer), ())) = self.due.first_key_value().map(|(k, ())| (*k, ())) {
            if at > now.market {
                break;
            }
            self.due.remove(&(at, timer));
            self.woken(timer, ctx);
        }
    }
}

impl<R: Role> Actor for Shell<R> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        point(FaultSite::Started);
        let now = self.clock.now();
        let mut out = std::mem::take(&mut self.out);
        self.role.begin(&mut self.node, now, &mut out);
        self.send(&mut out, now, ctx);
        self.out = out;
    }
}

impl<R: Role> Supervised for Shell<R> {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        point(FaultSite::Restarting);
        self.due.clear();
        self.out = Vec::new();
        self.node = self.role.rebuild(self.clock.now());
    }
}

impl<R: Role> Handler<Envelope<<R::Node as Node>::In>> for Shell<R> {
    type Result = ();

    fn handle(&mut self, mut message: Envelope<<R::Node as Node>::In>, ctx: &mut Self::Context) {
        let _tag = message.tag();
        let now = self.clock.now();
        if message.received_ns != 0 {
            // For display only: no decision reads it.
            let waited = self.clock.monotonic_ns().saturating_sub(message.received_ns);
            self.reached.record(Duration::from_nanos(waited));
        }
        if self.wakening == Wakening::MarketTime {
            self.wake_due(now, ctx);
        }
        self.take(&mut message.body, now, ctx);
    }
}
