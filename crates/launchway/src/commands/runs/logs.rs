//! `launchway runs logs`: what jobs printed, masked; for a person at a terminal, for a pipe, or byte
//! by byte as it is kept. Streams; a log may be larger than memory.

mod search;

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Seek, SeekFrom, Write};

use event::{Conclusion, LogRange};
use store::Store;
use views::{JobView, RunView, StepView};

use crate::cli::LogsArgs;
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::terminal::log_line::{shown, steered_by_nobody};
use crate::terminal::style::{Style, out, talk};

/// What is read of a line at once: a longer one is shown in pieces.
pub(super) const PIECE_BYTES: u64 = 1 << 20;

pub(crate) fn run(store: &Store, args: &LogsArgs) -> Outcome {
    let view = journal::view(store, journal::find(store, &args.run)?)?;
    let open = |job: &JobView, own: Option<(u32, &StepView)>| Ok(open(store, &view, job, own));
    show(&view, args, &open)
}

/// Where logs come from: the file of a job, or of one of its background steps.
pub(super) type Opens<'o> =
    dyn Fn(&JobView, Option<(u32, &StepView)>) -> Result<Option<File>, Failure> + 'o;

/// The logs that are wanted.
pub(super) fn show(view: &RunView, args: &LogsArgs, open: &Opens<'_>) -> Outcome {
    let jobs = wanted(view, args.job.as_deref())?;
    if let Some(text) = &args.search {
        return search::run(&jobs, &search::finder(text, args.regex)?, open);
    }
    let several = jobs.len() > 1;
    let style = Style::stdout();
    let mut exit = Exit::Done;
    for job in jobs {
        for Piece { own, ranges } in pieces(job, args.failed) {
            let Some(mut log) = open(job, own)? else {
                if job.log.is_some() {
                    talk(&format!(
                        "warning: the log of {} is gone from the state folder",
                        job.name
                    ));
                    exit = Exit::Missing;
                }
                continue;
            };
            match own {
                // Several may have printed at a time, so each stands by itself.
                Some((_, step)) => {
                    out(&style.bold(&format!("── {} › {} (background) ──", job.name, step.name)));
                }
                None if several => out(&style.bold(&format!("── {} ──", job.name))),
                None => {}
            }
            let copied = match args.raw {
                true => copy(&mut log, &ranges),
                false => print(&mut log, &ranges, style),
            };
            copied.map_err(|error| {
                let what = format!("cannot read the log of {}", job.name);
                Failure::caused(Exit::Missing, anyhow::Error::new(error).context(what))
            })?;
        }
    }
    Ok(exit)
}

/// The lines of a server's logs that have a text: it looks itself.
pub(super) fn searched(
    client: &Client,
    view: &RunView,
    args: &LogsArgs,
    (text, open): (&str, &Opens<'_>),
) -> Outcome {
    let finder = search::finder(text, args.regex)?;
    let jobs = wanted(view, args.job.as_deref())?;
    let job = match jobs[..] {
        [job] if args.job.is_some() => Some(&job.key),
        _ => None,
    };
    let found = client.search(view, job, (text, args.regex))?;
    search::at_server(found, &jobs, &finder, open)
}

/// Of a job's log, or of one of its background steps' own with its number, what is wanted.
struct Piece<'v> {
    own: Option<(u32, &'v StepView)>,
    ranges: Vec<LogRange>,
}

fn wanted<'v>(view: &'v RunView, name: Option<&str>) -> Result<Vec<&'v JobView>, Failure> {
    let has_log = |job: &&JobView| job.children.is_empty();
    let Some(name) = name else {
        return Ok(view.jobs.iter().filter(has_log).collect());
    };
    let named: Vec<&JobView> = view
        .jobs
        .iter()
        .filter(has_log)
        .filter(|job| job.key.as_str() == name || job.name.as_str() == name || &*job.id == name)
        .collect();
    if named.is_empty() {
        let names: Vec<&str> =
            view.jobs.iter().filter(has_log).map(|job| job.name.as_str()).collect();
        return Err(Failure::new(
            Exit::Usage,
            format!("run {} has no job {name}", view.header.run),
        )
        .hint(format!("it has: {}", names.join(", "))));
    }
    Ok(named)
}

/// The job's own steps first, then each that ran in the background; the whole of them, or the parts
/// of failed steps.
fn pieces(job: &JobView, failed: bool) -> Vec<Piece<'_>> {
    let aside = (1..).zip(job.steps.iter().filter(|step| step.background)).map(Some);
    let pieces = [None].into_iter().chain(aside).map(|own| {
        let key = own.map(|(_, step)| &step.key);
        let has_failed = |step: &&StepView| step.outcome == Some(Conclusion::Failure);
        let is_here =
            |step: &&StepView| job.background_of(&step.key).map(|(_, aside)| &aside.key) == key;
        let steps = job.steps.iter().filter(has_failed).filter(is_here);
        let ranges = if failed { steps.filter_map(|step| step.log).collect() } else { vec![WHOLE] };
        Piece { own, ranges }
    });
    pieces.filter(|piece| !piece.ranges.is_empty()).collect()
}

/// The blob of what ended, the growing file of what runs.
pub(super) fn open(
    store: &Store,
    view: &RunView,
    job: &JobView,
    own: Option<(u32, &StepView)>,
) -> Option<File> {
    if let Some(blob) = own.map_or(job.log.as_ref(), |(_, step)| step.own_log.as_ref()) {
        return store.blobs().get(blob).ok();
    }
    let attempt = job.carried_from.unwrap_or(view.header.attempt);
    let path = store.logs().path(view.header.run, attempt, &job.key, job.fence?);
    let path = own.map_or(path.clone(), |(number, _)| protocol::own_log(&path, number));
    File::open(path).ok()
}

const WHOLE: LogRange = LogRange { start_bytes: 0, end_bytes: u64::MAX, lines: 0 };

/// The bytes as they are kept.
fn copy(log: &mut File, ranges: &[LogRange]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    for range in ranges {
        let mut part = part(log, range)?;
        match std::io::copy(&mut part, &mut stdout) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            copied => copied?,
        };
    }
    stdout.flush()
}

/// Lines for people where there is a terminal, else lines as they are, without their colours.
fn print(log: &mut File, ranges: &[LogRange], style: Style) -> std::io::Result<()> {
    let for_people = std::io::stdout().is_terminal();
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    for range in ranges {
        let mut part = BufReader::new(part(log, range)?);
        let mut piece = Vec::new();
        while Read::by_ref(&mut part).take(PIECE_BYTES).read_until(b'\n', &mut piece)? > 0 {
            let text = String::from_utf8_lossy(&piece);
            let line = text.strip_suffix('\n').unwrap_or(&text);
            let line = match for_people {
                true => shown(line, style),
                false => Some(steered_by_nobody(line, style)),
            };
            let end = if piece.ends_with(b"\n") { "\n" } else { "" };
            let written = line.map_or(Ok(()), |line| write!(stdout, "{line}{end}"));
            match written {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
            piece.clear();
        }
    }
    match stdout.flush() {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        flushed => flushed,
    }
}

pub(super) fn part<'l>(
    log: &'l mut File,
    range: &LogRange,
) -> std::io::Result<std::io::Take<&'l mut File>> {
    log.seek(SeekFrom::Start(range.start_bytes))?;
    Ok(Read::by_ref(log).take(range.end_bytes - range.start_bytes))
}
