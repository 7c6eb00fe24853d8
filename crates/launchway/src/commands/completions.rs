//! `launchway completions SHELL`

use crate::cli;
use crate::exit::{Exit, Outcome};

pub(crate) fn run(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "launchway", &mut script);
    crate::terminal::style::out(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}
