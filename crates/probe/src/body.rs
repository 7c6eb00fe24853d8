//! What a step asks: its body in the plan.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What is asked. Stands in the plan, so people agree to it; holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "snake_case")]
pub enum Body {
    /// Paths that must answer with success, all of them, for so long.
    Health {
        /// Where: `http://127.0.0.1:8080`.
        url: String,
        /// The paths.
        paths: Vec<String>,
        /// Headers that every answer must have, in lower case.
        headers: Vec<String>,
        /// Where it says which version it is.
        version: Option<VersionField>,
        /// How long it has to stay healthy.
        settle_ms: u64,
        /// How long one answer may take.
        timeout_ms: u64,
        /// How often is asked.
        every_ms: u64,
    },
    /// The same, for a while, after it was healthy.
    Bake {
        /// Where.
        url: String,
        /// The paths.
        paths: Vec<String>,
        /// For how long.
        bake_ms: u64,
        /// How long one answer may take.
        timeout_ms: u64,
        /// How often is asked.
        every_ms: u64,
    },
    /// Tests, in order, each once.
    Smoke {
        /// Where.
        url: String,
        /// Where commands run: the project's folder.
        folder: String,
        /// The tests.
        tests: Vec<Smoke>,
    },
    /// How slow and how faulty answers are, over many of them.
    Budget {
        /// Where.
        url: String,
        /// The paths, one after the other.
        paths: Vec<String>,
        /// Of 20 answers, 19 come within this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p95_ms: Option<u64>,
        /// The largest share of answers with a status from 500 on, or of none, in percent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        errors_percent: Option<u32>,
    },
    /// A command, once: a migration.
    Command {
        /// The command.
        run: Vec<String>,
        /// Where it runs.
        folder: String,
    },
}

/// One smoke test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Smoke {
    /// A path is asked for.
    Get {
        /// The path.
        path: String,
        /// What must come back.
        answer: Answer,
        /// How long it may take.
        within_ms: u64,
    },
    /// A command is run, with `URL` in its environment.
    Run {
        /// The command.
        run: Vec<String>,
        /// How long it may take.
        within_ms: u64,
    },
}

/// What must come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The status; none for any from 200 to 299.
    pub status: Option<u16>,
    /// What the body contains.
    pub contains: Option<String>,
}

/// Where a service says which version it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionField {
    /// The path that answers with JSON.
    pub path: String,
    /// The field, `.` between nested ones.
    pub field: String,
}

impl Body {
    /// The body of a step.
    ///
    /// # Errors
    /// When the step is not of a kind that is asked here.
    pub fn read(body: &Json) -> Result<Body, serde_json::Error> {
        Body::deserialize(body)
    }

    /// As it stands in the plan.
    pub fn write(&self) -> Json {
        serde_json::to_value(self).expect("it has text keys only")
    }
}
