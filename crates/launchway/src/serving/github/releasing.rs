//! The releases of versions at GitHub: made once, of versions whose runs all succeeded, where the settings of the
//! default branch ask for it; changed in place when something more came of one.
//!
//! ```text
//!   a run or a deployment is over ─▶ versions at its commit ─▶ looked for at GitHub ─▶ made or mended
//!                                                                    │
//!                                              releases/OWNER/NAME.json ◀── what there is now
//! ```
//!
//! Before one is made the audit trail says so. Whoever is killed behind that finds by its mark what was made.

use std::path::Path;

use event::{AuditRecord, DeploymentEvent, StreamId};
use forge::{ForgeError, FoundRelease, Linked, Release};
use mask::MaskedText;
use ports::Journal as _;
use repository::Repository;
use settings::GitHubReleases;
use versions::{AtGitHub, Standing, Version, VersionRecord};

use super::Link;
use super::telling::{NotNow, Work};
use crate::exit::{Exit, Failure};
use crate::serving::data;
use crate::serving::intake::orders::Orders;
use crate::serving::repositories::tagged;
use crate::serving::repositories::{self, Connected};
use crate::terminal::time::now;
use crate::versions::failed;

/// What a release is made by, in the audit trail.
const ACTION: &str = "release.make";

impl Work<'_> {
    /// Tells of the versions that a deployment that is over brought somewhere.
    pub(super) fn deployment(&mut self, link: &Link, stream: StreamId) -> Result<(), NotNow> {
        let telling = self.telling;
        let events = match telling.store.ledger().read(stream, event::Seq(0)) {
            Ok(events) => events,
            // It was pruned, or is of a newer version: nobody is told of it.
            Err(ports::JournalError::Forgotten { .. } | ports::JournalError::Unreadable(_)) => {
                return Ok(());
            }
            Err(error) => return Err(Failure::caused(Exit::Missing, error).into()),
        };
        let Some(DeploymentEvent::DeploymentRequested(request)) =
            events.first().map(|it| &it.event)
        else {
            return Ok(());
        };
        let commits: std::collections::BTreeSet<&str> =
            request.services.iter().filter_map(|it| it.release.commit.as_deref()).collect();
        for connected in repositories::all(&telling.data)? {
            for commit in commits.iter().filter(|_| connected.github.is_some()) {
                self.releases(link, (&connected.name, &connected.path), commit)?;
            }
        }
        Ok(())
    }

    /// Tells of the versions that are at a commit, after something there is over.
    pub(super) fn releases(
        &mut self,
        link: &Link,
        (name, path): (&str, &Path),
        commit: &str,
    ) -> Result<(), NotNow> {
        let tags = self.versions_at((name, path), commit);
        let telling = self.telling;
        let found = repositories::on_github(&telling.data, name)?;
        let Some((connected, _)) = found.filter(|_| !tags.is_empty()) else { return Ok(()) };
        let settings = match repositories::settings_at_tip(&connected) {
            Ok(settings) => settings,
            Err(failure) => {
                let text = format!("no release is made of versions: {:#}", failure.error);
                self.say(&format!("{name} {text}"), &text);
                return Ok(());
            }
        };
        let wanted = settings.map_or(GitHubReleases::None, |it| it.github_releases);
        if wanted == GitHubReleases::None {
            return Ok(());
        }
        for tag in &tags {
            if self.is_ordered(name, tag)? {
                let why = format!("runs of {tag} of {name} are not made yet");
                return Err(NotNow::Later(super::telling::LOOK, why));
            }
            let record = match self.record(&connected, tag) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(failure) if store::is_away(failure.error.as_ref()) => {
                    return Err(failure.into());
                }
                // What cannot be read now is no reason to tell nothing else.
                Err(failure) => {
                    let text = format!("{tag} of {name} is not told: {:#}", failure.error);
                    self.say(&text, &text);
                    continue;
                }
            };
            self.release(link, &connected, (&record, wanted))?;
        }
        Ok(())
    }

    /// The tags at a commit that are versions. A clone that git cannot read holds up nothing that is told of others.
    fn versions_at(&mut self, (name, path): (&str, &Path), commit: &str) -> Vec<String> {
        match Repository::tagged_at(path, commit) {
            Ok(tags) => {
                let names = tags.into_iter().map(|it| it.tag);
                names.filter(|it| Version::of_tag(it).is_some()).collect()
            }
            Err(error) => {
                let error = Failure::from(error).error;
                let text = format!("no release is made of versions of {name}: {error:#}");
                self.say(&text, &text);
                Vec::new()
            }
        }
    }

    /// A version with all that ended until now.
    fn record(&self, connected: &Connected, tag: &str) -> Result<Option<VersionRecord>, Failure> {
        let telling = self.telling;
        let figures = tagged::caught_up(&telling.data, &telling.store)?;
        figures.catch_up(&telling.store, &mut |_| true).map_err(failed)?;
        tagged::show(&telling.data, &telling.store, (connected, tag))
    }

    /// Whether runs of a tag are still to be made: of several the first may be over by then.
    fn is_ordered(&self, name: &str, tag: &str) -> Result<bool, Failure> {
        let data = &self.telling.data;
        let git_ref = format!("refs/tags/{tag}");
        for id in data::list(&data.inbox(), ".order")? {
            let Some(order) = Orders::waiting(data, &id)? else { continue };
            let is_its = order
                .runs
                .iter()
                .any(|it| *it.request.repository == *name && *it.request.event.git_ref == *git_ref);
            if is_its {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One release: looked for, then made or mended; what there is then is kept.
    fn release(
        &mut self,
        link: &Link,
        connected: &Connected,
        (record, wanted): (&VersionRecord, GitHubReleases),
    ) -> Result<(), NotNow> {
        let known = record.version.github.as_ref();
        let is_made = matches!(known, Some(AtGitHub::Made { .. }));
        let is_good = record.version.standing == Standing::Succeeded && !record.version.gone;
        // What was made stays; what somebody took away is not wanted.
        if matches!(known, Some(AtGitHub::TakenAway)) || !(is_made || is_good) {
            return Ok(());
        }
        let name = &connected.name;
        let there = match self.stand(link, connected, (record, wanted)) {
            Ok(there) => there,
            Err(Trouble::Failed(failure)) => return Err(failure.into()),
            Err(Trouble::Forge(error)) => {
                let why = refusal(&error);
                self.settled(Err(error), name, "releases")?;
                // What we made stays made, whatever it does not take now.
                let made = known.filter(|_| is_made).cloned();
                Some(made.unwrap_or(AtGitHub::Refused { why }))
            }
        };
        if let Some(there) = there.filter(|it| Some(it) != known) {
            let path = self.telling.data.releases(name);
            let mut all = tagged::kept(&self.telling.data, name)?;
            all.insert(record.version.tag.clone(), there);
            data::write(&path, &all)?;
        }
        Ok(())
    }

    /// What there is at GitHub in the end; none where nothing is to be kept of it.
    fn stand(
        &mut self,
        link: &Link,
        connected: &Connected,
        (record, wanted): (&VersionRecord, GitHubReleases),
    ) -> Result<Option<AtGitHub>, Trouble> {
        let (github, name) = (&link.github, &connected.name);
        let is_fork = self.is_fork(link, name)?;
        let linked = Linked { server: &self.telling.url, github: &link.place.url, is_fork };
        let release = Release::of(record, &linked, wanted == GitHubReleases::Draft);
        let is_made = matches!(record.version.github, Some(AtGitHub::Made { .. }));
        let mut found = github.find_release(name, &release)?;
        if found == FoundRelease::Nothing && !is_made {
            self.audit(&format!("{name} {}", release.tag))?;
            match github.make_release(name, &release) {
                Ok(made) => found = FoundRelease::Ours(made),
                // Somebody made one since we looked.
                Err(error @ ForgeError::Refused { status: 422, .. }) => {
                    found = github.find_release(name, &release)?;
                    if found == FoundRelease::Nothing {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(match found {
            FoundRelease::Ours(there) => {
                if let Some(body) = release.mended(&there) {
                    github.mend_release(name, &there, &body)?;
                }
                Some(AtGitHub::Made { id: there.id, url: there.url })
            }
            FoundRelease::Others(url) => Some(AtGitHub::Others { url }),
            FoundRelease::Nothing | FoundRelease::NoTag if is_made => Some(AtGitHub::TakenAway),
            FoundRelease::Nothing | FoundRelease::NoTag => None,
        })
    }

    /// Asked once of each repository.
    fn is_fork(&mut self, link: &Link, name: &str) -> Result<bool, Trouble> {
        if let Some(known) = self.forks.get(name) {
            return Ok(*known);
        }
        let said = link.github.ask(forge::Method::Get, name, "", None)?.json;
        // Where it does not say, numbers are not linked.
        let is_fork = said["fork"].as_bool().unwrap_or(true);
        self.forks.insert(name.to_owned(), is_fork);
        Ok(is_fork)
    }

    /// The trail has it before GitHub.
    fn audit(&self, object: &str) -> Result<(), Failure> {
        let record = AuditRecord {
            actor: None,
            token: None,
            action: ACTION.into(),
            object: MaskedText::without_secrets(object),
            reason: None,
            source: "server".into(),
            address: None,
            refused: None,
            at: now(),
        };
        let written = self.telling.store.record(record);
        written.map(drop).map_err(|error| Failure::caused(Exit::Missing, error))
    }
}

/// Why a release is not told.
enum Trouble {
    Forge(ForgeError),
    Failed(Failure),
}

impl From<ForgeError> for Trouble {
    fn from(error: ForgeError) -> Trouble {
        Trouble::Forge(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Failed(failure)
    }
}

/// Why GitHub did not take it, and what to do.
fn refusal(error: &ForgeError) -> String {
    let hint = match error {
        ForgeError::Refused { status: 403, .. } | ForgeError::Absent { .. } => {
            Some("the app, or the token, needs Contents: write there; then run a run of it again")
        }
        error => error.hint(),
    };
    hint.map_or_else(|| error.to_string(), |hint| format!("{error} ({hint})"))
}
