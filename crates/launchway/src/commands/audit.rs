//! `launchway audit`: the journal proven unaltered, and every decision in it.

use std::path::Path;

use event::StreamId;
use serde_json::json;
use store::Store;
use views::{AuditLine, DECISIONS};

use crate::cli::{AuditCommand, AuditFormat, DataArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::state::StateFolder;
use crate::terminal::style::{out, talk};

/// Events that are read at once.
const PART: usize = 500;

pub(crate) fn run(command: &AuditCommand, state: Option<&Path>) -> Outcome {
    match command {
        AuditCommand::Verify(of) => verify(&open(&of.data, state)?),
        AuditCommand::Export { format, of } => export(&open(&of.data, state)?, *format),
    }
}

/// A server's journal where one is named, else that of the state folder.
fn open(data: &DataArgs, state: Option<&Path>) -> Result<Store, Failure> {
    let folder = StateFolder::locate(data.data.as_deref().or(state))?;
    if !folder.root().is_dir() {
        let message = format!("there is no journal in {}", folder.root().display());
        return Err(Failure::new(Exit::Usage, message)
            .hint("--data names a server's folder, --state that of a machine"));
    }
    crate::journal::open(&folder)
}

fn verify(store: &Store) -> Outcome {
    let verified = store.verify().map_err(|error| match error {
        store::ReadError::Broken(broken) => Failure::caused(Exit::Failed, broken)
            .hint("somebody altered the journal, or the disk did: compare it with a backup"),
        error => Failure::caused(Exit::Missing, error),
    })?;
    let store::Verified { streams, events, forgotten } = verified;
    out(&format!("{events} events of {streams} streams stand in their chains, unaltered"));
    if forgotten > 0 {
        out(&format!("{forgotten} of them were pruned: the chains hold that they were there"));
    }
    Ok(Exit::Done)
}

fn export(store: &Store, format: AuditFormat) -> Outcome {
    if format == AuditFormat::Csv {
        out(AuditLine::CSV_HEAD);
    }
    let mut after = 0;
    loop {
        let part = store
            .decisions_after(after, DECISIONS, PART)
            .map_err(|error| Failure::caused(Exit::Missing, error))?;
        let Some(last) = part.last() else { return Ok(Exit::Done) };
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
}

fn machine(position: u64, stream: &str, line: &AuditLine) -> String {
    json!({
        "type": "decision", "position": position, "stream": stream, "at_ms": line.at,
        "actor": line.actor, "proof": line.proof, "action": line.action, "object": line.object,
        "reason": line.reason, "source": line.source, "refused": line.is_refused,
    })
    .to_string()
}
