//! Which secrets a job sees, and whether it reads any (conformance 120; `design` 8.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{Contexts, Object, StatusFunction, Value};
use workflow::{CallSecrets, Job, JobBody, Workflow};

use crate::contexts::JobContexts;
use crate::definitions::Files;
use crate::plan::Fault;
use crate::state::{NodeId, Run, ScopeId};

/// The one secret that every job has and that dies with it.
const TOKEN: &str = "GITHUB_TOKEN";

/// Whether the job's text, or its workflow's `env`, names a secret other than GITHUB_TOKEN. Looks at
/// the text, so a comment counts too: wrong only to the safe side.
pub(crate) fn are_read(workflow: &Workflow, job: &Job) -> bool {
    let env = workflow.env.as_ref().map_or("", |env| workflow.source.slice(env.span()));
    [workflow.source.slice(job.node.span), env].iter().any(|text| names_secret(text))
}

fn names_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices("secrets").any(|(at, word)| {
        let rest = text[at + word.len()..].trim_start();
        let Some(name) = rest.strip_prefix('.') else { return !rest.starts_with(':') };
        let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-');
        !name.split(ends).next().unwrap_or("").eq_ignore_ascii_case(TOKEN)
    })
}

/// The secrets of the jobs in a scope: the run's in its own file; below, what each calling job passes
/// on. GITHUB_TOKEN always goes along.
pub(crate) fn of_scope(
    run: &Run,
    files: &Files,
    scope: ScopeId,
    all: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Fault> {
    let Some(caller) = run.scope(scope).caller else { return Ok(all.clone()) };
    let above = of_scope(run, files, run.node(caller).scope, all)?;
    let node = run.node(caller);
    let file = run.scope(node.scope).file.as_deref();
    let call = match files.job(file, &node.id).map(|(_, job)| &job.body) {
        Some(JobBody::Call(call)) => call,
        _ => return Ok(BTreeMap::new()),
    };
    let mut passed = match &call.secrets {
        Some(CallSecrets::Inherit) => return Ok(above),
        None => BTreeMap::new(),
        Some(CallSecrets::Map(template)) => {
            let contexts = WithSecrets::new(run, files, caller, &above);
            match template.evaluate(&contexts)? {
                Value::Object(object) => object
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_text().as_ref().to_owned()))
                    .filter(|(_, value)| !value.is_empty())
                    .collect(),
                _ => BTreeMap::new(),
            }
        }
    };
    if let Some(token) = above.get(TOKEN) {
        passed.insert(TOKEN.to_owned(), token.clone());
    }
    Ok(passed)
}

/// A calling job's contexts, and `secrets` (conformance 59).
struct WithSecrets<'r> {
    job: JobContexts<'r>,
    secrets: Value,
}

impl<'r> WithSecrets<'r> {
    fn new(
        run: &'r Run,
        files: &'r Files,
        caller: NodeId,
        secrets: &BTreeMap<String, String>,
    ) -> WithSecrets<'r> {
        let mut job = JobContexts::of_job(run, files, caller);
        job.with_definition(run.node(caller).planned());
        let pairs = secrets.iter().map(|(name, value)| (Arc::from(name.as_str()), value.as_str()));
        let secrets: Object = pairs.collect::<Vec<(Arc<str>, &str)>>().into_iter().collect();
        WithSecrets { job, secrets: secrets.into() }
    }
}

impl Contexts for WithSecrets<'_> {
    fn context(&self, name: &str) -> Option<Value> {
        if name == "secrets" { Some(self.secrets.clone()) } else { self.job.context(name) }
    }

    fn status(&self, function: StatusFunction, names: &[String]) -> Result<bool, String> {
        self.job.status(function, names)
    }
}

#[cfg(test)]
mod tests {
    use super::names_secret;

    #[test]
    fn only_the_token_is_no_secret() {
        assert!(!names_secret("token: ${{ secrets.GITHUB_TOKEN }}"));
        assert!(!names_secret("run: make"));
        assert!(names_secret("${{ secrets.github_token }} ${{ secrets.DEPLOY_KEY }}"));
        assert!(names_secret("${{ secrets.GITHUB_TOKEN_2 }}"));
        assert!(names_secret("${{ secrets['DEPLOY_KEY'] }}"));
        assert!(names_secret("${{ toJSON(secrets) }}"));
    }
}
