//! Rules about single files: a module doc, a size one can read, functions one can see whole.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell;

/// Lines of a file without its trailing test module. Beyond it nobody reads it in one go.
const FILE_LINES_MAX: usize = 800;
/// Lines of a function: what one sees without scrolling.
const FUNCTION_LINES_MAX: usize = 70;
/// Words that tell a machine or a registry, or unfinished work.
const FORBIDDEN: &[&str] =
    &["/work/main", "todo!(", "unimplemented!(", "#[ignore", "#[should_panic"];

/// Breaches in every Rust file of the repository.
pub(super) fn breaches() -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for path in rust_files(&shell::root())? {
        let shown = path.strip_prefix(shell::root()).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| shown.clone())?;
        breaches.extend(
            file_breaches(&text, is_test(&shown))
                .into_iter()
                .map(|breach| format!("{shown}{breach}")),
        );
    }
    Ok(breaches)
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let listed = shell::command(
        "git",
        &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.rs"],
    )
    .output()
    .context("cannot start git")?;
    let names = String::from_utf8(listed.stdout).context("file names")?;
    let paths = names.split('\0').filter(|name| !name.is_empty()).map(|name| root.join(name));
    Ok(paths.filter(|path| path.exists()).collect())
}

/// Files of tests are tables as long as what they prove: their size is no sign of anything.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

fn file_breaches(text: &str, is_test: bool) -> Vec<String> {
    let mut breaches = Vec::new();
    if !text.starts_with("//!") && !text.starts_with("#![no_main]") {
        breaches.push(": does not open with a module doc (//!)".to_owned());
    }
    let product = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines: Vec<&str> = if is_test { Vec::new() } else { product.lines().collect() };
    if lines.len() > FILE_LINES_MAX {
        breaches.push(format!(": {} lines, more than {FILE_LINES_MAX}", lines.len()));
    }
    for (line, name, length) in long_functions(&lines) {
        breaches
            .push(format!(":{line}: fn {name} has {length} lines, more than {FUNCTION_LINES_MAX}"));
    }
    // This file names what it forbids.
    if !text.contains("const FORBIDDEN") {
        for word in FORBIDDEN.iter().filter(|word| text.contains(**word)) {
            breaches.push(format!(": contains {word}"));
        }
    }
    breaches
}

/// Functions over the limit. rustfmt puts a function's closing brace under its first letter, which
/// is all the parsing that is needed.
fn long_functions<'a>(lines: &[&'a str]) -> Vec<(usize, &'a str, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let Some(length) = lines[at..].iter().position(|line| *line == end) else { continue };
        if length + 1 > FUNCTION_LINES_MAX {
            found.push((at + 1, name, length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    // A one-line function or a declaration in a trait ends where it begins.
    if line.ends_with('}') || line.ends_with(';') {
        return None;
    }
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        assert_eq!(file_breaches(text, false), expect);
    }

    #[test]
    fn a_file_says_what_it_is() {
        check("//! What it is.\n", &[]);
        check("fn main() {}\n", &[": does not open with a module doc (//!)"]);
    }

    #[test]
    fn a_long_function_is_named_with_its_line() {
        let body = "    work();\n".repeat(69);
        check(
            &format!("//! Doc.\nfn long() {{\n{body}}}\n"),
            &[":2: fn long has 71 lines, more than 70"],
        );
        let named = format!("//! Doc.\npub(crate) async fn long() {{\n{body}}}\n");
        check(&named, &[":2: fn long has 71 lines, more than 70"]);
        let body = "    work();\n".repeat(68);
        check(&format!("//! Doc.\nfn fits() {{\n{body}}}\n"), &[]);
    }

    #[test]
    fn tests_do_not_count_towards_a_files_size() {
        let tests = "    work();\n".repeat(900);
        check(&format!("//! Doc.\n\n#[cfg(test)]\nmod tests {{\n{tests}}}\n"), &[]);
        let code = "static A: u8 = 0;\n".repeat(800);
        check(&format!("//! Doc.\n{code}"), &[": 801 lines, more than 800"]);
    }
}
