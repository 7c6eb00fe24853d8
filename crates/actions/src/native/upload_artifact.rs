//! `actions/upload-artifact`: files into a zip that the run keeps.

use std::path::{Path, PathBuf};

use super::glob::{Patterns, Search, common_ancestor};
use super::step::{Failure, Step, hex};
use super::{Native, NativeAction, Stage, artifacts};

/// The registration.
pub(super) const UPLOAD: Native = Native {
    action: NativeAction {
        name: "upload-artifact",
        manifest: include_str!("upload_artifact.yml"),
        stages: &[Stage::Main],
    },
    of: "actions/upload-artifact",
    majors: &[3, 4, 5, 6],
    refs: &["main"],
    commits: &[("ea165f8d65b6e75b540449e92b4886f43607fa02", 4)],
    run,
};

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let old = step.major(4) == 3;
    if old {
        step.warning("GitHub fails every job that uses upload-artifact v3: change it to v4");
    }
    let name = step.given("name").unwrap_or_else(|| "artifact".to_owned());
    artifacts::check_name(&name)?;
    let level = level(step)?;
    let retention = retention_days(step)?;
    let overwrite = step.boolean("overwrite")?;
    let hidden = step.boolean("include-hidden-files")?;
    // v3 took hidden files until its last releases; what v4 leaves out is left out.
    let files = find(step, &name, !hidden)?;
    let Some(files) = files else { return Ok(()) };
    let exists = artifacts::of_attempt(step)?.contains_key(&name);
    if exists && !overwrite && !old {
        return Err(Failure::new(format!(
            "an artifact with the name {name} already exists in this attempt of the run (409 Conflict)"
        ))
        .hint("give each job of a matrix its own name, or set overwrite: true"));
    }
    let files = if exists && old { merged(step, &name, files)? } else { files };
    step.info(&format!("With the provided path, there will be {} files uploaded", files.len()));
    let (artifact, size) = artifacts::keep(step, &name, &files, level, retention)?;
    step.output("artifact-id", &artifact.id().to_string());
    step.output("artifact-digest", &artifact.blob);
    let (blobs, blob) = (step.folder("LAUNCHWAY_BLOBS")?, artifact.blob.clone());
    let place = step.trusted(move || super::blobs::find(&blobs, &blob))?;
    step.output("artifact-url", &format!("file://{}", place.display()));
    step.info(&format!("Artifact {name} is kept with the run ({size} bytes)"));
    Ok(())
}

fn level(step: &Step) -> Result<Option<i64>, Failure> {
    let Some(text) = step.given("compression-level") else { return Ok(None) };
    match text.parse::<i64>() {
        Ok(level @ 0..=9) => Ok(Some(level)),
        _ => Err(Failure::new("Invalid compression-level input. Valid values are 0 to 9")),
    }
}

fn retention_days(step: &Step) -> Result<i64, Failure> {
    let Some(text) = step.given("retention-days") else { return Ok(0) };
    match text.parse::<i64>() {
        Ok(0) => Ok(0),
        Ok(days @ 1..=400) => Ok(days),
        _ => Err(Failure::new(format!(
            "Invalid retention-days: {text} (1 to 90, 0 for the default)"
        ))),
    }
}

/// The files with their names in the archive; nothing where there are none and that is no failure.
fn find(
    step: &Step,
    name: &str,
    skip_hidden: bool,
) -> Result<Option<Vec<(String, PathBuf)>>, Failure> {
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let home = step.folder("HOME")?;
    let lines = step.lines("path");
    if lines.is_empty() {
        return Err(Failure::new("Input required and not supplied: path"));
    }
    let patterns = Patterns::read(&lines, &workspace, &home)?;
    let found = patterns.find(Search { descend: true, skip_hidden })?;
    if found.is_empty() {
        let message = format!("No files were found with the provided path: {}.", lines.join(" "));
        let message = format!("{message} No artifacts will be uploaded.");
        return match step.input("if-no-files-found").as_str() {
            "" | "warn" => {
                step.warning(&message);
                Ok(None)
            }
            "ignore" => {
                step.info(&message);
                Ok(None)
            }
            "error" => Err(Failure::new(message)),
            other => Err(Failure::new(format!(
                "Unrecognized if-no-files-found input: {other}. Provided: warn, error, ignore ({name})"
            ))),
        };
    }
    let root = match patterns.roots.as_slice() {
        // One plain file is told without its folders.
        [root] if found == [root.clone()] => root.parent().unwrap_or(Path::new("/")).to_owned(),
        [root] => root.clone(),
        roots => {
            let root = common_ancestor(roots);
            step.info(&format!(
                "The least common ancestor is {}. It is the root of the artifact",
                root.display()
            ));
            root
        }
    };
    let named = found.into_iter().map(|path| {
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        (name, path)
    });
    Ok(Some(named.collect()))
}

/// v3 put the files of several uploads of one name together.
fn merged(
    step: &Step,
    name: &str,
    files: Vec<(String, PathBuf)>,
) -> Result<Vec<(String, PathBuf)>, Failure> {
    let known = artifacts::of_attempt(step)?;
    let folder = step.folder("RUNNER_TEMP")?.join(format!("artifact-{}", hex(name.as_bytes())));
    if let Some(artifact) = known.get(name) {
        artifacts::unpack(step, artifact, &folder)?;
    }
    let patterns = Patterns::read(&[folder.display().to_string()], &folder, &folder)?;
    let before = patterns.find(Search { descend: true, skip_hidden: false })?;
    let mut all = std::collections::BTreeMap::new();
    for path in before {
        let name = path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().into_owned();
        all.insert(name, path);
    }
    all.extend(files);
    Ok(all.into_iter().collect())
}
