//! SARIF 2.1.0, as Trivy, Bandit, tfsec, CodeQL, Semgrep and ESLint write it: what a scan found.
//!
//! How bad a finding is stands in three places: at the finding, at its rule, and, of what is about security, as a
//! score of its rule that GitHub made usual (`security-severity`, as CVSS counts). The score wins, then the finding.
//! What an invocation overrides is not read.
//!
//! What a tool says of a finding in words is not kept: a scan for secrets may show the secret there.

mod lenient;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::name;
use crate::sarif::lenient::{First, List, Marks, Node, Scalar};

/// Findings of one file; what stands behind them is left out. GitHub takes as many of one run.
const FINDINGS_MAX: usize = 25_000;
/// Rules of a tool, and of all of its extensions; findings of others are as bad as they say themselves.
const RULES_MAX: usize = 25_000;
/// Folders that one run of a tool looked in.
const BASES_MAX: usize = 100;

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The tools that looked, in their order; a tool that found nothing stands here, too.
    pub tools: Vec<String>,
    /// What they found, in the order in which it stands there.
    pub findings: Vec<Finding>,
    /// The file ended in the middle, or has more findings than are read.
    pub is_cut: bool,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which tool.
    pub tool: String,
    /// Its rule, such as `CVE-2026-1234` or `B105`; empty where it names none.
    pub rule: String,
    /// How bad it is.
    pub level: Level,
    /// The file, from where the tool says that it looked; empty where it names none.
    pub file: String,
    /// The line there.
    pub line: Option<u32>,
    /// What stays the same while lines move, where the tool says such a thing; else empty.
    pub fingerprint: String,
    /// Somebody said in the code, or to the tool, that it is known.
    pub is_suppressed: bool,
}

/// How bad a finding is, in GitHub's words: the first three are of any tool, the others of a security score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Note,
    /// Somebody should look.
    Warning,
    /// It is wrong.
    Error,
    /// A score below 4.
    Low,
    /// Below 7.
    Medium,
    /// Below 9.
    High,
    /// 9 and more.
    Critical,
}

impl Level {
    /// The worst first.
    pub const ALL: [Level; 7] = [
        Level::Critical,
        Level::High,
        Level::Medium,
        Level::Low,
        Level::Error,
        Level::Warning,
        Level::Note,
    ];

    /// As it stands in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// By its word; none where it is none.
    pub fn parse(word: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|it| it.as_str() == word)
    }

    fn of_score(score: f64) -> Option<Level> {
        match score {
            9.0..=10.0 => Some(Level::Critical),
            7.0..9.0 => Some(Level::High),
            4.0..7.0 => Some(Level::Medium),
            _ if score > 0.0 && score < 4.0 => Some(Level::Low),
            _ => None,
        }
    }
}

/// Reads a file; none where it is no SARIF of version 2.
pub(crate) fn read(text: &str) -> Option<Scan> {
    let mut found = Found::default();
    let is_whole = lenient::read(text, &mut found);
    let is_one = found.has_runs && found.version.starts_with("2.");
    found.end_run();
    found.scan.is_cut |= !is_whole;
    is_one.then_some(found.scan)
}

/// What was read until now: a file that ends in the middle gives that.
#[derive(Default)]
struct Found {
    version: String,
    has_runs: bool,
    scan: Scan,
    /// Of the run of a tool that is being read.
    tool: Option<Tool>,
    bases: Bases,
    results: Vec<Outcome>,
    /// Of all runs.
    count: usize,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tool {
    driver: Node<Component>,
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Component {
    name: Scalar,
    rules: List<Node<Rule>>,
}

/// The rules of all of them.
#[derive(Default)]
struct Extensions(List<Node<Rule>>);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Rule {
    id: Scalar,
    default_configuration: Node<Configuration>,
    properties: Node<Score>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Configuration {
    level: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Score {
    security_severity: Scalar,
}

/// What SARIF calls a result.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Outcome {
    rule_id: Scalar,
    rule_index: Scalar,
    rule: Node<Reference>,
    kind: Scalar,
    level: Scalar,
    baseline_state: Scalar,
    locations: First<Node<Place>>,
    partial_fingerprints: Marks,
    fingerprints: Marks,
    suppressions: Suppressions,
    properties: Node<Score>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    id: Scalar,
    index: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Place {
    physical_location: Node<Physical>,
}

/// Folders that the tool looked in.
#[derive(Default)]
struct Bases(Vec<Location>);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Physical {
    artifact_location: Node<Location>,
    region: Node<Region>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Location {
    uri: Scalar,
    uri_base_id: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Region {
    start_line: Scalar,
}

/// Whether there are any, and whether one of them is open: waits for somebody to agree, or nobody did.
#[derive(Default)]
struct Suppressions {
    is_any: bool,
    is_any_open: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Suppression {
    status: Scalar,
}

impl Found {
    fn result(&mut self, result: Outcome) {
        self.count += 1;
        self.results.push(result);
    }

    /// The rules may stand behind the results: what they say counts when the run is over.
    fn end_run(&mut self) {
        let (tool, bases) = (self.tool.take(), std::mem::take(&mut self.bases));
        let results = std::mem::take(&mut self.results);
        if tool.is_none() && results.is_empty() {
            return;
        }
        let tool = tool.unwrap_or_default();
        self.scan.is_cut |= tool.driver.0.rules.is_cut || tool.extensions.0.is_cut;
        let rules = Rules::of(&tool);
        let tool = name(tool.driver.0.name.text());
        if !self.scan.tools.contains(&tool) {
            self.scan.tools.push(tool.clone());
        }
        let of_tool = results.iter().filter_map(|it| finding(&tool, &rules, &bases, it));
        self.scan.findings.extend(of_tool);
    }
}

/// The rules of a tool and its extensions.
struct Rules<'t> {
    by_id: BTreeMap<&'t str, &'t Rule>,
    /// Of the tool itself.
    by_index: Vec<&'t Rule>,
}

impl<'t> Rules<'t> {
    fn of(tool: &'t Tool) -> Rules<'t> {
        let by_index: Vec<&Rule> = tool.driver.0.rules.all.iter().map(|it| &it.0).collect();
        let of_extensions = tool.extensions.0.all.iter().map(|it| &it.0);
        let all = of_extensions.chain(by_index.iter().copied());
        Rules { by_id: all.map(|it| (it.id.text(), it)).collect(), by_index }
    }

    /// The rule of a result, and what it is called.
    fn find(&self, result: &'t Outcome) -> (Option<&'t Rule>, &'t str) {
        let reference = &result.rule.0;
        let ids = [result.rule_id.text(), reference.id.text()];
        let id = ids.into_iter().find(|it| !it.is_empty()).unwrap_or_default();
        if let Some(rule) = self.by_id.get(id).filter(|_| !id.is_empty()) {
            return (Some(rule), id);
        }
        let index = result.rule_index.whole().or(reference.index.whole());
        let rule = index.and_then(|at| self.by_index.get(usize::try_from(at).ok()?)).copied();
        (rule, if id.is_empty() { rule.map_or("", |it| it.id.text()) } else { id })
    }
}

fn finding<'t>(
    tool: &str,
    rules: &Rules<'t>,
    bases: &Bases,
    result: &'t Outcome,
) -> Option<Finding> {
    // It was there in a scan before, and is not in this one.
    if result.baseline_state.text() == "absent" {
        return None;
    }
    let (rule, id) = rules.find(result);
    let level = level(result, rule)?;
    let place = result.locations.0.as_ref().map(|it| &it.0.physical_location.0);
    let line = place.and_then(|it| it.region.0.start_line.whole());
    Some(Finding {
        tool: tool.to_owned(),
        rule: name(id),
        level,
        file: place.map(|it| file(&it.artifact_location.0, bases)).unwrap_or_default(),
        line: line.and_then(|it| u32::try_from(it).ok()),
        fingerprint: fingerprint(result),
        is_suppressed: result.suppressions.is_any && !result.suppressions.is_any_open,
    })
}

/// None where it is no finding: what passed, does not apply, or is only told.
fn level(result: &Outcome, rule: Option<&Rule>) -> Option<Level> {
    let score = |it: &Node<Score>| it.0.security_severity.number().and_then(Level::of_score);
    let is_told = !matches!(result.kind.text(), "" | "fail");
    let own = result.level.text();
    if own == "none" || (is_told && own.is_empty()) {
        return None;
    }
    if let Some(level) =
        score(&result.properties).or_else(|| rule.and_then(|it| score(&it.properties)))
    {
        return Some(level);
    }
    let of_rule = rule.map_or("", |it| it.default_configuration.0.level.text());
    match if own.is_empty() { of_rule } else { own } {
        "none" => None,
        "note" => Some(Level::Note),
        "error" => Some(Level::Error),
        // What the format says where nothing is said.
        _ => Some(Level::Warning),
    }
}

/// Without the folder that the tool looked in, which lies elsewhere each time.
fn file(location: &Location, bases: &Bases) -> String {
    let uri = location.uri.text();
    let bases = bases.0.iter().map(|it| it.uri.text()).filter(|it| it.ends_with('/'));
    let longest = bases.filter(|it| uri.starts_with(it)).map(str::len).max();
    let uri = uri.get(longest.unwrap_or_default()..).unwrap_or(uri);
    name(uri.strip_prefix("./").unwrap_or(uri))
}

/// The one that GitHub goes by, else the first by its name.
fn fingerprint(result: &Outcome) -> String {
    let (partial, whole) = (&result.partial_fingerprints, &result.fingerprints);
    let any = || partial.first.as_ref().or(whole.first.as_ref()).map(|(_, mark)| mark);
    name(partial.of_github.as_ref().or_else(any).map_or("", String::as_str))
}
