//! The control socket: what was taken, what is under way; and the listeners themselves.
//!
//! One word in, one answer, end. `status` is answered with JSON, `listeners` with addresses, a line
//! each, and as many descriptors beside them.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::limits::{LISTENERS_MAX, QUESTION_TIME_MAX};

/// Everything a proxy says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Connections of clients.
    pub connections: u64,
    /// The routes it took.
    pub services: BTreeMap<String, ServiceStatus>,
    /// Instances that are routed to, or have something under way.
    pub backends: Vec<BackendStatus>,
    /// Counts by service and release, since it started; under the empty name what no instance
    /// answered.
    pub releases: BTreeMap<String, BTreeMap<String, ReleaseStatus>>,
}

/// The route of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Which route was taken.
    pub generation: u64,
    /// What of it could not be done: an address that somebody else has.
    pub problems: Vec<String>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// Where it listens.
    pub address: SocketAddr,
    /// The service.
    pub service: String,
    /// Which instance.
    pub instance: String,
    /// Of which release.
    pub release: String,
    /// Requests under way.
    pub in_flight: u64,
    /// WebSockets and what else was upgraded.
    pub upgraded: u64,
    /// Requests sent to it.
    pub requests: u64,
    /// Those that it did not answer.
    pub failed: u64,
}

/// One release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseStatus {
    /// Requests sent to it.
    pub requests: u64,
    /// Those that it did not answer.
    pub failed: u64,
    /// Under way now, with what was upgraded.
    pub in_flight: u64,
}

/// A path to the socket in `folder` that fits into an address, however long the folder's is: through
/// a descriptor of it. The descriptor is to be kept as long as the path is used.
pub(crate) fn socket(folder: &Path) -> io::Result<(std::fs::File, std::path::PathBuf)> {
    use std::os::fd::AsRawFd as _;
    let opened = std::fs::File::open(folder)?;
    let path = format!("/proc/self/fd/{}/proxy.sock", opened.as_raw_fd()).into();
    Ok((opened, path))
}

fn connect(folder: &Path) -> io::Result<UnixStream> {
    let (_opened, path) = socket(folder)?;
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(QUESTION_TIME_MAX))?;
    stream.set_write_timeout(Some(QUESTION_TIME_MAX))?;
    Ok(stream)
}

/// Asks the proxy of a folder for its status.
///
/// # Errors
/// When none answers.
pub fn ask(folder: &Path) -> io::Result<Status> {
    let mut stream = connect(folder)?;
    stream.write_all(b"status\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    serde_json::from_slice(&answer).map_err(io::Error::other)
}

/// Copies of the listeners of a folder's proxy, to be given to the next one.
///
/// # Errors
/// When none answers.
pub fn listeners(folder: &Path) -> io::Result<Vec<(SocketAddr, OwnedFd)>> {
    let mut stream = connect(folder)?;
    stream.write_all(b"listeners\n")?;
    receive(stream.as_fd())
}

/// Gives listeners to whoever has the other end: a proxy that is started with it as its standard
/// input takes them instead of making its own.
///
/// # Errors
/// When nobody takes them.
pub fn give(to: BorrowedFd<'_>, listeners: &[(SocketAddr, OwnedFd)]) -> io::Result<()> {
    for (address, listener) in listeners {
        let line = format!("{address}\n");
        let fds = [listener.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        let fits = beside.push(SendAncillaryMessage::ScmRights(&fds));
        assert!(fits, "the buffer is made for one descriptor");
        // A line is far below what a socket takes at once.
        sendmsg(to, &[IoSlice::new(line.as_bytes())], &mut beside, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// Takes what was given, until the other side ends it.
pub(crate) fn receive(from: BorrowedFd<'_>) -> io::Result<Vec<(SocketAddr, OwnedFd)>> {
    let mut text = Vec::new();
    let mut fds: Vec<OwnedFd> = Vec::new();
    while fds.len() <= LISTENERS_MAX {
        let mut bytes = [0; 256];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let message = recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut beside, flags)?;
        text.extend_from_slice(&bytes[..message.bytes]);
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                fds.extend(received);
            }
        }
        if message.bytes == 0 {
            break;
        }
    }
    let text = String::from_utf8_lossy(&text);
    let addresses = text.lines().map_while(|line| line.parse().ok());
    Ok(addresses.zip(fds).collect())
}
