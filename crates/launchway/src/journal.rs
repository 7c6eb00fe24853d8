//! Runs as the journal has them: found by number, or the newest of a repository.

use event::{Attempt, AuditRecord, Envelope, RunEvent, RunId, Seq, StreamId};
use mask::MaskedText;
use ports::{Journal, JournalError};
use repository::Repository;
use server::Reason;
use store::{Store, StoreError};
use views::{RunFilter, RunRow, RunView};

use crate::cli::RunRef;
use crate::exit::{Exit, Failure};
use crate::state::StateFolder;

/// How far back the newest run of a repository is looked for.
const STREAMS_SEARCHED_MAX: usize = 1000;

/// Opens the state folder's journal, which is made where there is none.
pub(crate) fn open(state: &StateFolder) -> Result<Store, Failure> {
    Store::open(state.root()).map_err(cannot_open)
}

/// The same, for who looks at what there is: a slip in the name of a folder makes none.
pub(crate) fn open_there(state: &StateFolder) -> Result<Store, Failure> {
    if !state.is_named() {
        return open(state);
    }
    Store::open_there(state.root()).map_err(|error| match error {
        StoreError::NoJournal { .. } => Failure::caused(Exit::Missing, error),
        error => cannot_open(error),
    })
}

fn cannot_open(error: StoreError) -> Failure {
    let error = anyhow::Error::new(error).context("cannot open the journal");
    Failure::caused(Exit::Missing, error)
}

/// Writes down what somebody did by a command on the machine itself.
pub(crate) fn record(state: &StateFolder, action: &str, object: String) -> Result<(), Failure> {
    record_because(state, (action, object), &Reason::NONE)
}

/// The same, and why they did it.
pub(crate) fn record_because(
    state: &StateFolder,
    what: (&str, String),
    reason: &Reason,
) -> Result<(), Failure> {
    written(state, what, (reason, None))
}

/// Writes down what somebody tried by a command on the machine itself, and why it was not done.
pub(crate) fn record_refused(
    state: &StateFolder,
    what: (&str, String),
    why: &str,
) -> Result<(), Failure> {
    written(state, what, (&Reason::NONE, Some(why)))
}

fn written(
    state: &StateFolder,
    (action, object): (&str, String),
    (reason, refused): (&Reason, Option<&str>),
) -> Result<(), Failure> {
    let record = AuditRecord {
        actor: Some(crate::deploying::person()),
        token: None,
        action: action.into(),
        object: MaskedText::without_secrets(object),
        reason: reason.text(),
        source: "command".into(),
        address: None,
        refused: refused.map(MaskedText::without_secrets),
        at: crate::terminal::time::now(),
    };
    let written = open(state)?.record(record);
    written.map(drop).map_err(|error| Failure::caused(Exit::Missing, error))
}

/// The events of a stream.
pub(crate) fn events(store: &Store, stream: StreamId) -> Result<Vec<RunEvent>, Failure> {
    let events = store.read(stream, Seq(0)).map_err(|error| match error {
        JournalError::Forgotten { stream: StreamId::Run(run, attempt) } => Failure::new(
            Exit::Usage,
            format!("attempt {attempt} of run {run} was deleted by launchway prune; the journal keeps only that it was there"),
        ),
        JournalError::Unreadable(what) => Failure::new(Exit::Missing, what)
            .hint("other runs can be shown all the same: launchway runs list --all"),
        error => Failure::caused(
            Exit::Missing,
            anyhow::Error::new(error).context(format!("cannot read {stream}")),
        ),
    })?;
    Ok(events.into_iter().map(|Envelope { event, .. }| event).collect())
}

/// The run a person means: by its number, else the newest of the repository they stand in.
pub(crate) fn find(store: &Store, run: &RunRef) -> Result<StreamId, Failure> {
    let Some(id) = run.id else {
        return newest(store, run.attempt);
    };
    let record = store.run(RunId(id)).map_err(|error| Failure::caused(Exit::Missing, error))?;
    let Some(record) = record else {
        return Err(Failure::new(Exit::Usage, format!("there is no run {id} in this journal"))
            .hint("launchway runs list --all shows what there is"));
    };
    if let Some(attempt) = run.attempt.map(Attempt) {
        if attempt.0 == 0 || attempt > record.attempts {
            let message = format!("run {id} has {} attempts, not {attempt}", record.attempts);
            return Err(Failure::new(Exit::Usage, message));
        }
        return Ok(StreamId::Run(RunId(id), attempt));
    }
    // A number is taken before the run is written: a command that was killed or refused in between
    // leaves a number without a run.
    for attempt in (1..=record.attempts.0).rev() {
        let stream = StreamId::Run(RunId(id), Attempt(attempt));
        if !matches!(store.read(stream, Seq(0)), Ok(events) if events.is_empty()) {
            return Ok(stream);
        }
    }
    Err(Failure::new(Exit::Usage, format!("run {id} was refused, or ended before it began"))
        .hint("launchway runs list --all shows what there is"))
}

fn newest(store: &Store, attempt: Option<u64>) -> Result<StreamId, Failure> {
    let here = here();
    if let Some(view) = newest_runs(store, 1, here.as_deref())?.first() {
        let (run, newest) = (view.header.run, view.header.attempt);
        let attempt = attempt.map_or(newest, Attempt);
        if attempt.0 == 0 || attempt > newest {
            let message = format!("run {run} has {newest} attempts, not {attempt}");
            return Err(Failure::new(Exit::Usage, message));
        }
        return Ok(StreamId::Run(run, attempt));
    }
    Err(Failure::new(Exit::Usage, "no run of this repository is in the journal").hint(
        "launchway run makes one; launchway runs list --all shows those of other repositories",
    ))
}

/// The root of the repository that the person stands in.
pub(crate) fn here() -> Option<String> {
    let repository = Repository::discover(std::path::Path::new(".")).ok()?;
    Some(repository.root.display().to_string())
}

/// The newest runs, folded; only those of the work tree at `root` where one is given.
pub(crate) fn newest_runs(
    store: &Store,
    limit: usize,
    root: Option<&str>,
) -> Result<Vec<RunView>, Failure> {
    Ok(runs(store, limit, root, &RunFilter::default())?.views)
}

/// Runs that were looked for.
pub(crate) struct Found {
    pub(crate) views: Vec<RunView>,
    /// How many were looked through, where that was enough before there were as many as were wanted.
    pub(crate) searched: Option<usize>,
}

/// The newest runs that are wanted, folded; only those of the work tree at `root` where one is given.
pub(crate) fn runs(
    store: &Store,
    limit: usize,
    root: Option<&str>,
    filter: &RunFilter,
) -> Result<Found, Failure> {
    // Runs of other repositories, and those that nobody wants, lie between those that are wanted.
    let is_all = root.is_none() && filter.is_empty();
    let searched = if is_all { limit } else { STREAMS_SEARCHED_MAX };
    let streams =
        store.newest_streams(searched).map_err(|error| Failure::caused(Exit::Missing, error))?;
    let is_cut = !is_all && streams.len() == searched;
    let mut views = Vec::new();
    for stream in streams {
        if views.len() == limit {
            return Ok(Found { views, searched: None });
        }
        let events = events(store, stream)?;
        let wanted = match (events.first(), root) {
            (Some(RunEvent::RunCreated(request)), Some(root)) => *request.repository_path == *root,
            (Some(_), None) => true,
            _ => false,
        };
        if wanted {
            views.extend(RunView::of(&events).filter(|it| filter.fits(&RunRow::from(it))));
        }
    }
    let searched = (is_cut && views.len() < limit).then_some(searched);
    Ok(Found { views, searched })
}

/// One run, folded.
/// The attempts before one, the oldest first, without those that were pruned or never began.
pub(crate) fn earlier(store: &Store, stream: StreamId) -> Result<Vec<RunView>, Failure> {
    let (run, attempt) = stream.as_run().expect("the stream of a run");
    let mut views = Vec::new();
    for earlier in 1..attempt.0 {
        match view(store, StreamId::Run(run, Attempt(earlier))) {
            Ok(view) => views.push(view),
            Err(failure) if failure.exit == Exit::Usage => {}
            // Of another nobody knows what it had.
            Err(failure) => return Err(failure),
        }
    }
    Ok(views)
}

pub(crate) fn view(store: &Store, stream: StreamId) -> Result<RunView, Failure> {
    let events = events(store, stream)?;
    if events.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("{stream} never began")));
    }
    RunView::of(&events).ok_or_else(|| {
        Failure::new(Exit::Fault, format!("{stream} does not begin with RunCreated"))
    })
}
