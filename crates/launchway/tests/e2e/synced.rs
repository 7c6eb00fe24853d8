//! What is kept here is put into GitHub's secrets and variables: as it is, once, by whoever may, and nowhere else.

use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};
use model_github::{Fault, FaultKind, Front, GitHub, Values};
use serde_json::{Value as Json, json};

use crate::github::Connected;
use crate::harness::{Place, Said, wait_until};
use crate::kept::given;

const TOKEN: &str = "ghp_ofAPersonThatNobodyMaySee";
const SYNC: [&str; 5] = ["secrets", "sync", "github", "--to", "octo/app"];

/// A clone with values, and a GitHub that has the repository with the environment `production`.
fn clone(secrets: &[(&str, &str, &str)]) -> (Place, Front) {
    let place = Place::workflow("on: push\njobs: {}\n");
    place.git(&["remote", "add", "origin", "git@example.com:octo/planner.git"]);
    for (name, environment, value) in secrets {
        let of = ["--environment", environment];
        let of: &[&str] = if environment.is_empty() { &[] } else { &of };
        let said = given(&place, &[&["secrets", "set", name], of].concat(), value);
        assert_eq!(said.exit, 0, "{}", said.stderr);
    }
    let mut github = GitHub::default();
    github.tokens.insert(TOKEN.to_owned(), "mona".to_owned());
    github.add("octo/app");
    let repository = github.repositories.get_mut("octo/app").expect("it was added");
    repository.environments.insert("Production".to_owned(), Values::default());
    let front = Front::serve(github, &place.path("github")).expect("a port");
    (place, front)
}

fn command(place: &Place, front: &Front, args: &[&str]) -> Command {
    let url = front.url();
    let mut command = place.launchway(&[&SYNC[..], &["--url", &url], args].concat());
    command.env("GH_ENTERPRISE_TOKEN", TOKEN);
    command
}

fn sync(place: &Place, front: &Front, args: &[&str]) -> Said {
    Said::from(command(place, front, args).output().expect("it starts"))
}

/// Times of this minute are `NOW`, and the GitHub is called so.
fn told(said: &Said, front: &Front, expect: &Expect) {
    let now = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d").expect("one");
    let text = format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit);
    let url = front.url();
    let text = text.replace(&url, "GITHUB").replace(url.trim_start_matches("http://"), "GITHUB");
    expect.assert_eq(&now.replace_all(&text, "NOW"));
}

/// `production/KEY = value`, secrets before variables.
fn there(front: &Front) -> String {
    let repository = front.with(|it| it.repositories["octo/app"].clone());
    let mut text = String::new();
    let places = repository.environments.iter().map(|(name, it)| (format!("{name}/"), it));
    for (place, values) in [(String::new(), &repository.values)].into_iter().chain(places) {
        for (name, it) in values.secrets.iter().chain(&values.variables) {
            text += &format!("{place}{name} = {}\n", it.value);
        }
    }
    text
}

/// Nothing of this stands in a file below the folder.
fn stands_nowhere(place: &Place, pattern: &str, folder: &Path) {
    let mut grep = place.program("grep");
    let found = grep.args(["-rlE", pattern]).arg(folder).output().expect("grep starts");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

fn trail(place: &Place) -> String {
    let state = place.state().display().to_string();
    let said = place.run(&["audit", "export", "--data", &state]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let one = |it: &Json| {
        let why = it["reason"].as_str().filter(|why| !why.is_empty());
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        format!("{} {}{why}\n", it["action"], it["object"]).replace('"', "")
    };
    said.lines()
        .iter()
        .filter(|it| it["action"].is_string() && it["action"] != "secret.set")
        .map(one)
        .collect()
}

#[test]
fn what_is_kept_is_there_as_it_is_and_what_is_only_there_stays() {
    let (place, front) = clone(&[
        ("TOKEN", "", "for-everybody"),
        ("GITHUB_TOKEN", "", "ghp_mine"),
        ("DB_URL", "production", "postgres://é"),
        ("KEY", "staging", "for-staging"),
    ]);
    assert_eq!(place.run(&["vars", "set", "REGION", "eu-central-1"]).exit, 0);
    front.with(|it| {
        let values = &mut it.repositories.get_mut("octo/app").expect("it was added").values;
        let old = |value: &str| model_github::KeptValue {
            value: value.to_owned(),
            created_at: "2020-01-01T00:00:00Z".to_owned(),
            updated_at: "2020-01-01T00:00:00Z".to_owned(),
        };
        values.secrets.insert("OLD".to_owned(), old("theirs"));
        values.secrets.insert("TOKEN".to_owned(), old("before"));
    });
    told(
        &sync(&place, &front, &["--dry-run"]),
        &front,
        &expect![[r#"
        stays here  secret GITHUB_TOKEN  GitHub makes one for each job; another token needs another name
        only there  secret OLD  there since NOW: it stays
        replaced  secret TOKEN  there since NOW, set here NOW
        new  variable REGION  set here NOW
        new  secret DB_URL (production)  set here NOW
        not put  secret KEY (staging)  GitHub has no environment staging: make it there, or --make-environments
        to octo/app at GITHUB:
        3 would be put there; nothing was done
        exit 0
    "#]],
    );
    // Nobody agreed: nothing is done.
    told(
        &sync(&place, &front, &["--environment", "production"]),
        &front,
        &expect![[r#"
        new  secret DB_URL (production)  set here NOW
        to octo/app at GITHUB:
        error: nobody agreed to that
        hint: agree with --yes
        exit 4
    "#]],
    );
    assert_eq!(there(&front), "OLD = theirs\nTOKEN = before\n");
    told(
        &sync(&place, &front, &["--yes"]),
        &front,
        &expect![[r#"
        stays here  secret GITHUB_TOKEN  GitHub makes one for each job; another token needs another name
        only there  secret OLD  there since NOW: it stays
        replaced  secret TOKEN  there since NOW, set here NOW
        new  variable REGION  set here NOW
        new  secret DB_URL (production)  set here NOW
        not put  secret KEY (staging)  GitHub has no environment staging: make it there, or --make-environments
        put secret TOKEN
        put variable REGION
        put secret DB_URL (production)
        to octo/app at GITHUB:
        3 of 3 put there, 0 up to date
        error: 1 value is not there
        hint: --make-environments makes staging
        exit 3
    "#]],
    );
    expect![[r#"
        OLD = theirs
        TOKEN = for-everybody
        REGION = eu-central-1
        Production/DB_URL = postgres://é
    "#]]
    .assert_eq(&there(&front));
    // Once more: there is nothing left to do but the environment.
    told(
        &sync(&place, &front, &["--yes", "--make-environments", "--reason", "the new\ncluster"]),
        &front,
        &expect![[r#"
        new  environment staging  without rules
        stays here  secret GITHUB_TOKEN  GitHub makes one for each job; another token needs another name
        only there  secret OLD  there since NOW: it stays
        up to date  secret TOKEN  there since NOW, set here NOW
        up to date  variable REGION  there since NOW, set here NOW
        up to date  secret DB_URL (production)  there since NOW, set here NOW
        new  secret KEY (staging)  set here NOW
        made environment staging
        put secret KEY (staging)
        to octo/app at GITHUB:
        1 of 1 put there, 3 up to date
        exit 0
    "#]],
    );
    told(
        &sync(&place, &front, &["--yes"]),
        &front,
        &expect![[r#"
        stays here  secret GITHUB_TOKEN  GitHub makes one for each job; another token needs another name
        only there  secret OLD  there since NOW: it stays
        up to date  secret TOKEN  there since NOW, set here NOW
        up to date  variable REGION  there since NOW, set here NOW
        up to date  secret DB_URL (production)  there since NOW, set here NOW
        up to date  secret KEY (staging)  there since NOW, set here NOW
        to octo/app at GITHUB:
        nothing is to be put there
        exit 0
    "#]],
    );
    told(
        &sync(&place, &front, &["--yes", "--all", "TOKEN"]),
        &front,
        &expect![[r#"
        replaced  secret TOKEN  there since NOW, set here NOW
        put secret TOKEN
        to octo/app at GITHUB:
        1 of 1 put there, 0 up to date
        exit 0
    "#]],
    );
    let calls = front.with(|it| it.called("PUT", "/environments/staging").len());
    assert_eq!(calls, 2, "the environment once, and its secret");
    stands_nowhere(&place, "for-everybody|postgres://|for-staging|ghp_", &place.state());
    expect![[r#"
        variable.set example.com/octo/planner REGION
        secret.sync example.com/octo/planner TOKEN to octo/app at GITHUB
        variable.sync example.com/octo/planner REGION to octo/app at GITHUB
        secret.sync example.com/octo/planner production DB_URL to octo/app at GITHUB
        environment.make staging of octo/app at GITHUB: the new cluster
        secret.sync example.com/octo/planner staging KEY to octo/app at GITHUB: the new cluster
        secret.sync example.com/octo/planner TOKEN to octo/app at GITHUB
    "#]]
    .assert_eq(&trail(&place).replace(&front.url(), "GITHUB"));
}

/// GitHub's times have no parts of a second: by them the second value is no newer than the first.
#[test]
fn what_is_set_in_the_same_second_is_put_there_too() {
    let (place, front) = clone(&[]);
    for value in ["one", "two", "three"] {
        assert_eq!(given(&place, &["secrets", "set", "TOKEN"], value).exit, 0);
        let said = sync(&place, &front, &["--yes"]);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        assert_eq!(there(&front), format!("TOKEN = {value}\n"));
    }
    assert!(sync(&place, &front, &["--yes"]).stdout.starts_with("up to date  secret TOKEN"));
}

#[test]
fn what_is_set_later_replaces_and_programs_are_told() {
    let (place, front) = clone(&[("TOKEN", "", "one")]);
    assert_eq!(place.run(&["vars", "set", "REGION", "eu"]).exit, 0);
    assert_eq!(sync(&place, &front, &["--yes"]).exit, 0);
    front.with(|it| {
        let values = &mut it.repositories.get_mut("octo/app").expect("it was added").values;
        for it in values.secrets.values_mut().chain(values.variables.values_mut()) {
            it.updated_at = "2020-01-01T00:00:00Z".to_owned();
        }
    });
    let said = sync(&place, &front, &["--yes", "--format", "json", "--only", "secrets"]);
    let now = regex::Regex::new(r"\d{13}").expect("one");
    let lines = now.replace_all(&said.stdout, "0").replace(&front.url(), "GITHUB");
    expect![[r#"
        {"type":"value","kind":"secret","name":"TOKEN","environment":null,"state":"replaced","set_at_ms":0,"there_since_ms":0,"why":null}
        {"type":"became","kind":"secret","name":"TOKEN","environment":null,"state":"put","set_at_ms":0,"there_since_ms":0,"why":null}
        {"type":"synced","to":"octo/app at GITHUB","dry_run":false,"to_put":1,"put":1,"up_to_date":0,"refused":0}
    "#]].assert_eq(&lines);
    // Of variables the value tells, not the time.
    told(
        &sync(&place, &front, &["--only", "variables", "--dry-run"]),
        &front,
        &expect![[r#"
        up to date  variable REGION  there since NOW, set here NOW
        to octo/app at GITHUB:
        nothing is to be put there
        exit 0
    "#]],
    );
    assert_eq!(place.run(&["vars", "set", "REGION", "us"]).exit, 0);
    told(
        &sync(&place, &front, &["REGION", "--yes"]),
        &front,
        &expect![[r#"
        replaced  variable REGION  there since NOW, set here NOW
        put variable REGION
        to octo/app at GITHUB:
        1 of 1 put there, 0 up to date
        exit 0
    "#]],
    );
    assert_eq!(there(&front), "TOKEN = one\nREGION = us\n");
}

#[test]
fn a_clock_that_is_behind_lets_nothing_seem_to_be_there() {
    let (place, front) = clone(&[("TOKEN", "", "one")]);
    front.with(|it| it.ahead_seconds = 300);
    let said = sync(&place, &front, &["--yes"]);
    // To the second, and some pass while it is asked.
    let seconds = regex::Regex::new(r"\d+ s behind").expect("one");
    let said = Said { stderr: seconds.replace_all(&said.stderr, "300 s behind").into(), ..said };
    told(
        &said,
        &front,
        &expect![[r#"
        error: this machine's clock is 300 s behind that of GITHUB: nobody can tell what was set since
        hint: set the clock; or put all of it there, whatever is there: --all
        exit 5
    "#]],
    );
    assert_eq!(there(&front), "");
    assert_eq!(sync(&place, &front, &["--yes", "--all"]).exit, 0);
    assert_eq!(there(&front), "TOKEN = one\n");
}

#[test]
fn whoever_is_stopped_in_the_middle_goes_on_with_what_is_not_there() {
    let names: Vec<String> = (0..40).map(|it| format!("S{it:02}")).collect();
    let values: Vec<(&str, &str, &str)> = names.iter().map(|it| (it.as_str(), "", "v")).collect();
    let (place, front) = clone(&values);
    let fault = |path: &str, kind: FaultKind| {
        let fault = Fault { method: "PUT".to_owned(), path: path.to_owned(), kind, times: 1 };
        front.with(|it| it.faults.push(fault));
    };
    let count = || front.with(|it| it.repositories["octo/app"].values.secrets.len());
    fault("/S02", FaultKind::Limited(50));
    let said = sync(&place, &front, &["--yes"]);
    assert_eq!((said.exit, count()), (5, 2), "{}", said.stderr);
    let hint = "hint: 2 of 40 were put there; the same command goes on";
    assert!(said.stderr.contains("takes no more calls for 50 s"), "{}", said.stderr);
    assert!(said.stderr.contains(hint), "{}", said.stderr);
    // It was done, and nobody heard of it.
    fault("/S04", FaultKind::AnswerLost);
    let said = sync(&place, &front, &["--yes"]);
    assert_eq!((said.exit, count()), (5, 5), "{}", said.stderr);
    let mut killed = command(&place, &front, &["--yes"]);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    wait_until("some more", || count() > 6);
    killed.kill().expect("it is ours");
    killed.wait().expect("it ends");
    let said = sync(&place, &front, &["--yes"]);
    assert_eq!((said.exit, count()), (0, 40), "{}", said.stderr);
    let put = front.with(|it| it.called("PUT", "/secrets/S").len());
    // The one that was refused, and the one that was on its way when its sender was killed.
    assert!((41..=42).contains(&put), "{put}");
}

#[test]
fn who_may_not_is_told_what_it_takes_and_slips_are_refused() {
    let (place, front) = clone(&[("TOKEN", "", "one"), ("KEY", "production", "two")]);
    told(
        &sync(&place, &front, &["NOTHING"]),
        &front,
        &expect![[r#"
        error: no NOTHING is kept for example.com/octo/planner
        hint: launchway secrets list and launchway vars list show what is, and for which environment
        exit 2
    "#]],
    );
    told(
        &sync(&place, &front, &["--environment", "qa"]),
        &front,
        &expect![[r#"
        error: nothing of the environment qa is kept for example.com/octo/planner
        hint: launchway secrets list and launchway vars list show what is, and for which environment
        exit 2
    "#]],
    );
    told(
        &sync(&place, &front, &["--environment", "PRODUCTION", "TOKEN"]),
        &front,
        &expect![[r#"
        error: no TOKEN of PRODUCTION is kept for example.com/octo/planner
        hint: launchway secrets list and launchway vars list show what is, and for which environment
        exit 2
    "#]],
    );
    told(
        &sync(&place, &front, &["A B"]),
        &front,
        &expect![[r#"
        error: `A B` cannot be the name of a secret or a variable
        hint: letters, digits and _, not a digit first
        exit 2
    "#]],
    );
    let may = [("secrets".to_owned(), "write".to_owned())];
    front.with(|it| it.token_permissions.insert(TOKEN.to_owned(), may.into()));
    told(
        &sync(&place, &front, &["--yes"]),
        &front,
        &expect![[r#"
        error: GITHUB refused (403) to GET octo/app/environments/production/secrets: Resource not accessible by personal access token
        hint: it takes, of an app or of a fine-grained token: Secrets: write, Variables: write, Environments: write; Administration: write to make environments
        exit 4
    "#]],
    );
    front.with(|it| it.tokens.clear());
    told(
        &sync(&place, &front, &["--yes"]),
        &front,
        &expect![[r#"
        error: GITHUB does not let us in: Bad credentials
        hint: make a new token; a server's: launchway github connect
        exit 5
    "#]],
    );
    // A token goes to no other GitHub than the one that it is for, and to no host that a clone names.
    let said = place.launchway(&["secrets", "sync", "github"]).env("GH_TOKEN", TOKEN).output();
    told(
        &Said::from(said.expect("it starts")),
        &front,
        &expect![[r#"
        error: example.com/octo/planner is no repository at https://github.com
        hint: --to OWNER/NAME says which is meant; --url, at which GitHub that is not github.com
        exit 2
    "#]],
    );
    let url = front.url();
    let args = [&SYNC[..], &["--url", &url]].concat();
    let said = place.launchway(&args).env("GH_TOKEN", TOKEN).output();
    told(
        &Said::from(said.expect("it starts")),
        &front,
        &expect![[r#"
        error: nobody is signed in to GITHUB
        hint: gh auth login --hostname GITHUB; or a token in GH_ENTERPRISE_TOKEN or GITHUB_ENTERPRISE_TOKEN
        exit 2
    "#]],
    );
    let gone = ["secrets", "sync", "github", "--to", "octo/gone", "--url", &url];
    front.with(|it| it.tokens.insert(TOKEN.to_owned(), "mona".to_owned()));
    let said = place.launchway(&gone).env("GH_ENTERPRISE_TOKEN", TOKEN).output();
    told(
        &Said::from(said.expect("it starts")),
        &front,
        &expect![[r#"
        error: GITHUB has nothing to GET octo/gone, or does not let us see it
        hint: is there octo/gone, and may the token, or the app, see it?
        exit 5
    "#]],
    );
    assert_eq!(there(&front), "");
}

#[test]
fn a_servers_values_go_where_its_repository_comes_from_as_the_app() {
    let it = Connected::of(&[("ci.yml", "on: push\njobs: {}\n")], true, &[]);
    let data = it.place.path("data").display().to_string();
    let of = ["--repository", "octo/app", "--data", &data];
    let set = [&["secrets", "set", "TOKEN"], &of[..]].concat();
    assert_eq!(given(&it.place, &set, "for-the-server").exit, 0);
    let args = [&["secrets", "sync", "github", "--yes"], &of[..]].concat();
    told(
        &it.place.run(&args),
        &it.github,
        &expect![[r#"
        error: GITHUB refused (403) to GET octo/app/actions/secrets: Resource not accessible by integration
        hint: it takes, of an app or of a fine-grained token: Secrets: write, Variables: write, Environments: write; Administration: write to make environments
        exit 4
    "#]],
    );
    let write = |name: &str| (name.to_owned(), "write".to_owned());
    it.github.with(|github| {
        let all = ["contents", "checks", "secrets", "actions_variables", "environments"];
        github.app_permissions = Some(all.map(write).into());
    });
    told(
        &it.place.run(&args),
        &it.github,
        &expect![[r#"
        new  secret TOKEN  set here NOW
        put secret TOKEN
        to octo/app at GITHUB:
        1 of 1 put there, 0 up to date
        exit 0
    "#]],
    );
    assert_eq!(there(&it.github), "TOKEN = for-the-server\n");
    // Another has the name by now, and is put nothing unless somebody says that it is meant.
    it.github.with(|github| {
        github.repositories.remove("octo/app");
        github.add("octo/app");
    });
    let said = it.place.run(&args);
    assert_eq!(said.exit, 3, "{}", said.stderr);
    assert!(said.stderr.contains("is another repository by now: its number is"), "{}", said.stderr);
    assert_eq!(there(&it.github), "");
    let meant = [&args[..], &["--to", "octo/app"]].concat();
    assert_eq!(it.place.run(&meant).exit, 0);
    assert_eq!(there(&it.github), "TOKEN = for-the-server\n");
    let audit = it.get("/api/v1/audit?action=secret.sync");
    let objects: Vec<&str> = audit["decisions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["object"].as_str().expect("text"))
        .collect();
    // Where nobody was let in nothing was to be done.
    let object = format!("octo/app TOKEN to octo/app at {}", it.github.url());
    assert_eq!(objects, [&object, &object]);
    it.end();
}

/// Values that stand behind what one call puts there.
const MORE: usize = 25;

#[test]
fn a_server_puts_them_there_itself_for_whoever_may_admin() {
    let it = Connected::of(&[("ci.yml", "on: push\njobs: {}\n")], true, &[]);
    let data = it.place.path("data").display().to_string();
    for number in 0..MORE {
        let name = format!("S{number:02}");
        let set = ["secrets", "set", &name, "--repository", "octo/app", "--data", &data];
        assert_eq!(given(&it.place, &set, &format!("value-{number:02}")).exit, 0);
    }
    let set = ["secrets", "set", "KEY", "--environment", "staging", "--repository", "octo/app"];
    let set = [&set[..], &["--data", &data]].concat();
    assert_eq!(given(&it.place, &set, "for-staging").exit, 0);
    let write = |name: &str| (name.to_owned(), "write".to_owned());
    it.github.with(|github| {
        let all = ["contents", "checks", "secrets", "environments", "administration"];
        github.app_permissions = Some(all.map(write).into());
    });
    let sync = |token: &str, args: &[&str]| {
        let to = ["secrets", "sync", "github", "--repository", "octo/app", "--server", &it.url];
        let mut command = it.place.launchway(&[&to[..], args].concat());
        Said::from(command.env("LAUNCHWAY_TOKEN", token).output().expect("it starts"))
    };
    let admin = it.token.as_str();
    told(
        &sync(admin, &["KEY", "S07", "--dry-run"]),
        &it.github,
        &expect![[r#"
        new  secret S07  set here NOW
        not put  secret KEY (staging)  GitHub has no environment staging: make it there, or --make-environments
        to octo/app at GITHUB:
        1 would be put there; nothing was done
        exit 0
    "#]],
    );
    assert_eq!(there(&it.github), "");
    let said = sync(admin, &["--yes", "--make-environments", "--reason", "the new cluster"]);
    let end = said.stderr.lines().last().unwrap_or_default();
    assert_eq!((said.exit, end), (0, "26 of 26 put there, 0 up to date"), "{}", said.stderr);
    let wanted: String = (0..MORE).map(|it| format!("S{it:02} = value-{it:02}\n")).collect();
    assert_eq!(there(&it.github), format!("{wanted}staging/KEY = for-staging\n"));
    told(
        &sync(admin, &["KEY", "--yes"]),
        &it.github,
        &expect![[r#"
        up to date  secret KEY (staging)  there since NOW, set here NOW
        to octo/app at GITHUB:
        nothing is to be put there
        exit 0
    "#]],
    );
    // Who may look may not: whatever they would choose.
    let made = it.command(&["tokens", "create", "looks", "--scope", "operate", "--machine"]);
    let looks = made.stdout.trim();
    assert!(looks.starts_with("launchway_"), "{}", made.stderr);
    told(
        &sync(looks, &["--dry-run"]),
        &it.github,
        &expect![[r#"
        error: this token may operate; this needs one that may admin
        exit 4
    "#]],
    );
    let path = "/api/v1/repositories/octo/app/kept/github";
    let id = |name: &str| json!({ "kind": "secret", "name": name });
    let of =
        |names: &[&str]| json!({ "values": names.iter().map(|it| id(it)).collect::<Vec<_>>() });
    let ask = |body: &Json| {
        let (status, said) = it.ask(path, body);
        format!("{status} {}", said["detail"].as_str().unwrap_or_default())
    };
    expect!["409 no NOTHING is kept for octo/app"].assert_eq(&ask(&of(&["S00", "NOTHING"])));
    expect!["422 One call puts one value there at least, and 20 at most."]
        .assert_eq(&ask(&of(&["S00"; 21])));
    expect!["422 One call puts one value there at least, and 20 at most."]
        .assert_eq(&ask(&of(&[])));
    expect!["400 The body: unknown field `to`, expected one of `values`, `make_environments`, `reason` at line 1 column 17."].assert_eq(&ask(&json!({ "values": [], "to": "hubot/app" })));
    // What stops it is said beside what was done.
    let fault = FaultKind::Limited(50);
    let fault = Fault { method: "PUT".into(), path: "/S01".into(), kind: fault, times: 1 };
    it.github.with(|github| github.faults.push(fault));
    let (status, said) = it.ask(path, &of(&["S00", "S01"]));
    let states: Vec<&Json> =
        said["values"].as_array().expect("a list").iter().map(|it| &it["state"]).collect();
    assert_eq!((status, states), (200, vec![&json!("put")]));
    let stopped = said["stopped"].as_str().expect("text");
    assert!(stopped.ends_with("takes no more calls for 50 s"), "{stopped}");
    let audit = it.get("/api/v1/audit?action=environment.make");
    assert_eq!(audit["decisions"][0]["source"], "api");
    assert_eq!(audit["decisions"][0]["reason"], "the new cluster");
    assert_eq!(audit["decisions"].as_array().map(Vec::len), Some(1));
    // No value came over the network but to GitHub, and there sealed.
    stands_nowhere(&it.place, "value-0|for-staging", &it.place.path("data"));
    it.end();
}
