//! Route files: which instance answers for which listener. One file a service, replaced as a whole.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits::ROUTE_BYTES_MAX;

/// Where requests for one service go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The service.
    pub service: String,
    /// Grows with every change; a status says which one the proxy has taken.
    pub generation: u64,
    /// Where it listens, and who answers there.
    pub fronts: Vec<Front>,
    /// Instances that get nothing new.
    #[serde(default)]
    pub draining: Vec<Draining>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Front {
    /// Its address.
    pub listen: SocketAddr,
    /// Who answers, in turn.
    pub backends: Vec<Backend>,
}

/// An instance of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    /// Which instance, for people and for counts.
    pub instance: String,
    /// Which release, for counts.
    pub release: String,
}

/// An instance that finishes what it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// Which.
    pub backend: Backend,
    /// Milliseconds since 1970: from then on WebSockets are closed with 1012.
    pub until_ms: u64,
}

/// Why a route cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The disk.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is no route.
    #[error("{} is no route file", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// The folder of routes under the proxy's folder.
pub(crate) fn folder(folder: &Path) -> PathBuf {
    folder.join("routes")
}

fn file(of: &Path, service: &str) -> PathBuf {
    folder(of).join(format!("{service}.json"))
}

/// Reads the route of one service; none where there is none.
///
/// # Errors
/// When it cannot be read, or is no route.
pub fn read(of: &Path, service: &str) -> Result<Option<Route>, RouteError> {
    read_file(&file(of, service))
}

/// Replaces the route of its service, as a whole: a reader sees the old or the new one.
///
/// # Errors
/// When it cannot be written.
pub fn write(of: &Path, route: &Route) -> Result<(), RouteError> {
    let path = file(of, &route.service);
    let problem = |action| {
        let path = path.clone();
        move |source| RouteError::File { action, path, source }
    };
    fs::create_dir_all(folder(of)).map_err(problem("make the folder of"))?;
    // Hidden, so that nobody takes it for a route; one writer at a time holds the service's fence.
    let beside = folder(of).join(format!(".{}.new", route.service));
    let text = serde_json::to_vec(route).expect("a route has text keys only");
    let mut new = fs::File::create(&beside).map_err(problem("write"))?;
    new.write_all(&text).and_then(|()| new.sync_data()).map_err(problem("write"))?;
    fs::rename(&beside, &path).map_err(problem("replace"))
}

/// Takes the route of a service away; its listeners are closed.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(of: &Path, service: &str) -> Result<(), RouteError> {
    let path = file(of, service);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RouteError::File { action: "remove", path, source })
        }
        _ => Ok(()),
    }
}

/// Every route file by its service's name, with what is wrong with it.
pub(crate) fn read_all(of: &Path) -> io::Result<Vec<(String, Result<Route, RouteError>)>> {
    let mut routes = Vec::new();
    for entry in fs::read_dir(folder(of))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(service) = name.strip_suffix(".json").filter(|name| !name.starts_with('.')) else {
            continue;
        };
        // One that went away between the listing and now is none.
        if let Some(route) = read_file(&path).transpose() {
            routes.push((service.to_owned(), route));
        }
    }
    routes.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(routes)
}

fn read_file(path: &Path) -> Result<Option<Route>, RouteError> {
    let problem = |source| RouteError::File { action: "read", path: path.to_owned(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem(error)),
    };
    let mut text = Vec::new();
    file.take(ROUTE_BYTES_MAX).read_to_end(&mut text).map_err(problem)?;
    let route = serde_json::from_slice(&text)
        .map_err(|source| RouteError::Content { path: path.to_owned(), source })?;
    Ok(Some(route))
}
