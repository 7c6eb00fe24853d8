//! A build without buildx, by `docker build`: with the BuildKit that older dockers bring, else with
//! the classic builder.
//!
//! A builder of docker's own driver makes images of docker's. Every other keeps what it built to
//! itself unless `load` says so; here that is an image without a name, which serves later builds
//! as a cache and which no step finds.

use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::build::{Build, Built};
use super::builders::{Builders, DOCKER};
use super::list::{Commas, member, values};
use super::{Daemon, Said, ask, needs_buildx, program, show};
use crate::native::step::{Failure, Step, random_hex};

/// Inputs that neither builder can do.
const BUILDX_ONLY: &[&str] =
    &["allow", "annotations", "attests", "build-contexts", "no-cache-filters"];
/// What only BuildKit can do, and what only the classic builder can.
const BUILDKIT_ONLY: &[&str] = &["secrets", "secret-envs", "secret-files", "ssh"];
const CLASSIC_ONLY: &[(&str, &str)] =
    &[("cgroup-parent", "--cgroup-parent"), ("shm-size", "--shm-size")];

/// Where results go.
#[derive(Debug, Default, PartialEq, Eq)]
struct Goals {
    /// Docker gets the image under its names.
    load: bool,
    push: bool,
    /// Files, by `--output`.
    export: Option<String>,
}

pub(super) fn build(step: &Step, build: &Build, daemon: &Daemon) -> Result<Built, Failure> {
    let buildkit = daemon.has_own_buildkit();
    refuse(step, build, daemon, buildkit)?;
    let driver = Builders::of_job(step)?.driver(build.builder.as_deref())?;
    let goals = goals(build, &driver, buildkit)?;
    let how = if buildkit { "its BuildKit" } else { "its classic builder" };
    step.info(&format!(
        "there is no buildx here: docker build with {how}, docker {}",
        daemon.version
    ));
    let image_file = step.folder("RUNNER_TEMP")?.join(format!("image-{}", random_hex()));
    let arguments = arguments(step, build, &goals, buildkit, &image_file);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = program(&words);
    command.env("DOCKER_BUILDKIT", if buildkit { "1" } else { "0" });
    let began = Instant::now();
    said_ok(&show(step, &mut command)?, "docker build")?;
    let took = began.elapsed();
    if goals.export.is_some() {
        return Ok(Built { metadata: Some(json!({})), ..Built::default() });
    }
    let image = std::fs::read_to_string(&image_file).unwrap_or_default().trim().to_owned();
    if image.is_empty() {
        return Err(Failure::new("docker build named no image"));
    }
    let digest = if goals.push { Some(push(step, build, &goals, &image)?) } else { None };
    if goals.load {
        for tag in &build.tags {
            said_ok(&ask(&["tag", &image, tag])?, "docker tag")?;
        }
    }
    if !goals.load && !goals.push {
        say_what_is_missing(step, build, &driver)?;
        let (metadata, unnamed) = (Some(json!({})), Some(image));
        return Ok(Built { metadata, unnamed, took, ..Built::default() });
    }
    let digest = digest.unwrap_or_else(|| image.clone());
    let metadata = json!({
        "containerimage.config.digest": image,
        "containerimage.digest": digest,
        "image.name": build.tags.join(","),
    });
    let (image, digest) = (Some(image), Some(digest));
    Ok(Built { image, digest, metadata: Some(metadata), took, ..Built::default() })
}

fn said_ok(said: &Said, what: &str) -> Result<(), Failure> {
    if said.ok { Ok(()) } else { Err(Failure::new(format!("{what} failed with: {}", said.why()))) }
}

/// Every input that cannot be done here, by its name.
fn refuse(step: &Step, build: &Build, daemon: &Daemon, buildkit: bool) -> Result<(), Failure> {
    let given = |input: &&&str| step.given(input).is_some();
    let input = |name: &str| needs_buildx(&format!("input `{name}`"));
    if let Some(name) = BUILDX_ONLY.iter().find(given) {
        return Err(input(name));
    }
    let asked =
        |name: &str| step.given(name).is_some_and(|said| !said.eq_ignore_ascii_case("false"));
    if let Some(name) = ["provenance", "sbom"].into_iter().find(|name| asked(name)) {
        return Err(input(name));
    }
    if step.given("call").is_some_and(|call| call != "build") {
        return Err(input("call"));
    }
    if !buildkit {
        if let Some(name) = BUILDKIT_ONLY.iter().find(given) {
            return Err(input(name));
        }
    } else if let Some((name, _)) =
        CLASSIC_ONLY.iter().chain(&[("ulimit", "")]).find(|(name, _)| step.given(name).is_some())
    {
        return Err(input(name));
    }
    if let [first, ..] = &*build.platforms
        && (build.platforms.len() > 1 || *first != daemon.platform)
    {
        return Err(needs_buildx(&format!("a build for {}", build.platforms.join(","))));
    }
    let kept = build.cache_to.iter().find(|it| member(it, "type").as_deref() != Some("inline"));
    if let Some(to) = kept.or(build.cache_to.first().filter(|_| !buildkit)) {
        return Err(needs_buildx(&format!("input `cache-to: {to}`")));
    }
    Ok(())
}

fn goals(build: &Build, driver: &str, buildkit: bool) -> Result<Goals, Failure> {
    let mut goals = Goals { load: build.load, push: build.push, export: None };
    for output in &build.outputs {
        let kind = member(output, "type").unwrap_or_else(|| "local".to_owned());
        let has = |key: &str| member(output, key).is_some();
        match kind.as_str() {
            "docker" if !has("dest") && !has("name") => goals.load = true,
            "registry" if !has("name") => goals.push = true,
            "image" if !has("name") => {
                goals.push |= member(output, "push").as_deref() == Some("true");
            }
            "cacheonly" => {}
            "local" | "tar" if buildkit => goals.export = Some(output.clone()),
            _ => return Err(needs_buildx(&format!("input `outputs: {output}`"))),
        }
    }
    if goals.export.is_some() && (goals.load || goals.push || build.outputs.len() > 1) {
        return Err(needs_buildx("more than one kind of `outputs`"));
    }
    // Docker's own driver has nowhere else to keep it.
    let cache_only =
        build.outputs.iter().any(|it| member(it, "type").as_deref() == Some("cacheonly"));
    goals.load |= driver == DOCKER && goals.export.is_none() && !cache_only;
    Ok(goals)
}

fn arguments(
    step: &Step,
    build: &Build,
    goals: &Goals,
    buildkit: bool,
    image_file: &Path,
) -> Vec<String> {
    let mut arguments = vec!["build".to_owned()];
    arguments.extend(build.common.iter().cloned());
    let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    for from in &build.cache_from {
        // Only images are a cache here.
        match member(from, "ref").or_else(|| (!from.contains('=')).then(|| from.clone())) {
            Some(image) => add("--cache-from", image),
            None => step.not_enforced(
                "cache-from",
                &format!("`{from}` needs buildx; docker's own cache on this machine is used"),
            ),
        }
    }
    if !build.cache_to.is_empty() {
        add("--build-arg", "BUILDKIT_INLINE_CACHE=1".to_owned());
    }
    build.file.iter().for_each(|it| add("--file", it.clone()));
    if buildkit {
        build.secrets.iter().for_each(|it| add("--secret", it.clone()));
        values(&step.input("ssh"), Commas::Part).into_iter().for_each(|it| add("--ssh", it));
        add("--progress", "plain".to_owned());
    } else {
        for (input, flag) in CLASSIC_ONLY {
            step.given(input).into_iter().for_each(|it| add(flag, it));
        }
        let limits = values(&step.input("ulimit"), Commas::Belong);
        limits.into_iter().for_each(|it| add("--ulimit", it));
    }
    match &goals.export {
        Some(output) => add("--output", output.clone()),
        None => add("--iidfile", image_file.display().to_string()),
    }
    for (flag, is_on) in [("--no-cache", build.no_cache), ("--pull", build.pull)] {
        arguments.extend(is_on.then(|| flag.to_owned()));
    }
    arguments.push(build.context.place.clone());
    arguments
}

/// Pushes every name, and leaves docker's names as they were unless they are to be loaded too.
fn push(step: &Step, build: &Build, goals: &Goals, image: &str) -> Result<String, Failure> {
    if build.tags.is_empty() {
        return Err(Failure::new("tag is needed when pushing to registry"));
    }
    let mut before = Vec::new();
    for tag in &build.tags {
        before.push((tag, image_of(tag)?));
        said_ok(&ask(&["tag", image, tag])?, "docker tag")?;
    }
    let digests = build.tags.iter().map(|tag| {
        said_ok(&show(step, &mut program(&["push", tag]))?, "docker push")?;
        digest_of(image, tag)
    });
    let digests = digests.collect::<Result<Vec<_>, Failure>>();
    if !goals.load {
        for (tag, before) in before {
            match before {
                Some(before) => said_ok(&ask(&["tag", &before, tag])?, "docker tag")?,
                // Its parents stay: they are the cache.
                None => said_ok(&ask(&["rmi", "--no-prune", tag])?, "docker rmi")?,
            }
        }
    }
    Ok(digests?.pop().expect("there is a tag"))
}

/// The id of the image that has this name.
fn image_of(tag: &str) -> Result<Option<String>, Failure> {
    let said = ask(&["image", "inspect", "--format", "{{.Id}}", tag])?;
    Ok(said.ok.then(|| said.out.trim().to_owned()))
}

/// What the registry calls it.
fn digest_of(image: &str, tag: &str) -> Result<String, Failure> {
    let said = ask(&["image", "inspect", "--format", "{{json .RepoDigests}}", image])?;
    let digests: Vec<String> = serde_json::from_str(&said.out).unwrap_or_default();
    let name = repository_of(tag);
    let of_name = digests.iter().filter_map(|it| it.split_once('@')).find(|(it, _)| *it == name);
    let (_, digest) =
        of_name.ok_or_else(|| Failure::new(format!("docker does not say the digest of {tag}")))?;
    Ok(digest.to_owned())
}

/// A name without its tag; a port is no tag.
pub(super) fn repository_of(tag: &str) -> &str {
    match tag.rsplit_once(':') {
        Some((name, version)) if !version.contains('/') => name,
        _ => tag,
    }
}

/// The image stays where no step finds it: that is what happens on GitHub, and it surprises people.
fn say_what_is_missing(step: &Step, build: &Build, driver: &str) -> Result<(), Failure> {
    step.warning(&format!(
        "No output specified for a builder of driver {driver}: the result only stays in the build cache, docker has no image of it. `load: true` gives it to docker, `push: true` to a registry",
    ));
    for tag in &build.tags {
        if image_of(tag)?.is_some() {
            step.warning(&format!(
                "this machine has an image {tag} from before: later steps find that one, on GitHub they would find none"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        let cases = [
            ("localhost:5000/app:1", "localhost:5000/app"),
            ("localhost:5000/app", "localhost:5000/app"),
            ("app", "app"),
        ];
        for (tag, expected) in cases {
            assert_eq!(repository_of(tag), expected);
        }
    }
}
