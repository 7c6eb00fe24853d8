//! Cobertura's XML, as coverage.py, gcovr, coverlet and istanbul write it.

use crate::coverage::{Coverage, Lines};
use crate::name;
use crate::xml::{Node, Pull};

/// None where it is another kind of report that begins with `coverage` (Clover's does).
pub(crate) fn read(text: &str) -> Option<Coverage> {
    let mut pull = Pull::new(text);
    let mut lines = Lines::default();
    let mut file: Option<String> = None;
    while let Some(node) = pull.next() {
        let Node::Open(element) = node else { continue };
        match element.name.as_str() {
            "project" => return None,
            "class" => {
                file = element.get("filename").map(|it| name(plain(it)));
                if let Some(file) = &file {
                    lines.file(file);
                }
            }
            "line" => {
                let number = element.get("number").and_then(|it| it.parse().ok());
                let hits = element.get("hits").map(|it| it != "0" && !it.starts_with('-'));
                if let (Some(file), Some(number), Some(has_run)) = (&file, number, hits) {
                    lines.line(file, number, has_run);
                }
            }
            _ => {}
        }
    }
    lines.is_cut |= pull.is_cut;
    Some(lines.done())
}

/// A path without what says nothing.
pub(crate) fn plain(path: &str) -> &str {
    path.trim_start_matches("./")
}
