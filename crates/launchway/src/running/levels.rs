//! How much may happen in an environment, as the settings of the repository say. Enforced where a job
//! gets what the environment holds: its secrets, and the right to sign in for it.

use std::collections::BTreeMap;
use std::path::Path;

use settings::FILE;
use syntax::Source;

use crate::running::files;

/// The lowest level at which something looks at the infrastructure; below it nothing signs in.
const LEVEL_WITH_CLOUD: u32 = 3;

/// The levels of a repository's environments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Levels {
    /// By name, in lower case: an environment is the same in any.
    known: BTreeMap<String, u32>,
    /// There are settings, and they cannot be read.
    is_unreadable: bool,
}

impl Levels {
    /// Those that the settings at a repository's root say; without settings there are none.
    pub(crate) fn of(root: &Path) -> Levels {
        let path = root.join(FILE);
        if !path.is_file() {
            return Levels::default();
        }
        let text = files::read(&path, FILE).ok();
        Levels::read(text.and_then(|source| settings::read(&source).0))
    }

    /// Those that a committed file says; without one there are none.
    pub(crate) fn of_text(text: Option<&str>) -> Levels {
        let Some(text) = text else { return Levels::default() };
        Levels::read(settings::read(&Source::new(FILE, text)).0)
    }

    fn read(settings: Option<settings::Settings>) -> Levels {
        let Some(settings) = settings else {
            return Levels { known: BTreeMap::new(), is_unreadable: true };
        };
        let level = |it: &settings::Environment| (it.name.value.to_lowercase(), it.level.value);
        Levels { known: settings.environments.iter().map(level).collect(), is_unreadable: false }
    }

    /// Why a job may not run in an environment.
    pub(crate) fn refusal(&self, environment: &str) -> Option<String> {
        if self.is_unreadable {
            return Some(format!(
                "{FILE} has mistakes, so nobody knows what may happen in {environment}; `launchway check` shows them"
            ));
        }
        self.closed(environment)
    }

    /// Why no job ever runs there, as far as the settings can be read.
    pub(crate) fn closed(&self, environment: &str) -> Option<String> {
        let level = self.known.get(&environment.to_lowercase())?;
        (*level < LEVEL_WITH_CLOUD).then(|| {
            format!(
                "{environment} has the level {level}: no job signs in for it, or gets its secrets; `level` in {FILE} says so"
            )
        })
    }
}
