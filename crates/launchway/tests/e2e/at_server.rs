//! Verbs against a server: what `--server` says is what is said where the server runs, and whoever is bound to a
//! repository sees that one.

use std::io::Write as _;
use std::process::Stdio;

use expect_test::{Expect, expect};

use crate::harness::{Place, Said};
use crate::serving::Serving;

const WORKFLOW: &str = "
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: echo '= ${{ vars.REGION }}' \"$(printf %s \"$TOKEN\" | wc -c)\"
        env: { TOKEN: '${{ secrets.TOKEN }}' }
";

/// Somebody with a token of a server.
struct Asker<'s> {
    place: &'s Place,
    url: &'s str,
    token: &'s str,
}

impl Asker<'_> {
    /// A command with `--server`, and something on its standard input.
    fn given(&self, args: &[&str], input: &str) -> Said {
        let mut command = self.place.launchway(args);
        command.args(["--server", self.url]).env("LAUNCHWAY_TOKEN", self.token);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // Whoever is refused does not read it.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        Said::from(child.wait_with_output().expect("it ends"))
    }

    fn run(&self, args: &[&str]) -> Said {
        self.given(args, "")
    }

    /// What is said. Times of this minute are `NOW`.
    fn check(&self, args: &[&str], input: &str, expect: &Expect) {
        let said = self.given(args, input);
        let now = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?").expect("one");
        let text = format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit);
        let text = text.replace(self.url, "URL");
        expect.assert_eq(&now.replace_all(&text, "NOW"));
    }

    /// The same words, and the same lines of JSON, as `here` says them where the server runs.
    fn same(&self, args: &[&str], here: &dyn Fn(&[&str]) -> Said) {
        for format in ["human", "json"] {
            let args = [args, &["--format", format]].concat();
            let (here, there) = (here(&args), self.run(&args));
            assert_eq!(here.exit, 0, "{args:?} {}", here.stderr);
            assert_eq!((&there.stdout, there.exit), (&here.stdout, 0), "{args:?} {}", there.stderr);
        }
    }
}

/// Whoever has the token of the first start.
fn admin(serving: &Serving) -> Asker<'_> {
    Asker { place: &serving.place, url: &serving.url, token: &serving.token }
}

/// A token that is made on the server's machine.
fn token(serving: &Serving, args: &[&str]) -> String {
    let said = serving.command(&[&["tokens", "create", "x"], args].concat());
    assert_eq!(said.exit, 0, "{}", said.stderr);
    said.stdout.trim().to_owned()
}

#[test]
fn secrets_and_variables_are_kept_at_a_server() {
    let serving = Serving::of(WORKFLOW);
    assert_eq!(serving.push().exit, 0);
    let app = ["--repository", "octo/app"];
    let with = |args: &[&'static str]| [args, &app].concat();
    let admin = admin(&serving);
    let here = |args: &[&str]| serving.command(args);
    admin.check(
        &with(&["secrets", "list"]),
        "",
        &expect![[r#"
            TOKEN  missing  .github/workflows/ci.yml:8
            exit 0
        "#]],
    );
    admin.check(
        &with(&["secrets", "set", "token", "--rotate-by", "2020-01-31"]),
        "for-everybody\n",
        &expect![[r#"
            the secret TOKEN is kept for octo/app
            exit 0
        "#]],
    );
    admin.check(
        &with(&["secrets", "set", "TOKEN", "--environment", "production"]),
        "for-production",
        &expect![[r#"
            the secret TOKEN is kept for production of octo/app
            exit 0
        "#]],
    );
    admin.check(
        &with(&["secrets", "set", "TOKEN"]),
        "for-everybody-else",
        &expect![[r#"
            the secret TOKEN has another value for octo/app
            exit 0
        "#]],
    );
    admin.check(
        &with(&["vars", "set", "REGION", "eu-central-1"]),
        "",
        &expect![[r#"
            the variable REGION is kept for octo/app
            exit 0
        "#]],
    );
    admin.same(&with(&["secrets", "list"]), &here);
    admin.same(&with(&["vars", "list"]), &here);
    admin.check(
        &with(&["secrets", "setup"]),
        "",
        &expect![[r#"
            every secret that is named is set
            exit 0
        "#]],
    );
    let said = admin.run(&with(&["secrets", "list", "--format", "json"]));
    assert!(!said.stdout.contains("for-everybody"), "{}", said.stdout);
    admin.check(
        &with(&["secrets", "remove", "TOKEN", "--environment", "production"]),
        "",
        &expect![[r#"
            the secret TOKEN is forgotten
            exit 0
        "#]],
    );
    admin.check(
        &with(&["secrets", "remove", "NOBODYS"]),
        "",
        &expect![[r#"
            error: no secret NOBODYS is kept there
            exit 2
        "#]],
    );
    admin.check(
        &["secrets", "list"],
        "",
        &expect![[r#"
            error: the following required arguments were not provided:
              --repository <OWNER/NAME>

            Usage: launchway secrets list --repository <OWNER/NAME> --server <URL>

            For more information, try '--help'.
            exit 2
        "#]],
    );
    let bound = token(&serving, &["--repository", "octo/app"]);
    let bound = Asker { token: &bound, ..admin };
    assert_eq!(bound.run(&with(&["secrets", "list"])).exit, 0);
    bound.check(
        &with(&["secrets", "set", "TOKEN"]),
        "mine",
        &expect![[r#"
        error: this token may read for octo/app; this needs one that may admin
        exit 4
    "#]],
    );
    bound.check(
        &["secrets", "list", "--repository", "octo/other"],
        "",
        &expect![[r#"
        error: no repository octo/other is connected
        exit 2
    "#]],
    );
    // Nobody is given a value again: not where it lies, and not by what was said of it.
    let mut grep = serving.place.program("grep");
    grep.args(["-rlE", "for-everybody|for-production"]).arg(serving.place.path("data"));
    let found = grep.output().expect("grep starts");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}
