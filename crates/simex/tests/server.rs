//! The protocol side against real sockets: what a client sees of the simulated exchange.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "server/client.rs"]
mod client;
#[path = "server/door.rs"]
mod door;
#[path = "server/lockstep.rs"]
mod lockstep;
#[path = "server/market.rs"]
mod market;
#[path = "server/round.rs"]
mod round;
#[path = "server/samples.rs"]
mod samples;
#[path = "server/streams.rs"]
mod streams;
