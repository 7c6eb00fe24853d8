//! The way of a file: YAML, table, judgement.

use std::sync::Arc;

use syntax::{Diagnostic, Severity, Source, Span, yaml};

use crate::judge;
use crate::kind::Kind;
use crate::model::Settings;
use crate::table::ROOT;
use crate::tree::{KEY, Reader};

/// What the file is called, at the root of the repository.
pub const FILE: &str = "launchway.yml";

/// Reads `launchway.yml`. What is wrong is in the list, in the order of the file; the settings are
/// there where nothing of it is an error.
pub fn read(source: &Arc<Source>) -> (Option<Settings>, Vec<Diagnostic>) {
    let (node, found) = yaml::read(source);
    let mut reader = Reader::of(source, found);
    let tree = match &node {
        Some(node) => reader.clean(node, &Kind::Shape(&ROOT)),
        None => {
            if reader.found.is_empty() {
                let hint =
                    "it needs at least `version: 1`, `project`, `services` and `environments`";
                reader.error(KEY, Span::new(0, 0), "the file is empty", hint);
            }
            None
        }
    };
    if let Some(tree) = &tree {
        judge::judge(&mut reader, tree);
    }
    let mut found = reader.found;
    found.sort_by_key(|it| it.labels.first().map(|label| label.span));
    let refused = found.iter().any(|it| it.severity == Severity::Error);
    let settings = tree
        .filter(|_| !refused)
        .map(|tree| Settings::read(source, tree).expect("what the table accepts can be read"));
    (settings, found)
}
