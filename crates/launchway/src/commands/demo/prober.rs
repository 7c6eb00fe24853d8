//! Somebody who asks for a page all the time, and counts what fails.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two requests: some hundred a second.
const PAUSE: Duration = Duration::from_millis(4);

/// How long an answer may take. A proxy that holds a request while a service changes is no failure.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// An answer of the demo's page has a few hundred bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Asks until it is stopped.
pub(super) struct Prober {
    stop: Sender<()>,
    thread: JoinHandle<Counts>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) failed: u64,
}

impl Prober {
    pub(super) fn start(address: SocketAddr) -> Prober {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut counts = Counts::default();
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                counts.requests += 1;
                counts.failed += u64::from(!is_well(address).unwrap_or(false));
            }
            counts
        });
        Prober { stop, thread }
    }

    pub(super) fn stop(self) -> Counts {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

fn is_well(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    write!(stream, "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}
