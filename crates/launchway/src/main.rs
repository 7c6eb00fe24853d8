//! Launchway takes code from a push to production and tells the truth about it afterwards.
//!
//! This crate is wiring and words: it reads the command line, opens the state folder, hands work to
//! the crates below, and shows what they say. Decisions live elsewhere. Data goes to standard
//! output, talk to standard error; how it ended is the exit code (`exit.rs`).

mod acting;
mod again;
mod agree;
mod artifacts;
mod cli;
mod closing;
mod commands;
mod coverage;
mod deploying;
mod display;
mod distant;
mod doctor;
mod engine;
mod exit;
mod files;
mod given;
mod goals;
mod held;
mod image_sizes;
mod images;
mod incidents;
mod init;
mod journal;
mod kept;
mod levels;
mod names;
mod plan;
mod prepare;
mod programs;
mod random;
mod remote;
mod select;
mod serving;
mod settings_file;
mod standing;
mod state;
mod syncing;
mod telling;
mod terminal;
mod versions;
mod walls;

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
