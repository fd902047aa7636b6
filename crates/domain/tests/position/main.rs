//! What position keeping promises: entries, realised profit, funding, ledger, liquidation, reconciliation, rebuilding.

mod build;
mod entry;
mod funding;
mod liquidation;
mod rebuild;
mod reconcile;
mod views;
