//! Root in a server's folder that is somebody else's: what it writes there is the folder's owner's, as if he had done
//! it. A server and hooks that are his could not read it otherwise, and pushes would wait, or be refused, for ever.

use std::path::Path;
use std::sync::OnceLock;

use sandbox::Owner;

use crate::exit::{Exit, Failure};

/// Whose this process was when it began, by the number.
static BEGAN_AS: OnceLock<u32> = OnceLock::new();

/// Who began this process, whoever it acts as by now: what is written down names them.
pub(crate) fn began_as() -> u32 {
    *BEGAN_AS.get_or_init(|| rustix::process::getuid().as_raw())
}

/// From now on this process is the folder's owner, where it is root's and the folder is another user's.
///
/// # Errors
/// Where it may not become him: what it would write is no use to him.
pub(crate) fn as_owner(folder: &Path) -> Result<(), Failure> {
    let Some(owner) = of(folder)? else { return Ok(()) };
    began_as();
    owner.act().map_err(|error| refused(folder, owner, error))
}

/// Does this one thing as the folder's owner.
///
/// # Errors
/// As for [`as_owner`]: then nothing was done.
pub(crate) fn once_as_owner<T: Send>(
    folder: &Path,
    deed: impl FnOnce() -> T + Send,
) -> Result<T, Failure> {
    let Some(owner) = of(folder)? else { return Ok(deed()) };
    owner.does(deed).map_err(|error| refused(folder, owner, error))
}

fn of(folder: &Path) -> Result<Option<Owner>, Failure> {
    Owner::of(folder).map_err(|error| {
        let context = format!("cannot look at {}", folder.display());
        Failure::caused(Exit::Missing, anyhow::Error::from(error).context(context))
    })
}

fn refused(folder: &Path, owner: Owner, error: std::io::Error) -> Failure {
    let (folder, id) = (folder.display(), owner.id());
    let context = format!("{folder} is the user {id}'s, and files are made there as that user");
    Failure::caused(Exit::Forbidden, anyhow::Error::from(error).context(context))
        .hint(format!("run it as that user: sudo -u '#{id}' launchway ..."))
}
