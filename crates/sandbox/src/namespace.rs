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
    /// One with these places. Of what they cover, what is `kept` is where it was, but for reading alone; what this
    /// process may not look at is not kept. None where this process may make none ([`Namespace::is_possible`]).
    ///
    /// # Errors
    /// Where it may, and this one fails: whoever was to have a place of his own never shares it unsaid.
    pub fn new(places: &[Place], kept: &[PathBuf]) -> Result<Option<Namespace>, SandboxError> {
        if !on_a_thread(tried).map_err(SandboxError::Refused)? {
            return Ok(None);
        }
        let handle = on_a_thread(|| make(places, kept)).map_err(SandboxError::Refused)?;
        Ok(Some(Namespace { handle }))
    }

    /// Whether this process may make any, and enter it, and lay something in it: that takes `CAP_SYS_ADMIN` and
    /// `CAP_SYS_CHROOT`, and nobody who guards the machine against mounts.
    pub fn is_possible() -> bool {
        on_a_thread(tried).unwrap_or(false)
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

/// On one that ends with it.
fn on_a_thread<T: Send>(deed: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("namespace".to_owned());
        let running = thread.spawn_scoped(scope, deed)?;
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Whether each deed that makes one is granted, by doing it: in one that ends with the thread.
fn tried() -> io::Result<bool> {
    let granted = begin().and_then(|_| {
        let Some(place) = MEETING_PLACES.into_iter().map(Path::new).find(|it| it.is_dir()) else {
            return Ok(());
        };
        lay_memory(place)?;
        bind_for_reading(place, place)
    });
    match granted {
        Ok(()) => Ok(true),
        Err(error) if lacks_right(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One in which nothing is laid yet; the calling thread is in it.
fn begin() -> io::Result<File> {
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
    Ok(namespace)
}

/// By a thread that ends with it.
fn make(places: &[Place], kept: &[PathBuf]) -> io::Result<OwnedFd> {
    let namespace = begin()?;
    // Found before anything covers them.
    let found: Vec<Found<'_>> = kept.iter().filter_map(|path| find(path).ok()).collect();
    for place in places {
        lay(place).map_err(|error| at("cannot lay over", &place.at, &error))?;
    }
    for found in &found {
        keep(found).map_err(|error| at("cannot keep", found.path, &error))?;
    }
    Ok(OwnedFd::from(namespace))
}

fn at(deed: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{deed} '{}': {error}", path.display()))
}

/// What is to be kept, by a handle.
struct Found<'p> {
    path: &'p Path,
    handle: OwnedFd,
    is_folder: bool,
}

fn find(path: &Path) -> io::Result<Found<'_>> {
    let handle = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let is_folder = fs::metadata(here(&handle))?.is_dir();
    Ok(Found { path, handle, is_folder })
}

/// Where what a handle holds is found, whatever covers its name.
fn here(handle: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", handle.as_raw_fd()).into()
}

fn lay(place: &Place) -> io::Result<()> {
    let Some(folder) = &place.folder else { return lay_memory(&place.at) };
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(EVERYBODYS))?;
    Ok(rustix::mount::mount_bind(folder, &place.at)?)
}

fn lay_memory(at: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let options = CString::new(MEMORY).expect("text of ours");
    Ok(rustix::mount::mount("tmpfs", at, "tmpfs", flags, &*options)?)
}

/// What was covered, at its place again: on a point that is made for it.
fn keep(found: &Found<'_>) -> io::Result<()> {
    let path = found.path;
    if path.exists() {
        return Ok(());
    }
    if found.is_folder {
        fs::create_dir_all(path)?;
    } else {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        File::create(path)?;
    }
    bind_for_reading(&here(&found.handle), path)
}

fn bind_for_reading(from: &Path, at: &Path) -> io::Result<()> {
    rustix::mount::mount_bind(from, at)?;
    // Flags of a new bind are heard only when it is mounted again.
    let flags = MountFlags::BIND | MountFlags::RDONLY;
    Ok(rustix::mount::mount_remount(at, flags, &*CString::default())?)
}
