//! `launchway runs show`

use std::io::Read;

use event::BlobId;
use serde_json::{Value as Json, json};
use store::Store;
use views::{JobView, RunView};

use crate::cli::{Format, RunRef};
use crate::exit::{Exit, Outcome};
use crate::journal;
use crate::standing::Standing;
use crate::state::StateFolder;
use crate::terminal::run_page;
use crate::terminal::style::{Style, out};
use crate::terminal::time::now;

pub(crate) fn run(store: &Store, state: &StateFolder, run: &RunRef, format: Format) -> Outcome {
    let view = journal::view(store, journal::find(store, run)?)?;
    let standing = Standing::of(state, &view)?;
    match format {
        Format::Json => out(&machine(&view, standing).to_string()),
        Format::Human | Format::Github => {
            let summary = |blob: &BlobId| summary(store, blob);
            for line in run_page::lines(&view, standing, &summary, now(), Style::stdout()) {
                out(&line);
            }
        }
    }
    Ok(Exit::Done)
}

/// The Markdown of a summary; nothing where it was pruned.
pub(crate) fn summary(store: &Store, blob: &BlobId) -> Option<String> {
    let mut text = String::new();
    store.blobs().get(blob).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

fn machine(view: &RunView, standing: Standing) -> Json {
    let header = &view.header;
    json!({
        "run": header.run, "attempt": header.attempt, "run_number": header.run_number,
        "repository": header.repository, "workflow": header.workflow_path, "title": header.title,
        "event": header.event, "ref": header.git_ref, "commit": header.commit,
        "uncommitted": header.uncommitted, "actor": header.actor,
        "status": view.status, "conclusion": view.conclusion,
        "driven_by": standing.driven_by(), "unattended": standing == Standing::Unattended,
        "created_at_ms": header.created_at, "started_at_ms": view.started_at, "completed_at_ms": view.completed_at,
        "jobs": view.jobs.iter().map(|job| machine_job(view, standing, job)).collect::<Vec<_>>(),
        "artifacts": view.artifacts.iter().map(|(name, artifact)| json!({
            "name": name, "size_bytes": artifact.size_bytes, "expires_at_ms": artifact.expires_at,
        })).collect::<Vec<_>>(),
        "not_enforced": view.notes.iter().map(|note| &note.note).collect::<Vec<_>>(),
    })
}

fn machine_job(view: &RunView, standing: Standing, job: &JobView) -> Json {
    let steps: Vec<Json> = job
        .steps
        .iter()
        .map(|step| {
            json!({
                "step": step.key, "name": step.name, "status": step.status, "outcome": step.outcome,
                "conclusion": step.conclusion, "interrupted": step.interrupted,
                "background": step.background,
                "started_at_ms": step.started_at, "completed_at_ms": step.completed_at,
            })
        })
        .collect();
    json!({
        "job": job.key, "name": job.name, "needs": job.needs, "status": job.status,
        "conclusion": job.conclusion, "lost": job.lost, "outputs": job.outputs,
        "why_waiting": standing.about_job(view, job),
        "ready_at_ms": job.ready_at, "leased_at_ms": job.leased_at,
        "started_at_ms": job.started_at, "completed_at_ms": job.completed_at,
        "steps": steps,
    })
}
