//! `launchway prune`: what is past goes from the state folder, with what nothing refers to any more.
//!
//! ```text
//!   1. runs        the events of runs that ended long ago are forgotten      (runs.rs)
//!   2. blobs       those that no event names any more go
//!   3. folders     logs and workspaces of runs that are over, caches, actions, snapshots, downloads
//!                  of package managers, and where asked for the tools       (folders.rs)
//! ```
//!
//! The journal first, then the files: a run whose events are there has its logs and artifacts there
//! too. The other way round, a kill in between would leave a run that shows logs which are gone. No
//! list of what is to go is kept: it is computed from the journal each time, so the next `prune`
//! finds what a killed one left.
//!
//! Beside a `launchway run`: what a run writes it names a moment later, so blobs that are younger than
//! the oldest run under way stay whatever the journal says, and what is used again in between is
//! found to be young under the lock that writers share. Open runs are never touched, whether somebody
//! drives them or not.

mod folders;
mod runs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use driver::Owner;
use event::{Seq, StreamId, Timestamp};
use ports::Journal;
use serde_json::json;
use store::Store;
use views::decimal_size;

use crate::cli::{Format, PruneArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::state::StateFolder;
use crate::terminal::style::{out, talk};
use crate::terminal::time::now;

/// Runs that are named in the audit trail; more are counted.
const NAMED_MAX: usize = 100;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// While a run is under way the clock may have been set; what it wrote is not older than this before
/// its beginning.
const CLOCK_MARGIN: Duration = DAY;

pub(crate) fn run(args: &PruneArgs, state: &StateFolder) -> Outcome {
    let store = Arc::new(journal::open_there(state)?);
    let round = Round::begin(args, state, &store)?;
    let mut pruned = Pruned::new(args);
    for kept in &round.unfinished {
        pruned.keep(*kept);
    }
    let forgotten = runs::prune(&round, &mut pruned)?;
    blobs(&round, &forgotten, &mut pruned)?;
    folders::prune(&round, &forgotten, &mut pruned)?;
    if !args.dry_run && !forgotten.is_empty() {
        let names = forgotten.iter().take(NAMED_MAX).map(ToString::to_string);
        let names = names.collect::<Vec<_>>().join(" ");
        let more = forgotten.len().saturating_sub(NAMED_MAX);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let object = format!("older than {} days: {names}{more}", args.days);
        journal::record(state, "prune", object)?;
    }
    pruned.close()
}

/// What holds for the whole of one prune.
struct Round<'a> {
    state: &'a StateFolder,
    store: &'a Arc<Store>,
    dry_run: bool,
    /// Whether the tool cache goes too.
    tools: bool,
    now: Timestamp,
    started: SystemTime,
    /// Runs that ended before this are past.
    horizon: Timestamp,
    /// The same as a time of files.
    unused_since: SystemTime,
    /// Files that were written since may be needed by what is under way.
    before: SystemTime,
    /// What is not over.
    open: BTreeSet<StreamId>,
    /// Of these, those that nobody drives.
    unfinished: Vec<StreamId>,
}

impl<'a> Round<'a> {
    fn begin(
        args: &PruneArgs,
        state: &'a StateFolder,
        store: &'a Arc<Store>,
    ) -> Result<Round<'a>, Failure> {
        let missing = |error| Failure::caused(Exit::Missing, error);
        let (now, started) = (now(), SystemTime::now());
        let past_ms = args.days.saturating_mul(DAY.as_millis() as u64);
        let mut round = Round {
            state,
            store,
            dry_run: args.dry_run,
            tools: args.tools,
            now,
            started,
            horizon: Timestamp(now.0.saturating_sub(past_ms)),
            unused_since: started
                .checked_sub(Duration::from_millis(past_ms))
                .unwrap_or(SystemTime::UNIX_EPOCH),
            before: file_time(),
            open: store.open_streams().map_err(missing)?.into_iter().collect(),
            unfinished: Vec::new(),
        };
        for stream in round.open.clone() {
            if is_driven(state, stream)? {
                round.before = round.before.min(began(store, stream));
            } else {
                round.unfinished.push(stream);
            }
        }
        Ok(round)
    }

    /// A clock that was set back while this works makes everything look old that is written now.
    fn check_clock(&self) -> Result<(), Failure> {
        if SystemTime::now() >= self.started {
            return Ok(());
        }
        Err(Failure::new(Exit::Missing, "the clock was set back; what is left stays for now")
            .hint("launchway prune once more does the rest"))
    }
}

/// Now, as the disk notes it: by a clock that lags behind by up to one tick of the kernel. What is
/// written from here on is not older than this.
fn file_time() -> SystemTime {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let since = Duration::try_from(now).unwrap_or_default();
    SystemTime::UNIX_EPOCH + since
}

fn is_driven(state: &StateFolder, stream: StreamId) -> Result<bool, Failure> {
    // Looked at, not taken: in that instant somebody may want to resume it.
    let holder = Owner::holder(&state.owners(), stream);
    Ok(holder.map_err(|error| Failure::caused(Exit::Missing, error))?.is_some())
}

/// The time from which on a run's files are its own; that of a run which cannot be read is unknown.
fn began(store: &Store, stream: StreamId) -> SystemTime {
    let events = store.read(stream, Seq(0)).unwrap_or_default();
    let at = events.first().map_or(0, |first| first.at.0);
    let began = SystemTime::UNIX_EPOCH + Duration::from_millis(at);
    began.checked_sub(CLOCK_MARGIN).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn blobs(
    round: &Round<'_>,
    forgotten: &BTreeSet<StreamId>,
    pruned: &mut Pruned,
) -> Result<(), Failure> {
    let missing = |error| Failure::caused(Exit::Missing, error);
    // After `before` was taken: a run that ended since has all its names in the journal.
    let named = round.store.blobs_named(forgotten, round.now).map_err(missing)?;
    let blobs = round.store.blobs();
    let mut part = Part::new("blobs", "logs, summaries and artifacts that no run names");
    for (blob, size_bytes) in blobs.unused(&named, round.before).map_err(missing)? {
        round.check_clock()?;
        if round.dry_run {
            part.add(size_bytes);
            continue;
        }
        match blobs.remove_unused(&blob, round.before) {
            Ok(true) => part.add(size_bytes),
            Ok(false) => {}
            Err(error) => pruned.failed(anyhow::Error::new(error)),
        }
    }
    pruned.say(&part);
    Ok(())
}

/// What went of one kind.
struct Part {
    what: &'static str,
    about: &'static str,
    count: u64,
    size_bytes: u64,
}

impl Part {
    fn new(what: &'static str, about: &'static str) -> Part {
        Part { what, about, count: 0, size_bytes: 0 }
    }

    fn add(&mut self, size_bytes: u64) {
        self.count += 1;
        self.size_bytes += size_bytes;
    }
}

/// What is said about all of it.
struct Pruned {
    format: Format,
    dry_run: bool,
    count: u64,
    size_bytes: u64,
    failures: u64,
}

impl Pruned {
    fn new(args: &PruneArgs) -> Pruned {
        let (count, size_bytes, failures) = (0, 0, 0);
        Pruned { format: args.format, dry_run: args.dry_run, count, size_bytes, failures }
    }

    fn say(&mut self, part: &Part) {
        self.count += part.count;
        self.size_bytes += part.size_bytes;
        if self.format == Format::Json {
            let line = json!({
                "type": "pruned", "what": part.what, "count": part.count,
                "size_bytes": part.size_bytes, "dry_run": self.dry_run,
            });
            return out(&line.to_string());
        }
        let weight =
            if part.size_bytes == 0 { String::new() } else { decimal_size(part.size_bytes) };
        out(&format!("{:<11} {:>6}  {weight:>9}  {}", part.what, part.count, part.about));
    }

    fn keep(&mut self, stream: StreamId) {
        let (run, attempt) = stream.as_run().expect("the stream of a run");
        if self.format == Format::Json {
            let line = json!({
                "type": "kept", "run": run, "attempt": attempt, "reason": "it is not finished",
            });
            return out(&line.to_string());
        }
        talk(&format!(
            "kept: run {run} is not finished; launchway runs resume {run} goes on with it, launchway runs cancel {run} ends it"
        ));
    }

    fn keep_tools(&self) {
        let why = "a run is under way";
        if self.format == Format::Json {
            return out(&json!({ "type": "kept", "what": "tools", "reason": why }).to_string());
        }
        talk(&format!("kept: the tools, because {why}"));
    }

    /// One file that cannot be removed keeps no other.
    fn failed(&mut self, error: anyhow::Error) {
        self.failures += 1;
        talk(&format!("warning: {error:#}"));
    }

    fn close(&self) -> Outcome {
        if self.format == Format::Json {
            let line = json!({
                "type": "prune_completed", "count": self.count, "size_bytes": self.size_bytes,
                "failures": self.failures, "dry_run": self.dry_run,
            });
            out(&line.to_string());
        } else {
            let weight = decimal_size(self.size_bytes);
            talk(&match (self.dry_run, self.count) {
                (_, 0) => "there is nothing to remove".to_owned(),
                (true, _) => format!("{weight} would be free; nothing was removed"),
                (false, _) => format!("{weight} are free now"),
            });
        }
        Ok(if self.failures == 0 { Exit::Done } else { Exit::Missing })
    }
}
