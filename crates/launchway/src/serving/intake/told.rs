//! What became of what came, as it is told: `pushes/ID.json`.
//!
//! It is also how whoever keeps an event knows that its runs are made, so it stays for as long as one may be tried
//! again, however many come behind it.

use std::fs;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::exit::Failure;
use crate::serving::arriving::clock::BACK_MINUTES_MAX;
use crate::serving::arriving::hook::Answer;
use crate::serving::data::{self, DataFolder};
use crate::terminal::style::talk;

/// How long an answer is kept at least: longer than GitHub delivers again, and than the clock looks back.
const KEPT: Duration = Duration::from_secs(8 * 24 * 60 * 60);
const _: () = assert!(KEPT.as_millis() > forge::FRESH_MS as u128);
const _: () = assert!(KEPT.as_secs() > BACK_MINUTES_MAX * 60);
/// The newest stay for whoever looks at the page of pushes, however old they are.
pub(crate) const NEWEST_KEPT: usize = 200;
/// More are not kept, however young they are: 40 MB of files.
const ANSWERS_MAX: usize = 10_000;
/// After so many it is looked which go, so that looking through all costs each of them little.
const LOOK_EVERY: usize = 500;

/// Tells, and forgets.
#[derive(Default)]
pub(crate) struct Told {
    count: AtomicUsize,
}

impl Told {
    /// Says what became of something.
    pub(crate) fn tell(&self, data: &DataFolder, id: &str, answer: &Answer) -> Result<(), Failure> {
        data::write(&data.told(id), answer)?;
        let is_time = self.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EVERY);
        // It is told, whatever becomes of older ones.
        if is_time && let Err(failure) = forget(data, SystemTime::now()) {
            talk(&format!("warning: {:#}; old answers to pushes stay", failure.error));
        }
        Ok(())
    }
}

fn forget(data: &DataFolder, now: SystemTime) -> Result<(), Failure> {
    let folder = data.pushes();
    let mut known = Vec::new();
    for id in data::list(&folder, ".json")? {
        match fs::metadata(data.told(&id)).and_then(|it| it.modified()) {
            Ok(at) => known.push((at, id)),
            // Another thread looks, too.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(data::cannot("look at", &data.told(&id), error)),
        }
    }
    for id in old(known, now) {
        data::remove(&data.told(&id))?;
    }
    Ok(())
}

/// Those that go, of all with when they were told.
fn old(mut known: Vec<(SystemTime, String)>, now: SystemTime) -> Vec<String> {
    known.sort_unstable_by(|one, other| other.cmp(one));
    let goes = |place: usize, at: SystemTime| {
        let is_old = now.duration_since(at).is_ok_and(|age| age > KEPT);
        place >= ANSWERS_MAX || (place >= NEWEST_KEPT && is_old)
    };
    let known = known.into_iter().enumerate();
    known.filter(|(place, (at, _))| goes(*place, *at)).map(|(_, (_, id))| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// So many are told, each so many minutes before the next, the newest now: gives how many of them stay.
    fn check(count: u32, minutes: u32, stay: usize) {
        let name = |age: u32| format!("{:06}", count - age);
        let now = SystemTime::UNIX_EPOCH + MINUTE * 10_000_000;
        let known = (0..count).map(|it| (now - MINUTE * minutes * it, name(it)));
        let gone = old(known.collect(), now);
        assert_eq!(count as usize - gone.len(), stay);
        assert!(gone.into_iter().eq((0..count).skip(stay).map(name)), "the oldest go");
    }

    #[test]
    fn an_answer_goes_when_nobody_can_ask_for_it_any_more() {
        // The newest stay, however old.
        check(100, 24 * 60, 100);
        check(300, 24 * 60, NEWEST_KEPT);
        // Eight days.
        check(1_000, 30, 8 * 48 + 1);
        check(1_000, 0, 1_000);
        // So many in an hour, however young.
        check(ANSWERS_MAX as u32 + 7, 0, ANSWERS_MAX);
    }

    #[test]
    fn what_came_long_ago_is_known_behind_many_that_came_since() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::of(Some(folder.path()), None).unwrap();
        let told = Told::default();
        let answer = |at: u64| {
            let json = serde_json::json!({ "push": { "repository": "/srv/app.git", "old": "", "new": "1",
                "git_ref": "", "pusher": ["mona", ""], "at": at }, "name": "octo/app", "runs": [], "said": [] });
            serde_json::from_value::<Answer>(json).unwrap()
        };
        for at in 1_000..1_000 + LOOK_EVERY as u64 {
            told.tell(&data, &format!("{at:015}-x"), &answer(at)).unwrap();
        }
        // Told last, by the oldest name.
        told.tell(&data, "000000000000001-late", &answer(1)).unwrap();
        assert!(data.told("000000000000001-late").exists());
        assert_eq!(data::list(&data.pushes(), ".json").unwrap().len(), LOOK_EVERY + 1);
    }
}
