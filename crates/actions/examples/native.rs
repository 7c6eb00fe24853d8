//! Runs one native action: `native NAME STAGE`, as the binary's hidden sub-command does. The tests
//! start it as the worker would.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let stage = arguments.next().as_deref().and_then(actions::native::Stage::parse);
    let Some(stage) = stage else { return ExitCode::from(2) };
    ExitCode::from(actions::native::main(&name, stage))
}
