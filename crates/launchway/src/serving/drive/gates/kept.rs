//! Rules that the server keeps of a repository, in the words of `launchway.yml`. Who may push changes the
//! file in the repository; this one is changed by whoever looks after the server. Of both, the stricter
//! holds, part by part.

use std::sync::Arc;

use event::Digest;
use settings::{Environment, FILE, Settings};
use syntax::Source;

use crate::deploying::people::Wanted;
use crate::deploying::rules::members;
use crate::serving::repositories::Connected;

/// What is kept.
pub(super) struct Kept {
    pub(super) settings: Settings,
    digest: Digest,
}

impl Kept {
    /// What is kept of a repository; none where nothing is. An error says why it cannot be read: who was
    /// asked before is not passed over.
    pub(super) fn of(connected: &Connected) -> Result<Option<Kept>, String> {
        let Some(text) = &connected.rules else { return Ok(None) };
        let digest = Digest::of(text.as_bytes());
        let (settings, _) = settings::read(&Source::new(FILE, text.clone()));
        let settings = settings.ok_or_else(|| {
            "what the server keeps has mistakes; launchway repositories protect --rules FILE keeps it anew".to_owned()
        })?;
        Ok(Some(Kept { settings, digest }))
    }

    /// What it says of an environment; none where that is nothing.
    pub(super) fn environment(&self, name: &str) -> Option<&Environment> {
        super::environment(&self.settings, name).filter(|it| !it.protect.is_empty())
    }

    /// What it calls so, whether or not that asks anybody: its level holds.
    pub(super) fn named(&self, name: &str) -> Option<&Environment> {
        super::environment(&self.settings, name)
    }

    /// What people agree to where these rules and others hold.
    pub(super) fn and(&self, rules: Digest) -> Digest {
        Digest::of(format!("{rules}\nkept by the server {}\n", self.digest).as_bytes())
    }

    /// More people than the rules of the repository want. Whose a group is, the server says alone: by a
    /// push nobody joins it.
    pub(super) fn stricter(&self, environment: &Environment, wanted: &mut Vec<Wanted>) {
        for quorum in &environment.protect.reviewers {
            let names = members(&self.settings, &quorum.group.value);
            let names = names.iter().map(|name| Arc::clone(&name.value)).collect();
            let group = Arc::clone(&quorum.group.value);
            match wanted.iter_mut().find(|it| it.group == group) {
                Some(it) => {
                    it.count = it.count.max(quorum.count.value);
                    it.names = names;
                }
                None => wanted.push(Wanted { group, count: quorum.count.value, names }),
            }
        }
    }

    /// Whether the server says itself that this is somebody of a group that it asks. Keys and names that
    /// a push brings make nobody of them somebody else.
    pub(super) fn names(&self, environment: &Environment, name: &str) -> bool {
        let mut asked = environment.protect.reviewers.iter();
        asked.any(|it| {
            members(&self.settings, &it.group.value).iter().any(|known| &*known.value == name)
        })
    }
}
