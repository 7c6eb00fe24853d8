//! Following live: server-sent events with resume.
//!
//! Each follower reads the journal and the log by itself, from where it stands; what wakes it says
//! only that something changed. A browser that comes back says by `Last-Event-ID` where it stopped.
//! Whose token or session ends while they follow is told so, and nothing more (`standing.rs`).

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use event::{Envelope, Fact, JobKey, Seq, Status, StreamId};
use http_body_util::channel::{Channel, Sender};
use ports::Journal as _;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use views::{JobView, RunView};

use crate::app::{App, Shared, blocking};
use crate::folds::Wish;
use crate::guard::Who;
use crate::log::{self, Place};
use crate::pages::ShownLog;
use crate::problem::Problem;
use crate::serve::told;
use crate::standing::{self, Standing};

/// Followers at a time; each costs a task and what it last saw of a run.
const FOLLOWERS_MAX: u64 = 512;
/// Messages on their way to one follower; one that does not read is waited for.
const MESSAGES_MAX: usize = 16;
/// Nothing happened for so long: a line says that the connection lives.
const HEARTBEAT: Duration = standing::TRUSTED;
/// A log of another process grows without a sign.
const LOG_LOOK: Duration = Duration::from_secs(1);
/// What happens in such a moment is told at once.
const MOMENT: Duration = Duration::from_millis(100);
/// A follower of a log that is further behind is shown its end.
const BEHIND_LINES_MAX: u64 = 5_000;

/// One who follows.
pub(crate) struct Follower {
    app: Shared,
    sender: Sender<Bytes>,
    changes: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    standing: Standing,
    is_waiting_for_log: bool,
    /// How far they are where nothing of it was theirs: said with the next sign of life, so that who comes
    /// back goes on from there.
    passed: Option<u64>,
    /// When they were last sent something: who is sent nothing is not heard to be gone.
    sent: Instant,
}

/// The follower is gone, or is to go.
pub(crate) struct Gone;

impl Follower {
    /// The answer, and its other side.
    pub(crate) fn begin(app: &Shared, who: &Who) -> Result<(Response, Follower), Problem> {
        if app.counts.followers.fetch_add(1, Ordering::Relaxed) >= FOLLOWERS_MAX {
            app.counts.followers.fetch_sub(1, Ordering::Relaxed);
            let detail = "Too many follow already; the page shows what is true when it is loaded.";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
        }
        let (sender, body) = Channel::<Bytes, Infallible>::new(MESSAGES_MAX);
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            // A proxy in front is not to keep what comes.
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        let response = (headers, Body::new(body)).into_response();
        let (changes, stop) = (app.hub.subscribe(), app.stop.clone());
        let (standing, app) = (Standing::of(app, who), Arc::clone(app));
        let (is_waiting_for_log, passed, sent) = (false, None, Instant::now());
        let follower =
            Follower { app, sender, changes, stop, standing, is_waiting_for_log, passed, sent };
        Ok((response, follower))
    }

    pub(crate) fn app(&self) -> Shared {
        Arc::clone(&self.app)
    }

    /// Tells one thing.
    pub(crate) async fn tell(&mut self, id: &str, name: &str, data: &str) -> Result<(), Gone> {
        self.still_may().await?;
        self.passed = None;
        self.say(id, name, data).await
    }

    /// Who is let in no longer is told that, and nothing more.
    async fn still_may(&mut self) -> Result<(), Gone> {
        if self.standing.stands().await {
            return Ok(());
        }
        self.say("", "signed-out", standing::OVER).await?;
        Err(Gone)
    }

    async fn say(&mut self, id: &str, name: &str, data: &str) -> Result<(), Gone> {
        let mut text = String::with_capacity(data.len() + 64);
        if !id.is_empty() {
            let _ = writeln!(text, "id: {id}");
        }
        let _ = writeln!(text, "event: {name}");
        for line in data.split('\n') {
            let _ = writeln!(text, "data: {}", line.trim_end_matches('\r'));
        }
        text.push('\n');
        self.send(text).await
    }

    async fn send(&mut self, text: String) -> Result<(), Gone> {
        tokio::select! {
            sent = self.sender.send_data(Bytes::from(text)) => sent.map_err(|_| Gone)?,
            () = told(&mut self.stop) => return Err(Gone),
        }
        self.sent = Instant::now();
        Ok(())
    }

    /// Says that the connection lives where there is nothing else to say, and finds out whether somebody is
    /// there: who hung up, or may look no longer, is not read on for.
    pub(crate) async fn beat(&mut self) -> Result<(), Gone> {
        self.still_may().await?;
        // An id without data is no event; browsers and programs remember it all the same.
        let id = self.passed.take().map(|it| format!("id: {it}\n")).unwrap_or_default();
        self.send(format!(":\n{id}\n")).await
    }

    /// Says with the next sign of life that they are as far as this, where nothing else is told before.
    pub(crate) fn passes(&mut self, position: u64) {
        self.passed = Some(position);
    }

    /// Waits until something changed, or may have.
    pub(crate) async fn wait(&mut self) -> Result<(), Gone> {
        let look = Instant::now() + LOG_LOOK;
        loop {
            let heartbeat = self.sent + HEARTBEAT;
            // Where there is always something new, none of it may be theirs.
            if heartbeat <= Instant::now() {
                self.beat().await?;
                continue;
            }
            tokio::select! {
                changed = self.changes.changed() => {
                    changed.map_err(|_| Gone)?;
                    tokio::time::sleep(MOMENT).await;
                    self.changes.mark_unchanged();
                    return Ok(());
                }
                () = self.standing.doubted() => self.still_may().await?,
                () = sleep_until(look), if self.is_waiting_for_log => return Ok(()),
                () = sleep_until(heartbeat) => {}
                () = told(&mut self.stop) => return Err(Gone),
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.app.counts.followers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The list of runs changed.
pub(crate) async fn runs(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Response, Problem> {
    let (response, mut follower) = Follower::begin(&app, &who)?;
    tokio::spawn(async move {
        loop {
            follower.wait().await?;
            follower.tell("", "changed", "").await?;
        }
        #[expect(unreachable_code, reason = "says how the loop is left")]
        Ok::<(), Gone>(())
    });
    Ok(response)
}

/// Where somebody stopped.
#[derive(Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    pub(crate) after: u64,
    pub(crate) aside: Option<u32>,
}

/// `Last-Event-ID`, else what the address says.
///
/// # Errors
/// When it is no number: to begin anew would tell twice what was told.
pub(crate) fn resumed(headers: &HeaderMap, after: &After) -> Result<u64, Problem> {
    let Some(last) = headers.get("last-event-id") else { return Ok(after.after) };
    let last = last.to_str().ok().and_then(|it| it.trim().parse().ok());
    last.ok_or_else(|| {
        Problem::bad("Last-Event-ID is the id of the last event that came, a number; leave it out to begin anew.")
    })
}

/// Where events of a run or a deployment go on.
pub(crate) struct GoesOn {
    pub(crate) seen: Seq,
    /// Nothing comes any more: all of them were told.
    pub(crate) is_over: bool,
}

/// Where they go on for who has seen as much: who comes with a number beyond the end, of another journal say, hears
/// what comes from now on.
pub(crate) fn goes_on<E: Fact>(
    app: &App,
    (stream, seen): (StreamId, u64),
    read: impl FnOnce(&App, Seq) -> Result<Vec<Envelope<E>>, Problem>,
) -> Result<GoesOn, Problem> {
    if seen == 0 {
        return Ok(GoesOn { seen: Seq(0), is_over: false });
    }
    let (last, _) = app.store.head(stream)?;
    if Seq(seen) < last || last == Seq(0) {
        return Ok(GoesOn { seen: Seq(seen).min(last), is_over: false });
    }
    let newest = read(app, Seq(last.0 - 1))?;
    let is_over = newest.iter().any(|it| it.event.ends_stream());
    Ok(GoesOn { seen: last, is_over })
}

/// A run changed.
pub(crate) async fn run(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = resumed(&headers, &after)?;
    let (stream, GoesOn { mut seen, is_over: was_over }) = blocking({
        let app = Arc::clone(&app);
        move || {
            let stream = app.stream(&run)?;
            let read = |app: &App, after| Ok(app.store.read(stream, after)?);
            Ok((stream, goes_on(&app, (stream, seen), read)?))
        }
    })
    .await?;
    let (response, mut follower) = Follower::begin(&app, &who)?;
    tokio::spawn(async move {
        loop {
            let (app, after) = (Arc::clone(&follower.app), seen);
            let news = blocking(move || {
                let news = app.store.read(stream, after)?;
                let is_over = was_over || news.iter().any(|it| event::Fact::ends_stream(&it.event));
                Ok((news.last().map(|it| it.seq), is_over))
            });
            let Ok((last, is_over)) = news.await else { return };
            if let Some(last) = last {
                seen = last;
                if follower.tell(&last.to_string(), "changed", "").await.is_err() {
                    return;
                }
            }
            if is_over {
                let _ended = follower.tell("", "end", "").await;
                return;
            }
            if follower.wait().await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}

/// What a follower of a log knows of its run.
struct LogReader {
    stream: StreamId,
    job: JobKey,
    aside: Option<u32>,
    view: Option<RunView>,
    seen: Seq,
    /// Lines that were told.
    told: u64,
    /// Events of the run that pages show.
    news: bool,
}

/// What there is to tell of a log.
struct LogNews {
    /// Lines as HTML, and whether lines before them are passed over.
    lines: String,
    is_jump: bool,
    is_over: bool,
    runs: bool,
    /// There is more to be told at once.
    more: bool,
}

impl LogReader {
    /// Takes what happened since, and looks whether there is such a job.
    fn fold(&mut self, app: &App) -> Result<(&RunView, &JobView), Problem> {
        self.news = false;
        for envelope in app.store.read(self.stream, self.seen)? {
            self.seen = envelope.seq;
            match &mut self.view {
                Some(view) => view.apply(&envelope.event),
                None => self.view = RunView::of([&envelope.event]),
            }
            self.news |= envelope.event.job().is_some_and(|job| *job == self.job);
        }
        let job = self.view.as_ref().and_then(|view| Some((view, view.job(&self.job)?)));
        job.ok_or_else(|| Problem::not_found("There is no such job."))
    }

    fn read(&mut self, app: &App) -> Result<LogNews, Problem> {
        let (aside, told) = (self.aside, self.told);
        let (view, job) = self.fold(app)?;
        let is_over = job.status == Status::Completed || view.conclusion.is_some();
        let mut news =
            LogNews { lines: String::new(), is_jump: false, is_over, runs: !is_over, more: false };
        let Some(log) = log::open(app, view, job, aside) else {
            // Who was told lines of one that is not there begins with its first.
            self.told = 0;
            return Ok(news);
        };
        let total = log.total(app)?;
        // Who comes with a line beyond the end, of another journal say, hears what comes from now on.
        let mut told = told.min(total);
        if total > told + BEHIND_LINES_MAX {
            told = total - log::PAGE_LINES;
            news.is_jump = true;
        }
        let shown = ShownLog::of(app, (view, job), aside, Some(&log), Wish::default())?;
        let place = (Place::From(told + 1), log::PAGE_LINES);
        let rows = log.rows(app, (job, &shown.lines), place, &shown.wish)?;
        news.lines = shown.look().rows(&rows).concat();
        self.told = told.max(rows.next - 1);
        news.more = self.told < total;
        news.is_over &= !news.more;
        Ok(news)
    }
}

/// The log of a job grew.
pub(crate) async fn job(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((run, job)): Path<(String, String)>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let told = resumed(&headers, &after)?;
    let aside = after.aside;
    let mut reader = blocking({
        let app = Arc::clone(&app);
        move || {
            let stream = app.stream(&run)?;
            let (job, seen) = (JobKey::new(job), Seq(0));
            let mut reader = LogReader { stream, job, aside, view: None, seen, told, news: false };
            // That there is no such job is said before anything is streamed.
            reader.fold(&app)?;
            Ok(reader)
        }
    })
    .await?;
    let (response, mut follower) = Follower::begin(&app, &who)?;
    tokio::spawn(async move {
        loop {
            let app = Arc::clone(&follower.app);
            let read = blocking(move || {
                let news = reader.read(&app)?;
                Ok((reader, news))
            });
            let Ok((back, news)) = read.await else { return };
            reader = back;
            let told = reader.told.to_string();
            let has_lines = !news.lines.is_empty();
            if has_lines {
                let name = if news.is_jump { "jump" } else { "lines" };
                if follower.tell(&told, name, &news.lines).await.is_err() {
                    return;
                }
            }
            if reader.news && follower.tell("", "changed", "").await.is_err() {
                return;
            }
            if news.is_over {
                let _ = follower.tell("", "end", "").await;
                return;
            }
            follower.is_waiting_for_log = news.runs;
            if !news.more && follower.wait().await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}
