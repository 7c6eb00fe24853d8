//! The process: listeners as the table wants them, a task for each connection.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::fs::{FlockOperation, flock, inotify};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::control;
use crate::forward::{Origin, forward};
use crate::limits::{
    BACKLOG, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_LINES_MAX, HEAD_TIME_MAX, QUESTION_BYTES_MAX,
    QUESTION_TIME_MAX,
};
use crate::routes;
use crate::table::Table;

/// Between two attempts at an address that somebody else has.
const LISTEN_INTERVAL: Duration = Duration::from_millis(500);
/// When accepting fails (no descriptor is left), others need a moment to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Another one has the folder.
    #[error("another proxy serves {}", .0.display())]
    Taken(PathBuf),
    /// The disk, the system.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> ProxyError {
    move |source| ProxyError::System { action, source }
}

/// Listeners that come on standard input, until its other end is closed. Only for a process whose
/// standard input is known to be such a socket.
pub fn given_on_stdin() -> Vec<(SocketAddr, OwnedFd)> {
    // Not a socket: somebody started it by hand, and there are none.
    control::receive(io::stdin().as_fd()).unwrap_or_default()
}

/// Serves the routes of a folder until the process is ended, on listeners that were given, and on
/// its own where none was.
///
/// # Errors
/// When another proxy serves this folder, or the folder cannot be used.
pub fn main(folder: &Path, given: Vec<(SocketAddr, OwnedFd)>) -> Result<Infallible, ProxyError> {
    std::fs::create_dir_all(routes::folder(folder)).map_err(system("make the folder of routes"))?;
    let _lock = lock(folder)?;
    // Before the first look, so that nothing that comes after it is missed.
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)
        .map_err(|error| system("watch files")(error.into()))?;
    let changes = inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::CLOSE_WRITE
        | inotify::WatchFlags::DELETE;
    inotify::add_watch(&watch, routes::folder(folder), changes)
        .map_err(|error| system("watch the folder of routes")(error.into()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(system("start the runtime"))?;
    runtime.block_on(serve(folder, given, watch))
}

/// Whether a proxy lives that serves this folder.
pub fn is_alive(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join("proxy.lock")) else { return false };
    // A shared lock is had when nobody holds it alone. It is let go by name: a process that is just
    // being started may have the file too.
    let is_free = flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
    if is_free {
        let _ = flock(&file, FlockOperation::Unlock);
    }
    !is_free
}

fn lock(folder: &Path) -> Result<File, ProxyError> {
    let open = || File::create(folder.join("proxy.lock"));
    let file = open().map_err(system("open the proxy's lock"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(ProxyError::Taken(folder.to_owned())),
        Err(error) => Err(system("take the proxy's lock")(error.into())),
    }
}

async fn serve(
    folder: &Path,
    given: Vec<(SocketAddr, OwnedFd)>,
    watch: OwnedFd,
) -> Result<Infallible, ProxyError> {
    let table = Table::new();
    table.exchange(read(folder));
    let control = bind_control(folder).map_err(system("listen on the control socket"))?;
    let mut listeners = Listeners {
        table: table.clone(),
        given: given.into_iter().collect(),
        open: BTreeMap::new(),
        room: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
    listeners.adjust();
    let (asked, mut questions) = mpsc::channel(16);
    tokio::spawn(answer(control, table.clone(), asked));
    let (changed, mut changes) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut space = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(watch, &mut space);
        while reader.next().is_ok() {
            // One that waits to be handled stands for all that come before it is.
            let _ = changed.try_send(());
        }
    });
    loop {
        tokio::select! {
            Some(()) = changes.recv() => {
                table.exchange(read(folder));
                listeners.adjust();
            }
            Some(stream) = questions.recv() => listeners.hand_out(stream),
            () = sleep(LISTEN_INTERVAL), if listeners.is_short() => listeners.adjust(),
        }
    }
}

fn read(folder: &Path) -> Vec<(String, Result<routes::Route, String>)> {
    let read = routes::read_all(folder).unwrap_or_default();
    read.into_iter().map(|(name, route)| (name, route.map_err(|error| error.to_string()))).collect()
}

/// The listeners that are open, by address.
struct Listeners {
    table: Table,
    given: BTreeMap<SocketAddr, OwnedFd>,
    open: BTreeMap<SocketAddr, Open>,
    room: Arc<Semaphore>,
}

struct Open {
    /// A copy, to be handed out.
    listener: OwnedFd,
    task: JoinHandle<()>,
}

impl Listeners {
    /// Opens what is wanted and closes what is not.
    fn adjust(&mut self) {
        let wanted = self.table.wanted();
        self.open.retain(|address, open| {
            let stays = wanted.contains(address);
            if !stays {
                open.task.abort();
            }
            stays
        });
        for listen in wanted {
            if self.open.contains_key(&listen) {
                continue;
            }
            match self.listen(listen) {
                Ok(open) => {
                    self.table.heard(listen, None);
                    self.open.insert(listen, open);
                }
                Err(error) => {
                    let problem = format!("cannot listen on {listen}: {error}");
                    self.table.heard(listen, Some(problem));
                }
            }
        }
        // What nobody wants any more.
        self.given.clear();
        self.table.settle();
    }

    fn is_short(&self) -> bool {
        self.table.wanted().iter().any(|listen| !self.open.contains_key(listen))
    }

    fn listen(&mut self, listen: SocketAddr) -> io::Result<Open> {
        let listener = match self.given.remove(&listen) {
            Some(given) => TcpListener::from_std(StdListener::from(given))?,
            None => {
                let socket = match listen {
                    SocketAddr::V4(_) => TcpSocket::new_v4(),
                    SocketAddr::V6(_) => TcpSocket::new_v6(),
                }?;
                // Connections of the proxy before that linger do not hold the address.
                socket.set_reuseaddr(true)?;
                socket.bind(listen)?;
                socket.listen(BACKLOG)?
            }
        };
        let copy = rustix::io::fcntl_dupfd_cloexec(&listener, 0)?;
        let task = tokio::spawn(accept(self.table.clone(), listen, listener, self.room.clone()));
        Ok(Open { listener: copy, task })
    }

    fn hand_out(&self, stream: UnixStream) {
        let copies: Vec<_> = self
            .open
            .iter()
            .filter_map(|(address, open)| Some((*address, open.listener.try_clone().ok()?)))
            .collect();
        // Small and at once; whoever asked is this machine's and reads.
        if let Ok(stream) = stream.into_std()
            && stream.set_nonblocking(false).is_ok()
            && stream.set_write_timeout(Some(QUESTION_TIME_MAX)).is_ok()
        {
            tokio::task::spawn_blocking(move || control::give(stream.as_fd(), &copies));
        }
    }
}

async fn accept(table: Table, listen: SocketAddr, listener: TcpListener, room: Arc<Semaphore>) {
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let table = table.clone();
        tokio::spawn(async move {
            let _connected = table.connected();
            connection(table.clone(), Origin { listen, peer }, stream).await;
            drop(place);
        });
    }
}

async fn connection(table: Table, origin: Origin, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let table = table.clone();
        async move { Ok::<_, Infallible>(forward(table, origin, request).await) }
    });
    // How a client leaves is its own business.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_LINES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

fn bind_control(folder: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("proxy.sock");
    // The lock is ours, so what lies there is a dead one's.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (_opened, short) = control::socket(folder)?;
    let listener = StdUnixListener::bind(&short)?;
    // Listeners are handed out here: to this user alone.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

async fn answer(control: UnixListener, table: Table, listeners: mpsc::Sender<UnixStream>) {
    loop {
        let Ok((stream, _)) = control.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (table, listeners) = (table.clone(), listeners.clone());
        tokio::spawn(timeout(QUESTION_TIME_MAX, question(stream, table, listeners)));
    }
}

async fn question(mut stream: UnixStream, table: Table, listeners: mpsc::Sender<UnixStream>) {
    let mut word = Vec::new();
    while word.len() < QUESTION_BYTES_MAX && word.last() != Some(&b'\n') {
        match stream.read_u8().await {
            Ok(byte) => word.push(byte),
            Err(_) => return,
        }
    }
    match word.as_slice() {
        b"status\n" => {
            let text = serde_json::to_vec(&table.status()).expect("a status has text keys only");
            let _ = stream.write_all(&text).await;
        }
        b"listeners\n" => {
            let _ = listeners.send(stream).await;
        }
        _ => {
            let _ = stream.write_all(b"status or listeners?\n").await;
        }
    }
}
