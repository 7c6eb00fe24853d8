//! `actions/download-artifact`: artifacts of this run into the workspace.

use std::path::PathBuf;

use globset::GlobBuilder;

use super::artifacts::{self, Artifact};
use super::glob::absolute;
use super::step::{Failure, Step};
use super::{Native, NativeAction, Stage};

/// The registration.
pub(super) const DOWNLOAD: Native = Native {
    action: NativeAction {
        name: "download-artifact",
        manifest: include_str!("download_artifact.yml"),
        stages: &[Stage::Main],
    },
    of: "actions/download-artifact",
    majors: &[3, 4, 5, 6, 7],
    refs: &["main"],
    commits: &[("d3f86a106a0bac45b974a628896c90dbdf5c8093", 4)],
    run,
};

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    refuse_other_runs(step)?;
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let home = step.folder("HOME")?;
    let folder = match step.given("path") {
        Some(path) => PathBuf::from(absolute(&path, &workspace, &home)),
        None => workspace,
    };
    let all = artifacts::of_run(step)?;
    let name = step.given("name");
    let ids = step.given("artifact-ids");
    if name.is_some() && ids.is_some() {
        return Err(Failure::new("Inputs 'name' and 'artifact-ids' cannot be used together."));
    }
    let wanted = match (&name, &ids) {
        (Some(name), _) => {
            let found = all.get(name).ok_or_else(|| {
                let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
                Failure::new(format!(
                    "Unable to download artifact(s): Artifact not found for name: {name}"
                ))
                .hint(format!("this run has: {}", if known.is_empty() { "none" } else { &known }))
            })?;
            vec![found]
        }
        (None, Some(ids)) => by_id(&all.values().collect::<Vec<_>>(), ids)?,
        (None, None) => by_pattern(step, all.values())?,
    };
    // One that was asked for goes straight into the folder; from v5 on by its id as well.
    let direct = name.is_some()
        || step.boolean("merge-multiple")?
        || (ids.is_some() && wanted.len() == 1 && step.major(5) >= 5);
    for artifact in &wanted {
        let target = if direct { folder.clone() } else { folder.join(&artifact.name) };
        let files = artifacts::unpack(step, artifact, &target)?;
        step.info(&format!("{}: {files} files in {}", artifact.name, target.display()));
    }
    step.info(&format!("Total of {} artifact(s) downloaded", wanted.len()));
    step.output("download-path", &folder.display().to_string());
    Ok(())
}

fn by_id<'a>(all: &[&'a Artifact], ids: &str) -> Result<Vec<&'a Artifact>, Failure> {
    ids.split(',')
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(|id| {
            let number = id.parse::<u64>().map_err(|_| {
                Failure::new(format!("Invalid artifact ID: '{id}'. Must be a number."))
            })?;
            let found = all.iter().find(|artifact| artifact.id() == number).copied();
            found.ok_or_else(|| Failure::new(format!("this run has no artifact with the id {id}")))
        })
        .collect()
}

fn by_pattern<'a>(
    step: &Step,
    all: impl Iterator<Item = &'a Artifact>,
) -> Result<Vec<&'a Artifact>, Failure> {
    let Some(pattern) = step.given("pattern") else { return Ok(all.collect()) };
    let matcher = GlobBuilder::new(&pattern)
        .build()
        .map_err(|error| Failure::new(format!("pattern `{pattern}` is not understood: {error}")))?
        .compile_matcher();
    let found = all.filter(|artifact| matcher.is_match(&artifact.name)).collect::<Vec<_>>();
    if found.is_empty() {
        step.info(&format!("no artifact of this run matches {pattern}"));
    }
    Ok(found)
}

/// Artifacts of other runs lie on GitHub.
fn refuse_other_runs(step: &Step) -> Result<(), Failure> {
    let differs = |input: &str, variable: &str| {
        step.given(input).is_some_and(|text| step.variable(variable).as_deref() != Some(&text))
    };
    if step.given("github-token").is_none() {
        return Ok(());
    }
    if differs("repository", "GITHUB_REPOSITORY") || differs("run-id", "GITHUB_RUN_ID") {
        return Err(Failure::missing(
            "input `run-id` or `repository` names another run, whose artifacts are not on this machine",
            "run the original action against GitHub with --no-native",
        ));
    }
    Ok(())
}
