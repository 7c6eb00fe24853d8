//! Images that runs built: what is told of one run, and what changes from run to run.

use std::fmt::Write as _;
use std::sync::Arc;

use event::{Attempt, Fact as _, RunEvent, RunId, Seq, StreamId, Timestamp};
use expect_test::{Expect, expect};
use figures::{Asked, Figures};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;
use views::{RunView, Window};

struct Journal {
    _folder: tempfile::TempDir,
    store: Arc<Store>,
    figures: Figures,
}

impl Journal {
    fn new() -> Journal {
        let folder = tempfile::tempdir().expect("a journal of ours");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        let figures = Figures::open(folder.path()).expect("a journal of ours");
        Journal { _folder: folder, store, figures }
    }

    /// A run of a branch, and what its job `build` built.
    fn run(&self, branch: &str, images: &[Json]) -> StreamId {
        let (id, number) =
            self.store.allocate_run("octo/app", "ci.yml").expect("a journal of ours");
        self.attempt(id, (Attempt(1), number), branch, images)
    }

    fn attempt(
        &self,
        id: RunId,
        (attempt, number): (Attempt, u64),
        branch: &str,
        images: &[Json],
    ) -> StreamId {
        let at = id.0 * 1000 + attempt.0 * 10;
        let begin = [
            json!({ "type": "RunCreated", "run": id, "attempt": attempt, "run_number": number,
                "carried": [], "repository": "octo/app", "repository_path": "/app",
                "workflow": { "path": "ci.yml", "text": "" }, "called": {}, "title": "a change",
                "event": { "name": "push", "git_ref": format!("refs/heads/{branch}"),
                    "payload": { "repository": { "default_branch": "main" } } },
                "change": { "commit": "c0", "authored_at": 1, "committed_at": 1, "uncommitted": 0 },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona",
                "triggering_actor": "mona", "at": at }),
            json!({ "type": "JobReady", "job": "build", "at": at }),
            json!({ "type": "JobLeased", "job": "build", "fence": 1, "tracking_id": "x", "at": at }),
        ];
        let built: Vec<Json> = images
            .iter()
            .map(|it| json!({ "type": "ImageBuilt", "job": "build", "step": "__run", "image": it }))
            .collect();
        let end = [
            json!({ "type": "JobCompleted", "job": "build", "fence": 1, "conclusion": "success",
                "exit": "none", "outputs": {}, "log": null, "environment_url": null, "at": at + 1 }),
            json!({ "type": "RunCompleted", "conclusion": "success", "at": at + 1 }),
        ];
        let decode =
            |it: &Json| RunEvent::decode(it.to_string().as_bytes()).expect("a journal of ours");
        let events: Vec<RunEvent> = begin.iter().chain(&built).chain(&end).map(decode).collect();
        let stream = StreamId::Run(id, attempt);
        self.store.append(stream, Seq(0), Timestamp(at), &events).expect("a journal of ours");
        self.figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
        stream
    }

    fn told(&self, stream: StreamId, expect: Expect) {
        let events = self.store.events::<RunEvent>(stream, Seq(0)).expect("a journal of ours");
        let view = RunView::of(events.iter().map(|it| &it.event)).expect("a run");
        let told = self.figures.run_images(&self.store, &view).expect("a journal of ours");
        let mut text = format!("with {:?}\n", told.compared_with.map(|(run, _)| run.0));
        for it in told.images {
            let of = it.size_of.unwrap_or_default();
            let _ = writeln!(
                text,
                "{:?} {of} {:?} in {:?}, before {:?} in {:?}",
                it.names, it.size_bytes, it.build_ms, it.size_before_bytes, it.build_before_ms
            );
        }
        expect.assert_eq(&text);
    }

    fn series(&self, expect: Expect) {
        let window = Window { since: Timestamp(0), until: Timestamp(100_000_000) };
        let asked = Asked::everything(window);
        let mut text = String::new();
        for it in self.figures.image_series(&asked).expect("a journal of ours") {
            let _ = write!(text, "{} #{} {} {}:", it.image, it.nth, it.platform, it.size_of);
            for run in it.runs {
                let _ = write!(text, " {}.{} {:?}", run.run, run.attempt, run.size_bytes);
            }
            text.push('\n');
        }
        expect.assert_eq(&text);
    }
}

fn image(name: &str, bytes: u64, of: &str) -> Json {
    json!({ "names": [name], "platform": "linux/amd64", "size": { "bytes": bytes, "of": of },
        "build_ms": bytes * 2 })
}

#[test]
fn an_image_is_compared_with_its_like_of_the_default_branch() {
    let journal = Journal::new();
    let first = [image("app:c1", 100, "unpacked"), image("app:slim-c1", 40, "unpacked")];
    let first = journal.run("main", &first);
    journal.told(
        first,
        expect![[r#"
            with None
            ["app:c1"] unpacked Some(100) in Some(200), before None in None
            ["app:slim-c1"] unpacked Some(40) in Some(80), before None in None
        "#]],
    );
    // One of a branch is compared, and is compared with by nobody.
    let branch = [image("app:c2", 130, "unpacked"), image("app:slim-c2", 45, "unpacked")];
    let branch = journal.run("feature", &branch);
    let expect = expect![[r#"
        with Some(1)
        ["app:c2"] unpacked Some(130) in Some(260), before Some(100) in Some(200)
        ["app:slim-c2"] unpacked Some(45) in Some(90), before Some(40) in Some(80)
    "#]];
    journal.told(branch, expect);
    // What is packed is another number.
    let packed = [image("app:c3", 30, "compressed"), json!({ "names": ["web:c3"] })];
    let packed = journal.run("main", &packed);
    journal.told(
        packed,
        expect![[r#"
            with Some(1)
            ["app:c3"] compressed Some(30) in Some(60), before None in None
            ["web:c3"]  None in None, before None in None
        "#]],
    );
    journal.run("main", &[]);
    let last = journal.run("main", &[image("app:c5", 35, "compressed")]);
    let expect = expect![[r#"
        with Some(3)
        ["app:c5"] compressed Some(35) in Some(70), before Some(30) in Some(60)
    "#]];
    journal.told(last, expect);
    journal.series(expect![[r#"
        app #1 linux/amd64 compressed: 3.1 Some(30) 5.1 Some(35)
        app #1 linux/amd64 unpacked: 1.1 Some(100)
        app #2 linux/amd64 unpacked: 1.1 Some(40)
        web #1  : 3.1 None
    "#]]);
}

#[test]
fn of_several_attempts_the_newest_counts_that_built_it() {
    let journal = Journal::new();
    let first = journal.run("main", &[image("app:1", 100, "unpacked")]);
    let (run, _) = first.as_run().expect("a run");
    journal.attempt(run, (Attempt(2), 1), "main", &[image("app:1", 110, "unpacked")]);
    // Only what failed was run again.
    journal.attempt(run, (Attempt(3), 1), "main", &[]);
    journal.series(expect![[r#"
        app #1 linux/amd64 unpacked: 1.2 Some(110)
    "#]]);
}
