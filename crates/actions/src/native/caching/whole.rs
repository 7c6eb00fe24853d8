//! Whether an entry's bytes are those that were saved.
//!
//! Only one whose are not makes room for another: that it could not be unpacked may be a matter of the place that
//! a step named, and must not take the entry from everybody else.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::super::step::hex;
use super::ARCHIVE;

/// In an entry's folder: the digest of its archive as it was saved.
pub(super) const DIGEST: &str = "digest";
/// What is read at once: a syscall for every so many bytes.
const READ_BYTES: usize = 1 << 20;

/// Writes on, and counts in.
pub(super) struct Digesting<W> {
    inner: W,
    digest: Sha256,
}

impl<W: Write> Digesting<W> {
    pub(super) fn new(inner: W) -> Digesting<W> {
        Digesting { inner, digest: Sha256::new() }
    }

    /// Of all that was written.
    pub(super) fn digest(self) -> String {
        hex(&self.digest.finalize())
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether the entry in this folder is as it was saved. One that was saved without a digest is if it can be read.
pub(super) fn is_whole(folder: &Path) -> bool {
    let archive = folder.join(ARCHIVE);
    match fs::read_to_string(folder.join(DIGEST)) {
        Ok(saved) => digest(&archive).is_ok_and(|digest| digest == saved),
        Err(_) => read_through(&archive).is_ok(),
    }
}

fn digest(archive: &Path) -> io::Result<String> {
    let (mut file, mut digest) = (File::open(archive)?, Sha256::new());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}

fn read_through(archive: &Path) -> io::Result<()> {
    let reader = zstd::Decoder::new(BufReader::new(File::open(archive)?))?;
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        io::copy(&mut entry?, &mut io::sink())?;
    }
    Ok(())
}
