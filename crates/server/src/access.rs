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
mod token;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use event::{Digest, Timestamp};

use self::files::{failed, is_id, read, read_each};
pub(crate) use self::files::{read_all, remove, write};
use self::token::MACHINE;
pub use self::token::{Grant, Holder, Places, Scope, Token, is_of_machine, is_runner_name};
pub(crate) use self::token::{Proof, bounded};

/// What every token begins with, so that scanners for leaked secrets can know it.
const PREFIX: &str = "launchway";
/// A session ends by itself, however often it is used.
const SESSION_MS: u64 = 12 * 60 * 60 * 1000;
/// Names that people give tokens; more than a line is no name.
const NAME_CHARS_MAX: usize = 100;
/// Tokens in a row, each made with the one before it: each is looked up for a request with the last.
const MAKERS_MAX: usize = 8;

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
    /// Bounds that a scope does not have.
    #[error("only what may approve or deploy is of an environment")]
    NotOfPlaces,
    /// A name of an environment that is none.
    #[error("an environment's name is one line of 1 to {NAME_CHARS_MAX} characters")]
    Environment,
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
        let holder =
            Holder { scope, person: None, is_machine: false, repositories: &[], environments: &[] };
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
        if !holder.environments.is_empty() && !holder.scope.is_of_places() {
            return Err(AccessError::NotOfPlaces);
        }
        if !holder.environments.iter().all(|it| is_line(it)) {
            return Err(AccessError::Environment);
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

    /// Whether there is a token of this name, be it one that cannot be read.
    ///
    /// # Errors
    /// When it cannot be looked for.
    pub fn is_there(&self, id: &str) -> Result<bool, AccessError> {
        let path = self.tokens.join(id);
        Ok(is_id(id) && path.try_exists().map_err(failed("look for", &path))?)
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
            environments: &token.environments,
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
        let holder = Holder {
            scope: Scope::Read,
            person,
            is_machine: false,
            repositories: &[],
            environments: &[],
        };
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
            environments: holder.environments.to_vec(),
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
    fn one_that_is_damaged_can_be_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let (token, _) = access.create("laptop", Scope::Read, NOW, LATER).unwrap();
        fs::write(folder.path().join("tokens").join(&token.id), "{").unwrap();
        assert_eq!(access.list().unwrap(), []);
        assert!(access.is_there(&token.id).unwrap());
        assert!(access.revoke(&token.id).unwrap());
        assert!(!access.is_there(&token.id).unwrap());
        assert!(!access.is_there("../tokens").unwrap());
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
    fn a_token_is_good_in_its_environments_alone_and_its_session_is_too() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let repositories = ["octo/app".to_owned()];
        let make = |scope, environments: &[&str]| {
            let environments: Vec<String> =
                environments.iter().map(|it| (*it).to_owned()).collect();
            let holder = Holder {
                scope,
                person: Some("mona"),
                is_machine: false,
                repositories: &repositories,
                environments: &environments,
            };
            access.create_for("x", holder, (NOW, LATER)).map(|(token, _)| token)
        };
        let token = make(Scope::Deploy, &["staging", "preview"]).unwrap();
        let cookie = access.begin_session(&token, NOW).unwrap();
        let session = access.session(&cookie, NOW).unwrap().unwrap();
        let kept = access.list().unwrap().remove(0);
        for it in [token, session, kept] {
            assert_eq!(it.may(), "deploy in staging, preview for octo/app");
            for needed in [Scope::Deploy, Scope::Operate] {
                let places = it.places(needed);
                let have = ["Staging", "preview", "production"].map(|name| places.have(name));
                assert_eq!(have, [true, true, false], "{needed:?}");
            }
            assert_eq!(it.places(Scope::Approve), Places::Only(Vec::new()));
        }
        let unbound = make(Scope::Approve, &[]).unwrap();
        assert_eq!(unbound.places(Scope::Approve), Places::Everywhere);
        for scope in [Scope::Read, Scope::Operate, Scope::Admin, Scope::Runner] {
            let made = make(scope, &["staging"]);
            assert!(matches!(made, Err(AccessError::NotOfPlaces)), "{scope:?}");
        }
        for name in ["", "two\nlines"] {
            let made = make(Scope::Approve, &[name]);
            assert!(matches!(made, Err(AccessError::Environment)), "{name:?}");
        }
    }

    #[test]
    fn a_token_ends_with_what_it_was_made_with() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let holder = Holder::program(Scope::Admin);
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
        let holder = Holder::program(Scope::Admin);
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
            let holder = Holder {
                scope: Scope::Operate,
                person,
                is_machine,
                repositories: &[],
                environments: &[],
            };
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
        let holder = Holder {
            scope: Scope::Read,
            person,
            is_machine: false,
            repositories: &[],
            environments: &[],
        };
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
