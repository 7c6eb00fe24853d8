//! The secrets and variables that workflow files name, with where.

mod needed;

pub(crate) use needed::Needed;

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{Expr, Scope, Segment};
use syntax::{Node, NodeKind, Source, Span};

/// A name and the first place that wants it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) source: Arc<Source>,
    pub(crate) span: Span,
}

impl Wanted {
    /// `FILE:LINE`
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.source.name(), self.source.place(self.span.start).line)
    }
}

/// Names that files read, in upper case as GitHub keeps them.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedNames {
    pub(crate) secrets: BTreeMap<String, Wanted>,
    pub(crate) vars: BTreeMap<String, Wanted>,
    /// Each secret with the environment of a job that reads it, as the file writes that; none outside of such
    /// jobs, and where an expression gives the environment.
    pub(crate) in_environments: BTreeMap<(String, Option<String>), Wanted>,
}

/// Where a file is looked at: in a job with which environment.
#[derive(Clone, Copy)]
struct At<'s> {
    source: &'s Arc<Source>,
    environment: Option<&'s str>,
}

impl WantedNames {
    /// Adds what one file names.
    pub(crate) fn look(&mut self, source: &Arc<Source>) {
        let (Some(root), _) = syntax::yaml::read(source) else { return };
        let nowhere = At { source, environment: None };
        let Some(file) = root.as_mapping() else { return self.look_at(nowhere, &root) };
        for entry in &file.entries {
            match entry.value.as_mapping().filter(|_| &*entry.key.text == "jobs") {
                None => self.look_at(nowhere, &entry.value),
                Some(jobs) => {
                    for job in jobs.entries.iter().map(|it| &it.value) {
                        self.look_at(At { source, environment: environment(job) }, job);
                    }
                }
            }
        }
    }

    fn look_at(&mut self, at: At<'_>, node: &Node) {
        match &node.kind {
            NodeKind::String(text, _) => self.look_in_text(at, node.span, text),
            NodeKind::Sequence(items) => items.iter().for_each(|item| self.look_at(at, item)),
            NodeKind::Mapping(mapping) => {
                mapping.entries.iter().for_each(|entry| self.look_at(at, &entry.value));
            }
            _ => {}
        }
    }

    fn look_in_text(&mut self, at: At<'_>, span: Span, text: &str) {
        let mut from = 0;
        while let Some(open) = text[from..].find("${{").map(|at| from + at) {
            let Some(close) = expr::find_close(text, open + 3) else { return };
            if let Ok(expr) = Expr::parse(&text[open + 3..close], &Scope::everything()) {
                self.look_in_expression(at, span, &expr);
            }
            from = close;
        }
    }

    fn look_in_expression(&mut self, at: At<'_>, span: Span, expr: &Expr) {
        for reference in expr.references() {
            let Some(Segment::Name(name)) = reference.segments.first() else { continue };
            let name = name.to_uppercase();
            let wanted = || Wanted { source: Arc::clone(at.source), span };
            match reference.context.as_str() {
                "secrets" => {
                    let place = (name.clone(), at.environment.map(str::to_owned));
                    self.in_environments.entry(place).or_insert_with(wanted);
                    self.secrets.entry(name).or_insert_with(wanted);
                }
                "vars" => drop(self.vars.entry(name).or_insert_with(wanted)),
                _ => {}
            }
        }
    }
}

/// The environment that a job names, where no expression gives it.
fn environment(job: &Node) -> Option<&str> {
    let written = job.as_mapping()?.get("environment")?;
    let name = written.as_str().or_else(|| written.as_mapping()?.get("name")?.as_str())?;
    (!name.is_empty() && !name.contains("${{")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_expressions_stand() {
        let source = Source::new(
            "ci.yml",
            "env:\n  A: ${{ secrets.token }}\njobs:\n  b:\n    steps:\n      - run: echo ${{ vars.REGION }} ${{ secrets['KEY'] }}\n",
        );
        let mut names = WantedNames::default();
        names.look(&source);
        assert_eq!(names.secrets.keys().collect::<Vec<_>>(), ["KEY", "TOKEN"]);
        assert_eq!(names.vars.keys().collect::<Vec<_>>(), ["REGION"]);
        assert_eq!(names.secrets["KEY"].place(), "ci.yml:6");
    }

    #[test]
    fn a_secret_of_a_job_is_of_its_environment() {
        let job = |name: &str, environment: &str| {
            format!(
                "  {name}:\n    environment: {environment}\n    env: {{ X: '${{{{ secrets.{name} }}}}' }}\n"
            )
        };
        let jobs = [
            job("a", "production"),
            job("b", "{ name: staging, url: x }"),
            job("c", "${{ inputs.where }}"),
        ];
        let text = format!("env:\n  X: ${{{{ secrets.a }}}}\njobs:\n{}", jobs.concat());
        let mut names = WantedNames::default();
        names.look(&Source::new("ci.yml", text));
        let said = names.in_environments.keys();
        let said = said.map(|(name, of)| format!("{name} {}", of.as_deref().unwrap_or("-")));
        assert_eq!(said.collect::<Vec<_>>(), ["A -", "A production", "B staging", "C -"]);
    }
}
