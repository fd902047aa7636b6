//! The traits behind which the outside of the engine stands: exchange, journal, store, lease, secrets, channels, clocks.
//!
//! Actors know only these; adapters implement them; the root package brings the two together. Every trait is object-safe;
//! asynchronous methods return a boxed future; every error answers [`FaultKind`]: what a caller may do next.

pub mod background;
pub mod channel;
pub mod clock;
pub mod exchange;
pub mod fault;
pub mod journal;
pub mod lease;
pub mod outlook;
pub mod recorder;
pub mod secrets;
pub mod store;

pub use fault::FaultKind;

/// A boxed, sendable future that may borrow from its port.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
