//! The protocol side of the simulated exchange: Binance's USDⓈ-M REST and WebSocket interfaces over one [`Floor`].
//!
//! `floor` holds the exchange and everything that depends on its order; `door` is what every REST request passes; `rest` has
//! the endpoints; `hub` knows who listens to what and encodes frames once; `ws` serves sockets and the WebSocket trading
//! interface; `sim` is the interface for tests (faults, log, state); `lockstep` is the barrier.
//!
//! Invariant: an answer or frame is read from the exchange's state under the lock under which that state changed.

mod clock;
mod config;
mod door;
mod faults;
mod floor;
mod http;
mod hub;
mod json;
mod limits;
mod listen_keys;
mod lockstep;
mod params;
mod requests;
mod rest;
mod signing;
mod sim;
mod ws;

pub use config::{ApiAccount, LedgerConfig, LimitConfig, ServerConfig};
pub use floor::Floor;
pub use http::{ServeError, ServerHandle, serve};
pub use signing::sign;
