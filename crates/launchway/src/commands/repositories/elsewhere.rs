//! Repositories elsewhere, of which nobody tells: which addresses they may have, and how they are connected.

use std::path::Path;
use std::time::Duration;

use mask::Secret;

use crate::exit::{Exit, Failure, Outcome};
use crate::serving::arriving::following;
use crate::serving::data::DataFolder;
use crate::serving::repositories::{self, Connected, Followed};
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// Longer than any address that somebody remembers.
const ADDRESS_BYTES_MAX: usize = 2_000;

/// Where git fetches a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(String);

/// What is agreed to for it, added to what was.
pub(super) type Merge<'m> = dyn Fn(Option<&Connected>) -> Result<Connected, Failure> + 'm;

/// How it is followed.
pub(super) struct How<'h> {
    /// From one look to the next; as before, or as usual, where it is not said.
    pub(super) every: Option<Duration>,
    /// By which name somebody signs in there.
    pub(super) user: Option<&'h str>,
}

/// The address that was given; none where it is a folder, or one of GitHub's.
///
/// # Errors
/// When nothing that comes from there could be trusted, or it holds a password.
pub(super) fn address(given: &Path) -> Result<Option<Address>, Failure> {
    let Some(text) = given.to_str() else { return Ok(None) };
    let usage = |message: &str, hint: &str| {
        Err(Failure::new(Exit::Usage, message.to_owned()).hint(hint.to_owned()))
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(is_short(text).then(|| Address(text.to_owned())));
    };
    let is_known =
        matches!(scheme, "https" | "ssh" | "file") || (scheme == "http" && https::is_here(text));
    if !is_known {
        let message = format!("what comes by {scheme} can be changed on its way");
        return usage(&message, "use an address of https or ssh");
    }
    let is_plain = |it: char| !it.is_whitespace() && !it.is_control();
    if text.len() > ADDRESS_BYTES_MAX || rest.is_empty() || !rest.chars().all(is_plain) {
        return usage(
            "this is no address of a repository",
            "such as https://git.example.com/octo/app.git",
        );
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.split_once('@').map(|(user, _)| user);
    if user.is_some_and(|it| scheme != "ssh" || it.contains(':')) {
        let message =
            "an address stands in files and process lists: it holds no name and no password";
        return usage(
            message,
            "leave them out, and give them by --sign-in USER and standard input",
        );
    }
    Ok(Some(Address(text.to_owned())))
}

/// `git@git.example.com:octo/app.git`, as ssh has it.
fn is_short(text: &str) -> bool {
    let is_word = |it: &str, more: &[u8]| {
        !it.is_empty()
            && !it.starts_with('-')
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || more.contains(&it))
    };
    let parts = text.split_once(':').and_then(|(there, path)| Some((there.split_once('@')?, path)));
    parts.is_some_and(|((user, host), path)| {
        is_word(user, b"-._") && is_word(host, b"-.") && is_word(path, b"-._~/")
    })
}

impl Address {
    /// `owner/name`, by the end of its path; `local/name` where there is no more than a name.
    pub(super) fn own_name(&self) -> Result<String, Failure> {
        let path = match self.0.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => self.0.split_once(':').map_or("", |(_, path)| path),
        };
        let path = path.trim_end_matches('/');
        let mut parts = path.strip_suffix(".git").unwrap_or(path).rsplit('/');
        let name = parts.next().unwrap_or_default();
        let owner = parts.next().filter(|it| !it.is_empty()).unwrap_or("local");
        repositories::checked_name(&format!("{owner}/{name}"))
            .map_err(|failure| failure.hint("or give it one: --name OWNER/NAME"))
    }
}

/// Connects it: it is fetched, and what moves there from now on is run. `merge` has what is agreed to.
pub(super) fn add(
    data: &DataFolder,
    (name, merge): (&str, &Merge<'_>),
    Address(url): Address,
    how: &How<'_>,
) -> Outcome {
    // What cannot be agreed to, and what has the name already, is said before it is fetched.
    let known = repositories::find(data, name)?;
    let before = followed_there(known.as_ref(), &url)?;
    let connected = merge(known.as_ref())?;
    let is_new = before.is_none();
    let every = how.every.or(before.map(|it| Duration::from_secs(it.every_seconds)));
    let every_seconds = every.unwrap_or(following::EVERY).as_secs();
    let header = match how.user {
        Some(user) => Some(following::header_of(user, &password(user, &url)?)),
        None => None,
    };
    let since = before.map_or_else(now, |it| it.since);
    let followed = Followed { url, every_seconds, since };
    if is_new || header.is_some() {
        following::begin(data, &connected, &followed, header.as_ref(), is_new)?;
    }
    if let Some(header) = &header {
        following::seal(data, &connected.name, &followed, header)?;
    }
    let url = followed.url.clone();
    super::written_down(data, &connected.path, |known| {
        followed_there(known, &followed.url)?;
        Ok(Connected { followed: Some(followed), ..merge(known)? })
    })?;
    talk(&format!(
        "{name}: {url} is looked at every {every_seconds} s, and what is pushed to it is run"
    ));
    super::hint_server(data);
    Ok(Exit::Done)
}

/// How the one that has the name is followed; none where none has it.
///
/// # Errors
/// Where that is another repository.
fn followed_there<'k>(
    known: Option<&'k Connected>,
    url: &str,
) -> Result<Option<&'k Followed>, Failure> {
    let Some(known) = known else { return Ok(None) };
    let Some(before) = &known.followed else {
        let message = format!("{} is connected already, and is not elsewhere", known.name);
        return Err(Failure::new(Exit::Usage, message)
            .hint("give this one a name of its own: --name OWNER/NAME"));
    };
    // Another address is another repository: what is known of the one before says nothing of it.
    if before.url != url {
        let message = format!("{} follows another address", known.name);
        return Err(Failure::new(Exit::Usage, message).hint(format!(
            "give this one a name of its own: --name OWNER/NAME; or launchway repositories remove {}, and add it anew, {}",
            known.name,
            super::said_anew(known)
        )));
    }
    Ok(Some(before))
}

fn password(user: &str, url: &str) -> Result<Secret, Failure> {
    let usage = |message: &str| Err(Failure::new(Exit::Usage, message.to_owned()));
    let is_plain = |text: &str| !text.is_empty() && !text.contains(char::is_control);
    if !url.starts_with("http") {
        return usage("--sign-in is for addresses of https; ssh has keys of its own");
    }
    if !is_plain(user) || user.contains(':') {
        return usage("--sign-in takes a name");
    }
    let text = crate::commands::secrets::value_of("the password or token")?;
    if !is_plain(&text) {
        return usage("there is no password or token on standard input");
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(given: &str, expected: &Expect) {
        let found = match address(Path::new(given)) {
            Ok(None) => "a folder".to_owned(),
            Ok(Some(address)) => match address.own_name() {
                Ok(name) => name,
                Err(failure) => format!("no name: {:#}", failure.error),
            },
            Err(failure) => format!("refused: {:#}", failure.error),
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn addresses_are_told_from_folders_and_hold_no_password() {
        check("/srv/git/app.git", &expect!["a folder"]);
        check("octo:app/b@c", &expect!["a folder"]);
        check("https://git.example.com/octo/app.git", &expect!["octo/app"]);
        check("https://git.example.com/group/sub/app/", &expect!["sub/app"]);
        check("https://git.example.com/app.git", &expect!["local/app"]);
        check("git@git.example.com:octo/app.git", &expect!["octo/app"]);
        check("ssh://git@git.example.com:2222/octo/app", &expect!["octo/app"]);
        check("http://127.0.0.1:3000/octo/app", &expect!["octo/app"]);
        check(
            "http://git.example.com/octo/app",
            &expect!["refused: what comes by http can be changed on its way"],
        );
        check(
            "git://git.example.com/octo/app",
            &expect!["refused: what comes by git can be changed on its way"],
        );
        check("ext::sh -c id", &expect!["a folder"]);
        check(
            "https://mona:sesame@git.example.com/octo/app",
            &expect![
                "refused: an address stands in files and process lists: it holds no name and no password"
            ],
        );
        check(
            "https://git.example.com/octo/a b",
            &expect!["refused: this is no address of a repository"],
        );
        check("-o@host:octo/app", &expect!["a folder"]);
    }
}
