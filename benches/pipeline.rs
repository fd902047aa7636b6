//! The way from a frame to an order, piece by piece, each against a named baseline in the same run.
//!
//! `cargo bench --bench pipeline` prints ratios first: product and baseline run in turns, A B A B, in thread CPU time; the median of the
//! pairwise ratios is what counts, since machines are noisy. Then divan's table of absolute times. Nothing is judged here.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on must fail")]

#[path = "pipeline/chain.rs"]
mod chain;
#[path = "pipeline/frames.rs"]
mod frames;
#[path = "pipeline/hops.rs"]
mod hops;
#[path = "pipeline/indicators.rs"]
mod indicators;
#[path = "pipeline/money.rs"]
mod money;
#[path = "pipeline/pairs.rs"]
mod pairs;

fn main() {
    // `cargo test --benches` asks for a smoke run only.
    if !std::env::args().any(|a| a == "--test" || a == "--list") {
        pairs::print_head();
        frames::ratios();
        indicators::ratios();
        money::ratios();
        hops::ratios();
        chain::figures();
        println!();
    }
    divan::main();
}
