//! What the circuit breaker promises: it fails closed, says why, heals only what may heal by itself, and equals a simple oracle
//! over 100,000 operations.

mod build;
mod model;
mod rules;
