//! A way to a server that stays the same while the server does not, and that can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

/// A listener that hands on to whoever is the server now.
pub(crate) struct Relay {
    pub(crate) url: String,
    target: Arc<AtomicU16>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    pub(crate) fn to(url: &str) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("it is bound").port();
        let target = Arc::new(AtomicU16::new(port_of(url)));
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (to, streams) = (Arc::clone(&target), Arc::clone(&open));
        std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let port = to.load(Ordering::Relaxed);
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let mut held = streams.lock().expect("nobody panics with it");
                held.extend([&caller, &server].map(|it| it.try_clone().expect("a handle")));
                drop(held);
                let back = (server.try_clone(), caller.try_clone());
                std::thread::spawn(move || forward(caller, server, Some((own, port))));
                if let (Ok(server), Ok(caller)) = back {
                    std::thread::spawn(move || forward(server, caller, None));
                }
            }
        });
        Relay { url: format!("http://127.0.0.1:{own}"), target, open }
    }

    /// From now on it leads there.
    pub(crate) fn lead_to(&self, url: &str) {
        self.target.store(port_of(url), Ordering::Relaxed);
    }

    /// Ends every connection that is open; says how many there were.
    pub(crate) fn cut(&self) -> usize {
        let open = std::mem::take(&mut *self.open.lock().expect("nobody panics with it"));
        open.iter().filter(|it| it.shutdown(Shutdown::Both).is_ok()).count()
    }
}

fn port_of(url: &str) -> u16 {
    url.rsplit(':').next().and_then(|it| it.parse().ok()).expect("an address with a port")
}

/// Hands on what comes. The first of a request names the server as the server knows itself.
fn forward(mut from: TcpStream, mut to: TcpStream, mut named: Option<(u16, u16)>) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let sent = match named.take() {
            Some((own, real)) => {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                to.write_all(text.replace(&own.to_string(), &real.to_string()).as_bytes())
            }
            None => to.write_all(&bytes[..read]),
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
