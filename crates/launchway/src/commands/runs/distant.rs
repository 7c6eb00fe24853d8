//! `launchway runs … --server URL`: the same commands about the runs of a server.

use std::path::Path;

use event::BlobId;
use server::{Reason, RunList};
use views::{ArtifactView, JobView, RunFilter, RunRow, StepView};

use super::{diff, download, list, logs, show};
use crate::cli::{Format, RunRef, RunsCommand};
use crate::distant::{Client, DistantRun};
use crate::exit::{Exit, Outcome};
use crate::running::engine::exit_of_run;
use crate::running::standing::Standing;
use crate::terminal::closing;
use crate::terminal::report::reporter;
use crate::terminal::style::talk;

/// What a command does on a server; none where it names none.
pub(super) fn run(command: &RunsCommand) -> Option<Outcome> {
    let (RunsCommand::List { at, .. }
    | RunsCommand::Show { at, .. }
    | RunsCommand::Watch { at, .. }
    | RunsCommand::Cancel { at, .. }) = command
    else {
        return match command {
            RunsCommand::Logs(args) => {
                let url = args.at.server.as_ref()?;
                Some(Client::of(url).and_then(|client| {
                    let DistantRun { view, .. } = client.run(&client.name(&args.run)?)?;
                    let open = |job: &JobView, own: Option<(u32, &StepView)>| {
                        client.log(&view, job.key.as_str(), own.map(|(number, _)| number))
                    };
                    match &args.search {
                        Some(text) => logs::searched(&client, &view, args, (text, &open)),
                        None => logs::show(&view, args, &open),
                    }
                }))
            }
            RunsCommand::Diff(args) => {
                let url = args.at.server.as_ref()?;
                Some(Client::of(url).and_then(|client| diff::at_server(&client, args)))
            }
            RunsCommand::Download { run, names, folder, at } => {
                let url = at.server.as_ref()?;
                Some(Client::of(url).and_then(|client| downloaded(&client, run, names, folder)))
            }
            RunsCommand::Rerun { run, failed, server, reason, .. } => {
                let url = server.as_ref()?;
                let how = (*failed, reason.said());
                Some(Client::of(url).and_then(|client| again(&client, url, run, how)))
            }
            RunsCommand::Resume { run, server, reason, .. } => {
                let url = server.as_ref()?;
                Some(Client::of(url).and_then(|client| resumed(&client, url, run, reason.said())))
            }
            _ => None,
        };
    };
    let url = at.server.as_ref()?;
    Some(Client::of(url).and_then(|client| match command {
        RunsCommand::List { limit, which, format, .. } => {
            listed(&client, *limit, &which.filter(), *format)
        }
        RunsCommand::Show { run, format, .. } => shown(&client, run, *format),
        RunsCommand::Watch { run, .. } => watched(&client, url, run),
        RunsCommand::Cancel { run, reason, .. } => {
            let name = client.name(run)?;
            client.cancel(&name, reason.said())?;
            talk(&format!(
                "run {name} is told to stop; launchway runs watch {name} --server {url} shows how"
            ));
            Ok(Exit::Done)
        }
        _ => unreachable!("the others name their server elsewhere"),
    }))
}

fn shown(client: &Client, run: &RunRef, format: Format) -> Outcome {
    let DistantRun { request, mut view, standing } = client.run(&client.name(run)?)?;
    let (tests, images) = (client.tests(&view)?, client.images(&view)?);
    let told = show::Told { tests, images, scans: client.scans(&view)? };
    show::take_in(&mut view, client.earlier(&request));
    let summary = |blob: &BlobId| client.summary(&view, blob);
    show::page(&view, standing, &summary, format, &told);
    Ok(Exit::Done)
}

fn downloaded(client: &Client, run: &RunRef, names: &[String], folder: &Path) -> Outcome {
    let DistantRun { mut view, request, .. } = client.run(&client.name(run)?)?;
    view.take_artifacts(&client.earlier(&request)?);
    let (run, attempt) = (view.header.run, view.header.attempt);
    let fetch = |name: &str, _: &ArtifactView| client.artifact(run, attempt, name);
    download::unpacked(&format!("run {run}"), &view.artifacts, (names, folder), &fetch)
}

fn listed(client: &Client, limit: usize, filter: &RunFilter, format: Format) -> Outcome {
    let RunList { runs, older } = client.runs(limit, filter)?;
    if runs.is_empty() && format == Format::Human {
        talk(match filter.is_empty() {
            true => "no run yet; a push to a connected repository makes one",
            false => list::NONE_FITS,
        });
    }
    if let Some(older) = older.filter(|_| runs.len() < limit) {
        talk(&format!("runs before {older} were not looked through"));
    }
    let line = |line: server::RunLine| {
        let standing = match (line.conclusion, line.unattended) {
            (Some(_), _) => Standing::Over,
            (None, true) => Standing::Unattended,
            (None, false) => Standing::Served,
        };
        (RunRow::from(line), standing)
    };
    list::show(&runs.into_iter().map(line).collect::<Vec<_>>(), format);
    Ok(Exit::Done)
}

fn watched(client: &Client, url: &str, run: &RunRef) -> Outcome {
    let name = client.name(run)?;
    // That there is no such run is said before anything is drawn.
    client.run(&name)?;
    followed(client, url, &name, Format::Human)
}

/// Follows a run to its end, as the command does that drives one.
pub(crate) fn followed(client: &Client, url: &str, name: &str, format: Format) -> Outcome {
    let mut reporter = reporter(format);
    let followed = client.follow(name, &mut |run, event| reporter.event(run, event));
    reporter.end();
    followed?;
    let DistantRun { view, .. } = client.run(name)?;
    if format == Format::Human {
        let summary = |blob: &BlobId| client.summary(&view, blob);
        closing::show_one(&view, &summary, &format!(" --server {url}"));
    }
    Ok(exit_of_run(view.conclusion))
}

fn again(client: &Client, url: &str, run: &RunRef, (failed, reason): (bool, &Reason)) -> Outcome {
    let made = client.rerun(&client.name(run)?, failed, reason)?;
    let (run, attempt) = made.split_once('.').unwrap_or((&made, "1"));
    talk(&format!(
        "run {run}, attempt {attempt}, was made; launchway runs watch {run} --server {url} follows it"
    ));
    Ok(Exit::Done)
}

fn resumed(client: &Client, url: &str, run: &RunRef, reason: &Reason) -> Outcome {
    let name = client.name(run)?;
    client.resume(&name, reason)?;
    talk(&format!(
        "the lost jobs of run {name} start again; launchway runs watch {name} --server {url} follows it"
    ));
    Ok(Exit::Done)
}
