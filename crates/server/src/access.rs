//! Who may do what: tokens, and the sessions that a browser gets for one.
//!
//! Who signed in by the provider has a session without a token (`people.rs`).
//!
//! A token is `launchway_ID_SECRET`. What is kept is one file for each, named by its id, with the
//! SHA-256 of the secret: a secret is 256 random bits, so nothing slower is needed. A file is looked
//! at for every request, so that `launchway tokens revoke` holds at once, for the sessions that were
//! begun with the token too.

mod ended;
mod files;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use event::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use self::files::{is_id, read, read_each};
pub(crate) use self::files::{read_all, remove, write};

/// What every token begins with, so that scanners for leaked secrets can know it.
const PREFIX: &str = "launchway";
/// A session ends by itself, however often it is used.
const SESSION_MS: u64 = 12 * 60 * 60 * 1000;
/// Names that people give tokens; more than a line is no name.
const NAME_CHARS_MAX: usize = 100;
/// What programs' names begin with, where their tokens start something; nobody's login does.
const MACHINE: &str = "machine:";
/// Names of runners, which stand in pages beside others.
const RUNNER_NAME_BYTES_MAX: usize = 60;
/// Tokens in a row, each made with the one before it: each is looked up for a request with the last.
const MAKERS_MAX: usize = 8;

/// What a token is good for: a role. [`Scope::holds`] says what each may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything.
    Read,
    /// Also agree at gates, as the person that the token belongs to.
    Approve,
    /// Also run by hand, cancel and re-run.
    Operate,
    /// Also run by hand what names an environment.
    Deploy,
    /// Everything that people do.
    Admin,
    /// Take jobs, as the machine that the token is named after, and nothing else.
    Runner,
}

impl Scope {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Approve => "approve",
            Scope::Deploy => "deploy",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
            Scope::Runner => "take jobs",
        }
    }
}

impl Scope {
    /// Whether it is good for something. To agree is apart: who starts things does not agree to them
    /// with the same token.
    pub fn holds(self, needed: Scope) -> bool {
        match (self, needed) {
            (Scope::Runner, it) | (it, Scope::Runner) => it == Scope::Runner,
            (Scope::Admin, _) | (_, Scope::Read) => true,
            (own, Scope::Approve) => own == Scope::Approve,
            (own, Scope::Operate) => matches!(own, Scope::Operate | Scope::Deploy),
            (own, needed) => own == needed,
        }
    }
}

/// What somebody may, who has no token: a scope, or that scope in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What.
    pub scope: Scope,
    /// Where it is good for deploying and agreeing; none: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// `owner/name`, and nothing of any other; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

impl Grant {
    /// What it gives, for people.
    pub fn words(&self) -> String {
        let place = self.environment.iter().map(|it| format!(" in {it}"));
        let of = self.repository.iter().map(|it| format!(" for {it}"));
        std::iter::once(self.scope.as_str().to_owned()).chain(place).chain(of).collect()
    }
}

/// Whose a token is to be, and what it is good for.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'h> {
    /// What it may.
    pub scope: Scope,
    /// The login by which groups name its person; none: nobody's.
    pub person: Option<&'h str>,
    /// It is nobody's, and meant to be.
    pub is_machine: bool,
    /// What it sees, each as `owner/name`; none named: all.
    pub repositories: &'h [String],
}

/// In which environments something may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    /// In those; none at all where there are none.
    Only(Vec<String>),
    /// In all.
    Everywhere,
}

impl Places {
    /// Whether an environment is one of them. Names of environments are the same in any case.
    pub fn have(&self, environment: &str) -> bool {
        match self {
            Places::Only(names) => names.iter().any(|it| it.eq_ignore_ascii_case(environment)),
            Places::Everywhere => true,
        }
    }
}

/// Of a session without a token: who proved to whom who they are, and what that gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// What they may.
    pub grants: Vec<Grant>,
    /// Of the rules that gave it. Under others it is good for nothing.
    pub rules: Digest,
}

/// What a runner may be called: it stands in addresses, and in files' names.
pub fn is_runner_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=RUNNER_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('.')
}

/// A token, as it is kept: without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it is revoked by.
    pub id: String,
    /// What it is for, in a person's words.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Whose it is: the login by which groups name them. None: nobody's, a program's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// It is no person's, and somebody said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_machine: bool,
    /// The only repositories that it is good for, each as `owner/name`; none: all, and the server itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The token that it was made with, over HTTP: it ends with that one. None: made where the server runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_with: Option<String>,
    /// Of a session: the token that it was begun with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// Of a session that was begun with none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Of its secret.
    digest: Digest,
}

impl Token {
    /// Whether it is good for something, at least in one environment.
    pub fn holds(&self, needed: Scope) -> bool {
        match &self.proof {
            Some(proof) => proof.grants.iter().any(|it| it.scope.holds(needed)),
            None => self.scope.holds(needed),
        }
    }

    /// In which environments it is good for something.
    pub fn places(&self, needed: Scope) -> Places {
        let Some(proof) = &self.proof else {
            return if self.scope.holds(needed) {
                Places::Everywhere
            } else {
                Places::Only(Vec::new())
            };
        };
        let grants = || proof.grants.iter().filter(|it| it.scope.holds(needed));
        if grants().any(|it| it.environment.is_none()) {
            return Places::Everywhere;
        }
        Places::Only(grants().filter_map(|it| it.environment.clone()).collect())
    }

    /// Who asks with it, as journals and gates know them: the person's login, what somebody is called who
    /// signed in without one, or the program by its token's name. The last is no login's: whoever names a
    /// token after somebody starts nothing in their name.
    pub fn asker(&self) -> String {
        match (&self.person, &self.proof) {
            (Some(person), _) => person.clone(),
            (None, Some(_)) => self.name.clone(),
            (None, None) => format!("{MACHINE}{}", self.name),
        }
    }

    /// Whose it is, told apart from everybody else's: a person's, whichever token or session they come with,
    /// or that one token's. Names of tokens are not: two may have the same.
    pub(crate) fn holder(&self) -> String {
        match (&self.person, &self.proof) {
            (Some(person), _) => format!("person {}", person.to_lowercase()),
            (None, Some(proof)) => format!("subject {} of {}", proof.subject, proof.issuer),
            (None, None) => format!("token {}", self.of_token()),
        }
    }

    /// The token that somebody has who asks with it: itself, or of a session the one that it was begun with.
    pub(crate) fn of_token(&self) -> &str {
        self.parent.as_ref().unwrap_or(&self.id)
    }

    /// What it is good for, for people.
    pub fn may(&self) -> String {
        match &self.proof {
            Some(proof) => proof.grants.iter().map(Grant::words).collect::<Vec<_>>().join(", "),
            None if self.repositories.is_empty() => self.scope.as_str().to_owned(),
            None => format!("{} for {}", self.scope.as_str(), self.repositories.join(", ")),
        }
    }
}

/// Why tokens cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The disk.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A name that is none.
    #[error("a token's name is one line of 1 to {NAME_CHARS_MAX} characters")]
    Name,
    /// A login that is none.
    #[error("names that begin with {MACHINE} are those of programs, and nobody's login")]
    Machine,
    /// What is made with another would be the end of a row that is too long.
    #[error(
        "what this is made with is over, or was made with {MAKERS_MAX} others, each with the one before it"
    )]
    Makers,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// Somebody signed in under a name that another has.
    #[error("{0}")]
    Taken(String),
}

/// The tokens and sessions of a data folder.
#[derive(Clone, Debug)]
pub struct Access {
    tokens: PathBuf,
    pub(crate) sessions: PathBuf,
    pub(crate) people: PathBuf,
    /// Of the rules by which people may sign in; none where they may not.
    rules: Option<Digest>,
    /// One at a time is given a name.
    pub(crate) naming: Arc<Mutex<()>>,
}

impl Access {
    /// Those of a folder, which is made when the first is.
    pub fn in_folder(folder: &Path) -> Access {
        Access {
            tokens: folder.join("tokens"),
            sessions: folder.join("sessions"),
            people: folder.join("people"),
            rules: None,
            naming: Arc::default(),
        }
    }

    /// Where people sign in by a provider, too: by these rules. Sessions by others are over.
    #[must_use]
    pub fn with_rules(self, rules: Digest) -> Access {
        Access { rules: Some(rules), ..self }
    }

    /// Makes a token, and gives its secret form, which nobody can be shown again.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn create(
        &self,
        name: &str,
        scope: Scope,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(Token, String), AccessError> {
        let holder = Holder { scope, person: None, is_machine: false, repositories: &[] };
        self.create_for(name, holder, (created_at, expires_at))
    }

    /// Makes a token of a person, by the login that groups know them by, or of certain repositories.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn create_for(
        &self,
        name: &str,
        holder: Holder<'_>,
        times: (Timestamp, Timestamp),
    ) -> Result<(Token, String), AccessError> {
        self.create_by(None, name, holder, times)
    }

    /// Makes a token with another, or in a session: it ends with what it was made with.
    pub(crate) fn create_with(
        &self,
        own: &Token,
        name: &str,
        holder: Holder<'_>,
        times: (Timestamp, Timestamp),
    ) -> Result<(Token, String), AccessError> {
        if !self.have_makers(Some(own.of_token()), times.0)? {
            return Err(AccessError::Makers);
        }
        self.create_by(Some(own.of_token()), name, holder, times)
    }

    fn create_by(
        &self,
        made_with: Option<&str>,
        name: &str,
        holder: Holder<'_>,
        times: (Timestamp, Timestamp),
    ) -> Result<(Token, String), AccessError> {
        let (name, person) = (name.trim(), holder.person.map(str::trim));
        if !is_line(name) || person.is_some_and(|it| !is_line(it)) {
            return Err(AccessError::Name);
        }
        if person.is_some_and(is_of_machine) {
            return Err(AccessError::Machine);
        }
        let holder = Holder { person, ..holder };
        let origin = Origin { made_with: made_with.map(str::to_owned), ..Origin::default() };
        self.make(&self.tokens, (name, holder), times, origin)
    }

    /// The tokens, oldest first; those that have expired too, until somebody revokes them.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Token>, AccessError> {
        let mut tokens = read_each::<Token>(&self.tokens)?.read;
        tokens.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        Ok(tokens)
    }

    /// Whether there is any token, be it one that cannot be read now.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn has_tokens(&self) -> Result<bool, AccessError> {
        let all = read_each::<Token>(&self.tokens)?;
        Ok(!all.read.is_empty() || all.unread > 0)
    }

    /// Ends a token, with the sessions begun and the tokens made with it. Says whether there was one.
    ///
    /// # Errors
    /// When it cannot be removed. What was made with one that is gone is good for nothing, removed or not.
    pub fn revoke(&self, id: &str) -> Result<bool, AccessError> {
        if !is_id(id) || !remove(&self.tokens.join(id))? {
            return Ok(false);
        }
        for made in self.made_with(id)? {
            remove(&self.tokens.join(&made.id))?;
        }
        Ok(true)
    }

    /// The token of a secret form, where it is one of ours, and neither it nor what it was made with is over.
    ///
    /// # Errors
    /// When it cannot be looked up.
    pub fn token(&self, text: &str, now: Timestamp) -> Result<Option<Token>, AccessError> {
        let Some(token) = find(&self.tokens, text, now)? else { return Ok(None) };
        Ok(self.have_makers(token.made_with.as_deref(), now)?.then_some(token))
    }

    /// Whether a token lasts, what it was made with, and so on; true of none.
    fn have_makers(&self, id: Option<&str>, now: Timestamp) -> Result<bool, AccessError> {
        let mut next = id.map(str::to_owned);
        for _ in 0..MAKERS_MAX {
            let Some(id) = next else { return Ok(true) };
            let kept = if is_id(&id) { read::<Token>(&self.tokens.join(id))? } else { None };
            let Some(maker) = kept.filter(|it| it.expires_at > now) else { return Ok(false) };
            next = maker.made_with;
        }
        Ok(next.is_none())
    }

    /// Begins a session with a token. The session ends with the token, at the latest.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn begin_session(&self, token: &Token, now: Timestamp) -> Result<String, AccessError> {
        self.forget_old(now)?;
        let until = token.expires_at.min(Timestamp(now.0.saturating_add(SESSION_MS)));
        let origin = Origin { parent: Some(token.id.clone()), ..Origin::default() };
        let holder = Holder {
            scope: token.scope,
            person: token.person.as_deref(),
            is_machine: token.is_machine,
            repositories: &token.repositories,
        };
        let of = (&*token.name, holder);
        self.make(&self.sessions, of, (now, until), origin).map(|(_, text)| text)
    }

    /// Begins a session of somebody who proved to the provider who they are.
    pub(crate) fn begin_proven(
        &self,
        (name, person): (&str, Option<&str>),
        proof: Proof,
        now: Timestamp,
    ) -> Result<(Token, String), AccessError> {
        self.forget_old(now)?;
        let until = Timestamp(now.0.saturating_add(SESSION_MS));
        // Whoever reads this without knowing of proofs lets it look, and no more.
        let holder = Holder { scope: Scope::Read, person, is_machine: false, repositories: &[] };
        let of = (name, holder);
        let origin = Origin { proof: Some(proof), ..Origin::default() };
        self.make(&self.sessions, of, (now, until), origin)
    }

    fn forget_old(&self, now: Timestamp) -> Result<(), AccessError> {
        let all = read_each::<Token>(&self.sessions)?.read;
        for old in all.into_iter().filter(|it| it.expires_at <= now) {
            remove(&self.sessions.join(&old.id))?;
        }
        Ok(())
    }

    /// Sessions without a token, that are not over.
    pub(crate) fn proven_sessions(&self, now: Timestamp) -> Result<Vec<Token>, AccessError> {
        let all = read_each::<Token>(&self.sessions)?.read;
        Ok(all.into_iter().filter(|it| it.proof.is_some() && it.expires_at > now).collect())
    }

    /// The session of a cookie, where it lasts and its token does.
    ///
    /// # Errors
    /// When it cannot be looked up.
    pub fn session(&self, text: &str, now: Timestamp) -> Result<Option<Token>, AccessError> {
        let Some(session) = find(&self.sessions, text, now)? else { return Ok(None) };
        Ok(self.is_begun_by_what_lasts(&session, now)?.then_some(session))
    }

    fn is_begun_by_what_lasts(&self, session: &Token, now: Timestamp) -> Result<bool, AccessError> {
        let parent = session.parent.as_deref().filter(|id| is_id(id));
        Ok(match parent {
            _ if session.proof.is_some() => session.proof.as_ref().map(|it| it.rules) == self.rules,
            Some(id) => match read::<Token>(&self.tokens.join(id))? {
                Some(it) if it.expires_at > now => {
                    self.have_makers(it.made_with.as_deref(), now)?
                }
                _ => false,
            },
            None => false,
        })
    }

    /// Whether a token or session that was found once is still what it was.
    ///
    /// # Errors
    /// When it cannot be looked up.
    pub(crate) fn stands(
        &self,
        known: &Token,
        is_session: bool,
        now: Timestamp,
    ) -> Result<bool, AccessError> {
        let folder = if is_session { &self.sessions } else { &self.tokens };
        let Some(kept) = read::<Token>(&folder.join(&known.id))? else { return Ok(false) };
        // Whoever may less than before is let in anew, as that.
        let plain = |it: &Token| Token { proof: None, ..it.clone() };
        // What a proof gives may have been narrowed to what was asked for; its file never changes.
        let is_same = plain(&kept) == plain(known) && kept.expires_at > now;
        Ok(is_same
            && match is_session {
                true => self.is_begun_by_what_lasts(&kept, now)?,
                false => self.have_makers(kept.made_with.as_deref(), now)?,
            })
    }

    /// The folders that tokens and sessions are removed from, made where they are not there.
    ///
    /// # Errors
    /// When they cannot be made.
    pub(crate) fn folders(&self) -> io::Result<[&Path; 2]> {
        for folder in [&self.tokens, &self.sessions] {
            fs::create_dir_all(folder)?;
        }
        Ok([&self.tokens, &self.sessions])
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn end_session(&self, session: &Token) -> Result<(), AccessError> {
        remove(&self.sessions.join(&session.id)).map(drop)
    }

    fn make(
        &self,
        folder: &Path,
        (name, holder): (&str, Holder<'_>),
        (created_at, expires_at): (Timestamp, Timestamp),
        Origin { made_with, parent, proof }: Origin,
    ) -> Result<(Token, String), AccessError> {
        let (id, secret) = (random::<8>()?, random::<32>()?);
        let digest = Digest::of(secret.as_bytes());
        let token = Token {
            id: id.clone(),
            name: name.to_owned(),
            scope: holder.scope,
            person: holder.person.map(str::to_owned),
            is_machine: holder.is_machine,
            repositories: holder.repositories.to_vec(),
            created_at,
            expires_at,
            made_with,
            parent,
            proof,
            digest,
        };
        write(folder, &token.id, &token)?;
        Ok((token, format!("{PREFIX}_{id}_{secret}")))
    }
}

/// What a token is made with, or a session begun.
#[derive(Default)]
struct Origin {
    made_with: Option<String>,
    parent: Option<String>,
    proof: Option<Proof>,
}

fn find(folder: &Path, text: &str, now: Timestamp) -> Result<Option<Token>, AccessError> {
    let mut parts = text.splitn(3, '_');
    let (Some(PREFIX), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    if !is_id(id) {
        return Ok(None);
    }
    let Some(token) = read::<Token>(&folder.join(id))? else { return Ok(None) };
    let given = Digest::of(secret.as_bytes());
    let is_it = verify_slices_are_equal(&given.0, &token.digest.0).is_ok();
    Ok((is_it && token.expires_at > now).then_some(token))
}

/// Names are a line.
pub(crate) fn is_line(it: &str) -> bool {
    !it.is_empty() && !it.contains(char::is_control) && it.chars().count() <= NAME_CHARS_MAX
}

/// Whether a name is one of a program. Logins are the same in any case.
pub(crate) fn is_of_machine(name: &str) -> bool {
    name.get(..MACHINE.len()).is_some_and(|it| it.eq_ignore_ascii_case(MACHINE))
}

fn random<const BYTES: usize>() -> Result<String, AccessError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| AccessError::Random(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const LATER: Timestamp = Timestamp(1_800_000_100_000);

    #[test]
    fn a_token_is_known_until_it_ends_and_its_secret_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let (token, text) = access.create("laptop", Scope::Operate, NOW, LATER).unwrap();
        assert_eq!(access.token(&text, NOW).unwrap().as_ref(), Some(&token));
        assert_eq!(access.token(&text, LATER).unwrap(), None);
        let secret = text.rsplit('_').next().unwrap();
        let kept = fs::read_to_string(folder.path().join("tokens").join(&token.id)).unwrap();
        assert!(!kept.contains(secret));
        for wrong in [
            String::new(),
            format!("{text}0"),
            text.replace(secret, &"0".repeat(64)),
            text.replace(&token.id, "../../../../../x"),
            text.replacen("launchway", "other", 1),
        ] {
            assert_eq!(access.token(&wrong, NOW).unwrap(), None, "{wrong}");
        }
        assert!(access.revoke(&token.id).unwrap());
        assert!(!access.revoke(&token.id).unwrap());
        assert!(!access.revoke("../tokens").unwrap());
        assert_eq!(access.token(&text, NOW).unwrap(), None);
    }

    #[test]
    fn one_that_cannot_be_read_takes_the_others_away_from_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        assert!(!access.has_tokens().unwrap());
        // Somebody else's, to whoever is not root; a folder is read by nobody.
        let unreadable = folder.path().join("tokens").join("0123456789abcdef");
        fs::create_dir_all(&unreadable).unwrap();
        assert_eq!(access.list().unwrap(), []);
        assert!(access.has_tokens().unwrap());
        let (token, _) = access.create("laptop", Scope::Read, NOW, LATER).unwrap();
        assert_eq!(access.list().unwrap(), [token]);
    }

    #[test]
    fn a_session_ends_with_its_token() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let (token, text) = access.create("laptop", Scope::Read, NOW, LATER).unwrap();
        let cookie = access.begin_session(&token, NOW).unwrap();
        let session = access.session(&cookie, NOW).unwrap().unwrap();
        assert_eq!((session.name.as_str(), session.scope), ("laptop", Scope::Read));
        // The one is not the other.
        assert_eq!(access.token(&cookie, NOW).unwrap(), None);
        assert_eq!(access.session(&text, NOW).unwrap(), None);
        assert_eq!(access.session(&cookie, LATER).unwrap(), None);
        let second = access.begin_session(&token, NOW).unwrap();
        access.end_session(&session).unwrap();
        assert_eq!(access.session(&cookie, NOW).unwrap(), None);
        access.revoke(&token.id).unwrap();
        assert_eq!(access.session(&second, NOW).unwrap(), None);
    }

    #[test]
    fn a_token_ends_with_what_it_was_made_with() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let holder =
            Holder { scope: Scope::Admin, person: None, is_machine: true, repositories: &[] };
        let with = |own: &Token| access.create_with(own, "made", holder, (NOW, LATER));
        let (first, _) = access.create("first", Scope::Admin, NOW, LATER).unwrap();
        let cookie = access.begin_session(&first, NOW).unwrap();
        let session = access.session(&cookie, NOW).unwrap().unwrap();
        let (one, text) = with(&session).unwrap();
        let (two, _) = with(&one).unwrap();
        assert_eq!([&one, &two].map(|it| it.made_with.as_ref()), [Some(&first.id), Some(&one.id)]);
        assert_eq!(access.token(&text, NOW).unwrap().as_ref(), Some(&one));
        let cookie = access.begin_session(&two, NOW).unwrap();
        assert!(access.session(&cookie, NOW).unwrap().is_some());
        // As after a kill in between: what made it is gone, and it is there.
        fs::remove_file(folder.path().join("tokens").join(&first.id)).unwrap();
        assert_eq!(access.token(&text, NOW).unwrap(), None);
        assert_eq!(access.session(&cookie, NOW).unwrap(), None);
        assert!([&one, &two].iter().all(|it| !access.stands(it, false, NOW).unwrap()));
        assert!(matches!(with(&one), Err(AccessError::Makers)));
        assert!(access.revoke(&one.id).unwrap());
        assert_eq!(access.list().unwrap(), []);
    }

    #[test]
    fn tokens_in_a_row_are_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let holder =
            Holder { scope: Scope::Admin, person: None, is_machine: true, repositories: &[] };
        let (mut last, mut text) = access.create("first", Scope::Admin, NOW, LATER).unwrap();
        for _ in 0..MAKERS_MAX {
            (last, text) = access.create_with(&last, "made", holder, (NOW, LATER)).unwrap();
        }
        assert_eq!(access.token(&text, NOW).unwrap().as_ref(), Some(&last));
        let cookie = access.begin_session(&last, NOW).unwrap();
        assert!(access.session(&cookie, NOW).unwrap().is_some());
        let more = access.create_with(&last, "made", holder, (NOW, LATER));
        assert!(matches!(more, Err(AccessError::Makers)));
    }

    #[test]
    fn who_was_let_in_may_stay_as_long_as_they_would_be_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let (token, _) = access.create("laptop", Scope::Read, NOW, LATER).unwrap();
        let cookies = [(); 2].map(|()| access.begin_session(&token, NOW).unwrap());
        let [one, other] = cookies.map(|it| access.session(&it, NOW).unwrap().unwrap());
        let stands = |it: &Token, now| access.stands(it, it.id != token.id, now).unwrap();
        let all = [&token, &one, &other];
        assert_eq!(all.map(|it| stands(it, NOW)), [true; 3]);
        assert_eq!(all.map(|it| stands(it, LATER)), [false; 3]);
        access.end_session(&one).unwrap();
        assert_eq!(all.map(|it| stands(it, NOW)), [true, false, true]);
        // What an administrator wrote into its file since then holds from now on.
        write(
            &folder.path().join("tokens"),
            &token.id,
            &Token { scope: Scope::Admin, ..token.clone() },
        )
        .unwrap();
        assert_eq!(all.map(|it| stands(it, NOW)), [false, false, true]);
        access.revoke(&token.id).unwrap();
        assert_eq!(all.map(|it| stands(it, NOW)), [false; 3]);
    }

    #[test]
    fn a_person_is_one_holder_and_so_is_each_other_token() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let make = |person: Option<&str>| {
            let is_machine = person.is_none();
            let holder = Holder { scope: Scope::Operate, person, is_machine, repositories: &[] };
            access.create_for("nightly", holder, (NOW, LATER)).unwrap().0
        };
        let [one, other] = [make(None), make(None)];
        assert_ne!(one.holder(), other.holder());
        let cookie = access.begin_session(&one, NOW).unwrap();
        let session = access.session(&cookie, NOW).unwrap().unwrap();
        assert_eq!(session.holder(), one.holder());
        assert_eq!(make(Some("lena")).holder(), make(Some("Lena")).holder());
        assert_ne!(make(Some("lena")).holder(), make(Some("mona")).holder());
        // A program that is called as somebody is starts nothing of theirs.
        assert_eq!(
            [one, make(Some("nightly"))].map(|it| it.asker()),
            ["machine:nightly", "nightly"]
        );
        assert_eq!(session.asker(), "machine:nightly");
        let person = Some("Machine:nightly");
        let holder = Holder { scope: Scope::Read, person, is_machine: false, repositories: &[] };
        let made = access.create_for("x", holder, (NOW, LATER));
        assert!(matches!(made, Err(AccessError::Machine)));
    }

    #[test]
    fn a_name_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        for name in ["", "  ", "two\nlines", &"x".repeat(101)] {
            assert!(access.create(name, Scope::Read, NOW, LATER).is_err(), "{name:?}");
        }
    }
}
