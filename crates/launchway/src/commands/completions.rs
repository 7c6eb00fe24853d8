//! `launchway completions SHELL`

use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::{Exit, Outcome};

pub(crate) fn run(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "launchway", &mut script);
    crate::terminal::style::out(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}
