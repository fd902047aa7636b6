//! Fulmar: the program behind the command line. The only code that knows both actors and adapters.
//!
//! [`cli`] reads arguments, [`settings`] checks settings, [`wiring`] builds the ports and starts the engine, [`api`] shows it and
//! takes orders from people, [`view`] is what the API reads, [`inspect`] looks at journal and store from the command line.

pub mod api;
pub mod cli;
pub mod inspect;
pub mod settings;
pub mod view;
pub mod wiring;
