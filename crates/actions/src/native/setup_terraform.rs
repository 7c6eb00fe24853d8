//! `hashicorp/setup-terraform`: the Terraform of that version on this machine, with the wrapper
//! that gives its output to later steps.

use std::fs;
use std::path::{Path, PathBuf};

use super::glob::absolute;
use super::step::{Failure, Step, failed_at};
use super::tools::{self, Tool};
use super::version::{Range, Version};
use super::{Native, NativeAction, Stage};

/// The registration.
pub(super) const TERRAFORM: Native = Native {
    action: NativeAction {
        name: "setup-terraform",
        manifest: include_str!("setup_terraform.yml"),
        stages: &[Stage::Main],
    },
    of: "hashicorp/setup-terraform",
    majors: &[1, 2, 3],
    refs: &["main"],
    commits: &[("b9cd54a3c349d3f38e8881555d616ced269862dd", 3)],
    run,
};

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let wanted = wanted(step)?;
    let found = installed(step);
    let tool = choose(step, &wanted, &found)?;
    let folder = step.folder("RUNNER_TEMP")?.join(format!("terraform-{}", tool.version));
    let wrapped =
        step.given("terraform_wrapper").is_none_or(|text| text.eq_ignore_ascii_case("true"));
    if wrapped {
        tools::link(&folder, &[("terraform-bin", &tool.path)])?;
        tools::write_script(&folder.join("terraform"), &wrapper(&folder.join("terraform-bin")))?;
        step.export("TERRAFORM_CLI_PATH", &folder.display().to_string());
    } else {
        tools::link(&folder, &[("terraform", &tool.path)])?;
    }
    step.add_path(&folder);
    step.info(&format!("Terraform {} from {}", tool.version, tool.path.display()));
    credentials(step)
}

fn wanted(step: &Step) -> Result<String, Failure> {
    if let Some(version) = step.given("terraform_version") {
        return Ok(version);
    }
    let Some(file) = step.given("terraform_version_file") else { return Ok("latest".to_owned()) };
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let path = PathBuf::from(absolute(&file, &workspace, &workspace));
    let text = fs::read_to_string(&path).map_err(failed_at("read", &path))?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let line = line.map(|line| line.strip_prefix("terraform ").unwrap_or(line).trim().to_owned());
    line.ok_or_else(|| Failure::new(format!("{} names no Terraform version", path.display())))
}

fn installed(step: &Step) -> Vec<Tool> {
    let mut files = Vec::new();
    for cache in tools::tool_caches(step) {
        files.extend(tools::under(&cache, "terraform/*/*/terraform"));
    }
    for home in tools::homes(step) {
        for place in [
            ".tfenv/versions/*/terraform",
            ".tenv/Terraform/*/terraform",
            ".terraform.versions/*",
            ".asdf/installs/terraform/*/bin/terraform",
        ] {
            files.extend(tools::under(&home, place));
        }
    }
    files.extend(tools::on_path("terraform"));
    tools::ask(files, &["version"], |text| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix("Terraform v"))?;
        Version::parse(line)
    })
}

fn choose(step: &Step, wanted: &str, found: &[Tool]) -> Result<Tool, Failure> {
    let tool = if wanted == "latest" {
        step.warning(
            "terraform_version `latest` is the newest on this machine: nothing is looked up",
        );
        found.iter().rfind(|tool| tool.version.is_release()).cloned()
    } else {
        let range = Range::parse(wanted).ok_or_else(|| {
            Failure::new(format!("`{wanted}` is not a Terraform version or constraint"))
        })?;
        tools::newest(found, &range, wanted.contains('-'))
    };
    tool.ok_or_else(|| {
        let tools = step.variable("RUNNER_TOOL_CACHE").unwrap_or_default();
        Failure::missing(
            format!("Terraform {wanted} is not on this machine ({})", tools::listed(found)),
            format!(
                "install it: tfenv install {wanted}; or put its binary at {tools}/terraform/VERSION/x64/terraform"
            ),
        )
    })
}

/// Shows and keeps what terraform says, as outputs of the step that called it. 2 is no failure: it
/// is how `plan -detailed-exitcode` tells of changes.
fn wrapper(terraform: &Path) -> String {
    format!(
        r#"#!/bin/sh
kept=$(mktemp -d "${{RUNNER_TEMP:-/tmp}}/terraform.XXXXXX") || exit 1
trap 'rm -rf "$kept"' EXIT
{{ {{ {{ {terraform} "$@" 2>&3; echo $? >"$kept/code"; }} | tee "$kept/stdout" >&4; }} 3>&1 | tee "$kept/stderr" >&2; }} 4>&1
code=$(cat "$kept/code")
if [ -n "${{GITHUB_OUTPUT:-}}" ]; then
  end="end_$(basename "$kept")_$$"
  {{
    for name in stdout stderr; do
      printf '%s<<%s\n' "$name" "$end"
      cat "$kept/$name"
      printf '\n%s\n' "$end"
    done
    printf 'exitcode=%s\n' "$code"
  }} >>"$GITHUB_OUTPUT"
fi
case "$code" in
  0 | 2) exit 0 ;;
esac
echo "::error::Terraform exited with code $code."
exit 1
"#,
        terraform = tools::quoted(terraform)
    )
}

fn credentials(step: &Step) -> Result<(), Failure> {
    let Some(token) = step.given("cli_config_credentials_token") else { return Ok(()) };
    let host = step
        .given("cli_config_credentials_hostname")
        .unwrap_or_else(|| "app.terraform.io".to_owned());
    let file = match step.variable("TF_CLI_CONFIG_FILE") {
        Some(file) => PathBuf::from(file),
        None => step.folder("HOME")?.join(".terraformrc"),
    };
    step.mask(&token);
    let text = format!("credentials \"{host}\" {{\n  token = \"{token}\"\n}}\n");
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed_at("made", folder))?;
    }
    fs::write(&file, text).map_err(failed_at("written", &file))?;
    step.info(&format!("credentials for {host} are in {}", file.display()));
    Ok(())
}
