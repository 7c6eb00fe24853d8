//! What a process sees of the machine's folders, where some are its own: the kernel's mount namespaces.
//!
//! One is made by a thread that leaves the machine's namespace, lays folders over places, and ends; what stays
//! is a handle, by which other threads enter. With the last of them, and of the processes that they started, it is
//! gone, whichever way they ended: nothing is ever unmounted by hand. What others mount on the machine is seen
//! in it; what is laid in it nobody else sees.

use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::kernel::SandboxError;

/// Places of a machine where every process leaves what others find: files, and in `/run` sockets, some of which are
/// a way to root. Whoever is within has his own of them, where he may.
pub const MEETING_PLACES: [&str; 4] = ["/dev/shm", "/run", "/tmp", "/var/tmp"];

/// What a thread's namespace is called.
const OWN: &str = "/proc/thread-self/ns/mnt";
/// Of the machine's memory, how much may be laid in one place: as on the machine itself.
const MEMORY: &str = "mode=1777,size=50%";
/// Everybody's, as the places are that they are laid over.
const EVERYBODYS: u32 = 0o1777;

/// Something laid over a place of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The place, without links.
    pub at: PathBuf,
    /// What lies there; made where it is not there. Memory where none is named.
    pub folder: Option<PathBuf>,
}

/// One, for threads to enter.
#[derive(Debug)]
pub struct Namespace {
    handle: OwnedFd,
}

impl Namespace {
    /// One with these places. Of what they cover, what is `kept` is where it was, but for reading alone.
    /// None where this process may not make one, or may not enter it: that takes `CAP_SYS_ADMIN` and
    /// `CAP_SYS_CHROOT`.
    ///
    /// # Errors
    /// Where the kernel refuses for another reason.
    pub fn new(places: &[Place], kept: &[PathBuf]) -> Result<Option<Namespace>, SandboxError> {
        let made = thread::scope(|scope| {
            let thread = thread::Builder::new().name("namespace".to_owned());
            let making = thread.spawn_scoped(scope, || make(places, kept))?;
            making.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        match made {
            Ok(handle) => Ok(Some(Namespace { handle })),
            Err(error) if lacks_right(&error) => Ok(None),
            Err(error) => Err(SandboxError::Refused(error)),
        }
    }

    /// Whether this process may make any.
    pub fn is_possible() -> bool {
        Namespace::new(&[], &[]).is_ok_and(|made| made.is_some())
    }

    /// Has the calling thread, and all that it starts, see the machine so.
    pub(crate) fn enter(&self) -> io::Result<()> {
        // Threads share where they are and what is `/` to them; whoever enters must be alone in that.
        leave(UnshareFlags::FS)?;
        Ok(move_into_link_name_space(self.handle.as_fd(), Some(LinkNameSpaceType::Mount))?)
    }
}

/// Whether that is what the kernel, or what guards it, says to whom a right is missing.
fn lacks_right(error: &io::Error) -> bool {
    let errors = [Errno::PERM, Errno::ACCESS, Errno::NOSYS];
    errors.iter().any(|it| error.raw_os_error() == Some(it.raw_os_error()))
}

#[expect(
    deprecated,
    reason = "not safe only for a thread's table of descriptors, which stays shared"
)]
fn leave(what: UnshareFlags) -> io::Result<()> {
    debug_assert!(!what.contains(UnshareFlags::FILES));
    Ok(rustix::thread::unshare(what)?)
}

/// By a thread that ends with it.
fn make(places: &[Place], kept: &[PathBuf]) -> io::Result<OwnedFd> {
    leave(UnshareFlags::FS | UnshareFlags::NEWNS)?;
    let downstream = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    match rustix::mount::mount_change("/", downstream) {
        // Where `/` is no mount, as in a `chroot`, whoever enters one would leave that.
        Err(Errno::INVAL) => return Err(Errno::PERM.into()),
        changed => changed?,
    }
    let namespace = File::open(OWN)?;
    // What makes one may not be enough to enter it.
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
    // Found before anything covers them.
    let found = kept.iter().filter_map(|path| Some((path, open(path).ok()?)));
    let found: Vec<(&PathBuf, OwnedFd)> = found.collect();
    for place in places {
        lay(place).map_err(|error| at(&place.at, &error))?;
    }
    for (path, found) in &found {
        keep(path, found).map_err(|error| at(path, &error))?;
    }
    Ok(OwnedFd::from(namespace))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    if lacks_right(error) {
        return io::Error::from_raw_os_error(error.raw_os_error().unwrap_or_default());
    }
    io::Error::new(error.kind(), format!("'{}': {error}", path.display()))
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

fn lay(place: &Place) -> io::Result<()> {
    let Some(folder) = &place.folder else {
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        let memory = CString::new(MEMORY).expect("text of ours");
        return Ok(rustix::mount::mount("tmpfs", &place.at, "tmpfs", flags, &*memory)?);
    };
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(EVERYBODYS))?;
    Ok(rustix::mount::mount_bind(folder, &place.at)?)
}

/// What was covered, at its place again: on a point that is made for it.
fn keep(path: &Path, found: &OwnedFd) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let here = format!("/proc/self/fd/{}", found.as_raw_fd());
    if fs::metadata(&here)?.is_dir() {
        fs::create_dir_all(path)?;
    } else {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        File::create(path)?;
    }
    rustix::mount::mount_bind(here, path)?;
    // Flags of a new bind are heard only when it is mounted again.
    let flags = MountFlags::BIND | MountFlags::RDONLY;
    Ok(rustix::mount::mount_remount(path, flags, &*CString::default())?)
}
