//! What is to be made, written down before it is, with what is told of it: one file, so that nobody is killed
//! between the two, and neither is planned again.
//!
//! ```text
//! inbox/ID.order     the runs, numbered, and the word            written first
//! pushes/ID.json     the word                                    written before the order goes
//! held/ID.order      the same, where somebody has to let it in
//! ```

use event::{RunEvent, RunRequest};
use serde::{Deserialize, Serialize};

use super::data::{self, DataFolder};
use super::hook::Answer;
use crate::exit::Failure;

/// Answers that are kept.
pub(super) const ANSWERS_MAX: usize = 200;

/// What is to be made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) runs: Vec<Ordered>,
    /// What is told of it; none of a run that somebody is told of at once, or that an earlier version ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<Answer>,
}

/// A run to make.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ordered {
    pub(crate) request: RunRequest,
    /// What a re-run takes over.
    pub(crate) carried: Vec<RunEvent>,
}

/// Plans what is called so once, and makes it: again after a kill or an error, it goes on from what is there.
pub(super) fn once(
    data: &DataFolder,
    id: &str,
    plan: impl FnOnce() -> Result<Order, Failure>,
    make: impl FnOnce(Vec<Ordered>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if !data.order(id).exists() {
        let held = data.held().join(format!("{id}.order"));
        if data.told(id).exists() {
            return Ok(());
        }
        if let Some(order) = data::read::<Order>(&held)? {
            return order.answer.map_or(Ok(()), |it| tell(data, id, &it));
        }
        let order = plan()?;
        if let Some(answer) = order.answer.as_ref().filter(|it| it.is_held) {
            data::write(&held, &order)?;
            return tell(data, id, answer);
        }
        data::write(&data.order(id), &order)?;
    }
    carry_out(data, id, make)
}

/// Makes what is ordered, and takes the order out.
pub(super) fn carry_out(
    data: &DataFolder,
    id: &str,
    make: impl FnOnce(Vec<Ordered>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = data.order(id);
    let Some(Order { runs, answer }) = data::read(&path)? else { return Ok(()) };
    // The runs do not wait for the word. The order does: without both, it would be planned again.
    let told = answer.map_or(Ok(()), |it| tell(data, id, &it));
    make(runs)?;
    told?;
    data::remove(&path)
}

/// Says what became of something.
pub(super) fn tell(data: &DataFolder, id: &str, answer: &Answer) -> Result<(), Failure> {
    data::write(&data.told(id), answer)?;
    let known = data::list(&data.pushes(), ".json")?;
    for id in known.iter().take(known.len().saturating_sub(ANSWERS_MAX)) {
        data::remove(&data.told(id))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::super::repositories;
    use super::*;
    use crate::exit::Exit;

    const ID: &str = "000000000000060-schedule-x";

    struct Place {
        _folder: tempfile::TempDir,
        data: DataFolder,
        planned: Cell<usize>,
        made: Cell<usize>,
    }

    impl Place {
        fn new() -> Place {
            let folder = tempfile::tempdir().unwrap();
            let data = DataFolder::of(Some(folder.path()), None).unwrap();
            for it in [data.inbox(), data.held()] {
                fs::create_dir_all(it).unwrap();
            }
            Place { _folder: folder, data, planned: Cell::default(), made: Cell::default() }
        }

        fn order(is_held: bool) -> Order {
            let answer = serde_json::json!({
                "push": {
                    "repository": "/srv/git/app.git", "old": "", "new": "1", "git_ref": "",
                    "pusher": ["the clock", ""], "at": 60_000,
                },
                "name": "octo/app", "runs": [], "said": ["planned"], "is_held": is_held,
            });
            Order { runs: Vec::new(), answer: Some(serde_json::from_value(answer).unwrap()) }
        }

        fn make(&self) -> Result<(), Failure> {
            self.made.set(self.made.get() + 1);
            Ok(())
        }

        /// Whoever keeps the event tries it.
        fn once(&self, is_held: bool) -> bool {
            let plan = || {
                self.planned.set(self.planned.get() + 1);
                Ok(Place::order(is_held))
            };
            once(&self.data, ID, plan, |_| self.make()).is_ok()
        }

        /// Whoever looks at the inbox finds it.
        fn look(&self) -> bool {
            carry_out(&self.data, ID, |_| self.make()).is_ok()
        }

        /// Whether it is ordered, held and told, and how often it was planned.
        fn stands(&self) -> ([bool; 3], usize) {
            let held = self.data.held().join(format!("{ID}.order"));
            let is = [self.data.order(ID), held, self.data.told(ID)].map(|it| it.exists());
            (is, self.planned.get())
        }
    }

    #[test]
    fn it_is_planned_once_where_the_word_cannot_be_written() {
        let place = Place::new();
        let pushes = place.data.pushes();
        fs::write(&pushes, "no folder").unwrap();
        for _ in 0..3 {
            assert!(!place.once(false));
            assert!(!place.look());
        }
        // What is made each time is what the journal does not have yet.
        assert_eq!((place.stands(), place.made.get()), (([true, false, false], 1), 6));
        fs::remove_file(&pushes).unwrap();
        assert!(place.look());
        assert!(place.once(false));
        assert_eq!((place.stands(), place.made.get()), (([false, false, true], 1), 7));
    }

    #[test]
    fn it_is_planned_once_whoever_is_killed_when() {
        // Behind the order, and whoever looks at the inbox is first, or whoever keeps the event is.
        for looks_first in [true, false] {
            let place = Place::new();
            data::write(&place.data.order(ID), &Place::order(false)).unwrap();
            assert!(!looks_first || place.look());
            assert!(place.once(false));
            assert_eq!((place.stands(), place.made.get()), (([false, false, true], 0), 1));
        }
        // Behind the word, and behind a run.
        let place = Place::new();
        data::write(&place.data.order(ID), &Place::order(false)).unwrap();
        let fails = |_| Err(Failure::new(Exit::Missing, "killed"));
        assert!(carry_out(&place.data, ID, fails).is_err());
        assert_eq!(place.stands(), ([true, false, true], 0));
        assert!(place.once(false));
        assert_eq!((place.stands(), place.made.get()), (([false, false, true], 0), 1));
    }

    #[test]
    fn what_is_held_is_planned_once_and_not_made() {
        let place = Place::new();
        let pushes = place.data.pushes();
        fs::write(&pushes, "no folder").unwrap();
        assert!(!place.once(true));
        assert!(!place.once(true));
        fs::remove_file(&pushes).unwrap();
        assert!(place.once(true));
        assert!(place.once(true));
        assert_eq!((place.stands(), place.made.get()), (([false, true, true], 1), 0));
    }

    #[test]
    fn nothing_is_let_in_that_cannot_be_recorded() {
        let place = Place::new();
        assert!(place.once(true));
        let let_in = |record: data::Record<'_>| {
            repositories::let_in(&place.data, ID, "lena", record).map(|it| it.is_some())
        };
        let away = |_: &str| Err(Failure::new(Exit::Missing, "the database is away"));
        assert!(let_in(&away).is_err());
        assert_eq!(place.stands(), ([false, true, true], 1));
        assert!(let_in(&|_| Ok(())).unwrap());
        assert_eq!(place.stands(), ([false, false, true], 1));
    }
}
