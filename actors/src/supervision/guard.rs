//! The guard of one actor: polls it inside `catch_unwind`, and restarts it in place when its group says so.
//!
//! Stock actix drops an actor whose handler panics: its address dies and its queue is lost. The guard polls actix's
//! own [`ContextFut`] instead, and after a failure calls [`ContextFut::restart`] on it: every `Addr` and `Recipient`
//! and everything queued survive, in order; only the message in hand is gone, and reported.
//!
//! What an actor has to keep to:
//! - `Supervised::restarting` rebuilds the whole state from facts: the broken `self` is not to be believed.
//! - Whatever lives in the context (intervals, streams, futures) is dropped by a restart: create it in `started` only,
//!   and keep no `SpawnHandle`, for their numbers start again.
//! - The first line of each handler is a [`Tag`](super::failure::Tag).
//! - No side effects in `stopped`.
//!
//! Invariant: a panic anywhere in the actor (handler, spawned future, timer, stream, `started`, `restarting`, its
//! constructor, a `Drop`) ends neither the guard nor the arbiter.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

use actix::dev::channel::{AddressReceiver, channel};
use actix::dev::{ContextFut, Supervised};
use actix::{Actor, Addr, ArbiterHandle, Context};
use tokio::time::{Instant, Sleep, sleep_until};

use super::child::ChildHandle;
use super::failure::{Failure, FailureKind, GuardedSection, forget_in_hand, install_panic_hook, take_in_hand, take_place, text_and_drop};
use super::fault::{FaultSite, Faultable, arm_thread, disarm_thread, send_strike, strike};
use super::group::{Directive, Group, NameTaken};
use super::slot::{Mail, Order, What};

#[cfg(not(panic = "unwind"))]
compile_error!("supervision catches panics: build with panic = \"unwind\" in every profile");

/// actix bounds a mailbox only for senders that wait; links count and bound instead. 0 means: never make one wait.
const MAILBOX_UNBOUNDED: usize = 0;

/// A place for an actor in its group: the address is there before the actor, so that actors can be wired in a circle.
///
/// What is sent to the address before the start waits in the mailbox. A seat that is dropped without a start gives
/// its name back.
#[must_use = "an actor runs only once its seat is started"]
pub struct Seat<A: Actor<Context = Context<A>> + Supervised> {
    mailbox: Option<AddressReceiver<A>>,
    addr: Addr<A>,
    child: ChildHandle,
}

impl Group {
    /// Reserves the place of an actor. The order in which places are reserved is the order of restart.
    pub fn seat<A>(&self, name: &str) -> Result<Seat<A>, NameTaken>
    where
        A: Actor<Context = Context<A>> + Supervised,
    {
        let child = self.register(name)?;
        let (sender, mailbox) = channel(MAILBOX_UNBOUNDED);
        Ok(Seat { mailbox: Some(mailbox), addr: Addr::new(sender), child })
    }
}

impl<A: Actor<Context = Context<A>> + Supervised> Seat<A> {
    /// The actor's address.
    pub fn addr(&self) -> Addr<A> {
        self.addr.clone()
    }

    /// The handle by which the wiring and the API reach the child.
    pub fn child(&self) -> ChildHandle {
        self.child.clone()
    }

    /// Lets faults be injected at the sites that need the actor's own context. Only where the configuration allows it.
    pub fn with_faults(self) -> Self
    where
        A: Faultable,
    {
        let weak = self.addr.downgrade();
        self.child.slot.set_injector(Box::new(move |site| match weak.upgrade() {
            Some(addr) => send_strike(&addr, site),
            None => Err(super::fault::InjectError::NotRunning),
        }));
        self
    }

    /// Starts the actor on the current arbiter. `build` runs there, inside the guard.
    pub fn start(mut self, build: impl FnOnce() -> A + 'static) -> Addr<A> {
        if let Some(mailbox) = self.mailbox.take() {
            actix_rt::spawn(Guard::new(mailbox, self.child.clone(), build));
        }
        self.addr()
    }

    /// Starts the actor on the given arbiter. `build` runs there, inside the guard.
    ///
    /// # Errors
    /// The seat's name when the arbiter has ended: nothing runs then.
    pub fn start_on(mut self, arbiter: &ArbiterHandle, build: impl FnOnce() -> A + Send + 'static) -> Result<Addr<A>, ArbiterEnded> {
        if let Some(mailbox) = self.mailbox.take() {
            let child = self.child.clone();
            let taken = arbiter.spawn_fn(move || {
                actix_rt::spawn(Guard::new(mailbox, child, build));
            });
            if !taken {
                self.child.ended();
                return Err(ArbiterEnded { child: self.child.name().to_string() });
            }
        }
        Ok(self.addr())
    }
}

impl<A: Actor<Context = Context<A>> + Supervised> Drop for Seat<A> {
    fn drop(&mut self) {
        if self.mailbox.is_some() {
            self.child.ended();
        }
    }
}

/// The arbiter that should have run this child has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArbiterEnded {
    /// Name of the child.
    pub child: String,
}

impl std::fmt::Display for ArbiterEnded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the arbiter for {} has ended: arbiters must live as long as the process", self.child)
    }
}

impl std::error::Error for ArbiterEnded {}

type Build<A> = Box<dyn FnOnce() -> A>;
type Running<A> = Pin<Box<ContextFut<A, Context<A>>>>;

/// What there is of the actor.
enum Body<A: Actor<Context = Context<A>>> {
    /// Its mailbox and its constructor. The constructor is gone once it has panicked.
    Unbuilt(Box<Context<A>>, Option<Build<A>>),
    /// The actor in its context.
    Built(Running<A>),
    /// Nothing: it has ended.
    Gone,
}

enum Mode {
    /// The actor is polled. `rising` is the round whose restart its next good turn completes.
    Running { rising: Option<u64> },
    /// Waiting for orders in this round, and for its back-off.
    Paused { round: u64, due: Option<Pin<Box<Sleep>>> },
    /// Not polled; only an order revives it.
    Suspended,
}

/// The future that runs one actor. Spawned by [`Seat::start`].
pub(crate) struct Guard<A: Actor<Context = Context<A>> + Supervised> {
    body: Body<A>,
    mode: Mode,
    child: ChildHandle,
    generation: u64,
}

impl<A: Actor<Context = Context<A>> + Supervised> Guard<A> {
    fn new(mailbox: AddressReceiver<A>, child: ChildHandle, build: impl FnOnce() -> A + 'static) -> Self {
        install_panic_hook();
        let generation = child.started();
        Self {
            body: Body::Unbuilt(Box::new(Context::with_receiver(mailbox)), Some(Box::new(build))),
            mode: Mode::Running { rising: None },
            child,
            generation,
        }
    }

    /// Runs a piece of the actor; a panic becomes a failure.
    fn guarded<T>(&mut self, kind: FailureKind, run: impl FnOnce(&mut Self) -> T) -> Result<T, Failure> {
        let _section = GuardedSection::enter();
        forget_in_hand();
        let armed = self.child.slot.armed.load(Ordering::Relaxed);
        arm_thread(armed);
        let result = catch_unwind(AssertUnwindSafe(|| run(self)));
        let struck = armed & !disarm_thread();
        if struck != 0 {
            self.child.slot.armed.fetch_and(!struck, Ordering::AcqRel);
        }
        result.map_err(|payload| {
            let (in_hand, place) = (take_in_hand(), take_place());
            Failure { kind, in_hand, text: text_and_drop(payload), place }
        })
    }

    /// Reports the failure and stands as the group directs.
    fn fail(&mut self, failure: Failure) {
        self.child.set_loading(false);
        self.mode = match self.child.failed(failure) {
            Directive::Restart { round, due } => Mode::Paused { round, due: until(due) },
            Directive::Suspend => Mode::Suspended,
        };
    }

    /// Carries out what came by mail. Returns false when the child has to end.
    fn obey(&mut self, mail: Mail) -> bool {
        if mail.stop {
            return false;
        }
        if mail.suspend {
            self.mode = Mode::Suspended;
        }
        if let Some(order) = mail.order {
            if order.generation == self.generation {
                return self.carry_out(order);
            }
            tracing::debug!(
                child = %self.child.name(), meant = order.generation, current = self.generation,
                "an order for an earlier generation is ignored"
            );
        }
        if let Some(site) = mail.fault
            && matches!(self.mode, Mode::Running { .. })
            && let Err(failure) = self.guarded(FailureKind::Panicked, |me| me.injected(site))
        {
            self.fail(failure);
        }
        true
    }

    fn injected(&self, site: FaultSite) {
        if site == FaultSite::Hang {
            while !self.child.slot.hang_released.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        } else {
            strike(site);
        }
    }

    fn carry_out(&mut self, order: Order) -> bool {
        match (order.what, &self.mode) {
            (What::Pause { .. }, Mode::Paused { round, .. }) if *round > order.round => {}
            (What::Pause { due }, _) => {
                self.mode = Mode::Paused { round: order.round, due: until(due) };
                self.child.paused(order.round);
            }
            (What::Rebuild, Mode::Paused { round, .. }) if *round == order.round => return self.rebuild(order.round),
            (What::Resume, Mode::Paused { round, .. }) if *round == order.round => {
                self.mode = Mode::Running { rising: Some(order.round) };
            }
            (What::Rebuild | What::Resume, _) => {}
        }
        true
    }

    /// Returns false when nobody holds the address any more.
    fn rebuild(&mut self, round: u64) -> bool {
        let rebuilt = self.guarded(FailureKind::RestartPanicked, |me| match &mut me.body {
            Body::Built(running) => running.as_mut().get_mut().restart(),
            // Not built yet: nothing to rebuild, its next turn builds it.
            Body::Unbuilt(_, Some(_)) => true,
            Body::Unbuilt(_, None) => super::failure::fail("its constructor has failed and cannot run again"),
            Body::Gone => false,
        });
        match rebuilt {
            Ok(true) => {
                self.mode = Mode::Paused { round, due: None };
                self.generation = self.child.rebuilt(round);
                true
            }
            Ok(false) => false,
            Err(mut failure) => {
                if matches!(self.body, Body::Unbuilt(..)) {
                    failure.kind = FailureKind::BuildPanicked;
                }
                self.fail(failure);
                true
            }
        }
    }

    /// Gives the actor its turn. Returns whether it may have another one at once, waits, or has ended.
    fn turn(&mut self, cx: &mut TaskContext<'_>) -> Turn {
        if let Body::Unbuilt(_, build) = &mut self.body {
            let build = build.take();
            let built = self.guarded(FailureKind::BuildPanicked, |_| match build {
                Some(build) => build(),
                None => super::failure::fail("its constructor has failed and cannot run again"),
            });
            match (built, std::mem::replace(&mut self.body, Body::Gone)) {
                (Ok(actor), Body::Unbuilt(context, _)) => {
                    self.body = Body::Built(Box::pin(context.into_future(actor)));
                }
                (Ok(_), _) => return Turn::Ended,
                (Err(failure), body) => {
                    self.body = body;
                    self.fail(failure);
                    return Turn::Again;
                }
            }
        }
        let polled = self.guarded(FailureKind::Panicked, |me| match &mut me.body {
            Body::Built(running) => running.as_mut().poll(cx),
            Body::Unbuilt(..) | Body::Gone => Poll::Ready(()),
        });
        match polled {
            Ok(Poll::Pending) => {
                if let Mode::Running { rising } = &mut self.mode
                    && let Some(round) = rising.take()
                {
                    self.child.up(round);
                }
                Turn::Waits
            }
            Ok(Poll::Ready(())) => {
                let connected = match &mut self.body {
                    Body::Built(running) => running.as_mut().get_mut().ctx().connected(),
                    Body::Unbuilt(..) | Body::Gone => false,
                };
                if !connected {
                    return Turn::Ended;
                }
                self.fail(Failure { kind: FailureKind::StoppedItself, in_hand: None, text: "it stopped itself".to_owned(), place: None });
                Turn::Again
            }
            Err(failure) => {
                self.fail(failure);
                Turn::Again
            }
        }
    }

    fn end(&mut self) {
        let body = std::mem::replace(&mut self.body, Body::Gone);
        // Dropping an actor runs its `stopping`, `stopped` and every `Drop`: a panic there has nobody left to restart.
        if let Err(failure) = self.guarded(FailureKind::Panicked, move |_| drop(body)) {
            tracing::error!(
                child = %self.child.name(), place = failure.place.as_deref().unwrap_or("-"),
                "panic while the actor was dropped: {}", failure.text
            );
        }
        self.child.ended();
    }
}

enum Turn {
    Again,
    Waits,
    Ended,
}

fn until(due: Instant) -> Option<Pin<Box<Sleep>>> {
    (due > Instant::now()).then(|| Box::pin(sleep_until(due)))
}

impl<A: Actor<Context = Context<A>> + Supervised> Future for Guard<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let me = self.get_mut();
        // A turn is work: a message dropped by unwinding must not look like idleness before its failure is dealt with.
        let _busy = me.child.group.quiescence.hold();
        me.child.slot.register(cx.waker());
        loop {
            if let Some(mail) = me.child.slot.collect() {
                let rebuilds = mail.order.is_some_and(|o| o.what == What::Rebuild);
                if !me.obey(mail) {
                    me.end();
                    return Poll::Ready(());
                }
                if rebuilds && matches!(me.mode, Mode::Paused { due: None, .. }) {
                    // The last to be rebuilt has found its order to run already: it takes its turn behind those
                    // that were rebuilt before it. The order has woken this task.
                    return Poll::Pending;
                }
            }
            match &mut me.mode {
                Mode::Running { .. } => match me.turn(cx) {
                    Turn::Again => {}
                    Turn::Waits => return Poll::Pending,
                    Turn::Ended => {
                        me.end();
                        return Poll::Ready(());
                    }
                },
                Mode::Paused { round, due } => {
                    if let Some(sleep) = due {
                        if sleep.as_mut().poll(cx).is_pending() {
                            return Poll::Pending;
                        }
                        let round = *round;
                        *due = None;
                        me.child.due(round);
                    } else if !me.child.slot.has_mail() {
                        return Poll::Pending;
                    }
                }
                Mode::Suspended => {
                    if !me.child.slot.has_mail() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<A: Actor<Context = Context<A>> + Supervised> Drop for Guard<A> {
    fn drop(&mut self) {
        if !matches!(self.body, Body::Gone) {
            self.end();
        }
    }
}
