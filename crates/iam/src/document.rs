//! A policy that somebody wrote, read as forgivingly as AWS reads it.

use serde_json::Value as Json;

/// The statements of a document; one alone need not be a list.
pub(crate) fn statements(document: &Json) -> Vec<&Json> {
    match &document["Statement"] {
        Json::Array(all) => all.iter().collect(),
        Json::Null => Vec::new(),
        one => vec![one],
    }
}

/// Texts, of which one alone need not be a list.
pub(crate) fn texts(value: &Json) -> Vec<&str> {
    match value {
        Json::Array(all) => all.iter().filter_map(Json::as_str).collect(),
        Json::String(one) => vec![one],
        _ => Vec::new(),
    }
}

/// A condition of a statement.
pub(crate) struct Written<'a> {
    /// `StringLike`, without what stands before and behind it.
    pub(crate) operator: &'a str,
    pub(crate) key: &'a str,
    pub(crate) values: Vec<&'a str>,
    /// True where the token does not say it.
    pub(crate) if_exists: bool,
    /// `ForAllValues:`, which is true of nothing.
    pub(crate) for_all: bool,
}

pub(crate) fn conditions(statement: &Json) -> Vec<Written<'_>> {
    let mut all = Vec::new();
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        let (for_all, rest) = match operator.split_once(':') {
            Some((set, rest)) => (set.eq_ignore_ascii_case("ForAllValues"), rest),
            None => (false, operator.as_str()),
        };
        let (operator, if_exists) = match rest.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (rest, false),
        };
        for (key, values) in keys.as_object().into_iter().flatten() {
            let values = match values {
                Json::Bool(true) => vec!["true"],
                Json::Bool(false) => vec!["false"],
                other => texts(other),
            };
            all.push(Written { operator, key, values, if_exists, for_all });
        }
    }
    all
}

/// `*` is any number of characters, `?` is one.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star stands, and how far it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(it) if *it == b'?' || *it == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((stood, reached)) = star else { return false };
                star = Some((stood, reached + 1));
                at = stood + 1;
                seen = reached + 1;
            }
        }
    }
    pattern[at..].iter().all(|it| *it == b'*')
}

/// Actions are alike in any letters.
pub(crate) fn does(statement: &Json, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let listed =
        |value: &Json| texts(value).iter().any(|it| fits(&it.to_ascii_lowercase(), &action));
    match statement.get("NotAction") {
        Some(but) => !listed(but),
        None => listed(&statement["Action"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("repo:a/b:*", "repo:a/b:ref:x", true),
            ("repo:a/b:*", "repo:a/bc:ref", false),
            ("*:environment:*", "repo:a/b:environment:x", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("A", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
