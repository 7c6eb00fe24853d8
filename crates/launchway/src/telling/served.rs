//! What a server tells: its runs, by the rules of each repository at the tip of its default branch.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use event::StreamId;
use figures::{Figures, FiguresError};
use mask::Secret;
use notifier::{About, Guard, Notifier, Rule, Rulebook};
use outbox::Trouble;
use repository::{Repository, RepositoryError};
use settings::{SecretReference, Settings};
use store::Store;
use syntax::Source;
use views::News;

use super::here::{a_test, named};
use super::{fits, reference, rules};
use crate::exit::{Exit, Failure};
use crate::kept;
use crate::serving::repositories::Connected;
use crate::serving::repositories::default_branch::pinned;
use crate::serving::repositories::{keeping, settings_at_tip};
use crate::state::StateFolder;
use crate::terminal::style::talk;

/// Repositories whose settings are remembered, at one commit each.
const REMEMBERED_MAX: usize = 256;
/// How many settings with mistakes are passed over on the way to those without.
const BEFORE_MAX: u32 = 50;

/// The rules of a server's repositories.
pub(crate) struct Served {
    pub(crate) state: StateFolder,
    /// How people reach the server.
    pub(crate) url: String,
    known: Mutex<BTreeMap<String, Known>>,
    store: Arc<Store>,
    /// The numbers, once a rule wants to know what only they say.
    figures: OnceLock<Figures>,
}

/// Test messages of a server.
pub(crate) struct ServedTests {
    pub(crate) store: Arc<Store>,
    pub(crate) state: StateFolder,
    /// How people reach the server.
    pub(crate) url: String,
    /// Receivers in this network that it may send to.
    pub(crate) private_receivers: Vec<String>,
}

impl ServedTests {
    /// Sends one by a rule of a connected repository, now and once: by those at the tip, and by no older ones where
    /// those have mistakes, for whoever tests wants to know of what they wrote.
    pub(crate) fn send(&self, connected: &Connected, name: &str) -> Result<(), Failure> {
        let book = Served::new(self.state.clone(), self.url.clone(), Arc::clone(&self.store));
        let path = connected.path.display().to_string();
        let settings = settings_at_tip(connected)?;
        let all = settings.map(|it| rules(&it)).unwrap_or_default();
        let file = format!("{} of {}", settings::FILE, connected.name);
        let rule = named(&all, name, &file)?;
        let message = a_test(&connected.name, name);
        let about = About::Run { repository: connected.name.clone(), path };
        let guard = Guard::allowing(self.private_receivers.clone());
        let notifier = Notifier::new(Arc::clone(&self.store), book, guard);
        let key = format!("test/{}/{name}", message.at.0);
        let sent = notifier.tell(&about, rule, &message, &key);
        sent.map(drop).map_err(|failed| Failure::new(Exit::Missing, failed.why))
    }
}

#[derive(Clone)]
struct Known {
    tip: String,
    settings: Option<Arc<Settings>>,
}

impl Served {
    pub(crate) fn new(state: StateFolder, url: String, store: Arc<Store>) -> Served {
        Served { state, url, known: Mutex::default(), store, figures: OnceLock::new() }
    }

    /// Whoever comes second opens it again, and drops that.
    fn figures(&self) -> Result<&Figures, FiguresError> {
        if let Some(figures) = self.figures.get() {
            return Ok(figures);
        }
        let opened = Figures::open(self.state.root())?;
        Ok(self.figures.get_or_init(|| opened))
    }

    /// Never those of the branch that was pushed: nobody sends messages by pushing a branch. Where those
    /// at the tip have mistakes, the newest before them that have none tell: what is owed is not lost, and
    /// no other repository's messages wait for it.
    fn known(&self, path: &str) -> Result<Option<Known>, Trouble> {
        let failed = |error: RepositoryError| {
            let why = format!("the settings of {path} cannot be read: {error}");
            match error {
                RepositoryError::NoFolder { .. } | RepositoryError::NotARepository { .. } => {
                    Trouble::Unreadable(why)
                }
                // That git cannot be asked now does not last.
                _ => Trouble::Later(why),
            }
        };
        let branch = pinned(&self.state, Path::new(path))
            .map_err(|failure| Trouble::Later(format!("{:#}", failure.error)))?;
        let tip = Repository::default_commit(Path::new(path), branch.as_deref()).map_err(failed)?;
        let Some(tip) = tip else {
            let branch = branch.unwrap_or_else(|| "HEAD".to_owned());
            let why = format!("the default branch {branch} of {path} is not there");
            return Err(Trouble::Unreadable(why));
        };
        let mut known = self.known.lock().expect("nobody panics while holding it");
        if let Some(it) = known.get(path).filter(|it| it.tip == tip) {
            return Ok(Some(it.clone()));
        }
        let nobody = (String::new(), String::new());
        let repository = Repository::bare(Path::new(path), &tip, nobody).map_err(failed)?;
        let text = repository.committed_file(settings::FILE).map_err(failed)?;
        let settings = match text {
            None => None,
            Some(text) => match read(text) {
                Some(settings) => Some(settings),
                None => Some(before(&repository).map_err(failed)?.ok_or_else(|| {
                    let file = settings::FILE;
                    let why =
                        format!("{file} of {path} has mistakes; `launchway check` shows them");
                    Trouble::Unreadable(why)
                })?),
            },
        };
        let it = Known { tip, settings };
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(path.to_owned(), it.clone());
        Ok(Some(it))
    }
}

fn read(text: String) -> Option<Arc<Settings>> {
    settings::read(&Source::new(settings::FILE, text)).0.map(Arc::new)
}

/// The newest settings without mistakes before the tip's.
fn before(repository: &Repository) -> Result<Option<Arc<Settings>>, RepositoryError> {
    for commit in repository.commits_of(settings::FILE, BEFORE_MAX)? {
        let at = Repository::bare(&repository.root, &commit, Default::default())?;
        let Some(found) = at.committed_file(settings::FILE)?.and_then(read) else { continue };
        let (file, at) = (settings::FILE, commit.get(..7).unwrap_or(&commit));
        talk(&format!(
            "warning: {file} of {} has mistakes; messages go by the one of {at}",
            repository.root.display()
        ));
        return Ok(Some(found));
    }
    Ok(None)
}

impl Rulebook for Served {
    fn consumer(&self) -> &str {
        "messages"
    }

    /// A deployment is told by the command that drives it.
    fn minds(&self, stream: StreamId, _: Option<&str>) -> bool {
        stream.as_run().is_some()
    }

    fn rules(&self, about: &About) -> Result<Vec<Rule>, Trouble> {
        let About::Run { path, .. } = about else { return Ok(Vec::new()) };
        let settings = self.known(path)?.and_then(|it| it.settings);
        Ok(settings.map(|it| rules(&it)).unwrap_or_default())
    }

    fn secret(&self, about: &About, text: &str) -> Result<Secret, String> {
        let About::Run { repository, path } = about else {
            return Err("it is about no run".to_owned());
        };
        let known = self.known(path).ok().flatten();
        let gone = || format!("the settings of {repository} do not name {text} any more");
        let known = known.ok_or_else(gone)?;
        let settings = known.settings.as_ref().ok_or_else(gone)?;
        match reference(settings, text).ok_or_else(gone)? {
            SecretReference::Local { name } => {
                let unreadable = |why: String| format!("secrets cannot be read: {why}");
                let owner = keeping::owner(&self.state, Path::new(path));
                let owner = owner.map_err(|failure| unreadable(format!("{:#}", failure.error)))?;
                let owner =
                    owner.ok_or_else(|| format!("{repository} is not connected any more"))?;
                let all = kept::vault(&self.state).secrets(&owner, None);
                let all = all.map_err(|error| unreadable(error.to_string()))?;
                all.get(&name).cloned().ok_or_else(|| {
                    format!(
                        "the secret {name} of {owner} is not kept here: launchway secrets set {name} --repository {owner} --data {}",
                        self.state.pasted()
                    )
                })
            }
            // Whoever may push must not have files of the server read.
            _ => Err(format!("a server reads no {text}; keep it as local:NAME")),
        }
    }

    fn fits(&self, pattern: &str, branch: &str) -> bool {
        fits(pattern, branch)
    }

    fn news(&self, stream: StreamId, position: u64) -> Result<News, Trouble> {
        let news = self.figures().and_then(|it| it.news(&self.store, stream, position));
        match news {
            Ok(news) => Ok(news),
            Err(error) if error.is_passing() => {
                Err(Trouble::Later(format!("the numbers: {error}")))
            }
            // No other message waits for a file that somebody has to mend.
            Err(error) => {
                let why = Failure::caused(Exit::Missing, error).error;
                talk(&format!(
                    "warning: what only the runs before {stream} say is not told: {why:#}"
                ));
                Ok(News::default())
            }
        }
    }

    fn link(&self, path: &str) -> Option<String> {
        Some(format!("{}{path}", self.url))
    }
}
