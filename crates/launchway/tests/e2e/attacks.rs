//! What somebody might try, each played from outside against the built server, each stopped. The list is
//! `docs/threats.md`; what has a module of its own is played there:
//!
//! ```text
//! webhooks forged, stale, repeated, too large      github.rs      what_github_did_not_say_does_not_come_in
//! code of a fork asks for secrets, an environment  github.rs      code_of_forks_waits_and_gets_nothing
//! approval of one's own, twice, of something else  gated.rs, approvals.rs
//! a job reaches for the server and for others      sandboxed.rs
//! a job reaches for what is root's                 job_user.rs
//! a runner reaches for what is not its own         runner.rs
//! nobody, a small token, another site              serve.rs       nobody_gets_in_who_may_not
//! ```
//!
//! Here: those who are free are led astray (links, absolute paths, programs), a fork asks for caches and tokens,
//! a mask is got round, a log and a title lie, a message is sent inside, a branch asks for a trusted label.

use std::path::Path;
use std::process::Command;

use expect_test::expect;
use serde_json::json;

use crate::github::Connected;
use crate::harness::{Place, Said, text};
use crate::serving::Serving;

/// What nobody may read: beside the server, and in a blob of somebody else.
const BESIDE: &str = "words-that-lie-beside-the-server";
const OF_OTHERS: &str = "words-of-somebody-elses-log";

const OTHERS: &str = "
on: { push: { branches: [other] } }
jobs:
  says:
    runs-on: ubuntu-latest
    steps: [{ run: echo words-of-somebody-elses-log }]
";

/// Every step has somebody who is free work on a name that leads elsewhere. What a step gets that way it
/// keeps, or prints.
const LED_ASTRAY: &str = r#"
on: { push: { branches: [main] } }
env: { DATA: "$DATA", PLACE: "$PLACE" }
jobs:
  reads:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: a summary and an output that are links
        continue-on-error: true
        run: |
          for file in "$GITHUB_STEP_SUMMARY" "$GITHUB_OUTPUT" "$GITHUB_ENV"; do
            ln -sf "$PLACE/credentials" "$file"
          done
      - name: a matcher that is none
        continue-on-error: true
        run: echo "::add-matcher::$PLACE/credentials"
      - run: |
          ln -s "$PLACE" beside
          ln -s "$DATA/blobs" blobs
          ln -s "$DATA/caches" caches
      - { continue-on-error: true, run: "echo 'hash=[${{ hashFiles('beside/credentials') }}]'" }
      - { uses: actions/upload-artifact@v4, continue-on-error: true, with: { name: by-path, path: "${{ env.DATA }}/blobs" } }
      - { uses: actions/upload-artifact@v4, continue-on-error: true, with: { name: by-link, path: blobs } }
      - { uses: actions/upload-artifact@v4, continue-on-error: true, with: { name: beside, path: beside/credentials } }
      - { uses: actions/upload-artifact@v4, continue-on-error: true, with: { name: caches, path: caches } }
      - { uses: actions/cache/save@v4, continue-on-error: true, with: { key: stolen, path: "${{ env.DATA }}/blobs" } }
      - { uses: actions/cache/restore@v4, continue-on-error: true, with: { key: stolen, path: "${{ env.DATA }}/blobs" } }
      - run: mkdir good && echo fine > good/planted
      - { uses: actions/upload-artifact@v4, with: { name: good, path: good } }
      - { uses: actions/download-artifact@v4, continue-on-error: true, with: { name: good, path: blobs } }
      - { uses: actions/download-artifact@v4, continue-on-error: true, with: { name: good, path: "${{ env.DATA }}/caches" } }
      - { uses: actions/cache/save@v4, with: { key: good, path: good } }
      - run: rm -r good && ln -s "$DATA/blobs" good
      - { uses: actions/cache/restore@v4, continue-on-error: true, with: { key: good, path: good } }
      - name: a program that git starts
        run: |
          printf '#!/bin/sh\ncat "$DATA"/blobs/??/??/* >> $MARKS/through\necho ran >> $MARKS/started\n' > "$RUNNER_TEMP/evil"
          chmod +x "$RUNNER_TEMP/evil"
          git config core.fsmonitor "$RUNNER_TEMP/evil"
          git config core.hooksPath "$RUNNER_TEMP"
          cp "$RUNNER_TEMP/evil" "$RUNNER_TEMP/post-checkout"
      - { uses: actions/checkout@v4, continue-on-error: true }
      - name: what is loaded before a program
        uses: actions/upload-artifact@v4
        env: { LD_PRELOAD: /loaded-before }
        with: { name: loaded, path: .github }
  writes:
    runs-on: ubuntu-latest
    steps:
      - name: names that come
        run: |
          cd "$RUNNER_TEMP"
          for number in $(seq -f %08g 1 20); do
            for name in step_$number.sh _runner_file_commands/{set_env,set_output,step_summary,artifacts_list}_$number; do
              ln -s "$PLACE/victim" "$name"
            done
          done || true
          echo tried >> $MARKS/tried
      - { run: echo overwritten, continue-on-error: true }
      - { run: echo overwritten, continue-on-error: true }
"#;

#[test]
fn nobody_who_is_free_is_led_astray() {
    let serving = Serving::of(OTHERS);
    let path = |name: &str| serving.place.path(name).display().to_string();
    let beside = serving.place.path("secret");
    std::fs::create_dir_all(&beside).expect("a folder of ours");
    for (name, text) in [("credentials", BESIDE), ("victim", "whole")] {
        std::fs::write(beside.join(name), text).expect("a file of ours");
    }
    let bare = path("app.git");
    serving.place.git(&["push", "--quiet", &bare, "HEAD:refs/heads/other"]);
    assert_eq!(serving.ended("1")["conclusion"], "success");
    let workflow = LED_ASTRAY
        .replace("$MARKS", &path("marks"))
        .replace("\"$DATA\",", &format!("{},", path("data")))
        .replace("\"$PLACE\" }", &format!("{} }}", path("secret")));
    serving.place.write(".github/workflows/ci.yml", &workflow);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    let run = serving.ended("2");
    let log = serving.get("/api/v1/runs/2/jobs/reads/log").text;
    assert_eq!(run["conclusion"], "success", "{log}");
    assert!(!log.contains("\nhash=["), "{log}");
    assert!(!log.contains(BESIDE) && !log.contains(OF_OTHERS), "{log}");
    // Nothing of it came into what the job may keep: artifacts, summaries, caches.
    let data = path("data");
    let out = path("out");
    let kept = serving.place.run(&["runs", "download", "2", "--dir", &out, "--state", &data]);
    assert_eq!(kept.exit, 0, "{}", kept.stderr);
    let through = |needle: &str, folder: &Path| {
        let found = Command::new("grep").args(["-rlaF", needle]).arg(folder).output();
        text(&found.expect("grep starts").stdout)
    };
    for needle in [BESIDE, OF_OTHERS] {
        assert_eq!(through(needle, Path::new(&out)), "");
    }
    assert_eq!(through(BESIDE, &serving.place.path("data")), "");
    let artifacts = std::fs::read_dir(&out).expect("it was made").flatten();
    let mut artifacts: Vec<_> = artifacts.map(|it| it.file_name()).collect();
    artifacts.sort();
    assert_eq!(artifacts, ["good", "loaded"], "{log}");
    // What runs at git's word does not reach them either.
    assert_eq!(serving.mark("through"), "");
    assert!(!log.contains("cannot be preloaded"), "{log}");
    // Nothing was planted among blobs and caches, nothing overwritten.
    for folder in ["data/blobs", "data/caches"] {
        assert!(!serving.place.path(folder).join("planted").exists(), "{folder}: {log}");
    }
    assert_eq!(serving.mark("tried"), "tried\n");
    assert_eq!(std::fs::read_to_string(beside.join("victim")).expect("it is there"), "whole");
    serving.end();
}

/// A pull request of a fork: its own cache is its own, and nobody gives it a word that opens anything.
const FORKED: &str = r#"
on: [push, pull_request]
permissions: write-all
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
      - { id: cache, uses: actions/cache/restore@v4, with: { key: shared, path: cached } }
      - run: |
          echo "of $GITHUB_EVENT_NAME: hit=[${{ steps.cache.outputs.cache-hit }}] $(cat cached/word || true)"
          echo "words=[$ACTIONS_ID_TOKEN_REQUEST_TOKEN$ACTIONS_ID_TOKEN_REQUEST_URL$ACTIONS_RUNTIME_TOKEN${{ github.token }}]"
          mkdir -p cached && echo "kept by $GITHUB_EVENT_NAME" > cached/word
          echo "$GITHUB_EVENT_NAME" >> "$RUNNER_TOOL_CACHE/planted" || echo "no tools"
      - { uses: actions/cache/save@v4, with: { key: shared, path: cached } }
"#;

#[test]
fn a_fork_gets_no_word_and_leaves_nothing() {
    let it = Connected::of(&[("ci.yml", FORKED)], false, &["--forks", "first"]);
    it.place.git(&["checkout", "--quiet", "-b", "evil"]);
    it.place.write("file", "x");
    it.place.commit();
    it.push_to("hubot/app", "evil");
    let mut pull = it.pull(1, "hubot/app", "evil");
    pull.association = "CONTRIBUTOR".to_owned();
    it.github.open("octo/app", pull).expect("git does");
    it.runs(1);
    it.place.git(&["checkout", "--quiet", "main"]);
    it.place.write("another", "y");
    it.place.commit();
    it.push("main");
    it.runs(2);
    it.place.git(&["checkout", "--quiet", "evil"]);
    it.place.write("file", "z");
    it.place.commit();
    it.push_to("hubot/app", "more");
    let mut pull = it.pull(2, "hubot/app", "more");
    pull.association = "CONTRIBUTOR".to_owned();
    it.github.open("octo/app", pull).expect("git does");
    it.runs(3);
    let state = it.place.path("data").display().to_string();
    let said = |run: &str| {
        let log = it.place.run(&["runs", "logs", run, "--state", &state]).stdout;
        let mut said = log.lines().filter_map(|line| line.split_once("of p").map(|(_, it)| it));
        let words = log.lines().filter(|line| line.contains("words=[") && !line.contains("$ACT"));
        let words: Vec<_> =
            words.map(|line| line.split_once("words=").expect("it has").1).collect();
        format!("p{} {}", said.next_back().unwrap_or_default(), words.join(" "))
            .replace(&it.url, "SERVER")
    };
    // Neither has what the other kept; nor has the next pull request what the one before kept.
    expect![[r#"
        pull_request: hit=[]  []
        push: hit=[]  [***SERVER/oidc/token?api-version=2.0]
        pull_request: hit=[]  []"#]]
    .assert_eq(&["1", "2", "3"].map(said).join("\n"));
    // What jobs of the repository's own share, those of forks may read.
    let planted = std::fs::read_to_string(it.place.path("data/tools/planted"));
    assert_eq!(planted.expect("a push may"), "push\n");
    it.end();
}

/// Every way to print a secret that is stopped, each a line; the last is one that is not, and cannot be.
const MASKED: &str = r#"
on: { push: { branches: [main] } }
jobs:
  prints:
    runs-on: ubuntu-latest
    env:
      WORD: "${{ secrets.WORD }}"
      LINES: "${{ secrets.LINES }}"
      JSON: "${{ secrets.JSON }}"
    steps:
      - shell: python3 {0}
        run: |
          import base64, html, json, os, shlex, sys, time, urllib.parse
          word, lines, leaves = os.environ['WORD'], os.environ['LINES'], json.loads(os.environ['JSON'])
          def say(text): print('= ' + text, flush=True)
          say(word)
          for before in ('', 'a', 'ab', 'user:'):
              say(base64.b64encode((before + word).encode()).decode())
              say(base64.b64encode((before + word + '\n').encode()).decode())
              say(base64.urlsafe_b64encode((before + word).encode()).decode())
          say(urllib.parse.quote(word, safe=''))
          say(urllib.parse.quote_plus(word))
          say(word.encode().hex())
          say(word.encode().hex().upper())
          say(json.dumps(word))
          say(html.escape(word))
          say(shlex.quote(word))
          for letter in '= ' + word + '\n':
              sys.stdout.write(letter); sys.stdout.flush(); time.sleep(0.002)
          os.write(1, ('= ' + word[:5]).encode()); time.sleep(0.1); os.write(1, (word[5:] + '\n').encode())
          say('x' * 70000 + word)
          for line in lines.splitlines(): say(line)
          for leaf in (leaves['password'], leaves['nested']['keys'][0]): say(leaf)
          print('::error file=' + word + '::' + word)
          print('::group::' + word)
          print('::endgroup::')
          print('::debug::' + word)
          say(word[::-1])
      - name: "of ${{ github.event_name }}"
        run: |
          echo "out=$WORD" >> "$GITHUB_OUTPUT"
          echo "$WORD" >> "$GITHUB_STEP_SUMMARY"
          echo "::set-output name=old::$WORD"
"#;

const WORD: &str = "hunter2&<Kettle's \"lid\">/16";
const LINES: &str = "first-line-of-the-key\n  second-line-of-the-key\nthird-line-of-the-key";
const LEAVES: &str =
    r#"{"user":"app","password":"leaf-of-a-tree-1","nested":{"keys":["leaf-of-a-tree-2"]}}"#;

#[test]
fn a_mask_is_not_got_round() {
    let serving = Serving::of(MASKED);
    let bearer = format!("Bearer {}", serving.token);
    let keep = |name: &str, value: &str| {
        let path = format!("/api/v1/repositories/octo/app/kept/secrets/{name}");
        let body = json!({ "value": value }).to_string();
        assert_eq!(serving.ask("PUT", &path, &[("authorization", &bearer)], &body).status, 200);
    };
    keep("WORD", WORD);
    keep("LINES", LINES);
    keep("JSON", LEAVES);
    assert_eq!(serving.push().exit, 0);
    let run = serving.ended("1");
    let log = serving.get("/api/v1/runs/1/jobs/prints/log").text;
    assert_eq!(run["conclusion"], "success", "{log}");
    let many = regex::Regex::new("x{100,}").expect("a pattern");
    let mut shown: Vec<String> = log
        .lines()
        .filter_map(|line| line.strip_prefix("= "))
        .map(|line| many.replace(line, "x…x").into_owned())
        .collect();
    let reversed: String = WORD.chars().rev().collect();
    assert_eq!(shown.pop(), Some(reversed), "masking is no wall, and docs/threats.md says so");
    expect![[r#"
        ***
        ***
        ***Cg==
        ***
        YWh1***
        YWh1***go=
        YWh1***
        YWJo***
        YWJo***YK
        YWJo***
        dXNlcjpo***
        dXNlcjpo***YK
        dXNlcjpo***
        ***
        ***
        ***
        ***
        "***"
        ***
        '***'
        ***
        ***
        x…x***
        ***
          ***
        ***
        ***
        ***"#]]
    .assert_eq(&shown.join("\n"));
    // Nor does it stand anywhere else: in what is kept, on a page, in an answer.
    let mut places = vec![
        serving.get("/runs/1").text,
        serving.get("/runs/1/jobs/prints").text,
        serving.get("/api/v1/runs/1/events").text,
        run.to_string(),
        std::fs::read_to_string(serving.place.path("said")).expect("what it said"),
    ];
    let grep = Command::new("grep")
        .args(["-raohE", "hunter2.{0,9}|[a-z]+-line-of-the-key|leaf-of-a-tree-."])
        .arg(serving.place.path("data"))
        .output();
    places.push(text(&grep.expect("grep starts").stdout));
    for place in places {
        for part in ["hunter2", "-line-of-the-key", "leaf-of-a-tree"] {
            assert!(!place.contains(part), "{part}: {place}");
        }
    }
    serving.end();
}

/// Words of whoever pushed: markup, a terminal's title, a link that lies, text turned round or written from right to
/// left, commands.
const LIES: &str = "fix שלום 7 <script>alert(1)</script> \u{1b}]0;owned\u{7} \u{1b}]8;;https://evil.example\u{1b}\\here\u{1b}]8;;\u{1b}\\ \u{202e}gnp.exe ::error::x

::set-env name=BASH_ENV::/evil
::add-path::/evil
::save-state name=isPost::true
##[error]not said by the runner
\u{1b}[2J\u{1b}[1;1Hcleared
";

const SHOWS: &str = r#"
on: { push: { branches: ['**'] } }
run-name: "${{ github.event.head_commit.message }}"
jobs:
  shows:
    runs-on: ubuntu-latest
    steps:
      - name: "says ${{ github.event.head_commit.message }}"
        continue-on-error: true
        env: { MESSAGE: "${{ github.event.head_commit.message }}" }
        run: |
          printf '%s\n' "$MESSAGE"
          printf '::warning file=a\033]0;owned\007b,title=\342\200\256x::<script>alert(2)</script>\n'
          printf '%s\n' "$MESSAGE" > "$(printf 'file \033[31m<script>alert(3)')"
          printf '%s\n' "$MESSAGE" '<script>alert(5)</script><img src=x onerror=alert(6)></section></main>' '[a](javascript:alert(7))' > "$GITHUB_STEP_SUMMARY"
      - run: echo "env=[$BASH_ENV] path=[${PATH%%:*}]"
      - { uses: actions/upload-artifact@v4, with: { name: "<script>'&", path: . } , continue-on-error: true }
"#;

#[test]
fn what_others_write_steers_nothing() {
    let serving = Serving::of(SHOWS);
    serving.place.write("other.txt", "x");
    serving.place.git(&["add", "--all"]);
    serving.place.git(&["commit", "--quiet", "--message", LIES]);
    let bare = serving.place.path("app.git").display().to_string();
    let branch = "HEAD:refs/heads/<script>alert(4)</script>$(touch${IFS}owned)";
    serving.place.git(&["push", "--quiet", &bare, branch]);
    let run = serving.ended("1");
    let log = serving.get("/api/v1/runs/1/jobs/shows/log").text;
    assert_eq!(run["conclusion"], "success", "{log}");
    assert!(log.contains("env=[] path=[") && !log.contains("path=[/evil"), "{log}");
    // Pages: text, and nothing else.
    for path in ["/runs", "/runs/1", "/runs/1/jobs/shows", "/audit", "/repositories"] {
        let page = serving.get(path);
        assert_eq!(page.status, 200, "{path}");
        for lie in ["<script>alert", "\u{1b}", "\u{7}", "\u{202e}", "href=\"https://evil"] {
            assert!(!page.text.contains(lie), "{path} has {lie:?}: {}", page.text);
        }
    }
    // A summary is Markdown, and no more: it ends where its own place ends.
    let page = serving.get("/runs/1").text;
    let summary = page.split("<section class=\"written\"").nth(1).expect("a summary");
    let (summary, behind) = summary.split_once("</section>").expect("it ends");
    assert!(
        summary.contains("&lt;script&gt;alert(5)") && summary.contains("fix שלום 7"),
        "{summary}"
    );
    assert!(behind.contains("</main>") && !page.contains("onerror"), "{behind}");
    assert!(!page.contains("javascript:"), "{summary}");
    // What goes from right to left turns no digit around that stands behind it.
    for path in ["/runs", "/runs/1", "/runs/1/jobs/shows"] {
        assert!(serving.get(path).text.contains("<bdi>fix שלום 7 &lt;"), "{path}");
    }
    // A terminal: colours of the log, and nothing else.
    let of_server = |args: &[&str]| {
        let mut command = serving.place.launchway(&[args, &["--server", &serving.url]].concat());
        command.env("LAUNCHWAY_TOKEN", &serving.token).env("CLICOLOR_FORCE", "1");
        let said = Said::from(command.output().expect("it starts"));
        assert_eq!(said.exit, 0, "{}", said.stderr);
        said.stdout + &said.stderr
    };
    let state = serving.place.path("data").display().to_string();
    let here = |args: &[&str]| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        command.args(args).args(["--state", &state]).env("CLICOLOR_FORCE", "1");
        let said = Said::from(command.output().expect("it starts"));
        said.stdout + &said.stderr
    };
    for said in [
        of_server(&["runs", "list"]),
        of_server(&["runs", "show", "1"]),
        of_server(&["runs", "logs", "1"]),
        here(&["runs", "list", "--all"]),
        here(&["runs", "show", "1"]),
        here(&["runs", "logs", "1"]),
    ] {
        for lie in ["\u{1b}]", "\u{7}", "\u{1b}[2J", "\u{1b}[1;1H", "\u{202e}"] {
            assert!(!said.contains(lie), "{lie:?}: {said:?}");
        }
        // A log is what was printed.
        let is_kept = said.contains("fix \u{2067}שלום\u{2069} 7") || said.contains("##[group]");
        assert!(is_kept, "{said:?}");
    }
    serving.end();
}

/// Every spelling of an address inside of a network; `PORT` is where somebody listens.
const INSIDE: &[&str] = &[
    "https://127.0.0.1:PORT/",
    "https://127.1:PORT/",
    "https://2130706433:PORT/",
    "https://0x7f000001:PORT/",
    "https://017700000001:PORT/",
    "https://0:PORT/",
    "https://0.0.0.0:PORT/",
    "https://localhost:PORT/",
    "https://[::1]:PORT/",
    "https://[::]:PORT/",
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::ffff:7f00:1]:PORT/",
    "https://[64:ff9b::7f00:1]:PORT/",
    "https://[2002:7f00:1::]:PORT/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://10.0.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://example.com@127.0.0.1:PORT/",
];

const PLACES: &str = "
version: 1
project: planner
services: { api: { run: [sh], bundle: { path: app } } }
environments: { dev: { targets: { host: 127.0.0.1:8080 } } }
";

#[test]
fn no_message_goes_inside() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let port = listener.local_addr().expect("an address").port().to_string();
    let place = Place::with(&[]);
    let mut told = String::new();
    for (number, address) in INSIDE.iter().enumerate() {
        let url = address.replace("PORT", &port);
        let rule = format!("notify: [{{ name: r{number}, webhook: '{url}' }}]\n");
        place.write("launchway.yml", &format!("{PLACES}{rule}"));
        let said = place.run(&["notify", "test", &format!("r{number}")]);
        let first = said.stderr.lines().next().unwrap_or_default().replace(&port, "PORT");
        told += &format!("{} {address}\n    {first}\n", said.exit);
    }
    expect![[r#"
        5 https://127.0.0.1:PORT/
            error: 127.0.0.1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://127.1:PORT/
            error: 127.1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://2130706433:PORT/
            error: 2130706433 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://0x7f000001:PORT/
            error: 0x7f000001 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://017700000001:PORT/
            error: 017700000001 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://0:PORT/
            error: 0 has an address that nothing is sent to: link-local, or of no one host
        5 https://0.0.0.0:PORT/
            error: 0.0.0.0 has an address that nothing is sent to: link-local, or of no one host
        5 https://localhost:PORT/
            error: localhost has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://[::1]:PORT/
            error: ::1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://[::]:PORT/
            error: :: has an address that nothing is sent to: link-local, or of no one host
        5 https://[::ffff:127.0.0.1]:PORT/
            error: ::ffff:127.0.0.1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://[::ffff:7f00:1]:PORT/
            error: ::ffff:7f00:1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://[64:ff9b::7f00:1]:PORT/
            error: 64:ff9b::7f00:1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://[2002:7f00:1::]:PORT/
            error: 2002:7f00:1:: has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://169.254.169.254/latest/meta-data/
            error: 169.254.169.254 has an address that nothing is sent to: link-local, or of no one host
        5 https://2852039166/latest/meta-data/
            error: 2852039166 has an address that nothing is sent to: link-local, or of no one host
        5 https://[::ffff:169.254.169.254]/
            error: ::ffff:169.254.169.254 has an address that nothing is sent to: link-local, or of no one host
        5 https://[fd00:ec2::254]/
            error: fd00:ec2::254 has an address that nothing is sent to: link-local, or of no one host
        5 https://10.0.0.1/
            error: 10.0.0.1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://192.168.0.1/
            error: 192.168.0.1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        5 https://100.64.0.1/
            error: 100.64.0.1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        3 https://example.com@127.0.0.1:PORT/
            error[settings-value]: 'https://example.com@127.0.0.1:PORT/' is not an address of http or https: a user or password does not belong here
    "#]].assert_eq(&told);
    let came = listener.accept().map_err(|error| error.kind());
    assert_eq!(came.err(), Some(std::io::ErrorKind::WouldBlock), "somebody was let through");
}

const RULED: &str = "
version: 1
project: app
groups: { devops: [kim], leads: [lena] }
environments:
  production:
    level: 4
    protect: { reviewers: { devops: 1, leads: 1 }, branches: [main] }
";

/// The attacker is a member of every group, and calls herself by the names of others.
const LOOSENED: &str = "
version: 1
project: app
groups: { devops: [eve], leads: [eve] }
environments:
  production: { level: 4, protect: { wait: 0s, authors: true } }
";

const TAKES: &str = r#"
on: push
jobs:
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: echo "${{ secrets.DB_URL }}" | rev >> $MARKS/taken
"#;

#[test]
fn no_push_takes_away_the_rules_that_the_server_keeps() {
    let serving = Serving::of(OTHERS);
    let rules = serving.place.path("rules.yml");
    std::fs::write(&rules, RULED).expect("a file of ours");
    let protect = |file: &Path| {
        let file = file.display().to_string();
        serving.command(&["repositories", "protect", "octo/app", "--rules", &file])
    };
    let kept = protect(&rules);
    assert_eq!(kept.exit, 0, "{}", kept.stderr);
    let shown = rules.display().to_string();
    expect![[r"
        warning[settings-quorum]: nobody approves their own deployment: when kim or lena asks for one, too few are left
         --> RULES:8:16
          |
        8 |     protect: { reviewers: { devops: 1, leads: 1 }, branches: [main] }
          |                ^^^^^^^^^
          |
          = help: add people to the groups

        octo/app: production: 1 of devops agree. 1 of leads agree. Only branches main.
    "]]
    .assert_eq(&kept.stderr.replace(&shown, "RULES"));
    serving.place.write("launchway.yml", RULED);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);

    // One push: no reviewers, her own groups and names, and a job that prints the secret.
    let marks = serving.place.path("marks").display().to_string();
    serving.place.write(".github/workflows/ci.yml", &TAKES.replace("$MARKS", &marks));
    serving.place.write("launchway.yml", LOOSENED);
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    serving.place.write(".launchway/allowed_signers", &format!("eve,kim,lena {key}\n"));
    serving.place.commit();
    let pushed = serving.push();
    assert_eq!(pushed.exit, 0, "{}", pushed.stderr);
    let mut why = String::new();
    crate::harness::wait_until("the gate", || {
        let run = serving.get("/api/v1/runs/1").json();
        why = run["jobs"][0]["why_waiting"].as_str().unwrap_or_default().to_owned();
        why.contains("gate")
    });
    expect!["waits at the gate of production for 1 of devops (kim) and 1 of leads (lena)"]
        .assert_eq(&why);
    let made =
        serving.command(&["tokens", "create", "eve", "--scope", "approve", "--person", "eve"]);
    let bearer = format!("Bearer {}", made.stdout.trim());
    let path = "/api/v1/runs/1/jobs/ship/approval";
    let what = serving.get(path).json()["what"].clone();
    for group in ["devops", "leads"] {
        let body =
            json!({ "decision": "approve", "gate": format!("approval/{group}"), "what": what });
        let headers = [("authorization", bearer.as_str())];
        let got = serving.ask("POST", path, &headers, &body.to_string());
        assert_eq!(got.status, 403, "{}", got.text);
    }
    // Nor does she get round them where the file in the repository does not name the environment.
    serving.place.git(&["rm", "--quiet", "launchway.yml"]);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    crate::harness::wait_until("the gate", || {
        let run = serving.get("/api/v1/runs/2").json();
        run["jobs"][0]["why_waiting"].as_str() == Some(&why)
    });
    assert_eq!(serving.mark("taken"), "");
    let shown = serving.get("/environments").text;
    assert!(shown.contains("Kept by the server: 1 of devops agree."), "{shown}");

    // A level asks nobody, and holds all the same.
    let level = "version: 1\nproject: app\nenvironments:\n  staging: { protect: { wait: 1h } }\n  production: { level: 1 }\n";
    std::fs::write(&rules, level).expect("a file of ours");
    expect![[r"
        octo/app: staging: A person starts each job: by a dispatch, or at its gate where it comes of something else. 1h pass after it was asked for.
        octo/app: production: No job runs there: its level is below 4.
    "]]
    .assert_eq(&protect(&rules).stderr);
    serving.place.write("launchway.yml", LOOSENED);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    let run = serving.ended("3");
    assert_eq!(run["conclusion"], "failure", "{run}");
    let events = serving.get("/api/v1/runs/3/events").text;
    assert!(events.contains("production has the level 1: no job runs there"), "{events}");
    assert_eq!(serving.mark("taken"), "");
    let shown = serving.get("/environments").text;
    assert!(shown.contains("Kept by the server: No job runs there"), "{shown}");

    std::fs::write(&rules, "version: 1\nproject: app\n").expect("a file of ours");
    let nothing = protect(&rules);
    assert!(nothing.stderr.contains("these rules guard no environment"), "{}", nothing.stderr);
}

/// It asks for the machine itself, and reads the server's journal.
const BARE: &str = r#"
on: push
jobs:
  steals:
    runs-on: [self-hosted, deploy]
    steps: [{ run: 'cat $MARKS/../data/journal.db > /dev/null && echo "$GITHUB_REF" >> $MARKS/taken' }]
"#;

/// Whoever may push a branch, and not to the default branch (hooks of the host's, protection on GitHub), gets no
/// trusted label by it; nor does another repository.
#[test]
fn no_branch_takes_a_trusted_label_that_is_not_its_own() {
    let label = |whose: &'static str| ["--label", "deploy", "--trusted-label", whose];
    let mut serving = Serving::with(BARE, &label("deploy"));
    let bare = serving.place.path("app.git").display().to_string();
    let why = |serving: &Serving, run: usize| {
        let mut why = String::new();
        crate::harness::wait_until("the job's words", || {
            let shown = serving.get(&format!("/api/v1/runs/{run}")).json();
            why = shown["jobs"][0]["why_waiting"].as_str().unwrap_or_default().to_owned();
            why.contains("trusted")
        });
        why
    };
    for (at, git_ref) in ["heads/evil", "tags/main", "heads/Main"].into_iter().enumerate() {
        serving.place.git(&["push", "--quiet", &bare, &format!("HEAD:refs/{git_ref}")]);
        expect!["waits for the trusted label `deploy`, which is given to the default branch, and jobs that people agreed to at a gate, and this job is none of that (serve --trusted-label)"]
            .assert_eq(&why(&serving, at + 1));
    }
    let queue = serving.get("/runners").text;
    assert!(queue.contains("waits for the trusted label"), "{queue}");
    assert_eq!(serving.push().exit, 0);
    assert_eq!(serving.ended("4")["conclusion"], "success");
    assert_eq!(serving.mark("taken"), "refs/heads/main\n");
    // Of another repository, none; of the branch, once an administrator says so.
    serving.stop();
    serving.restart_as(&label("deploy=octo/other:everything"));
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    expect!["waits for the trusted label `deploy`, which is not given to this repository (serve --trusted-label)"]
        .assert_eq(&why(&serving, 5));
    let said = serving.said();
    assert!(said.contains("no repository octo/other is connected"), "{said}");
    serving.stop();
    serving.restart_as(&label("deploy=octo/app:branch:evil"));
    assert_eq!(serving.ended("1")["conclusion"], "success");
    assert_eq!(serving.mark("taken"), "refs/heads/main\nrefs/heads/evil\n");
    serving.end();
}
