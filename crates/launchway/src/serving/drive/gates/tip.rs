//! The rules at the tip of a repository's default branch, or why nobody can read them now.

use approval::Signers;
use repository::Repository;
use settings::{FILE, Settings};
use syntax::Source;

use crate::deploying::rules::SIGNERS;
use crate::exit::Failure;
use crate::serving::repositories::Connected;

/// The rules at the tip of the default branch.
pub(super) struct Rules {
    pub(super) settings: Settings,
    pub(super) signers: Signers,
    pub(super) tip: String,
    pub(super) branch: String,
}

impl Rules {
    /// The server's own, where the repository's say nothing of an environment.
    pub(super) fn kept(rules: Option<Rules>, settings: &Settings) -> Rules {
        let (signers, tip, branch) = match rules {
            Some(Rules { signers, tip, branch, .. }) => (signers, tip, branch),
            None => (Signers::default(), String::new(), String::new()),
        };
        Rules { settings: settings.clone(), signers, tip, branch }
    }
}

/// What was found there.
pub(super) enum AtTip {
    Rules(Box<Rules>),
    /// No settings: nothing guards an environment but what whoever connected it agreed to.
    Nothing,
    /// There may be rules, and they cannot be read: whoever asks for an environment waits.
    Unreadable(String),
}

impl AtTip {
    /// Whatever keeps git from reading them says nothing of what they are: it is asked again.
    pub(super) fn of(connected: &Connected) -> AtTip {
        AtTip::read(connected).unwrap_or_else(|failure| {
            AtTip::Unreadable(format!("{}: {:#}", connected.name, failure.error))
        })
    }

    fn read(connected: &Connected) -> Result<AtTip, Failure> {
        let Some(tip) = connected.tip()? else { return Ok(AtTip::Unreadable(connected.no_tip())) };
        let repository = connected.at(&tip, Default::default())?;
        let settings = match settings_of(&repository)? {
            Committed::Read(settings) => *settings,
            Committed::Nothing => return Ok(AtTip::Nothing),
            Committed::Mistaken => {
                let branch = &repository.default_branch;
                return Ok(AtTip::Unreadable(format!(
                    "{FILE} has mistakes at the tip of {branch}, so nobody knows what may happen; launchway check shows them"
                )));
            }
        };
        let signers = repository.committed_file(SIGNERS)?.unwrap_or_default();
        let signers = match Signers::read(&signers) {
            Ok(signers) => signers,
            Err(errors) => {
                let message = format!("{SIGNERS} of {}: {}", connected.name, errors[0]);
                return Ok(AtTip::Unreadable(message));
            }
        };
        let branch = repository.default_branch.clone();
        Ok(AtTip::Rules(Box::new(Rules { settings, signers, tip, branch })))
    }
}

/// The settings of a commit.
pub(super) enum Committed {
    Read(Box<Settings>),
    Nothing,
    Mistaken,
}

pub(super) fn settings_of(repository: &Repository) -> Result<Committed, Failure> {
    let Some(text) = repository.committed_file(FILE)? else { return Ok(Committed::Nothing) };
    let (settings, _) = settings::read(&Source::new(FILE, text));
    Ok(settings.map_or(Committed::Mistaken, |it| Committed::Read(Box::new(it))))
}
