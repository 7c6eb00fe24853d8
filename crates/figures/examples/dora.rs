//! What the figures say of histories that are given as events, one history a line: the other side of
//! `differential/dora.py`. A folder that is named keeps the journal, to look at.

use std::io::{BufRead as _, Write as _};

use event::{DeploymentEvent, Fact, IncidentEvent, Seq, StreamId, Timestamp};
use figures::{Asked, Figures};
use ports::Journal as _;
use serde::Deserialize;
use store::Store;
use views::Window;

#[derive(Deserialize)]
struct History {
    project: String,
    since: u64,
    until: u64,
    deployments: Vec<Deployment>,
    incidents: Vec<Vec<serde_json::Value>>,
}

#[derive(Deserialize)]
struct Deployment {
    environment: String,
    events: Vec<serde_json::Value>,
}

fn decoded<E: Fact>(events: &[serde_json::Value]) -> Result<Vec<E>, event::DecodeError> {
    events.iter().map(|it| E::decode(it.to_string().as_bytes())).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let kept = std::env::args_os().nth(1).map(std::path::PathBuf::from);
    let folder = kept.as_deref().unwrap_or(scratch.path());
    let store = std::sync::Arc::new(Store::open(folder)?);
    let figures = Figures::open(folder)?;
    let mut histories = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let history: History = serde_json::from_str(&line?)?;
        for it in &history.deployments {
            let id = store.allocate_deployment(&history.project, &it.environment)?;
            let events: Vec<DeploymentEvent> = decoded(&it.events)?;
            store.ledger().append(StreamId::Deployment(id), Seq(0), Timestamp(1), &events)?;
        }
        for it in &history.incidents {
            let id = store.allocate_incident(&history.project, None)?;
            let events: Vec<IncidentEvent> = decoded(it)?;
            store.append_incident(id, Seq(0), Timestamp(1), &events)?;
        }
        histories.push((history.project, history.since, history.until));
    }
    figures.catch_up(&store, &mut |_| true)?;
    let mut out = std::io::stdout().lock();
    for (project, since, until) in histories {
        let window = Window { since: Timestamp(since), until: Timestamp(until) };
        let asked = Asked {
            project: Some(project),
            environment: Some("production".to_owned()),
            service: None,
            repositories: None,
            only_jobs: false,
            window,
        };
        writeln!(out, "{}", serde_json::to_string(&figures.delivery(&asked)?.told)?)?;
    }
    Ok(())
}
