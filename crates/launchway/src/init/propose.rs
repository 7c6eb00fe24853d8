//! The files that follow from what was seen.

use std::path::Path;

use super::compose::{self, Seen};
use super::workflows;
use crate::exit::Failure;
use crate::running::files;

/// A file as it would be.
pub(crate) struct Proposed {
    /// From the root.
    pub(crate) path: String,
    pub(crate) text: String,
    /// What it is for, or what was wrong with it.
    pub(crate) why: Vec<String>,
}

/// Settings, examples of `.env` files, and workflows that are mended.
pub(crate) fn files(root: &Path, seen: &Seen) -> Result<(Vec<Proposed>, Vec<String>), Failure> {
    let mut proposed = Vec::new();
    let mut left = Vec::new();
    if seen.services.is_empty() {
        left.push("no service was found, so there are no settings to write".to_owned());
    } else {
        proposed.push(Proposed {
            path: ::settings::FILE.to_owned(),
            text: compose::settings(seen),
            why: vec!["what is shipped, and where to".to_owned()],
        });
        if seen.variables.is_none() {
            proposed.extend(examples(root, seen));
        }
    }
    let folder = root.join(files::WORKFLOWS);
    let paths = if folder.is_dir() { files::workflow_files(&folder)? } else { Vec::new() };
    if seen.has_workflows {
        proposed.extend(workflows::files(seen));
    }
    for path in paths {
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if proposed.iter().any(|it| it.path == shown) {
            continue;
        }
        let source = files::read(&path, &shown)?;
        let mended = check::mend(&shown, source.text());
        for finding in &mended.left {
            let line = finding.labels.first().map_or(0, |it| it.source.place(it.span.start).line);
            left.push(format!("{shown}:{line}: {} [{}]", finding.message, finding.rule));
        }
        if !mended.mended.is_empty() {
            let why = mended.mended.iter().map(|(rule, message)| format!("{message} [{rule}]"));
            let (path, text) = (shown, mended.text.clone());
            proposed.push(Proposed { path, text, why: why.collect() });
        }
    }
    Ok((proposed, left))
}

/// For each environment the example that the service has.
fn examples(root: &Path, seen: &Seen) -> Vec<Proposed> {
    let mut proposed: Vec<Proposed> = Vec::new();
    for service in &seen.services {
        let Some(example) = &service.example else { continue };
        let Ok(text) = std::fs::read_to_string(root.join(example)) else { continue };
        for environment in seen.environments() {
            let path = format!("settings/{}.env.example", environment.name);
            let why = vec![format!("the variables of {example}, for {}", environment.name)];
            match proposed.iter_mut().find(|it| it.path == path) {
                Some(there) => there.text += &text,
                None => proposed.push(Proposed { path, text: text.clone(), why }),
            }
        }
    }
    proposed
}
