//! `docker/build-push-action`: the command line that the original would give to buildx; without
//! buildx what `docker build` can do of it, the rest refused by name.

use std::time::Duration;

use serde_json::Value as Json;

use super::context::{self, Context};
use super::list::{Commas, member, values};
use super::{buildx_version, daemon, plain, record, with_buildx};
use crate::native::step::{Failure, Step, failed_at, random_hex};
use crate::native::{Native, NativeAction, Stage};

/// The registration.
pub(crate) const BUILD: Native = Native {
    action: NativeAction {
        name: "docker-build-push",
        manifest: include_str!("build.yml"),
        stages: &[Stage::Main],
    },
    of: "docker/build-push-action",
    majors: &[2, 3, 4, 5, 6, 7],
    refs: &["master"],
    commits: &[
        ("1104d471370f9806843c095c1db02b5a90c5f8b6", 3),
        ("0a97817b6ade9f46837855d676c4cca3a2471fc9", 4),
        ("0565240e2d4ab88bba5387d719585280857ece09", 5),
        ("4a13e500e55cf31b7a5d59a38ab2040ab0f42f56", 5),
        ("2cdde995de11925a030ce8070c3d77a52ffcf1c0", 5),
        ("ca052bb54ab0790a636c9b5f226502c73d547a25", 5),
        ("5cd11c3a4ced054e52742c5fd54dca954e0edd85", 6),
        ("4f58ea79222b3b9dc2c8bbdd6debcef730109a75", 6),
        ("ca877d9245402d1537745e0e356eab47c3520991", 6),
        ("471d1dc4e07e5cdedd4c2171150001c434f0b7a4", 6),
        ("263435318d21b8e681c14492fe198d362a7d2c83", 6),
        ("10e90e3645eae34f1e60eeb005ba3a3d33f178e8", 6),
        ("d08e5c354a6adb9ed34480a06d141179aa583294", 7),
        ("bcafcacb16a39f128d818304e6c9c0c18556b85f", 7),
        ("53b7df96c91f9c12dcc8a07bcb9ccacbed38856a", 7),
    ],
    run,
};

/// What is to be built.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) context: Context,
    pub(super) file: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) load: bool,
    pub(super) push: bool,
    pub(super) pull: bool,
    pub(super) no_cache: bool,
    pub(super) outputs: Vec<String>,
    pub(super) platforms: Vec<String>,
    pub(super) builder: Option<String>,
    pub(super) cache_from: Vec<String>,
    pub(super) cache_to: Vec<String>,
    /// `id=NAME,src=FILE` and `id=NAME,env=VARIABLE`.
    pub(super) secrets: Vec<String>,
    /// Flags that every docker has, in the original's order.
    pub(super) common: Vec<String>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) image: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) metadata: Option<Json>,
    /// The image that docker keeps as a cache, where no step is to find one.
    pub(super) unnamed: Option<String>,
    /// How long it took to build; with buildx, to push, too.
    pub(super) took: Duration,
}

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let daemon = daemon()?;
    let buildx = buildx_version()?;
    let mut build = read(step)?;
    leave_the_runs_cache(step, &mut build);
    let built = match buildx {
        Some(version) => with_buildx::build(step, &build, &version)?,
        None => plain::build(step, &build, &daemon)?,
    };
    for (output, value) in [("imageid", &built.image), ("digest", &built.digest)] {
        if let Some(value) = value {
            step.info(&format!("{output}: {value}"));
            step.output(output, value);
        }
    }
    if let Some(metadata) = &built.metadata {
        let text = serde_json::to_string_pretty(metadata).expect("JSON can be written");
        step.output("metadata", &text);
    }
    record::record(step, &build, &built);
    Ok(())
}

fn read(step: &mut Step) -> Result<Build, Failure> {
    let list = |step: &Step, name: &str, commas| values(&step.input(name), commas);
    let context = context::read(step)?;
    let file = step.given("file").map(|file| match &context.root {
        Some(root) => root.join(&file).display().to_string(),
        None => file,
    });
    let mut common = Vec::new();
    for (input, flag, commas) in [
        ("add-hosts", "--add-host", Commas::Part),
        ("build-args", "--build-arg", Commas::Belong),
        ("labels", "--label", Commas::Belong),
    ] {
        let each = list(step, input, commas).into_iter();
        common.extend(each.flat_map(|value| [flag.to_owned(), value]));
    }
    for (input, flag) in [("network", "--network"), ("target", "--target")] {
        common.extend(step.given(input).into_iter().flat_map(|it| [flag.to_owned(), it]));
    }
    Ok(Build {
        file,
        tags: list(step, "tags", Commas::Part),
        load: step.boolean("load")?,
        push: step.boolean("push")?,
        pull: step.boolean("pull")?,
        no_cache: step.boolean("no-cache")?,
        outputs: list(step, "outputs", Commas::BelongAndQuotesToo),
        platforms: list(step, "platforms", Commas::Part),
        builder: step.given("builder"),
        cache_from: list(step, "cache-from", Commas::Belong),
        cache_to: list(step, "cache-to", Commas::Belong),
        secrets: secrets(step, &context)?,
        common,
        context,
    })
}

/// GitHub's cache service is not offered here; docker's own cache does what it would.
fn leave_the_runs_cache(step: &Step, build: &mut Build) {
    let is_of_run = |it: &String| member(it, "type").is_some_and(|kind| kind == "gha");
    for (input, list) in [("cache-from", &mut build.cache_from), ("cache-to", &mut build.cache_to)]
    {
        let before = list.len();
        list.retain(|it| !is_of_run(it));
        if list.len() < before {
            step.not_enforced(
                input,
                "`type=gha` is GitHub's cache service; docker's own cache on this machine is used",
            );
        }
    }
}

/// Values travel in files of the job, never in arguments.
fn secrets(step: &Step, context: &Context) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let split = |entry: &str, what: &str| {
        let pair =
            entry.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
        let pair = pair.map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
        if pair.is_none() {
            let name = entry.split('=').next().unwrap_or_default();
            step.warning(&format!("{what} `{name}` is not NAME=value: it is left out"));
        }
        pair
    };
    let in_file = |name: &str, value: &str| {
        let path = step.folder("RUNNER_TEMP")?.join(format!("secret-{}", random_hex()));
        std::fs::write(&path, value).map_err(failed_at("written", &path))?;
        Ok::<_, Failure>(format!("id={name},src={}", path.display()))
    };
    for entry in values(&step.input("secret-envs"), Commas::Part) {
        let pair = split(&entry, "secret-envs");
        found.extend(pair.map(|(name, variable)| format!("id={name},env={variable}")));
    }
    let mut has_token = false;
    for entry in values(&step.input("secrets"), Commas::Belong) {
        if let Some((name, value)) = split(&entry, "secrets") {
            has_token |= name.starts_with("GIT_AUTH_TOKEN");
            found.push(in_file(&name, &value)?);
        }
    }
    for entry in values(&step.input("secret-files"), Commas::Belong) {
        if let Some((name, file)) = split(&entry, "secret-files") {
            if !std::path::Path::new(&file).exists() {
                return Err(Failure::new(format!("secret file {file} not found")));
            }
            found.push(format!("id={name},src={file}"));
        }
    }
    // The original gives it to builds from the default context, which it fetches.
    if let Some(token) = step.given("github-token").filter(|_| context.root.is_some() && !has_token)
    {
        let server = step.variable("GITHUB_SERVER_URL").unwrap_or_default();
        let host = server.split("://").nth(1).unwrap_or("github.com").trim_end_matches('/');
        found.push(in_file(&format!("GIT_AUTH_TOKEN.{host}"), &token)?);
    }
    Ok(found)
}
