//! A build by buildx: the original's own command line.

use std::path::Path;
use std::time::Instant;

use serde_json::Value as Json;

use super::build::{Build, Built};
use super::list::{Commas, member, values};
use super::{ask, context, program, show};
use crate::native::step::{Failure, Step, random_hex};

pub(super) fn build(step: &Step, build: &Build, version: &str) -> Result<Built, Failure> {
    step.info(&format!("buildx {version}"));
    let temp = step.folder("RUNNER_TEMP")?;
    let image = temp.join(format!("image-{}", random_hex()));
    let metadata = temp.join(format!("metadata-{}.json", random_hex()));
    let mut arguments = arguments(step, build, &image, &metadata)?;
    arguments.push(build.context.place.clone());
    let words: Vec<&str> =
        ["buildx", "build"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let began = Instant::now();
    let said = show(step, program(&words).env("BUILDX_METADATA_WARNINGS", "true"))?;
    if !said.ok {
        return Err(Failure::new(format!("buildx failed with: {}", said.why())));
    }
    let took = began.elapsed();
    let read = |path: &Path| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let metadata: Option<Json> = read(&metadata).and_then(|text| serde_json::from_str(&text).ok());
    let digest = metadata.as_ref().and_then(|it| it["containerimage.digest"].as_str());
    Ok(Built {
        image: read(&image).filter(|id| !id.is_empty()),
        digest: digest.map(str::to_owned),
        metadata,
        took,
        ..Built::default()
    })
}

fn arguments(
    step: &Step,
    build: &Build,
    image: &Path,
    metadata: &Path,
) -> Result<Vec<String>, Failure> {
    let mut arguments = build.common.clone();
    let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    let list = |name: &str, commas| values(&step.input(name), commas);
    list("allow", Commas::Part).into_iter().for_each(|it| add("--allow", it));
    list("annotations", Commas::Belong).into_iter().for_each(|it| add("--annotation", it));
    for it in list("build-contexts", Commas::Belong) {
        add("--build-context", context::filled_in(step, &it)?);
    }
    build.cache_from.iter().for_each(|it| add("--cache-from", it.clone()));
    build.cache_to.iter().for_each(|it| add("--cache-to", it.clone()));
    for (input, flag) in
        [("call", "--call"), ("cgroup-parent", "--cgroup-parent"), ("shm-size", "--shm-size")]
    {
        step.given(input).into_iter().for_each(|it| add(flag, it));
    }
    build.file.iter().for_each(|it| add("--file", it.clone()));
    let is_export = |it: &String| matches!(member(it, "type").as_deref(), Some("local" | "tar"));
    if !build.outputs.iter().any(is_export) {
        add("--iidfile", image.display().to_string());
    }
    list("no-cache-filters", Commas::Part).into_iter().for_each(|it| add("--no-cache-filter", it));
    build.outputs.iter().for_each(|it| add("--output", it.clone()));
    if !build.platforms.is_empty() {
        add("--platform", build.platforms.join(","));
    }
    attestations(step, build)?.into_iter().for_each(|it| add("--attest", it));
    build.secrets.iter().for_each(|it| add("--secret", it.clone()));
    list("ssh", Commas::Part).into_iter().for_each(|it| add("--ssh", it));
    build.tags.iter().for_each(|it| add("--tag", it.clone()));
    list("ulimit", Commas::Belong).into_iter().for_each(|it| add("--ulimit", it));
    build.builder.iter().for_each(|it| add("--builder", it.clone()));
    add("--metadata-file", metadata.display().to_string());
    for (flag, is_on) in [
        ("--load", build.load),
        ("--no-cache", build.no_cache),
        ("--pull", build.pull),
        ("--push", build.push),
    ] {
        arguments.extend(is_on.then(|| flag.to_owned()));
    }
    Ok(arguments)
}

/// Provenance is there unless it is said otherwise, as in the original since its third major.
fn attestations(step: &Step, build: &Build) -> Result<Vec<String>, Failure> {
    let others = values(&step.input("attests"), Commas::Belong);
    let kind = |it: &String| member(it, "type").unwrap_or_default();
    let mut found = Vec::new();
    let provenance = step.given("provenance");
    let has_own = others.iter().any(|it| kind(it) == "provenance");
    let is_docker = |it: &String| kind(it) == "docker";
    let to_docker = build.load || build.outputs.iter().any(is_docker);
    if let Some(said) = &provenance {
        found.push(match said.to_lowercase().as_str() {
            "true" => format!("type=provenance,{}", with_builder(step, "mode=max")),
            "false" => "type=provenance,disabled=true".to_owned(),
            _ => format!("type=provenance,{}", with_builder(step, said)),
        });
    } else if !has_own
        && !to_docker
        && step.major(7) >= 3
        && !step.switch("BUILDX_NO_DEFAULT_ATTESTATIONS")
        && takes_attestations(build)?
    {
        found.push(format!("type=provenance,{}", with_builder(step, "mode=max")));
    }
    let sbom = step.given("sbom");
    if let Some(said) = &sbom {
        found.push(match said.to_lowercase().as_str() {
            "true" => "type=sbom".to_owned(),
            "false" => "type=sbom,disabled=true".to_owned(),
            _ => format!("type=sbom,{said}"),
        });
    }
    found.extend(others.into_iter().filter(|it| match kind(it).as_str() {
        "provenance" => provenance.is_none(),
        "sbom" => sbom.is_none(),
        _ => true,
    }));
    Ok(found)
}

/// Which run built it.
fn with_builder(step: &Step, attributes: &str) -> String {
    if attributes.contains("builder-id=") {
        return attributes.to_owned();
    }
    let part = |name: &str| step.variable(name).unwrap_or_default();
    format!(
        "{attributes},builder-id={}/{}/actions/runs/{}/attempts/{}",
        part("GITHUB_SERVER_URL"),
        part("GITHUB_REPOSITORY"),
        part("GITHUB_RUN_ID"),
        part("GITHUB_RUN_ATTEMPT")
    )
}

/// BuildKit makes attestations from 0.11 on, and not for docker's own images.
fn takes_attestations(build: &Build) -> Result<bool, Failure> {
    let mut arguments = vec!["buildx", "inspect"];
    arguments.extend(build.builder.as_deref());
    let said = ask(&arguments)?;
    let value = |key: &str| {
        let line = said.out.lines().find(|line| line.trim_start().starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let version = value("BuildKit version").or_else(|| value("Buildkit")).unwrap_or_default();
    let mut parts = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    let mut next = || parts.next().and_then(Result::ok).unwrap_or(0);
    let is_new = (next(), next()) >= (0, 11);
    Ok(is_new && value("Driver").is_some_and(|driver| driver != "docker"))
}
