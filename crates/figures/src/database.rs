//! `figures.db`: opened, and its schema brought up to date.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::FiguresError;
use crate::readers::{READERS_MAX, Reader, Readers};
use crate::standing;

/// How long a process waits for another one's batch.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// One file for each version of the schema. A file that has shipped is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/v1.sql"),
    include_str!("schema/v2.sql"),
    include_str!("schema/v3.sql"),
    include_str!("schema/v4.sql"),
    include_str!("schema/v5.sql"),
    include_str!("schema/v6.sql"),
    include_str!("schema/v7.sql"),
    include_str!("schema/v8.sql"),
    include_str!("schema/v9.sql"),
    include_str!("schema/v10.sql"),
    include_str!("schema/v11.sql"),
    include_str!("schema/v12.sql"),
    include_str!("schema/v13.sql"),
    include_str!("schema/v14.sql"),
    include_str!("schema/v15.sql"),
    include_str!("schema/v16.sql"),
    include_str!("schema/v17.sql"),
    include_str!("schema/v18.sql"),
    include_str!("schema/v19.sql"),
];

/// The numbers of one journal. Any number of processes may have them open at once.
pub struct Figures {
    path: PathBuf,
    // Whoever looks does not wait for whoever folds.
    readers: Readers,
    writer: Mutex<Connection>,
}

impl Figures {
    /// Opens the file in the folder of a journal, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer version wrote it.
    pub fn open(folder: &Path) -> Result<Figures, FiguresError> {
        let path = folder.join("figures.db");
        let failed = |source| FiguresError::File { path: path.clone(), source };
        let mut writer = connect(&path).map_err(failed)?;
        let known = MIGRATIONS.len();
        // In one transaction: two processes that open it for the first time do it once.
        let transaction =
            writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let found: i64 = transaction
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(failed)?;
        let done = usize::try_from(found).ok().filter(|done| *done <= known);
        let done = done.ok_or_else(|| FiguresError::Newer { path: path.clone() })?;
        for migration in &MIGRATIONS[done..] {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        // Of scans that an older version took in nothing is counted; mostly there are none.
        standing::count(&transaction).map_err(failed)?;
        transaction.pragma_update(None, "user_version", known as i64).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        let readers: rusqlite::Result<Vec<Connection>> =
            (0..READERS_MAX).map(|_| connect(&path)).collect();
        let readers = Readers::of(readers.map_err(failed)?);
        Ok(Figures { path, readers, writer: Mutex::new(writer) })
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        self.readers.lend()
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().expect("nobody panics while writing")
    }

    pub(crate) fn failed(&self, source: rusqlite::Error) -> FiguresError {
        FiguresError::File { path: self.path.clone(), source }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // What is lost with the power is folded again.
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 14: so many scans of the default branch, and one of another.
    fn of_before(folder: &Path, scans: i64) {
        let file = connect(&folder.join("figures.db")).unwrap();
        MIGRATIONS[..14].iter().for_each(|it| file.execute_batch(it).unwrap());
        file.pragma_update(None, "user_version", 14).unwrap();
        for run in 1..=scans + 1 {
            let is_default = run <= scans;
            file.execute(
                "INSERT INTO attempt (run, attempt, repository, workflow, event, git_ref, commit_id,
                   is_default_branch, is_partial, is_superseded, is_infra, created_at, started_at,
                   completed_at, conclusion, last_seq)
                 VALUES (?1, 1, 'octo/app', 'ci.yml', 'push', 'refs/heads/x', 'c', ?2, 0, 0, 0, 1, 1,
                   ?1, 'success', 9)",
                (run, is_default),
            )
            .unwrap();
            file.execute("INSERT INTO scan VALUES (?1, 1, 'Trivy', 0)", [run]).unwrap();
            let finding =
                "INSERT INTO finding VALUES (?1, 1, 'Trivy', 'CVE-1', 'a', 'f', 'high', 1)";
            file.execute(finding, [run]).unwrap();
        }
    }

    #[test]
    fn what_scans_found_before_is_kept_as_what_they_find_now() {
        let folder = tempfile::tempdir().unwrap();
        of_before(folder.path(), 23);
        let figures = Figures::open(folder.path()).unwrap();
        let count = |query: &str| -> i64 {
            figures.reader().query_row(query, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count("SELECT count(*) FROM finding"), 20);
        assert_eq!(count("SELECT min(run) FROM finding"), 4);
        assert_eq!(count("SELECT max(run) FROM finding"), 23);
        assert_eq!(count("SELECT count(*) FROM scan"), 23);
        assert_eq!(count("SELECT count(*) FROM scan WHERE is_kept = 0"), 3);
        // It is counted at once, as far back as is known.
        assert_eq!(count("SELECT count(*) FROM scan_level WHERE run > 4 AND new = 0"), 19);
        assert_eq!(count("SELECT count(*) FROM scan_named WHERE since_run = 4 AND or_earlier"), 20);
    }
}
