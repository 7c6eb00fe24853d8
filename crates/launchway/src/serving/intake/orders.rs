//! What is to be made, written down before it is, with what is told of it: one file, so that nobody is killed
//! between the two, and neither is planned again.
//!
//! ```text
//! inbox/ID.order     the runs, numbered, and the word            written first
//! pushes/ID.json     the word                                    written before the order goes
//! held/ID.order      the same, where somebody has to let it in
//! ```

use std::path::Path;

use event::{RunEvent, RunRequest, StreamId, Timestamp};
use serde::{Deserialize, Serialize};

use super::answers::order_name;
use super::numbers::Given;
use super::told::Told;
use crate::exit::Failure;
use crate::serving::arriving::hook::{Answer, Pushed};
use crate::serving::data::{self, DataFolder};
use crate::terminal::style::talk;

/// What is to be made.
#[derive(Debug, Default, Serialize, Deserialize)]
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

/// What is ordered in a server's folder.
pub(crate) struct Orders {
    data: DataFolder,
    told: Told,
    /// Numbers of runs that no order has yet.
    pub(crate) numbers: Given,
}

impl Orders {
    pub(crate) fn of(data: DataFolder) -> Orders {
        Orders { data, told: Told::default(), numbers: Given::default() }
    }

    /// Plans what is called so once, and makes it: again after a kill or an error, it goes on from what is there.
    pub(crate) fn once(
        &self,
        id: &str,
        plan: impl FnOnce() -> Result<Order, Failure>,
        make: impl FnOnce(Vec<Ordered>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let data = &self.data;
        if !data.order(id).exists() {
            let held = data.held().join(format!("{id}.order"));
            if data.told(id).exists() {
                return Ok(());
            }
            if let Some(order) = Orders::held(data, id)? {
                return order.answer.map_or(Ok(()), |it| self.tell(id, &it));
            }
            let order = plan()?;
            if let Some(answer) = order.answer.as_ref().filter(|it| it.is_held) {
                data::write(&held, &order)?;
                self.numbers.are_written(id);
                return self.tell(id, answer);
            }
            self.write(id, &order)?;
        }
        self.carry_out(id, make)
    }

    /// Orders it.
    pub(crate) fn write(&self, id: &str, order: &Order) -> Result<(), Failure> {
        data::write(&self.data.order(id), order)?;
        self.numbers.are_written(id);
        Ok(())
    }

    /// Makes what is ordered, and takes the order out.
    pub(crate) fn carry_out(
        &self,
        id: &str,
        make: impl FnOnce(Vec<Ordered>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(Order { runs, answer }) = self.read(id, None)? else { return Ok(()) };
        // The runs do not wait for the word. The order does: without both, it would be planned again.
        let told = answer.map_or(Ok(()), |it| self.tell(id, &it));
        make(runs)?;
        told?;
        data::remove(&self.data.order(id))
    }

    /// What is ordered, for a push that waits or for what somebody else keeps; none where nothing is. What an earlier
    /// version ordered gets its word. What nobody can read is put aside, so that nothing waits for it, and told, so
    /// that it is not planned again: some of its runs may be made.
    pub(crate) fn read(&self, id: &str, push: Option<&Pushed>) -> Result<Option<Order>, Failure> {
        let (path, is_told) = (self.data.order(id), self.data.told(id).exists());
        let failure = match data::read::<Order>(&path) {
            Ok(Some(Order { runs, answer: None })) if !is_told && !is_told_at_once(id, &runs) => {
                let pushed = || runs.first().map(|it| pushed(&it.request));
                let answer = push.cloned().or_else(pushed).map(|it| answer(it, &runs));
                return Ok(Some(Order { runs, answer }));
            }
            Err(failure) if data::is_damaged(&failure) => failure,
            read => return read,
        };
        let of = match push {
            Some(push) => Some(push.clone()),
            None => data::read::<Answer>(&self.data.told(id)).ok().flatten().map(|it| it.push),
        };
        if !is_told {
            let mut answer = answer(of.clone().unwrap_or_else(|| unknown(id)), &[]);
            answer.said.push(
                "what was to run was written down and cannot be read; some of it may have run: push again, or run by hand, what is missing".to_owned(),
            );
            self.tell(id, &answer)?;
        }
        talk(&unreadable(&failure, of.as_ref(), &data::put_aside(&path)?));
        Ok(None)
    }

    /// What somebody has to let in; none where nothing is. What nobody can read is put aside: nothing of it runs.
    pub(crate) fn held(data: &DataFolder, id: &str) -> Result<Option<Order>, Failure> {
        let path = data.held().join(format!("{id}.order"));
        match data::read::<Order>(&path) {
            Err(failure) if data::is_damaged(&failure) => {
                let aside = data::put_aside(&path)?;
                let (error, shown) = (&failure.error, aside.display());
                talk(&format!(
                    "warning: {error:#}; it is put aside as {shown}, and nothing of it can be let in: push again"
                ));
                Ok(None)
            }
            read => read,
        }
    }

    /// What is to be made under a name; none where it was made, or nobody can read it.
    pub(crate) fn waiting(data: &DataFolder, id: &str) -> Result<Option<Order>, Failure> {
        match data::read::<Order>(&data.order(id)) {
            Err(failure) if data::is_damaged(&failure) => Ok(None),
            read => read,
        }
    }

    /// Says what became of something.
    pub(crate) fn tell(&self, id: &str, answer: &Answer) -> Result<(), Failure> {
        self.told.tell(&self.data, id, answer)
    }
}

/// What is said of an order that nobody can read, and of what it is.
fn unreadable(failure: &Failure, of: Option<&Pushed>, aside: &Path) -> String {
    let of = of.map(|it| format!(" ({} of {})", it.git_ref, it.repository.display()));
    format!(
        "warning: {:#}{}; it is put aside as {}, and no more of its runs are made: push again, or run by hand, what is missing",
        failure.error,
        of.unwrap_or_default(),
        aside.display()
    )
}

/// Whether whoever asked for it is told of it at once: a run by hand, or again.
fn is_told_at_once(id: &str, runs: &[Ordered]) -> bool {
    runs.iter().any(|it| order_name(&it.request) == id)
}

/// What is told of runs that an earlier version ordered: all that is known of them.
fn answer(push: Pushed, runs: &[Ordered]) -> Answer {
    let name = runs.first().map(|it| it.request.repository.to_string()).unwrap_or_default();
    let line = |it: &Ordered| {
        let stream = StreamId::Run(it.request.run, it.request.attempt);
        (stream, it.request.workflow.path.to_string())
    };
    let runs = runs.iter().map(line).collect();
    Answer { push, name, runs, said: Vec::new(), is_held: false }
}

/// The push that a run is of.
fn pushed(request: &RunRequest) -> Pushed {
    let event = &*request.event.name;
    Pushed {
        repository: std::path::PathBuf::from(&*request.repository_path),
        old: String::new(),
        new: request.change.commit.to_string(),
        git_ref: request.event.git_ref.to_string(),
        pusher: (request.actor.to_string(), String::new()),
        at: request.at,
        event: (event != "push").then(|| event.to_owned()),
    }
}

/// One of which its name is known.
fn unknown(id: &str) -> Pushed {
    let at = id.split('-').next().and_then(|it| it.parse().ok()).unwrap_or_default();
    Pushed {
        repository: std::path::PathBuf::new(),
        old: String::new(),
        new: String::new(),
        git_ref: String::new(),
        pusher: (String::new(), String::new()),
        at: Timestamp(at),
        event: None,
    }
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
        orders: Orders,
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
            let (orders, planned, made) =
                (Orders::of(data.clone()), Cell::default(), Cell::default());
            Place { _folder: folder, data, orders, planned, made }
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
            self.orders.once(ID, plan, |_| self.make()).is_ok()
        }

        /// Whoever looks at the inbox finds it.
        fn look(&self) -> bool {
            self.orders.carry_out(ID, |_| self.make()).is_ok()
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
        assert!(place.orders.carry_out(ID, fails).is_err());
        assert_eq!(place.stands(), ([true, false, true], 0));
        assert!(place.once(false));
        assert_eq!((place.stands(), place.made.get()), (([false, false, true], 0), 1));
    }

    /// An order of one run.
    fn ordered(answer: Option<Answer>) -> serde_json::Value {
        let request = serde_json::json!({ "run": 7, "attempt": 1, "run_number": 7, "carried": [],
            "repository": "octo/app", "repository_path": "/srv/git/app.git",
            "workflow": { "path": ".github/workflows/ci.yml", "text": "" }, "called": {}, "title": "Tidy",
            "event": { "name": "schedule", "git_ref": "refs/heads/main", "payload": {} },
            "change": { "commit": "0123", "authored_at": 1, "committed_at": 2, "uncommitted": 0 },
            "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona",
            "at": 60_000 });
        let mut order = serde_json::json!({ "runs": [{ "request": request, "carried": [] }] });
        if let Some(answer) = answer {
            order["answer"] = serde_json::to_value(answer).unwrap();
        }
        order
    }

    /// A version from before wrote the order, and was stopped before it told anybody.
    #[test]
    fn what_an_earlier_version_ordered_is_told_and_not_planned_again() {
        let order = ordered(None);
        let check = |id: &str, expect: Option<(&str, usize)>| {
            let place = Place::new();
            data::write(&place.data.order(id), &order).unwrap();
            place.orders.carry_out(id, |_| place.make()).unwrap();
            assert_eq!((place.made.get(), place.data.order(id).exists()), (1, false));
            let told: Option<Answer> = data::read(&place.data.told(id)).unwrap();
            let told = told.as_ref().map(|it| (&*it.push.git_ref, it.runs.len()));
            assert_eq!(told, expect);
            place
        };
        let place = check(ID, Some(("refs/heads/main", 1)));
        assert!(place.once(false));
        assert_eq!((place.planned.get(), place.made.get()), (0, 1));
        // Whoever ran it by hand, or again, was told at once.
        check("000000000060000-run-7-1", None);
        // It told more than the order says.
        let place = Place::new();
        let told = Place::order(false).answer;
        data::write(&place.data.told(ID), &told).unwrap();
        data::write(&place.data.order(ID), &order).unwrap();
        assert!(place.look());
        assert_eq!(data::read::<Answer>(&place.data.told(ID)).unwrap(), told);
    }

    #[test]
    fn what_cannot_be_read_is_put_aside_and_nothing_waits_for_it() {
        let wrong = ["", "{", "[]", r#"{"runs":[{"request":{}}]}"#];
        for (text, looks_first) in wrong.into_iter().flat_map(|it| [(it, true), (it, false)]) {
            let place = Place::new();
            fs::write(place.data.order(ID), text).unwrap();
            assert!(!looks_first || place.look());
            assert!(place.once(false));
            assert!(place.once(false));
            assert_eq!((place.stands(), place.made.get()), (([false, false, true], 0), 0));
            let aside = place.data.inbox().join(format!("{ID}.order.unreadable"));
            assert_eq!(fs::read_to_string(aside).unwrap(), text);
            let told = data::read::<Answer>(&place.data.told(ID)).unwrap().unwrap();
            assert!(told.said[0].contains("cannot be read"), "{:?}", told.said);
            assert_eq!(told.push.at, Timestamp(60));
        }
    }

    #[test]
    fn what_an_order_was_of_is_said_where_that_is_known() {
        let failure = Failure::new(Exit::Missing, "cannot read it");
        let check = |of: Option<&Pushed>, expect: expect_test::Expect| {
            expect.assert_eq(&unreadable(&failure, of, "a/x.order.unreadable".as_ref()));
        };
        check(
            None,
            expect_test::expect![
                "warning: cannot read it; it is put aside as a/x.order.unreadable, and no more of its runs are made: push again, or run by hand, what is missing"
            ],
        );
        let push = Pushed { git_ref: "refs/heads/main".to_owned(), ..unknown(ID) };
        let push = Pushed { repository: "/srv/git/app.git".into(), ..push };
        check(
            Some(&push),
            expect_test::expect![
                "warning: cannot read it (refs/heads/main of /srv/git/app.git); it is put aside as a/x.order.unreadable, and no more of its runs are made: push again, or run by hand, what is missing"
            ],
        );
    }

    #[test]
    fn what_is_held_and_cannot_be_read_hides_no_other() {
        let place = Place::new();
        data::write(&place.data.held().join("1-x.order"), &ordered(Place::order(true).answer))
            .unwrap();
        let damaged = place.data.held().join("2-x.order");
        fs::write(&damaged, "{").unwrap();
        let held = repositories::held(&place.data).unwrap();
        // What was told of it is gone, as it is after days.
        let held: Vec<_> = held.iter().map(|it| (&*it.id, &*it.by)).collect();
        assert_eq!(held, [("1-x", "the clock")]);
        assert!(!damaged.exists());
        let aside = place.data.held().join("2-x.order.unreadable");
        assert_eq!(fs::read_to_string(aside).unwrap(), "{");
        let let_in = repositories::let_in(&place.data, "2-x", "lena", &|_| Ok(())).unwrap();
        assert!(let_in.is_none());
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
