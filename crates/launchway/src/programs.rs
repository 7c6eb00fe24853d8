//! Programs of this binary that only it starts, for every job and every step: they are told by their first argument
//! alone, because reading a command line of many words takes as long as the rest of their start.

use std::process::ExitCode;

use actions::native::{self, Stage};

use crate::exit::{Exit, Failure};
use crate::terminal;

/// Runs the program that the arguments name; none where they are a person's.
pub(crate) fn run(arguments: &[String]) -> Option<ExitCode> {
    match arguments {
        // One job; started by the driver.
        [word] if word == "worker" => Some(worker::main_on_stdin()),
        // A native action: its name, and pre, main or post; started by a worker.
        [word, name, stage] if word == "native" => Some(native_action(name, stage)),
        // Stands for a program in a container; started by a worker.
        [word, inside @ ..] if word == "inside" => Some(docker::run_inside(inside.to_vec()).into()),
        _ => None,
    }
}

fn native_action(name: &str, stage: &str) -> ExitCode {
    match Stage::parse(stage) {
        Some(stage) => native::main(name, stage).into(),
        None => {
            let message = format!("`{stage}` is no stage of an action: pre, main or post");
            terminal::failure::show(&Failure::new(Exit::Usage, message));
            Exit::Usage.into()
        }
    }
}
