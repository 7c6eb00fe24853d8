//! People who signed in by the provider: one name is one person's, for good.
//!
//! A provider may let people choose what they are called there, and hand a name on. Groups, approvals and
//! the journal know people by name. So the first who signs in under a name has it, whoever else comes with
//! it later, and comes under no other; `launchway people forget` is how an administrator says otherwise.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use event::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::access::{
    Access, AccessError, Proof, Token, is_line, is_of_machine, read_all, remove, write,
};

/// A provider in which everybody has an account must not fill the folder.
const PEOPLE_MAX: usize = 10_000;
/// A session's start within that of the one before does not have the file written again.
const SEEN_AGAIN_MS: u64 = 60_000;

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// What they are called.
    pub name: String,
    /// The provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// When they came first.
    pub first_at: Timestamp,
    /// When they came last.
    pub last_at: Timestamp,
}

/// Names are the same in any case, as groups compare them; a file's name has sixteen digits.
fn key(name: &str) -> String {
    let digest = Digest::of(name.to_lowercase().as_bytes());
    digest.to_string().chars().take(16).collect()
}

impl Person {
    /// Whose the name is, for the audit trail.
    pub fn whose(&self) -> String {
        format!("{}, of {} at {}", self.name, self.subject, self.issuer)
    }
}

impl Access {
    /// Begins a session of somebody, who has the name from now on if nobody had it.
    pub(crate) fn admit(
        &self,
        (name, person): (&str, Option<&str>),
        proof: Proof,
        now: Timestamp,
    ) -> Result<(Token, String), AccessError> {
        if !is_line(name) {
            return Err(AccessError::Name);
        }
        if is_of_machine(name) || person.is_some_and(is_of_machine) {
            return Err(AccessError::Machine);
        }
        let _one = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.people()?;
        let is_same = |it: &&Person| it.issuer == proof.issuer && it.subject == proof.subject;
        let has_name = |it: &&Person| it.name.to_lowercase() == name.to_lowercase();
        let taken = |why: String| Err(AccessError::Taken(why));
        if let Some(other) = known.iter().filter(has_name).find(|it| !is_same(it)) {
            let since = &other.name;
            return taken(format!(
                "somebody else signed in as {since} before; if that name is handed on, an administrator says: launchway people forget"
            ));
        }
        if let Some(before) = known.iter().filter(is_same).find(|it| !has_name(it)) {
            let before = &before.name;
            return taken(format!(
                "they signed in as {before} before; if they are called otherwise now, an administrator says: launchway people forget"
            ));
        }
        let before = known.iter().find(is_same);
        if before.is_none() && known.len() >= PEOPLE_MAX {
            return taken(format!("{PEOPLE_MAX} people are known here, and nobody else fits in"));
        }
        let is_seen = |it: &Person| now.0.saturating_sub(it.last_at.0) < SEEN_AGAIN_MS;
        if before.is_none_or(|it| !is_seen(it)) {
            let person = Person {
                name: name.to_owned(),
                issuer: proof.issuer.clone(),
                subject: proof.subject.clone(),
                first_at: before.map_or(now, |it| it.first_at),
                last_at: now,
            };
            write(&self.people, &key(name), &person)?;
        }
        self.begin_proven((name, person), proof, now)
    }

    /// Everybody who signed in by the provider, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn people(&self) -> Result<Vec<Person>, AccessError> {
        let mut people: Vec<Person> = read_all(&self.people)?;
        people.sort_by_key(|it| it.name.to_lowercase());
        Ok(people)
    }

    /// The sessions of somebody that are not over, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sessions_of(&self, person: &Person, now: Timestamp) -> Result<Vec<Token>, AccessError> {
        let mut all = self.proven_sessions(now)?;
        let is_of =
            |proof: &Proof| proof.issuer == person.issuer && proof.subject == person.subject;
        all.retain(|it| it.proof.as_ref().is_some_and(is_of));
        all.sort_by_key(|it| it.created_at);
        Ok(all)
    }

    /// Who signed in by the provider, each with the sessions that are not over, the oldest first. What there is of
    /// sessions is read once for all of them.
    pub(crate) fn people_with_sessions(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(Person, Vec<Token>)>, AccessError> {
        let who = |proof: &Proof| (proof.issuer.clone(), proof.subject.clone());
        let mut sessions = self.proven_sessions(now)?;
        sessions.sort_by_key(|it| it.created_at);
        let mut by = BTreeMap::<_, Vec<Token>>::new();
        for it in sessions {
            by.entry(it.proof.as_ref().map(who)).or_default().push(it);
        }
        let with = |it: Person| {
            let its = by.remove(&Some((it.issuer.clone(), it.subject.clone())));
            (it, its.unwrap_or_default())
        };
        Ok(self.people()?.into_iter().map(with).collect())
    }

    /// Ends the sessions of somebody. Gives how many that were.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn end_sessions_of(&self, person: &Person, now: Timestamp) -> Result<usize, AccessError> {
        let sessions = self.sessions_of(person, now)?;
        for session in &sessions {
            self.end_session(session)?;
        }
        Ok(sessions.len())
    }

    /// Forgets whose a name is, and ends their sessions; the next who signs in under it has it. Gives how many
    /// sessions that were.
    ///
    /// # Errors
    /// When one of them, or the name, cannot be removed.
    pub fn forget(&self, person: &Person, now: Timestamp) -> Result<usize, AccessError> {
        // Nobody signs in between the two: their session would live on under a name that is nobody's.
        let _one = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self.end_sessions_of(person, now)?;
        remove(&self.people.join(key(&person.name)))?;
        // Another process may have let them in.
        Ok(ended + self.end_sessions_of(person, now)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Grant, Places, Scope};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn proof(subject: &str, grants: &[(Scope, Option<&str>)]) -> Proof {
        let grant = |(scope, environment): &(Scope, Option<&str>)| Grant {
            scope: *scope,
            environment: environment.map(str::to_owned),
            repository: None,
        };
        Proof {
            issuer: "https://login.example.com".to_owned(),
            subject: subject.to_owned(),
            grants: grants.iter().map(grant).collect(),
            rules: Digest::of(b"rules"),
        }
    }

    #[test]
    fn a_name_is_one_persons_and_a_person_has_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path()).with_rules(Digest::of(b"rules"));
        let come = |name: &str, subject: &str| {
            let came =
                access.admit((name, Some(name)), proof(subject, &[(Scope::Read, None)]), NOW);
            came.map(|(token, _)| token.name).map_err(|error| error.to_string())
        };
        assert_eq!(come("mona", "1"), Ok("mona".to_owned()));
        assert_eq!(come("Mona", "1"), Ok("Mona".to_owned()));
        assert!(come("MONA", "2").unwrap_err().contains("somebody else signed in as"));
        assert!(come("lena", "1").unwrap_err().contains("before; if they are called otherwise"));
        assert_eq!(come("lena", "3"), Ok("lena".to_owned()));
        assert!(come("two\nlines", "4").is_err());
        let people = access.people().unwrap();
        let names: Vec<&str> = people.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["lena", "mona"]);
        // Both of mona's, and none of lena's.
        assert_eq!(access.end_sessions_of(&people[1], NOW).unwrap(), 2);
        assert_eq!(access.sessions_of(&people[0], NOW).unwrap().len(), 1);
        assert_eq!(come("mona", "1"), Ok("mona".to_owned()));
        assert_eq!(access.forget(&people[1], NOW).unwrap(), 1);
        assert_eq!(access.sessions_of(&people[1], NOW).unwrap(), []);
        assert_eq!(come("mona", "2"), Ok("mona".to_owned()));
    }

    #[test]
    fn a_session_is_good_under_the_rules_that_gave_it() {
        let folder = tempfile::tempdir().unwrap();
        let open = Access::in_folder(folder.path());
        let (one, other) = (Digest::of(b"rules"), Digest::of(b"others"));
        let access = open.clone().with_rules(one);
        let grants = [(Scope::Operate, None), (Scope::Approve, Some("production"))];
        let (_, cookie) = access.admit(("mona", Some("mona")), proof("1", &grants), NOW).unwrap();
        let session = access.session(&cookie, NOW).unwrap().unwrap();
        assert_eq!(session.may(), "operate, approve in production");
        assert!(session.holds(Scope::Read) && session.holds(Scope::Operate));
        assert!(!session.holds(Scope::Deploy) && !session.holds(Scope::Admin));
        assert!(!session.holds(Scope::Runner));
        assert_eq!(session.places(Scope::Operate), Places::Everywhere);
        assert!(session.places(Scope::Approve).have("Production"));
        assert!(!session.places(Scope::Approve).have("staging"));
        assert_eq!(session.places(Scope::Deploy), Places::Only(Vec::new()));
        // It is no token, ends by itself, and with the rules.
        assert_eq!(access.token(&cookie, NOW).unwrap(), None);
        assert_eq!(access.session(&cookie, Timestamp(NOW.0 + 12 * 3_600_000)).unwrap(), None);
        assert_eq!(open.clone().with_rules(other).session(&cookie, NOW).unwrap(), None);
        assert_eq!(open.session(&cookie, NOW).unwrap(), None);
        access.end_session(&session).unwrap();
        assert_eq!(access.session(&cookie, NOW).unwrap(), None);
    }
}
