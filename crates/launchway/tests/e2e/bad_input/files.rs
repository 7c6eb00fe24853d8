//! Files that are not what they should be.

use super::Section;
use crate::harness::{Place, Said};

const JOB: &str = "{ runs-on: ubuntu-latest, steps: [{ run: 'true' }] }";

pub(super) fn section() -> Section {
    let mut section = Section::new("Files");
    workflows(&mut section);
    graphs(&mut section);
    payloads(&mut section);
    secrets(&mut section);
    others(&mut section);
    section
}

fn workflows(section: &mut Section) {
    section.workflow("a list that is not closed", "on: push\njobs: [\n");
    section.workflow("a tab as indentation", "on: push\njobs:\n\ta: {}\n");
    let mut laughs = "on: push\na0: &a0 [l, l, l, l, l, l, l, l, l]\n".to_owned();
    for at in 1..12 {
        let names = vec![format!("*a{}", at - 1); 9].join(", ");
        laughs.push_str(&format!("a{at}: &a{at} [{names}]\n"));
    }
    section.workflow("a billion laughs: aliases of aliases", &laughs);
    section.workflow("100,000 nested lists", &format!("on: push\njobs: {}", "[".repeat(100_000)));
    let long = format!("on: push\nname: ${{{{ {} }}}}\njobs: {{ a: {JOB} }}", "(".repeat(50_000));
    section.workflow("an expression of 50,000 parentheses", &long);
    let comment = format!("on: push\njobs: {{ a: {JOB} }}\n#{}", "x".repeat(5_000_000));
    section.workflow("a file of 5 MB", &comment);
    for (tried, bytes) in [
        ("a program as a workflow file", &b"\x7fELF\x02\x01\x01\0\0\0\xb7\xfe\xff"[..]),
        ("a file in Latin-1", &b"on: push\nname: caf\xe9\n"[..]),
    ] {
        let place = Place::workflow("");
        let path = place.repository().join(".github/workflows/ci.yml");
        std::fs::write(path, bytes).expect("a file of ours");
        section.row(tried, &place, &place.run(&["run"]));
    }
    section
        .workflow("an unknown key", "on: push\njobs: { a: { runs_on: x, steps: [{ run: x }] } }");
    section.workflow(
        "a shell that is neither known nor a command line",
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: x, shell: fishy }] } }",
    );
    section.workflow(
        "a shell that is not installed",
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: x, shell: 'not-here {0}' }] } }",
    );
}

fn graphs(section: &mut Section) {
    let needs = |of: &str, on: &str| {
        format!("  {of}: {{ needs: {on}, runs-on: ubuntu-latest, steps: [{{ run: x }}] }}\n")
    };
    let circle = needs("a", "b") + &needs("b", "a");
    section
        .workflow("jobs that need each other", &format!("on: push\njobs:\n  c: {JOB}\n{circle}"));
    let place = Place::with(&[
        (
            ".github/workflows/ci.yml",
            "on: [push, workflow_call]\njobs: { a: { uses: ./.github/workflows/two.yml } }",
        ),
        (
            ".github/workflows/two.yml",
            "on: workflow_call\njobs: { a: { uses: ./.github/workflows/ci.yml } }",
        ),
    ]);
    section.row("workflows that call each other", &place, &place.run(&["run"]));
    section.row("the same, `launchway check`", &place, &place.run(&["check"]));
    let many: String = (0..10_001).map(|at| format!("  j{at}: {JOB}\n")).collect();
    section.workflow("10,001 jobs", &format!("on: push\njobs:\n{many}"));
    let numbers = |to: u32| (0..to).map(|it| it.to_string()).collect::<Vec<_>>().join(", ");
    let matrix = format!("{{ x: [{}], y: [{}] }}", numbers(16), numbers(17));
    section.workflow(
        "a matrix of 272 legs",
        &format!(
            "on: push\njobs: {{ a: {{ strategy: {{ matrix: {matrix} }}, runs-on: ubuntu-latest, steps: [{{ run: x }}] }} }}"
        ),
    );
}

/// What is said when this is the payload of a release.
fn payload(text: &[u8]) -> (Place, Said) {
    let place = Place::workflow(&format!("on: release\njobs: {{ a: {JOB} }}"));
    std::fs::write(place.path("event.json"), text).expect("a file of ours");
    let said = place.run(&["run", "release", "--event-path", "../event.json"]);
    (place, said)
}

fn payloads(section: &mut Section) {
    let nested = [b"{\"a\":".repeat(100_000), b"}".repeat(100_000)].concat();
    let large = [&b"{\"a\":\""[..], &vec![b'x'; 30 << 20], b"\"}"].concat();
    for (tried, text) in [
        ("a payload that is no JSON", &b"release: yes"[..]),
        ("a payload that is a list", b"[1]"),
        ("an empty payload", b""),
        ("a payload nested 100,000 deep", &nested),
        ("a payload of 30 MB", &large),
    ] {
        let (place, said) = payload(text);
        section.row(tried, &place, &said);
    }
}

fn secrets(section: &mut Section) {
    let place = Place::workflow(&format!("on: push\njobs: {{ a: {JOB} }}"));
    for (tried, text) in [
        (
            "a line of the secrets file without `=` (it is not shown: it may be the secret)",
            &b"hunter2hunter2\n"[..],
        ),
        ("a secrets file that is not UTF-8", b"A=x\xff\n"),
        ("a name of a secret with a blank", b"A B=c\n"),
        ("a secret of 60 KB", &[&b"A="[..], &[b'x'; 60_000]].concat()),
    ] {
        std::fs::write(place.path("secrets"), text).expect("a file of ours");
        section.row(tried, &place, &place.run(&["run", "--secret-file", "../secrets"]));
    }
    section.row(
        "a secrets file that is not there",
        &place,
        &place.run(&["run", "--secret-file", "../nowhere"]),
    );
}

fn others(section: &mut Section) {
    let uses =
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ uses: octo/hello@v1 }] } }";
    let place =
        Place::with(&[(".github/workflows/ci.yml", uses), (".launchway/actions.lock", "what {\n")]);
    section.row("a lock file that is none", &place, &place.run(&["run"]));
    let place = Place::workflow(uses);
    section.row(
        "an action that is not here, without network",
        &place,
        &place.run(&["run", "--offline"]),
    );
    section.row(
        "a mirror that has no such action",
        &place,
        &place.run(&["run", "--mirror", "octo=/nonexistent"]),
    );
}
