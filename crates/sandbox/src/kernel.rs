//! The kernel's side: rules made once, laid on a thread for each deed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};

use rustix::io::Errno;
use rustix::thread::set_thread_groups;

use crate::namespace::Namespace;
use crate::reach::Reach;
use crate::rights::{CHANGING, give_up_rights};
use crate::user::User;

/// The newest rules that are asked for; an older kernel keeps those that it knows.
const WANTED: ABI = ABI::V9;
/// The oldest that will do (Linux 5.19): before it, nothing could be moved from one folder to another.
const NEEDED: ABI = ABI::V2;
/// The first that keeps signals in (Linux 6.12).
const SIGNALS: ABI = ABI::V6;

/// Why a process cannot be kept in.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel does not know how.
    #[error(
        "the kernel cannot keep processes in: it needs landlock, as Linux 5.19 and newer have it"
    )]
    Missing,
    /// It does, and refuses.
    #[error("the kernel refuses to keep processes in")]
    Refused(#[source] io::Error),
    /// Something that may be touched cannot be named.
    #[error("cannot give '{path}' to what is kept in")]
    Path {
        /// What was named.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
}

impl From<landlock::RulesetError> for SandboxError {
    fn from(error: landlock::RulesetError) -> SandboxError {
        SandboxError::Refused(io::Error::other(error))
    }
}

/// What the kernel of this machine keeps in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Nothing.
    Nothing,
    /// The disk, and looking into other processes.
    Disk,
    /// And signals to other processes, and sockets without a path (Linux 6.12).
    DiskAndSignals,
}

/// Asks the kernel.
pub fn support() -> Support {
    if wanted(NEEDED).is_err() {
        return Support::Nothing;
    }
    if wanted(SIGNALS).is_err() { Support::Disk } else { Support::DiskAndSignals }
}

/// Whether the kernel takes all the rules of a version.
fn wanted(version: ABI) -> Result<RulesetCreated, landlock::RulesetError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(version))?;
    let scope = Scope::from_all(version);
    if scope.is_empty() { rules } else { rules.scope(scope)? }.create()
}

/// Who somebody within walls is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// Whoever made the walls.
    Ours,
    /// Whoever made the walls, and may become another one.
    Changing,
    Of(User),
}

/// What a thread within walls is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It may start processes, and goes.
    Starting,
    /// It touches files, and stays.
    Files,
}

/// Walls, made once for many deeds.
#[derive(Debug)]
pub struct Sandbox {
    rules: RulesetCreated,
    namespace: Option<Arc<Namespace>>,
    identity: Identity,
}

impl Sandbox {
    /// Walls around `reach`.
    ///
    /// # Errors
    /// Where the kernel has none, or refuses.
    pub fn new(reach: &Reach) -> Result<Sandbox, SandboxError> {
        if support() == Support::Nothing {
            return Err(SandboxError::Missing);
        }
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(NEEDED))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(WANTED))?
            .scope(Scope::from_all(WANTED))?
            .create()?;
        let read = reach.read.iter().map(|path| (path, AccessFs::from_read(WANTED)));
        let change = reach.change.iter().map(|path| (path, AccessFs::from_all(WANTED)));
        for (path, access) in read.chain(change) {
            rules = add(rules, path, access)?;
        }
        Ok(Sandbox { rules, namespace: None, identity: Identity::Ours })
    }

    /// Walls around `reach` as it is seen in a namespace, which whoever is within enters.
    ///
    /// # Errors
    /// Where the kernel has none, or refuses.
    pub fn in_namespace(
        reach: &Reach,
        namespace: &Arc<Namespace>,
    ) -> Result<Sandbox, SandboxError> {
        // A rule is for what a name means to the thread that makes it.
        let make = || {
            namespace.enter().map_err(SandboxError::Refused)?;
            Ok(Sandbox { namespace: Some(Arc::clone(namespace)), ..Sandbox::new(reach)? })
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("sandbox".to_owned());
            let making = thread.spawn_scoped(scope, make).map_err(SandboxError::Refused)?;
            making.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Whoever is within is this user, and in no group but that one's.
    #[must_use]
    pub fn of(self, user: User) -> Sandbox {
        Sandbox { identity: Identity::Of(user), ..self }
    }

    /// A process that is started within keeps the right to become another user: one of ours, which does nothing of
    /// others' before it is that user, in walls of its own.
    #[must_use]
    pub fn of_who_may_change(self) -> Sandbox {
        Sandbox { identity: Identity::Changing, ..self }
    }

    /// Does something within the walls, on a thread of its own. What it starts stays within.
    ///
    /// # Errors
    /// Where the kernel refuses: then nothing was done.
    ///
    /// # Panics
    /// When the deed does.
    pub fn inside<T: Send>(&self, deed: impl FnOnce() -> T + Send) -> Result<T, SandboxError> {
        let confine = self.confine(Purpose::Starting)?;
        let confined = move || {
            confine()?;
            Ok(deed())
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("sandbox".to_owned());
            let running = thread.spawn_scoped(scope, confined).map_err(SandboxError::Refused)?;
            running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Sandbox {
    /// What a thread does to itself, for ever.
    pub(crate) fn confine(
        &self,
        purpose: Purpose,
    ) -> Result<impl FnOnce() -> Result<(), SandboxError> + Send + 'static, SandboxError> {
        let rules = self.rules.try_clone().map_err(SandboxError::Refused)?;
        let (namespace, identity) = (self.namespace.clone(), self.identity);
        Ok(move || {
            // Both take rights: who they are given up for comes last.
            namespace
                .map_or(Ok(()), |namespace| namespace.enter())
                .and_then(|()| identity.take_on(purpose))
                .map_err(SandboxError::Refused)?;
            rules.restrict_self()?;
            Ok(())
        })
    }
}

impl Identity {
    fn take_on(self, purpose: Purpose) -> io::Result<()> {
        match (self, purpose) {
            (Identity::Ours | Identity::Changing, _) => give_up_groups()?,
            (Identity::Of(user), Purpose::Starting) => user.become_wholly()?,
            (Identity::Of(user), Purpose::Files) => user.become_for_files()?,
        }
        give_up_rights(match self {
            Identity::Changing => &CHANGING,
            Identity::Ours | Identity::Of(_) => &[],
        })
    }
}

/// What a user may in the name of others: to Linux that is each thread's own. Whoever is not root keeps
/// them, because only root may let go of any.
fn give_up_groups() -> io::Result<()> {
    match set_thread_groups(&[]) {
        Err(Errno::PERM) => Ok(()),
        given_up => Ok(given_up?),
    }
}

fn add(
    rules: RulesetCreated,
    path: &PathBuf,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, SandboxError> {
    let failed = |source| SandboxError::Path { path: path.clone(), source };
    let at = match PathFd::new(path) {
        Ok(at) => at,
        // It went meanwhile, or nobody of us may look there: then neither does what is kept in.
        Err(_) => return Ok(rules),
    };
    // A file has fewer rights than a folder; the kernel refuses the others.
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(WANTED) };
    rules.add_rule(PathBeneath::new(at, access)).map_err(|error| failed(io::Error::other(error)))
}
