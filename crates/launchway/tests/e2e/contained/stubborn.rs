//! A socket before the engine's: whatever is to be removed is refused once, and goes the second time.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const REFUSED: &[u8] = b"HTTP/1.0 500 Internal Server Error\r\n\r\n{\"message\":\"not now\"}";

/// Where it listens, for as long as the tests run.
pub(super) fn before(engine: &Path, folder: &Path) -> PathBuf {
    let socket = folder.join("stubborn.sock");
    let listener = UnixListener::bind(&socket).expect("a socket of ours");
    let (engine, refused) = (engine.to_owned(), Arc::new(Mutex::new(BTreeSet::new())));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (engine, refused) = (engine.clone(), Arc::clone(&refused));
            // Whoever goes away in the middle is missed by nobody.
            std::thread::spawn(move || drop(pass(client, &engine, &refused)));
        }
    });
    socket
}

fn pass(
    mut client: UnixStream,
    engine: &Path,
    refused: &Mutex<BTreeSet<Vec<u8>>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    if head.starts_with(b"DELETE ") && refused.lock().expect("no panic").insert(head.clone()) {
        return client.write_all(REFUSED);
    }
    let mut server = UnixStream::connect(engine)?;
    server.write_all(&head)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}
