//! What the tasks of services of ECS print, out of CloudWatch: asked for again and again, as nobody
//! tells when there is more.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use event::{Cause, CauseCode, ServiceRequest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use settings::ServiceInEnvironment;
use target_ecs::{EcsLine, EcsLogs};
use target_host::PrintedLine;

use super::Told;
use crate::cli::ServiceLogsArgs;
use crate::deploying::show;
use crate::deploying::targets::{self, Site};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::Found;
use crate::terminal::style::Style;

/// How often is asked. CloudWatch has lines seconds after they were printed.
const EVERY: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// Looks in a row that fail before it is given up.
const MISSES_MAX: u32 = 5;

/// A service and how far its logs were read.
struct Read {
    wanted: ServiceRequest,
    logs: EcsLogs,
}

pub(super) fn run(
    args: &ServiceLogsArgs,
    site: Site<'_>,
    found: &Found,
    services: &[ServiceInEnvironment],
) -> Outcome {
    let mut regions = targets::services_of_ecs(site, found)?;
    let (mut all, mut last) = (Vec::new(), Vec::new());
    let lines = u32::try_from(args.lines).unwrap_or(u32::MAX);
    for service in services {
        let wanted = targets::only_look(service, found, None)?;
        let target = regions.of(&wanted).map_err(|cause| failed(&cause))?;
        let only = args.instance.as_deref();
        let mut logs = target.logs(&wanted, only).map_err(|cause| failed(&cause))?;
        let printed = target.last_printed(&mut logs, lines).map_err(|cause| failed(&cause))?;
        last.extend(named(&wanted, printed));
        all.push(Read { wanted, logs });
    }
    let told = Told::new(args, site.environment, &last, services.len() > 1);
    if !told.lines(&last)? || !args.follow {
        return Ok(Exit::Done);
    }
    let system = |error: std::io::Error| Failure::caused(Exit::Missing, error);
    let (stop, stopped) = UnixStream::pair().map_err(system)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, stop).map_err(system)?;
    let mut misses = 0;
    loop {
        if is_over(&stopped)? {
            return Ok(Exit::Done);
        }
        for read in &mut all {
            let target = regions.of(&read.wanted).map_err(|cause| failed(&cause))?;
            match target.more_printed(&mut read.logs) {
                Ok(printed) => {
                    misses = 0;
                    if !told.lines(&named(&read.wanted, printed))? {
                        return Ok(Exit::Done);
                    }
                }
                // AWS may answer again.
                Err(cause) if cause.code == CauseCode::Unavailable && misses < MISSES_MAX => {
                    misses += 1;
                }
                Err(cause) => return Err(failed(&cause)),
            }
        }
    }
}

/// Waits a moment; whether somebody wants it to end, or nobody reads any more.
fn is_over(stopped: &UnixStream) -> Result<bool, Failure> {
    let stdout = std::io::stdout();
    let mut fds = [
        PollFd::new(stopped, PollFlags::IN),
        PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty()),
    ];
    match poll(&mut fds, Some(&EVERY)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(Failure::caused(Exit::Missing, std::io::Error::from(error))),
    }
    let is_gone = fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP);
    Ok(!fds[0].revents().is_empty() || is_gone)
}

fn named(wanted: &ServiceRequest, printed: Vec<EcsLine>) -> Vec<PrintedLine> {
    let line = |it: EcsLine| PrintedLine {
        service: wanted.service.to_string(),
        instance: it.instance,
        text: it.text,
    };
    printed.into_iter().map(line).collect()
}

fn failed(cause: &Cause) -> Failure {
    let exit = match cause.code {
        CauseCode::Fault => Exit::Fault,
        _ => Exit::Missing,
    };
    let tree = show::tree(cause, 0, Style::plain());
    Failure::new(exit, tree.trim_end().to_owned())
        .hint("launchway status says what runs where; what stopped tasks said: launchway deployments show")
}
