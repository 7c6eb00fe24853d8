//! What `deploy` tells: the deployments that it drives, by the settings of whoever deploys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use event::StreamId;
use mask::Secret;
use notifier::{About, Guard, Message, Notifier, Occasion, Rule, Rulebook};
use outbox::{Courier, Trouble, Wake};
use settings::SecretReference;
use store::Store;

use super::{clock, fits, reference, rules};
use crate::deploying;
use crate::exit::{Exit, Failure};
use crate::kept;
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// The rules of the settings that somebody deploys by.
struct Here {
    found: Found,
    /// Where secrets are kept.
    state: StateFolder,
    consumer: String,
    /// Of a journal that several machines share only what this one drives is told by this one.
    only_of: Option<String>,
}

impl Here {
    fn of(found: &Found, state: &StateFolder, is_shared: bool) -> Here {
        let owner = deploying::owner();
        let host = owner.as_str().split(", process ").next().unwrap_or_default();
        Here {
            found: found.clone(),
            state: state.clone(),
            consumer: format!("deployments of {}", found.settings.project.value),
            only_of: is_shared.then(|| format!("{host}, ")),
        }
    }
}

impl Rulebook for Here {
    fn consumer(&self) -> &str {
        &self.consumer
    }

    fn minds(&self, stream: StreamId, owner: Option<&str>) -> bool {
        let is_ours = match (&self.only_of, owner) {
            (None, _) => true,
            (Some(host), owner) => owner.is_some_and(|it| it.starts_with(host)),
        };
        stream.as_run().is_none() && is_ours
    }

    fn rules(&self, about: &About) -> Result<Vec<Rule>, Trouble> {
        match about {
            About::Deployment { project } if **project == *self.found.settings.project.value => {
                Ok(rules(&self.found.settings))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn secret(&self, _: &About, text: &str) -> Result<Secret, String> {
        match reference(&self.found.settings, text) {
            Some(SecretReference::Local { name }) => {
                let all = kept::vault(&self.state).secrets(&kept::owner(&self.found), None);
                let all = all.map_err(|error| format!("secrets cannot be read: {error}"))?;
                all.get(&name).cloned().ok_or_else(|| {
                    format!("the secret {name} is not kept here: launchway secrets set {name}")
                })
            }
            Some(SecretReference::File { path }) => {
                let text = std::fs::read_to_string(self.found.root.join(&path));
                let text = text.map_err(|error| format!("file:{path} cannot be read: {error}"))?;
                Ok(Secret::new(text.trim_end_matches('\n')))
            }
            _ => Err(format!("the settings do not name {text} any more")),
        }
    }

    fn fits(&self, pattern: &str, branch: &str) -> bool {
        fits(pattern, branch)
    }

    fn link(&self, _: &str) -> Option<String> {
        None
    }
}

fn guard(found: &Found) -> Guard {
    let named = found.settings.private_receivers.iter();
    Guard::allowing(named.map(|it| it.value.to_string()))
}

fn courier(found: &Found, state: &StateFolder, store: &Arc<Store>, is_shared: bool) -> Courier {
    let book = Here::of(found, state, is_shared);
    let notifier = Notifier::new(Arc::clone(store), book, guard(found));
    Courier::new(Arc::clone(store), Arc::new(notifier), clock(), talk)
}

/// Tells people of a deployment while it is driven. Dropped, it sends what is due, for some seconds;
/// what is left is sent by the next deployment, or by `launchway notify send`.
pub(crate) struct Told {
    wake: Wake,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Told {
    /// From here on; none where nobody is told of anything.
    pub(crate) fn begin(
        found: &Found,
        state: &StateFolder,
        store: &Arc<Store>,
        is_shared: bool,
    ) -> Option<Told> {
        if found.settings.notify.is_empty() {
            return None;
        }
        let courier = courier(found, state, store, is_shared);
        // What begins in a moment has to be behind the cursor.
        let begun =
            courier.begin().map_err(|error| talk(&format!("warning: nobody is told: {error}")));
        begun.ok()?;
        let (wake, is_over) = (courier.wake(), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&is_over);
        let work = move || courier.run(&|| flag.load(Ordering::Relaxed));
        let thread = std::thread::Builder::new().name("messages".to_owned()).spawn(work);
        let thread = thread.map_err(|error| talk(&format!("warning: nobody is told: {error}")));
        Some(Told { wake, is_over, thread: Some(thread.ok()?) })
    }

    /// Where it is told that something happened.
    pub(crate) fn wake(&self) -> Wake {
        self.wake.clone()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.wake.now();
        if let Some(thread) = self.thread.take() {
            // Its panic was shown when it happened; what was deployed is deployed.
            let _ended = thread.join();
        }
    }
}

/// Sends what is due of this project. Gives how many were tried, and how many arrived.
pub(crate) fn send_due(
    found: &Found,
    state: &StateFolder,
    store: &Arc<Store>,
    is_shared: bool,
) -> Result<(usize, usize), Failure> {
    let round = courier(found, state, store, is_shared).round();
    let round = round.map_err(|error| Failure::caused(Exit::Missing, error))?;
    Ok((round.attempts, round.arrived))
}

/// The rule that is called so, of those of a file.
pub(super) fn named<'r>(all: &'r [Rule], name: &str, file: &str) -> Result<&'r Rule, Failure> {
    all.iter().find(|it| it.name == name).ok_or_else(|| {
        let failure = Failure::new(Exit::Usage, format!("there is no rule {name}"));
        let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        match &*names {
            [] => failure.hint(format!("`notify` of {file} has none")),
            names => failure.hint(format!("the rules are: {}", names.join(", "))),
        }
    })
}

/// A message that says nothing but that it arrived.
pub(super) fn a_test(whose: &str, rule: &str) -> Message {
    Message {
        occasion: Occasion::Requested,
        subject: format!("{whose} test"),
        title: format!("{whose}: a test of the rule {rule}"),
        facts: vec!["Nothing happened: somebody wants to know whether messages arrive.".to_owned()],
        link: None,
        at: now(),
    }
}

/// Sends a test message by a rule, now and once.
pub(crate) fn test(
    found: &Found,
    state: &StateFolder,
    store: &Arc<Store>,
    name: &str,
) -> Result<(), Failure> {
    let all = rules(&found.settings);
    let rule = named(&all, name, &found.file.display().to_string())?;
    let project = &found.settings.project.value;
    let message = a_test(project, name);
    let about = About::Deployment { project: project.to_string() };
    let notifier = Notifier::new(Arc::clone(store), Here::of(found, state, false), guard(found));
    let key = format!("test/{}/{name}", message.at.0);
    let sent = notifier.tell(&about, rule, &message, &key);
    sent.map(drop).map_err(|failed| Failure::new(Exit::Missing, failed.why))
}
