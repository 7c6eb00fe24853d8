//! A database as one file, for copies of what belongs to it: out of it, and into an empty one.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::address::{Address, SERVICE};
use super::process::{Limits, Running};
use super::programs::Programs;

/// Longer than a journal takes that anybody would copy whole.
const WHOLE_MAX: Duration = Duration::from_secs(6 * 3600);
const PIECE_BYTES: usize = 256 << 10;

/// Why a database was not copied. Nothing of its address stands in it.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    /// A program failed, or the disk.
    #[error("{0}")]
    Failed(String),
    /// Something would be written over, or mixed with what is there.
    #[error("the database is not empty: it has {tables} tables")]
    NotEmpty {
        /// How many.
        tables: u64,
    },
}

impl Programs {
    /// Writes what a database holds, as it is at one moment, into a new file.
    ///
    /// # Errors
    /// When it cannot be read, or the file not be written.
    pub fn copy_out(&self, address: &Address, to: &Path) -> Result<(), WholeError> {
        let mut pg_dump = self.command("pg_dump");
        pg_dump.args(["--format=custom", "--no-password", "--lock-wait-timeout=60s"]);
        let mut running = Running::start(pg_dump, Some(address), &limits()).map_err(failed)?;
        let mut file = File::create_new(to).map_err(failed)?;
        io::copy(&mut running.output(), &mut file).map_err(failed)?;
        running.end(Some(address)).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// Fills an empty database with what such a file holds, all of it or nothing.
    ///
    /// # Errors
    /// When it is not empty, or does not take it.
    pub fn copy_in(&self, address: &Address, from: &Path) -> Result<(), WholeError> {
        let tables = self.survey(address).map_err(failed)?.tables;
        if tables > 0 {
            return Err(WholeError::NotEmpty { tables });
        }
        let mut pg_restore = self.command("pg_restore");
        pg_restore.args(["--exit-on-error", "--single-transaction", "--no-password"]);
        // Whoever restores is its owner from now on.
        pg_restore.args(["--no-owner", "--no-privileges"]);
        pg_restore.arg(format!("--dbname=service={SERVICE}"));
        let mut file = File::open(from).map_err(failed)?;
        let mut running = Running::fed(pg_restore, address, &limits()).map_err(failed)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = file.read(&mut piece).map_err(failed)?;
            // One that wants no more has failed, and says why at its end.
            if count == 0 || !running.feed(&piece[..count]) {
                break;
            }
        }
        running.end(Some(address)).map_err(failed)
    }
}

fn limits() -> Limits {
    Limits { until: Instant::now() + WHOLE_MAX, is_stopped: Arc::new(AtomicBool::new(false)) }
}

fn failed(error: impl std::fmt::Display) -> WholeError {
    WholeError::Failed(error.to_string())
}
