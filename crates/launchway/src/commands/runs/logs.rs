//! `launchway runs logs`: bytes as the job printed them, masked. Streams; a log may be larger than
//! memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use event::{Conclusion, LogRange};
use store::Store;
use views::{JobView, RunView};

use crate::cli::RunRef;
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::terminal::style::{Style, out};

pub(crate) fn run(store: &Store, run: &RunRef, job: Option<&str>, failed: bool) -> Outcome {
    let view = journal::view(store, journal::find(store, run)?)?;
    let jobs = wanted(&view, job)?;
    let several = jobs.len() > 1;
    let style = Style::stdout();
    for job in jobs {
        let ranges = ranges(job, failed);
        if ranges.is_empty() && failed {
            continue;
        }
        let Some(mut log) = open(store, &view, job) else { continue };
        if several {
            out(&style.bold(&format!("── {} ──", job.name)));
        }
        copy(&mut log, &ranges).map_err(|error| {
            Failure::caused(
                Exit::Missing,
                anyhow::Error::new(error).context(format!("cannot read the log of {}", job.name)),
            )
        })?;
    }
    Ok(Exit::Done)
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

/// The failed steps' parts; nothing means the whole.
fn ranges(job: &JobView, failed: bool) -> Vec<LogRange> {
    let steps = job.steps.iter().filter(|step| failed && step.outcome == Some(Conclusion::Failure));
    steps.filter_map(|step| step.log).collect()
}

/// The blob of a job that ended, the growing file of one that runs.
fn open(store: &Store, view: &RunView, job: &JobView) -> Option<File> {
    if let Some(blob) = &job.log {
        return store.blobs().get(blob).ok();
    }
    let path = store.logs().path(view.header.run, view.header.attempt, &job.key, job.fence?);
    File::open(path).ok()
}

fn copy(log: &mut File, ranges: &[LogRange]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let whole = [LogRange { start_bytes: 0, end_bytes: u64::MAX, lines: 0 }];
    for range in if ranges.is_empty() { &whole[..] } else { ranges } {
        log.seek(SeekFrom::Start(range.start_bytes))?;
        let mut part = Read::by_ref(log).take(range.end_bytes - range.start_bytes);
        match std::io::copy(&mut part, &mut stdout) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            copied => copied?,
        };
    }
    stdout.flush()
}
