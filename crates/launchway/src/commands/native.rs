//! `launchway native NAME STAGE`: the hidden half of native actions, started by a worker.

use actions::native::Stage;

use crate::exit::{Exit, Failure};

pub(crate) fn run(name: &str, stage: &str) -> Result<std::process::ExitCode, Failure> {
    let Some(stage) = Stage::parse(stage) else {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{stage}` is no stage of an action: pre, main or post"),
        ));
    };
    Ok(std::process::ExitCode::from(actions::native::main(name, stage)))
}
