//! `deploy.on`: what is deployed where nobody starts it. A person may deploy what `protect` lets through.

use settings::{Deploy, Text};
use syntax::Span;
use workflow::{Pattern, takes};

use super::book::Book;
use super::gates::LEVEL_ALONE;
use super::request::{environment, services};
use super::wish::{What, Wish};
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;

/// Refuses another branch than the one whose pushes are deployed.
pub(super) fn must_be_of(name: &str, deploy: &Deploy, branch: Option<&str>) -> Result<(), Failure> {
    let Deploy::On { branch: wanted, .. } = deploy else { return Ok(()) };
    let patterns = patterns(std::slice::from_ref(wanted))?;
    if branch.is_some_and(|branch| takes(&patterns, branch)) {
        return Ok(());
    }
    let here = branch.unwrap_or("no branch");
    let message = format!("{name} is deployed to by itself from {}; this is {here}", wanted.value);
    Err(Failure::new(Exit::Forbidden, message).hint("a person may: --yes"))
}

/// Why nothing is due: nobody starts it, and nothing that counts changed since what runs. None where
/// something did, or where it is not known what runs.
pub(crate) fn untouched(
    found: &Found,
    book: &Book,
    wish: &Wish<'_>,
) -> Result<Option<String>, Failure> {
    let environment = environment(found, wish.environment)?;
    let Some(Deploy::On { paths, .. }) = &environment.deploy else { return Ok(None) };
    let is_meant = match &wish.what {
        What::Ship { force, hotfix, .. } => *force || *hotfix,
        _ => true,
    };
    let is_alone = environment.level.value >= LEVEL_ALONE && wish.agreed.is_nobody();
    if paths.is_empty() || is_meant || !is_alone {
        return Ok(None);
    }
    let Ok(repository) = repository::Repository::discover(&found.root) else { return Ok(None) };
    let ledger = book.ledger(wish.environment)?;
    let patterns = patterns(paths)?;
    let mut versions: Vec<String> = Vec::new();
    for name in services(found, wish.services)? {
        let runs = ledger.services.get(&name.value).and_then(|it| it.runs.as_ref());
        let Some(runs) = runs.filter(|it| !it.is_unsure) else { return Ok(None) };
        let release = &runs.release.release;
        let Some(commit) = release.commit.as_deref() else { return Ok(None) };
        let Some(files) = repository.files_since(commit)? else { return Ok(None) };
        if files.iter().any(|file| takes(&patterns, file)) {
            return Ok(None);
        }
        let version = release.version.to_string();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    let listed: Vec<&str> = paths.iter().map(|it| &*it.value).collect();
    Ok(Some(format!("nothing of {} changed since {}", listed.join(", "), versions.join(", "))))
}

/// As in a workflow.
fn patterns(texts: &[Text]) -> Result<Vec<Pattern>, Failure> {
    let parse = |it: &Text| {
        Pattern::parse(&it.value, Span::default()).map_err(|error| {
            Failure::new(Exit::Refused, format!("`deploy.on`: {}: {error}", it.value))
                .hint("patterns are those of a workflow's `branches` and `paths`")
        })
    };
    texts.iter().map(parse).collect()
}
