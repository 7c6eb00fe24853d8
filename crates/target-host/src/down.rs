//! Services taken off this machine, without a deployment: for what is not to be kept.

use std::io;

use crate::folder::Folder;

/// Takes every service of a folder away: listeners close, instances are ended, and the supervisor,
/// which has nothing to look after any more, ends by itself. Bundles and logs stay. What is read
/// elsewhere of these services (a journal) does not hear of it.
///
/// # Errors
/// When a file that says what is wanted is there and cannot be removed.
pub fn take_down(folder: &Folder) -> io::Result<()> {
    let services = match std::fs::read_dir(folder.wanted()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        services => services?,
    };
    for entry in services {
        let name = entry?.file_name();
        let service = name.to_str().and_then(|name| name.strip_suffix(".json"));
        let Some(service) = service.filter(|name| !name.starts_with('.')) else { continue };
        // The listener first: nobody is sent to what is about to end.
        proxy::remove(folder.path(), service).map_err(io::Error::other)?;
        match std::fs::remove_file(folder.wanted_of(service)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
