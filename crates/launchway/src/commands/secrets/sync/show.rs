//! What would be done, and what was, without a value: for people, and as lines of JSON.

use event::Timestamp;
use forge::{SyncLine, SyncRefusal, SyncState};
use serde_json::{Value as Json, json};

use crate::cli::{Format, SyncArgs};
use crate::syncing::{Became, Looked, Sync};
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

/// Shows it, and counts.
pub(super) struct Shown<'l> {
    to: String,
    looked: &'l Looked,
    format: Format,
    dry_run: bool,
    makes_environments: bool,
    style: Style,
    pub(super) put: usize,
    /// By GitHub, when they came there.
    pub(super) refused: usize,
}

impl<'l> Shown<'l> {
    pub(super) fn of(sync: &Sync<'_>, looked: &'l Looked, args: &SyncArgs) -> Shown<'l> {
        Shown {
            to: format!("{} at {}", sync.repository, sync.url),
            looked,
            format: args.format,
            dry_run: args.dry_run,
            makes_environments: args.make_environments,
            style: Style::stdout(),
            put: 0,
            refused: 0,
        }
    }

    /// Each environment that is not there, and each value.
    pub(super) fn begin(&self) {
        if self.format != Format::Json {
            talk(&format!("to {}:", self.to));
        }
        for name in &self.looked.missing {
            let state = if self.makes_environments { "new" } else { "missing" };
            if self.format == Format::Json {
                let line = json!({ "type": "environment", "name": name, "state": state });
                out(&line.to_string());
            } else if self.makes_environments {
                let word = self.style.green("new");
                out(&format!("{word}  environment {name}  without rules"));
            }
        }
        for line in &self.looked.lines {
            out(&match self.format {
                Format::Json => machine(line, "value", None).to_string(),
                _ => human(line, self.style),
            });
        }
    }

    pub(super) fn question(&self, count: usize) -> String {
        let is_replaced = |it: &&SyncLine| it.state == SyncState::Replaced;
        let replaced = match self.looked.lines.iter().filter(is_replaced).count() {
            0 => String::new(),
            some => format!(", {some} in the place of what is there"),
        };
        let values = if count == 1 { "1 value goes" } else { &format!("{count} values go") };
        format!("{values} to {}{replaced}. Type yes to agree:", self.to)
    }

    pub(super) fn became(&mut self, became: &Became<'_>) {
        let (line, word, why) = match became {
            Became::Environment(name) => {
                out(&match self.format {
                    Format::Json => {
                        json!({ "type": "environment", "name": name, "state": "made" }).to_string()
                    }
                    _ => format!("made environment {name}"),
                });
                return;
            }
            Became::Put(line) => (*line, "put", None),
            Became::Refused(line, why) => (*line, "refused", Some(why.as_str())),
            Became::Gone(line) => (*line, "forgotten", None),
        };
        self.put += usize::from(word == "put");
        self.refused += usize::from(word == "refused");
        out(&match (self.format, why) {
            (Format::Json, why) => {
                let mut line = machine(line, "became", why);
                line["state"] = word.into();
                line.to_string()
            }
            (_, Some(why)) => {
                format!("{} {}: GitHub says: {why}", self.style.yellow("not put"), line.id)
            }
            (_, None) if word == "put" => format!("{} {}", self.style.green("put"), line.id),
            (_, None) => format!("passed over {}: it is not kept here any more", line.id),
        });
    }

    /// The counts, of what was done or would be.
    pub(super) fn end(&self) {
        let count =
            |is: fn(SyncState) -> bool| self.looked.lines.iter().filter(|it| is(it.state)).count();
        let up_to_date = count(|it| it == SyncState::UpToDate);
        let to_put = count(SyncState::is_put);
        if self.format == Format::Json {
            let refused = count(|it| matches!(it, SyncState::Refused(_))) + self.refused;
            let line = json!({
                "type": "synced", "to": self.to, "dry_run": self.dry_run, "to_put": to_put,
                "put": self.put, "up_to_date": up_to_date, "refused": refused,
            });
            return out(&line.to_string());
        }
        talk(&match (self.dry_run, to_put) {
            (_, 0) => "nothing is to be put there".to_owned(),
            (true, _) => format!("{to_put} would be put there; nothing was done"),
            (false, _) => format!("{} of {to_put} put there, {up_to_date} up to date", self.put),
        });
    }
}

fn human(line: &SyncLine, style: Style) -> String {
    let word = match line.state {
        SyncState::New => style.green("new"),
        SyncState::Replaced => style.yellow("replaced"),
        SyncState::UpToDate => style.dim("up to date"),
        SyncState::OnlyThere => style.dim("only there"),
        SyncState::OwnOfGitHub => style.dim("stays here"),
        SyncState::Refused(_) => style.yellow("not put"),
    };
    let set = line.set_at.map(|at| format!("set here {}", moment(at)));
    let since = line.since.map(|at| format!("there since {}", moment(at)));
    let times: Vec<String> = [since, set].into_iter().flatten().collect();
    let times = times.join(", ");
    let more = match why(line) {
        Some(why) => why,
        None if line.state == SyncState::OnlyThere => format!("{times}: it stays"),
        None => times,
    };
    format!("{word}  {}  {more}", line.id)
}

/// Why it is not put there, and what to do.
fn why(line: &SyncLine) -> Option<String> {
    let environment = line.id.environment.as_deref().unwrap_or_default();
    Some(match line.state {
        SyncState::OwnOfGitHub => {
            "GitHub makes one for each job; another token needs another name".to_owned()
        }
        SyncState::Refused(SyncRefusal::Name) => {
            "GitHub takes letters, digits and _, no digit first, and not GITHUB_: keep it under another name".to_owned()
        }
        SyncState::Refused(SyncRefusal::NoEnvironment) => {
            format!("GitHub has no environment {environment}: make it there, or --make-environments")
        }
        SyncState::Refused(SyncRefusal::Twice) => format!(
            "it is kept for another environment that differs from {environment} in capitals alone, which is one to GitHub: forget one of them"
        ),
        SyncState::Refused(SyncRefusal::TooMany(most)) => {
            format!("GitHub keeps {most} in one place, and there would be more: choose by name")
        }
        _ => return None,
    })
}

fn machine(line: &SyncLine, kind: &str, said: Option<&str>) -> Json {
    let why = said.map(str::to_owned).or_else(|| why(line));
    json!({
        "type": kind, "kind": line.id.kind.word(), "name": line.id.name,
        "environment": line.id.environment, "state": line.state.word(),
        "set_at_ms": line.set_at.map(|Timestamp(at)| at),
        "there_since_ms": line.since.map(|Timestamp(at)| at), "why": why,
    })
}
