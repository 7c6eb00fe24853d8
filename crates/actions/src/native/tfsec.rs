//! `aquasecurity/tfsec-action`: drives a scanner that is installed. tfsec itself has become
//! `trivy config`; checkov does the same work.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::glob::absolute;
use super::step::{Failure, Step, failed_at};
use super::{Native, NativeAction, Stage, tools};

/// The registration.
pub(super) const TFSEC: Native = Native {
    action: NativeAction {
        name: "tfsec",
        manifest: include_str!("tfsec.yml"),
        stages: &[Stage::Main],
    },
    of: "aquasecurity/tfsec-action",
    majors: &[1],
    refs: &["main", "master"],
    commits: &[],
    run,
};

/// A scanner and how it is asked.
struct Scanner {
    program: &'static str,
    arguments: Vec<String>,
}

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let given = step.given("working_directory").unwrap_or_else(|| ".".to_owned());
    let folder = PathBuf::from(absolute(&given, &workspace, &workspace));
    if !folder.is_dir() {
        return Err(Failure::new(format!("{} is not a folder", folder.display())));
    }
    // The original's script asks only whether there is any text.
    let soft = step.given("soft_fail").is_some();
    if step.input("soft_fail").eq_ignore_ascii_case("false") {
        step.warning("soft_fail: false means on: the original takes any text for yes");
    }
    let format = step.given("format").unwrap_or_else(|| "default".to_owned());
    let found = ["tfsec", "trivy", "checkov"]
        .into_iter()
        .find_map(|name| tools::on_path(name).into_iter().next().map(|path| (name, path)));
    let Some((name, path)) = found else {
        return Err(Failure::missing(
            "no scanner for Terraform is on this machine: neither tfsec, trivy nor checkov",
            "install one: trivy (its `config` is tfsec's successor), tfsec, or pip install checkov",
        ));
    };
    let scanner = match name {
        "tfsec" => tfsec(step, &format, soft),
        "trivy" => trivy(step, &format, soft)?,
        _ => checkov(step, &format, soft, &folder)?,
    };
    step.info(&format!("{} {}", scanner.program, scanner.arguments.join(" ")));
    let mut command = Command::new(&path);
    command.args(&scanner.arguments).current_dir(&workspace).stdin(Stdio::null());
    if scanner.program != "checkov" {
        command.arg(&folder);
    }
    let status = command.status().map_err(failed_at("started", &path))?;
    let code = status.code().unwrap_or(1);
    step.output("tfsec-return-code", &code.to_string());
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{} found problems or failed: exit code {code}", scanner.program)))
}

fn tfsec(step: &Step, format: &str, soft: bool) -> Scanner {
    if step.given("version").is_some_and(|version| version != "latest") {
        step.not_enforced("version", "the tfsec on this machine is used");
    }
    let mut arguments = vec![format!("--format={format}")];
    if soft {
        arguments.push("--soft-fail".to_owned());
    }
    arguments.extend(step.input("additional_args").split_whitespace().map(str::to_owned));
    Scanner { program: "tfsec", arguments }
}

fn trivy(step: &Step, format: &str, soft: bool) -> Result<Scanner, Failure> {
    instead(step, "trivy config");
    let format = match format {
        "default" | "lovely" | "text" => "table",
        "json" => "json",
        "sarif" => "sarif",
        other => return Err(no_format(other, "trivy")),
    };
    let code = if soft { "0" } else { "1" };
    let mut arguments =
        ["config", "--format", format, "--exit-code", code].map(str::to_owned).to_vec();
    if step.switch("LAUNCHWAY_OFFLINE") {
        arguments.push("--skip-check-update".to_owned());
    }
    Ok(Scanner { program: "trivy", arguments })
}

fn checkov(step: &Step, format: &str, soft: bool, folder: &Path) -> Result<Scanner, Failure> {
    instead(step, "checkov");
    let format = match format {
        "default" | "lovely" | "text" => "cli",
        "json" => "json",
        "sarif" => "sarif",
        "junit" => "junitxml",
        other => return Err(no_format(other, "checkov")),
    };
    let mut arguments = vec!["--directory".to_owned(), folder.display().to_string()];
    arguments.extend(["--output", format, "--compact", "--quiet"].map(str::to_owned));
    if soft {
        arguments.push("--soft-fail".to_owned());
    }
    Ok(Scanner { program: "checkov", arguments })
}

/// Another scanner has other rules and other arguments: said, not hidden.
fn instead(step: &Step, name: &str) {
    step.warning(&format!(
        "tfsec is not on this machine: {name} scans instead, with its own rules"
    ));
    if step.given("version").is_some_and(|version| version != "latest") {
        step.not_enforced("version", &format!("{name} is used instead of tfsec"));
    }
    if step.given("additional_args").is_some() {
        step.not_enforced(
            "additional_args",
            &format!("they are tfsec's, and {name} is used instead"),
        );
    }
}

fn no_format(format: &str, name: &str) -> Failure {
    Failure::missing(
        format!("input `format` is `{format}`, which {name} does not write"),
        "install tfsec, or take json or sarif",
    )
}
