//! What a server tells of who decided what.

use event::Timestamp;
use serde::Deserialize;
use views::AuditLine;

use super::Client;
use crate::exit::Failure;

/// Decisions that are asked for at once.
const PART: usize = 200;

#[derive(Deserialize)]
struct Decisions {
    decisions: Vec<Decision>,
    newer: Option<u64>,
}

#[derive(Deserialize)]
struct Decision {
    position: u64,
    stream: String,
    at_ms: Timestamp,
    actor: String,
    proof: String,
    action: String,
    object: String,
    reason: String,
    source: String,
    /// Of a server of before there is none.
    #[serde(default)]
    address: String,
    refused: bool,
}

impl Client {
    /// Every decision up to the newest of now, oldest first: its place in the journal, its stream, and what it was.
    pub(crate) fn decisions(
        &self,
        told: &mut dyn FnMut(u64, &str, &AuditLine),
    ) -> Result<(), Failure> {
        // What is decided meanwhile is of the next export.
        let newest: Decisions = self.get("/api/v1/audit?limit=1")?;
        let Some(last) = newest.decisions.first().map(|it| it.position) else { return Ok(()) };
        let mut after = Some(0);
        while let Some(place) = after {
            let part: Decisions = self.get(&format!("/api/v1/audit?after={place}&limit={PART}"))?;
            for it in part.decisions.into_iter().filter(|it| it.position <= last) {
                let line = AuditLine {
                    at: it.at_ms,
                    actor: it.actor,
                    proof: it.proof,
                    action: it.action,
                    object: it.object,
                    reason: it.reason,
                    source: it.source,
                    address: it.address,
                    is_refused: it.refused,
                };
                told(it.position, &it.stream, &line);
            }
            after = part.newer.filter(|it| *it < last);
        }
        Ok(())
    }
}
