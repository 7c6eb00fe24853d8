//! `launchway runner`: this machine takes jobs of a server.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use mask::Secret;
use runners::{ConnectError, Station, StationError, StationOptions};

use crate::cli::RunnerArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::running::engine::processors;
use crate::running::given;
use crate::running::walls::{self, limits};
use crate::state::StateFolder;
use crate::terminal::style::{out, talk};

pub(crate) fn run(args: &RunnerArgs, state: Option<&Path>) -> Outcome {
    let token = std::env::var("LAUNCHWAY_TOKEN").ok().filter(|it| !it.is_empty());
    let token = token.ok_or_else(|| {
        Failure::new(Exit::Usage, "a runner needs a token in LAUNCHWAY_TOKEN")
            .hint("on the server's machine: launchway tokens create NAME --scope runner --data DIR")
    })?;
    let data = match &args.data {
        Some(data) => data.clone(),
        None => StateFolder::locate(state)?.root().join("runner"),
    };
    let opened: [(_, &[PathBuf]); 2] =
        [("--sandbox-read", &args.sandbox_read), ("--sandbox-write", &args.sandbox_write)];
    walls::check_opened(&opened, &data)?;
    let state = StateFolder::locate(Some(&data))?;
    state.make_private()?;
    let machine = state.machine()?;
    let program = std::env::current_exe().map_err(|error| Failure::caused(Exit::Missing, error))?;
    let support = sandbox::support();
    for note in [walls::note(support), walls::note_of_shared(support)].into_iter().flatten() {
        talk(note);
    }
    let user = walls::user_of_jobs(args.job_user.as_deref(), &data, &opened)?;
    let (labels, images) = given::labels_of_machine(&args.labels)?;
    let limits = limits::claimed(&args.limits, !images.is_empty())?;
    limits::said(&args.limits).iter().for_each(|it| talk(&format!("each job has at most {it}")));
    let taking = format!("taking jobs of {} in {}", args.of.server, data.display());
    let station = Station::open(StationOptions {
        data: data.clone(),
        program,
        url: args.of.server.clone(),
        token: Secret::new(token),
        labels,
        images: images.clone(),
        jobs: args.jobs.map_or_else(processors, NonZeroUsize::get),
        readable: args.sandbox_read.clone(),
        changeable: args.sandbox_write.clone(),
        secret: walls::secrets(&[]),
        user,
        limits,
        kept_in: walls::said(support, args.job_user.as_deref(), &[], &images),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine,
        say: talk,
        // Whoever waits for this line waits for a runner that gets jobs.
        let_in: Box::new(move || out(&taking)),
    });
    let station = station.map_err(failed)?;
    let stop = station.stop();
    let mut signals = {
        use signal_hook::consts::{SIGINT, SIGTERM};
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
            .map_err(|error| Failure::caused(Exit::Missing, error))?
    };
    std::thread::spawn(move || {
        for _ in signals.forever() {
            stop.now();
        }
    });
    talk(&format!("connecting to {}", args.of.server));
    station.run().map_err(failed)?;
    talk("ended; jobs that run go on, and the next launchway runner takes them up");
    Ok(Exit::Done)
}

fn failed(error: StationError) -> Failure {
    let exit = match &error {
        StationError::Connect(ConnectError::Address(_)) => Exit::Usage,
        StationError::Connect(ConnectError::Token(_))
        | StationError::Refused(_)
        | StationError::Taken(_) => Exit::Forbidden,
        _ => Exit::Missing,
    };
    let is_token = matches!(&error, StationError::Connect(ConnectError::Token(_)));
    let failure = Failure::caused(exit, error);
    if !is_token {
        return failure;
    }
    failure.hint(
        "a runner's own token is in LAUNCHWAY_TOKEN; on the server's machine: launchway tokens create NAME --scope runner --data DIR",
    )
}
