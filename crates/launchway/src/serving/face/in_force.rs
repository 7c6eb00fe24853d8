//! What is in force on this server, for its page of settings: what it was started with, what its folder says. Names,
//! addresses and paths; of what lets anybody in nothing but that it is there.

use scheduler::{TrustedJobs, TrustedLabel};
use server::{InForce, KeptRules, Setting};
use settings::Settings;
use syntax::Source;

use crate::cli::{LogFormat, ServeArgs, SignInArgs};
use crate::exit::Failure;
use crate::running::engine::processors;
use crate::running::given;
use crate::running::walls::{self, limits};
use crate::serving::data::{self, DataFolder};
use crate::serving::drive::gates;
use crate::serving::drive::gates::Guarded;
use crate::serving::incidents::pagerduty;
use crate::serving::{github, repositories};

/// What is said of labels whose jobs run without walls.
const WITHOUT_WALLS: &str = "Labels without walls";

/// What the command line said, which nothing else remembers.
pub(crate) struct Started {
    server: Vec<Setting>,
    /// What is wrong with these is said as it is now: rules come and go.
    trusted: Vec<TrustedLabel>,
    provider: Setting,
    issuer: Setting,
}

fn setting(name: &'static str, values: Vec<String>, command: &str) -> Setting {
    Setting { name, values, command: command.to_owned() }
}

/// One that a flag of `serve` says.
fn flag(name: &'static str, values: Vec<String>, flag: &str) -> Setting {
    setting(name, values, &format!("launchway serve {flag}"))
}

impl Started {
    /// As the command line says; people reach the server at `reached`.
    pub(crate) fn of(
        args: &ServeArgs,
        data: &DataFolder,
        reached: &str,
    ) -> Result<Started, Failure> {
        let (_, images) = given::labels_of_machine(&args.labels)?;
        let user = args.job_user.as_deref();
        let kept_in = walls::said(sandbox::support(), user, &args.trusted_labels, &images);
        let root = data.state.root().display().to_string();
        let journal = store::belongs_to(data.state.root()).ok().flatten();
        let journal = journal.map_or("SQLite, in the folder".to_owned(), |it| it.to_string());
        let width = args.jobs.map_or_else(processors, std::num::NonZeroUsize::get);
        let paths = |paths: &[std::path::PathBuf]| {
            paths.iter().map(|it| it.display().to_string()).collect::<Vec<_>>()
        };
        let trusted = args.trusted_labels.iter().map(ToString::to_string).collect();
        let proxies = args.trusted_proxies.iter().map(ToString::to_string).collect();
        let log = if args.log_format == LogFormat::Json { "JSON" } else { "text" };
        let server = vec![
            flag("Folder", vec![root.clone()], "--data DIR"),
            flag("Journal", vec![journal], "--database URL"),
            flag("Reached at", vec![reached.to_owned()], "--url URL"),
            flag("Proxies that say who asks", proxies, "--trusted-proxy ADDRESS"),
            flag("Listens on", vec![args.listen.to_string()], "--listen ADDR:PORT"),
            flag("Jobs at a time", vec![width.to_string()], "--jobs N"),
            flag("Labels of this machine", args.labels.clone(), "--label LABEL[=IMAGE]"),
            flag("Jobs are kept in", vec![kept_in], "--job-user USER --trusted-label LABEL"),
            flag(WITHOUT_WALLS, trusted, "--trusted-label LABEL"),
            flag("Jobs’ own user", args.job_user.iter().cloned().collect(), "--job-user USER"),
            flag(
                "Jobs have at most",
                limits::said(&args.limits),
                "--job-memory SIZE --job-cpus N --job-processes N",
            ),
            flag("Jobs may read besides", paths(&args.sandbox_read), "--sandbox-read PATH"),
            flag("Jobs may change besides", paths(&args.sandbox_write), "--sandbox-write PATH"),
            flag(
                "Messages may go to, not public as they are",
                args.private_receivers.clone(),
                "--private-receiver HOST",
            ),
            flag(
                "A runner that is away is waited for",
                vec![format!("{} s", args.runner_away)],
                "--runner-away SECONDS",
            ),
            flag("Jobs are waited for at Ctrl-C", vec![format!("{} s", args.grace)], "--grace SECONDS"),
            flag("Its own lines", vec![log.to_owned()], "--log-format text|json"),
            setting(
                "What is past",
                vec![
                    "runs, logs and artifacts stay until they are pruned; without --days N, those that ended more than 90 days ago".to_owned(),
                    "artifacts expire as retention-days says, after 90 days at most".to_owned(),
                ],
                &format!("launchway prune --days N --state {root}"),
            ),
        ];
        let (issuer, published) = match &args.issuer {
            Some(url) => (url.trim_end_matches('/'), "its keys are published there"),
            None => (reached, "the server publishes its keys itself"),
        };
        let issuer = flag(
            "Issuer of jobs’ tokens",
            vec![issuer.to_owned(), published.to_owned()],
            "--issuer URL",
        );
        let trusted = args.trusted_labels.clone();
        Ok(Started { server, trusted, provider: provider(&args.sign_in), issuer })
    }
}

/// By whom people sign in, and who may what.
fn provider(args: &SignInArgs) -> Setting {
    let mut values = Vec::new();
    if let (Some(issuer), Some(client)) = (&args.issuer, &args.client) {
        let proven = match args.sign_in_secret_file {
            Some(_) => "which a secret in a file proves",
            None => "without a secret",
        };
        values.push(format!("{issuer}, as its client {client}, {proven}"));
        if !args.sign_in_ask.is_empty() {
            values.push(format!("is asked for {}, too", args.sign_in_ask.join(", ")));
        }
        values.push(match &args.sign_in_person {
            Some(claim) => format!("the claim {claim} is the login that groups name people by"),
            None => "no claim is a login: nobody who signs in so agrees to anything".to_owned(),
        });
        values.extend(args.sign_in_allow.iter().cloned());
        if args.sign_in_allow.is_empty() {
            values.push("everybody may read".to_owned());
        }
    }
    let words = "--sign-in-issuer URL --sign-in-client ID --sign-in-allow CLAIM=VALUE:SCOPE";
    flag("Provider that people sign in by", values, words)
}

/// What is to be said of trusted labels that are for an environment, by what guards it now.
pub(crate) fn unguarded(
    trusted: &[TrustedLabel],
    connected: &[repositories::Connected],
) -> Vec<String> {
    let note = |label: &TrustedLabel| {
        let TrustedJobs::Environment(environment) = &label.jobs else { return None };
        let of = connected.iter().find(|it| Some(&it.name) == label.repository.as_ref())?;
        walls::note_of_unguarded(label, &Guarded::of(of, environment))
    };
    trusted.iter().filter_map(note).collect()
}

/// All of it, as it is now.
pub(crate) fn read(started: &Started, data: &DataFolder) -> Result<InForce, Failure> {
    let (folder, pasted) = (data.state.root().display().to_string(), data.state.pasted());
    let known = repositories::all(data)?;
    let mut rules = Vec::new();
    for it in &known {
        let Some(text) = &it.rules else { continue };
        rules.push(KeptRules { repository: it.name.clone(), parts: kept(text)? });
    }
    let names = |has: &dyn Fn(&repositories::Connected) -> bool| {
        known.iter().filter(|it| has(it)).map(|it| it.name.clone()).collect::<Vec<_>>()
    };
    let bare = names(&|it| !it.is_mirror());
    let elsewhere = names(&|it| it.followed.is_some());
    let connections = vec![
        github(data, &names(&|it| it.github.is_some()), &pasted)?,
        pagerduty(data, &pasted)?,
        started.provider.clone(),
        started.issuer.clone(),
        setting(
            "Bare repositories",
            bare,
            &format!("launchway repositories add PATH --data {pasted}"),
        ),
        setting(
            "Repositories elsewhere",
            elsewhere,
            &format!("launchway repositories add URL --every 60s --data {pasted}"),
        ),
    ];
    let mut server = started.server.clone();
    for it in server.iter_mut().filter(|it| it.name == WITHOUT_WALLS) {
        it.values.extend(unguarded(&started.trusted, &known));
    }
    Ok(InForce { folder, connections, server, rules })
}

fn github(data: &DataFolder, names: &[String], pasted: &str) -> Result<Setting, Failure> {
    let place: Option<github::Place> = data::read(&data.path("github.json"))?;
    let values = place.map(|place| {
        let how = place.app.map_or("a token".to_owned(), |app| format!("the app {app}"));
        let repositories = match names {
            [] => "no repository of it is connected".to_owned(),
            names => names.join(", "),
        };
        vec![format!("{}, as {}, by {how}", place.url, place.who), repositories]
    });
    let command = format!("launchway github connect --data {pasted}");
    Ok(setting("GitHub", values.unwrap_or_default(), &command))
}

fn pagerduty(data: &DataFolder, pasted: &str) -> Result<Setting, Failure> {
    let services = pagerduty::services(data)?.unwrap_or_default();
    let values = services.iter().map(|(id, here)| format!("{id}: {here}")).collect();
    let words = "--service ID=PROJECT/ENVIRONMENT";
    let command = format!("launchway pagerduty connect {words} --data {pasted}");
    Ok(setting("PagerDuty", values, &command))
}

/// What rules say that the server keeps: they were read when they were given.
fn kept(text: &str) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let (settings, _) = settings::read(&Source::new("the rules that the server keeps", text));
    let Some(settings) = settings else {
        let said = "they cannot be read, so no job runs in any environment of it".to_owned();
        return Ok(vec![("unreadable".to_owned(), vec![said])]);
    };
    let mut parts = gates::said_of(&settings)?;
    parts.extend(groups(&settings));
    Ok(parts)
}

fn groups(settings: &Settings) -> impl Iterator<Item = (String, Vec<String>)> {
    settings.groups.iter().map(|group| {
        let people: Vec<&str> = group.people.iter().map(|it| &*it.value).collect();
        (format!("group {}", group.name.value), vec![people.join(", ")])
    })
}
