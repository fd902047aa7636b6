//! Trading rules as pure code.
//!
//! Everything that decides about money lives here: numbers, market data, indicators, strategies, the risk gate, order and
//! position bookkeeping, matching. Nothing here reads a clock, a socket, a thread or a random number: the same inputs give
//! the same outputs, bit for bit, in a backtest, on the simulated exchange, on paper and live.
//!
//! Each rule is a [`node::Node`]; a thin shell (an actor, or the pure runner) feeds it and routes what it puts out.

pub mod account;
pub mod audit;
pub mod breaker;
pub mod control;
pub mod execution;
pub mod failover;
pub mod feed;
pub mod gate;
pub mod id;
pub mod indicator;
pub mod instrument;
pub mod market;
pub mod matching;
pub mod node;
pub mod notify;
pub mod num;
pub mod operator;
pub mod order;
pub mod position;
pub mod record;
pub mod replay;
pub mod risk;
pub mod strategy;
pub mod symbol;
pub mod text;
pub mod time;
