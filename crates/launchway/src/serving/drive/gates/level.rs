//! What the level of an environment means to jobs of a server: none, those that a person starts, or any.
//!
//! A level holds where somebody wrote one, or rules, whose default is 4. Where neither stands, nothing says more than
//! that whoever connected the repository agreed to the environment, and jobs run there as they come.

use event::{GateDemand, JobGate, RunRequest};
use settings::{Environment, Origin};

use super::forbidden;
use crate::deploying::gates::{LEVEL_ALONE, LEVEL_BY_HAND};
use crate::exit::Failure;

/// By which ways somebody comes who starts something here.
const BY_HAND: [&str; 2] = ["page", "api"];

/// The level that holds, of all that say something of an environment; none where nobody wrote any.
pub(super) fn holds<'e>(all: impl IntoIterator<Item = &'e Environment>) -> Option<u32> {
    let says = |it: &&Environment| it.level.origin == Origin::Written || !it.protect.is_empty();
    all.into_iter().filter(says).map(|it| it.level.value).min()
}

/// The level that holds, where it lets jobs in. Nobody can tell of a job that it only looks.
///
/// # Errors
/// Where nothing is deployed.
pub(super) fn allowed<'e>(
    all: impl IntoIterator<Item = &'e Environment>,
    name: &str,
) -> Result<Option<u32>, Failure> {
    let holds = holds(all);
    let Some(level) = holds.filter(|level| *level < LEVEL_BY_HAND) else { return Ok(holds) };
    Err(forbidden(format!(
        "{name} has the level {level}: no job runs there; with `level: {LEVEL_BY_HAND}` those do that a person starts, with `level: {LEVEL_ALONE}` all"
    )))
}

/// Asks for a person who starts it, where the level wants one and nobody is asked already.
pub(super) fn ask(level: Option<u32>, request: &RunRequest, demands: &mut Vec<GateDemand>) {
    let wants_person = level.is_some_and(|level| level < LEVEL_ALONE);
    if wants_person && !is_started_by_hand(request) && !demands.iter().any(asks_somebody) {
        demands.push(GateDemand::Start);
    }
}

/// A gate that asks for nothing yet, and for that person where the level wants one.
pub(super) fn before(mut gate: JobGate, level: Option<u32>, request: &RunRequest) -> JobGate {
    ask(level, request, &mut gate.demands);
    gate
}

fn asks_somebody(demand: &GateDemand) -> bool {
    match demand {
        GateDemand::Approval { count, .. } => *count > 0,
        GateDemand::Confirm { .. } | GateDemand::Start => true,
        GateDemand::Wait { .. } => false,
    }
}

/// Whether a person dispatched it here who may deploy, for nobody else's dispatch is taken. Who runs it again need
/// not be allowed to, and is asked as everybody; so is whom a program's dispatch comes to.
fn is_started_by_hand(request: &RunRequest) -> bool {
    let is_by_hand = request.asked.as_ref().is_some_and(|it| BY_HAND.contains(&&*it.source));
    &*request.event.name == "workflow_dispatch"
        && request.attempt.0 == 1
        && is_by_hand
        && !server::is_of_machine(&request.actor)
}

/// Why no job runs there at all.
pub(super) fn low(environment: &Environment) -> Option<String> {
    let is_low = holds([environment]).is_some_and(|level| level < LEVEL_BY_HAND);
    is_low.then(|| format!("No job runs there: its level is below {LEVEL_BY_HAND}."))
}

/// Who starts its jobs.
pub(super) fn sentence(environment: &Environment) -> Option<String> {
    let level = holds([environment])?;
    let protect = &environment.protect;
    let is_asked =
        protect.confirm.is_some() || protect.reviewers.iter().any(|it| it.count.value > 0);
    let wants_person = level == LEVEL_BY_HAND && !is_asked;
    wants_person.then(|| {
        "A person starts each job: by a dispatch, or at its gate where it comes of something else.".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;
    use syntax::Source;

    use super::*;

    fn environment(body: &str) -> Environment {
        let text = format!(
            "version: 1\nproject: app\ngroups: {{ ops: [kim] }}\nenvironments:\n  production: {{ url: 'https://app.example', {body} }}\n"
        );
        let (settings, found) = settings::read(&Source::new(settings::FILE, text));
        settings.unwrap_or_else(|| panic!("{found:?}")).environments.remove(0)
    }

    fn request(event: &str, attempt: u32, source: &str) -> RunRequest {
        let request = json!({ "run": 7, "attempt": attempt, "run_number": 7, "carried": [],
            "repository": "octo/app", "repository_path": "/srv/app.git",
            "workflow": { "path": "ci.yml", "text": "" }, "called": {}, "title": "Tidy",
            "event": { "name": event, "git_ref": "refs/heads/main", "payload": {} },
            "change": { "commit": "0123", "authored_at": 1, "committed_at": 2, "uncommitted": 0 },
            "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona",
            "asked": { "proof": "token", "source": source }, "at": 60_000 });
        serde_json::from_value(request).expect("a request")
    }

    /// Environments as they are written, and what they make of a job that somebody asked for like this.
    fn check(all: &[&str], (event, attempt, source): (&str, u32, &str), expect: &Expect) {
        let all: Vec<Environment> = all.iter().map(|it| environment(it)).collect();
        let request = request(event, attempt, source);
        let level = holds(&all);
        let mut demands = Vec::new();
        for it in &all {
            demands.extend(it.protect.reviewers.iter().map(|it| GateDemand::Approval {
                group: "ops".into(),
                count: it.count.value,
                members: vec!["kim".into()],
            }));
            demands.extend(
                it.protect
                    .confirm
                    .iter()
                    .map(|it| GateDemand::Confirm { word: std::sync::Arc::clone(&it.value) }),
            );
        }
        ask(level, &request, &mut demands);
        let keys: Vec<String> = demands.iter().map(|it| it.key().to_string()).collect();
        let said = match allowed(&all, "production") {
            Ok(level) => format!("{level:?}: {}", keys.join(", ")),
            Err(failure) => format!("{:#}", failure.error),
        };
        expect.assert_eq(&said);
    }

    const PUSH: (&str, u32, &str) = ("push", 1, "git");

    #[test]
    fn a_level_that_is_written_or_rules_ask_for_a_person() {
        check(&[""], PUSH, &expect!["None: "]);
        check(&["level: 4"], PUSH, &expect!["Some(4): start"]);
        check(&["protect: { wait: 1s, branches: [main] }"], PUSH, &expect!["Some(4): start"]);
        check(&["level: 5"], PUSH, &expect!["Some(5): "]);
        check(&["level: 5, protect: { wait: 1s }"], PUSH, &expect!["Some(5): "]);
        check(
            &["level: 3, protect: { wait: 1s }"],
            PUSH,
            &expect![
                "production has the level 3: no job runs there; with `level: 4` those do that a person starts, with `level: 5` all"
            ],
        );
        check(
            &["level: 0"],
            PUSH,
            &expect![
                "production has the level 0: no job runs there; with `level: 4` those do that a person starts, with `level: 5` all"
            ],
        );
        // Of several the lowest.
        check(&["level: 5", "level: 4"], PUSH, &expect!["Some(4): start"]);
        check(&["level: 5", ""], PUSH, &expect!["Some(5): "]);
        check(
            &["level: 4", "level: 2"],
            PUSH,
            &expect![
                "production has the level 2: no job runs there; with `level: 4` those do that a person starts, with `level: 5` all"
            ],
        );
    }

    #[test]
    fn nobody_is_asked_twice() {
        check(&["protect: { reviewers: { ops: 1 } }"], PUSH, &expect!["Some(4): approval/ops"]);
        check(&["protect: { confirm: DEPLOY }"], PUSH, &expect!["Some(4): confirm"]);
    }

    #[test]
    fn who_dispatched_it_here_has_started_it() {
        let four = &["level: 4"];
        check(four, ("workflow_dispatch", 1, "page"), &expect!["Some(4): "]);
        check(four, ("workflow_dispatch", 1, "api"), &expect!["Some(4): "]);
        check(four, ("workflow_dispatch", 2, "api"), &expect!["Some(4): start"]);
        let mut program = request("workflow_dispatch", 1, "api");
        program.actor = "machine:nightly".into();
        assert!(!is_started_by_hand(&program));
        check(four, ("workflow_dispatch", 1, "github"), &expect!["Some(4): start"]);
        check(four, ("push", 2, "page"), &expect!["Some(4): start"]);
        check(four, ("schedule", 1, "clock"), &expect!["Some(4): start"]);
        check(four, ("workflow_run", 1, "git"), &expect!["Some(4): start"]);
        check(
            &["level: 3"],
            ("workflow_dispatch", 1, "page"),
            &expect![
                "production has the level 3: no job runs there; with `level: 4` those do that a person starts, with `level: 5` all"
            ],
        );
    }
}
