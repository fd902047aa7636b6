//! Wiring: builds the ports, recovers, starts the engine, and ends it in order. The only place that names actors and adapters.

pub mod clock;
mod closing;
mod drain;
mod feed;
pub mod io_runtime;
pub mod logging;
mod order_log;
pub mod recovery;
mod showing;
pub mod signals;
pub mod simulator;
mod trading;

use anyhow::Result;
use fulmar_ports::journal::JournalError;

use crate::cli::{EXIT_USAGE, RunArgs};
use crate::settings::Settings;

/// Exit code after an I/O error of the journal: nothing is written any more, the stops at the exchange protect.
pub const EXIT_JOURNAL: u8 = 71;

/// The exit code that an error asks for, where it asks for one.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> Option<u8> {
    for cause in error.chain() {
        if cause.is::<simulator::BadInput>() {
            return Some(EXIT_USAGE);
        }
        if matches!(cause.downcast_ref::<JournalError>(), Some(JournalError::Broken { .. } | JournalError::Io { .. })) {
            return Some(EXIT_JOURNAL);
        }
    }
    None
}

/// `fulmar run`: trades until told to stop or the market ends.
///
/// # Errors
/// Whatever keeps the engine from starting; what happens later ends the process with its own exit code.
pub fn run(settings: Settings, args: &RunArgs) -> Result<u8> {
    logging::start(&settings.log)?;
    trading::run(settings, args)
}
