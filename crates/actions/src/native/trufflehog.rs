//! `trufflesecurity/trufflehog`: a scan for secrets with our own rules, over exactly the commits
//! that the original would look at. Nothing is sent anywhere, so nothing is verified: a finding is
//! a text of a token's form. What was found is never printed.

mod diff;
mod rules;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use regex::Regex;
use serde_json::Value as Json;

use super::glob::absolute;
use super::step::{Failure, Step, failed_at};
use super::{Native, NativeAction, Stage};
use crate::git::Git;
use rules::Scanner;

/// The registration.
pub(super) const TRUFFLEHOG: Native = Native {
    action: NativeAction {
        name: "trufflehog",
        manifest: include_str!("trufflehog.yml"),
        stages: &[Stage::Main],
    },
    of: "trufflesecurity/trufflehog",
    majors: &[3],
    refs: &["main"],
    commits: &[],
    run,
};

/// What a push says of a branch that did not exist.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Findings that are listed one by one; the rest is counted.
const LISTED_MAX: usize = 100;

/// One place where a secret stands.
struct Finding {
    rule: &'static str,
    file: String,
    line: u64,
    commit: String,
    /// A text of a known form; a guess by its randomness is only a warning.
    certain: bool,
}

/// Which commits are meant, as the inputs or the event say it.
#[derive(Debug, PartialEq, Eq)]
struct Extent {
    /// Nothing: from the first commit.
    since: Option<String>,
    /// Nothing: whatever any branch of the clone has.
    until: Option<String>,
}

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let folder = PathBuf::from(absolute(&step.input("path"), &workspace, &workspace));
    if Git::new(&folder, "rev-parse").arg("--git-dir").ask()?.is_none() {
        return Err(Failure::new(format!("{} is not a git repository", folder.display()))
            .hint("put actions/checkout in front of it"));
    }
    if step.given("version").is_some_and(|version| version != "latest") {
        step.not_enforced("version", "the rules are Launchway's own");
    }
    let filter = PathFilter::read(step, &folder)?;
    let Some(extent) = extent(step, &folder)? else {
        step.info("No commits to scan");
        return Ok(());
    };
    let extent = match within_clone(step, &folder, &extent)? {
        Ok(extent) => extent,
        // The original logs that it cannot resolve the name, scans nothing, and ends with 0.
        Err(name) => {
            step.warning(&format!(
                "nothing was scanned: `{name}` is not a commit of this clone, and the original \
                 succeeds without a scan then; give actions/checkout `fetch-depth: 0`"
            ));
            return Ok(());
        }
    };
    let up_to = extent.until.as_deref().unwrap_or("every branch");
    match &extent.since {
        Some(since) => step.info(&format!("scanning the commits {since}..{up_to}")),
        None => step.info(&format!("scanning all commits up to {up_to}")),
    }
    let (findings, scanned) = scan(&folder, &extent, &filter)?;
    report(step, &findings, scanned)
}

/// What the inputs say, else what the event says: the original's own order.
fn extent(step: &Step, folder: &std::path::Path) -> Result<Option<Extent>, Failure> {
    let (base, head) = (step.given("base"), step.given("head"));
    if base.is_some() || head.is_some() {
        // A name that means nothing here stands for itself, as git answers it.
        let resolve = |name: &Option<String>| -> Result<Option<String>, Failure> {
            let Some(name) = name else { return Ok(None) };
            let id = Git::new(folder, "rev-parse").args(["--verify", "--quiet", name]).ask()?;
            Ok(Some(id.unwrap_or_else(|| name.clone())))
        };
        if resolve(&base)? == resolve(&head)? {
            return Err(Failure::new(
                "BASE and HEAD commits are the same. TruffleHog won't scan anything.",
            )
            .hint("leave `base` and `head` out: the event then says what is new"));
        }
        return Ok(Some(Extent { since: base, until: head }));
    }
    let event = event(step)?;
    let text = |value: &Json| value.as_str().map(str::to_owned);
    Ok(match step.variable("GITHUB_EVENT_NAME").as_deref() {
        Some("push") => {
            if event["commits"].as_array().is_some_and(Vec::is_empty) {
                return Ok(None);
            }
            let before = text(&event["before"]).filter(|before| before != NO_COMMIT);
            Some(Extent { since: before, until: text(&event["after"]) })
        }
        Some("pull_request") => Some(Extent {
            since: text(&event["pull_request"]["base"]["sha"]),
            until: text(&event["pull_request"]["head"]["sha"]),
        }),
        _ => Some(Extent { since: None, until: None }),
    })
}

fn event(step: &Step) -> Result<Json, Failure> {
    let Some(path) = step.variable("GITHUB_EVENT_PATH").map(PathBuf::from) else {
        return Ok(Json::Null);
    };
    let text = fs::read_to_string(&path).map_err(failed_at("read", &path))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("{} is not JSON: {error}", path.display())))
}

/// The commits by their ids; else the name that is none of this clone. A clone that ends early on
/// GitHub has to end early here, although the objects behind its end lie on this machine.
fn within_clone(
    step: &Step,
    folder: &std::path::Path,
    extent: &Extent,
) -> Result<Result<Extent, String>, Failure> {
    let shallow = Git::new(folder, "rev-parse").arg("--is-shallow-repository").text()?;
    let there = if shallow == "true" {
        let all = Git::new(folder, "rev-list").args(["--all", "HEAD"]).text()?;
        Some(all.lines().map(str::to_owned).collect::<BTreeSet<_>>())
    } else {
        None
    };
    let find = |name: &str| -> Result<Option<String>, Failure> {
        // Where the original looks, in its order.
        for prefix in ["", "refs/heads/", "refs/remotes/origin/"] {
            let full = format!("{prefix}{name}^{{commit}}");
            let id = Git::new(folder, "rev-parse").args(["--verify", "--quiet", &full]).ask()?;
            let id = id.filter(|id| there.as_ref().is_none_or(|there| there.contains(id)));
            if id.is_some() {
                return Ok(id);
            }
        }
        Ok(None)
    };
    let since = match &extent.since {
        None => None,
        Some(name) => match find(name)? {
            None => return Ok(Err(name.clone())),
            found => found,
        },
    };
    let until = match &extent.until {
        None => None,
        Some(name) => match find(name)? {
            // With uncommitted changes HEAD is a commit on top of the event's own.
            None if step.variable("GITHUB_SHA").as_ref() == Some(name) => Some("HEAD".to_owned()),
            None => return Ok(Err(name.clone())),
            found => found,
        },
    };
    Ok(Ok(Extent { since, until }))
}

fn scan(
    folder: &std::path::Path,
    extent: &Extent,
    filter: &PathFilter,
) -> Result<(Vec<Finding>, u64), Failure> {
    let scanner = Scanner::new();
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let mut range = vec![extent.until.clone().unwrap_or_else(|| "--all".to_owned())];
    range.extend(extent.since.iter().map(|since| format!("^{since}")));
    let scanned = diff::added_lines(folder, &range, &mut |added| {
        if !filter.takes(added.file) || added.text.contains("trufflehog:ignore") {
            return;
        }
        scanner.find(added.text, &mut |hit| {
            // The same secret in the same file counts once, however often it moved.
            if seen.insert((hit.rule, added.file.to_owned(), hit.secret.to_owned())) {
                findings.push(Finding {
                    rule: hit.rule,
                    file: added.file.to_owned(),
                    line: added.line,
                    commit: added.commit.to_owned(),
                    certain: hit.certain,
                });
            }
        });
    })?;
    Ok((findings, scanned))
}

fn report(step: &mut Step, findings: &[Finding], scanned: u64) -> Result<(), Failure> {
    for finding in findings.iter().take(LISTED_MAX) {
        let level = if finding.certain { "error" } else { "warning" };
        let line = finding.line.to_string();
        let title = format!("Possible secret: {}", finding.rule);
        let properties = [("file", finding.file.as_str()), ("line", &line), ("title", &title)];
        let commit = &finding.commit[..finding.commit.len().min(12)];
        let text = format!(
            "{} at {}:{} in commit {commit} (the text is not shown)",
            finding.rule, finding.file, finding.line
        );
        step.command(level, &properties, &text);
    }
    if findings.len() > LISTED_MAX {
        step.info(&format!("and {} more", findings.len() - LISTED_MAX));
    }
    let certain = findings.iter().filter(|finding| finding.certain).count();
    let guesses = findings.len() - certain;
    step.info(&format!("{scanned} added lines scanned: {certain} secrets, {guesses} guesses"));
    if certain == 0 {
        return Ok(());
    }
    let mut summary =
        "### Possible secrets\n\n| rule | place | commit |\n| --- | --- | --- |\n".to_owned();
    for finding in findings.iter().filter(|finding| finding.certain).take(LISTED_MAX) {
        let Finding { rule, file, line, commit, .. } = finding;
        summary.push_str(&format!(
            "| {rule} | `{file}:{line}` | `{}` |\n",
            &commit[..commit.len().min(12)]
        ));
    }
    step.summary(&summary);
    Err(Failure::new(format!("{certain} possible secrets found"))
        .hint("revoke what is real; a line that is none takes the comment trufflehog:ignore"))
}

/// `--include-paths` and `--exclude-paths` of `extra_args`: files of regular expressions.
struct PathFilter {
    include: Vec<Regex>,
    exclude: Vec<Regex>,
}

impl PathFilter {
    fn read(step: &Step, folder: &std::path::Path) -> Result<PathFilter, Failure> {
        let mut filter = PathFilter { include: Vec::new(), exclude: Vec::new() };
        let text = step.input("extra_args");
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            match name {
                "-i" | "--include-paths" => {
                    let file = value.or_else(|| words.next()).unwrap_or_default();
                    filter.include = expressions(&folder.join(file))?;
                }
                "-x" | "--exclude-paths" => {
                    let file = value.or_else(|| words.next()).unwrap_or_default();
                    filter.exclude = expressions(&folder.join(file))?;
                }
                "--only-verified" | "--results" => {
                    if value.is_none() && name == "--results" {
                        words.next();
                    }
                    step.not_enforced(
                        "extra_args",
                        &format!(
                            "{name}: nothing is verified, every text of a token's form counts"
                        ),
                    );
                }
                // What the answer looks like; it is the same here.
                "--fail" | "--no-update" | "--github-actions" | "--debug" | "--no-verification" => {
                }
                _ => step.not_enforced(
                    "extra_args",
                    &format!("`{name}` has no meaning for our own scan"),
                ),
            }
        }
        Ok(filter)
    }

    fn takes(&self, file: &str) -> bool {
        let included = self.include.is_empty() || self.include.iter().any(|it| it.is_match(file));
        included && !self.exclude.iter().any(|it| it.is_match(file))
    }
}

fn expressions(file: &std::path::Path) -> Result<Vec<Regex>, Failure> {
    let text = fs::read_to_string(file).map_err(failed_at("read", file))?;
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            Regex::new(line).map_err(|error| {
                Failure::new(format!("{}: `{line}` is not understood: {error}", file.display()))
            })
        })
        .collect()
}
