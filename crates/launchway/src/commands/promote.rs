//! `launchway promote`: what ran well in the environment below goes up, the very same digest. Nothing
//! is built: an image is copied where the environment has a repository of its own, a bundle is the
//! file that it is.

use event::{DeployStepKey, KnownRelease, Release, ReleaseOrigin};
use settings::ServiceInEnvironment;
use views::{Ledger, ServiceLedger};

use crate::cli::PromoteArgs;
use crate::deploying::book::Book;
use crate::deploying::drive::Driver;
use crate::deploying::request::{build, environment, services};
use crate::deploying::targets::{self, Site};
use crate::deploying::wish::{Given, What, Wish};
use crate::exit::{Exit, Failure, Outcome};
use crate::images::gate::CopyFrom;
use crate::images::record::{self, Came};
use crate::images::shelf::{self, IfMissing};
use crate::images::tags::COMMIT_DIGITS;
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::talk;

/// Digits that are enough to name a digest or a commit.
const DIGITS_MIN: usize = 7;

pub(crate) fn run(args: &PromoteArgs, state: &StateFolder) -> Outcome {
    let found = load(args.of.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    let name = &args.of.environment;
    let below = environment(&found, name)?.below.clone().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("nothing says from where {name} takes its releases"))
            .hint(format!("write `deploy: {{ promote: ENVIRONMENT }}` under environments.{name}"))
    })?;
    let format = args.of.settings.format;
    let driver = Driver::new((&book, state), &found, format);
    let place = if args.how.plan { None } else { Some(driver.take(name)?) };
    if place.is_some() {
        driver.finish_open(name)?;
    }
    let promotion = Promotion { args, found: &found, book: &book, state, below: &below.value };
    let given = driver.prepared(|| promotion.releases())?;
    let agreed = args.how.agreement();
    let wish = Wish {
        environment: name,
        services: &args.of.services,
        agreed,
        only_look: args.how.plan,
        what: What::Ship {
            version: None,
            from: None,
            images: &[],
            given: &given,
            force: args.how.force,
            migrations: !args.how.skip_migrations,
            hotfix: args.how.hotfix,
        },
    };
    let request = driver.prepared(|| build(&found, &book, state, &wish))?;
    if args.how.plan {
        return super::deploy::plan_of(&request, state, &found, format);
    }
    let outcome = driver.begin(request, agreed)?;
    promotion.record(&given)?;
    Ok(outcome)
}

struct Promotion<'a> {
    args: &'a PromoteArgs,
    found: &'a Found,
    book: &'a Book,
    state: &'a StateFolder,
    below: &'a str,
}

impl Promotion<'_> {
    /// What goes up, service by service. Of services that nobody named, those that never ran well
    /// below stay as they are.
    fn releases(&self) -> Result<Vec<Given>, Failure> {
        let ledger = self.book.ledger(self.below)?;
        let mut given = Vec::new();
        for name in services(self.found, &self.args.of.services)? {
            match self.choose(&ledger, &name.value)? {
                Some(known) => given.push(self.bring(&name.value, &known)?),
                None if self.args.of.services.is_empty() => {
                    talk(&format!(
                        "{} never ran well in {}; it stays as it is",
                        name.value, self.below
                    ));
                }
                None => return Err(self.never(&name.value)),
            }
        }
        if given.is_empty() {
            return Err(self.never("any service"));
        }
        Ok(given)
    }

    fn never(&self, what: &str) -> Failure {
        let version = self.args.version.as_ref().map_or(String::new(), |it| format!(" {it}"));
        let message = format!(
            "no release{version} of {what} ran well in {}, and {} takes only what did",
            self.below, self.args.of.environment
        );
        Failure::new(Exit::Forbidden, message)
            .hint(format!("launchway deploy {} first", self.below))
    }

    fn choose(&self, ledger: &Ledger, service: &str) -> Result<Option<KnownRelease>, Failure> {
        let nothing = ServiceLedger::default();
        let of = ledger.services.get(service).unwrap_or(&nothing);
        let Some(version) = &self.args.version else {
            return Ok(of.runs_well().cloned());
        };
        let begins = |text: &str| version.len() >= DIGITS_MIN && text.starts_with(&**version);
        let line = of.releases.iter().find(|line| {
            let release = &line.release;
            *release.version == **version
                || release.version.strip_prefix('v') == Some(version)
                || begins(&release.digest)
                || begins(release.digest.trim_start_matches("sha256:"))
                || release.commit.as_deref().is_some_and(begins)
        });
        Ok(line.and_then(|line| line.known.clone()))
    }

    fn resolve(&self, environment: &str, service: &str) -> Result<ServiceInEnvironment, Failure> {
        let resolved = self.found.settings.resolve(environment, service);
        resolved.map_err(|error| Failure::new(Exit::Usage, error))
    }

    /// Makes it one of the environment's own: the same bytes there.
    fn bring(&self, service: &str, known: &KnownRelease) -> Result<Given, Failure> {
        let name = &self.args.of.environment;
        let resolved = self.resolve(name, service)?;
        let (above, below) =
            (Site::of(self.state, self.book, name), Site::of(self.state, self.book, self.below));
        let mut release = known.release.clone();
        let from_kind = self.resolve(self.below, service)?.target.kind();
        if resolved.target.kind() != from_kind {
            let message = format!(
                "{service} runs on {from_kind} in {}, and on {} in {name}: that is not the same release",
                self.below,
                resolved.target.kind()
            );
            return Err(
                Failure::new(Exit::Forbidden, message).hint("promote between targets of one kind")
            );
        }
        let is_host = matches!(resolved.target, settings::Target::Host(_));
        if is_host && release.location.is_none() {
            targets::bring_bundle(below, above, &release.digest)?;
        }
        let Some(location) = release.location.clone() else {
            return Ok(Given { service: service.into(), release, copy: None, is_promoted: true });
        };
        if is_host && resolved.environment.registry.is_none() {
            // It has no repository of its own: it takes the image from where it is.
            return Ok(Given { service: service.into(), release, copy: None, is_promoted: true });
        }
        let own = shelf::open(self.found, above, &resolved, IfMissing::Refuse)?.location();
        if own == *location {
            return Ok(Given { service: service.into(), release, copy: None, is_promoted: true });
        }
        let copy = CopyFrom {
            environment: self.below.to_owned(),
            location: location.to_string(),
            tags: names(&release, name),
        };
        release.location = Some(own.into());
        Ok(Given { service: service.into(), release, copy: Some(copy), is_promoted: true })
    }

    /// Copies that were made are releases of the environment's repository from now on.
    fn record(&self, given: &[Given]) -> Result<(), Failure> {
        let name = &self.args.of.environment;
        let newest = self.book.newest(Some(name), 1)?;
        let Some(view) = newest.first() else { return Ok(()) };
        for given in given {
            let Some(copy) = &given.copy else { continue };
            let key = DeployStepKey::new(&given.service, "copy");
            let step = view.steps.iter().find(|it| it.key == key);
            let deed = step.and_then(|it| it.forward.as_ref()).filter(|it| it.is_done());
            let Some(deed) = deed else { continue };
            let resolved = self.resolve(name, &given.service)?;
            let site = Site::of(self.state, self.book, name);
            let mut shelf = shelf::open(self.found, site, &resolved, IfMissing::Refuse)?;
            let Some(manifest) = shelf.manifest(&given.release.digest)? else { continue };
            let took = deed.over_at.map_or(0, |it| it.0.saturating_sub(deed.since.0));
            let came = Came {
                service: &given.service,
                environment: name,
                version: &given.release.version,
                commit: given.release.commit.as_deref(),
                tags: copy.tags.clone(),
                origin: ReleaseOrigin::Copied { from: copy.location.as_str().into() },
                platform: None,
                took_ms: took,
            };
            record::record(self.book, &shelf.location(), &manifest, came)?;
        }
        Ok(())
    }
}

/// What names it in the new repository, by the rule of builds.
fn names(release: &Release, environment: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(commit) = &release.commit {
        names.push(commit.to_string());
        names.push(commit.chars().take(COMMIT_DIGITS).collect());
    }
    let plain = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    if !release.version.is_empty() && release.version.chars().all(plain) {
        names.push(release.version.to_string());
    }
    names.extend(["latest".to_owned(), format!("{environment}-latest")]);
    names.dedup();
    names
}
