//! Files of the repository are needed before they are there.

use crate::findings::Findings;
use crate::shell::Command;
use crate::subject::{Step, Subject};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        for step in &job.steps {
            if brings_files(step) {
                break;
            }
            if let Some(uses) = step.uses.as_ref().filter(|uses| uses.is_local()) {
                let message =
                    format!("{} is read from the workspace, which is empty here", uses.text);
                findings.error(uses.span, message, "use actions/checkout before it");
                break;
            }
            let Some(script) = &step.script else { continue };
            if let Some(command) = script.commands.iter().find(|command| reads_project(command)) {
                let span = subject.locate(script.node, command.range.clone());
                let words =
                    command.words.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(" ");
                let message = format!(
                    "`{words}` reads files of the repository, and the workspace is empty here"
                );
                findings.warning(span, message, "use actions/checkout before it");
                break; // The same remedy mends all that follow.
            }
        }
    }
}

fn brings_files(step: &Step<'_>) -> bool {
    if let Some(uses) = &step.uses {
        if uses.is_local() {
            return false;
        }
        return match uses.name {
            "actions/checkout"
            | "actions/download-artifact"
            | "actions/cache"
            | "actions/cache/restore"
            | "actions/github-script" => true,
            // What is not known might.
            _ => uses.known.is_none() && !uses.is_githubs(),
        };
    }
    let script = step.script.as_ref();
    let fetches = [
        "git clone",
        "git init",
        "gh repo clone",
        "gh pr checkout",
        "curl",
        "wget",
        "tar ",
        "unzip",
        "cd ",
    ];
    let writes = |text: &str| text.contains("> ") || text.contains(">>");
    script.is_some_and(|script| {
        fetches.iter().any(|text| script.text.contains(text))
            || writes(script.text)
            || script.commands.is_empty()
    })
}

fn reads_project(command: &Command) -> bool {
    let (program, rest) = command.program();
    let has = |word: &str| rest.iter().any(|found| found == word);
    match program {
        "pip" | "pip3" | "uv" => has("-r") || has("-e") || (has("install") && has(".")),
        "npm" => {
            command.is("npm", &["ci"])
                || command.is("npm", &["test"])
                || command.is("npm", &["run"])
                || *rest == ["install"]
        }
        "yarn" | "pnpm" => rest.is_empty() || has("--frozen-lockfile") || *rest == ["install"],
        "make" | "pytest" | "tox" | "bandit" | "mypy" => !has("--version"),
        "cargo" => ["build", "test", "check", "clippy", "run"]
            .iter()
            .any(|verb| command.is("cargo", &[verb])),
        "go" => ["build", "test", "vet"].iter().any(|verb| command.is("go", &[verb])),
        "docker" => command.is("docker", &["build"]) && has("."),
        "terraform" => ["init", "validate", "plan", "apply"]
            .iter()
            .any(|verb| command.is("terraform", &[verb])),
        "mvn" => !has("--version"),
        _ => program.starts_with("./"),
    }
}
