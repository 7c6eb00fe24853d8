//! `launchway build`: an image of this commit, built once, pushed by names that follow a rule, and
//! written down with the digest that the registry says.

use event::{ReleaseOrigin, ReleaseRecord};
use registry::{Manifest, RegistryError};
use repository::Repository;
use serde_json::json;
use settings::{Platform, ServiceInEnvironment};

use crate::cli::{BuildArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::request::{environment, services};
use crate::deploying::targets::{Site, is_image};
use crate::exit::{Exit, Failure, Outcome};
use crate::images::docker::{self, Built, Order};
use crate::images::record::{self, Came, REVISION, VERSION};
use crate::images::shelf::{self, IfMissing, Shelf};
use crate::images::tags::Tags;
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::github;
use crate::terminal::style::{Style, out, talk};

/// The lowest level at which anything leaves this machine.
const LEVEL_TO_PUSH: u32 = 4;
/// Bytes in a megabyte, as sizes of images are told.
const MEGABYTE: u64 = 1_000_000;

pub(crate) fn run(args: &BuildArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    let repository = Repository::discover(&found.root)?;
    refuse_uncommitted(&repository, args)?;
    if let Some(name) = &args.push {
        refuse_level(&found, name)?;
    }
    let tags = Tags::of(&repository.head.id, &repository.tags()?, args.push.as_deref());
    for tag in &tags.invalid {
        talk(&format!("note: the tag {tag} is no version by semver, and names no release"));
    }
    let format = args.settings.format;
    let work = Work { args, found: &found, book: &book, state, tags: &tags, format };
    let mut is_there_any = false;
    for name in services(&found, &args.services)? {
        let resolved = work.resolve(&name.value)?;
        if resolved.service.build.is_none() {
            say_nothing_to_build(&resolved, args)?;
            continue;
        }
        is_there_any = true;
        work.service(&resolved)?;
    }
    if is_there_any {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Usage, "no service says how an image of it is built")
        .hint("write `build` under the service; docs/build.md says how"))
}

/// What is built must be found again by its commit.
fn refuse_uncommitted(repository: &Repository, args: &BuildArgs) -> Result<(), Failure> {
    if repository.uncommitted.is_empty() || args.dirty || args.plan {
        return Ok(());
    }
    let files = crate::running::prepare::refuse::count_files(repository.uncommitted.len() as u64);
    let first = &repository.uncommitted[0];
    let message =
        format!("{files} not committed ({first}): what is built could not be found again");
    Err(Failure::new(Exit::Forbidden, message)
        .hint("commit; or build it for this machine only: --dirty"))
}

fn refuse_level(found: &Found, name: &str) -> Result<(), Failure> {
    let level = environment(found, name)?.level.value;
    if level >= LEVEL_TO_PUSH {
        return Ok(());
    }
    let message = format!("{name} has the level {level}: nothing is pushed for it");
    Err(Failure::new(Exit::Forbidden, message)
        .hint(format!("from level {LEVEL_TO_PUSH} on a person may; without --push it is built")))
}

/// One that was asked for by its name must be there to be built.
fn say_nothing_to_build(resolved: &ServiceInEnvironment, args: &BuildArgs) -> Result<(), Failure> {
    let name = &resolved.service.name.value;
    if args.services.iter().any(|it| **it == **name) {
        return Err(Failure::new(Exit::Usage, format!("nothing says how {name} is built"))
            .hint("write `build` under it; docs/build.md says how"));
    }
    let why = match resolved.target {
        settings::Target::Host(_) if !is_image(resolved) => {
            "it runs here without an image: deploy packs its files"
        }
        _ => "its settings have no `build`",
    };
    talk(&format!("{name} is passed over: {why}"));
    Ok(())
}

/// One `launchway build`.
struct Work<'a> {
    args: &'a BuildArgs,
    found: &'a Found,
    book: &'a Book,
    state: &'a StateFolder,
    tags: &'a Tags,
    format: Format,
}

impl Work<'_> {
    /// As it is in the environment that it is pushed for. Without one: as it is in the first that
    /// says how it is built.
    fn resolve(&self, service: &str) -> Result<ServiceInEnvironment, Failure> {
        let settings = &self.found.settings;
        let of = |name: &str| {
            let resolved = settings.resolve(name, service);
            resolved.map_err(|error| Failure::new(Exit::Usage, error))
        };
        if let Some(name) = &self.args.push {
            return of(name);
        }
        let mut first = None;
        for environment in &settings.environments {
            let resolved = of(&environment.name.value)?;
            if resolved.service.build.is_some() {
                return Ok(resolved);
            }
            first.get_or_insert(resolved);
        }
        first.ok_or_else(|| Failure::new(Exit::Usage, "the settings have no environment"))
    }

    fn service(&self, resolved: &ServiceInEnvironment) -> Result<(), Failure> {
        let name = &resolved.service.name.value;
        let Some(environment) = &self.args.push else {
            let local = self.local_names(name);
            if self.args.plan {
                self.tell_plan(resolved, None, &local);
                return Ok(());
            }
            let built = docker::build(&self.order(resolved, local.clone()))?;
            self.tell_built(resolved, &built, &local);
            return Ok(());
        };
        let site = Site::of(self.state, self.book, environment);
        let missing =
            if self.args.create_repository { IfMissing::Create } else { IfMissing::Refuse };
        if self.args.plan {
            // Looking makes nothing.
            let shelf = shelf::open(self.found, site, resolved, IfMissing::Refuse)?;
            let all = self.all_tags();
            self.tell_plan(resolved, Some(&shelf.location()), &all);
            return Ok(());
        }
        let mut shelf = shelf::open(self.found, site, resolved, missing)?;
        let there = shelf.manifest(&self.tags.commit)?;
        self.refuse_taken(&mut shelf, there.as_ref())?;
        let (manifest, built) = match there {
            Some(manifest) if !self.args.again => {
                talk(&format!("{name} of this commit is in {} already", shelf.location()));
                (manifest, None)
            }
            there => {
                let built = docker::build(&self.order(resolved, self.local_names(name)))?;
                self.tell_built(resolved, &built, &self.local_names(name));
                (self.push(&mut shelf, &built, there)?, Some(built))
            }
        };
        let tags = self.name(&mut shelf, &manifest)?;
        let platform = Some(platform(resolved));
        let origin = if built.is_some() { ReleaseOrigin::Built } else { ReleaseOrigin::Found };
        let came = Came {
            service: name,
            environment,
            version: &self.tags.version,
            commit: Some(&self.tags.commit),
            tags,
            origin,
            platform: platform.filter(|_| built.is_some()),
            took_ms: built.map_or(0, |it| it.took_ms),
        };
        let record = record::record(self.book, &shelf.location(), &manifest, came)?;
        self.tell_pushed(&record);
        Ok(())
    }

    /// A version that names another image already would be two things.
    fn refuse_taken(&self, shelf: &mut Shelf, there: Option<&Manifest>) -> Result<(), Failure> {
        for tag in &self.tags.fixed {
            let Some(other) = shelf.manifest(tag)? else { continue };
            if there.is_some_and(|it| it.digest == other.digest) {
                continue;
            }
            return Err(self.taken(shelf, tag, &other));
        }
        Ok(())
    }

    fn taken(&self, shelf: &Shelf, tag: &str, other: &Manifest) -> Failure {
        let message = format!(
            "{}:{tag} is there and is another image ({}): it keeps its name",
            shelf.location(),
            other.digest
        );
        Failure::new(Exit::Forbidden, message)
            .hint(format!(
                "ship the one that is there: launchway deploy ENVIRONMENT --version {tag}"
            ))
            .hint("or commit, or tag another version, and build that")
    }

    /// By its commit alone; the other names are given by the registry.
    fn push(
        &self,
        shelf: &mut Shelf,
        built: &Built,
        there: Option<Manifest>,
    ) -> Result<Manifest, Failure> {
        if let Some(there) = there {
            let same =
                there.config().is_some_and(|it| it.digest == built.id) || there.digest == built.id;
            return if same {
                Ok(there)
            } else {
                Err(self.taken(shelf, &self.tags.commit, &there))
            };
        }
        let name = format!("{}:{}", shelf.location(), self.tags.commit);
        talk(&format!("  pushing {name}"));
        docker::push(&built.id, &name, shelf.login.as_ref())?;
        shelf.manifest(&self.tags.commit)?.ok_or_else(|| {
            let message = format!("{name} was pushed, and the registry does not have it");
            Failure::new(Exit::Failed, message)
        })
    }

    /// Gives it its other names; those that move may be held back by a repository.
    fn name(&self, shelf: &mut Shelf, manifest: &Manifest) -> Result<Vec<String>, Failure> {
        let mut given = vec![self.tags.commit.clone()];
        for tag in &self.tags.fixed {
            shelf.tag(manifest, tag).map_err(shelf::failed)?;
            given.push(tag.clone());
        }
        for tag in &self.tags.moving {
            match shelf.tag(manifest, tag) {
                Ok(()) => given.push(tag.clone()),
                Err(RegistryError::Immutable { .. }) => talk(&format!(
                    "note: {} does not let {tag} move; nothing that is deployed here needs it",
                    shelf.location()
                )),
                Err(error) => return Err(shelf::failed(error)),
            }
        }
        Ok(given)
    }

    fn all_tags(&self) -> Vec<String> {
        let tags = self.tags;
        let fixed = std::iter::once(&tags.commit).chain(&tags.fixed);
        fixed.chain(&tags.moving).cloned().collect()
    }

    /// What docker of this machine calls it.
    fn local_names(&self, service: &str) -> Vec<String> {
        let name = format!("{}-{service}", self.book.project).to_lowercase();
        if self.args.dirty {
            return vec![format!("{name}:{}-dirty", self.tags.fixed[0])];
        }
        vec![format!("{name}:{}", self.tags.fixed[0]), format!("{name}:latest")]
    }

    fn order(&self, resolved: &ServiceInEnvironment, names: Vec<String>) -> Order {
        let build = resolved.service.build.as_ref().expect("only what says how is built");
        let root = std::path::absolute(&self.found.root);
        let root = root.unwrap_or_else(|_| self.found.root.clone());
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let args = build.args.iter();
        Order {
            context: root.join(&*build.context.value),
            dockerfile: build.dockerfile.as_ref().map(|it| root.join(&*it.value)),
            target: build.target.as_ref().map(|it| it.value.to_string()),
            platform: platform(resolved),
            args: args.map(|it| label(&it.name.value, &it.value.value)).collect(),
            labels: vec![label(REVISION, &self.tags.commit), label(VERSION, &self.tags.version)],
            names,
        }
    }

    fn tell_plan(&self, resolved: &ServiceInEnvironment, location: Option<&str>, tags: &[String]) {
        let (name, platform) = (&resolved.service.name.value, platform(resolved));
        if self.format == Format::Json {
            let line = json!({
                "type": "build_planned", "service": name, "version": self.tags.version,
                "commit": self.tags.commit, "platform": platform, "repository": location,
                "tags": tags,
            });
            return out(&line.to_string());
        }
        let style = Style::stdout();
        let build = resolved.service.build.as_ref().expect("only what says how is built");
        let context = &build.context.value;
        out(&format!("{}: {} from {context} for {platform}", style.bold(name), self.tags.version));
        let place = location.map_or_else(|| "docker of this machine".to_owned(), str::to_owned);
        out(&format!("  goes to {place} as {}", tags.join(", ")));
    }

    fn tell_built(&self, resolved: &ServiceInEnvironment, built: &Built, names: &[String]) {
        let name = &resolved.service.name.value;
        match self.format {
            Format::Json => {
                let line = json!({
                    "type": "release_built", "service": name, "version": self.tags.version,
                    "commit": self.tags.commit, "image": built.id, "names": names,
                    "platform": platform(resolved), "duration_ms": built.took_ms,
                });
                out(&line.to_string());
            }
            Format::Human | Format::Github => {
                let seconds = built.took_ms / 1000;
                let style = Style::stdout();
                let names = names.join(", ");
                out(&format!("{} {name} built in {seconds} s: {names}", style.green("✓")));
            }
        }
    }

    fn tell_pushed(&self, record: &ReleaseRecord) {
        let (name, release) = (&record.service, &record.release);
        let location = release.location.as_deref().unwrap_or_default();
        if self.format == Format::Json {
            let line = json!({
                "type": "release_pushed", "service": name, "version": release.version,
                "commit": release.commit, "digest": release.digest, "repository": location,
                "tags": record.tags, "environment": record.environment,
                "size_bytes": record.size_bytes, "origin": record.origin,
            });
            return out(&line.to_string());
        }
        let style = Style::stdout();
        let size = record.size_bytes.div_ceil(MEGABYTE);
        out(&format!("{} {name} {} in {location}", style.green("✓"), style.bold(&release.version)));
        out(&format!("  {} ({size} MB)", release.digest));
        out(&format!("  tags: {}", record.tags.join(", ")));
        if self.format == Format::Github {
            github::output("digest", &release.digest);
            github::output("image", &format!("{location}@{}", release.digest));
            github::summary(&format!(
                "### {name} {}\n\n`{location}@{}` ({size} MB)\n\nTags: {}\n",
                release.version,
                release.digest,
                record.tags.join(", ")
            ));
        } else {
            talk(&format!("launchway deploy {} ships it", record.environment));
        }
    }
}

fn platform(resolved: &ServiceInEnvironment) -> &'static str {
    let platform = resolved.service.build.as_ref().map(|it| it.platform.value);
    platform.unwrap_or(Platform::LinuxAmd64).word()
}
