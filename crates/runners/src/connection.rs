//! The runner's end of the connection: a WebSocket on a thread of its own, opened again and again.
//!
//! One thread reads and writes, because TLS knows no halves: the socket does not wait, and the thread
//! waits for it, or for somebody who has something to send. What is to be sent stands in a short line,
//! so that whoever sends a long log waits for the network, and nobody keeps it in memory.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use protocol::{FRAME_BYTES_MAX, FromRunner, RENEW_SECONDS, SILENT_SECONDS_MAX, write_frame};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::{HeaderValue, StatusCode};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

/// Where a server's runners come in.
const PATH: &str = "/api/v1/runners/connection";
/// Frames that stand in line.
const LINE: usize = 16;
/// How long a server may take to answer a new connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is none, or would give the token away.
    #[error("{0}")]
    Address(String),
    /// The token is not taken.
    #[error("the server does not take the token: {0}")]
    Token(String),
    /// Nobody answers, or not as a server does.
    #[error("{0}")]
    Unreachable(String),
}

/// A server's address.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    host: String,
    port: u16,
    is_encrypted: bool,
}

impl Address {
    /// Of a URL. What is not encrypted may be this machine only: a token and secrets go over it.
    pub(crate) fn of(url: &str) -> Result<Address, ConnectError> {
        let wrong = || {
            ConnectError::Address(format!(
                "--server takes an address such as https://ci.example.com, not `{url}`"
            ))
        };
        let (scheme, rest) = url.trim_end_matches('/').split_once("://").ok_or_else(wrong)?;
        let is_encrypted = match scheme {
            "https" => true,
            "http" if https::is_here(url) => false,
            "http" => {
                let message = format!(
                    "{url} is another machine, and nothing encrypts what goes there: jobs' secrets would"
                );
                return Err(ConnectError::Address(message));
            }
            _ => return Err(wrong()),
        };
        let usual = if is_encrypted { 443 } else { 80 };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (rest, usual),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-.:".contains(&it);
        if host.is_empty() || !host.bytes().all(is_plain) {
            return Err(wrong());
        }
        Ok(Address { host: host.to_owned(), port, is_encrypted })
    }

    fn url(&self) -> String {
        let scheme = if self.is_encrypted { "wss" } else { "ws" };
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.is_encrypted { 443 } else { 80 };
        match self.port {
            port if port == usual => format!("{scheme}://{host}{PATH}"),
            port => format!("{scheme}://{host}:{port}{PATH}"),
        }
    }
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Encrypted(stream) => &stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(bytes),
            Stream::Encrypted(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Encrypted(stream) => stream.flush(),
        }
    }
}

/// Where frames are given to be sent; good for one connection.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    line: SyncSender<Vec<u8>>,
    wake: Arc<OwnedFd>,
}

/// The connection is over; the frame is nobody's.
#[derive(Debug)]
pub(crate) struct Cut;

impl Outgoing {
    /// Waits while the line is full.
    pub(crate) fn send(&self, message: &FromRunner, bytes: &[u8]) -> Result<(), Cut> {
        self.line.send(write_frame(message, bytes)).map_err(|_| Cut)?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

/// An open connection.
pub(crate) struct Connection {
    socket: WebSocket<Stream>,
    line: Receiver<Vec<u8>>,
    outgoing: Outgoing,
}

/// Opens one.
pub(crate) fn open(address: &Address, token: &str) -> Result<Connection, ConnectError> {
    let unreachable = |error: io::Error| {
        ConnectError::Unreachable(format!("{}:{}: {error}", address.host, address.port))
    };
    let socket = reach(address).map_err(unreachable)?;
    socket.set_nodelay(true).map_err(unreachable)?;
    let stream = if address.is_encrypted {
        let name = ServerName::try_from(address.host.clone())
            .map_err(|error| ConnectError::Address(error.to_string()))?;
        let config = Arc::new(https::trusted(None).map_err(unreachable)?);
        let tls = ClientConnection::new(config, name)
            .map_err(|error| ConnectError::Unreachable(error.to_string()))?;
        Stream::Encrypted(Box::new(StreamOwned::new(tls, socket)))
    } else {
        Stream::Plain(socket)
    };
    let wrong = |error: Error| ConnectError::Unreachable(told(&error));
    let mut request = address.url().into_client_request().map_err(wrong)?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| ConnectError::Token("it has characters that no token has".to_owned()))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert("authorization", bearer);
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let (socket, _) = tungstenite::client::client_with_config(request, stream, Some(config))
        .map_err(|error| match error {
            tungstenite::HandshakeError::Failure(Error::Http(answer)) => refused(&answer),
            tungstenite::HandshakeError::Failure(error) => wrong(error),
            tungstenite::HandshakeError::Interrupted(_) => {
                ConnectError::Unreachable("the server does not answer".to_owned())
            }
        })?;
    let tcp = socket.get_ref().socket();
    tcp.set_read_timeout(None).and_then(|()| tcp.set_nonblocking(true)).map_err(unreachable)?;
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|errno| unreachable(errno.into()))?;
    let (sender, line) = sync_channel(LINE);
    let outgoing = Outgoing { line: sender, wake: Arc::new(wake) };
    Ok(Connection { socket, line, outgoing })
}

fn reach(address: &Address) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for place in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, CONNECT_PATIENCE) {
            Ok(socket) => {
                // Until the handshake is over.
                socket.set_read_timeout(Some(CONNECT_PATIENCE))?;
                socket.set_write_timeout(Some(CONNECT_PATIENCE))?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Why there is no connection; what to do where nobody here knows who vouches for the server.
fn told(error: &Error) -> String {
    match error {
        Error::Io(error) if https::is_untrusted(error) => {
            format!("{error}; {}", https::TRUST_HINT)
        }
        _ => error.to_string(),
    }
}

/// A server that answers, and lets nobody in.
fn refused(answer: &tungstenite::http::Response<Option<Vec<u8>>>) -> ConnectError {
    let body = answer.body().as_deref().unwrap_or_default();
    let detail = serde_json::from_slice::<serde_json::Value>(body).ok();
    let detail = detail.and_then(|it| it["detail"].as_str().map(str::to_owned));
    let status = answer.status();
    let said = detail.unwrap_or_else(|| format!("it answered {status}"));
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return ConnectError::Token(said);
    }
    ConnectError::Unreachable(said)
}

impl Connection {
    /// Where it is given frames.
    pub(crate) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
    }

    /// Sends and receives until the connection is over; says why it is.
    pub(crate) fn run(mut self, heard: &mut dyn FnMut(Vec<u8>)) -> String {
        let (mut renewed, mut heard_at) = (Instant::now(), Instant::now());
        let mut is_blocked = false;
        loop {
            if renewed.elapsed() >= Duration::from_secs(RENEW_SECONDS) && !is_blocked {
                renewed = Instant::now();
                let frame = write_frame(&FromRunner::Renew, b"");
                if let Err(error) = self.write(frame) {
                    return error;
                }
            }
            match self.send() {
                Ok(blocked) => is_blocked = blocked,
                Err(error) => return error,
            }
            loop {
                match self.socket.read() {
                    Ok(Message::Binary(bytes)) => {
                        heard_at = Instant::now();
                        heard(bytes.into());
                    }
                    Ok(Message::Text(_)) => return "the server speaks something else".to_owned(),
                    Ok(Message::Close(_)) => return "the server closed it".to_owned(),
                    Ok(_) => heard_at = Instant::now(),
                    Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return error.to_string(),
                }
            }
            if heard_at.elapsed() >= Duration::from_secs(SILENT_SECONDS_MAX) {
                return format!("the server said nothing for {SILENT_SECONDS_MAX} seconds");
            }
            self.wait(is_blocked);
        }
    }

    /// Sends what stands in line; says whether the socket takes no more for now.
    fn send(&mut self) -> Result<bool, String> {
        loop {
            match self.socket.flush() {
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(true);
                }
                Err(error) => return Err(error.to_string()),
            }
            match self.line.try_recv() {
                Ok(frame) => self.write(frame)?,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(false),
            }
        }
    }

    fn write(&mut self, frame: Vec<u8>) -> Result<(), String> {
        match self.socket.write(Message::Binary(frame.into())) {
            Ok(()) => Ok(()),
            // It is kept, and flushed when the socket takes more.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Waits for the socket, for a frame, or for the next renewal.
    fn wait(&self, is_blocked: bool) {
        let socket = self.socket.get_ref().socket().as_fd();
        let flags = if is_blocked { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let wake: BorrowedFd<'_> = self.outgoing.wake.as_fd();
        let mut fds = [
            PollFd::from_borrowed_fd(socket, flags),
            PollFd::from_borrowed_fd(wake, PollFlags::IN),
        ];
        let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
        // Interrupted or not: the next look tells.
        let _ = rustix::event::poll(&mut fds, Some(&patience));
        let mut count = [0; 8];
        let _ = rustix::io::read(&*self.outgoing.wake, &mut count);
    }
}
