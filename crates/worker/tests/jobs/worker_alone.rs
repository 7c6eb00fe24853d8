//! The worker without the binary around it, for tests: what `launchway worker` is to the driver.

use std::process::ExitCode;

fn main() -> ExitCode {
    worker::main_on_stdin()
}
