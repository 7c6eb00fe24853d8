//! `launchway audit`: the journal proven unaltered, and every decision in it.

use std::path::Path;

use event::StreamId;
use serde_json::json;
use store::{Head, ReadError, Trail, Verified};
use views::{AuditLine, DECISIONS};

use crate::cli::{AuditCommand, AuditFormat, DataArgs};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::state::StateFolder;
use crate::terminal::style::{out, talk};

/// Events that are read at once.
const PART: usize = 500;

pub(crate) fn run(command: &AuditCommand, state: Option<&Path>) -> Outcome {
    match command {
        AuditCommand::Verify { server: Some(url), .. } => Err(Failure::new(
            Exit::Usage,
            format!("what {url} says of its journal proves nothing: verify reads the journal itself"),
        )
        .hint("launchway audit verify --data DIR --expect HEAD, on its machine or beside a copy of its folder")),
        AuditCommand::Verify { expect, of, .. } => {
            let kept = expect.as_deref().map(kept).transpose()?;
            verify(&open(&of.data, state)?, kept.as_ref())
        }
        AuditCommand::Export { format, server: Some(url), .. } => {
            export_of_server(&Client::of(url)?, *format)
        }
        AuditCommand::Export { format, of, .. } => export(&open(&of.data, state)?, *format),
    }
}

/// A server's journal where one is named, else that of the state folder. Nothing is written.
fn open(data: &DataArgs, state: Option<&Path>) -> Result<Trail, Failure> {
    let folder = StateFolder::locate(data.data.as_deref().or(state))?;
    Trail::open(folder.root()).map_err(|error| Failure::caused(Exit::Missing, error))
}

/// A head that somebody kept elsewhere.
fn kept(text: &str) -> Result<Head, Failure> {
    text.parse().map_err(|error: store::ParseHeadError| {
        Failure::caused(
            Exit::Usage,
            anyhow::Error::new(error).context(format!("--expect `{text}`")),
        )
        .hint("the last line that launchway audit verify printed, behind the word `head`")
    })
}

fn verify(trail: &Trail, kept: Option<&Head>) -> Outcome {
    let Verified { streams, events, forgotten, head } = trail.verify(kept).map_err(unproven)?;
    out(&format!("{events} events of {streams} streams stand in their chains, unaltered"));
    if forgotten > 0 {
        out(&format!("{forgotten} of them were pruned: the chains hold that they were there"));
    }
    if let Some(kept) = kept {
        out(&format!("up to position {} it is the journal whose head you kept", kept.position));
    }
    out(&format!("head {head}"));
    Ok(Exit::Done)
}

fn unproven(error: ReadError) -> Failure {
    let hint = "somebody altered the journal, or the disk did: compare it with a backup";
    match error {
        ReadError::Broken(broken) => Failure::caused(Exit::Failed, broken).hint(hint),
        ReadError::Hole(hole) => Failure::caused(Exit::Failed, hole).hint(hint),
        error => Failure::caused(Exit::Missing, error),
    }
}

/// Every decision up to the head, which is told last.
fn export(trail: &Trail, format: AuditFormat) -> Outcome {
    let head = trail.head().map_err(unproven)?;
    if format == AuditFormat::Csv {
        out(AuditLine::CSV_HEAD);
    }
    let mut after = 0;
    loop {
        let mut part = trail
            .decisions_after(after, DECISIONS, PART)
            .map_err(|error| Failure::caused(Exit::Missing, error))?;
        part.retain(|it| it.position <= head.position);
        let Some(last) = part.last() else { break };
        after = last.position;
        for it in &part {
            let Ok(stream) = it.stream.parse::<StreamId>() else {
                talk(&format!("warning: {} is of a newer version, and left out", it.stream));
                continue;
            };
            let Some(line) = AuditLine::of(stream, it.at, &it.payload) else { continue };
            out(&match format {
                AuditFormat::Json => machine(it.position, &it.stream, &line),
                AuditFormat::Csv => line.csv(&crate::terminal::time::iso(it.at)),
            });
        }
    }
    let Head { position, digest } = head;
    match format {
        AuditFormat::Json => {
            let line = json!({ "type": "head", "position": position, "digest": digest });
            out(&line.to_string());
        }
        // A spreadsheet has decisions alone.
        AuditFormat::Csv => talk(&format!("head {head}")),
    }
    Ok(Exit::Done)
}

/// Every decision up to the newest of now, as the server tells them: it gives no head, which it could not prove.
fn export_of_server(client: &Client, format: AuditFormat) -> Outcome {
    if format == AuditFormat::Csv {
        out(AuditLine::CSV_HEAD);
    }
    client.decisions(&mut |position, stream, line| {
        out(&match format {
            AuditFormat::Json => machine(position, stream, line),
            AuditFormat::Csv => line.csv(&crate::terminal::time::iso(line.at)),
        });
    })?;
    Ok(Exit::Done)
}

fn machine(position: u64, stream: &str, line: &AuditLine) -> String {
    json!({
        "type": "decision", "position": position, "stream": stream, "at_ms": line.at,
        "actor": line.actor, "proof": line.proof, "action": line.action, "object": line.object,
        "reason": line.reason, "source": line.source, "address": line.address,
        "refused": line.is_refused,
    })
    .to_string()
}
