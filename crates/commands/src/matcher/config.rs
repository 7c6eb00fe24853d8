//! A problem matcher file.

use std::collections::BTreeSet;

use regress::Regex;
use serde::Deserialize;

use super::guard::guard;

/// A file of problem matchers, checked.
#[derive(Clone, Debug)]
pub struct MatcherFile {
    /// In the order of the file.
    pub matchers: Vec<MatcherConfig>,
}

/// One matcher, checked.
#[derive(Clone, Debug)]
pub struct MatcherConfig {
    pub(super) owner: String,
    pub(super) severity: Option<String>,
    pub(super) from_path: Option<String>,
    pub(super) patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    /// Asked first, where there is one.
    pub(super) guard: Option<regex::Regex>,
    pub(super) groups: Groups,
    pub(super) repeats: bool,
}

/// Which group of a match holds what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Groups {
    pub(super) file: Option<usize>,
    pub(super) line: Option<usize>,
    pub(super) column: Option<usize>,
    pub(super) severity: Option<usize>,
    pub(super) code: Option<usize>,
    pub(super) message: Option<usize>,
    pub(super) from_path: Option<usize>,
}

/// What is wrong with a problem matcher file.
#[derive(Debug, thiserror::Error)]
pub enum MatcherFileError {
    /// It is no JSON, or not of the right form.
    #[error("the file cannot be read as problem matchers")]
    Json(#[from] serde_json::Error),
    /// `owner` is empty or missing.
    #[error("Owner must not be empty")]
    NoOwner,
    /// Two matchers of one owner.
    #[error("Duplicate owner name '{0}'")]
    DuplicateOwner(String),
    /// A severity that is none.
    #[error("Matcher '{owner}' contains unexpected default severity '{severity}'")]
    Severity {
        /// The matcher.
        owner: String,
        /// What it says.
        severity: String,
    },
    /// Nothing to match.
    #[error("Matcher '{0}' does not contain any patterns")]
    NoPatterns(String),
    /// `loop` where it makes no sense.
    #[error("Only the last pattern in a multiline matcher may set 'loop'")]
    LoopNotLast,
    /// `loop` without `message`.
    #[error("The loop pattern must set 'message'")]
    LoopWithoutMessage,
    /// No pattern says which group is the message.
    #[error("At least one pattern must set 'message'")]
    NoMessage,
    /// Two patterns set the same property.
    #[error("The property '{0}' is set twice")]
    SetTwice(&'static str),
    /// There is no such group.
    #[error("The property '{property}' is set to {value} which is out of range")]
    OutOfRange {
        /// The property.
        property: &'static str,
        /// What it says.
        value: i64,
    },
    /// The expression is none.
    #[error("the expression '{pattern}' cannot be read")]
    Expression {
        /// The expression.
        pattern: String,
        /// Why.
        source: regress::Error,
    },
}

#[derive(Deserialize)]
struct RawFile {
    #[serde(rename = "problemMatcher", default)]
    matchers: Option<Vec<RawMatcher>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMatcher {
    owner: Option<String>,
    severity: Option<String>,
    from_path: Option<String>,
    pattern: Option<Vec<RawPattern>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPattern {
    regexp: Option<String>,
    file: Option<i64>,
    line: Option<i64>,
    column: Option<i64>,
    severity: Option<i64>,
    code: Option<i64>,
    message: Option<i64>,
    from_path: Option<i64>,
    #[serde(rename = "loop")]
    repeats: Option<bool>,
}

impl MatcherFile {
    /// Reads and checks a file. One without matchers is no mistake.
    pub fn parse(text: &str) -> Result<MatcherFile, MatcherFileError> {
        let raw: RawFile = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
        let mut owners = BTreeSet::new();
        let mut matchers = Vec::new();
        for raw in raw.matchers.unwrap_or_default() {
            let matcher = MatcherConfig::check(raw)?;
            if !owners.insert(matcher.owner.to_lowercase()) {
                return Err(MatcherFileError::DuplicateOwner(matcher.owner));
            }
            matchers.push(matcher);
        }
        Ok(MatcherFile { matchers })
    }
}

impl MatcherConfig {
    /// Whose matcher it is: a newer one of the same owner takes its place.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    fn check(raw: RawMatcher) -> Result<MatcherConfig, MatcherFileError> {
        let owner = raw.owner.filter(|it| !it.is_empty()).ok_or(MatcherFileError::NoOwner)?;
        let severity = raw.severity.filter(|it| !it.is_empty());
        if let Some(severity) = &severity {
            let known = ["error", "warning", "notice"];
            if !known.iter().any(|it| it.eq_ignore_ascii_case(severity)) {
                let severity = severity.clone();
                return Err(MatcherFileError::Severity { owner, severity });
            }
        }
        let raw_patterns = raw.pattern.unwrap_or_default();
        if raw_patterns.is_empty() {
            return Err(MatcherFileError::NoPatterns(owner));
        }
        let last = raw_patterns.len() - 1;
        let mut set = BTreeSet::new();
        let mut patterns = Vec::new();
        for (index, raw) in raw_patterns.into_iter().enumerate() {
            let repeats = raw.repeats.unwrap_or(false);
            if repeats && (index == 0 || index != last) {
                return Err(MatcherFileError::LoopNotLast);
            }
            if repeats && raw.message.is_none() {
                return Err(MatcherFileError::LoopWithoutMessage);
            }
            patterns.push(Pattern::check(&raw, repeats, &mut set)?);
        }
        if !set.contains("message") {
            return Err(MatcherFileError::NoMessage);
        }
        let from_path = raw.from_path.filter(|it| !it.is_empty());
        Ok(MatcherConfig { owner, severity, from_path, patterns })
    }
}

impl Pattern {
    fn check(
        raw: &RawPattern,
        repeats: bool,
        set: &mut BTreeSet<&'static str>,
    ) -> Result<Pattern, MatcherFileError> {
        let source = raw.regexp.as_deref().unwrap_or_default();
        let expression = |source_error| MatcherFileError::Expression {
            pattern: source.to_owned(),
            source: source_error,
        };
        let regex = Regex::new(source).map_err(expression)?;
        let count = group_count(source).map_err(expression)?;
        let mut group = |property: &'static str, value: Option<i64>| {
            let Some(value) = value else { return Ok(None) };
            if !set.insert(property) {
                return Err(MatcherFileError::SetTwice(property));
            }
            let index = usize::try_from(value).ok().filter(|&index| index < count);
            index.map(Some).ok_or(MatcherFileError::OutOfRange { property, value })
        };
        let groups = Groups {
            file: group("file", raw.file)?,
            line: group("line", raw.line)?,
            column: group("column", raw.column)?,
            severity: group("severity", raw.severity)?,
            code: group("code", raw.code)?,
            message: group("message", raw.message)?,
            from_path: group("fromPath", raw.from_path)?,
        };
        Ok(Pattern { regex, guard: guard(source), groups, repeats })
    }
}

/// How many groups an expression has, the whole match among them. The engine tells only with a
/// match, so the expression gets an alternative that matches the empty text.
fn group_count(source: &str) -> Result<usize, regress::Error> {
    let probe = Regex::new(&format!("(?:{source})|"))?;
    Ok(probe.find("").map_or(1, |found| found.groups().count()))
}
