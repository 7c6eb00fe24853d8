//! What lets us in: said with the address, else from where PostgreSQL's own programs take it. It is
//! looked for anew with every connection, so that one that was changed is heard.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use mask::Secret;

use super::address::Database;

/// Nobody keeps more than some dozens.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The password for a database; none where nothing says one.
pub(super) fn of(database: &Database) -> Option<Secret> {
    if database.password.is_some() {
        return database.password.clone();
    }
    if let Ok(password) = std::env::var("PGPASSWORD") {
        return Some(Secret::new(password));
    }
    let path = file()?;
    let about = fs::metadata(&path).ok()?;
    // As libpq: what others may read is no secret, and is not used.
    if !about.is_file() || about.permissions().mode() & 0o077 != 0 || about.len() > FILE_BYTES_MAX {
        return None;
    }
    let text = fs::read_to_string(&path).ok()?;
    let user = database.config.get_user().unwrap_or_default();
    let name = database.config.get_dbname().unwrap_or(user);
    database.hosts().find_map(|(host, port)| found(&text, [&host, &port.to_string(), name, user]))
}

/// Where passwords are kept for all of PostgreSQL's programs.
pub(crate) fn file() -> Option<PathBuf> {
    match std::env::var_os("PGPASSFILE") {
        Some(path) => Some(PathBuf::from(path)),
        None => Some(PathBuf::from(std::env::var_os("HOME")?).join(".pgpass")),
    }
}

/// The first line that fits: `host:port:database:user:password`, `*` for any.
fn found(text: &str, wanted: [&str; 4]) -> Option<Secret> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(fields).find_map(|fields| {
        let (password, place) = fields.split_last()?;
        let is_it = place.len() == wanted.len()
            && place.iter().zip(wanted).all(|(said, wanted)| said == "*" || said == wanted);
        is_it.then(|| Secret::new(password.as_str()))
    })
}

/// `\:` and `\\` are the characters themselves.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut rest = line.chars();
    while let Some(it) = rest.next() {
        let count = fields.len();
        let last = fields.last_mut().expect("there is always one");
        match it {
            ':' if count < 5 => fields.push(String::new()),
            '\\' => last.extend(rest.next()),
            it => last.push(it),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_lets_in() {
        let text = "# a comment:5432:ci:ci:no\n\
                    db:5433:ci:ci:other port\n\
                    db:5432:*:ci:with\\:colon and \\\\ and:more\n\
                    *:*:*:*:any\n\
                    half a line";
        let of = |wanted: [&str; 4]| found(text, wanted).map(|it| it.expose().to_owned());
        let expected = Some("with:colon and \\ and:more".to_owned());
        assert_eq!(of(["db", "5432", "ci", "ci"]), expected);
        assert_eq!(of(["db", "5432", "ci", "me"]), Some("any".to_owned()));
        assert!(found("db:1:ci:ci:x", ["db", "2", "ci", "ci"]).is_none());
    }
}
