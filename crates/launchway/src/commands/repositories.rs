//! `launchway repositories`: whose pushes a server runs.

mod agreed;
mod elsewhere;
mod protect;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};
use server::Reason;

use super::tokens::place;
use crate::cli::{AddRepositoryArgs, Format, GrantsArgs, RepositoriesCommand};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::serving::arriving::following;
use crate::serving::data::DataFolder;
use crate::serving::github::{self, Links, looking};
use crate::serving::incidents::in_this_journal;
use crate::serving::repositories::{
    self, Connected, Followed, Forks, IncidentLabel, Numbers, OnGitHub, SubjectForm,
};
use crate::serving::repositories::{connections, default_branch};
use crate::serving::usable;
use crate::terminal::plural::plural;
use crate::terminal::style::{out, talk};

pub(crate) fn run(command: &RepositoriesCommand, state: Option<&Path>) -> Outcome {
    match command {
        RepositoriesCommand::Add(args) => {
            connect(args, &DataFolder::locate(args.data.data.as_deref(), state)?)
        }
        RepositoriesCommand::Held { format, at } => {
            let waiting = match &at.server {
                Some(url) => Client::of(url)?.held()?,
                None => held_here(&place(&at.data, state)?)?,
            };
            held(&waiting, *format)
        }
        RepositoriesCommand::LetIn { id, at, reason } => match &at.server {
            Some(url) => {
                let_in_said(Client::of(url)?.let_in(id, reason.said())?);
                Ok(Exit::Done)
            }
            None => let_in(&place(&at.data, state)?, id, reason.said()),
        },
        RepositoriesCommand::List { format, at } => {
            let known = match &at.server {
                Some(url) => Client::of(url)?.connections()?,
                None => connections::described(&place(&at.data, state)?)?,
            };
            list(&known, *format)
        }
        RepositoriesCommand::Protect { which, rules, data, reason, .. } => {
            let data = place(data, state)?;
            protect::run(&data, which, rules.as_deref(), reason.said())
        }
        RepositoriesCommand::Remove { which, data, reason } => {
            remove(&place(data, state)?, which, reason.said())
        }
    }
}

/// Refuses what says something of a repository on GitHub, for another.
fn for_github_alone(args: &AddRepositoryArgs) -> Result<(), Failure> {
    let AddRepositoryArgs { forks, subject, incidents, no_incidents, .. } = args;
    let message = if forks.is_some() {
        "--forks says something of a repository on GitHub"
    } else if subject.is_some() {
        "--subject says something of a repository on GitHub: others have no numbers"
    } else if incidents.is_some() || *no_incidents {
        "incidents are made of issues, of a repository on GitHub"
    } else {
        return Ok(());
    };
    Err(Failure::new(Exit::Usage, message).hint("github:OWNER/NAME is one"))
}

fn connect(args: &AddRepositoryArgs, data: &DataFolder) -> Outcome {
    let AddRepositoryArgs { path, name, default_branch, incidents, .. } = args;
    let AddRepositoryArgs { agreed, no_incidents, every, sign_in, .. } = args;
    let address = elsewhere::address(path)?;
    let on_github = path.to_str().and_then(|it| it.strip_prefix("github:"));
    let is_looked_at = address.is_some() || on_github.is_some();
    if (every.is_some() && !is_looked_at) || (sign_in.is_some() && address.is_none()) {
        let message = "--every and --sign-in say something of a repository elsewhere";
        return Err(
            Failure::new(Exit::Usage, message).hint("such as https://git.example.com/octo/app.git")
        );
    }
    if default_branch.is_some() && (address.is_some() || on_github.is_some()) {
        let message = "the default branch of a repository elsewhere is the one that it has there";
        return Err(Failure::new(Exit::Usage, message).hint("leave --default-branch out"));
    }
    if let Some(there) = on_github {
        if name.is_some() {
            let message = "a repository of GitHub has its name already";
            return Err(Failure::new(Exit::Usage, message).hint("leave --name out"));
        }
        let incidents = match incidents {
            Some(given) => Some(Some(incident_label(given)?)),
            None => no_incidents.then_some(None),
        };
        return add_github(
            data,
            there,
            agreed,
            &Wishes { forks: args.forks, subject: args.subject, incidents, every: *every },
        );
    }
    for_github_alone(args)?;
    let name = name.as_deref().map(repositories::checked_name).transpose()?;
    if let Some(address) = address {
        let name = name.map_or_else(|| address.own_name(), Ok)?;
        let path = mirror_of(data, &name);
        let merge =
            |known: Option<&Connected>| agreed::merged(known, (name.clone(), path.clone()), agreed);
        let how = elsewhere::How { every: *every, user: sign_in.as_deref() };
        return elsewhere::add(data, (&name, &merge), address, &how);
    }
    let path = usable(path)?;
    let known = repositories::all(data)?.into_iter().find(|it| it.path == path);
    let name = match (&known, name) {
        (None, None) => own_name(&path)?,
        (Some(known), Some(name)) if known.name != name => return Err(renamed(known, &name)),
        (Some(known), _) => known.name.clone(),
        (None, Some(name)) => name,
    };
    let before = known.as_ref().and_then(|it| it.default_branch.as_deref());
    let branch = default_branch::of_bare(&path, default_branch.as_deref(), before)?;
    add(data, &path, |known| {
        let mut wanted = agreed::merged(known, (name, path.clone()), agreed)?;
        wanted.default_branch = Some(branch.name.clone());
        wanted.is_branch_named |= default_branch.is_some();
        Ok(wanted)
    })?;
    default_branch::point(&path, &branch.name)?;
    branch.said.iter().for_each(|said| talk(said));
    Ok(Exit::Done)
}

/// Tokens, what its jobs prove to others, secrets and the numbers of its runs hang on its name.
fn renamed(known: &Connected, name: &str) -> Failure {
    let message = format!("{} is called {} already", known.path.display(), known.name);
    Failure::new(Exit::Usage, message).hint(format!(
        "leave --name out; or, where {name} is to be another repository: launchway repositories remove {}, and add it anew, {}",
        known.name,
        said_anew(known)
    ))
}

/// Where one that lies elsewhere is here.
fn mirror_of(data: &DataFolder, name: &str) -> PathBuf {
    let path = data.mirrors().join(format!("{name}.git"));
    std::path::absolute(&path).unwrap_or(path)
}

fn own_name(path: &Path) -> Result<String, Failure> {
    let name = repository::bare_name(path)?;
    repositories::checked_name(&name)
        .map_err(|failure| failure.hint("or give it one: --name OWNER/NAME"))
}

fn add(
    data: &DataFolder,
    path: &Path,
    make: impl FnOnce(Option<&Connected>) -> Result<Connected, Failure>,
) -> Outcome {
    let wanted = written_down(data, path, make)?;
    let (name, path) = (&wanted.name, wanted.path.display());
    talk(&format!("{name}: what is pushed to {path} is run from now on"));
    hint_server(data);
    Ok(Exit::Done)
}

/// Connects it, or changes what is kept of it, once who does is written down. Gives it as it is known now.
fn written_down(
    data: &DataFolder,
    path: &Path,
    make: impl FnOnce(Option<&Connected>) -> Result<Connected, Failure>,
) -> Result<Connected, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::caused(Exit::Missing, error))?;
    repositories::add(data, path, &program, make, |it| data.record("repository.add", in_words(it)))
}

fn hint_server(data: &DataFolder) {
    if !data.is_served() {
        let shown = data.state.pasted();
        talk(&format!("hint: no server runs yet: launchway serve --data {shown}"));
    }
}

/// A repository with all that somebody agreed to for it, and where its rules come from, for the audit trail.
fn in_words(wanted: &Connected) -> String {
    let mut text = wanted.name.clone();
    if let Ok(Some(branch)) = wanted.branch() {
        text.push_str(&format!(", rules from {branch}"));
    }
    for (what, names) in [("jobs may run in", &wanted.environments), ("labels", &wanted.labels)] {
        if !names.is_empty() {
            text.push_str(&format!(", {what} {}", names.join(", ")));
        }
    }
    if let Some(there) = &wanted.github {
        text.push_str(&format!(", at GitHub {}", json!(there)));
    }
    if let Some(Followed { url, every_seconds, .. }) = &wanted.followed {
        text.push_str(&format!(", at {url} every {every_seconds} s"));
    }
    if let Some(incidents) = &wanted.incidents {
        text.push_str(&format!(", incidents {}", json!(incidents)));
    }
    text.push_str(&kept_rules(wanted).map_or_else(String::new, |it| format!(", {it} kept of it")));
    text
}

/// The rules that the server keeps of a repository, by their digest.
fn kept_rules(connected: &Connected) -> Option<String> {
    let rules = connected.rules.as_ref()?;
    Some(format!("rules {}", event::Digest::of(rules.as_bytes())))
}

/// What goes with a repository that is taken away, and is to be said anew.
fn said_anew(known: &Connected) -> &'static str {
    match known.rules {
        Some(_) => "with what you agreed to, and its rules by launchway repositories protect",
        None => "with what you agreed to",
    }
}

/// What is said of a repository on GitHub; what is not stays as it was.
struct Wishes {
    forks: Option<Forks>,
    subject: Option<SubjectForm>,
    incidents: Option<Option<IncidentLabel>>,
    every: Option<Duration>,
}

impl Wishes {
    fn over(
        &self,
        before: Option<OnGitHub>,
        numbers: Option<Numbers>,
    ) -> Result<OnGitHub, Failure> {
        let subject = self.subject.or(before.map(|it| it.subject)).unwrap_or_default();
        if subject == SubjectForm::Numbers && numbers.is_none() {
            let message = "GitHub does not say the numbers of that repository";
            return Err(Failure::new(Exit::Missing, message).hint("--subject names does without"));
        }
        let forks = self.forks.or(before.map(|it| it.forks)).unwrap_or_default();
        let every = self.every.map(|it| it.as_secs());
        let every_seconds = every.or(before.and_then(|it| it.every_seconds));
        Ok(OnGitHub { forks, subject, numbers, every_seconds })
    }
}

fn add_github(data: &DataFolder, there: &str, agreed: &GrantsArgs, wishes: &Wishes) -> Outcome {
    let there = repositories::checked_name(there)?;
    let Some(link) = Links::of(data.clone()).get()? else {
        let message = "this server is not connected to GitHub";
        return Err(Failure::new(Exit::Usage, message)
            .hint("launchway github connect does that, as an app or with a token"));
    };
    let (name, numbers) = github::found(&link, &there)?;
    if let Some(other) = repositories::find(data, &name)?.filter(|it| it.github.is_none()) {
        let message = format!("{name} is connected already, and not by GitHub");
        return Err(Failure::new(Exit::Usage, message).hint(format!(
            "launchway repositories remove {name}, where this one is to take its place, {}",
            said_anew(&other)
        )));
    }
    let path = mirror_of(data, &name);
    let make = |known: Option<&Connected>| {
        let mut wanted = agreed::merged(known, (name.clone(), path.clone()), agreed)?;
        // Called again it changes what was given.
        wanted.github = Some(wishes.over(wanted.github, numbers)?);
        if let Some(incidents) = &wishes.incidents {
            wanted.incidents.clone_from(incidents);
        }
        Ok(wanted)
    };
    // What cannot be made of it is said before it is fetched.
    let known = repositories::on_github(data, &name)?.map(|(it, _)| it);
    let wanted = make(known.as_ref())?;
    github::mirror(&link, &wanted)?;
    if known.is_none() {
        looking::begin(data, &wanted)?;
    }
    // Said here, not with the first incident. That has a second look: settings change.
    if wanted.incidents.is_some()
        && let Ok(Some(settings)) = repositories::settings_at_tip(&wanted)
    {
        in_this_journal(&settings)
            .map_err(|failure| failure.hint("or connect it with --no-incidents"))?;
    }
    written_down(data, &path, make)?;
    talk(&format!("{name}: what happens to it at {} is run from now on", link.place.url));
    if link.place.app.is_none() {
        let url = data.served_at()?.unwrap_or_else(|| "https://YOUR-SERVER".to_owned());
        talk(&format!(
            "hint: it needs a webhook: {}/{name}/settings/hooks, payload URL {url}/webhooks/github, content type application/json, the secret of launchway github connect",
            link.place.url
        ));
    }
    hint_server(data);
    Ok(Exit::Done)
}

fn held_here(data: &DataFolder) -> Result<Vec<Json>, Failure> {
    let line = |it: &server::HeldPush| {
        json!({
            "id": it.id, "repository": it.repository, "ref": it.git_ref,
            "commit": it.commit, "by": it.by, "workflows": it.workflows,
        })
    };
    Ok(repositories::held(data)?.iter().map(line).collect())
}

fn held(all: &[Json], format: Format) -> Outcome {
    for it in all {
        out(&if format == Format::Json { it.to_string() } else { held_line(it) });
    }
    if all.is_empty() && format == Format::Human {
        talk("no code of a fork waits");
    }
    Ok(Exit::Done)
}

fn held_line(it: &Json) -> String {
    let text = |key: &str| it[key].as_str().unwrap_or_default();
    let commit = text("commit");
    let workflows = it["workflows"].as_array().into_iter().flatten().filter_map(Json::as_str);
    format!(
        "{}  {}  {}  {}  by {}  {}",
        text("id"),
        text("repository"),
        text("ref"),
        commit.get(..7).unwrap_or(commit),
        text("by"),
        workflows.collect::<Vec<_>>().join(", "),
    )
}

fn let_in(data: &DataFolder, id: &str, reason: &Reason) -> Outcome {
    let none = || {
        Failure::new(Exit::Usage, format!("nothing waits that is called {id}"))
            .hint("launchway repositories held lists what does")
    };
    let held = repositories::held(data)?.into_iter().find(|it| it.id == id).ok_or_else(none)?;
    let person = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    let by = person.unwrap_or_else(|_| "the server".into());
    let object = format!("{} {} at {}", held.repository, held.git_ref, held.commit);
    let record = |_: &str| data.record_because("fork.let_in", object.clone(), reason);
    let let_in = repositories::let_in(data, id, &by, &record)?.ok_or_else(none)?;
    if let_in_said(let_in) > 0 && !data.is_served() {
        talk("hint: it begins when the server is started");
    }
    Ok(Exit::Done)
}

/// Says what was let in; how many runs.
fn let_in_said(server::LetIn { runs, switched_off }: server::LetIn) -> usize {
    talk(&format!("{} let in", plural(runs, "run")));
    for path in switched_off {
        talk(&format!("{path} is switched off: it does not run"));
    }
    runs
}

fn list(known: &[Json], format: Format) -> Outcome {
    for it in known {
        out(&if format == Format::Json { it.to_string() } else { line(it) });
    }
    if known.is_empty() && format == Format::Human {
        talk("no repository is connected; launchway repositories add PATH connects one");
    }
    Ok(Exit::Done)
}

fn line(it: &Json) -> String {
    let text = |key: &str| it[key].as_str();
    let environments: Vec<&str> =
        it["environments"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let agreed = match environments.as_slice() {
        [] => String::new(),
        names => format!("  jobs may run in: {}", names.join(", ")),
    };
    let followed = match it["followed"]["url"].as_str() {
        Some(url) => format!("  {url} every {} s", it["followed"]["every_seconds"]),
        None => String::new(),
    };
    let kept = if it["rules"].is_null() { "" } else { "  rules are kept here" };
    let trouble = text("trouble").map(|why| format!("\n  not looked at: {why}"));
    let no_tip = text("no_tip").map(|why| format!("\n  {why}"));
    format!(
        "{}  {}{followed}{agreed}{kept}{}{}",
        text("name").unwrap_or_default(),
        text("path").unwrap_or_default(),
        trouble.unwrap_or_default(),
        no_tip.unwrap_or_default()
    )
}

fn remove(data: &DataFolder, which: &str, reason: &Reason) -> Outcome {
    let Some(found) = repositories::find(data, which)? else {
        return Err(Failure::new(Exit::Usage, format!("{which} is not connected"))
            .hint("launchway repositories list shows what is"));
    };
    let name = &found.name;
    let rules = kept_rules(&found);
    let with = rules.map_or_else(String::new, |it| format!(", with the {it} that were kept of it"));
    data.record_because("repository.remove", format!("{name}{with}"), reason)?;
    repositories::remove(data, &found)?;
    if let Some(followed) = &found.followed {
        following::end(data, name, followed)?;
    }
    looking::end(data, name)?;
    talk(&format!("{name} is run no more; its runs stay"));
    if !with.is_empty() {
        talk(&format!(
            "what was kept of its rules is gone; whoever connects it anew says them anew, too: launchway repositories protect {name} --rules FILE"
        ));
    }
    Ok(Exit::Done)
}

/// `incident=production`: the label, and where such incidents are.
fn incident_label(flag: &str) -> Result<IncidentLabel, Failure> {
    // A label may have the sign in it; an environment has not.
    let pair = flag.rsplit_once('=').map(|(label, place)| (label.trim(), place.trim()));
    match pair {
        Some((label, environment)) if !label.is_empty() && !environment.is_empty() => {
            Ok(IncidentLabel { label: label.to_owned(), environment: environment.to_owned() })
        }
        _ => Err(Failure::new(Exit::Usage, "--incidents takes LABEL=ENVIRONMENT")
            .hint("such as incident=production")),
    }
}
