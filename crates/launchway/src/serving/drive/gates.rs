//! What the rules of an environment ask of a job on a server: read at the tip of the default branch,
//! when the job comes to its gate, with each word of a person, and once more before it opens.

mod below;
mod guarded;
mod kept;
mod level;
mod shut;
mod tip;

use std::sync::Arc;

use approval::Signers;
use event::{Digest, GateDemand, JobDefinition, JobGate, RunRequest, StreamId, Timestamp};
use mask::MaskedText;
use repository::Repository;
use scheduler::GateRead;
use server::GuardedEnvironment;
use settings::{Deploy, Environment, FILE, Settings};

pub(crate) use self::guarded::Guarded;
use self::kept::Kept;
use self::level::low;
use self::shut::{Shut, moment};
use self::tip::{AtTip, Committed, Rules, settings_of};
use crate::deploying::checks::Runs;
use crate::deploying::gates::{self, Attempt, LEVEL_BY_HAND};
use crate::deploying::people::{self, People};
use crate::deploying::rules::Ruling;
use crate::deploying::wish::Agreement;
use crate::exit::{Exit, Failure};
use crate::serving::data::DataFolder;
use crate::serving::repositories::{self, Connected};
use crate::settings_file::Found;

/// What is said where nothing is written of an environment but that jobs may run there.
const FREELY: &str = "Jobs run there without a person: whoever connected the repository agreed to it, and neither a level nor a rule is written.";
const AGREED: &str = "Whoever connected the repository agreed to it.";

/// Reads what a job has to wait for.
pub(crate) fn read(
    data: &DataFolder,
    runs: &Runs,
    request: &RunRequest,
    job: &JobDefinition,
    at: Timestamp,
) -> Result<GateRead, Failure> {
    let name = job.environment.as_ref().map(MaskedText::as_str).unwrap_or_default();
    let known = repositories::all(data)?;
    let Some(connected) = known.into_iter().find(|it| *it.name == *request.repository) else {
        return Ok(forbid(format!("{} is not connected any more", request.repository)));
    };
    let asked = read_of(data, runs, &connected, (request, job, name), at);
    match asked {
        Ok(read) => Ok(read),
        // A rule says no; that something does not answer is asked again.
        Err(failure) if matches!(failure.exit, Exit::Forbidden | Exit::Refused) => {
            Ok(forbid(format!("{:#}", failure.error)))
        }
        Err(failure) => Err(failure),
    }
}

fn forbid(why: String) -> GateRead {
    GateRead::Forbid(MaskedText::without_secrets(why))
}

fn forbidden(message: String) -> Failure {
    Failure::new(Exit::Forbidden, message)
}

/// Whether an environment is guarded: then nobody has to agree to it beforehand. Rules that nobody can
/// read guard every one.
pub(crate) fn is_guarded(connected: &Connected, name: &str) -> Result<bool, Failure> {
    if Kept::of(connected)
        .map_or(true, |kept| kept.is_some_and(|it| it.environment(name).is_some()))
    {
        return Ok(true);
    }
    Ok(match AtTip::of(connected) {
        AtTip::Unreadable(_) => true,
        AtTip::Nothing => false,
        AtTip::Rules(rules) => {
            environment(&rules.settings, name).is_some_and(|it| !it.protect.is_empty())
        }
    })
}

/// The environments of a repository: those of its rules, and those that somebody agreed to.
pub(crate) fn environments(
    data: &DataFolder,
    repository: &str,
) -> Result<Vec<GuardedEnvironment>, Failure> {
    let known = repositories::all(data)?;
    let unknown = || Failure::new(Exit::Usage, format!("no repository {repository} is connected"));
    let connected = known.into_iter().find(|it| it.name == repository).ok_or_else(unknown)?;
    let (rules, unread) = match AtTip::of(&connected) {
        AtTip::Rules(rules) => (Some(rules), None),
        AtTip::Nothing => (None, None),
        AtTip::Unreadable(why) => (None, Some(why)),
    };
    let is_agreed =
        |name: &str| connected.environments.iter().any(|it| it.eq_ignore_ascii_case(name));
    let kept = Kept::of(&connected).ok().flatten();
    let kept = kept.as_ref();
    let named = |name: &str| kept.and_then(|it| it.named(name));
    let of_server = |name: &str| named(name).map(kept_sentences);
    let is_guarded = |name: &str| kept.is_some_and(|it| it.environment(name).is_some());
    let mut all = Vec::new();
    let services = rules.iter().flat_map(|rules| &rules.settings.order);
    let services: Vec<String> = services.map(|it| it.value.to_string()).collect();
    for it in rules.iter().flat_map(|rules| &rules.settings.environments) {
        let name = it.name.value.to_string();
        let mut sentences = said(it);
        let is_free = it.protect.is_empty() && !is_guarded(&name);
        if low(it).is_none() && is_free && !is_agreed(&name) {
            sentences.push("No job runs there: no rule guards it, and nobody agreed.".to_owned());
        } else if is_free && level::holds(named(&name).into_iter().chain([it])).is_none() {
            let below = below::named(named(&name).into_iter().chain([it]));
            sentences.push(if below.is_empty() { FREELY } else { AGREED }.to_owned());
        }
        sentences.extend(of_server(&name).into_iter().flatten());
        sentences.extend(not_asked(it));
        all.push(GuardedEnvironment {
            project: rules.as_ref().map(|it| it.settings.project.value.to_string()),
            services: services.clone(),
            below: match &it.deploy {
                Some(Deploy::Promote(below)) => Some(below.value.to_string()),
                _ => None,
            },
            level: Some(it.level.value),
            url: it.url.as_ref().map(|it| it.value.to_string()),
            rules: sentences,
            commit: super::stood::commit(data, repository, &name)?,
            name,
        });
    }
    let more = kept.into_iter().flat_map(|it| &it.settings.environments);
    let more = more.filter(|it| !said(it).is_empty()).map(|it| it.name.value.to_string());
    for name in connected.environments.iter().cloned().chain(more) {
        if !all.iter().any(|it| it.name.eq_ignore_ascii_case(&name)) {
            let shut = unread.as_ref().map(|why| format!("No job runs there now: {why}."));
            let kept: Vec<String> = of_server(&name).into_iter().flatten().collect();
            let freely = (kept.is_empty() && unread.is_none()).then_some(FREELY);
            let agreed = freely.unwrap_or(AGREED);
            let agreed = is_agreed(&name).then(|| agreed.to_owned());
            let rules = agreed.into_iter().chain(kept).chain(shut).collect();
            let commit = super::stood::commit(data, repository, &name)?;
            all.push(GuardedEnvironment { name, rules, commit, ..GuardedEnvironment::default() });
        }
    }
    Ok(all)
}

fn kept_sentences(environment: &Environment) -> Vec<String> {
    said(environment).into_iter().map(|it| format!("Kept by the server: {it}")).collect()
}

/// What rules that the server is to keep say of each environment; an error where they guard none.
pub(crate) fn said_of(rules: &Settings) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let all = rules.environments.iter().map(|it| (it, said(it)));
    let all: Vec<_> = all
        .filter(|(_, said)| !said.is_empty())
        .map(|(it, mut said)| {
            said.extend(not_asked(it));
            (it.name.value.to_string(), said)
        })
        .collect();
    if all.is_empty() {
        let hint = format!(
            "what stands under `protect` of an environment guards it, and so do a `level` up to {LEVEL_BY_HAND} and the environment `below`"
        );
        return Err(Failure::new(Exit::Usage, "these rules guard no environment").hint(hint));
    }
    Ok(all)
}

/// What guards an environment: its level, what it asks, and which one stands below it.
fn said(environment: &Environment) -> Vec<String> {
    let level = low(environment).or_else(|| level::sentence(environment));
    let all = level.into_iter().chain(sentences(&environment.protect));
    all.chain(below::sentence(environment)).collect()
}

/// What is written of an environment and asked of no job: of what a job ships nothing is known but its commit.
fn not_asked(environment: &Environment) -> Option<String> {
    let Environment { deploy, scan, backup, .. } = environment;
    let written = [
        ("deploy.on", matches!(deploy, Some(Deploy::On { .. }))),
        ("scan", scan.is_some()),
        ("backup", backup.is_some()),
    ];
    let written = written.iter().filter(|(_, is_written)| *is_written);
    let keys: Vec<String> = written.map(|(key, _)| format!("`{key}`")).collect();
    (!keys.is_empty())
        .then(|| format!("Not asked of jobs, only by launchway deploy: {}.", keys.join(", ")))
}

/// What guards an environment, a sentence each.
fn sentences(protect: &settings::Protect) -> Vec<String> {
    let list = |all: &[settings::Text]| {
        all.iter().map(|it| it.value.to_string()).collect::<Vec<_>>().join(", ")
    };
    let mut all = Vec::new();
    for quorum in &protect.reviewers {
        all.push(format!("{} of {} agree.", quorum.count.value, quorum.group.value));
    }
    if protect.authors.value && !protect.reviewers.is_empty() {
        all.push("Who wrote a commit of it may agree.".to_owned());
    }
    if let Some(wait) = &protect.wait {
        let wait = settings::duration_text(wait.value);
        all.push(format!("{wait} pass after it was asked for."));
    }
    if let Some(word) = &protect.confirm {
        all.push(format!("Whoever started it types {}.", word.value));
    }
    for (what, named) in [
        ("Only branches", &protect.branches),
        ("Only tags", &protect.tags),
        ("Green at the commit:", &protect.checks),
    ] {
        if !named.is_empty() {
            all.push(format!("{what} {}.", list(named)));
        }
    }
    all.extend(protect.windows.iter().map(|it| format!("Only {it}.")));
    for freeze in &protect.freezes {
        let until = jiff::Timestamp::from_second(freeze.to_s.value).map(|it| it.to_string());
        let until = until.unwrap_or_default();
        all.push(format!("Frozen until {until}: {}.", freeze.reason.value));
    }
    all
}

/// Names of environments are the same in any case.
fn environment<'s>(settings: &'s Settings, name: &str) -> Option<&'s Environment> {
    settings.environments.iter().find(|it| it.name.value.eq_ignore_ascii_case(name))
}

fn read_of(
    data: &DataFolder,
    runs: &Runs,
    connected: &Connected,
    (request, job, name): (&RunRequest, &JobDefinition, &str),
    at: Timestamp,
) -> Result<GateRead, Failure> {
    let (rules, kept) = match written(connected) {
        Ok(written) => written,
        Err(why) => return Ok(unread(connected, request, job, (name, why), at)),
    };
    let named = kept.as_ref().and_then(|it| it.named(name));
    let kept_level = level::allowed(named, name)?;
    let stricter = kept.as_ref().and_then(|kept| Some((kept, kept.environment(name)?)));
    let (rules, ruled) = ruled(rules, stricter, name);
    let is_agreed =
        stricter.is_some() || connected.environments.iter().any(|it| it.eq_ignore_ascii_case(name));
    let (Some(rules), Some(ruled)) = (rules, ruled) else {
        if !is_agreed {
            return Err(forbidden(not_agreed(name)));
        }
        let gate = level::before(free(connected, request, job, name), kept_level, request);
        return unruled(runs, kept.as_ref(), gate, (request, at));
    };
    let repository = connected.at(&request.change.commit, (String::new(), String::new()))?;
    let own_settings = own(&repository, &rules.settings);
    let own = environment(&own_settings, name).cloned().unwrap_or_else(|| ruled.clone());
    let strict = stricter.map_or(&ruled, |(_, environment)| environment);
    let all = [strict, &ruled, &own];
    let level = level::allowed(named.into_iter().chain(all), name)?;
    if ruled.protect.is_empty() && !is_agreed {
        return Err(forbidden(not_agreed(name)));
    }
    let canonical = Arc::clone(&ruled.name.value);
    let place = (connected.name.as_str(), rules.branch.as_str(), rules.tip.as_str());
    let mut ruling = Ruling::of(rules.settings, rules.signers, &ruled, place);
    on_source(&canonical, all, request, at)?;
    let (askers, root) = (askers(request), connected.path.clone());
    let file = root.join(FILE);
    let mut wanted = people::wanted(&Found { settings: own_settings, root, file }, &own, &ruling);
    if let Some((kept, environment)) = stricter {
        kept.stricter(environment, &mut wanted);
        ruling.rules.digest = kept.and(ruling.rules.digest);
    }
    let authors = authors(data, &repository, request, &canonical, all)?;
    let judge = |name: &str| {
        let known = judge(name, &ruling.signers, &askers, &authors)?;
        let is_kept = stricter.is_some_and(|(kept, environment)| kept.names(environment, name));
        Ok(if is_kept { name.into() } else { known })
    };
    let mut demands = people::filled(&canonical, &wanted, &judge)?;
    let milliseconds = without_groups(all, (level, request), &mut demands);
    let below = below::named(named.into_iter().chain(all));
    let kept_settings = kept.iter().map(|it| &it.settings);
    let rules: Vec<&Settings> = std::iter::once(&ruling.settings).chain(kept_settings).collect();
    let shut = Shut::by_clock(all, request, milliseconds, at)?.checks(runs, all, (request, at));
    let shut = shut.below(runs, (&below, &rules), &canonical, (request, at))?;
    let what = what(request, job, &canonical, ruling.rules.digest);
    Ok(GateRead::Ask(Box::new(shut.keeps(JobGate {
        environment: canonical,
        rules: ruling.rules,
        demands,
        asked_by: askers,
        what,
        rules_ask_people: ask_people([strict, &ruled]),
        opens_at: None,
        shut: None,
        waits_for_runs: false,
    }))))
}

/// What the repository says at its tip, and what the server keeps; an error says why nobody can read it.
fn written(connected: &Connected) -> Result<(Option<Rules>, Option<Kept>), String> {
    let rules = match AtTip::of(connected) {
        AtTip::Rules(rules) => Some(*rules),
        AtTip::Nothing => None,
        AtTip::Unreadable(why) => return Err(why),
    };
    Ok((rules, Kept::of(connected)?))
}

/// The rules of an environment: the repository's; where that names none, the server's alone.
fn ruled(
    rules: Option<Rules>,
    stricter: Option<(&Kept, &Environment)>,
    name: &str,
) -> (Option<Rules>, Option<Environment>) {
    let found = rules.as_ref().and_then(|it| environment(&it.settings, name).cloned());
    match (found, stricter) {
        (None, Some((kept, environment))) => {
            (Some(Rules::kept(rules, &kept.settings)), Some(environment.clone()))
        }
        (found, _) => (rules, found),
    }
}

/// Whether rules ask people.
fn ask_people(rules: [&Environment; 2]) -> bool {
    let asks = |it: &Environment| it.protect.reviewers.iter().any(|it| it.count.value > 0);
    rules.into_iter().any(asks)
}

/// The word, the timer, and whoever starts it. Gives how long the timer is.
fn without_groups(
    all: [&Environment; 3],
    (level, request): (Option<u32>, &RunRequest),
    demands: &mut Vec<GateDemand>,
) -> Option<u64> {
    let word = all.into_iter().find_map(|it| it.protect.confirm.as_ref());
    demands.extend(word.map(|word| GateDemand::Confirm { word: Arc::clone(&word.value) }));
    let waits = all.into_iter().filter_map(|it| it.protect.wait.as_ref());
    let wait = waits.map(|wait| wait.value).max().filter(|it| !it.is_zero());
    let milliseconds = wait.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
    demands.extend(milliseconds.map(|milliseconds| GateDemand::Wait { milliseconds }));
    level::ask(level, request, demands);
    milliseconds
}

/// What runs may ask for more, and not for less; where it cannot be read it asks for nothing.
fn own(repository: &Repository, rules: &Settings) -> Settings {
    match settings_of(repository) {
        Ok(Committed::Read(settings)) => *settings,
        _ => rules.clone(),
    }
}

fn not_agreed(name: &str) -> String {
    format!(
        "nobody agreed that jobs run in {name}, and no rule guards it; launchway repositories add PATH --environment '{name}' agrees"
    )
}

/// Nothing stands before it but that somebody agreed when the repository was connected.
fn free(connected: &Connected, request: &RunRequest, job: &JobDefinition, name: &str) -> JobGate {
    let text = |text: &str| MaskedText::without_secrets(text);
    let rules = event::Rules {
        source: text(&connected.name),
        branch: "".into(),
        commit: "".into(),
        digest: Digest::ZERO,
    };
    let what = what(request, job, name, Digest::ZERO);
    JobGate {
        environment: name.into(),
        rules,
        demands: Vec::new(),
        asked_by: askers(request),
        what,
        rules_ask_people: false,
        opens_at: None,
        shut: None,
        waits_for_runs: false,
    }
}

/// The repository says nothing of it: what the server keeps of the environment below holds all the same.
fn unruled(
    runs: &Runs,
    kept: Option<&Kept>,
    gate: JobGate,
    now: (&RunRequest, Timestamp),
) -> Result<GateRead, Failure> {
    let name = Arc::clone(&gate.environment);
    let below = below::named(kept.and_then(|it| it.named(&name)));
    let rules: Vec<&Settings> = kept.iter().map(|it| &it.settings).collect();
    let shut = Shut::default().below(runs, (&below, &rules), &name, now)?;
    Ok(GateRead::Ask(Box::new(shut.keeps(gate))))
}

/// The rules cannot be read: it waits, and is looked at again.
fn unread(
    connected: &Connected,
    request: &RunRequest,
    job: &JobDefinition,
    (name, why): (&str, String),
    at: Timestamp,
) -> GateRead {
    let shut = Shut::unread(&why, request, at);
    GateRead::Unreadable(Box::new(shut.keeps(free(connected, request, job, name))))
}

/// Everybody behind the run, by every name: who pushed, who dispatched, who ran it again.
fn askers(request: &RunRequest) -> Vec<Arc<str>> {
    let payload = &request.event.payload;
    let told = ["/pusher/name", "/pusher/email", "/sender/login"];
    let told = told.iter().filter_map(|it| payload.pointer(it)?.as_str()).map(Arc::from);
    let mut names: Vec<Arc<str>> = Vec::new();
    for name in [request.actor.clone(), request.triggering_actor.clone()].into_iter().chain(told) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Whether two names are of one person, as far as names tell: a login is the name in lower case, with
/// dashes for blanks.
fn is_same(one: &str, other: &str) -> bool {
    let login = |name: &str| name.trim().to_lowercase().replace(char::is_whitespace, "-");
    login(one) == login(other)
}

fn judge(
    name: &str,
    signers: &Signers,
    askers: &[Arc<str>],
    authors: &[String],
) -> Result<Arc<str>, &'static str> {
    let person = signers.called(name);
    let is_it = |other: &str| is_same(name, other) || person.is_some_and(|it| it.is_called(other));
    if askers.iter().any(|it| is_it(it)) {
        return Err("they asked for it");
    }
    if authors.iter().any(|it| is_it(it)) {
        return Err("they wrote a commit of it");
    }
    Ok(person.map_or_else(|| name.into(), |it| it.name().into()))
}

/// Who wrote what reaches the environment: from what ran there last to what is to run.
fn authors(
    data: &DataFolder,
    repository: &Repository,
    request: &RunRequest,
    environment: &str,
    protects: [&Environment; 3],
) -> Result<Vec<String>, Failure> {
    if protects.iter().all(|it| it.protect.authors.value || it.protect.reviewers.is_empty()) {
        return Ok(Vec::new());
    }
    let before = super::stood::commit(data, &request.repository, environment)?;
    let authors = repository.authors(before.as_deref(), &request.change.commit);
    authors.map_err(|error| Failure::caused(Exit::Missing, error))
}

/// Branches and tags that the environment takes.
fn on_source(
    name: &str,
    protects: [&Environment; 3],
    request: &RunRequest,
    at: Timestamp,
) -> Result<(), Failure> {
    let git_ref = &*request.event.git_ref;
    let tags: Vec<String> =
        git_ref.strip_prefix("refs/tags/").map(str::to_owned).into_iter().collect();
    let people = People::default();
    let attempt = Attempt {
        hotfix: false,
        restores: false,
        spared: false,
        word: "",
        agreed: Agreement { reason: None, yes: false, word: None, terminal: false, key: None },
        branch: git_ref.strip_prefix("refs/heads/"),
        tags: &tags,
        people: &people,
        now: moment(at),
    };
    protects.into_iter().try_for_each(|it| gates::on_source(name, &it.protect, &attempt))
}

/// What people agree to: one text, of which the digest goes with every answer.
fn what(request: &RunRequest, job: &JobDefinition, environment: &str, rules: Digest) -> Digest {
    let stream = StreamId::Run(request.run, request.attempt);
    let files = std::iter::once(&request.workflow).chain(request.called.values());
    let files = files.map(|it| format!("file {:?} {}\n", it.path, Digest::of(it.text.as_bytes())));
    let text = format!(
        "launchway job approval 1\nrepository {:?}\nrun {stream}\njob {:?}\nenvironment {environment:?}\ncommit {}\ninputs {}\n{}rules {rules}\n",
        request.repository,
        job.key.as_str(),
        request.change.commit,
        Digest::of(request.inputs.to_string().as_bytes()),
        files.collect::<String>(),
    );
    Digest::of(text.as_bytes())
}
