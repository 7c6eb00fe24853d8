//! Real processes behind the loop: workers that are shell scripts speaking the protocol.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use driver::{
    Ended, Grown, Home, HomeError, Input, Loop, Observer, Owner, Settings, Shell, Workers,
    become_subreaper, sweep,
};
use event::{
    Attempt, BlobId, Change, EventRef, Fact, JobDefinition, JobKey, RunEvent, RunId, RunRequest,
    Selection, StreamId, Terms, Timestamp, WorkflowFile,
};
use mask::MaskedText;
use ports::{Journal as _, Lease, MemoryJournal};
use protocol::{JobOptions, JobPaths};
use scheduler::Surroundings;
use serde_json::json;

const WORKFLOW: &str = "
on: push
jobs:
  one: { runs-on: ubuntu-latest, steps: [{ run: make }] }
  two: { needs: one, if: always(), runs-on: ubuntu-latest, steps: [{ run: make }] }
";

/// Reads its job, starts, completes.
const GOOD: &str = r#"#!/bin/sh
read -r job
fence=$(printf '%s' "$job" | sed 's/.*"fence":\([0-9]*\).*/\1/')
printf '{"fence":%s,"report":{"type":"Started","pid":%s,"at":%s000}}\n' "$fence" $$ "$(date +%s)" >&0
printf '{"fence":%s,"report":{"type":"Completed","conclusion":"success","exit":"none","outputs":{},"environment_url":null,"at":%s000}}\n' "$fence" "$(date +%s)" >&0
"#;

/// Begins a session, as a worker does (out of a group of a child's, which is always there to join), starts, leaves two processes behind (one of them without its tracking id), and dies.
const DYING: &str = r#"#!/bin/sh
[ "$BEGUN" ] || BEGUN=1 exec perl -MPOSIX -e 'my $child = fork or exit; setpgid($child, $child); setpgid(0, $child); setsid() > 0 or die $!; waitpid $child, 0; exec @ARGV' sh "$0"
read -r job
fence=$(printf '%s' "$job" | sed 's/.*"fence":\([0-9]*\).*/\1/')
printf '{"fence":%s,"report":{"type":"Started","pid":%s,"at":%s000}}\n' "$fence" $$ "$(date +%s)" >&0
sleep 1000 </dev/null >/dev/null 2>&1 &
echo $! >> "$LEFT"
env -i sleep 1000 </dev/null >/dev/null 2>&1 &
echo $! >> "$LEFT"
echo 'it hurts' >&2
kill -9 $$
"#;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("driver-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    /// A program that is this script; what it leaves behind it writes to `left`.
    fn program(&self, script: &str) -> PathBuf {
        let path = self.0.join("worker.sh");
        let script = script.replace("$LEFT", &self.0.join("left").display().to_string());
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Folder(PathBuf);

impl Home for Folder {
    fn surroundings(
        &mut self,
        lease: &Lease,
        _: &RunRequest,
        _: &JobDefinition,
    ) -> Result<Surroundings, HomeError> {
        let text = |path: &Path| Arc::from(path.display().to_string());
        let job = self.0.join(format!("job-{}", lease.fence));
        let other = text(&self.0);
        let paths = JobPaths {
            repository: Arc::clone(&other),
            job: text(&job),
            log: text(&self.0.join("logs").join("log")),
            blobs: Arc::clone(&other),
            actions: Arc::clone(&other),
            caches: Arc::clone(&other),
            tools: Arc::clone(&other),
            downloads: Arc::clone(&other),
            lock_file: other,
        };
        let (secrets, options) = (BTreeMap::new(), JobOptions::default());
        Ok(Surroundings { secrets, paths, options })
    }

    fn keep_log(&mut self, _: &Lease) -> Option<BlobId> {
        None
    }

    fn runner(&self, _: StreamId, _: &JobKey) -> Arc<str> {
        "laptop".into()
    }
}

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Observer for Told {
    fn on_event(&mut self, _: StreamId, event: &RunEvent) {
        let job = event.job().map(|job| format!(" {job}")).unwrap_or_default();
        let more = match event {
            RunEvent::JobLost { reason, .. } => format!(": {reason}"),
            RunEvent::JobCompleted { conclusion, .. }
            | RunEvent::RunCompleted { conclusion, .. } => format!(" {conclusion}"),
            _ => String::new(),
        };
        self.0.lock().unwrap().push(format!("{}{job}{more}", event.kind()));
    }

    fn on_log(&mut self, _: &Lease, _: &Grown) {}
}

fn request() -> RunRequest {
    let text = MaskedText::without_secrets;
    RunRequest {
        run: RunId(1),
        attempt: Attempt(1),
        run_number: 1,
        carried: Vec::new(),
        repository: "octo/planner".into(),
        repository_path: "".into(),
        workflow: WorkflowFile { path: "ci.yml".into(), text: WORKFLOW.into() },
        called: BTreeMap::new(),
        title: text("a title"),
        event: EventRef {
            name: "push".into(),
            git_ref: "refs/heads/main".into(),
            payload: json!({}),
        },
        change: Change {
            commit: "".into(),
            authored_at: Timestamp(0),
            committed_at: Timestamp(0),
            uncommitted: 0,
            snapshot: None,
            store: None,
            branched_at: None,
        },
        concurrency: None,
        selection: Selection::default(),
        terms: Terms::default(),
        inputs: json!(null),
        vars: json!(null),
        secret_names: Vec::new(),
        actor: "octocat".into(),
        triggering_actor: "octocat".into(),
        asked: None,
        at: now(),
    }
}

/// Runs the workflow with workers of this script; says how it ended and what happened.
fn run(scratch: &Scratch, script: &str) -> (Ended, Vec<String>) {
    become_subreaper().unwrap();
    let (sender, receiver) = mpsc::channel();
    let workers = Workers::new(scratch.program(script), sender);
    // Unlike that of any other test: what is known by it is ended.
    let tracking = scratch.0.file_name().unwrap().to_str().unwrap().into();
    let settings = Settings { width: 2, tracking };
    let (home, told) = (Folder(scratch.0.clone()), Told::default());
    let driven = Loop::new(settings, MemoryJournal::new(), workers, home, told.clone());
    let mut shell = Shell::new(driven, receiver);
    let request = Box::new(request());
    shell.take(Input::CreateRun { request, carried: Vec::new() }).unwrap();
    let ended = shell.run(&mut |error| panic!("{error:?}")).unwrap();
    let told = told.0.lock().unwrap().clone();
    (ended, told)
}

/// The loop looks at the clock: a run of long ago would be at its end.
fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("later than 1970");
    Timestamp(since.as_millis().try_into().expect("it fits"))
}

#[test]
fn jobs_run_in_processes_one_after_the_other() {
    let scratch = Scratch::new("good");
    let (ended, told) = run(&scratch, GOOD);
    assert_eq!(ended, Ended::Done);
    let told = told.join("\n");
    expect_test::expect![[r#"
        RunCreated
        JobsDeclared
        RunStarted
        JobPlanned one
        JobReady one
        JobLeased one
        JobStarted one
        JobCompleted one success
        JobPlanned two
        JobReady two
        JobLeased two
        JobStarted two
        JobCompleted two success
        RunCompleted success"#]]
    .assert_eq(&told);
}

#[test]
fn what_a_dead_worker_leaves_is_ended_before_its_job_is_lost() {
    let scratch = Scratch::new("dying");
    let (ended, told) = run(&scratch, DYING);
    // Lost until nobody starts it again unasked.
    assert_eq!(ended, Ended::AwaitingPerson);
    let lost = "JobLost one: its worker was ended by signal 9: it hurts";
    assert_eq!(told.iter().filter(|line| *line == lost).count(), 4, "{told:#?}");
    for pid in fs::read_to_string(scratch.0.join("left")).unwrap().lines() {
        assert!(!Path::new("/proc").join(pid).exists(), "{pid} still runs");
    }
}

#[test]
fn a_run_without_an_owner_is_swept_and_one_with_an_owner_is_left_alone() {
    let scratch = Scratch::new("sweep");
    let stream = StreamId::Run(RunId(1), Attempt(1));
    // A process that died with a job leased: its loop is dropped, its worker's step still runs.
    let journal = Arc::new(MemoryJournal::new());
    let tracking: Arc<str> = format!("swept_{}", std::process::id()).into();
    let settings = Settings { width: 1, tracking: Arc::clone(&tracking) };
    let mut dead = Loop::new(settings, Arc::clone(&journal), Idle, Folder(scratch.0.clone()), ());
    let create = Input::CreateRun { request: Box::new(request()), carried: Vec::new() };
    dead.round(vec![create], Timestamp(1)).unwrap();
    drop(dead);
    let mut step = std::process::Command::new("sleep")
        .arg("1000")
        .env("RUNNER_TRACKING_ID", format!("{tracking}-1-1-1"))
        .spawn()
        .unwrap();

    let owners = scratch.0.join("owners");
    let owner = Owner::claim(&owners, stream).unwrap().unwrap();
    let swept = sweep(Arc::clone(&journal), &owners, Timestamp(2), (), &|_, _| false).unwrap();
    assert!(swept.free.is_empty() && swept.lost.is_empty());
    assert!(step.try_wait().unwrap().is_none(), "what somebody owns is left alone");

    drop(owner);
    let told = Told::default();
    let swept =
        sweep(Arc::clone(&journal), &owners, Timestamp(3), told.clone(), &|_, _| false).unwrap();
    assert_eq!(swept.lost, [(stream, JobKey::new("one"))]);
    assert_eq!(swept.free.len(), 1);
    assert!(!Path::new("/proc").join(step.id().to_string()).exists(), "its step is ended");
    assert_eq!(journal.open_streams().unwrap(), [stream]);
    let told = told.0.lock().unwrap().join("\n");
    expect_test::expect![[r#"
        JobLost one: launchway ended while it ran
        JobRequeued one"#]]
    .assert_eq(&told);
}

/// Workers that never say anything.
struct Idle;

impl ports::Jobs for Idle {
    fn start(&mut self, _: protocol::JobSpec) {}
    fn cancel(&mut self, _: &Lease) {}
    fn kill(&mut self, _: &Lease) {}
}
