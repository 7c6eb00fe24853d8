//! A service as it is in one environment.

use std::sync::Arc;
use std::time::Duration;

use crate::resolve::Gaps;
use crate::secret::{self, SecretReference};
use crate::view::{Origin, Spanned, Text, View, key_text, node_text};

/// What is deployed: how it is built, how it starts, when it is healthy.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: Text,
    /// How its image is built; absent where there is nothing to build.
    pub build: Option<Build>,
    /// The repository of its images in the registry.
    pub image: Text,
    /// Which files it is made of where it runs without an image.
    pub bundle: Bundle,
    /// The program and its arguments, on a target that runs processes.
    pub run: Vec<Text>,
    /// When a new version is healthy.
    pub health: Option<Health>,
    /// What is run once per release.
    pub migrate: Option<Migrate>,
    /// Where it says which version it is.
    pub version: Option<VersionAt>,
    /// What Launchway may change of it on the platform.
    pub owns: Vec<Spanned<Owned>>,
    /// Variables that everybody may read.
    pub env: Vec<Variable<Text>>,
    /// `.env` files; what a later one says wins, and `env` wins over all of them.
    pub settings: Vec<Text>,
    /// Variables whose values lie elsewhere.
    pub secrets: Vec<Variable<Spanned<SecretReference>>>,
}

/// A variable of the service.
#[derive(Clone, Debug)]
pub struct Variable<V> {
    /// Its name.
    pub name: Text,
    /// Its value, or where that lies.
    pub value: V,
}

/// How an image is built.
#[derive(Clone, Debug)]
pub struct Build {
    /// The folder.
    pub context: Text,
    /// The Dockerfile; `Dockerfile` in `context` where absent.
    pub dockerfile: Option<Text>,
    /// The stage.
    pub target: Option<Text>,
    /// What it is built for.
    pub platform: Spanned<Platform>,
    /// Build arguments.
    pub args: Vec<Variable<Text>>,
}

/// What an image is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// `linux/amd64`
    LinuxAmd64,
    /// `linux/arm64`
    LinuxArm64,
}

/// Which files a service is made of.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The folder.
    pub path: Text,
    /// Patterns of what belongs to it.
    pub include: Vec<Text>,
    /// Patterns of what of that does not.
    pub exclude: Vec<Text>,
    /// The most bytes it may have.
    pub limit_bytes: Spanned<u64>,
}

/// When a new version is healthy.
#[derive(Clone, Debug)]
pub struct Health {
    /// Paths that must answer.
    pub paths: Vec<Text>,
    /// How long it has to stay healthy.
    pub settle: Spanned<Duration>,
    /// When it is given up.
    pub within: Spanned<Duration>,
    /// How long one answer may take.
    pub timeout: Spanned<Duration>,
    /// How often is asked.
    pub every: Spanned<Duration>,
}

/// What is run once per release.
#[derive(Clone, Debug)]
pub struct Migrate {
    /// The command.
    pub run: Vec<Text>,
    /// How long it may take.
    pub timeout: Spanned<Duration>,
    /// Whether the version before still works once it ran.
    pub compatible: Spanned<bool>,
}

/// Where a service says which version it is.
#[derive(Clone, Debug)]
pub struct VersionAt {
    /// The path that answers with JSON.
    pub path: Text,
    /// The field of that JSON, `.` between nested ones.
    pub field: Text,
}

/// What Launchway may change of a service on its platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the word of the file, which the table explains")]
pub enum Owned {
    Image,
    Environment,
    Secrets,
    Command,
}

impl Service {
    /// Of a merged view without a mistake; gaps in names are filled.
    pub(crate) fn read(name: Text, view: View<'_>, gaps: &Gaps<'_>) -> Option<Service> {
        Some(Service {
            name,
            build: read_if(view.view("build"), Build::read)?,
            image: gaps.fill(view.text("image")?),
            bundle: Bundle::read(view)?,
            run: view.texts("run"),
            health: read_if(view.view("health"), Health::read)?,
            migrate: read_if(view.view("migrate"), Migrate::read)?,
            version: read_if(view.view("version"), |it| {
                Some(VersionAt { path: it.text("path")?, field: it.text("field")? })
            })?,
            owns: view.list("owns", |node| Owned::of(node.as_str()?)),
            env: variables(view, "env"),
            settings: view.texts("settings").into_iter().map(|it| gaps.fill(it)).collect(),
            secrets: secrets(view),
        })
    }
}

/// Reads what is there; only what is there and cannot be read is a failure.
pub(super) fn read_if<'n, T>(
    view: Option<View<'n>>,
    read: impl FnOnce(View<'n>) -> Option<T>,
) -> Option<Option<T>> {
    match view {
        Some(view) => read(view).map(Some),
        None => Some(None),
    }
}

impl Build {
    fn read(view: View<'_>) -> Option<Build> {
        let platform = view.text("platform")?;
        Some(Build {
            context: view.text("context")?,
            dockerfile: view.text("dockerfile"),
            target: view.text("target"),
            platform: platform.map(|it| match &*it {
                "linux/arm64" => Platform::LinuxArm64,
                _ => Platform::LinuxAmd64,
            }),
            args: variables(view, "args"),
        })
    }
}

impl Platform {
    /// As Docker says it.
    pub fn word(self) -> &'static str {
        match self {
            Platform::LinuxAmd64 => "linux/amd64",
            Platform::LinuxArm64 => "linux/arm64",
        }
    }
}

impl Bundle {
    /// Without a word about it: the table's defaults, at the place of the service.
    fn read(service: View<'_>) -> Option<Bundle> {
        let nothing = syntax::Node { span: service.span, kind: syntax::NodeKind::Null };
        let view =
            service.view("bundle").unwrap_or_else(|| View::new(&crate::table::BUNDLE, &nothing));
        Some(Bundle {
            path: view.text("path")?,
            include: view.texts("include"),
            exclude: view.texts("exclude"),
            limit_bytes: view.size("limit")?,
        })
    }
}

impl Health {
    fn read(view: View<'_>) -> Option<Health> {
        Some(Health {
            paths: view.texts("paths"),
            settle: view.duration("settle")?,
            within: view.duration("within")?,
            timeout: view.duration("timeout")?,
            every: view.duration("every")?,
        })
    }
}

impl Migrate {
    fn read(view: View<'_>) -> Option<Migrate> {
        Some(Migrate {
            run: view.texts("run"),
            timeout: view.duration("timeout")?,
            compatible: view.flag("compatible")?,
        })
    }
}

impl Owned {
    fn of(word: &str) -> Option<Owned> {
        Some(match word {
            "image" => Owned::Image,
            "environment" => Owned::Environment,
            "secrets" => Owned::Secrets,
            "command" => Owned::Command,
            _ => return None,
        })
    }
}

fn variables(view: View<'_>, key: &str) -> Vec<Variable<Text>> {
    let variable = |entry: &syntax::Entry| {
        let value = Arc::clone(node_text(&entry.value)?);
        let value = Spanned { value, span: entry.value.span, origin: Origin::Written };
        Some(Variable { name: key_text(entry), value })
    };
    view.entries(key).iter().filter_map(variable).collect()
}

fn secrets(view: View<'_>) -> Vec<Variable<Spanned<SecretReference>>> {
    let variable = |entry: &syntax::Entry| {
        let value = secret::parse(node_text(&entry.value)?).ok()?;
        let value = Spanned { value, span: entry.value.span, origin: Origin::Written };
        Some(Variable { name: key_text(entry), value })
    };
    view.entries("secrets").iter().filter_map(variable).collect()
}

/// The reference under a key.
pub(crate) fn secret(view: View<'_>, key: &str) -> Option<Spanned<SecretReference>> {
    let text = view.text(key)?;
    let value = secret::parse(&text).ok()?;
    Some(Spanned { value, span: text.span, origin: text.origin })
}
