//! `launchway man --dir DIR`: manual pages, made from what `--help` says.

use std::path::Path;

use anyhow::Context as _;

use crate::cli;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::style::talk;

pub(crate) fn run(folder: &Path) -> Outcome {
    let pages = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(cli::command(), folder))
        .with_context(|| format!("cannot write manual pages to {}", folder.display()));
    pages.map_err(|error| Failure::caused(Exit::Missing, error))?;
    let shown = folder.join("launchway.1");
    talk(&format!("written; to read one: man {}", shown.display()));
    Ok(Exit::Done)
}
