//! Launchway takes code from a push to production and tells the truth about it afterwards.
//!
//! This crate is wiring and words: it reads the command line, opens the state folder, hands work to
//! the crates below, and shows what they say. Decisions live elsewhere. Data goes to standard
//! output, talk to standard error; how it ended is the exit code (`exit.rs`).

mod cli;
mod commands;
mod deploying;
mod distant;
mod doctor;
mod exit;
mod goals;
mod held;
mod images;
mod incidents;
mod init;
mod journal;
mod kept;
mod programs;
mod random;
mod running;
mod serving;
mod settings_file;
mod state;
mod telling;
mod terminal;
mod versions;

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, because threads that begin later are bound by it, too.
    if let Err(error) = sandbox::keep_rights() {
        let failure = exit::Failure::caused(exit::Exit::Fault, error);
        terminal::failure::show(&failure);
        return failure.exit.into();
    }
    // What is not text is no word of ours, and is refused where people's words are read.
    let words: Option<Vec<String>> =
        std::env::args_os().skip(1).map(|it| it.into_string().ok()).collect();
    if let Some(exit) = words.and_then(|words| programs::run(&words)) {
        return exit;
    }
    let cli = cli::Cli::read();
    match commands::dispatch(cli) {
        Ok(exit) => match terminal::style::lost_output() {
            Some(error) => {
                let message = format!("standard output cannot be written: {error}");
                terminal::failure::show(&exit::Failure::new(exit::Exit::Missing, message));
                exit::Exit::Missing.into()
            }
            None => exit,
        },
        Err(failure) => {
            terminal::failure::show(&failure);
            failure.exit.into()
        }
    }
}
