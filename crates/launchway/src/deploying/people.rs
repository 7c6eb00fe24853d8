//! Who may agree to a deployment: people of a group, with keys, who did not ask for it and did not
//! write it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use approval::{Key, Person, REQUEST, RequestStatement};
use event::{DeploymentRequest, GateDemand, SshProof};
use repository::Repository;
use settings::{Environment, can_be_filled};
use views::Ledger;

use super::rules::{Ruling, SIGNERS, members};
use super::signing;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;

/// Who may not agree.
#[derive(Debug, Default)]
pub(crate) struct People<'a> {
    /// Who asked for it: proven by their key, where it matters.
    pub(crate) requester: Option<&'a Person>,
    /// Names and addresses of who wrote what ships.
    pub(crate) authors: &'a [String],
}

/// A group whose agreement is wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) group: Arc<str>,
    pub(crate) count: u32,
    /// Names of its people, by the rules; of a group that only the commit that ships wants: by that.
    pub(crate) names: Vec<Arc<str>>,
}

/// What the rules want, and what the commit that ships wants beyond that.
pub(crate) fn wanted(found: &Found, own: &Environment, ruling: &Ruling) -> Vec<Wanted> {
    let mut counts: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for protect in [&ruling.environment().protect, &own.protect] {
        for quorum in &protect.reviewers {
            let count = counts.entry(Arc::clone(&quorum.group.value)).or_default();
            *count = (*count).max(quorum.count.value);
        }
    }
    let wanted = counts.into_iter().map(|(group, count)| {
        let ruled = members(&ruling.settings, &group);
        let people = if ruled.is_empty() { members(&found.settings, &group) } else { ruled };
        let names = people.iter().map(|name| Arc::clone(&name.value)).collect();
        Wanted { group, count, names }
    });
    wanted.collect()
}

/// The gates, each with who may agree there; an error where they are too few.
pub(crate) fn demands(
    environment: &str,
    wanted: &[Wanted],
    ruling: &Ruling,
    people: &People<'_>,
) -> Result<Vec<GateDemand>, Failure> {
    let judge = |name: &str| judge(name, ruling, people).map(|person| person.name().into());
    filled(environment, wanted, &judge).map_err(|failure| {
        failure.hint(format!("whose keys are whose stands in {SIGNERS}; docs/approvals.md"))
    })
}

/// The gates, where whoever knows the people judges each: the name that they are known by, or why
/// they may not.
pub(crate) fn filled(
    environment: &str,
    wanted: &[Wanted],
    judge: &dyn Fn(&str) -> Result<Arc<str>, &'static str>,
) -> Result<Vec<GateDemand>, Failure> {
    let mut demands = Vec::new();
    let mut left_out = Vec::new();
    for group in wanted {
        let mut may: Vec<Arc<str>> = Vec::new();
        for name in &group.names {
            match judge(name) {
                // Two names of one person are one.
                Ok(person) if may.contains(&person) => {}
                Ok(person) => may.push(person),
                Err(why) => left_out.push(format!("{name} of {}: {why}", group.group)),
            }
        }
        let (group, count) = (Arc::clone(&group.group), group.count);
        demands.push(GateDemand::Approval { group, count, members: may });
    }
    let benches: Vec<(Vec<&str>, usize)> = demands.iter().filter_map(bench).collect();
    if can_be_filled(&benches) {
        return Ok(demands);
    }
    let words = wanted.iter().map(|it| format!("{} of {}", it.count, it.group));
    let message = format!(
        "{environment} wants the agreement of {}, and too few of them may agree to this one",
        words.collect::<Vec<_>>().join(" and ")
    );
    let failure = Failure::new(Exit::Forbidden, message);
    Err(left_out.into_iter().fold(failure, Failure::hint))
}

fn bench(demand: &GateDemand) -> Option<(Vec<&str>, usize)> {
    match demand {
        GateDemand::Approval { count, members, .. } => {
            Some((members.iter().map(|it| &**it).collect(), *count as usize))
        }
        GateDemand::Wait { .. } | GateDemand::Confirm { .. } | GateDemand::Start => None,
    }
}

/// Who a name is, where they may agree.
fn judge<'r>(
    name: &str,
    ruling: &'r Ruling,
    people: &People<'_>,
) -> Result<&'r Person, &'static str> {
    let person = ruling.signers.called(name).ok_or("no key of theirs is known")?;
    if people.requester.is_some_and(|it| it.name() == person.name()) {
        return Err("they asked for it");
    }
    if people.authors.iter().any(|author| person.is_called(author)) {
        return Err("they wrote a commit of it");
    }
    Ok(person)
}

/// Whoever asks signs too: a name that the machine says is nobody's proof, and nobody agrees to their
/// own deployment under another.
pub(crate) struct Proof {
    pub(crate) key: Key,
    pub(crate) kept: SshProof,
}

/// Has the requester sign what they ask for.
pub(crate) fn ask(
    request: &DeploymentRequest,
    ruling: &Ruling,
    key: Option<&Path>,
) -> Result<Proof, Failure> {
    let releases = request.services.iter();
    let text = RequestStatement {
        project: &request.project,
        environment: &request.environment,
        requested_at: request.at,
        rules: ruling.rules.digest,
        releases: releases.map(|it| (&*it.service, &*it.release.digest)).collect(),
    }
    .text();
    let environment = &request.environment;
    let signature = signing::sign(REQUEST, &text, key).map_err(|failure| {
        failure.hint(format!(
            "{environment} wants people to agree, and nobody agrees to their own: whoever asks signs too"
        ))
    })?;
    let key = approval::verify(REQUEST, &text, &signature);
    let key = key.map_err(|error| Failure::caused(Exit::Missing, error))?;
    let known = ruling.signers.owner(&key);
    if !known.is_some_and(|(_, keys)| keys.iter().any(|it| it.counts(REQUEST, request.at))) {
        let message = format!(
            "{environment} wants people to agree, so it must be known who asks, and the key {} is nobody's there, or does not count for that now",
            key.fingerprint()
        );
        return Err(Failure::new(Exit::Forbidden, message)
            .hint(format!("add it to {SIGNERS}, and merge that; or name another: --key FILE")));
    }
    let kept =
        SshProof { text: text.into(), signature: signature.into(), key: key.openssh().into() };
    Ok(Proof { key, kept })
}

/// Names and addresses of who wrote what these releases bring.
pub(crate) fn authors(
    found: &Found,
    request: &DeploymentRequest,
    ledger: &Ledger,
) -> Result<Vec<String>, Failure> {
    let Ok(repository) = Repository::discover(&found.root) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for service in &request.services {
        let Some(commit) = &service.release.commit else { continue };
        let runs = ledger.services.get(&service.service).and_then(|it| it.runs.as_ref());
        let before = runs.and_then(|it| it.release.release.commit.as_deref());
        let authors = repository.authors(before, commit).map_err(|error| {
            let context = format!("the authors of {commit} are not known, and they may not agree");
            Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
                .hint("git fetch brings the commit")
        })?;
        all.extend(authors);
    }
    Ok(all)
}
