//! Which builders a job has set up where there is no buildx to keep them: a name and a driver each.
//! What matters of a driver is whether docker sees what was built.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::native::step::{Failure, Step, failed_at};

/// The driver whose results are docker's own images.
pub(super) const DOCKER: &str = "docker";
/// The driver that keeps its results to itself.
pub(super) const CONTAINER: &str = "docker-container";
/// The builder that everybody has.
const DEFAULT: &str = "default";

/// The job's list.
pub(super) struct Builders {
    path: PathBuf,
    known: Json,
}

impl Builders {
    /// What earlier steps of the job set up.
    pub(super) fn of_job(step: &Step) -> Result<Builders, Failure> {
        let path = step.folder("RUNNER_TEMP")?.join("launchway-builders.json");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let known = serde_json::from_str(&text)
            .unwrap_or_else(|_| json!({"current": DEFAULT, "drivers": {DEFAULT: DOCKER}}));
        Ok(Builders { path, known })
    }

    /// Adds one; later steps use it where they name none.
    pub(super) fn add(&mut self, name: &str, driver: &str, used: bool) -> Result<(), Failure> {
        self.known["drivers"][name] = json!(driver);
        if used {
            self.known["current"] = json!(name);
        }
        let text = self.known.to_string();
        fs::write(&self.path, text).map_err(failed_at("written", &self.path))
    }

    /// The driver of a builder, or of the current one.
    pub(super) fn driver(&self, name: Option<&str>) -> Result<String, Failure> {
        let name = name.or_else(|| self.known["current"].as_str()).unwrap_or(DEFAULT);
        let driver = self.known["drivers"][name].as_str().map(str::to_owned);
        driver.ok_or_else(|| {
            Failure::new(format!("no builder \"{name}\" found")).hint(
                "docker/setup-buildx-action makes one: its output `name` says which, or give it a `name`",
            )
        })
    }
}
