//! Workflow files, whatever they say: read, checked by every rule, and looked at as planning does.

use std::sync::Arc;

use check::{CheckContext, OF_RULE_MAX, check_node};
use expr::Value;
use syntax::{Diagnostic, Node, Severity, Source, yaml};
use workflow::{
    ChangedFiles, Job, JobBody, Strategy, TriggerEvent, Triggers, Workflow, job_from_json,
    job_to_json, matrix, read_node,
};

use crate::world::World;
use crate::{places, tree};

/// An input is a file.
pub fn check(input: &[u8]) {
    let source = Source::new("input.yml", String::from_utf8_lossy(input).into_owned());
    let (node, yaml_found) = yaml::read(&source);
    let yaml_is_clean = yaml_found.is_empty();
    let (workflow, found) = read_node(&source, node.as_ref(), yaml_found);
    places::diagnostics_in(&source, &found);
    let spans = found.iter().map(|it| it.labels.first().map(|label| label.span));
    assert!(spans.is_sorted(), "findings come in the order of the file");
    let accepted = is_accepted(&found);
    assert!(!accepted || workflow.is_some(), "what is missing is said");
    if let Some(node) = &node {
        check_rules(&source, node);
        if yaml_is_clean {
            check_written_again(node, accepted, workflow.is_some());
        }
    }
    if let Some(workflow) = workflow.filter(|_| accepted) {
        check_accepted(&source, &workflow);
    }
}

fn is_accepted(found: &[Diagnostic]) -> bool {
    !found.iter().any(|it| it.severity == Severity::Error)
}

fn check_rules(source: &Arc<Source>, node: &Node) {
    let found = check_node(source, node, &CheckContext::default());
    places::diagnostics_in(source, &found);
    for rule in check::rule_ids() {
        let of_rule = found.iter().filter(|it| it.rule == rule).count();
        assert!(of_rule <= OF_RULE_MAX, "{rule} found {of_rule}");
    }
    assert!(found.iter().all(|it| check::rule_ids().any(|rule| rule == it.rule)));
}

/// The layout of a file means nothing: written on one line it is accepted or refused as before.
fn check_written_again(node: &Node, accepted: bool, is_some: bool) {
    let Some(text) = tree::write(node).filter(|text| text.len() <= yaml::BYTES_MAX) else { return };
    let (workflow, found) = workflow::read(&Source::new("again.yml", text));
    let errors: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(accepted, is_accepted(&found), "{errors:?}");
    assert_eq!(is_some, workflow.is_some(), "{errors:?}");
}

fn check_accepted(source: &Arc<Source>, workflow: &Workflow) {
    assert!(!workflow.jobs.is_empty(), "a workflow has a job");
    check_triggers(source, &workflow.on);
    for job in &workflow.jobs {
        places::span_in(source, job.id.span);
        for needed in &job.needs {
            places::span_in(source, needed.span);
            let known = |it: &Job| it.id.value.eq_ignore_ascii_case(&needed.value);
            assert!(workflow.jobs.iter().any(known), "a job that is needed is there");
        }
        if let JobBody::Steps(body) = &job.body {
            body.steps.iter().for_each(|step| places::span_in(source, step.span));
        }
        check_matrix(job);
        if !tree::holds_odd_number(&job.node) {
            let (arrived, found) = job_from_json(&job.id.value, &job_to_json(job));
            assert!(arrived.is_some() && is_accepted(&found), "a job arrives as it was sent");
        }
    }
}

/// Every event is answered, and a no says where it stands.
fn check_triggers(source: &Arc<Source>, on: &Triggers) {
    let files = ["src/main.rs".to_owned(), "docs/a b.md".to_owned()];
    for trigger in &on.events {
        let event = TriggerEvent {
            activity: Some("opened"),
            git_ref: Some("refs/heads/main"),
            branch: Some("main"),
            workflow: Some("CI"),
            schedule: Some("0 5 * * *"),
            image: Some(("image", "1.0.0")),
            changed_files: ChangedFiles::Known(&files),
            ..TriggerEvent::named(&trigger.name.value)
        };
        if let workflow::Verdict::Not { reason, span } = on.decide(&event) {
            assert!(!reason.is_empty());
            places::span_in(source, span);
        }
    }
    let unknown = on.decide(&TriggerEvent::named("no event of this name"));
    assert!(matches!(unknown, workflow::Verdict::Not { .. }));
}

fn check_matrix(job: &Job) {
    let Some(Strategy::Written { matrix: Some(written), .. }) = &job.strategy else { return };
    let Ok(value) = written.evaluate(&World::new()) else { return };
    let Ok(legs) = matrix::expand(&value) else { return };
    assert!((1..=matrix::LEGS_MAX).contains(&legs.len()), "{} legs", legs.len());
    for (at, leg) in legs.iter().enumerate() {
        assert_eq!((leg.index, leg.total), (at, legs.len()));
        let name = matrix::leg_name(&job.id.value, leg);
        assert!(name.chars().count() <= matrix::NAME_CHARACTERS_MAX);
        assert!(matches!(leg.matrix, Value::Object(_) | Value::Null));
    }
}
