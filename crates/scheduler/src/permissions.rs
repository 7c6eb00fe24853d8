//! What a job's token may do (conformance 110, 122).

use std::collections::BTreeMap;

use workflow::{Access, Grants, Job, Workflow};

/// Scope to access; what is not listed is none.
pub(crate) type Permissions = BTreeMap<String, String>;

/// Every scope with the most and the least that `write-all` and `read-all` give in it.
const SCOPES: &[(&str, Access, Access)] = &[
    ("actions", Access::Write, Access::Read),
    ("artifact-metadata", Access::Write, Access::Read),
    ("attestations", Access::Write, Access::Read),
    ("checks", Access::Write, Access::Read),
    ("code-quality", Access::Write, Access::Read),
    ("contents", Access::Write, Access::Read),
    ("copilot-requests", Access::Write, Access::None),
    ("deployments", Access::Write, Access::Read),
    ("discussions", Access::Write, Access::Read),
    ("drives", Access::Write, Access::Read),
    ("id-token", Access::Write, Access::None),
    ("issues", Access::Write, Access::Read),
    ("models", Access::Read, Access::Read),
    ("packages", Access::Write, Access::Read),
    ("pages", Access::Write, Access::Read),
    ("pull-requests", Access::Write, Access::Read),
    ("repository-projects", Access::Write, Access::Read),
    ("security-events", Access::Write, Access::Read),
    ("statuses", Access::Write, Access::Read),
    ("vulnerability-alerts", Access::Read, Access::Read),
];

/// What a token may do where no file says anything: GitHub's setting for new repositories.
const UNWRITTEN: &[(&str, Access)] = &[("contents", Access::Read), ("packages", Access::Read)];

/// A called workflow asks for more than its caller may give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) scope: String,
    pub(crate) wanted: String,
    pub(crate) granted: String,
}

/// Permissions that write nothing and sign in nowhere.
pub(crate) fn reading(mut permissions: Permissions) -> Permissions {
    permissions.remove("id-token");
    permissions.values_mut().filter(|it| **it == "write").for_each(|it| *it = "read".to_owned());
    permissions
}

/// The permissions of a job: its own, else its workflow's, else the default. Inside a called
/// workflow the caller's are the default and the most there can be (conformance 122).
pub(crate) fn of_job(
    workflow: &Workflow,
    job: &Job,
    caller: Option<&Permissions>,
) -> Result<Permissions, Excess> {
    let written = job.permissions.as_ref().or(workflow.permissions.as_ref());
    let Some(written) = written else {
        return Ok(caller.cloned().unwrap_or_else(|| listed(UNWRITTEN.iter().copied())));
    };
    let wanted = match &written.grants {
        Grants::ReadAll => listed(SCOPES.iter().map(|(scope, _, read)| (*scope, *read))),
        Grants::WriteAll => listed(SCOPES.iter().map(|(scope, write, _)| (*scope, *write))),
        Grants::Scopes(scopes) => listed(scopes.iter().map(|(scope, it)| (&**scope, *it))),
    };
    let Some(granted) = caller else { return Ok(wanted) };
    for (scope, access) in &wanted {
        let most = granted.get(scope).map_or("none", String::as_str);
        if most != access && most != "write" {
            let (scope, wanted) = (scope.clone(), access.clone());
            return Err(Excess { scope, wanted, granted: most.to_owned() });
        }
    }
    Ok(wanted)
}

fn listed<'a>(scopes: impl Iterator<Item = (&'a str, Access)>) -> Permissions {
    let word = |access| match access {
        Access::None => None,
        Access::Read => Some("read"),
        Access::Write => Some("write"),
    };
    scopes.filter_map(|(scope, it)| Some((scope.to_owned(), word(it)?.to_owned()))).collect()
}
