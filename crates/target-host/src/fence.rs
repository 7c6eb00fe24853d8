//! Who may change a service. Every change holds the service's fence: a file under lock that keeps
//! the newest owner. An older one is refused, however late it wakes up.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use event::{DeploymentId, Fence};
use serde::{Deserialize, Serialize};

use crate::folder::{Folder, Lock, try_lock};

/// Held while a service is changed.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "the lock goes with it")] Lock);

/// Why a service may not be changed.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Somebody changes it right now.
    Busy,
    /// Somebody newer has it.
    Stale { deployment: DeploymentId, fence: Fence },
    /// The disk.
    System(io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Owner {
    deployment: DeploymentId,
    fence: Fence,
}

/// Takes the fence of a service for an owner, unless a newer one had it.
pub(crate) fn enter(
    folder: &Folder,
    service: &str,
    deployment: DeploymentId,
    fence: Fence,
) -> Result<Held, Refused> {
    let path = folder.fence(service);
    let Some(mut lock) = try_lock(&path).map_err(Refused::System)? else {
        return Err(Refused::Busy);
    };
    let owner = Owner { deployment, fence };
    match last(&mut lock.0).map_err(Refused::System)? {
        Some(last) if last > owner => {
            Err(Refused::Stale { deployment: last.deployment, fence: last.fence })
        }
        Some(last) if last == owner => Ok(Held(lock)),
        _ => {
            write(&mut lock.0, &path, owner).map_err(Refused::System)?;
            Ok(Held(lock))
        }
    }
}

fn last(file: &mut File) -> io::Result<Option<Owner>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    // Lines are only added; one that was cut by a crash was never acted upon.
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).max())
}

/// Adds a line: the file itself is the lock, so it cannot be replaced.
fn write(file: &mut File, path: &Path, owner: Owner) -> io::Result<()> {
    let line = serde_json::to_string(&owner).map_err(io::Error::other)?;
    let end = file.seek(io::SeekFrom::End(0))?;
    if end > OWNERS_BYTES_MAX {
        // What is older than the owner that just takes over says nothing any more.
        file.set_len(0)?;
        file.rewind()?;
    }
    writeln!(file, "\n{line}")?;
    file.sync_data().map_err(|error| io::Error::new(error.kind(), format!("{path:?}: {error}")))
}

/// A line is some 40 bytes; a thousand owners are enough to look back to.
const OWNERS_BYTES_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_owner_is_refused() {
        let scratch = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(scratch.path());
        folder.make().expect("a folder");
        let enter = |deployment, fence| {
            let held = enter(&folder, "api", DeploymentId(deployment), Fence(fence));
            match held {
                Ok(_) => "entered".to_owned(),
                Err(refused) => format!("{refused:?}"),
            }
        };
        assert_eq!(enter(7, 1), "entered");
        assert_eq!(enter(7, 1), "entered");
        assert_eq!(enter(7, 3), "entered");
        let stale = "Stale { deployment: DeploymentId(7), fence: Fence(3) }";
        assert_eq!(enter(7, 2), stale);
        assert_eq!(enter(6, 9), stale);
        assert_eq!(enter(8, 1), "entered");
        let held = super::enter(&folder, "api", DeploymentId(8), Fence(1)).expect("it is free");
        assert_eq!(enter(8, 1), "Busy");
        drop(held);
        assert_eq!(enter(8, 1), "entered");
    }
}
