//! The adapters: what stands behind the ports. Adapters name the domain and the ports, never an actor or each other.

pub mod channel;
pub mod exchange;
pub mod journal;
pub mod lease;
pub mod secrets;
pub mod store;
