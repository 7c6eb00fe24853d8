//! Numbers of runs whose order is not on disk yet. What cannot be planned or written down now is planned again, and has
//! the numbers again that the journal gave it: a bad moment takes none. Who is killed in it leaves a gap.

use std::collections::BTreeMap;
use std::sync::Mutex;

use event::RunId;

use crate::exit::Failure;

/// Runs that are remembered; of more, each try takes new numbers.
const REMEMBERED_MAX: usize = 1_000;

/// A run, and how many of its workflow there were before it.
type Numbers = (RunId, u64);

/// Those that were given and are in no order.
#[derive(Default)]
pub(crate) struct Given(Mutex<BTreeMap<Of, Numbers>>);

/// What is planned, by its name in the inbox, with the repository and the workflow file.
type Of = (String, String, String);

impl Given {
    /// The numbers of a workflow's run: those that it was given before, or new ones.
    pub(crate) fn of(
        &self,
        (id, repository, path): (&str, &str, &str),
        give: impl FnOnce() -> Result<Numbers, Failure>,
    ) -> Result<Numbers, Failure> {
        let mut given = self.0.lock().expect("nobody panics while holding them");
        let of = (id.to_owned(), repository.to_owned(), path.to_owned());
        if let Some(numbers) = given.get(&of) {
            return Ok(*numbers);
        }
        let numbers = give()?;
        if given.len() < REMEMBERED_MAX {
            given.insert(of, numbers);
        }
        Ok(numbers)
    }

    /// What is called so in the inbox is ordered.
    pub(crate) fn are_written(&self, id: &str) {
        let mut given = self.0.lock().expect("nobody panics while holding them");
        given.retain(|of, _| of.0 != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn who_tries_again_has_the_same_numbers_until_they_are_written() {
        let (given, mut last) = (Given::default(), 0);
        let mut of = |id: &str, path: &str| {
            let give = || {
                last += 1;
                Ok((RunId(last), last))
            };
            given.of((id, "octo/app", path), give).unwrap().1
        };
        assert_eq!([of("1", "a.yml"), of("1", "b.yml"), of("2", "a.yml")], [1, 2, 3]);
        assert_eq!([of("1", "a.yml"), of("1", "b.yml"), of("2", "a.yml")], [1, 2, 3]);
        given.are_written("1");
        assert_eq!([of("2", "a.yml"), of("1", "a.yml")], [3, 4]);
        let away = || Err(Failure::new(Exit::Missing, "the database is away"));
        assert!(given.of(("3", "octo/app", "a.yml"), away).is_err());
        assert_eq!(of("3", "a.yml"), 5);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let given = Given::default();
        for id in 0..REMEMBERED_MAX + 10 {
            let id = id.to_string();
            given.of((&id, "octo/app", "a.yml"), || Ok((RunId(1), 1))).unwrap();
        }
        assert_eq!(given.0.lock().unwrap().len(), REMEMBERED_MAX);
    }
}
