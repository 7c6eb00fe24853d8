//! What ends with a token: those that were made with it, and the sessions that were begun with any of them.

use event::Timestamp;

use super::files::read_each;
use super::{Access, AccessError, Token};

impl Access {
    /// What ends with a token, itself the first, each as the audit trail names it.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub fn ends_with(&self, id: &str, now: Timestamp) -> Result<Vec<String>, AccessError> {
        let made = self.made_with(id)?;
        let ids: Vec<&str> = std::iter::once(id).chain(made.iter().map(|it| &*it.id)).collect();
        let mut sessions = read_each::<Token>(&self.sessions)?.read;
        sessions.retain(|it| it.expires_at > now);
        sessions
            .sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let begun = sessions.iter().filter_map(|it| {
            let parent = it.parent.as_deref().filter(|it| ids.contains(it))?;
            Some(format!("session {} begun with {parent}", it.id))
        });
        let tokens = made.iter().map(|it| format!("{} made with {id}", it.id));
        Ok(std::iter::once(id.to_owned()).chain(tokens).chain(begun).collect())
    }

    /// The tokens that were made with one, and with those.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn made_with(&self, id: &str) -> Result<Vec<Token>, AccessError> {
        let mut left = self.list()?;
        let (mut found, mut next) = (Vec::<Token>::new(), vec![id.to_owned()]);
        while let Some(id) = next.pop() {
            let is_its = |it: &mut Token| it.made_with.as_ref() == Some(&id);
            let its: Vec<Token> = left.extract_if(.., is_its).collect();
            next.extend(its.iter().map(|it| it.id.clone()));
            found.extend(its);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Holder, Scope};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const LATER: Timestamp = Timestamp(1_800_000_100_000);

    #[test]
    fn all_that_ends_with_a_token_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let holder = Holder::program(Scope::Admin);
        let (first, _) = access.create("first", Scope::Admin, NOW, LATER).unwrap();
        let (made, _) = access.create_with(&first, "made", holder, (NOW, LATER)).unwrap();
        let (last, _) = access.create_with(&made, "last", holder, (NOW, LATER)).unwrap();
        let (other, _) = access.create("other", Scope::Admin, NOW, LATER).unwrap();
        let begin = |with: &Token, at| {
            let cookie = access.begin_session(with, at).unwrap();
            access.session(&cookie, at).unwrap().unwrap().id
        };
        let (one, two) = (begin(&first, NOW), begin(&last, Timestamp(NOW.0 + 1)));
        begin(&other, NOW);
        let [first, made, last] = [first, made, last].map(|it| it.id);
        assert_eq!(
            access.ends_with(&first, NOW).unwrap(),
            [
                first.clone(),
                format!("{made} made with {first}"),
                format!("{last} made with {first}"),
                format!("session {one} begun with {first}"),
                format!("session {two} begun with {last}"),
            ]
        );
        assert_eq!(access.ends_with(&first, LATER).unwrap().len(), 3);
    }
}
