//! The token that each job has at GitHub: what it may do, that it starts nothing, and that it ends with the job.

use std::collections::BTreeMap;

use crate::github::Connected;
use crate::harness::wait_until;

const RELEASES: &str = r#"
on: [push, release, repository_dispatch]
jobs:
  release:
    if: github.event_name == 'push'
    permissions: { contents: write, packages: read }
    runs-on: ubuntu-latest
    env: { GITHUB_TOKEN: '${{ secrets.GITHUB_TOKEN }}' }
    steps:
      - uses: actions/checkout@v4
      - name: release
        run: |
          curl -sf "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/releases" \
            -H "Authorization: Bearer $GITHUB_TOKEN" \
            -d "{\"tag_name\": \"v1\", \"target_commitish\": \"$GITHUB_SHA\"}" > /dev/null
          echo "released with $GITHUB_TOKEN"
      - name: no more than that
        run: |
          curl -s -o /dev/null -w '%{http_code}' "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/1/comments" \
            -H "Authorization: Bearer ${{ github.token }}" -d '{"body": "x"}' >> $MARKS/refused
          curl -s -o /dev/null -w ' %{http_code}\n' "$GITHUB_API_URL/repos/hubot/app/releases" \
            -H "Authorization: Bearer ${{ github.token }}" -d '{"tag_name": "v1"}' >> $MARKS/refused
      - name: push
        run: git push --quiet origin HEAD:refs/heads/by-a-job
      - run: while ! test -e $MARKS/go; do sleep 0.02; done
  nothing:
    permissions: {}
    runs-on: ubuntu-latest
    steps: [{ run: 'test -z "${{ secrets.GITHUB_TOKEN }}${{ github.token }}"' }]
"#;

const ASKS: &str = r#"
on: pull_request
permissions: write-all
jobs:
  asks:
    runs-on: ubuntu-latest
    steps:
      - run: |
          of() { curl -s -o /dev/null -w '%{http_code} ' "$GITHUB_API_URL/repos/octo/app$1" -H 'Authorization: Bearer ${{ github.token }}' "${@:2}" >> "$GITHUB_WORKSPACE/said"; }
          of /releases; of /releases -d '{"tag_name": "evil"}'; of /issues/1/comments -d '{"body": "x"}'
          cat "$GITHUB_WORKSPACE/said"
"#;

impl Connected {
    /// The tokens that jobs were given: what each may do, and whether it was ended.
    pub(crate) fn job_tokens(&self) -> Vec<String> {
        let all = self.github.with(|github| github.job_tokens.clone());
        let shown = |it: &model_github::JobToken| {
            let pairs = it.permissions.iter().map(|(name, it)| format!("{name}: {it}"));
            let ended = if it.is_ended { "ended" } else { "good" };
            format!("{} {} {ended}", it.repository, pairs.collect::<Vec<_>>().join(", "))
        };
        all.values().map(shown).collect()
    }

    pub(crate) fn log(&self, run: &str, job: &str) -> String {
        let data = self.place.path("data").display().to_string();
        self.place.run(&["runs", "logs", run, "--job", job, "--state", &data]).stdout
    }
}

// proves: conformance 22
// proves: conformance 110
#[test]
fn a_job_has_a_token_of_its_own_that_ends_with_it_and_starts_nothing() {
    let mut it = Connected::of(&[("release.yml", RELEASES)], true, &[]);
    it.place.write("file", "one");
    it.place.commit();
    it.push("main");
    wait_until("the job's push", || {
        let sent = it.github.sent();
        let is_it = |it: &model_github::Sent| it.body.contains("refs/heads/by-a-job");
        sent.iter().any(|it| is_it(it) && it.status == Some(202))
    });
    assert_eq!(it.job_tokens(), ["octo/app contents: write good"]);
    // Whoever is killed meanwhile ends it all the same.
    it.kill();
    it.restart();
    std::fs::write(it.place.path("marks/go"), "").expect("a file of ours");
    let runs = it.runs(1);
    assert_eq!(runs, "1 push main success\n");
    wait_until("the token's end", || it.job_tokens() == ["octo/app contents: write ended"]);
    assert_eq!(it.mark("refused"), "403 403\n");
    let releases = it.github.with(|github| github.repositories["octo/app"].releases.clone());
    assert_eq!((releases.len(), &releases[0]["author"]["login"]), (1, &"launchway[bot]".into()));
    // The tag, the release and the branch were told, and start nothing.
    let told = it.told(4);
    let own = "nothing runs: the app itself did it, for a job by its GITHUB_TOKEN";
    assert_eq!(told.iter().filter(|it| it.starts_with(own)).count(), 3, "{told:?}");
    let log = it.log("1", "release");
    assert!(log.contains("released with ***"), "{log}");
    assert!(
        log.contains("the app may not do this here, and so the job may not: packages: read"),
        "{log}"
    );
    // What is there to start something does.
    let mut payload = it.github.payload("octo/app", serde_json::json!({ "action": "nightly" }));
    payload["sender"] = serde_json::json!({ "login": "launchway[bot]", "type": "Bot", "id": 1 });
    it.github.tell("repository_dispatch", &payload);
    let runs = it.runs(2);
    assert!(runs.ends_with("2 repository_dispatch main success\n"), "{runs}");
    let audit = it.get("/api/v1/audit?action=github_token.give");
    assert_eq!(audit["decisions"].as_array().map(Vec::len), Some(1), "{audit}");
    it.end();
}

#[test]
fn code_of_a_fork_reads_and_writes_nothing() {
    let it = Connected::of(&[("asks.yml", ASKS)], true, &["--forks", "first"]);
    it.place.git(&["checkout", "--quiet", "-b", "change"]);
    it.place.write("file", "evil");
    it.place.commit();
    it.push_to("hubot/app", "change");
    let mut pull = it.pull(1, "hubot/app", "change");
    pull.association = "CONTRIBUTOR".to_owned();
    it.github.open("octo/app", pull).expect("git does");
    let runs = it.runs(1);
    assert_eq!(runs, "1 pull_request 1/merge success\n");
    let log = it.log("1", "asks");
    assert!(log.contains("200 403 403"), "{log}");
    let read: BTreeMap<String, String> = it
        .github
        .with(|github| github.job_tokens.values().next().expect("one").permissions.clone());
    assert!(read.values().all(|it| it == "read"), "{read:?}");
    assert_eq!(read.len(), 5, "{read:?}");
    it.end();
}

#[test]
fn without_an_app_there_is_none() {
    let it = Connected::of(&[("ci.yml", WITHOUT)], false, &[]);
    it.place.write("file", "one");
    it.place.commit();
    it.push("main");
    assert_eq!(it.runs(1), "1 push main success\n");
    it.end();
}

const WITHOUT: &str = r"
on: push
jobs:
  nothing:
    runs-on: ubuntu-latest
    steps: [{ run: 'test -z ${{ github.token }} && test $GITHUB_SERVER_URL != https://github.com' }]
";
