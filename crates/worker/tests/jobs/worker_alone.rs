//! The worker without the binary around it, for tests: what `launchway worker` is to the driver,
//! and what `launchway native` is to the worker.

use std::process::ExitCode;

use actions::native::{Stage, main as native};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [word, name, stage] if word == "native" => match Stage::parse(stage) {
            Some(stage) => ExitCode::from(native(name, stage)),
            None => ExitCode::from(2),
        },
        [word, rest @ ..] if word == "inside" => ExitCode::from(docker::run_inside(rest.to_vec())),
        _ => worker::main_on_stdin(),
    }
}
