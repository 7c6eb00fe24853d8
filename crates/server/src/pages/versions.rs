//! Versions of a repository: the list, and one with all that came of it.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use event::Status;
use versions::{AtGitHub, NoteGroup, Standing, VersionLine, VersionRecord};
use views::decimal_size;

use super::delivery::Shipped;
use super::{Frame, Page, shown};
use crate::api::seen_version;
use crate::app::{Shared, blocking, turn};
use crate::guard::Who;
use crate::words::{Moment, State as Shown, percent};

/// Digits of a commit that are shown.
const COMMIT_DIGITS: usize = 7;

#[derive(Template)]
#[template(path = "versions.html")]
struct VersionsPage {
    frame: Frame,
    behind: u64,
    repository: String,
    rows: Vec<Row>,
    left_out: usize,
}

#[derive(Template)]
#[template(path = "version.html")]
struct VersionPage {
    frame: Frame,
    behind: u64,
    repository: String,
    versions: String,
    row: Row,
    previous: Option<(String, String)>,
    release_said: String,
    groups: Vec<Group>,
    more: usize,
    runs: Vec<RunLine>,
    artifacts: Vec<ArtifactLine>,
    artifacts_more: usize,
    deployments: Vec<DeploymentLine>,
}

/// A version in a list.
struct Row {
    state: Shown,
    tag: String,
    href: String,
    is_prerelease: bool,
    is_gone: bool,
    commit: String,
    by: String,
    at: Moment,
    /// Its page at GitHub; nothing where there is none.
    release: String,
}

struct Group {
    title: String,
    lines: Vec<Note>,
}

struct Note {
    text: String,
    pull_request: String,
    commit: String,
}

struct RunLine {
    state: Shown,
    name: String,
    href: String,
    workflow: String,
}

struct ArtifactLine {
    name: String,
    size: String,
    /// None of one that is gone.
    href: Option<String>,
}

struct DeploymentLine {
    state: Shown,
    environment: String,
    service: String,
    what: Shipped,
    at: Moment,
}

fn list_href(repository: &str) -> String {
    // Names of repositories have nothing that a path has to code but the sign between their parts.
    format!("/repositories/{repository}/versions")
}

fn state(standing: Standing) -> Shown {
    let (sign, word, class) = match standing {
        Standing::Open => ("\u{25cf}", "open", "runs"),
        Standing::Succeeded => ("\u{2713}", "succeeded", "good"),
        Standing::Failed => ("\u{2717}", "failed", "bad"),
        Standing::NoRuns => ("\u{2013}", "no runs", "off"),
    };
    Shown { sign, word, class }
}

fn digits(commit: &str) -> String {
    commit.chars().take(COMMIT_DIGITS).collect()
}

impl Row {
    fn of(it: VersionLine) -> Row {
        let release = match &it.github {
            Some(AtGitHub::Made { url, .. } | AtGitHub::Others { url }) => url.clone(),
            _ => String::new(),
        };
        Row {
            state: state(it.standing),
            href: format!("{}/{}", list_href(&it.repository), percent(&it.tag)),
            is_prerelease: it.prerelease,
            is_gone: it.gone,
            commit: digits(&it.commit),
            by: it.by.unwrap_or_default(),
            at: Moment::of(it.at_ms),
            // What another says is followed only where it is an address of the web.
            release: Some(release).filter(|it| it.starts_with("http")).unwrap_or_default(),
            tag: it.tag,
        }
    }
}

/// What is said of the release at GitHub; nothing where the repository is not known from there.
fn release_said(record: &VersionRecord) -> String {
    match (&record.version.github, &record.no_release) {
        (Some(AtGitHub::Made { .. }), _) => "The release was made by this server.".to_owned(),
        (Some(AtGitHub::Others { .. }), _) => {
            "The release was made by somebody else, and is left alone.".to_owned()
        }
        (Some(AtGitHub::TakenAway), _) => {
            "This server made a release, and somebody took it away. It is not made again."
                .to_owned()
        }
        (Some(AtGitHub::Refused { why }), _) => format!("The release is not made: {why}"),
        (None, why) => why.clone().unwrap_or_default(),
    }
}

fn group(it: NoteGroup) -> Group {
    let note = |it: versions::NoteLine| Note {
        text: it.text,
        pull_request: it.pull_request.map(|number| format!("#{number}")).unwrap_or_default(),
        commit: digits(&it.commit),
    };
    Group { title: it.title, lines: it.lines.into_iter().map(note).collect() }
}

/// The list.
pub(crate) async fn versions(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name)): Path<(String, String)>,
) -> Page {
    let turn = turn(&app.surveying).await?;
    let page = blocking(move || {
        let _turn = turn;
        let repository = format!("{owner}/{name}");
        let list = app.engine.versions(&repository)?;
        Ok(VersionsPage {
            frame: Frame::new(Some(&who), "repositories").live("/live/runs".to_owned()),
            behind: list.behind_events,
            rows: list.versions.into_iter().map(Row::of).collect(),
            left_out: list.left_out,
            repository,
        })
    });
    shown(&page.await?)
}

/// One of them.
pub(crate) async fn version(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name, tag)): Path<(String, String, String)>,
) -> Page {
    let turn = turn(&app.surveying).await?;
    let page = blocking(move || {
        let _turn = turn;
        let repository = format!("{owner}/{name}");
        let record = seen_version(&app, &who, (&repository, &tag))?;
        let frame = Frame::new(Some(&who), "repositories").live("/live/runs".to_owned());
        Ok(page_of(frame, repository, record, app.now()))
    });
    shown(&page.await?)
}

fn page_of(
    frame: Frame,
    repository: String,
    record: VersionRecord,
    now: event::Timestamp,
) -> VersionPage {
    let versions = list_href(&repository);
    let run = |it: versions::RunOfVersion| RunLine {
        state: Shown::of(it.conclusion, Status::InProgress),
        href: format!("/runs/{}", it.run),
        name: format!("run {}", it.run),
        workflow: it.workflow,
    };
    let artifact = |it: versions::VersionArtifact| {
        let href = format!("/api/v1/runs/{}/artifacts/{}", it.run, percent(&it.name));
        let href = Some(href).filter(|_| it.expires_at_ms > now);
        ArtifactLine { name: it.name, size: decimal_size(it.size_bytes), href }
    };
    let deployment = |it: versions::VersionDeployment| DeploymentLine {
        state: Shown::of_deployment(it.verdict.as_str()),
        environment: it.environment,
        service: it.service,
        what: Shipped::named(it.by),
        at: Moment::of(it.at_ms),
    };
    let href = |tag: String| {
        let href = format!("{versions}/{}", percent(&tag));
        (tag, href)
    };
    VersionPage {
        frame,
        behind: record.behind_events,
        release_said: release_said(&record),
        previous: record.previous.map(href),
        groups: record.notes.groups.into_iter().map(group).collect(),
        more: record.notes.more,
        runs: record.runs.into_iter().map(run).collect(),
        artifacts: record.artifacts.into_iter().map(artifact).collect(),
        artifacts_more: record.more_artifacts,
        deployments: record.deployments.into_iter().map(deployment).collect(),
        row: Row::of(record.version),
        versions,
        repository,
    }
}
