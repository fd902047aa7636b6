//! What failed: the tag of the message in hand, the place of the panic, and the report that buries both.
//!
//! A handler's first line makes a [`Tag`]. When the handler ends well the tag is taken back; when it panics the
//! tag stays behind on the thread, and the guard reads from it which message was the poison. The message itself
//! is already popped and gone: it is reported, never replayed from memory.
//!
//! Invariant: every failure yields exactly one [`FailureReport`].

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

/// Longest text of a panic that a report keeps, in bytes; the rest is cut off at a character.
pub const TEXT_MAX: usize = 512;

/// What a thread has in its hand: the message being handled and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InHand {
    /// Type of the message, a path as the compiler names it.
    pub message_type: &'static str,
    /// Id of the message.
    pub id: u64,
    /// Key of the message's body, from which its digest is made; the id unless [`Tag::keyed`] said otherwise.
    pub key: u64,
    /// Monotonic stamp, in nanoseconds, of the frame that caused it; 0 when no frame did.
    pub received_ns: u64,
}

thread_local! {
    static IN_HAND: Cell<Option<InHand>> = const { Cell::new(None) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    static GUARDED: Cell<u32> = const { Cell::new(0) };
}

/// Names the message in hand for as long as it lives. The first line of every handler makes one:
/// `let _tag = envelope.tag();`.
///
/// Tags nest: the inner one hides the outer one and gives it back when dropped.
#[must_use = "a tag names the message in hand only while it lives"]
pub struct Tag {
    before: Option<InHand>,
}

impl Tag {
    /// Names a message by its type and id.
    #[inline]
    pub fn new(message_type: &'static str, id: u64) -> Self {
        Self::hold(InHand { message_type, id, key: id, received_ns: 0 })
    }

    /// Names a message and the frame that caused it.
    #[inline]
    pub fn hold(in_hand: InHand) -> Self {
        Self { before: IN_HAND.replace(Some(in_hand)) }
    }

    /// Gives the body's key (an order id, a hash): reports of the same key carry the same digest.
    #[inline]
    pub fn keyed(self, key: u64) -> Self {
        IN_HAND.set(IN_HAND.get().map(|h| InHand { key, ..h }));
        self
    }
}

impl Drop for Tag {
    #[inline]
    fn drop(&mut self) {
        // On unwinding the tag stays for the guard to read.
        if !std::thread::panicking() {
            IN_HAND.set(self.before);
        }
    }
}

/// The message this thread has in hand, if any. A push made now was caused by it.
#[inline]
pub fn in_hand() -> Option<InHand> {
    IN_HAND.get()
}

/// Takes what a panic left in hand.
pub(crate) fn take_in_hand() -> Option<InHand> {
    IN_HAND.take()
}

/// Forgets what an earlier, caught panic may have left in hand.
pub(crate) fn forget_in_hand() {
    IN_HAND.set(None);
}

/// Names the message in hand if none is named, for the guard to read after a panic.
pub(crate) fn note_in_hand(in_hand: InHand) {
    if IN_HAND.get().is_none() {
        IN_HAND.set(Some(in_hand));
    }
}

/// Takes the place, `file:line`, of the last panic on this thread.
pub(crate) fn take_place() -> Option<String> {
    PLACE.take()
}

/// Marks that this thread polls a guarded actor: a panic now will be caught and reported.
pub(crate) struct GuardedSection(());

impl GuardedSection {
    pub(crate) fn enter() -> Self {
        GUARDED.set(GUARDED.get() + 1);
        Self(())
    }
}

impl Drop for GuardedSection {
    fn drop(&mut self) {
        GUARDED.set(GUARDED.get().saturating_sub(1));
    }
}

/// Installs the panic hook, once per process; later calls do nothing.
///
/// Inside a guard the hook stores the place of the panic and nothing else: no backtrace is walked and nothing is
/// printed while trading waits, for the guard reports the panic in full. Elsewhere the hook that was there before
/// still speaks, so that no panic is silent.
pub fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if GUARDED.get() > 0 {
                let place = info.location().map(|l| format!("{}:{}", l.file(), l.line()));
                PLACE.with(|p| {
                    if let Ok(mut p) = p.try_borrow_mut() {
                        *p = place;
                    }
                });
            } else {
                before(info);
            }
        }));
    });
}

/// Reads the text out of a panic's payload and drops the payload where its own panic does no harm.
pub(crate) fn text_and_drop(payload: Box<dyn Any + Send>) -> String {
    let mut text = if let Some(s) = payload.downcast_ref::<&str>() {
        (*s).to_owned()
    } else if let Some(s) = payload.downcast_ref::<String>() {
        s.clone()
    } else if let Some(f) = payload.downcast_ref::<Failed>() {
        f.0.clone()
    } else {
        "a panic without text".to_owned()
    };
    if text.len() > TEXT_MAX {
        let mut end = TEXT_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    drop_quietly(payload);
    text
}

/// Drops a value whose `Drop` may panic, and the payload of that panic likewise, up to a bound.
fn drop_quietly(value: Box<dyn Any + Send>) {
    /// A payload that panics on drop with a payload that panics on drop…: after this many it is leaked.
    const NESTED_MAX: usize = 4;
    let mut next = Some(value);
    for _ in 0..NESTED_MAX {
        let Some(value) = next.take() else { return };
        next = catch_unwind(AssertUnwindSafe(move || drop(value))).err();
    }
    if let Some(value) = next {
        std::mem::forget(value);
    }
}

struct Failed(String);

/// Declares the actor failed, with a reason: for a load that did not succeed, or a state that cannot be.
///
/// Counts like a panic, for it is one; call it only from inside a guarded actor.
#[track_caller]
pub fn fail(reason: impl Into<String>) -> ! {
    std::panic::panic_any(Failed(reason.into()))
}

/// How an actor failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It panicked while running: in a handler, a spawned future, a timer, a stream or `started`.
    Panicked,
    /// It panicked in `restarting`, while its state was rebuilt.
    RestartPanicked,
    /// Its constructor panicked; it has never run.
    BuildPanicked,
    /// It stopped itself although others still hold its address.
    StoppedItself,
}

impl FailureKind {
    /// Stable name, for logs and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Panicked => "panicked",
            Self::RestartPanicked => "restart_panicked",
            Self::BuildPanicked => "build_panicked",
            Self::StoppedItself => "stopped_itself",
        }
    }
}

/// What a guard saw when its actor failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How it failed.
    pub kind: FailureKind,
    /// The message in hand, if the handler made a tag.
    pub in_hand: Option<InHand>,
    /// Text of the panic, at most [`TEXT_MAX`] bytes.
    pub text: String,
    /// Place of the panic, `file:line`.
    pub place: Option<String>,
}

/// One row of the dead-letter table: a failure and the message that brought it about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureReport {
    /// Group of the actor.
    pub group: Arc<str>,
    /// Name of the actor.
    pub actor: Arc<str>,
    /// How it failed.
    pub kind: FailureKind,
    /// Type of the message in hand, as the compiler names it.
    pub message_type: Option<&'static str>,
    /// Id of the message in hand.
    pub message_id: Option<u64>,
    /// FNV-1a over the message's type and key: equal for the same poison, whenever it comes again.
    pub digest: u64,
    /// Text of the panic.
    pub text: String,
    /// Place of the panic, `file:line`.
    pub place: Option<String>,
    /// How many failures of this actor, message type and place there have been, this one included.
    pub count: u64,
    /// Incarnation of the actor that failed.
    pub generation: u64,
}

impl FailureReport {
    /// Writes the report to the log, as an error.
    pub fn emit(&self) {
        tracing::error!(
            group = %self.group,
            actor = %self.actor,
            kind = self.kind.as_str(),
            message_type = self.message_type.unwrap_or("-"),
            message_id = self.message_id.unwrap_or(0),
            digest = format_args!("{:016x}", self.digest),
            place = self.place.as_deref().unwrap_or("-"),
            count = self.count,
            generation = self.generation,
            "actor failed: {}",
            self.text
        );
    }
}

/// 64-bit FNV-1a (Fowler, Noll, Vo; offset basis and prime of the published 64-bit variant).
pub(crate) fn fnv1a(parts: &[&[u8]]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        // A separator keeps ("ab", "c") and ("a", "bc") apart.
        for byte in part.iter().chain(std::iter::once(&0xff)) {
            hash ^= u64::from(*byte);
            hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_gone_after_a_good_handler_and_stays_after_a_panic() {
        {
            let _outer = Tag::new("Outer", 1);
            {
                let _inner = Tag::new("Inner", 2).keyed(77);
                assert_eq!(in_hand().map(|h| (h.id, h.key)), Some((2, 77)));
            }
            assert_eq!(in_hand().map(|h| h.id), Some(1));
        }
        assert_eq!(in_hand(), None);
        let caught = {
            let _section = GuardedSection::enter();
            install_panic_hook();
            catch_unwind(|| {
                let _tag = Tag::new("Poison", 9);
                panic!("boom");
            })
        };
        assert!(caught.is_err());
        assert_eq!(take_in_hand().map(|h| (h.message_type, h.id)), Some(("Poison", 9)));
        assert!(take_place().is_some_and(|p| p.contains("failure.rs:")));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_read_and_dropped_without_harm() {
        struct Nasty(u8);
        impl Drop for Nasty {
            fn drop(&mut self) {
                std::panic::panic_any(Nasty(self.0.wrapping_add(1)));
            }
        }
        let _section = GuardedSection::enter();
        install_panic_hook();
        let payload: Box<dyn Any + Send> = Box::new(Nasty(0));
        assert_eq!(text_and_drop(payload), "a panic without text");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let text = text_and_drop(Box::new("ü".repeat(TEXT_MAX)));
        assert!(text.len() <= TEXT_MAX && text.chars().all(|c| c == 'ü'));
    }
}
