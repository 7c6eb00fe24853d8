//! `launchway logs`: what the instances of a service print, masked; the last lines first, then
//! whatever comes.

mod ecs;

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;
use target_host::{Logs, LogsError, PrintedLine};

use crate::cli::{Format, ServiceLogsArgs};
use crate::deploying::request::{environment, services};
use crate::deploying::targets::{self, Site};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::log_line::steered_by_nobody;
use crate::terminal::style::Style;

pub(crate) fn run(args: &ServiceLogsArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let of = environment(&found, &args.environment)?;
    let of = &*of.name.value;
    let names: Vec<String> =
        services(&found, &args.services)?.iter().map(|it| it.value.to_string()).collect();
    let mut on_ecs = Vec::new();
    for name in &names {
        let resolved = found.settings.resolve(of, name);
        let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
        match &resolved.target {
            settings::Target::Host(_) => {}
            settings::Target::Ecs(_) => on_ecs.push(resolved),
            settings::Target::Kubernetes(_) => return Err(unread(name)),
        }
    }
    if !on_ecs.is_empty() && on_ecs.len() < names.len() {
        let message = "some of these services run on this machine and some on ECS";
        return Err(Failure::new(Exit::Usage, message).hint("name one: --service NAME"));
    }
    let project = &found.settings.project.value;
    let site = Site { state, project, environment: of };
    if !on_ecs.is_empty() {
        return ecs::run(args, site, &found, &on_ecs);
    }
    let target = targets::this_machine(site, &found)?;
    let mut logs = target.logs(&names, args.instance.as_deref()).map_err(refused)?;
    let last = logs.last(args.lines, args.follow).map_err(refused)?;
    let told = Told::new(args, of, &last, names.len() > 1);
    let goes_on = told.lines(&last)?;
    if args.follow && goes_on {
        follow(&mut logs, &told)?;
    }
    Ok(Exit::Done)
}

/// What this version cannot read is refused, with what can.
fn unread(name: &str) -> Failure {
    let message = format!("{name} runs on Kubernetes, and this version does not read its logs");
    Failure::new(Exit::Missing, message).hint("kubectl logs shows them")
}

fn refused(error: LogsError) -> Failure {
    let (exit, hint) = match &error {
        LogsError::NoName(_) => (Exit::Usage, None),
        LogsError::Nothing(_) => {
            let hint = "launchway status says what runs where; what a deployment's instances said \
                        before they failed: launchway deployments show";
            (Exit::Usage, Some(hint.to_owned()))
        }
        LogsError::Past { log, .. } => {
            let hint =
                format!("as it was printed, with whatever is secret in it: {}", log.display());
            (Exit::Missing, Some(hint))
        }
        LogsError::System { .. } => (Exit::Missing, None),
    };
    let failure = Failure::caused(exit, error);
    hint.into_iter().fold(failure, Failure::hint)
}

/// Until Ctrl-C, or until nobody reads any more.
fn follow(logs: &mut Logs, told: &Told<'_>) -> Result<(), Failure> {
    let system = |error: std::io::Error| Failure::caused(Exit::Missing, error);
    let (stop, stopped) = UnixStream::pair().map_err(system)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, stop).map_err(system)?;
    loop {
        let more = logs.more().map_err(refused)?;
        if !told.lines(&more)? {
            return Ok(());
        }
        let stdout = std::io::stdout();
        let changes = logs.changes();
        let mut fds = [
            PollFd::from_borrowed_fd(changes, PollFlags::IN),
            PollFd::new(&stopped, PollFlags::IN),
            PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(system(error.into())),
        }
        let is_gone = fds[2].revents().intersects(PollFlags::ERR | PollFlags::HUP);
        if !fds[1].revents().is_empty() || is_gone {
            return Ok(());
        }
    }
}

/// Writes lines as they were asked for.
struct Told<'a> {
    format: Format,
    environment: &'a str,
    /// Lines bear the names of their instances.
    is_named: bool,
    /// And of their services.
    is_of_several: bool,
    style: Style,
}

impl<'a> Told<'a> {
    fn new(
        args: &ServiceLogsArgs,
        environment: &'a str,
        last: &[PrintedLine],
        is_of_several: bool,
    ) -> Told<'a> {
        // Whoever follows sees the instances of the next release, too.
        let is_one = last.windows(2).all(|two| two[0].instance == two[1].instance);
        let is_named = !is_one || args.follow || is_of_several;
        let format = args.settings.format;
        Told { format, environment, is_named, is_of_several, style: Style::stdout() }
    }

    /// Whether somebody still reads.
    fn lines(&self, lines: &[PrintedLine]) -> Result<bool, Failure> {
        let mut text = String::new();
        for line in lines {
            text += &match self.format {
                Format::Json => self.machine(line),
                Format::Human | Format::Github => self.human(line),
            };
            text.push('\n');
        }
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => {
                let what = anyhow::Error::new(error).context("standard output cannot be written");
                Err(Failure::caused(Exit::Missing, what))
            }
            Ok(()) => Ok(true),
        }
    }

    fn human(&self, line: &PrintedLine) -> String {
        let said = steered_by_nobody(&line.text, self.style);
        match (self.is_named, self.is_of_several) {
            (false, _) => said,
            (true, false) => format!("{} {said}", self.style.dim(&format!("{} |", line.instance))),
            (true, true) => {
                let who = format!("{} {} |", line.service, line.instance);
                format!("{} {said}", self.style.dim(&who))
            }
        }
    }

    fn machine(&self, line: &PrintedLine) -> String {
        json!({
            "type": "printed", "environment": self.environment, "service": line.service,
            "instance": line.instance, "text": steered_by_nobody(&line.text, Style::plain()),
        })
        .to_string()
    }
}
