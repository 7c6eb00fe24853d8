//! Listening: connections with limits, each answered until it ends or the server does.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use figures::Figures;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::access::Access;
use crate::app::{App, routes};
use crate::engine::Engine;
use crate::guard::Place;
use crate::hub::Hub;
use crate::numbers;
use crate::peer::{Network, Peer};
use crate::provider::SignIn;

/// Connections at a time: 200 people with a few pages each.
const CONNECTIONS_MAX: usize = 1_024;
/// How long a caller may take to say what it wants. One that says it byte by byte is cut off.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// What a request's headers may take.
const HEADERS_BYTES_MAX: usize = 32 << 10;
/// What a connection is given to end when the server does.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// When no connection can be taken (no file is left to open), a moment passes before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Threads that turn requests into answers; what waits for the disk has threads of its own.
const THREADS: usize = 2;
/// Threads that wait for the disk. The journal is read through one connection anyway.
const DISK_THREADS_MAX: usize = 16;

/// Why the server cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Threads, or the watch on the journal.
    #[error("cannot start the server")]
    Start(#[source] io::Error),
    /// The numbers' file.
    #[error("cannot keep the numbers")]
    Figures(#[source] figures::FiguresError),
}

/// How the server is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 is any that is free.
    pub listen: SocketAddr,
    /// How it is known to others, where that is not its address: `https://ci.example.com`.
    pub url: Option<String>,
    /// Whether it only shows what is past: whatever else is asked for is refused.
    pub stands_by: bool,
    /// Proxies in front of it that say truly for whom they speak (`X-Forwarded-For`).
    pub trusted_proxies: Vec<Network>,
}

/// A server that listens, and answers nobody yet.
pub struct Server {
    listener: std::net::TcpListener,
    address: SocketAddr,
    options: Options,
    sign_in: Option<Arc<dyn SignIn>>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// When the address is somebody else's, or none of this machine.
    pub fn bind(options: Options) -> Result<Server, ServerError> {
        let failed = |source| ServerError::Listen { address: options.listen, source };
        let listener = std::net::TcpListener::bind(options.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Server { listener, address, options, sign_in: None })
    }

    /// One where people sign in by a provider, too.
    #[must_use]
    pub fn with_sign_in(self, sign_in: Arc<dyn SignIn>) -> Server {
        Server { sign_in: Some(sign_in), ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How this machine reaches it.
    pub fn local_url(&self) -> String {
        let ip = self.address.ip();
        let ip = match ip {
            std::net::IpAddr::V4(it) if it.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(it) if it.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// How people reach it.
    pub fn url(&self) -> String {
        self.options.url.clone().unwrap_or_else(|| format!("http://{}", self.address))
    }

    /// Answers until `stop` says so. Blocks.
    ///
    /// # Errors
    /// When it cannot begin.
    pub fn run(
        self,
        store: Arc<Store>,
        folder: &Path,
        engine: Arc<dyn Engine>,
        access: Access,
        hub: Hub,
        stop: Stop,
    ) -> Result<(), ServerError> {
        hub.watch(folder).map_err(ServerError::Start)?;
        let removals = access.folders().and_then(|folders| hub.watch_removals(&folders));
        removals.map_err(ServerError::Start)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(DISK_THREADS_MAX)
            .enable_io()
            .enable_time()
            .thread_name("http")
            .build()
            .map_err(ServerError::Start)?;
        let figures = Figures::open(folder).map_err(ServerError::Figures)?;
        let place = Place { url: self.options.url, address: self.address };
        let stop = stop.0.subscribe();
        let access = match &self.sign_in {
            Some(sign_in) => access.with_rules(sign_in.rules()),
            None => access,
        };
        let letting_in = (access, self.sign_in);
        let mut app = App::new((store, figures), engine, letting_in, hub, place, stop.clone());
        app.stands_by = self.options.stands_by;
        app.trusted_proxies = self.options.trusted_proxies;
        let app = Arc::new(app);
        let listener = self.listener;
        runtime.spawn(numbers::keep_up(Arc::clone(&app)));
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).map_err(ServerError::Start)?;
            accept(listener, app, stop).await;
            Ok(())
        })?;
        runtime.shutdown_timeout(STOP_PATIENCE);
        Ok(())
    }
}

/// Tells a server to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Stop {
        Stop(watch::Sender::new(false))
    }
}

impl Stop {
    /// Stop.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

async fn accept(listener: TcpListener, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let router = routes(app);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut stopped = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stopped) => break,
        };
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // A caller beyond the limit is cut off: whoever waits in line would not know why.
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let inner = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(from.ip()));
            inner.call(request)
        });
        let mut stopped = stop.clone();
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(HEADERS_TIMEOUT)
                .max_buf_size(HEADERS_BYTES_MAX);
            let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
            let mut connection = std::pin::pin!(connection);
            // What a connection ends with is its caller's business.
            let graceful = tokio::select! {
                _ = connection.as_mut() => false,
                () = told(&mut stopped) => true,
            };
            if graceful {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(STOP_PATIENCE, connection).await;
            }
            drop(permit);
        });
    }
    drop(listener);
    told(&mut stop).await;
    // Those who are being answered get their answers.
    let all = u32::try_from(CONNECTIONS_MAX).expect("a small number");
    let _ = tokio::time::timeout(STOP_PATIENCE, room.acquire_many(all)).await;
}

/// Comes back when the server is to stop.
pub(crate) async fn told(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to say so.
    let _ = stop.wait_for(|stop| *stop).await;
}
