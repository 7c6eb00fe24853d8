//! Code of forks that waits at a server to be let in.

use serde::Deserialize;
use serde_json::Value as Json;
use server::{LetIn, Reason};

use super::{Client, percent};
use crate::exit::{Exit, Failure};

#[derive(Deserialize)]
struct Held {
    held: Vec<Json>,
}

#[derive(Deserialize)]
struct Admitted {
    runs: usize,
    /// Nothing from a server of an earlier version.
    #[serde(default)]
    switched_off: Vec<String>,
}

impl Client {
    /// What waits, as `launchway repositories held --format json` writes it.
    pub(crate) fn held(&self) -> Result<Vec<Json>, Failure> {
        let all: Held = self.get("/api/v1/held")?;
        Ok(all.held)
    }

    /// Lets in what waits under an id.
    pub(crate) fn let_in(&self, id: &str, reason: &Reason) -> Result<LetIn, Failure> {
        let path = format!("/api/v1/held/{}/let-in", percent(id));
        let admitted = serde_json::from_value(self.deed(&path, reason)?);
        let Admitted { runs, switched_off } =
            admitted.map_err(|error| Failure::caused(Exit::Missing, error))?;
        Ok(LetIn { runs, switched_off })
    }
}
