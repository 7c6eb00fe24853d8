//! What somebody asks for in an address: runs by the same words on the page and in the API; and no word of an operation
//! that it does not know.

use axum::extract::Query;
use axum::http::Uri;
use event::StreamId;
use serde::Deserialize;
use views::{RunFilter, RunState};

use crate::problem::Problem;
use crate::words::{parse_run, percent};

/// Of a name that is shown again.
const NAME_CHARS_MAX: usize = 60;

/// Which runs, and which part of their list. What a form left empty is not asked about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AskedRuns {
    pub(crate) before: Option<String>,
    pub(crate) repository: String,
    pub(crate) workflow: String,
    pub(crate) branch: String,
    pub(crate) status: String,
    pub(crate) actor: String,
    pub(crate) event: String,
    pub(crate) limit: Option<usize>,
}

impl AskedRuns {
    /// `12.1` as a stream.
    pub(crate) fn before(&self) -> Result<Option<StreamId>, Problem> {
        let Some(text) = &self.before else { return Ok(None) };
        match parse_run(text) {
            Some((run, Some(attempt))) => Ok(Some(StreamId::Run(run, attempt))),
            _ => Err(Problem::bad("`before` is a run with its attempt, such as 12.1.")),
        }
    }

    /// Which runs.
    pub(crate) fn filter(&self) -> Result<RunFilter, Problem> {
        let some = |text: &String| Some(text.trim().to_owned()).filter(|it| !it.is_empty());
        let state = some(&self.status);
        let state = state.map(|it| RunState::of(&it).ok_or_else(not_a_state)).transpose()?;
        Ok(RunFilter {
            repository: some(&self.repository),
            workflow: some(&self.workflow),
            branch: some(&self.branch),
            state,
            actor: some(&self.actor),
            event: some(&self.event),
        })
    }

    /// The same for an address, without which part: every word with a sign before it.
    pub(crate) fn query(&self) -> String {
        let words = [
            ("repository", &self.repository),
            ("workflow", &self.workflow),
            ("branch", &self.branch),
            ("status", &self.status),
            ("actor", &self.actor),
            ("event", &self.event),
        ];
        let word = |(name, value): (&str, &String)| format!("&{name}={}", percent(value.trim()));
        words.into_iter().filter(|(_, value)| !value.trim().is_empty()).map(word).collect()
    }
}

fn not_a_state() -> Problem {
    let words: Vec<&str> = RunState::ALL.iter().map(|it| it.as_str()).collect();
    Problem::bad(format!("`status` is one of {}.", words.join(", ")))
}

/// An operation's name, and what it knows: name, type, what for.
type Operation = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

/// Refuses what is asked by a name that the operation does not know: a filter that is passed over gives a list that says
/// something else than it seems to.
pub(crate) fn known(uri: &Uri, (id, query): Operation) -> Result<(), Problem> {
    let Ok(Query(asked)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return Err(Problem::bad("The query is no list of names and values."));
    };
    let is_known = |name: &str| query.iter().any(|it| it.0 == name);
    let Some((name, _)) = asked.iter().find(|(name, _)| !is_known(name)) else { return Ok(()) };
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    let all: Vec<String> = query.iter().map(|it| format!("`{}`", it.0)).collect();
    let knows = match all.as_slice() {
        [] => "it takes none".to_owned(),
        all => format!("it knows {}", all.join(", ")),
    };
    Err(Problem::bad(format!("`{name}` is no parameter of {id}: {knows}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_an_operation_does_not_know_is_refused_by_name() {
        let check = |query: &str, expect: &str| {
            let known_here = &[("before", "string", ""), ("limit", "integer", "")];
            let said = known(&format!("/x{query}").parse().unwrap(), ("listRuns", known_here));
            assert_eq!(said.err().map(|it| it.detail).unwrap_or_default(), expect, "{query}");
        };
        check("", "");
        check("?", "");
        check("?limit=3&before=12.1", "");
        check("?Limit=3", "`Limit` is no parameter of listRuns: it knows `before`, `limit`.");
        check(
            "?%6cimit=3&bran%63h=x",
            "`branch` is no parameter of listRuns: it knows `before`, `limit`.",
        );
        let none = known(&"/x?a=b".parse().unwrap(), ("showRun", &[])).unwrap_err();
        assert_eq!(none.detail, "`a` is no parameter of showRun: it takes none.");
    }

    #[test]
    fn an_address_says_which_runs() {
        let asked = |query: &str| {
            Query::<AskedRuns>::try_from_uri(&format!("/runs{query}").parse().unwrap()).unwrap().0
        };
        let all = asked("?workflow=&branch=+&status=&actor=&event=");
        assert!(all.filter().unwrap().is_empty() && all.query().is_empty());
        let some = asked("?branch=a%2Fb&status=timed_out&before=12.1");
        assert_eq!(some.query(), "&branch=a%2Fb&status=timed_out");
        assert_eq!(some.filter().unwrap().state.map(RunState::as_str), Some("timed_out"));
        let wrong = asked("?status=failed").filter().unwrap_err().detail;
        assert!(wrong.contains("one of queued, waiting, in_progress") && wrong.contains("failure"));
    }
}
