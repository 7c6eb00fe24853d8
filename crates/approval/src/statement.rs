//! What people sign: one text for one decision about one plan of one deployment. Two programs that
//! mean the same write the same bytes.

use std::fmt::Write as _;

use event::{DeploymentId, Digest, Timestamp};
use jiff::Timestamp as Moment;

/// What a signature is made for that agrees or says no (`ssh-keygen -n`). A signature that was made
/// for anything else, a git commit among them, is none of ours.
pub const DEPLOYMENT: &str = "launchway-deployment@1";
/// What a signature is made for that asks for a deployment.
pub const REQUEST: &str = "launchway-request@1";

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// They agree.
    Approve,
    /// They do not.
    Reject,
}

impl Decision {
    /// As it stands in the text.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Approve => "approve",
            Decision::Reject => "reject",
        }
    }
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Yes or no.
    pub decision: Decision,
    /// Why not, in their words, on one line.
    pub reason: Option<&'a str>,
    /// The project.
    pub project: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The deployment.
    pub deployment: DeploymentId,
    /// Who asked for it.
    pub by: &'a str,
    /// When. Two journals count from 1: the moment tells their deployments apart.
    pub requested_at: Timestamp,
    /// The plan's hash.
    pub plan: Digest,
    /// Of the rules that it is held to.
    pub rules: Digest,
    /// The gate: `approval/devops`.
    pub gate: &'a str,
    /// Until when it counts; whole seconds.
    pub expires: Timestamp,
}

/// What only the text itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<'a> {
    /// Yes or no.
    pub decision: Decision,
    /// Why not.
    pub reason: Option<&'a str>,
    /// At which gate.
    pub gate: &'a str,
    /// Until when.
    pub expires: Timestamp,
}

/// Where a text is not what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// It is none of these texts at all.
    #[error("what was signed is no approval of a deployment")]
    Other,
    /// A line says something else.
    #[error("it is for another {what}: it says `{found}`, and it has to be `{wanted}`")]
    Line {
        /// What the line is about.
        what: String,
        /// What it says.
        found: String,
        /// What it has to say.
        wanted: String,
    },
    /// Something stands in front of it, behind it or between.
    #[error("what was signed is not the text of this approval, byte for byte")]
    Bytes,
}

impl Statement<'_> {
    /// The text, with its last line's end.
    pub fn text(&self) -> String {
        let mut text = String::from("launchway deployment approval 1\n");
        let mut line = |key: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{key}: {value}").expect("a string takes all");
        };
        line("decision", &self.decision.as_str());
        if let Some(reason) = self.reason {
            line("reason", &reason);
        }
        line("project", &self.project.escape_debug());
        line("environment", &self.environment.escape_debug());
        line("deployment", &self.deployment);
        line("requested by", &self.by.escape_debug());
        line("requested at", &moment(self.requested_at));
        line("plan", &self.plan);
        line("rules", &self.rules);
        line("gate", &self.gate.escape_debug());
        line("expires", &moment(self.expires));
        text
    }

    /// What a text claims. Nothing of it is believed: it says with which statement it has to be
    /// compared.
    pub fn claims(text: &str) -> Option<Claims<'_>> {
        let find =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        let decision = match find("decision")? {
            "approve" => Decision::Approve,
            "reject" => Decision::Reject,
            _ => return None,
        };
        let expires: Moment = find("expires")?.parse().ok()?;
        let expires = u64::try_from(expires.as_millisecond()).ok()?;
        let (gate, reason) = (find("gate")?, find("reason"));
        Some(Claims { decision, reason, gate, expires: Timestamp(expires) })
    }

    /// Compares byte for byte.
    ///
    /// # Errors
    /// The first line that differs.
    pub fn must_be(&self, text: &str) -> Result<(), Difference> {
        let wanted = self.text();
        if wanted == text {
            return Ok(());
        }
        let (head, _) = wanted.split_once('\n').expect("it has lines");
        if text.lines().next() != Some(head) {
            return Err(Difference::Other);
        }
        let both = wanted.lines().zip(text.lines());
        for (wanted, found) in both.skip(1) {
            let (what, wanted_value) = wanted.split_once(": ").expect("every line has a key");
            match found.split_once(": ") {
                Some((key, value)) if key == what && value != wanted_value => {
                    return Err(Difference::Line {
                        what: what.to_owned(),
                        found: value.chars().take(100).collect(),
                        wanted: wanted_value.to_owned(),
                    });
                }
                Some((key, _)) if key == what => {}
                _ => return Err(Difference::Bytes),
            }
        }
        Err(Difference::Bytes)
    }
}

/// What whoever asks for a deployment signs, so that nobody agrees to their own under another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestStatement<'a> {
    /// The project.
    pub project: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// When.
    pub requested_at: Timestamp,
    /// Of the rules that it is held to.
    pub rules: Digest,
    /// Each service with the digest of its release.
    pub releases: Vec<(&'a str, &'a str)>,
}

impl RequestStatement<'_> {
    /// The text, with its last line's end.
    pub fn text(&self) -> String {
        let mut text = format!(
            "launchway deployment request 1\nproject: {}\nenvironment: {}\nrequested at: {}\nrules: {}\n",
            self.project.escape_debug(),
            self.environment.escape_debug(),
            moment(self.requested_at),
            self.rules
        );
        for (service, digest) in &self.releases {
            let line =
                writeln!(text, "release: {} {}", service.escape_debug(), digest.escape_debug());
            line.expect("a string takes all");
        }
        text
    }
}

/// A moment in UTC, to the millisecond where it has some.
fn moment(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    Moment::from_millisecond(ms).map_or_else(|_| at.0.to_string(), |it| it.to_string())
}
