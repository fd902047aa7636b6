//! The program as its user meets it: real processes, real sockets, private ports, folders of their own.

mod process;

#[path = "end_to_end/commands.rs"]
mod commands;
#[path = "end_to_end/lock_step.rs"]
mod lock_step;
#[path = "end_to_end/supervision.rs"]
mod supervision;
#[path = "end_to_end/trading.rs"]
mod trading;
