//! One job, run: the child process that owns the job's steps, processes, masks and log bytes.
//!
//! ```text
//!   driver ──socket──▶ control ─┐
//!                               ├─▶ job (one loop) ──▶ sequencer: which step is next?
//!   process: pipes, exit ───────┘      │
//!                                      ├─▶ process: started, ended in order, swept after (orphans)
//!                                      └─▶ output: lines ▶ commands ▶ masks ▶ log file, reports
//! ```
//!
//! [`main`] takes the socket of [`protocol`], waits for one job, runs it and reports. One thread
//! waits with `poll` for everything at once (the socket, both pipes, the end of the process, the
//! next deadline), so a step costs one process and a handful of small files, and nothing is ever
//! polled in turns. The worker is a child subreaper: what a step leaves behind comes back to it.
//!
//! A background step is one more process that the same thread waits for, with a voice of its own in
//! `output`: its half lines, its commands, its log. Nobody else's lines mix with it.
//!
//! The driver gone, the worker ends the running tree in the order of a cancellation, starts no
//! further step, and exits. Nothing is remembered here: that is the driver's. A worker that is to
//! outlive its driver (`protocol::JobOptions::outlives`) goes on instead, keeps its reports (`spool`),
//! and is found again by its socket; only who gave up its lease ends it.

mod annotate;
mod bounds;
mod command_line;
mod container;
mod control;
mod diagnosis;
mod environment;
mod files;
mod gather;
mod github_token;
mod hash;
mod header;
mod hooks;
mod images;
mod job;
mod log;
mod native;
mod node;
mod orphans;
mod output;
mod packages;
mod process;
mod session;
mod setup;
mod shared;
mod signals;
mod spool;
mod subjects;
mod unenforced;
mod user;
mod wait;
mod walls;

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use protocol::ToWorker;

use crate::control::{Control, Order};

/// The worker's whole life with the socket as its standard input, which is how a driver starts it:
/// no descriptor has to be kept open across the exec by other means.
pub fn main_on_stdin() -> ExitCode {
    match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(socket) => main(UnixStream::from(socket)),
        Err(_) => ExitCode::from(2),
    }
}

/// The worker's whole life: waits for a job, runs it, reports. Success also where the job failed;
/// failure only where there was no job to run.
pub fn main(socket: UnixStream) -> ExitCode {
    if let Err(error) = sandbox::keep_rights() {
        let _ = writeln!(std::io::stderr(), "its rights would be its steps': {error}");
        return ExitCode::from(2);
    }
    session::begin();
    signals::answer_ignored();
    // Where it is refused, orphans go to init, and the driver's sweep finds them.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let mut control = Control::new(socket);
    match control.wait() {
        Order::Message(ToWorker::Start(spec)) => {
            job::run(control, &spec);
            ExitCode::SUCCESS
        }
        Order::Message(_) | Order::Attached | Order::Nothing | Order::Closed => ExitCode::from(2),
    }
}
