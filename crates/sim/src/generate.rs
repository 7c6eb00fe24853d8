//! Workflows that use everything the scheduler decides about.

use std::fmt::Write as _;

use crate::random::Random;

/// The most jobs of one file.
const JOBS_MAX: usize = 7;

/// A workflow and those it calls, by path.
pub(crate) struct Generated {
    pub(crate) main: String,
    pub(crate) called: Vec<(String, String)>,
}

pub(crate) fn workflow(random: &mut Random) -> Generated {
    let inner = random.percent(40);
    let mut called = Vec::new();
    if inner {
        // `b` may call `c`.
        called.push((path("c"), file(random, "c", None)));
        let deeper = random.percent(40).then(|| path("c"));
        called.push((path("b"), file(random, "b", deeper.as_deref())));
    }
    let target = inner.then(|| path("b"));
    Generated { main: file(random, "main", target.as_deref()), called }
}

fn path(name: &str) -> String {
    format!(".github/workflows/{name}.yml")
}

fn file(random: &mut Random, name: &str, calls: Option<&str>) -> String {
    let mut text = String::new();
    let is_main = name == "main";
    if is_main {
        text.push_str("on: push\n");
        if random.percent(30) {
            concurrency(random, "", "w", &mut text);
        }
    } else {
        text.push_str("on:\n  workflow_call:\n    inputs:\n      flag: { type: boolean }\n");
        text.push_str("    outputs:\n      out: { value: \"${{ jobs.j0.outputs.out }}\" }\n");
    }
    text.push_str("jobs:\n");
    let jobs = 1 + random.below(JOBS_MAX);
    for number in 0..jobs {
        job(random, name, number, calls, &mut text);
    }
    text
}

fn job(random: &mut Random, file: &str, number: usize, calls: Option<&str>, text: &mut String) {
    let _ = writeln!(text, "  j{number}:");
    let mut needs: Vec<String> = Vec::new();
    for earlier in 0..number {
        if random.percent(35) {
            needs.push(format!("j{earlier}"));
        }
    }
    if !needs.is_empty() {
        let _ = writeln!(text, "    needs: [{}]", needs.join(", "));
    }
    if random.percent(40) {
        let condition = *random.pick(&[
            "always()",
            "failure()",
            "cancelled()",
            "success() || failure()",
            "github.event.flag",
            "github.event.missing",
            "!cancelled()",
            "fromJSON('{')",
        ]);
        let _ = writeln!(text, "    if: ${{{{ {condition} }}}}");
    }
    if random.percent(40) {
        strategy(random, &needs, text);
    }
    if random.percent(25) {
        // Names of groups differ by file, or every call would be a deadlock.
        concurrency(random, "    ", file, text);
    }
    if let Some(path) = calls
        && random.percent(40)
    {
        let _ = writeln!(text, "    uses: ./{path}");
        if random.percent(50) {
            text.push_str("    with: { flag: true }\n");
        }
        return;
    }
    if random.percent(15) {
        text.push_str("    continue-on-error: true\n");
    }
    if random.percent(15) && file == "main" {
        text.push_str("    permissions: { packages: write }\n");
    }
    if random.percent(25) {
        let name = *random.pick(&["open", "asks", "later", "behind", "shut"]);
        let _ = writeln!(text, "    environment: {name}");
    }
    if random.percent(20) {
        let _ = writeln!(text, "    timeout-minutes: {}", 1 + random.below(20));
    }
    text.push_str(
        "    outputs: { out: x }\n    runs-on: ubuntu-latest\n    steps: [{ run: make }]\n",
    );
}

fn strategy(random: &mut Random, needs: &[String], text: &mut String) {
    text.push_str("    strategy:\n");
    if random.percent(50) {
        let _ = writeln!(text, "      fail-fast: {}", random.percent(50));
    }
    if random.percent(50) {
        let _ = writeln!(text, "      max-parallel: {}", 1 + random.below(2));
    }
    match needs.first() {
        // A matrix that cannot be made unless the need said something.
        Some(need) if random.percent(15) => {
            let _ = writeln!(
                text,
                "      matrix:\n        v: ${{{{ fromJSON(needs.{need}.outputs.out) }}}}"
            );
        }
        _ => {
            let values: Vec<String> = (0..1 + random.below(4)).map(|it| it.to_string()).collect();
            let _ = writeln!(text, "      matrix: {{ v: [{}] }}", values.join(", "));
        }
    }
}

fn concurrency(random: &mut Random, indent: &str, prefix: &str, text: &mut String) {
    let group = 1 + random.below(2);
    let _ = writeln!(text, "{indent}concurrency:");
    let _ = writeln!(text, "{indent}  group: {prefix}-{group}");
    match random.below(4) {
        0 => {
            let _ = writeln!(text, "{indent}  cancel-in-progress: true");
        }
        1 => {
            let _ = writeln!(text, "{indent}  queue: max");
        }
        _ => {}
    }
}
