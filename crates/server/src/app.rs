//! What every request shares, and the list of routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use event::{Seq, StreamId, Timestamp};
use figures::Figures;
use ports::Journal as _;
use store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use views::{RunFilter, RunRow, RunView};

use crate::access::{Access, Token};
use crate::deployed::Remembered;
use crate::engine::{Engine, Teller};
use crate::exchanges::Exchanges;
use crate::guard::{self, Place};
use crate::hub::Hub;
use crate::keep::KEEP_BODY_BYTES_MAX;
use crate::lines::Indexes;
use crate::peer::Network;
use crate::problem::Problem;
use crate::provider::SignIn;
use crate::webhooks::Room;
use crate::{api, assets, health, live, oidc, pages, webhooks};

/// Lines of the list of runs that are remembered: of runs that are over, which change no more.
const ROWS_MAX: usize = 5_000;
/// Runners that are connected at a time; each has a thread.
const RUNNERS_MAX: usize = 256;
/// People for whom the provider is asked at a time: each takes a thread that others wait for, too.
const SIGNING_IN_MAX: usize = 4;
/// Signatures that are judged at a time: each takes a thread until its deployment's driver answers.
const HANDING_IN_MAX: usize = 4;
/// Deployments that are told to stop at a time: each takes a thread until whoever drives it heard, and none that
/// signatures need.
const STOPPING_MAX: usize = 4;
/// Rules for messages that are tested at a time: each takes a thread until its receiver answers.
const TESTING_MAX: usize = 2;
/// Those whose values are put to GitHub at a time: each takes a thread until GitHub has answered for all of them.
const SYNCING_MAX: usize = 2;
/// Answers on what runs where that are made at a time: each folds deployments of every environment that are not
/// remembered, and reads the settings of every repository. The others wait.
const SURVEYING_MAX: usize = 2;
/// Searches of the list of runs that are made at a time: each reads thousands of runs, once for whoever asks. The
/// others wait.
const SEARCHING_MAX: usize = 2;
/// Searches in logs that are made at a time: each may take a thread for seconds, of the few there are. The others
/// wait.
const FINDING_MAX: usize = 4;
/// Streams that are looked through for one page of a list.
pub(crate) const STREAMS_SEARCHED_MAX: usize = 2_000;
/// Names of one kind that are suggested to who filters runs.
const SUGGESTED_MAX: usize = 100;

/// Refused tries of a minute that are written down, of either kind; more are counted alone.
const TRIES_MAX: u32 = 30;
/// Nothing that is sent here is larger: a token, a word on what to run again.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What every request shares.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) figures: Figures,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) access: Access,
    pub(crate) sign_in: Option<Arc<dyn SignIn>>,
    /// For those who come back from the provider.
    pub(crate) signing_in: Arc<Semaphore>,
    pub(crate) exchanges: Exchanges,
    /// For those who hand in what they signed: each waits for an answer.
    pub(crate) handing_in: Arc<Semaphore>,
    /// For those who want a deployment to end: each waits until it is heard.
    pub(crate) stopping: Arc<Semaphore>,
    /// For those who have a rule for messages tested: each waits for the receiver.
    pub(crate) testing: Arc<Semaphore>,
    /// For those who have values put to GitHub: each waits for that.
    pub(crate) syncing: Arc<Semaphore>,
    /// For those who ask what runs everywhere.
    pub(crate) surveying: Arc<Semaphore>,
    /// For those who look for runs among others.
    searching: Arc<Semaphore>,
    /// For those who look for a text in a log.
    pub(crate) finding: Arc<Semaphore>,
    pub(crate) hub: Hub,
    pub(crate) place: Place,
    /// It shows what is past, and does nothing.
    pub(crate) stands_by: bool,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) indexes: Indexes,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) counts: Counts,
    pub(crate) room: Room,
    /// For runners on other machines.
    pub(crate) runners: Arc<Semaphore>,
    rows: Mutex<BTreeMap<StreamId, RunRow>>,
    pub(crate) deployed: Remembered,
}

/// What is counted for `/metrics`.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) followers: AtomicU64,
    pub(crate) began_ms: AtomicU64,
    /// Refused tries of those who are let in, and of those who are not: strangers fill no one's place but
    /// their own.
    pub(crate) tries: Tries,
    pub(crate) strangers: Tries,
}

/// Refused tries that were written down in a minute.
#[derive(Debug, Default)]
pub(crate) struct Tries(Mutex<(u64, u32)>);

impl Tries {
    /// Whether one more is written down.
    pub(crate) fn may_write_down(&self, now: Timestamp) -> bool {
        let minute = now.0 / 60_000;
        let mut tries = self.0.lock().expect("nobody panics while counting");
        if tries.0 != minute {
            *tries = (minute, 0);
        }
        tries.1 += 1;
        tries.1 <= TRIES_MAX
    }
}

/// A part of the list of runs.
pub(crate) struct Rows {
    pub(crate) rows: Vec<RunRow>,
    /// Where the older ones begin; none where there are none.
    pub(crate) older: Option<StreamId>,
    /// It ends because enough was looked through, not because it is full.
    pub(crate) is_search_over: bool,
}

/// What people filter runs by, as runs that were looked at lately had it.
#[derive(Debug, Default)]
pub(crate) struct Suggested {
    pub(crate) workflows: BTreeSet<String>,
    pub(crate) branches: BTreeSet<String>,
    pub(crate) actors: BTreeSet<String>,
    pub(crate) events: BTreeSet<String>,
}

/// Which runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Only those before this one.
    pub(crate) before: Option<StreamId>,
    /// Only those.
    pub(crate) filter: RunFilter,
    /// Only what this one sees.
    pub(crate) seen_by: Option<Token>,
    pub(crate) limit: usize,
}

impl Wanted {
    /// Whether most of what is looked at may be none of it.
    fn is_search(&self) -> bool {
        self.seen_by.is_some() || !self.filter.is_empty()
    }
}

impl App {
    pub(crate) fn new(
        (store, figures): (Arc<Store>, Figures),
        engine: Arc<dyn Engine>,
        (access, sign_in): (Access, Option<Arc<dyn SignIn>>),
        hub: Hub,
        place: Place,
        stop: watch::Receiver<bool>,
    ) -> App {
        let counts = Counts::default();
        counts.began_ms.store(crate::words::now().0, Ordering::Relaxed);
        App {
            store,
            figures,
            engine,
            access,
            sign_in,
            signing_in: Arc::new(Semaphore::new(SIGNING_IN_MAX)),
            exchanges: Exchanges::default(),
            handing_in: Arc::new(Semaphore::new(HANDING_IN_MAX)),
            stopping: Arc::new(Semaphore::new(STOPPING_MAX)),
            testing: Arc::new(Semaphore::new(TESTING_MAX)),
            syncing: Arc::new(Semaphore::new(SYNCING_MAX)),
            surveying: Arc::new(Semaphore::new(SURVEYING_MAX)),
            searching: Arc::new(Semaphore::new(SEARCHING_MAX)),
            finding: Arc::new(Semaphore::new(FINDING_MAX)),
            hub,
            place,
            stands_by: false,
            trusted_proxies: Vec::new(),
            indexes: Indexes::default(),
            stop,
            counts,
            room: Room::default(),
            runners: Arc::new(Semaphore::new(RUNNERS_MAX)),
            rows: Mutex::default(),
            deployed: Remembered::default(),
        }
    }

    /// A run, folded.
    pub(crate) fn view(&self, stream: StreamId) -> Result<RunView, Problem> {
        let events = self.store.read(stream, Seq(0))?;
        let view = RunView::of(events.iter().map(|envelope| &envelope.event));
        let mut view = view.ok_or_else(|| Problem::not_found("There is no such run."))?;
        view.waits = self.engine.waits(stream);
        Ok(view)
    }

    /// The newest attempt of a run that began, or the one that is named.
    pub(crate) fn stream(&self, text: &str) -> Result<StreamId, Problem> {
        let none = || Problem::not_found("There is no such run.");
        let (run, attempt) = crate::words::parse_run(text).ok_or_else(none)?;
        let attempts = match attempt {
            Some(attempt) => attempt.0..=attempt.0,
            None => 1..=self.store.run(run)?.ok_or_else(none)?.attempts.0,
        };
        for attempt in attempts.rev() {
            let stream = StreamId::Run(run, event::Attempt(attempt));
            // A number is taken before the run is written.
            if self.store.head(stream)?.0 > Seq(0) {
                return Ok(stream);
            }
        }
        Err(none())
    }

    /// The right to look for runs; none where nothing is looked for.
    pub(crate) async fn turn_to_search(
        &self,
        wanted: &Wanted,
    ) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        if !wanted.is_search() {
            return Ok(None);
        }
        turn(&self.searching).await.map(Some)
    }

    /// Runs, newest first.
    pub(crate) fn rows(&self, wanted: &Wanted) -> Result<Rows, Problem> {
        let mut rows = Vec::new();
        let mut before = wanted.before;
        let mut searched = 0;
        loop {
            let streams = self.store.streams_before(before, wanted.limit + 1)?;
            for stream in &streams {
                if rows.len() == wanted.limit {
                    return Ok(Rows { rows, older: before, is_search_over: false });
                }
                before = Some(*stream);
                searched += 1;
                // A run that cannot be read, or was pruned a moment ago, does not hide the others.
                let Some(row) = self.row(*stream) else { continue };
                let is_seen = wanted.seen_by.as_ref().is_none_or(|it| it.sees(&row.repository));
                if is_seen && wanted.filter.fits(&row) {
                    rows.push(row);
                }
            }
            if streams.len() <= wanted.limit {
                return Ok(Rows { rows, older: None, is_search_over: false });
            }
            if searched >= STREAMS_SEARCHED_MAX {
                return Ok(Rows { rows, older: before, is_search_over: true });
            }
        }
    }

    /// What somebody may filter by: what is remembered of the runs that they see.
    pub(crate) fn suggested(&self, token: &Token) -> Suggested {
        let mut suggested = Suggested::default();
        let known = self.rows.lock().expect("nobody panics while holding the rows");
        for row in known.values().rev().filter(|row| token.sees(&row.repository)) {
            for (all, value) in [
                (&mut suggested.workflows, &*row.workflow),
                (&mut suggested.branches, &*row.branch),
                (&mut suggested.actors, &*row.actor),
                (&mut suggested.events, &*row.event),
            ] {
                if all.len() < SUGGESTED_MAX && !all.contains(value) {
                    all.insert(value.to_owned());
                }
            }
        }
        suggested
    }

    fn row(&self, stream: StreamId) -> Option<RunRow> {
        let known = self.rows.lock().expect("nobody panics while holding the rows");
        if let Some(row) = known.get(&stream) {
            return Some(row.clone());
        }
        drop(known);
        let view = self.view(stream).ok()?;
        let row = RunRow::from(&view);
        if row.conclusion.is_some() {
            let mut known = self.rows.lock().expect("nobody panics while holding the rows");
            known.insert(stream, row.clone());
            if known.len() > ROWS_MAX {
                // The lowest number is the oldest run.
                known.pop_first();
            }
        }
        Some(row)
    }

    pub(crate) fn now(&self) -> Timestamp {
        crate::words::now()
    }
}

/// Shared by all requests.
pub(crate) type Shared = Arc<App>;

/// A page that a browser opens: its path, and what answers.
type PageRoute = (&'static str, fn() -> MethodRouter<Shared>);

/// Every page. The tour of the browser tier looks at each (`launchway/tests/e2e/browser.rs`).
const PAGES: &[PageRoute] = &[
    ("/sign-in", || get(pages::sign_in).post(pages::signed_in)),
    ("/runs", || get(pages::runs)),
    ("/runs/{run}", || get(pages::run)),
    ("/runs/{run}/jobs/{job}", || get(pages::job)),
    ("/runs/{run}/tests", || get(pages::run_tests)),
    ("/runs/{run}/search", || get(pages::run_search)),
    ("/repositories", || get(pages::repositories)),
    ("/repositories/{owner}/{name}/versions", || get(pages::versions)),
    ("/repositories/{owner}/{name}/versions/{tag}", || get(pages::version)),
    ("/secrets", || {
        get(pages::secrets).post(pages::kept).layer(DefaultBodyLimit::max(KEEP_BODY_BYTES_MAX))
    }),
    ("/dispatch", || get(pages::dispatch).post(pages::dispatched)),
    ("/approvals", || get(pages::approvals)),
    ("/approvals/{run}/{job}", || get(pages::approval).post(pages::answered)),
    ("/environments", || get(pages::environments)),
    ("/deployments", || get(pages::deployments)),
    ("/deployments/{id}", || get(pages::deployment)),
    ("/incidents", || get(pages::incidents).post(pages::opened)),
    ("/incidents/{id}", || get(pages::incident).post(pages::changed)),
    ("/runners", || get(pages::runners)),
    ("/messages", || get(pages::messages)),
    ("/insights", || get(pages::delivery)),
    ("/insights/pipelines", || get(pages::pipelines)),
    ("/insights/tests", || get(pages::tests)),
    ("/insights/images", || get(pages::images)),
    ("/insights/scans", || get(pages::scans)),
    ("/audit", || get(pages::audit)),
    ("/settings", || get(pages::settings).post(pages::ended)),
    ("/docs", || get(pages::docs)),
    ("/design", || get(pages::design)),
];

/// The paths of all pages, with the names of their parts in braces.
pub fn page_paths() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(path, _)| *path)
}

/// Every route that there is. Those of the API are also in its document (`api/openapi.rs`).
pub(crate) fn routes(app: Shared) -> Router {
    let pages = PAGES.iter().fold(Router::new(), |it, (path, page)| it.route(path, page()));
    pages
        .route("/", get(pages::home))
        .route("/sign-in/provider", get(pages::sent))
        .route("/sign-in/return", get(pages::came_back))
        .route("/sign-out", post(pages::sign_out))
        .route("/runs/{run}/older", get(pages::older))
        .route("/runs/{run}/newer", get(pages::newer))
        .route("/runs/{run}/cancel", post(pages::cancel))
        .route("/runs/{run}/rerun", post(pages::rerun))
        .route("/runs/{run}/resume", post(pages::resume))
        .route("/runs/{run}/jobs/{job}/lines", get(pages::lines))
        .route("/runs/{run}/jobs/{job}/log.txt", get(pages::raw))
        .route("/deployments/{id}/incidents", post(pages::opened_by))
        .route("/held/{id}/let-in", post(pages::let_in))
        .route("/runners/{name}/drain", post(pages::drain_runner))
        .route("/runners/{name}/resume", post(pages::resume_runner))
        .route("/live/runs", get(live::runs))
        .route("/live/runs/{run}", get(live::run))
        .route("/live/runs/{run}/jobs/{job}", get(live::job))
        .route("/static/{version}/{file}", get(assets::file))
        .route("/oidc/token", get(oidc::token))
        .route(oidc::GITHUB_TOKEN, get(oidc::github_token))
        .route("/.well-known/openid-configuration", get(oidc::discovery))
        .route("/.well-known/jwks", get(oidc::key_set))
        .route("/webhooks/github", webhooks::of(Teller::GitHub))
        .route("/webhooks/pagerduty", webhooks::of(Teller::PagerDuty))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .merge(api::routes())
        .fallback(pages::nothing)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&app), guard::check))
        .with_state(app)
}

/// One of as many turns as there are at a time; until then it takes no thread.
pub(crate) async fn turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    let turn = Arc::clone(turns).acquire_owned().await;
    turn.map_err(|error| Problem::missing(&error))
}

/// Work that waits for the disk goes to a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The panic was shown when it happened.
        Err(_) => Err(Problem::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "This is a fault of ours; the server's own output says more.",
        )),
    }
}
