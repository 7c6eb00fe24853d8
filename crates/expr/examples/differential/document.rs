//! `docs/differences.md` as this program checks it.

use anyhow::bail;

/// The document.
const TEXT: &str = include_str!("../../../../docs/differences.md");
/// The part about expressions.
const PART: &str = "\n## Expressions\n";
/// What people are willing to learn by heart.
const DIFFERENCES_MAX: usize = 10;

/// One row of a table: an expression, and what either side makes of it.
pub(crate) struct Example {
    /// The difference it stands under.
    pub(crate) id: &'static str,
    pub(crate) expression: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static str,
}

/// Names of the differences of expressions, in the document's order, and their examples.
pub(crate) fn read() -> anyhow::Result<(Vec<&'static str>, Vec<Example>)> {
    let headings = TEXT.lines().filter(|line| line.starts_with("### ")).count();
    if headings > DIFFERENCES_MAX {
        bail!("docs/differences.md has {headings} differences, more than {DIFFERENCES_MAX}");
    }
    let Some((_, part)) = TEXT.split_once(PART) else { bail!("docs/differences.md lacks {PART}") };
    let part = part.split("\n## ").next().unwrap_or(part);
    let (mut ids, mut examples) = (Vec::new(), Vec::new());
    for line in part.lines() {
        if let Some((_, id)) = line.strip_prefix("### ").and_then(|it| it.split_once(". ")) {
            ids.push(id);
        }
        let row = line.strip_prefix("| `").and_then(|it| it.strip_suffix("` |"));
        let Some(row) = row else { continue };
        let cells: Vec<&str> = row.split("` | `").collect();
        let ([expression, ours, theirs], Some(id)) = (cells.as_slice(), ids.last().copied()) else {
            bail!("docs/differences.md: a row has three cells and stands under a heading: {row}");
        };
        examples.push(Example { id, expression, ours, theirs });
    }
    Ok((ids, examples))
}
