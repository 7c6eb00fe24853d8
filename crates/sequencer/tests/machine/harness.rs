//! Runs a job's machine with scripted ends: no process, no disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use event::Conclusion;
use expr::{Object, Value};
use sequencer::{
    Action, ActionHome, Deed, DeedBody, Effects, Exit, Input, JobEnd, Next, Owed, Plan, Program,
    State, StepNews, World, decide, evolve, pending,
};
use workflow::JobBody;

/// What the machine asks of the disk: the patterns back, so that a test sees the question.
pub(crate) struct NoDisk;

impl World for NoDisk {
    fn hash_files(&self, patterns: &[String]) -> Result<String, String> {
        Ok(format!("hash of {}", patterns.join(" ")))
    }
}

/// A plan from the YAML of one job and of the actions it uses.
pub(crate) fn plan(job: &str, actions: &[(&str, &str)]) -> Plan {
    let text = format!("on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n{job}");
    let source = syntax::Source::new("ci.yml", text);
    let (read, diagnostics) = workflow::read(&source);
    let wrong: Vec<&str> = diagnostics.iter().map(|it| it.message.as_str()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let job = read.expect("nothing was wrong with it").jobs.remove(0);
    let JobBody::Steps(job) = job.body else { panic!("a job with steps") };
    let github: Object =
        [("repository", "octo/demo"), ("sha", "abc"), ("workspace", "/w")].into_iter().collect();
    let runner: Object = [("os", "Linux"), ("temp", "/t")].into_iter().collect();
    let secrets: Object = [("TOKEN", "s3cr3t")].into_iter().collect();
    Plan {
        job: *job,
        workflow_env: None,
        workflow_defaults: None,
        contexts: BTreeMap::from([
            ("github".to_owned(), Value::from(github)),
            ("runner".to_owned(), Value::from(runner)),
            ("secrets".to_owned(), Value::from(secrets)),
        ]),
        services: Value::Null,
        container: Value::from(expr::Object::new()),
        actions: actions
            .iter()
            .map(|(name, yaml)| (Arc::from(*name), action(name, yaml)))
            .collect(),
        hooks: sequencer::Hooks::default(),
        file_commands: "/f".to_owned(),
    }
}

/// An action from its YAML, in a folder of its name.
pub(crate) fn action(name: &str, yaml: &str) -> Action {
    let source = syntax::Source::new(name, yaml);
    let (manifest, diagnostics) = workflow::read_action(&source);
    let wrong: Vec<&str> = diagnostics.iter().map(|it| it.message.as_str()).collect();
    let repository = name.split('@').next().filter(|_| !name.starts_with('.'));
    Action {
        manifest: Arc::new(manifest.unwrap_or_else(|| panic!("{wrong:?}"))),
        home: ActionHome::Folder(Arc::from(format!("/a/{name}"))),
        repository: repository.map(Arc::from),
        reference: name.split('@').nth(1).map(Arc::from),
    }
}

/// How a test answers deeds.
pub(crate) struct Script<'a> {
    /// By step key: how it ends. The others succeed.
    pub(crate) ends: &'a [(&'a str, Exit, Effects)],
    /// The job is cancelled when this step runs.
    pub(crate) cancel_at: Option<&'a str>,
    /// Local actions, by path.
    pub(crate) local: &'a [(&'a str, &'a str)],
    /// Which of several deeds that are owed ends first.
    pub(crate) first: &'a dyn Fn(&[Owed]) -> usize,
}

/// Nothing fails, nothing is cancelled, and the job's own steps end before those beside them.
pub(crate) const ALL_WELL: Script<'_> =
    Script { ends: &[], cancel_at: None, local: &[], first: &own_first };

/// The job's own steps end before those in the background.
pub(crate) fn own_first(owed: &[Owed]) -> usize {
    owed.len() - 1
}

/// Steps in the background end before the job's own.
pub(crate) fn aside_first(_: &[Owed]) -> usize {
    0
}

/// What came of a job: a line for each thing that happened, and its end.
pub(crate) fn play(plan: &Plan, script: &Script<'_>) -> (String, JobEnd) {
    let mut state = State::new();
    let mut told = String::new();
    let mut turns = 0;
    let mut started = BTreeSet::new();
    loop {
        turns += 1;
        assert!(turns < 10_000, "the machine does not come to an end:\n{told}");
        let input = match pending(&state) {
            Next::Begin => Input::Begin,
            Next::Advance => Input::Advance,
            Next::Done(end) => return (told, end),
            Next::Do(owed) => {
                assert!(!owed.is_empty(), "nothing is owed and nothing goes on:\n{told}");
                for it in &owed {
                    let is_reading = matches!(it.deed.body, DeedBody::ReadAction { .. });
                    if started.insert(it.deed.number) && !is_reading {
                        let _ = writeln!(told, "do {}: {}", it.deed.key, show(&it.deed));
                    }
                }
                let at = |it: &Owed| script.cancel_at == Some(it.deed.key.as_str());
                if !state.is_cancelled() && owed.iter().any(at) {
                    feed(&mut state, plan, Input::Cancelled, &mut told);
                    told.push_str("cancelled\n");
                    for it in &owed {
                        let number = it.deed.number;
                        if sequencer::survives_cancel(&state, plan, &NoDisk, number) {
                            told.push_str("runs on\n");
                        } else {
                            feed(&mut state, plan, ended(number, Exit::Cancelled), &mut told);
                        }
                    }
                    continue;
                }
                let it = &owed[(script.first)(&owed)];
                if it.is_unwanted {
                    ended(it.deed.number, Exit::Cancelled)
                } else {
                    answer(&it.deed, script)
                }
            }
        };
        feed(&mut state, plan, input, &mut told);
    }
}

fn ended(deed: u64, exit: Exit) -> Input {
    Input::Ended { deed, exit, effects: Box::default() }
}

fn answer(deed: &Deed, script: &Script<'_>) -> Input {
    let number = deed.number;
    if let DeedBody::ReadAction { uses } = &deed.body {
        let found = script.local.iter().find(|(name, _)| name == uses);
        let read = match found {
            Some((name, yaml)) => Ok(BTreeMap::from([(Arc::from(*name), action(name, yaml))])),
            None => Err(format!("no action at {uses}")),
        };
        return Input::ActionRead { deed: number, read };
    }
    let end = script.ends.iter().find(|(key, _, _)| *key == deed.key.as_str());
    match end {
        Some((_, exit, effects)) => {
            Input::Ended { deed: number, exit: exit.clone(), effects: Box::new(effects.clone()) }
        }
        None => ended(number, Exit::Code(0)),
    }
}

/// What is done, and with which environment of the user's, inputs and state.
fn show(deed: &Deed) -> String {
    let mut text = match &deed.body {
        DeedBody::Script { shell, script, directory } => {
            let directory = directory.as_ref().map(|it| format!(" in {it}")).unwrap_or_default();
            format!("{}{directory} | {}", shell.line, script.trim_end())
        }
        DeedBody::Action { stage, program: Program::Node { file, version } } => {
            format!("{} node{version} {file}", stage.as_str())
        }
        DeedBody::Action { stage, program: Program::Native { name } } => {
            format!("{} native {name}", stage.as_str())
        }
        DeedBody::ReadAction { uses } => format!("read {uses}"),
    };
    for (name, value) in &deed.env {
        let is_ours = ["GITHUB_", "RUNNER_"].iter().any(|prefix| name.starts_with(prefix));
        if !is_ours && name != "CI" {
            let _ = write!(text, " {name}={value}");
        }
    }
    if !deed.path.is_empty() {
        let _ = write!(text, " PATH={}", deed.path.join(":"));
    }
    text
}

pub(crate) fn feed(state: &mut State, plan: &Plan, input: Input, told: &mut String) {
    for fact in decide(state, plan, &NoDisk, input) {
        match fact.step() {
            Some(StepNews::Began { key, name, is_background }) => {
                let aside = if is_background { " (background)" } else { "" };
                let _ = writeln!(told, "{key}: {name}{aside}");
            }
            Some(StepNews::Said { key, line }) => drop(writeln!(told, "{key} says {line}")),
            Some(StepNews::Entered { key, .. }) => drop(writeln!(told, "{key} {{")),
            Some(StepNews::Noted { level, message, .. }) => {
                let _ = writeln!(told, "{level:?}: {message}");
            }
            Some(StepNews::Ended(ended)) => {
                let conclusion = if ended.outcome == ended.conclusion {
                    String::new()
                } else {
                    format!(" -> {}", ended.conclusion)
                };
                let _ = writeln!(told, "{}: {}{conclusion}", ended.key, ended.outcome);
            }
            None => {}
        }
        evolve(state, fact);
    }
}

/// The job's end in one line.
pub(crate) fn show_end(end: &JobEnd) -> String {
    let mut text = format!("job: {}", Conclusion::as_str(end.conclusion));
    for (name, value) in &end.outputs {
        let _ = write!(text, " {name}={value}");
    }
    if let Some(url) = &end.environment_url {
        let _ = write!(text, " at {url}");
    }
    text
}
