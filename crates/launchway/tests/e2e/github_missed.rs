//! Webhooks that never came: the server looks by itself, and runs what GitHub could not tell, once.

use serde_json::Value as Json;

use crate::github::Connected;
use crate::harness::wait_until;

const CI: &str = r"
on: [push, release]
jobs:
  hello:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: 'echo $GITHUB_EVENT_NAME ${{ github.actor }} ${{ github.event.sender.login }} $(cat file) >> $MARKS/hello'
";

fn seconds() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("it is later").as_secs()
}

impl Connected {
    /// Commits this, and pushes it to a branch.
    fn pushes(&self, text: &str, branch: &str) {
        self.place.write("file", text);
        self.place.commit();
        self.push(branch);
    }

    fn webhooks_lost(&self, count: u32) {
        self.github.with(|github| github.webhooks_lost = count);
    }

    /// Delivers the webhook again that was sent last; what is answered.
    fn late(&self) -> Option<u16> {
        let sent = self.github.sent().last().expect("one was sent").clone();
        self.github.redeliver(&sent.id)
    }

    fn marks(&self) -> String {
        std::fs::read_to_string(self.place.path("marks/hello")).unwrap_or_default()
    }

    /// From where runs came, as the audit trail has it, oldest first.
    fn sources(&self) -> Vec<String> {
        let audit = self.get("/api/v1/audit?action=run.create");
        let all = audit["decisions"].as_array().expect("a list").iter().rev();
        let line = |it: &Json| format!("{} by {}", it["source"], it["actor"]).replace('"', "");
        all.map(line).collect()
    }
}

#[test]
fn a_push_that_nobody_told_is_found_once() {
    let mut it = Connected::of(&[("ci.yml", CI)], false, &["--every", "1s"]);
    it.webhooks_lost(1);
    it.pushes("one", "main");
    it.runs(1);
    // Its webhook comes late: taken, and said to be known.
    assert_eq!(it.late(), Some(202));
    let told = it.told(2);
    assert_eq!(told[0], "GitHub did not tell of it: the server looked");
    assert!(told[1].contains("found this push before GitHub told of it"), "{told:?}");
    // While nobody is there, twice; the server finds what it came to, when it starts.
    it.kill();
    it.pushes("two", "main");
    it.pushes("three", "main");
    it.restart();
    it.runs(2);
    // What is told as ever is found by nobody, over a kill. GitHub counts seconds: in that of a look nobody can
    // tell what it saw.
    let looked = seconds();
    wait_until("another second", || seconds() > looked);
    it.pushes("four", "main");
    it.runs(3);
    it.kill();
    it.restart();
    // Two looks: what moved is another branch's.
    it.webhooks_lost(1);
    it.pushes("five", "other");
    it.runs(4);
    // Killed when it has found one.
    it.webhooks_lost(1);
    it.pushes("six", "other");
    wait_until("that it is found", || {
        let said = std::fs::read_to_string(it.place.path("said")).unwrap_or_default();
        said.contains("refs/heads/other was pushed, and GitHub did not tell")
    });
    it.kill();
    it.restart();
    let runs = it.runs(5);
    expect_test::expect![[r#"
        1 push main success
        2 push main success
        3 push main success
        4 push other success
        5 push other success
    "#]]
    .assert_eq(&runs);
    expect_test::expect![[r#"
        push mona mona one
        push mona mona three
        push mona mona four
        push mona mona five
        push mona mona six
    "#]]
    .assert_eq(&it.marks());
    let sources = it.sources().join(", ").replace(" by mona", "");
    assert_eq!(sources, "looked, looked, github, looked, looked");
    it.end();
}

#[test]
fn what_an_app_was_not_told_is_delivered_again() {
    let mut it = Connected::of(&[("ci.yml", CI)], true, &["--every", "1s"]);
    it.pushes("one", "main");
    it.runs(1);
    it.kill();
    // No look at branches finds a release.
    let release = serde_json::json!({ "action": "published", "release": { "tag_name": "main" } });
    it.place.git(&["tag", "main"]);
    let payload = it.github.payload("octo/app", release);
    let url = it.github.url().replace("http://", "http://mona:ghp_mona@");
    let tag = "refs/tags/main:refs/tags/main";
    it.place.git(&["push", "--quiet", &format!("{url}/octo/app.git"), tag]);
    it.github.tell("release", &payload);
    it.restart();
    // The push of the tag and the release.
    let runs = it.runs(3);
    assert!(runs.contains("release"), "{runs}");
    let asked = it.github.with(|github| github.called("POST", "/attempts").len());
    wait_until("the end of asking", || {
        it.github.with(|github| github.deliveries.iter().any(|it| it["redelivery"] == true))
    });
    assert!((1..=4).contains(&asked), "{asked}");
    assert_eq!(it.sources().len(), 3);
    it.end();
}
