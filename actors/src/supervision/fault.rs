//! Faults on demand: fails an actor at any of the places where a panic can strike, or hangs its thread.
//!
//! Compiled in always; it is for the wiring to hand out the means only where the configuration allows it.
//! [`faultable!`](crate::faultable) gives an actor the handlers for the sites that need its own context; the guard
//! itself serves the others.
//!
//! Invariant: one injection causes one failure, and nothing happens unless someone injects.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};

use actix::prelude::{Actor, Addr, Context, Handler, Message, Stream};

/// A place where an actor can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultSite {
    /// A synchronous handler.
    Handler,
    /// A `ResponseActFuture`.
    ResponseFuture,
    /// An `AtomicResponse`.
    AtomicResponse,
    /// A future given to `ctx.spawn`.
    Spawned,
    /// A `ctx.run_later`.
    RunLater,
    /// A `ctx.run_interval`.
    RunInterval,
    /// An item of a stream.
    StreamItem,
    /// `Actor::started`, at a restart ordered for it.
    Started,
    /// `Supervised::restarting`, at a restart ordered for it.
    Restarting,
    /// The guard's own turn, before the actor's: needs nothing of the actor.
    Turn,
    /// No panic, but a loop that does not end: only the watchdog finds it.
    Hang,
}

impl FaultSite {
    /// The nine places where a panic strikes an actor.
    pub const NINE: [Self; 9] = [
        Self::Handler,
        Self::ResponseFuture,
        Self::AtomicResponse,
        Self::Spawned,
        Self::RunLater,
        Self::RunInterval,
        Self::StreamItem,
        Self::Started,
        Self::Restarting,
    ];

    /// Stable name, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::ResponseFuture => "response_future",
            Self::AtomicResponse => "atomic_response",
            Self::Spawned => "spawned",
            Self::RunLater => "run_later",
            Self::RunInterval => "run_interval",
            Self::StreamItem => "stream_item",
            Self::Started => "started",
            Self::Restarting => "restarting",
            Self::Turn => "turn",
            Self::Hang => "hang",
        }
    }

    /// The site of this stable name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NINE.into_iter().chain([Self::Turn, Self::Hang]).find(|s| s.as_str() == name)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for FaultSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a fault could not be injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InjectError {
    /// No child has this name.
    UnknownChild(String),
    /// The actor has no handlers for faults at this site: declare it with `faultable!` and start it `with_faults`.
    NotFaultable(FaultSite),
    /// The child does not run now.
    NotRunning,
}

impl fmt::Display for InjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownChild(name) => write!(f, "no actor is named {name:?}: see the supervision tree for the names"),
            Self::NotFaultable(site) => write!(f, "this actor takes no fault at {site}: use \"turn\" or \"hang\""),
            Self::NotRunning => f.write_str("this actor does not run now: wait until it does, or revive it"),
        }
    }
}

impl std::error::Error for InjectError {}

thread_local! {
    static ARMED: Cell<u16> = const { Cell::new(0) };
}

pub(crate) fn arm_thread(armed: u16) {
    ARMED.set(armed);
}

pub(crate) fn disarm_thread() -> u16 {
    ARMED.replace(0)
}

pub(crate) const fn bit_of(site: FaultSite) -> u16 {
    site.bit()
}

/// Fails here if a fault of this site is armed for the actor whose turn it is. First line of `started` and
/// `restarting`; costs a read of a thread-local.
#[inline]
pub fn point(site: FaultSite) {
    let armed = ARMED.get();
    if armed & site.bit() != 0 {
        ARMED.set(armed & !site.bit());
        strike(site);
    }
}

/// Fails here.
#[track_caller]
pub fn strike(site: FaultSite) -> ! {
    super::failure::fail(format!("injected fault: {site}"))
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Asks an actor to fail at one of the sites that a plain handler reaches.
pub struct Strike {
    /// Where.
    pub site: FaultSite,
    /// Id of the message, for the report.
    pub id: u64,
}

/// Asks an actor to fail inside a `ResponseActFuture`.
pub struct StrikeFuture {
    /// Id of the message, for the report.
    pub id: u64,
}

/// Asks an actor to fail inside an `AtomicResponse`.
pub struct StrikeAtomic {
    /// Id of the message, for the report.
    pub id: u64,
}

/// The stream item on which an actor fails.
pub struct StrikeItem;

impl Message for Strike {
    type Result = ();
}
impl Message for StrikeFuture {
    type Result = ();
}
impl Message for StrikeAtomic {
    type Result = ();
}

/// A stream of one [`StrikeItem`].
pub struct OneStrike(bool);

impl OneStrike {
    /// The stream.
    pub fn new() -> Self {
        Self(true)
    }
}

impl Default for OneStrike {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream for OneStrike {
    type Item = StrikeItem;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<StrikeItem>> {
        Poll::Ready(std::mem::take(&mut self.0).then_some(StrikeItem))
    }
}

/// An actor that can be made to fail at every site. Implemented by [`faultable!`](crate::faultable).
pub trait Faultable: Actor<Context = Context<Self>> + Handler<Strike> + Handler<StrikeFuture> + Handler<StrikeAtomic> {}

/// Sends the fault to the actor, for the sites that need its own context.
pub(crate) fn send_strike<A: Faultable>(addr: &Addr<A>, site: FaultSite) -> Result<(), InjectError> {
    let id = next_id();
    match site {
        FaultSite::Handler | FaultSite::Spawned | FaultSite::RunLater | FaultSite::RunInterval | FaultSite::StreamItem => {
            addr.do_send(Strike { site, id })
        }
        FaultSite::ResponseFuture => addr.do_send(StrikeFuture { id }),
        FaultSite::AtomicResponse => addr.do_send(StrikeAtomic { id }),
        FaultSite::Started | FaultSite::Restarting | FaultSite::Turn | FaultSite::Hang => {
            return Err(InjectError::NotFaultable(site));
        }
    }
    Ok(())
}

/// Gives an actor the handlers by which it can be made to fail in its own context, and marks it
/// [`Faultable`](crate::supervision::fault::Faultable).
#[macro_export]
macro_rules! faultable {
    ($actor:ty) => {
        impl ::actix::Handler<$crate::supervision::fault::Strike> for $actor {
            type Result = ();
            fn handle(&mut self, msg: $crate::supervision::fault::Strike, ctx: &mut Self::Context) {
                use ::actix::AsyncContext as _;
                use ::actix::fut::WrapFuture as _;
                use $crate::supervision::fault::{FaultSite, OneStrike, strike};
                let _tag = $crate::supervision::failure::Tag::new("InjectedFault", msg.id);
                let soon = ::std::time::Duration::from_millis(1);
                match msg.site {
                    FaultSite::Spawned => {
                        let late = async {
                            ::tokio::task::yield_now().await;
                            strike(FaultSite::Spawned)
                        };
                        ctx.spawn(::actix::fut::ActorFutureExt::map(late.into_actor(self), |(), _, _| ()));
                    }
                    FaultSite::RunLater => {
                        ctx.run_later(soon, |_, _| strike(FaultSite::RunLater));
                    }
                    FaultSite::RunInterval => {
                        ctx.run_interval(soon, |_, _| strike(FaultSite::RunInterval));
                    }
                    FaultSite::StreamItem => {
                        ctx.add_stream(OneStrike::new());
                    }
                    site => strike(site),
                }
            }
        }
        impl ::actix::Handler<$crate::supervision::fault::StrikeFuture> for $actor {
            type Result = ::actix::ResponseActFuture<Self, ()>;
            fn handle(&mut self, msg: $crate::supervision::fault::StrikeFuture, _: &mut Self::Context) -> Self::Result {
                use ::actix::fut::{ActorFutureExt as _, WrapFuture as _};
                Box::pin(::tokio::task::yield_now().into_actor(self).map(move |(), _, _| {
                    let _tag = $crate::supervision::failure::Tag::new("InjectedFault", msg.id);
                    $crate::supervision::fault::strike($crate::supervision::fault::FaultSite::ResponseFuture)
                }))
            }
        }
        impl ::actix::Handler<$crate::supervision::fault::StrikeAtomic> for $actor {
            type Result = ::actix::AtomicResponse<Self, ()>;
            fn handle(&mut self, msg: $crate::supervision::fault::StrikeAtomic, _: &mut Self::Context) -> Self::Result {
                use ::actix::fut::{ActorFutureExt as _, WrapFuture as _};
                ::actix::AtomicResponse::new(Box::pin(::tokio::task::yield_now().into_actor(self).map(move |(), _, _| {
                    let _tag = $crate::supervision::failure::Tag::new("InjectedFault", msg.id);
                    $crate::supervision::fault::strike($crate::supervision::fault::FaultSite::AtomicResponse)
                })))
            }
        }
        impl ::actix::StreamHandler<$crate::supervision::fault::StrikeItem> for $actor {
            fn handle(&mut self, _: $crate::supervision::fault::StrikeItem, _: &mut Self::Context) {
                $crate::supervision::fault::strike($crate::supervision::fault::FaultSite::StreamItem)
            }
        }
        impl $crate::supervision::fault::Faultable for $actor {}
    };
}
