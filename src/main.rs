//! The program `fulmar`.

use std::process::ExitCode;

use clap::Parser;
use fulmar::cli::{Cli, Command, EXIT_FAILED, EXIT_USAGE, JournalCommand, RunArgs, StoreCommand};
use fulmar::settings::{Settings, Violation};
use fulmar::{inspect, wiring};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or(Command::Run(RunArgs::default())) {
        Command::Run(args) => settled(args.config.load(args.flags())).map(|settings| wiring::run(settings, &args)),
        Command::Simex(args) => settled(args.config.load(args.flags())).map(|settings| wiring::simulator::serve_alone(&settings, &args)),
        Command::CheckConfig(args) => settled(args.load(Vec::new())).map(|settings| inspect::settings(&settings)),
        Command::Journal { what: JournalCommand::Verify(args) } => settled(args.config.load(args.flags())).map(|s| inspect::verify(&s)),
        Command::Journal { what: JournalCommand::Stats(args) } => settled(args.config.load(args.flags())).map(|s| inspect::stats(&s)),
        Command::Journal { what: JournalCommand::Show { journal, from, to, kind } } => {
            settled(journal.config.load(journal.flags())).map(|s| inspect::show(&s, from, to, kind))
        }
        Command::Store { what: StoreCommand::Rebuild(args) } => settled(args.config.load(args.flags())).map(|s| inspect::rebuild(&s)),
        Command::Strategies => Ok(inspect::strategies()),
    };
    match result {
        Err(usage) => usage,
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => {
            eprintln!("fulmar: {error:#}");
            ExitCode::from(wiring::exit_code(&error).unwrap_or(EXIT_FAILED))
        }
    }
}

fn settled(loaded: Result<Settings, Vec<Violation>>) -> Result<Settings, ExitCode> {
    loaded.map_err(|violations| {
        for violation in &violations {
            eprintln!("{violation}");
        }
        eprintln!("fulmar: {} violation(s) in the settings; every key is described in config/default.toml", violations.len());
        ExitCode::from(EXIT_USAGE)
    })
}
