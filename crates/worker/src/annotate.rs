//! An annotation as it is reported: masked, its file counted from the repository's root.

use std::path::Path;

use commands::workflow_command::{Annotation, AnnotationLimits, Level};
use event::AnnotationLevel;
use mask::{MaskedText, Masker};

/// Masks every text and finds the file (conformance 170, 191, 196).
pub(crate) fn for_report(
    annotation: &Annotation,
    masker: &Masker,
    workspace: &Path,
) -> event::Annotation {
    // Masked before it is cut: half a secret is none that a masker knows.
    let message = masker.mask(&annotation.message);
    let message = match AnnotationLimits::clip(message.as_str()) {
        clipped if clipped.len() == message.as_str().len() => message,
        clipped => MaskedText::without_secrets(clipped),
    };
    event::Annotation {
        level: match annotation.level {
            Level::Notice => AnnotationLevel::Notice,
            Level::Warning => AnnotationLevel::Warning,
            Level::Error => AnnotationLevel::Error,
        },
        message,
        title: annotation.title.as_deref().map(|title| masker.mask(title)),
        file: annotation
            .file
            .as_deref()
            .and_then(|file| relative(file, annotation.from_path.as_deref(), workspace))
            .map(|file| masker.mask(&file)),
        line: annotation.line,
        end_line: annotation.end_line,
        column: annotation.column,
        end_column: annotation.end_column,
    }
}

/// A matcher takes for a file whatever its expression says: what is no file of the repository is
/// dropped (conformance 196). Commands are believed.
pub(crate) fn drop_what_is_no_file(annotation: &mut Annotation, workspace: &Path) {
    let Some(file) = annotation.file.as_deref() else { return };
    let inside = relative(file, annotation.from_path.as_deref(), workspace);
    if !inside.is_some_and(|inside| is_of_the_repository(Path::new(&inside), workspace)) {
        annotation.file = None;
    }
}

/// Whether the workspace has this file, and not in another repository that was cloned into it.
fn is_of_the_repository(inside: &Path, workspace: &Path) -> bool {
    let mut folders = inside.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty());
    workspace.join(inside).is_file() && !folders.any(|it| workspace.join(it).join(".git").exists())
}

/// From the workspace's root. A relative path counts from the folder of `from_path`, if there is
/// one; a path outside of the workspace names nothing that a reader could open.
fn relative(file: &str, from_path: Option<&str>, workspace: &Path) -> Option<String> {
    let base = match from_path {
        Some(project) => workspace.join(project).parent()?.to_owned(),
        None => workspace.to_owned(),
    };
    let mut clean = std::path::PathBuf::new();
    for part in base.join(file).components() {
        match part {
            std::path::Component::ParentDir => drop(clean.pop()),
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    let inside = clean.strip_prefix(workspace).ok()?;
    Some(inside.to_str()?.to_owned())
}
