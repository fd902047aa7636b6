//! Logs: human on a terminal, JSON otherwise.

use std::io::IsTerminal;

use anyhow::{Result, anyhow};
use tracing_subscriber::EnvFilter;

use crate::settings::LogSettings;

/// Starts logging to the error output.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(settings: &LogSettings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| anyhow!("log.filter {:?}: {error}", settings.filter))?;
    let human = match settings.format.as_str() {
        "human" => true,
        "json" => false,
        _ => std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if human { builder.with_ansi(std::io::stderr().is_terminal()).try_init() } else { builder.json().try_init() };
    started.map_err(|error| anyhow!("logging cannot be started: {error}"))
}
