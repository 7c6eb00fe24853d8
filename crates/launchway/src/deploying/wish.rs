//! What somebody wants deployed, and how they say so: the command line's words, without its flags.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use event::{KnownRelease, PlannedStep, Release};

use crate::images::gate::CopyFrom;

/// What somebody wants.
pub(crate) struct Wish<'a> {
    pub(crate) environment: &'a str,
    pub(crate) services: &'a [String],
    pub(crate) agreed: Agreement<'a>,
    /// Nothing is begun: it is only shown what would be.
    pub(crate) only_look: bool,
    pub(crate) what: What<'a>,
}

/// How somebody says that they want it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Agreement<'a> {
    pub(crate) reason: Option<&'a str>,
    /// Agreed beforehand, where the settings ask for no word.
    pub(crate) yes: bool,
    /// The word, typed beforehand.
    pub(crate) word: Option<&'a str>,
    /// There is somebody to ask.
    pub(crate) terminal: bool,
    /// The key that whoever asks signs with, where people have to agree.
    pub(crate) key: Option<&'a Path>,
}

impl Agreement<'_> {
    /// Whether no person starts it: there is none at a terminal, and none agreed beforehand.
    pub(crate) fn is_nobody(&self) -> bool {
        !self.terminal && !self.yes && self.word.is_none()
    }

    /// Of somebody who only looks: nothing is asked, and nothing done.
    pub(crate) fn to_look() -> Agreement<'static> {
        Agreement { yes: true, terminal: true, ..Agreement::default() }
    }
}

/// Of which kind.
pub(crate) enum What<'a> {
    /// What lies here.
    Ship {
        version: Option<&'a str>,
        from: Option<&'a Path>,
        /// `IMAGE` or `SERVICE=IMAGE`.
        images: &'a [String],
        /// Chosen beforehand: what was found in a registry, or comes from below.
        given: &'a [Given],
        force: bool,
        migrations: bool,
        hotfix: bool,
    },
    /// Releases that ran well, by service.
    Restore(Vec<(Arc<str>, KnownRelease)>),
    /// What runs, by service, with another number of instances.
    Scale { releases: Vec<(Arc<str>, KnownRelease)>, to: u32, force: bool },
    /// A command beside what runs, by service.
    Task { releases: Vec<(Arc<str>, KnownRelease)>, task: Task<'a> },
}

/// What is run once beside a service.
#[derive(Clone, Copy)]
pub(crate) enum Task<'a> {
    /// The migration of the settings.
    Migration,
    /// What somebody typed.
    Command { run: &'a [String], within: Duration },
    /// A step that needs nothing of the service.
    Step(&'a PlannedStep),
}

impl What<'_> {
    /// Nothing of what lies here is shipped.
    pub(super) fn ships_nothing(&self) -> bool {
        !matches!(self, What::Ship { .. })
    }

    /// Nothing is brought that did not run well there, and something goes on running.
    pub(super) fn is_spared(&self) -> bool {
        match self {
            What::Restore(_) | What::Task { task: Task::Step(_), .. } => true,
            What::Scale { to, .. } => *to > 0,
            What::Task { .. } | What::Ship { .. } => false,
        }
    }
}

/// The release that a service gets, and where its image is copied from.
pub(crate) struct Given {
    pub(crate) service: Arc<str>,
    pub(crate) release: Release,
    pub(crate) copy: Option<CopyFrom>,
    /// It comes from the environment below, and nothing else is shipped.
    pub(crate) is_promoted: bool,
}
