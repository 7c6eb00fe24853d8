//! The actions that Launchway brings itself, for the versions whose interface is known.
//!
//! Each has one file here and one line in [`REGISTER`]. A version that is not in its table, or a
//! commit that is not known, is the original's business.

mod artifacts;
mod aws_credentials;
mod blobs;
mod cache;
mod caching;
mod checkout;
mod cloud;
mod codecov;
mod dependency_cache;
mod docker;
mod download_artifact;
mod ecr_login;
mod ecs_deploy;
mod ecs_render;
mod glob;
mod http;
pub(crate) mod room;
mod setup_node;
mod setup_python;
mod setup_terraform;
mod slack;
mod step;
mod task_definition;
#[cfg(feature = "testing")]
pub mod testing;
mod tfsec;
mod tools;
mod trufflehog;
pub(crate) mod trusted;
mod upload_artifact;
mod upload_sarif;
mod version;

use step::{Failure, Step};

/// Which of its three moments an action is in (conformance 147).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before all steps.
    Pre,
    /// In its place.
    Main,
    /// After all steps.
    Post,
}

impl Stage {
    /// From the word on the command line.
    pub fn parse(word: &str) -> Option<Stage> {
        match word {
            "pre" => Some(Stage::Pre),
            "main" => Some(Stage::Main),
            "post" => Some(Stage::Post),
            _ => None,
        }
    }
}

/// A native version, as the resolver hands it on.
#[derive(Clone, Copy, Debug)]
pub struct NativeAction {
    /// `launchway native NAME STAGE`
    pub name: &'static str,
    /// Its metadata: the original's inputs, defaults and outputs. `runs.main` and `runs.post` say
    /// which stages there are; what stands there is no file.
    pub manifest: &'static str,
    /// The stages it has, in order.
    pub stages: &'static [Stage],
}

/// Those that make programs of this machine known to later steps.
const BRINGS_TOOLS: [&str; 3] = ["setup-node", "setup-python", "setup-terraform"];

impl NativeAction {
    /// Whether later steps find programs of this machine by it.
    pub fn brings_tools(&self) -> bool {
        BRINGS_TOOLS.contains(&self.name)
    }
}

/// One line of the table.
struct Native {
    action: NativeAction,
    /// `owner/repo[/path]`, in lower case.
    of: &'static str,
    /// Major versions whose inputs and outputs are these.
    majors: &'static [u32],
    /// Other refs that mean the same: branches people use.
    refs: &'static [&'static str],
    /// Commits of releases that people pin, with their major versions.
    commits: &'static [(&'static str, u32)],
    run: fn(&mut Step, Stage) -> Result<(), Failure>,
}

/// Every native version there is.
const REGISTER: &[&Native] = &[
    &ecr_login::ECR_LOGIN,
    &cache::CACHE,
    &cache::RESTORE,
    &cache::SAVE,
    &checkout::CHECKOUT,
    &codecov::CODECOV,
    &aws_credentials::CREDENTIALS,
    &docker::build::BUILD,
    &docker::login::LOGIN,
    &docker::setup_buildx::BUILDX,
    &download_artifact::DOWNLOAD,
    &ecs_deploy::DEPLOY,
    &ecs_render::RENDER,
    &setup_node::NODE,
    &setup_python::PYTHON,
    &setup_terraform::TERRAFORM,
    &slack::SLACK_V1,
    &slack::SLACK,
    &tfsec::TFSEC,
    &trufflehog::TRUFFLEHOG,
    &upload_artifact::UPLOAD,
    &upload_sarif::UPLOAD_SARIF,
];

/// The native version of an action, if that version is known.
pub fn lookup(
    owner: &str,
    repo: &str,
    path: Option<&str>,
    reference: &str,
) -> Option<NativeAction> {
    let mut name = format!("{owner}/{repo}").to_ascii_lowercase();
    if let Some(path) = path {
        name = format!("{name}/{path}");
    }
    let known = |native: &&&Native| native.of == name && native.knows(reference);
    REGISTER.iter().find(known).map(|native| native.action)
}

/// The names of all native versions and what they stand for: `owner/repo[/path]`, majors, refs.
pub fn table() -> impl Iterator<Item = (&'static str, &'static str, &'static [u32])> {
    REGISTER.iter().map(|native| (native.action.name, native.of, native.majors))
}

/// Runs one stage in this process, whose environment is that of a JavaScript action. The answer is
/// the exit code.
pub fn main(name: &str, stage: Stage) -> u8 {
    let native = REGISTER.iter().find(|native| native.action.name == name);
    let reference = std::env::var("GITHUB_ACTION_REF").unwrap_or_default();
    let major = native.and_then(|native| native.major_of(&reference));
    let step = Step::new(major);
    let Some(native) = native else {
        step.error(&format!("there is no native action {name}"));
        return 2;
    };
    if stage == Stage::Main {
        step.info(&format!("{} by Launchway (native version)", native.of));
    }
    let workspace = step.variable("GITHUB_WORKSPACE");
    let outcome = trusted::within(step.variable(trusted::WALLS_VARIABLE), workspace, |hands| {
        let mut step = Step::new(major).with_hands(hands);
        (native.run)(&mut step, stage).and_then(|()| step.finish())
    });
    let Err(failure) = outcome else { return 0 };
    step.error(&failure.message);
    if let Some(hint) = &failure.hint {
        step.info(&format!("hint: {hint}"));
    }
    failure.exit_code
}

impl Native {
    fn knows(&self, reference: &str) -> bool {
        self.refs.contains(&reference) || self.major_of(reference).is_some()
    }

    /// The major version that a tag or a pinned commit stands for.
    fn major_of(&self, reference: &str) -> Option<u32> {
        let pinned = self.commits.iter().find(|(id, _)| id.eq_ignore_ascii_case(reference));
        let tagged = major_version(reference).filter(|major| self.majors.contains(major));
        pinned.map(|(_, major)| *major).or(tagged)
    }
}

/// The 4 of `v4`, `v4.1` and `v4.1.7`; nothing for what is not a released version.
fn major_version(reference: &str) -> Option<u32> {
    let digits = reference.strip_prefix('v').unwrap_or(reference);
    let mut parts = digits.split('.');
    let major = parts.next()?.parse().ok()?;
    let rest = parts.collect::<Vec<_>>();
    let numbers = rest.iter().all(|part| part.parse::<u32>().is_ok());
    (rest.len() <= 2 && numbers).then_some(major)
}

#[cfg(test)]
mod tests;
