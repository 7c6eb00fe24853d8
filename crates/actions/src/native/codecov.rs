//! `codecov/codecov-action`: coverage reports are found as its uploader finds them, and kept with
//! the run. Sending them to Codecov is not here yet, and every run says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::glob::{Patterns, Search, absolute};
use super::step::{Failure, Step};
use super::{Native, NativeAction, Stage, artifacts};

/// The registration.
pub(super) const CODECOV: Native = Native {
    action: NativeAction {
        name: "codecov",
        manifest: include_str!("codecov.yml"),
        stages: &[Stage::Main],
    },
    of: "codecov/codecov-action",
    majors: &[3, 4, 5],
    refs: &["main"],
    commits: &[("18283e04ce6e62d37312384ff67231eb8fd56d24", 5)],
    run,
};

/// Names under which tools write coverage.
const REPORTS: &[&str] = &[
    "*coverage*.xml",
    "*coverage*.json",
    "*coverage*.out",
    "*coverage*.txt",
    "clover.xml",
    "cobertura.xml",
    "cover.out",
    "gcov.info",
    "jacoco*.xml",
    "lcov.dat",
    "lcov.info",
    "luacov.report.out",
    "nosetests.xml",
    "test_cov.xml",
    "*.clover",
    "*.gcov",
    "*.lcov",
];

/// Folders that hold other people's reports.
const SKIPPED_FOLDERS: &[&str] =
    &["node_modules", "vendor", "venv", ".venv", "site-packages", "dist-packages", ".git"];

/// Inputs that only Codecov's side would look at.
const FOR_CODECOV: &[&str] = &[
    "base_sha",
    "binary",
    "codecov_yml_path",
    "commit_parent",
    "disable_file_fixes",
    "disable_telem",
    "env_vars",
    "functionalities",
    "gcov",
    "gcov_args",
    "gcov_executable",
    "gcov_ignore",
    "gcov_include",
    "git_service",
    "job_code",
    "move_coverage_to_trash",
    "network_filter",
    "network_prefix",
    "os",
    "override_branch",
    "override_build",
    "override_build_url",
    "override_commit",
    "override_pr",
    "override_tag",
    "plugins",
    "report_code",
    "report_type",
    "run_command",
    "slug",
    "swift_project",
    "upstream_proxy",
    "url",
    "version",
    "xcode",
    "xcode_archive_path",
    "xtra_args",
];

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let strict = step.boolean("fail_ci_if_error")?;
    say_what_differs(step);
    let outcome = keep(step);
    match outcome {
        Ok(()) => {}
        Err(failure) if !strict => {
            step.warning(&format!("{} (fail_ci_if_error is off)", failure.message));
            return Ok(());
        }
        Err(failure) => return Err(failure),
    }
    let token = step.given("token").or_else(|| step.variable("CODECOV_TOKEN")).is_some();
    if !token && !step.boolean("use_oidc")? {
        step.notice(
            "no token is set: the coverage is kept with the run, nothing was sent to Codecov",
        );
        return Ok(());
    }
    let message = "a token is set, but sending reports to Codecov is not here yet: they are kept with the run";
    if strict && !step.boolean("dry_run")? {
        return Err(Failure::missing(
            message,
            "set fail_ci_if_error: false, or run the original with --no-native",
        ));
    }
    step.warning(message);
    Ok(())
}

fn keep(step: &mut Step) -> Result<(), Failure> {
    let reports = reports(step)?;
    if reports.is_empty() {
        if step.boolean("handle_no_reports_found")? {
            step.info("No coverage reports found");
            return Ok(());
        }
        return Err(Failure::new(
            "No coverage reports found. Please make sure you're generating reports successfully.",
        ));
    }
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let files = reports
        .iter()
        .map(|path| {
            (path.strip_prefix(&workspace).unwrap_or(path).display().to_string(), path.clone())
        })
        .collect::<Vec<_>>();
    let mut summary = "### Coverage\n\n| report | lines |\n| --- | --- |\n".to_owned();
    for (name, path) in &files {
        let share = fs::read_to_string(path).ok().and_then(|text| covered(&text));
        let said = share.map_or("unknown".to_owned(), |share| format!("{:.1} %", share * 100.0));
        step.info(&format!("report {name}: lines covered {said}"));
        summary.push_str(&format!("| `{}` | {said} |\n", name.replace('|', "\\|")));
    }
    if step.boolean("dry_run")? {
        step.info("dry_run: nothing is kept");
        return Ok(());
    }
    let name = free_name(step)?;
    artifacts::keep(step, &name, &files, None, 0)?;
    step.summary(&summary);
    step.info(&format!("kept with the run as {name}"));
    Ok(())
}

/// The reports that inputs name, and unless that is switched off those that are found.
fn reports(step: &Step) -> Result<Vec<PathBuf>, Failure> {
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let home = step.folder("HOME")?;
    let base = PathBuf::from(absolute(&step.input("working-directory"), &workspace, &home));
    let mut found = BTreeSet::new();
    let named = [step.input("files"), step.input("file")].join(",");
    for name in named.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty()) {
        let patterns = Patterns::read(&[name.to_owned()], &base, &home)?;
        let files = patterns.find(Search { descend: false, skip_hidden: false })?;
        let files = files.into_iter().filter(|path| path.is_file()).collect::<Vec<_>>();
        if files.is_empty() {
            step.warning(&format!("the report {name} is not there"));
        }
        found.extend(files);
    }
    // v3 took only the named ones where some were named; later majors search besides.
    let search = !step.boolean("disable_search")? && (found.is_empty() || step.major(5) > 3);
    if search {
        let folder = step.given("directory").or_else(|| step.given("root_dir")).unwrap_or_default();
        let folder = PathBuf::from(absolute(&folder, &base, &home));
        let excluded = step.input("exclude");
        let excluded = excluded.split(',').map(str::trim).filter(|it| !it.is_empty());
        let excluded =
            excluded.map(|it| PathBuf::from(absolute(it, &base, &home))).collect::<Vec<_>>();
        let lines = REPORTS.iter().map(|name| format!("**/{name}")).collect::<Vec<_>>();
        let patterns = Patterns::read(&lines, &folder, &home)?;
        let files = patterns.find(Search { descend: false, skip_hidden: true })?;
        let theirs = |path: &Path| {
            path.components()
                .any(|part| SKIPPED_FOLDERS.iter().any(|name| part.as_os_str() == *name))
        };
        found.extend(files.into_iter().filter(|path| {
            let inside = path.strip_prefix(&folder).unwrap_or(path);
            path.is_file() && !theirs(inside) && !excluded.iter().any(|it| path.starts_with(it))
        }));
    }
    Ok(found.into_iter().collect())
}

/// `coverage-FLAGS@JOB`, without flags `coverage-JOB`, with a number where several steps keep one. Reports are shown
/// by what stands before the `@`, and jobs that give the same flags are shown as one.
fn free_name(step: &Step) -> Result<String, Failure> {
    let job = step.variable("GITHUB_JOB").unwrap_or_else(|| "job".to_owned());
    let clean = |text: &str| -> String {
        let sign = |it: char| if it.is_alphanumeric() || it == '.' { it } else { '-' };
        text.trim().chars().map(sign).collect()
    };
    let flags = step.input("flags");
    let flags = flags.split(',').map(clean).filter(|flag| !flag.is_empty());
    let flags = flags.collect::<Vec<_>>().join("+");
    let name = clean(&step.input("name"));
    let parts = [job, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let name = match (flags.is_empty(), parts.join("-")) {
        (true, _) if parts.len() > 1 => format!("coverage-{}", parts.join("@")),
        (true, job) => format!("coverage-{job}"),
        (false, job) => format!("coverage-{flags}@{job}"),
    };
    let taken = artifacts::of_attempt(step)?;
    if !taken.contains_key(&name) {
        return Ok(name);
    }
    let numbered =
        (2..).map(|number| format!("{name}-{number}")).find(|it| !taken.contains_key(it));
    Ok(numbered.expect("there is always another number"))
}

/// The share of covered lines, from Cobertura or LCOV.
fn covered(text: &str) -> Option<f64> {
    if let Some((_, rest)) = text.split_once("line-rate=\"") {
        return rest.split('"').next()?.parse().ok();
    }
    let sum = |key: &str| {
        text.lines()
            .filter_map(|line| line.strip_prefix(key)?.trim().parse::<f64>().ok())
            .sum::<f64>()
    };
    let (all, hit) = (sum("LF:"), sum("LH:"));
    (all > 0.0).then(|| hit / all)
}

fn say_what_differs(step: &Step) {
    const DEFAULTS: &[&str] = &["false", "latest", "github", "gcov", "coverage"];
    for input in FOR_CODECOV {
        if step.given(input).is_some_and(|text| !DEFAULTS.contains(&text.as_str())) {
            step.not_enforced(input, "only Codecov would look at it, and nothing is sent there");
        }
    }
}
