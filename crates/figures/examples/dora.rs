//! What the figures say of histories that are given as events, one history a line: the other side of
//! `differential/dora.py` and `differential/jobs.py`. A folder that is named keeps the journal, to look at.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use event::{
    Attempt, DeploymentEvent, DeploymentId, Fact, IncidentEvent, IncidentId, RunEvent, RunId, Seq,
    StreamId, Timestamp,
};
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
    #[serde(default)]
    deployments: Vec<Deployment>,
    #[serde(default)]
    incidents: Vec<Vec<serde_json::Value>>,
    /// What runs and their deployments say, in the order of the journal.
    #[serde(default)]
    journal: Vec<Entry>,
    #[serde(default = "production")]
    environments: Vec<String>,
}

fn production() -> Vec<String> {
    vec!["production".to_owned()]
}

/// A part of a history whose streams are told by turns.
#[derive(Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
enum Entry {
    Run {
        run: u64,
        attempt: u64,
        workflow: String,
        events: Vec<serde_json::Value>,
    },
    Deployment {
        deployment: u64,
        environment: String,
        events: Vec<serde_json::Value>,
    },
    Incident {
        incident: u64,
        project: String,
        events: Vec<serde_json::Value>,
    },
    /// The figures are brought up to here before the rest is there.
    CatchUp,
}

#[derive(Deserialize)]
struct Deployment {
    environment: String,
    events: Vec<serde_json::Value>,
}

fn decoded<E: Fact>(events: &[serde_json::Value]) -> Result<Vec<E>, event::DecodeError> {
    events.iter().map(|it| E::decode(it.to_string().as_bytes())).collect()
}

/// Streams that are told by turns, with how many events each has.
type Known = BTreeMap<StreamId, u64>;

fn tell(
    (store, figures): (&Arc<Store>, &Figures),
    project: &str,
    entry: Entry,
    known: &mut Known,
) -> Result<(), Box<dyn std::error::Error>> {
    match entry {
        Entry::Run { run, attempt, workflow, events } => {
            let stream = StreamId::Run(RunId(run), Attempt(attempt));
            if !known.contains_key(&stream) {
                let made = match attempt {
                    1 => (store.allocate_run(project, &workflow)?.0, Attempt(1)),
                    _ => (RunId(run), store.allocate_attempt(RunId(run))?),
                };
                assert_eq!(StreamId::Run(made.0, made.1), stream);
            }
            let seq = known.entry(stream).or_default();
            let events: Vec<RunEvent> = decoded(&events)?;
            store.append(stream, Seq(*seq), Timestamp(1), &events)?;
            *seq += events.len() as u64;
        }
        Entry::Deployment { deployment, environment, events } => {
            let stream = StreamId::Deployment(DeploymentId(deployment));
            if !known.contains_key(&stream) {
                let made = store.allocate_deployment(project, &environment)?;
                assert_eq!(StreamId::Deployment(made), stream);
            }
            let seq = known.entry(stream).or_default();
            let events: Vec<DeploymentEvent> = decoded(&events)?;
            store.ledger().append(stream, Seq(*seq), Timestamp(1), &events)?;
            *seq += events.len() as u64;
        }
        Entry::Incident { incident, project, events } => {
            let stream = StreamId::Incident(IncidentId(incident));
            if !known.contains_key(&stream) {
                let made = store.allocate_incident(&project, None)?;
                assert_eq!(StreamId::Incident(made), stream);
            }
            let seq = known.entry(stream).or_default();
            let events: Vec<IncidentEvent> = decoded(&events)?;
            store.append_incident(IncidentId(incident), Seq(*seq), Timestamp(1), &events)?;
            *seq += events.len() as u64;
        }
        Entry::CatchUp => drop(figures.catch_up(store, &mut |_| true)?),
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let kept = std::env::args_os().nth(1).map(std::path::PathBuf::from);
    let folder = kept.as_deref().unwrap_or(scratch.path());
    let store = Arc::new(Store::open(folder)?);
    let figures = Figures::open(folder)?;
    let (mut histories, mut known) = (Vec::new(), Known::new());
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
        for entry in history.journal {
            tell((&store, &figures), &history.project, entry, &mut known)?;
        }
        let window = Window { since: Timestamp(history.since), until: Timestamp(history.until) };
        histories.push((history.project, history.environments, window));
    }
    figures.catch_up(&store, &mut |_| true)?;
    let mut out = std::io::stdout().lock();
    for (project, environments, window) in histories {
        let mut told = Vec::new();
        for environment in environments {
            let asked = Asked {
                project: Some(project.clone()),
                environment: Some(environment),
                ..Asked::everything(window)
            };
            told.extend(figures.delivery(&asked)?.told);
        }
        writeln!(out, "{}", serde_json::to_string(&told)?)?;
    }
    Ok(())
}
