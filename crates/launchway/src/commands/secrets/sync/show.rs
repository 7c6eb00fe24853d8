//! What would be done, and what was, without a value: for people, and as lines of JSON.

use serde_json::{Value as Json, json};
use server::{SyncPlan, SyncValue};

use crate::cli::{Format, SyncArgs};
use crate::kept::syncing::Became;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

/// Shows it, and counts.
pub(super) struct Shown<'p> {
    plan: &'p SyncPlan,
    to: String,
    is_json: bool,
    dry_run: bool,
    makes_environments: bool,
    style: Style,
    pub(super) put: usize,
    /// When they came there.
    refused_there: usize,
}

/// Whether a value of a plan is to be put there.
pub(super) fn is_put(it: &SyncValue) -> bool {
    matches!(it.state.as_str(), "new" | "replaced")
}

impl<'p> Shown<'p> {
    pub(super) fn of(plan: &'p SyncPlan, args: &SyncArgs) -> Shown<'p> {
        Shown {
            plan,
            to: format!("{} at {}", plan.to, plan.url),
            is_json: args.format == Format::Json,
            dry_run: args.dry_run,
            makes_environments: args.make_environments,
            style: Style::stdout(),
            put: 0,
            refused_there: 0,
        }
    }

    /// Each environment that is not there, and each value.
    pub(super) fn begin(&self) {
        if !self.is_json {
            talk(&format!("to {}:", self.to));
        }
        for name in &self.plan.missing {
            let state = if self.makes_environments { "new" } else { "missing" };
            if self.is_json {
                out(&json!({ "type": "environment", "name": name, "state": state }).to_string());
            } else if self.makes_environments {
                let word = self.style.green("new");
                out(&format!("{word}  environment {name}  without rules"));
            }
        }
        for value in &self.plan.values {
            out(&match self.is_json {
                true => machine("value", value).to_string(),
                false => human(value, self.style),
            });
        }
    }

    pub(super) fn question(&self, count: usize) -> String {
        let replaced = match self.count("replaced") {
            0 => String::new(),
            some => format!(", {some} in the place of what is there"),
        };
        let values = if count == 1 { "1 value goes" } else { &format!("{count} values go") };
        format!("{values} to {}{replaced}. Type yes to agree:", self.to)
    }

    pub(super) fn became(&mut self, became: &Became) {
        let value = match became {
            Became::Environment(name) => {
                return out(&match self.is_json {
                    true => {
                        json!({ "type": "environment", "name": name, "state": "made" }).to_string()
                    }
                    false => format!("made environment {name}"),
                });
            }
            Became::Value(value) => value,
        };
        self.put += usize::from(value.state == "put");
        self.refused_there += usize::from(value.state == "refused");
        let id = id(value);
        out(&match value.state.as_str() {
            _ if self.is_json => machine("became", value).to_string(),
            "put" => format!("{} {id}", self.style.green("put")),
            "refused" => {
                let why = value.why.as_deref().unwrap_or_default();
                format!("{} {id}  {why}", self.style.yellow("not put"))
            }
            _ => format!("passed over {id}: it is not kept any more"),
        });
    }

    /// The counts, of what was done or would be.
    pub(super) fn end(&self) {
        let up_to_date = self.count("up_to_date");
        let to_put = self.plan.values.iter().filter(|it| is_put(it)).count();
        if self.is_json {
            let line = json!({
                "type": "synced", "to": self.to, "dry_run": self.dry_run, "to_put": to_put,
                "put": self.put, "up_to_date": up_to_date, "refused": self.refused(),
            });
            return out(&line.to_string());
        }
        talk(&match (self.dry_run, to_put) {
            (_, 0) => "nothing is to be put there".to_owned(),
            (true, _) => format!("{to_put} would be put there; nothing was done"),
            (false, _) => format!("{} of {to_put} put there, {up_to_date} up to date", self.put),
        });
    }

    /// Values that are kept here and cannot be there.
    pub(super) fn refused(&self) -> usize {
        self.count("refused") + self.refused_there
    }

    fn count(&self, state: &str) -> usize {
        self.plan.values.iter().filter(|it| it.state == state).count()
    }
}

/// `secret DB_URL (production)`
fn id(it: &SyncValue) -> String {
    let place = it.environment.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    format!("{} {}{place}", it.kind, it.name)
}

fn human(value: &SyncValue, style: Style) -> String {
    let word = match value.state.as_str() {
        "new" => style.green("new"),
        "replaced" => style.yellow("replaced"),
        "up_to_date" => style.dim("up to date"),
        "only_there" => style.dim("only there"),
        "own_of_github" => style.dim("stays here"),
        _ => style.yellow("not put"),
    };
    let set = value.set_at_ms.map(|at| format!("set here {}", moment(at)));
    let since = value.there_since_ms.map(|at| format!("there since {}", moment(at)));
    let times: Vec<String> = [since, set].into_iter().flatten().collect();
    let times = times.join(", ");
    let more = match &value.why {
        Some(why) => why.clone(),
        None if value.state == "only_there" => format!("{times}: it stays"),
        None => times,
    };
    format!("{word}  {}  {more}", id(value))
}

fn machine(kind: &str, value: &SyncValue) -> Json {
    json!({
        "type": kind, "kind": value.kind, "name": value.name, "environment": value.environment,
        "state": value.state, "set_at_ms": value.set_at_ms,
        "there_since_ms": value.there_since_ms, "why": value.why,
    })
}
