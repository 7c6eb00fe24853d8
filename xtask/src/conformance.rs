//! `docs/conformance.md`: how the engine behaves, item by item, with the tests that prove it.
//!
//! The items stand in `docs/conformance.items`, one a line: `NUMBER | status | what`. Proofs are
//! found, not claimed: a test carries `// proves: conformance 71, 72` above it. An item that says
//! `done` without a proof is an error, so the table cannot promise what no test holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use crate::shell;

const ITEMS: &str = "docs/conformance.items";
const TABLE: &str = "docs/conformance.md";
const MARK: &str = "// proves: conformance ";

/// One row of the items file.
struct Item<'a> {
    number: u32,
    status: &'a str,
    what: &'a str,
}

/// Writes the table.
pub(crate) fn write() -> Result<()> {
    std::fs::write(shell::root().join(TABLE), table()?).context(TABLE)
}

/// Fails where the written table is not what the items and the tests give.
pub(crate) fn check() -> Result<()> {
    let written = std::fs::read_to_string(shell::root().join(TABLE)).context(TABLE)?;
    if written == table()? {
        return Ok(());
    }
    bail!("{TABLE} is out of date: cargo xtask conformance")
}

/// The numbers of the items that are done.
pub(crate) fn done() -> Result<Vec<u32>> {
    let text = std::fs::read_to_string(shell::root().join(ITEMS)).context(ITEMS)?;
    let items = items(&text)?;
    Ok(items.iter().filter(|item| item.status == "done").map(|item| item.number).collect())
}

fn table() -> Result<String> {
    let text = std::fs::read_to_string(shell::root().join(ITEMS)).context(ITEMS)?;
    let items = items(&text)?;
    let proofs = proofs()?;
    let unproven: Vec<String> = items
        .iter()
        .filter(|item| item.status == "done" && !proofs.contains_key(&item.number))
        .map(|item| item.number.to_string())
        .collect();
    if !unproven.is_empty() {
        bail!("{ITEMS} calls these done, but no test proves them: {}", unproven.join(", "));
    }
    Ok(render(&items, &proofs))
}

fn items(text: &str) -> Result<Vec<Item<'_>>> {
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|line| item(line).with_context(|| format!("{ITEMS}: {line}"))).collect()
}

fn item(line: &str) -> Result<Item<'_>> {
    let mut fields = line.splitn(3, " | ");
    let number = fields.next().unwrap_or_default().parse().context("no number")?;
    let status = fields.next().context("no status")?;
    let what = fields.next().context("no text")?;
    if status != "done" && !status.starts_with("refused: ") && !status.starts_with("not yet: ") {
        bail!("the status is `done`, `refused: WHERE` or `not yet: WHY`");
    }
    Ok(Item { number, status, what })
}

/// Item number to the tests that prove it, as `crate::file::test`.
fn proofs() -> Result<BTreeMap<u32, Vec<String>>> {
    let listed = shell::command(
        "git",
        &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.rs"],
    )
    .output()
    .context("cannot start git")?;
    let names = String::from_utf8(listed.stdout).context("file names")?;
    let mut proofs: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for name in names.split('\0').filter(|name| !name.is_empty() && !name.starts_with("xtask/")) {
        let Ok(text) = std::fs::read_to_string(shell::root().join(name)) else { continue };
        for (numbers, test) in marked_tests(&text) {
            for number in numbers {
                let place = format!("`{}` {test}", name.trim_start_matches("crates/"));
                proofs.entry(number).or_default().push(place);
            }
        }
    }
    Ok(proofs)
}

/// The marks of a file, each with the name of the next function below it.
fn marked_tests(text: &str) -> Vec<(Vec<u32>, &str)> {
    let mut found = Vec::new();
    let mut waiting: Vec<u32> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(list) = line.strip_prefix(MARK) {
            waiting.extend(numbers(list));
        } else if let Some(rest) = line.strip_prefix("fn ")
            && !waiting.is_empty()
        {
            let name = rest.split('(').next().unwrap_or(rest);
            found.push((std::mem::take(&mut waiting), name));
        }
    }
    found
}

/// `71, 72-75` as numbers.
fn numbers(list: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    for part in list.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.trim().parse(), last.trim().parse::<u32>()) {
            numbers.extend(first..=last);
        }
    }
    numbers
}

fn render(items: &[Item<'_>], proofs: &BTreeMap<u32, Vec<String>>) -> String {
    let count = |prefix: &str| items.iter().filter(|item| item.status.starts_with(prefix)).count();
    let mut page = String::from("# How the engine behaves, item by item\n\n");
    page += "Made by `cargo xtask conformance` from `docs/conformance.items` and the tests that say what they prove.\n\n";
    let _ = writeln!(
        page,
        "{} items: {} done, {} refused with their place, {} not yet.\n",
        items.len(),
        count("done"),
        count("refused"),
        count("not yet")
    );
    page += "| item | what | status | proven by |\n|---|---|---|---|\n";
    for Item { number, status, what } in items {
        let tests = proofs.get(number).map(|tests| tests.join("<br>")).unwrap_or_default();
        let _ = writeln!(page, "| {number} | {what} | {status} | {tests} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_belongs_to_the_next_function() {
        let text = "// proves: conformance 71, 80-82\n#[test]\nfn values() {\n}\nfn other() {}\n";
        assert_eq!(marked_tests(text), [(vec![71, 80, 81, 82], "values")]);
    }

    #[test]
    fn a_row_has_number_status_and_text() {
        let row = item("71 | done | values").expect("a row");
        assert_eq!((row.number, row.status, row.what), (71, "done", "values"));
        assert!(item("71 | perhaps | values").is_err());
        assert!(item("x | done | values").is_err());
    }
}
