//! An archive becomes a database, beside those that are there.

use std::io::Write;

use event::{Cause, CauseCode};

use crate::dump::{Wrong, wrong};
use crate::postgres::{Address, Limits, Programs, Running, SERVICE, Spoiled};
use crate::words::text;

/// A server on which a database is made.
pub(crate) struct Place<'a> {
    pub(crate) programs: &'a Programs,
    /// Any database of it: from there others are made.
    pub(crate) address: &'a Address,
    pub(crate) limits: &'a Limits,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum Unloaded {
    /// A program of PostgreSQL failed.
    Spoiled(Spoiled),
    /// The archive does not come.
    Unread(Box<aws::Fault>),
    /// It is gone.
    Gone,
}

impl From<Spoiled> for Unloaded {
    fn from(spoiled: Spoiled) -> Unloaded {
        Unloaded::Spoiled(spoiled)
    }
}

impl Unloaded {
    /// As what is wrong with an archive.
    pub(crate) fn of(self, shown: &str) -> Wrong {
        match self {
            Unloaded::Unread(fault) => (*fault).into(),
            Unloaded::Gone => wrong(format!("{shown} is gone")),
            Unloaded::Spoiled(spoiled @ Spoiled::TimeOver { .. }) => spoiled.into(),
            Unloaded::Spoiled(spoiled) => {
                let said = format!("{shown} could not be restored");
                let because = Cause::new(CauseCode::Exited, text(spoiled.to_string()));
                Wrong::Final(Cause::new(CauseCode::TargetRefused, text(said)).because(because))
            }
        }
    }
}

impl Place<'_> {
    fn ask(&self, statement: &str) -> Result<String, Spoiled> {
        self.programs.ask(self.address, statement, self.limits)
    }

    /// What stands as the comment of a database; none where there is no such database.
    pub(crate) fn comment(&self, name: &str) -> Result<Option<String>, Spoiled> {
        let said = self.ask(&format!(
            "select 'comment:' || coalesce(shobj_description(oid, 'pg_database'), '') \
             from pg_catalog.pg_database where datname = {}",
            quoted(name, '\'')
        ))?;
        Ok(said.trim_end().strip_prefix("comment:").map(str::to_owned))
    }

    /// A database of this name with what the archive holds, anew.
    pub(crate) fn load(
        &self,
        name: &str,
        give: &mut dyn FnMut(&mut dyn Write) -> Result<bool, aws::Fault>,
    ) -> Result<(), Unloaded> {
        self.drop_database(name);
        self.ask(&self.creation(name)?)?;
        let mut pg_restore = self.programs.command("pg_restore");
        pg_restore.args(["--exit-on-error", "--no-password"]);
        // Which database it is stands where the address does.
        pg_restore.arg(format!("--dbname=service={SERVICE}"));
        let address = self.address.in_database(name);
        let running = Running::fed(pg_restore, &address, self.limits)?;
        let mut into = Into(running);
        if !give(&mut into).map_err(|it| Unloaded::Unread(Box::new(it)))? {
            return Err(Unloaded::Gone);
        }
        into.0.end(Some(&address))?;
        Ok(())
    }

    /// As the database is that the address names: dumps are read in its encoding, by its collation.
    fn creation(&self, name: &str) -> Result<String, Spoiled> {
        let like = self.ask(
            "select pg_encoding_to_char(encoding), datcollate, datctype \
             from pg_catalog.pg_database where datname = current_database()",
        )?;
        let mut like = like.trim_end().split('|').map(|it| quoted(it, '\''));
        let mut next = || like.next().unwrap_or_else(|| "'UTF8'".to_owned());
        Ok(format!(
            "create database {} template template0 encoding {} lc_collate {} lc_ctype {}",
            quoted(name, '"'),
            next(),
            next(),
            next()
        ))
    }

    /// Rows of all its tables; none where they cannot be compared with those of a dump.
    pub(crate) fn rows(&self, name: &str) -> Result<Option<u64>, Unloaded> {
        Ok(self.programs.rows(&self.address.in_database(name), self.limits)?)
    }

    /// It is there no more; where that cannot be said, it stays and is found by its name.
    pub(crate) fn drop_database(&self, name: &str) {
        let name = quoted(name, '"');
        // Whoever was killed may have left somebody connected.
        let forced = format!("drop database if exists {name} with (force)");
        if self.ask(&forced).is_err() {
            let _ = self.ask(&format!("drop database if exists {name}"));
        }
    }

    /// It bears this comment, and from now on that name.
    pub(crate) fn finish(&self, name: &str, comment: &str, new: &str) -> Result<(), Spoiled> {
        let (name, new) = (quoted(name, '"'), quoted(new, '"'));
        self.ask(&format!("comment on database {name} is {}", quoted(comment, '\'')))?;
        self.ask(&format!("alter database {name} rename to {new}"))?;
        Ok(())
    }
}

/// A name or a text, as SQL has it.
fn quoted(text: &str, mark: char) -> String {
    format!("{mark}{}{mark}", text.replace(mark, &format!("{mark}{mark}")))
}

/// A program that is fed with what comes.
struct Into(Running);

impl Write for Into {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        // One that wants no more has failed: its end says why.
        self.0.feed(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
