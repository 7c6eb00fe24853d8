//! From the settings and a wish to the request: everything that the deployment's decisions rest on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{
    DeployStepKind, DeploymentKind, DeploymentRequest, KnownRelease, OnCancel, PlannedStep,
    ServiceRequest, ShippedCommit, Timestamp,
};
use mask::MaskedText;
use repository::Repository;
use settings::{Environment, ServiceInEnvironment, Text};
use views::{COMMITS_PER_SHIPMENT_MAX, Ledger};

use super::book::Book;
use super::by_job;
use super::drive::Driver;
use super::dumps;
use super::held::Held;
use super::kind;
use super::person;
use super::rules::{Ruling, Where};
use super::steps::{self, Asked, around};
use super::targets::{self, Site};
use super::watching;
use super::wish::{Agreement, Given, Task, What, Wish};
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::images::gate as image_gate;
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::terminal::style::talk;
use crate::terminal::time::{duration, now};

/// Digits of a commit that name a version.
const COMMIT_DIGITS: usize = 12;

/// The environment of that name, or what names there are.
pub(crate) fn environment<'f>(found: &'f Found, name: &str) -> Result<&'f Environment, Failure> {
    found.settings.environment(name).ok_or_else(|| {
        let error = found.settings.in_force_for_all(name).expect_err("it is not there");
        Failure::new(Exit::Usage, &error).hint(error.hint())
    })
}

/// The services a person means, in the order in which they ship.
pub(crate) fn services(found: &Found, wanted: &[String]) -> Result<Vec<Text>, Failure> {
    let all = &found.settings.order;
    if all.is_empty() {
        let message = "launchway.yml names no services: nothing is deployed from here";
        return Err(Failure::new(Exit::Usage, message)
            .hint("add `services:`, or let a job of a workflow deploy: docs/settings.md"));
    }
    let unknown = wanted.iter().find(|name| !all.iter().any(|it| *it.value == ***name));
    if let Some(name) = unknown {
        let words: Vec<&str> = all.iter().map(|it| &*it.value).collect();
        return Err(Failure::new(Exit::Usage, format!("there is no service {name}"))
            .hint(format!("there are: {}", words.join(", "))));
    }
    let is_meant = |it: &&Text| wanted.is_empty() || wanted.iter().any(|name| **name == *it.value);
    Ok(all.iter().filter(is_meant).cloned().collect())
}

/// Builds the request. Whatever forbids it is said here, before anything is written.
pub(crate) fn build(
    found: &Found,
    book: &Book,
    state: &StateFolder,
    wish: &Wish<'_>,
) -> Result<DeploymentRequest, Failure> {
    let environment = environment(found, wish.environment)?;
    if !wish.only_look {
        by_job::must_outlive(found, state)?;
    }
    let (requests, source) = wanted(found, book, state, wish)?;
    let ledger = book.ledger(wish.environment)?;
    let force = matches!(wish.what, What::Ship { force: true, .. });
    let kind = kind::of(&wish.what, &ledger, &requests, source.repository.as_ref())?;
    let commits = shipped(&source, &requests)?;
    let mut request = DeploymentRequest {
        project: Arc::clone(&book.project),
        environment: Arc::clone(&environment.name.value),
        kind,
        by: person(),
        reason: wish.agreed.reason.map(MaskedText::without_secrets),
        services: requests,
        gates: Vec::new(),
        force,
        commits,
        planned: !matches!(kind, DeploymentKind::Hotfix | DeploymentKind::Rollback),
        on_cancel: match environment.on_cancel.value {
            settings::OnCancel::Back => OnCancel::Back,
            settings::OnCancel::Finish => OnCancel::Finish,
        },
        protection: None,
        job: by_job::own(),
        at: now(),
    };
    let site = Site::of(state, book, wish.environment);
    watching::look(&request, site, found)?;
    dumps::look(&mut request, site, found)?;
    let rules = Where { file: found.file.clone(), environment: environment.name.value.clone() };
    let record = |request: DeploymentRequest, why: &Failure| {
        if why.exit != Exit::Forbidden || wish.only_look {
            return Ok(());
        }
        Driver::new((book, state), found, Format::Human).refuse(request, why)
    };
    let ruling = match rules.read() {
        Ok(ruling) => rules.remember(ruling, state, now()),
        Err(why) if why.exit == Exit::Missing => {
            without_remote(&rules, why, &wish.what, (environment, state))?
        }
        Err(why) => {
            record(request, &why)?;
            return Err(why);
        }
    };
    let held = Held { found, book, environment, ruling: &ruling, wish, source: &source };
    match held.protect(&mut request, &ledger) {
        Ok(()) => Ok(request),
        Err(why) => {
            if ruling.guards() {
                record(request, &why)?;
            }
            Err(why)
        }
    }
}

/// The rules where the remote that says them cannot be asked. Going back stays possible, and so does
/// what nobody protects.
fn without_remote(
    rules: &Where,
    why: Failure,
    what: &What<'_>,
    (environment, state): (&Environment, &StateFolder),
) -> Result<Ruling, Failure> {
    if matches!(what, What::Restore(_)) {
        talk(&format!("note: {:#}; going back is held to the rules that lie here", why.error));
        return rules.own();
    }
    let name = &environment.name.value;
    let now = now();
    let Some((ruling, read_at)) = rules.remembered(environment, state, now)? else {
        let hint = format!(
            "without it, {name} is deployed to only where nothing protects it, by rules that were read from here in the last 7 days"
        );
        return Err(why.hint(hint));
    };
    talk(&format!(
        "note: {:#}; {name} is held to the rules that were read {} ago, from {} at {:.7}",
        why.error,
        duration(read_at, now),
        ruling.rules.branch,
        ruling.rules.commit,
    ));
    Ok(ruling)
}

/// What is wanted of each service, and where it comes from. No gate is asked: this is for looking too.
pub(crate) fn wanted(
    found: &Found,
    book: &Book,
    state: &StateFolder,
    wish: &Wish<'_>,
) -> Result<(Vec<ServiceRequest>, Source), Failure> {
    let ledger = book.ledger(wish.environment)?;
    if let What::Ship { images, .. } = &wish.what {
        let named = images.iter().filter_map(|it| it.split_once('='));
        services(found, &named.map(|(service, _)| service.to_owned()).collect::<Vec<_>>())?;
    }
    let source = Source::of(found, wish)?;
    let mut requests = Vec::new();
    for name in services(found, wish.services)? {
        let resolved = found.settings.resolve(wish.environment, &name.value);
        let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
        refuse_not_yet(&resolved)?;
        let site = Site::of(state, book, wish.environment);
        if let Some(request) = service(found, site, &resolved, &ledger, wish, &source)? {
            requests.push(request);
        }
    }
    if requests.is_empty() {
        return Err(Failure::new(Exit::Usage, "there is no service to deploy"));
    }
    Ok((requests, source))
}

/// What runs of services, as the journal knows it.
pub(crate) fn running(
    found: &Found,
    ledger: &Ledger,
    (environment, names): (&str, &[String]),
) -> Result<Vec<(Arc<str>, KnownRelease)>, Failure> {
    let runs = |name: Text| {
        let of = ledger.services.get(&name.value).and_then(|it| it.runs.as_ref());
        match of {
            Some(it) if it.is_unsure => {
                let message =
                    format!("nobody knows what runs of {}: a way back stuck there", name.value);
                Err(Failure::new(Exit::Forbidden, message)
                    .hint("ship what shall run: launchway deploy"))
            }
            Some(it) => Ok((Arc::clone(&name.value), it.release.clone())),
            None => {
                let message = format!("nothing of {} runs in {environment}", name.value);
                Err(Failure::new(Exit::Usage, message)
                    .hint(format!("launchway deploy {environment} brings a release first")))
            }
        }
    };
    services(found, names)?.into_iter().map(runs).collect()
}

/// What runs of a service, to be asked what a deployment of it would ask.
pub(crate) fn verification(
    found: &Found,
    book: &Book,
    state: &StateFolder,
    (environment, service): (&str, &str),
) -> Result<ServiceRequest, Failure> {
    let ledger = book.ledger(environment)?;
    let names = [service.to_owned()];
    let wish = Wish {
        environment,
        services: &names,
        agreed: Agreement::to_look(),
        only_look: true,
        what: What::Restore(running(found, &ledger, (environment, &names))?),
    };
    let (requests, _) = wanted(found, book, state, &wish)?;
    Ok(requests.into_iter().next().expect("one service was asked for"))
}

/// The commits that reach services for the first time: those behind what ran well there last. None
/// where nothing did, or the repository knows nothing of it.
fn shipped(source: &Source, services: &[ServiceRequest]) -> Result<Vec<ShippedCommit>, Failure> {
    let Some(repository) = &source.repository else { return Ok(Vec::new()) };
    let before = services.iter().filter_map(|it| it.last_good.as_ref()?.release.commit.as_deref());
    let before: BTreeSet<&str> = before.collect();
    let mut shipped: BTreeMap<String, Timestamp> = BTreeMap::new();
    for known in before {
        for commit in repository.commits_since(known, COMMITS_PER_SHIPMENT_MAX)? {
            shipped.insert(commit.id, Timestamp(commit.committed_at_s.saturating_mul(1000)));
        }
    }
    let mut shipped: Vec<ShippedCommit> = shipped
        .into_iter()
        .map(|(commit, committed_at)| ShippedCommit { commit: commit.into(), committed_at })
        .collect();
    shipped.sort_by_key(|it| std::cmp::Reverse(it.committed_at));
    shipped.truncate(COMMITS_PER_SHIPMENT_MAX);
    Ok(shipped)
}

/// What is shipped comes from here.
pub(crate) struct Source {
    /// None where nothing of what lies here is shipped.
    repository: Option<Repository>,
    version: String,
    commit: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) tags: Vec<String>,
}

impl Source {
    fn of(found: &Found, wish: &Wish<'_>) -> Result<Source, Failure> {
        let What::Ship { version, from, images, given, .. } = &wish.what else {
            let (version, commit, branch, tags) = (String::new(), None, None, Vec::new());
            return Ok(Source { repository: None, version, commit, branch, tags });
        };
        if let Some(first) = given.first() {
            // Of what lies here nothing is shipped where every service has its release already.
            let named = services(found, wish.services)?;
            let has = |it: &Text| given.iter().any(|given| given.service == it.value);
            if named.iter().all(has) || given.iter().any(|it| it.is_promoted) {
                return Source::given(found, first);
            }
        }
        let repository = Repository::discover(&found.root).ok();
        let tags = repository.as_ref().map(Repository::tags).transpose()?.unwrap_or_default();
        // What was built elsewhere need not be in the commit; all else must be found again.
        if let (Some(repository), None, true) = (&repository, from, images.is_empty())
            && !repository.uncommitted.is_empty()
        {
            let files =
                crate::running::prepare::refuse::count_files(repository.uncommitted.len() as u64);
            let first = &repository.uncommitted[0];
            let message = format!(
                "{files} not committed ({first}): what is shipped could not be found again"
            );
            return Err(Failure::new(Exit::Forbidden, message)
                .hint("commit; or ship what was built elsewhere: --from DIR --version VERSION"));
        }
        let commit = repository.as_ref().map(|it| it.head.id.clone());
        let short = commit.as_ref().map(|it| it.chars().take(COMMIT_DIGITS).collect());
        let version = version.map(str::to_owned).or_else(|| tags.first().cloned()).or(short);
        let version = version.ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "this is no git repository, so nothing says which version it is",
            )
            .hint("name it: --version VERSION")
        })?;
        let branch = repository.as_ref().and_then(|it| it.branch.clone());
        Ok(Source { repository, version, commit, branch, tags })
    }
}

impl Source {
    /// What was built before: branch and tags are those of its commit.
    fn given(found: &Found, first: &Given) -> Result<Source, Failure> {
        let commit = first.release.commit.as_deref();
        let version = first.release.version.to_string();
        let repository = Repository::discover(&found.root).ok();
        let known = match (&repository, commit) {
            (Some(repository), Some(commit)) => repository.commit(commit)?,
            _ => None,
        };
        let (Some(mut repository), Some(known)) = (repository, known) else {
            let (commit, branch, tags) = (commit.map(str::to_owned), None, Vec::new());
            return Ok(Source { repository: None, version, commit, branch, tags });
        };
        let tags = repository.tags_at(&known)?;
        let is_in = repository.head_contains(&known)?;
        let branch = repository.branch.clone().filter(|_| is_in);
        let commit = Some(known.id.clone());
        // What is shipped ends with it, wherever the work tree stands.
        repository.head = known;
        Ok(Source { repository: Some(repository), version, commit, branch, tags })
    }
}

fn service(
    found: &Found,
    site: Site<'_>,
    resolved: &ServiceInEnvironment,
    ledger: &Ledger,
    wish: &Wish<'_>,
    source: &Source,
) -> Result<Option<ServiceRequest>, Failure> {
    let name = &resolved.service.name.value;
    let mut copy = None;
    let (release, restores, migrations) = match &wish.what {
        What::Ship { given, migrations, .. } if given_of(given, name).is_some() => {
            let given = given_of(given, name).expect("it was just found");
            copy = given.copy.as_ref();
            (given.release.clone(), None, *migrations)
        }
        // Of a promotion only what was chosen goes up.
        What::Ship { given, .. } if given.iter().any(|it| it.is_promoted) => return Ok(None),
        What::Ship { from, images, migrations, .. } => {
            let image = image_of(images, name);
            let commit = source.commit.as_deref();
            let shipped = targets::Shipped { version: &source.version, commit, from: *from, image };
            (targets::release(resolved, found, site, &shipped)?, None, *migrations)
        }
        What::Restore(releases) | What::Scale { releases, .. } | What::Task { releases, .. } => {
            match releases.iter().find(|(service, _)| service == name) {
                Some((_, known)) => (known.release.clone(), Some(known.clone()), false),
                None => return Ok(None),
            }
        }
    };
    let url = targets::url(resolved)?;
    let root = std::path::absolute(&found.root).unwrap_or_else(|_| found.root.clone());
    let mut config = targets::config(resolved, found)?;
    let mut around = match wish.what {
        What::Task { task, .. } => task_steps(resolved, site.project, task)?,
        _ => {
            // What is restored was here before; what is new may change data.
            let backup = matches!(wish.what, What::Ship { .. });
            // Whoever goes back, or mends, does it because of an alarm that is on.
            let alarms = matches!(wish.what, What::Ship { hotfix: false, .. });
            let project = site.project;
            let asked = Asked { url: &url, root: &root, project, migrations, backup, alarms };
            around(resolved, &asked)?
        }
    };
    around.extend(copy.map(|it| image_gate::copy_step(name, &release, it)));
    if !wish.what.ships_nothing() {
        around.extend(image_gate::scan_step(resolved, &release)?);
    }
    as_wished(&mut config, &mut around, resolved, &wish.what);
    Ok(Some(ServiceRequest {
        service: Arc::clone(name),
        release,
        restores,
        last_good: ledger.last_good(name).cloned(),
        target: resolved.target.kind().into(),
        config,
        around,
    }))
}

/// What the wish makes of what the settings say.
fn as_wished(
    config: &mut serde_json::Value,
    around: &mut Vec<PlannedStep>,
    resolved: &ServiceInEnvironment,
    what: &What<'_>,
) {
    let migrates = around.iter().any(|it| it.kind == DeployStepKind::Migrate);
    if let (true, Some(why)) = (migrates, targets::no_way_back(resolved)) {
        config["no_way_back"] = why.into();
    }
    if !matches!(what, What::Ship { hotfix: false, .. })
        && let Some(config) = config.as_object_mut()
    {
        // Whoever goes back, or mends, does it because of an alarm that is on.
        config.shift_remove("alarms");
    }
    if let What::Scale { to, force, .. } = *what {
        config["instances"] = to.into();
        if force && matches!(resolved.target, settings::Target::Ecs(_)) {
            config["even_if_scaled"] = true.into();
        }
        if to == 0 {
            // Nobody is there to be asked.
            around.clear();
        }
    }
}

/// The steps of a task.
fn task_steps(
    resolved: &ServiceInEnvironment,
    project: &str,
    task: Task<'_>,
) -> Result<Vec<PlannedStep>, Failure> {
    match task {
        Task::Command { run, within } => Ok(vec![steps::task(resolved, run, within)]),
        Task::Step(step) => Ok(vec![step.clone()]),
        Task::Migration => {
            let migration = steps::migrate(resolved).ok_or_else(|| {
                let name = &resolved.service.name.value;
                Failure::new(Exit::Usage, format!("the settings say no migration of {name}"))
                    .hint("`migrate: {run: [...]}` of the service does")
            })?;
            Ok(steps::backup(resolved, project)?.into_iter().chain([migration]).collect())
        }
    }
}

fn given_of<'a>(given: &'a [Given], service: &str) -> Option<&'a Given> {
    given.iter().find(|it| *it.service == *service)
}

/// The image that is meant for a service: what names it wins over what names none.
fn image_of<'a>(images: &'a [String], service: &str) -> Option<&'a str> {
    let named = images.iter().find_map(|it| it.strip_prefix(service)?.strip_prefix('='));
    named.or_else(|| images.iter().find(|it| !it.contains('=')).map(String::as_str))
}

/// What is written and not acted upon yet is refused: nobody shall believe that it holds.
fn refuse_not_yet(resolved: &ServiceInEnvironment) -> Result<(), Failure> {
    let key = resolved.not_yet.first().map(|it| it.key.as_str());
    match key {
        None => Ok(()),
        Some(key) => {
            let service = &resolved.service.name.value;
            let message =
                format!("{key} of {service} is written, and this version does not act on it");
            Err(Failure::new(Exit::Missing, message)
                .hint("take it out, or wait for a later version"))
        }
    }
}

/// A release that never ran well in the environment below goes no higher.
pub(super) fn on_below(
    book: &Book,
    name: &str,
    below: &str,
    requests: &[ServiceRequest],
) -> Result<(), Failure> {
    let ledger = book.ledger(below)?;
    let ran_well = |request: &ServiceRequest| {
        let service = ledger.services.get(&request.service);
        service.is_some_and(|it| {
            it.releases
                .iter()
                .any(|line| line.is_good() && line.release.digest == request.release.digest)
        })
    };
    let shipped = || requests.iter().filter(|request| request.restores.is_none());
    if let Some(request) = shipped().find(|request| !ran_well(request)) {
        let (service, version) = (&request.service, &request.release.version);
        let message = format!(
            "{service} {version} never ran well in {below}, and {name} takes only what did"
        );
        return Err(
            Failure::new(Exit::Forbidden, message).hint(format!("launchway deploy {below} first"))
        );
    }
    let migrated = book.migrated(below)?;
    let is_new = |request: &&ServiceRequest| {
        let migrates = request.around.iter().any(|it| it.kind == DeployStepKind::Migrate);
        let of = (Arc::clone(&request.service), Arc::clone(&request.release.digest));
        migrates && !migrated.contains(&of)
    };
    match shipped().find(is_new) {
        None => Ok(()),
        Some(request) => {
            let (service, version) = (&request.service, &request.release.version);
            let message = format!(
                "the migration of {service} {version} never ran in {below}, and {name} takes only what did"
            );
            Err(Failure::new(Exit::Forbidden, message).hint(format!(
                "launchway migrate {below} runs it; --skip-migrations leaves it out"
            )))
        }
    }
}
