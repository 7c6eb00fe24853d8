//! Commands that are run once: whoever asks, however often, and whoever is killed.

use crate::house::{House, Plan};
use event::{CauseCode, EvidenceKind, PlannedStep, Way};
use ports::Progress;
use serde_json::json;

struct Task {
    house: House,
    plan: Plan,
    step: PlannedStep,
    ran: std::path::PathBuf,
}

impl Task {
    /// A shell's script; `$1` is a file that it can write to.
    fn new(script: &str, within_ms: u64) -> Task {
        let house = House::new(json!({}));
        let plan = house.plan(1, house.request("1.0", &[]));
        let ran = house.folder().path().join("ran");
        let text = ran.display().to_string();
        let step = house.task(&["sh", "-c", script, "task", &text], within_ms);
        Task { house, plan, step, ran }
    }

    fn run(&self) -> Progress {
        self.house.step(&self.plan, &self.step, Way::Forward)
    }

    fn ran(&self) -> String {
        std::fs::read_to_string(&self.ran).unwrap_or_default()
    }
}

#[test]
fn a_migration_runs_once_in_the_new_release_with_its_variables() {
    let script =
        "echo $LAUNCHWAY_RELEASE $(cat version) $GREETING $PASSWORD $LAUNCHWAY_SERVICE >> $1";
    let task = Task::new(script, 60_000);
    assert_eq!(task.run(), Progress::Done { effect: json!({ "exit_code": 0 }) });
    assert_eq!(task.run(), Progress::Done { effect: json!({ "exit_code": 0 }) });
    assert_eq!(task.ran(), "1.0 1.0 hello hunter22 api\n");
}

#[test]
fn one_that_fails_is_told_with_its_last_words_and_not_repeated() {
    let task = Task::new("echo ran >> $1; echo no table, says $PASSWORD; exit 4", 60_000);
    for _ in 0..2 {
        let Progress::Failed(cause) = task.run() else { panic!("it fails") };
        assert_eq!(cause.code, CauseCode::MigrationFailed);
        assert_eq!(cause.message.as_str(), "the command ended with exit code 4");
        let evidence: Vec<(EvidenceKind, &str)> =
            cause.evidence.iter().map(|it| (it.kind, it.text.as_str())).collect();
        let log = (EvidenceKind::Log, "no table, says ***");
        assert_eq!(evidence, [log, (EvidenceKind::Exit, "exit code 4")]);
    }
    assert_eq!(task.ran(), "ran\n");
}

#[test]
fn one_that_is_not_there_is_told() {
    let mut task = Task::new("", 60_000);
    task.step.body = json!({ "run": ["no-such-program"] });
    let Progress::Failed(cause) = task.run() else { panic!("it fails") };
    let why = "`no-such-program` is neither in the release nor on the PATH";
    assert_eq!(cause.message.as_str(), format!("the command could not be started: {why}"));
}

#[test]
fn one_that_takes_too_long_is_ended_with_all_it_started() {
    let task = Task::new("echo ran >> $1; sleep 600 & sleep 600", 300);
    let Progress::Failed(cause) = task.run() else { panic!("it fails") };
    let message = cause.message.as_str();
    assert_eq!(message, "the command was ended when its time was over with signal 15");
    task.house.until("nothing is left", || task.house.processes("sleep").is_empty());
}

#[test]
fn one_whose_runner_was_killed_is_unknown_and_never_run_again() {
    let task = Task::new("echo ran >> $1; while :; do sleep 0.05; done", 60_000);
    let mut killed = false;
    let end = task.house.step_watched(&task.plan, &task.step, Way::Forward, &mut |_| {
        if !killed && task.ran() == "ran\n" {
            task.house.kill("supervise --task");
            killed = true;
        }
    });
    let Progress::Failed(cause) = end else { panic!("{end:?}") };
    assert!(cause.message.as_str().starts_with("nobody knows how the command ended"), "{cause:?}");
    assert!(matches!(task.run(), Progress::Failed(_)));
    assert_eq!(task.ran(), "ran\n");
}
