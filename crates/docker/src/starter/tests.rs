//! The scripts, by the shells of this machine, without a container.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

use expect_test::{Expect, expect};

use super::*;

/// A first process that runs, outside a container.
struct First {
    child: Child,
    folder: PathBuf,
    number: u32,
    _around: tempfile::TempDir,
}

impl First {
    fn by(shell: &[&str]) -> First {
        let around = tempfile::tempdir().expect("a folder");
        let folder = around.path().join("starter");
        let mut starter = Starter::make(&folder).expect("it is made");
        // In a group of its own: at its end it kills its group.
        let child = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", FIRST])
            .arg(starter.shown())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn();
        let child = child.expect("the shell starts");
        assert_eq!(starter.is_up(), Some(&*folder), "{shell:?}");
        First { child, folder, number: 0, _around: around }
    }

    fn begin(&mut self, env: &[(&str, &str)], directory: &str, script: &str) -> Option<Begun> {
        self.number += 1;
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let words = ["/bin/sh", "-c", &format!("{OWN_ERRORS}{script}")].map(str::to_owned);
        let asked = Asked {
            folder: &self.folder,
            number: &self.number.to_string(),
            directory,
            words: &words,
            env: &env.collect(),
        };
        asked.begin()
    }

    /// What it prints, its errors, and its exit code.
    fn said(&self, begun: Begun) -> String {
        let [out, err] = ["out", "err"].map(|name| self.folder.join(format!("said.{name}")));
        let to = [&out, &err].map(|path| File::create(path).expect("a file"));
        let code = begun.show(to, Duration::from_secs(60)).expect("it is shown");
        let [out, err] = [out, err].map(|path| fs::read_to_string(path).expect("text"));
        format!("{out}{}exit {code}\n", err.replace("\n", " (error)\n"))
    }

    fn check(&mut self, env: &[(&str, &str)], script: &str, expected: &Expect) {
        let begun = self.begin(env, "/", script).expect("it begins");
        expected.assert_eq(&self.said(begun));
        let left = fs::read_dir(self.folder.join("shown")).expect("a folder").count();
        assert_eq!(left, 3, "ask, begin, up");
    }

    /// Its input is at its end.
    fn end(mut self) -> ExitStatus {
        self.child.stdin = None;
        self.child.wait().expect("it ends")
    }
}

/// Those that are `/bin/sh` somewhere, where this machine has them.
fn shells() -> Vec<Vec<&'static str>> {
    let all = [&["dash"][..], &["bash", "--posix"], &["busybox", "sh"]];
    let is_there = |shell: &&[&str]| {
        let tried = Command::new(shell[0]).args(&shell[1..]).args(["-c", ":"]).status();
        tried.is_ok_and(|it| it.success())
    };
    all.into_iter().filter(is_there).map(<[&str]>::to_vec).collect()
}

fn programs_begin_print_and_end() {
    for shell in shells() {
        let mut first = First::by(&shell);
        let odd = "it's \"so\" $HOME `x` \\ \n\ttwo ";
        first.check(
            &[("ODD", odd), ("EMPTY", "")],
            "printf '%s|%s|\\n' \"$ODD\" \"$EMPTY\"; pwd; echo no >&2",
            &expect![[r#"
                it's "so" $HOME `x` \ 
                	two ||
                /
                no (error)
                exit 0
            "#]],
        );
        first.check(&[], "exit 7", &expect!["exit 7\n"]);
        // What its shell would say of that is nobody's output.
        first.check(&[], "kill -9 $$", &expect!["exit 137\n"]);
        first.check(&[], "kill -TERM $$", &expect!["exit 143\n"]);
        first.check(
            &[],
            "read -r line || echo nothing to read",
            &expect![[r#"
            nothing to read
            exit 0
        "#]],
        );
        let leads = "[ \"$(ps -o pgid= -p $$ | tr -d ' ')\" = $$ ]";
        first.check(&[], leads, &expect!["exit 0\n"]);
        let long = "x".repeat(VALUE_BYTES_MAX);
        first.check(&[("LONG", &long)], "echo ${#LONG}", &expect!["102400\nexit 0\n"]);
        first.check(&[], "kill -INT $$; echo ignored", &expect!["exit 130\n"]);
        first.check(
            &[],
            "head -c 300000 /dev/zero | tr '\\0' x | wc -c",
            &expect![[r#"
            300000
            exit 0
        "#]],
        );
        assert!(!first.end().success(), "{shell:?}: it and its group are killed");
    }
}

fn what_the_engine_has_to_begin() {
    let mut first = First::by(&["sh"]);
    for name in ["INPUT_NODE-VERSION", "1A", "", "BASH_ENV", "UID", "PWD", "IFS"] {
        assert!(first.begin(&[(name, "x")], "/", "exit 0").is_none(), "{name}");
    }
    assert!(first.begin(&[("A", "x\0y")], "/", "exit 0").is_none(), "no variable holds a zero");
    let long = "x".repeat(VALUE_BYTES_MAX + 1);
    assert!(first.begin(&[("A", &long)], "/", "exit 0").is_none(), "the kernel's limit");
    let one = first.begin(&[], "/", "exit 0").expect("it begins");
    assert!(first.begin(&[], "/", "exit 0").is_none(), "one at a time");
    first.said(one);
    first.check(&[], "exit 0", &expect!["exit 0\n"]);
    let nowhere = first.begin(&[], "/nowhere", "exit 0").expect("it begins");
    assert_eq!(first.said(nowhere), "/nowhere is no folder to work in (error)\nexit 126\n");
}

fn a_first_process_that_is_gone() {
    let mut first = First::by(&["sh"]);
    first.check(&[], "kill -9 $PPID", &expect!["exit 137\n"]);
    first.child.stdin = None;
    first.child.wait().expect("it ends");
    assert!(first.begin(&[], "/", "exit 0").is_none());
    assert!(!first.folder.join("shown/ask").exists(), "nobody asks again");
}

/// One after the other: a child that another test is starting holds this one's lock until it is a program of its own.
#[test]
fn what_a_containers_first_process_begins() {
    programs_begin_print_and_end();
    what_the_engine_has_to_begin();
    a_first_process_that_is_gone();
}
