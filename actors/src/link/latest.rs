//! Latest wins: of the messages of one key that wait, only the newest is handled.
//!
//! Each key has a slot. A push puts its message there; only when the slot was empty a [`Wake`] is queued. So a key
//! has at most one wake in the mailbox, at the place of the oldest message it stands for.
//!
//! Invariant: a slot is full exactly while a wake for it is queued.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use actix::{Message, Recipient};
use parking_lot::Mutex;

use super::Envelope;
use super::switchboard::LinkStats;
use crate::supervision::dead_letters::WhyUndelivered;

type Slot<M> = Arc<Mutex<Option<Envelope<M>>>>;

/// Tells an actor that a newest message waits. [`conflated!`](crate::conflated) makes the handler.
pub struct Wake<M> {
    slot: Slot<M>,
}

impl<M: Send + 'static> Message for Wake<M> {
    type Result = ();
}

impl<M> Wake<M> {
    /// Takes the newest message of the key.
    pub fn take(self) -> Option<Envelope<M>> {
        self.slot.lock().take()
    }
}

impl<M> Drop for Wake<M> {
    fn drop(&mut self) {
        // A wake that ends unhandled must not keep its message: the message reports itself undelivered.
        // The lock is let go before the message is dropped, for whoever hears of it may push again.
        let left = self.slot.lock().take();
        drop(left);
    }
}

pub(super) trait Conflate<M>: Send + Sync {
    fn put(&self, envelope: Envelope<M>, stats: &LinkStats);
}

pub(super) struct Slots<M: Send + 'static, K, F> {
    wake: Recipient<Wake<M>>,
    key: F,
    slots: Mutex<HashMap<K, Slot<M>>>,
}

impl<M: Send + 'static, K, F> Slots<M, K, F> {
    pub(super) fn new(wake: Recipient<Wake<M>>, key: F) -> Self {
        Self { wake, key, slots: Mutex::new(HashMap::new()) }
    }
}

impl<M, K, F> Conflate<M> for Slots<M, K, F>
where
    M: Send + 'static,
    K: Hash + Eq + Send + 'static,
    F: Fn(&M) -> K + Send + Sync,
{
    fn put(&self, envelope: Envelope<M>, stats: &LinkStats) {
        if !self.wake.connected() {
            envelope.papers.why.set(WhyUndelivered::ReceiverGone);
            return;
        }
        let slot = self.slots.lock().entry((self.key)(&envelope.body)).or_default().clone();
        let superseded = slot.lock().replace(envelope);
        match superseded {
            Some(old) => {
                old.papers.arrived.set(true);
                stats.conflated();
            }
            None => self.wake.do_send(Wake { slot }),
        }
    }
}

/// Makes the handler by which an actor takes the newest message of a conflating link: it calls the actor's own
/// `Handler<Envelope<M>>`.
#[macro_export]
macro_rules! conflated {
    ($actor:ty: $($message:ty),+ $(,)?) => {$(
        impl ::actix::Handler<$crate::link::Wake<$message>> for $actor {
            type Result = ();
            fn handle(&mut self, wake: $crate::link::Wake<$message>, ctx: &mut Self::Context) {
                if let Some(envelope) = wake.take() {
                    <Self as ::actix::Handler<$crate::link::Envelope<$message>>>::handle(self, envelope, ctx);
                }
            }
        }
    )+};
}
