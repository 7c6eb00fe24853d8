//! The program that the tests of this crate start: the hidden commands, as the product has them, and
//! a service.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a program for tests prints and ends as services do"
)]

mod service;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use target_host::{Folder, IfTaken};

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let text: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let own = std::env::current_exe().expect("this program").into_os_string();
    let done = match text.as_slice() {
        ["supervise", "--folder", folder] => {
            target_host::supervise(&Folder::new(*folder), &[own], IfTaken::Leave)
                .map_err(|it| it.to_string())
        }
        ["supervise", "--task", task] => {
            target_host::run_task(&PathBuf::from(task)).map_err(|it| it.to_string())
        }
        ["proxy", "--folder", folder] => {
            let never = proxy::main(&PathBuf::from(folder), proxy::given_on_stdin());
            never.map(|never| match never {}).map_err(|it| it.to_string())
        }
        ["service", how @ ..] => {
            service::serve(how);
            Ok(())
        }
        _ => Err(format!("what is {words:?}?")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
