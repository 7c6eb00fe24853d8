//! The workflows of a connected repository: which there are at the tip of its default branch, and switching them
//! off and on without touching a file. Pushes, schedules and dispatches honour it (`Planning::choose`).

use std::sync::Arc;

use server::{KnownWorkflow, Switched, WorkflowState};
use syntax::Source;

use super::keeping::connected;
use crate::exit::{Exit, Failure};
use crate::running::files;
use crate::serving::data::{DataFolder, Record};
use crate::serving::repositories::Connected;

/// Workflows of a repository that are switched off; a hundred times as many as most have.
const OFF_MAX: usize = 1_000;
/// No file system has a longer name.
const PATH_BYTES_MAX: usize = 255;

/// Those that are switched off, by their paths.
pub(crate) fn off(data: &DataFolder, repository: &str) -> Result<Vec<String>, Failure> {
    data.state.disabled(repository)
}

/// What there is to know of a workflow file.
pub(crate) fn described(path: String, source: &Arc<Source>, off: &[String]) -> KnownWorkflow {
    let (workflow, _) = workflow::read(source);
    let is_off = off.contains(&path);
    let state = match &workflow {
        None => WorkflowState::Broken,
        Some(_) if is_off => WorkflowState::Off,
        Some(_) => WorkflowState::On,
    };
    let events = workflow.iter().flat_map(|it| &it.on.events);
    let events = events.map(|it| it.name.value.to_string()).collect();
    let name = workflow.and_then(|it| it.name).map(|it| it.value.to_string());
    KnownWorkflow { path, name, events, state }
}

/// All of them, and those that are switched off and not there.
pub(crate) fn list(data: &DataFolder, repository: &str) -> Result<Vec<KnownWorkflow>, Failure> {
    let connected = connected(data, repository)?;
    let off = off(data, &connected.name)?;
    let mut all = at_tip(&connected, &off)?;
    for path in off {
        if !all.iter().any(|it| it.path == path) {
            let (name, events) = (None, Vec::new());
            all.push(KnownWorkflow { path, name, events, state: WorkflowState::Off });
        }
    }
    Ok(all)
}

fn at_tip(connected: &Connected, off: &[String]) -> Result<Vec<KnownWorkflow>, Failure> {
    let mut all = Vec::new();
    if let Some(tip) = connected.tip()? {
        let at = connected.at(&tip, Default::default())?;
        for file in at.files_in(files::WORKFLOWS)? {
            if !file.is_link && files::is_yaml(file.path.as_ref()) {
                let source = Source::new(file.path.as_str(), &*file.text);
                all.push(described(file.path, &source, off));
            }
        }
    }
    Ok(all)
}

/// Switches one off or on that is named by its path or its file name.
pub(crate) fn switch(
    data: &DataFolder,
    repository: &str,
    wanted: &str,
    is_on: bool,
    record: Record<'_>,
) -> Result<Switched, Failure> {
    let connected = connected(data, repository)?;
    let off = off(data, &connected.name)?;
    let there: Vec<String> = at_tip(&connected, &off)?.into_iter().map(|it| it.path).collect();
    let switched = named((&there, &off), wanted, is_on)?;
    let off = switched_over(off, &switched.path, is_on)?;
    record(&switched.path)?;
    data.state.set_disabled(repository, &off)?;
    Ok(switched)
}

/// Those that are switched off from now on.
pub(crate) fn switched_over(
    mut off: Vec<String>,
    path: &str,
    is_on: bool,
) -> Result<Vec<String>, Failure> {
    off.retain(|it| *it != path);
    if !is_on {
        if off.len() >= OFF_MAX {
            let message = format!("{OFF_MAX} workflows of it are switched off already");
            return Err(Failure::new(Exit::Refused, message)
                .hint("launchway workflows enable switches on those that are there no more"));
        }
        off.push(path.to_owned());
    }
    Ok(off)
}

/// What somebody means by a path or a file name, of those that are there and those that are switched off. One that
/// only another branch has is switched off by its whole path: nobody looks through all branches.
pub(crate) fn named(
    (there, off): (&[String], &[String]),
    wanted: &str,
    is_on: bool,
) -> Result<Switched, Failure> {
    let is_it = |path: &&String| *path == wanted || path.rsplit('/').next() == Some(wanted);
    let found = |all: &[String], is_at_tip| {
        let path = all.iter().find(is_it)?.clone();
        Some(Switched { path, is_at_tip })
    };
    if let Some(found) = found(there, true).or_else(|| found(off, false)) {
        return Ok(found);
    }
    if !is_on && is_path(wanted) {
        return Ok(Switched { path: wanted.to_owned(), is_at_tip: false });
    }
    let failure = Failure::new(Exit::Usage, format!("there is no workflow {wanted}"))
        .hint(format!("there are: {}", there.join(", ")));
    Err(match is_on {
        true => failure,
        false => failure.hint(
            "one that only another branch has: by its whole path, .github/workflows/FILE.yml",
        ),
    })
}

/// Whether that is where a workflow file can be.
fn is_path(text: &str) -> bool {
    let name = text.strip_prefix(files::WORKFLOWS).and_then(|it| it.strip_prefix('/'));
    let is_name =
        |it: &str| !it.contains('/') && !it.contains(char::is_control) && !it.starts_with('.');
    text.len() <= PATH_BYTES_MAX && name.is_some_and(is_name) && files::is_yaml(text.as_ref())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(wanted: &str, is_on: bool, expect: &Expect) {
        let paths = |names: &[&str]| -> Vec<String> {
            names.iter().map(|it| format!(".github/workflows/{it}")).collect()
        };
        let (there, off) = (paths(&["ci.yml", "ship.yaml"]), paths(&["ci.yml", "old.yml"]));
        expect.assert_eq(&match named((&there, &off), wanted, is_on) {
            Ok(Switched { path, is_at_tip: true }) => path,
            Ok(Switched { path, .. }) => format!("{path}, not there"),
            Err(failure) => format!("{} | {}", failure.error, failure.hints.join(" | ")),
        });
    }

    #[test]
    fn a_workflow_that_only_another_branch_has_is_named_whole() {
        let ci = expect![".github/workflows/ci.yml"];
        check("ci.yml", false, &ci);
        check(".github/workflows/ci.yml", true, &ci);
        check("old.yml", true, &expect![".github/workflows/old.yml, not there"]);
        let night = ".github/workflows/night.yml";
        check(night, false, &expect![".github/workflows/night.yml, not there"]);
        check(
            night,
            true,
            &expect![
                "there is no workflow .github/workflows/night.yml | there are: .github/workflows/ci.yml, .github/workflows/ship.yaml"
            ],
        );
        for wrong in [
            "night.yml",
            ".github/workflows/night",
            ".github/workflows/.yml",
            ".github/workflows/a/b.yml",
            ".github/workflows/../x.yml",
            ".github/workflows/a\n.yml",
            "/.github/workflows/a.yml",
        ] {
            let failure = named((&[], &[]), wrong, false).expect_err(wrong);
            assert_eq!(failure.hints.len(), 2, "{wrong}");
        }
        let long = format!(".github/workflows/{}.yml", "x".repeat(PATH_BYTES_MAX));
        assert!(named((&[], &[]), &long, false).is_err());
    }

    #[test]
    fn so_many_are_switched_off_and_no_more() {
        let off: Vec<String> = (0..OFF_MAX).map(|it| format!("{it}.yml")).collect();
        assert!(switched_over(off.clone(), "more.yml", false).is_err());
        assert_eq!(switched_over(off.clone(), "7.yml", false).unwrap().len(), OFF_MAX);
        assert_eq!(switched_over(off, "7.yml", true).unwrap().len(), OFF_MAX - 1);
    }
}
