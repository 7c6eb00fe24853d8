//! What the reader says about `launchway.yml`.

mod form;
mod sense;
mod typed;

use std::fmt::Write as _;

use expect_test::Expect;
use settings::{Settings, read};
use syntax::{Diagnostic, Source};

const WHOLE: &str = include_str!("../whole.yml");

/// What is around a mistake in the tests below, so that only that is wrong.
const AROUND: &str = "
version: 1
project: planner
services: { api: { run: [python3, app.py], health: /health } }
environments: { dev: { targets: { host: 127.0.0.1:8080 } } }
";

fn said(found: &[Diagnostic]) -> String {
    let mut text = String::new();
    for it in found {
        let label = &it.labels[0];
        let place = label.source.place(label.span.start);
        let under = label.source.slice(label.span).lines().next().unwrap_or_default();
        let _ = writeln!(
            text,
            "{}:{} {under} | {}[{}]: {}",
            place.line, place.column, it.severity, it.rule, it.message
        );
        for other in &it.labels[1..] {
            let line = other.source.place(other.span.start).line;
            let _ = writeln!(text, "    line {line}: {}", other.text);
        }
        let _ = writeln!(text, "    hint: {}", it.hint.as_deref().unwrap_or_default());
    }
    text
}

/// The findings of a whole file.
fn check(text: &str, expected: Expect) {
    let (settings, found) = read(&Source::new("launchway.yml", text));
    let refused = found.iter().any(|it| it.severity == syntax::Severity::Error);
    assert_eq!(settings.is_none(), refused);
    expected.assert_eq(&said(&found));
}

/// The findings of a file that is well but for one key of the root, which takes the place of its own.
fn check_root(key: &str, expected: Expect) {
    let name = key.trim_start().split(':').next().expect("a key");
    let rest = AROUND.lines().filter(|line| !line.starts_with(&format!("{name}:")));
    let rest: Vec<&str> = rest.filter(|line| !line.is_empty()).collect();
    check(&format!("{}\n{}\n", key.trim(), rest.join("\n")), expected);
}

/// The findings of one service that runs on a host.
fn check_service(keys: &str, expected: Expect) {
    check_root(&format!("services:\n  api: {{ run: [app], health: /, {keys} }}"), expected);
}

/// The findings of one environment with a host.
fn check_environment(keys: &str, expected: Expect) {
    let text = format!(
        "groups: {{ devops: [mona, hubot], leads: [mona] }}\n{}",
        AROUND.replace("dev: { targets", &format!("dev: {{ {keys}, targets"))
    );
    check(&text, expected);
}

fn whole() -> Settings {
    let (settings, found) = read(&Source::new("launchway.yml", WHOLE));
    let words: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(words, [""; 0]);
    settings.expect("nothing is wrong with it")
}
