//! The way in from another thread or runtime: a bounded channel, and a pump that carries it to an actor.
//!
//! A restart drops the streams of an actor's context, receivers and queued items included. So the receiver lives in
//! a task of its own, outside the actor, and hands over only as much as the actor has credits for: a credit comes
//! back when the handler of a message has ended, also when it panicked.
//!
//! Invariant: between the way in and the end of handling there are never more than capacity + credits messages, and a
//! restart of the actor loses none of those that wait.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use super::{Envelope, Link, Origin};
use crate::supervision::dead_letters::WhyUndelivered;

/// The sending end; works on any thread and runtime. Cloning shares the way.
pub struct Ingress<M: Send + 'static> {
    link: Link<M>,
    channel: mpsc::Sender<Envelope<M>>,
}

impl<M: Send + 'static> Clone for Ingress<M> {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), channel: self.channel.clone() }
    }
}

/// Why the way in did not take a message; the message comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum IngressError<M> {
    /// It is full now.
    Full(M),
    /// The pump has ended.
    Closed(M),
}

impl<M> fmt::Display for IngressError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the way in is full",
            Self::Closed(_) => "the pump behind the way in has ended",
        })
    }
}

impl<M: fmt::Debug> std::error::Error for IngressError<M> {}

/// The carrying end: spawn [`Pump::run`], once, wherever a task may run.
#[must_use = "nothing is carried unless the pump runs"]
pub struct Pump<M: Send + 'static> {
    link: Link<M>,
    channel: mpsc::Receiver<Envelope<M>>,
    credits: Arc<Semaphore>,
}

pub(super) fn ingress<M: Send + 'static>(link: Link<M>, capacity: usize, credits: usize) -> (Ingress<M>, Pump<M>) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    let pump = Pump { link: link.clone(), channel: receiver, credits: Arc::new(Semaphore::new(credits.max(1))) };
    (Ingress { link, channel: sender }, pump)
}

impl<M: Send + 'static> Ingress<M> {
    /// Sends; waits while the way in is full.
    pub async fn push(&self, origin: Origin, body: M) -> Result<(), IngressError<M>> {
        match self.channel.reserve().await {
            Ok(place) => {
                place.send(self.link.seal(origin, body));
                Ok(())
            }
            Err(_) => Err(IngressError::Closed(body)),
        }
    }

    /// Sends unless the way in is full.
    pub fn try_push(&self, origin: Origin, body: M) -> Result<(), IngressError<M>> {
        match self.channel.try_reserve() {
            Ok(place) => {
                place.send(self.link.seal(origin, body));
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(())) => Err(IngressError::Full(body)),
            Err(mpsc::error::TrySendError::Closed(())) => Err(IngressError::Closed(body)),
        }
    }

    /// Sends from a plain thread; blocks while the way in is full. Panics inside a runtime, by tokio's rule.
    pub fn blocking_push(&self, origin: Origin, body: M) -> Result<(), IngressError<M>> {
        let envelope = self.link.seal(origin, body);
        self.channel.blocking_send(envelope).map_err(|mpsc::error::SendError(envelope)| {
            let Envelope { body, papers, .. } = envelope;
            papers.arrived.set(true);
            IngressError::Closed(body)
        })
    }
}

impl<M: Send + 'static> Pump<M> {
    /// Carries until every sender is gone or the receiving actor is; what then still waits is reported undelivered.
    pub async fn run(mut self) {
        while let Some(mut envelope) = self.channel.recv().await {
            match self.credits.clone().acquire_owned().await {
                Ok(credit) => envelope.papers.credit = Some(credit),
                Err(_) => return,
            }
            if !self.link.connected() {
                envelope.papers.why.set(WhyUndelivered::ReceiverGone);
                return;
            }
            self.link.forward(envelope);
        }
    }
}
