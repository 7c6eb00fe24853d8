//! What was made for idempotency keys: whoever asks twice for the same gets the same run.
//!
//! ```text
//!   answers/KEY.json ─▶ inbox/ID.order ─▶ the run
//! ```
//!
//! In this order, so that an order is never without its answer: whoever is killed behind the order has a run by it, and
//! the key is known then. An answer alone is none: what it names is looked for, and made anew where it is nowhere. A
//! number is given twice where the journal is older than the answer, as after a loss of power or out of a copy: what
//! has the number by then may be somebody else's.

use event::{Digest, RunEvent, RunRequest, Seq, StreamId};
use ports::{Journal as _, JournalError};
use serde::{Deserialize, Serialize};
use store::Store;

use crate::exit::{Exit, Failure};
use crate::serving::data::{self, DataFolder};

/// Answers that are kept.
const ANSWERS_MAX: usize = 1_000;

/// What was made for a key.
#[derive(Serialize, Deserialize)]
struct Made {
    stream: StreamId,
    /// What its order is called in the inbox; none where an older Launchway made it, behind the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// What was asked for with it; none where an older Launchway made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Digest>,
}

/// A key, and what it was given with.
pub(crate) struct Keyed {
    /// Under what the answer to it is kept.
    answer: Digest,
    /// All that was asked for: with the same key it has to be the same.
    asked: Digest,
}

impl Keyed {
    /// The same key means another thing in each repository, and of each run.
    pub(crate) fn of(what: &str, key: &str, asked: &serde_json::Value) -> Keyed {
        let answer = Digest::of(format!("{what}\n{key}").as_bytes());
        Keyed { answer, asked: Digest::of(asked.to_string().as_bytes()) }
    }

    /// What was made for it; none where nothing was.
    ///
    /// # Errors
    /// That it was given for something else, or nothing can be read now.
    pub(crate) fn made(
        &self,
        data: &DataFolder,
        store: &Store,
    ) -> Result<Option<StreamId>, Failure> {
        let Some(Made { stream, order, asked }) = data::read(&self.path(data))? else {
            return Ok(None);
        };
        // The order first: it goes when the run is there.
        let is_there = match &order {
            Some(id) => data.order(id).exists() || is_made_by(store, stream, id)?,
            None => true,
        };
        if !is_there {
            return Ok(None);
        }
        if asked.is_some_and(|it| it != self.asked) {
            let message = "that Idempotency-Key made another run: each one has its own";
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok(Some(stream))
    }

    /// What is made for it: said before that is ordered.
    pub(crate) fn keep(
        &self,
        data: &DataFolder,
        stream: StreamId,
        order: &str,
    ) -> Result<(), Failure> {
        let made = Made { stream, order: Some(order.to_owned()), asked: Some(self.asked) };
        data::write(&self.path(data), &made)?;
        forget_old(data)
    }

    fn path(&self, data: &DataFolder) -> std::path::PathBuf {
        data.answers().join(format!("{}.json", self.answer))
    }
}

/// What the order of a run is called: when it was asked for, and which it is.
pub(crate) fn order_name(request: &RunRequest) -> String {
    let stream = StreamId::Run(request.run, request.attempt);
    format!("{:015}-{}", request.at.0, stream.to_string().replace('/', "-"))
}

/// Whether a run is there that this order made.
fn is_made_by(store: &Store, stream: StreamId, order: &str) -> Result<bool, Failure> {
    match store.read(stream, Seq(0)) {
        Ok(events) => Ok(match events.first().map(|it| &it.event) {
            Some(RunEvent::RunCreated(request)) => order_name(request) == order,
            _ => false,
        }),
        // Whose a run was that was pruned since nobody knows; made it was.
        Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => Ok(true),
        Err(error) => Err(Failure::caused(Exit::Missing, error)),
    }
}

fn forget_old(data: &DataFolder) -> Result<(), Failure> {
    let folder = data.answers();
    let names = data::list(&folder, ".json")?;
    if names.len() <= ANSWERS_MAX {
        return Ok(());
    }
    let age = |name: &String| {
        std::fs::metadata(folder.join(format!("{name}.json"))).and_then(|it| it.modified()).ok()
    };
    let oldest = names.iter().min_by_key(|name| age(name));
    oldest.map_or(Ok(()), |name| data::remove(&folder.join(format!("{name}.json"))))
}

#[cfg(test)]
mod tests {
    use event::{Attempt, Fact as _, RunId, Timestamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_means_another_thing_elsewhere() {
        let of = |what: &str, key: &str| Keyed::of(what, key, &json!(null)).answer;
        let here = of("dispatch octo/app", "token 1\nnightly");
        assert_eq!(here, of("dispatch octo/app", "token 1\nnightly"));
        for (what, key) in [
            ("dispatch octo/api", "token 1\nnightly"),
            ("dispatch octo/app", "token 2\nnightly"),
            ("rerun 1", "token 1\nnightly"),
            ("rerun 2", "token 1\nnightly"),
        ] {
            assert_ne!(here, of(what, key), "{what} {key}");
        }
        assert_ne!(of("rerun 1", "k"), of("rerun 2", "k"));
    }

    /// That run 7 was asked for then.
    fn created(at: u64) -> RunEvent {
        let text = json!({ "type": "RunCreated", "run": 7, "attempt": 1, "run_number": 7, "carried": [],
            "repository": "octo/app", "repository_path": "/srv/app.git", "workflow": { "path": "ci.yml",
            "text": "" }, "called": {}, "title": "Tidy", "event": { "name": "push",
            "git_ref": "refs/heads/main", "payload": {} }, "change": { "commit": "0123", "authored_at": 1,
            "committed_at": 2, "uncommitted": 0 }, "inputs": {}, "vars": {}, "secret_names": [],
            "actor": "octocat", "triggering_actor": "octocat", "at": at });
        RunEvent::decode(text.to_string().as_bytes()).expect("an event")
    }

    #[test]
    fn an_answer_is_no_run_of_somebody_else() {
        let made = |at: u64| {
            let folder = tempfile::tempdir().expect("a folder");
            let data = DataFolder::of(Some(folder.path()), None).expect("a place");
            let store = Store::open(folder.path()).expect("a journal");
            let stream = StreamId::Run(RunId(7), Attempt(1));
            let key = Keyed::of("rerun 7", "token 1\nk", &json!(null));
            let RunEvent::RunCreated(ours) = created(5_000) else { panic!("a run") };
            key.keep(&data, stream, &order_name(&ours)).expect("it is kept");
            store.append(stream, Seq(0), Timestamp(at), &[created(at)]).expect("a run");
            key.made(&data, &store).expect("it is known")
        };
        assert!(made(5_000).is_some());
        // The number of the attempt was lost before its order was written, and given anew.
        assert_eq!(made(6_000), None);
    }

    #[test]
    fn an_answer_is_believed_where_its_order_or_its_run_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::of(Some(folder.path()), None).expect("a place");
        let store = Store::open(folder.path()).expect("a journal");
        let key = |body: &str| Keyed::of("dispatch octo/app", "token 1\nk", &json!(body));
        let made = |body: &str| match key(body).made(&data, &store) {
            Ok(stream) => stream.map_or("nothing".to_owned(), |it| it.to_string()),
            Err(failure) => format!("{:#}", failure.error),
        };
        let stream = StreamId::Run(RunId(7), Attempt(1));
        assert_eq!(made("a"), "nothing");
        // Killed, or out of room, before the order: it is made anew, whatever is asked for by then.
        key("a").keep(&data, stream, "000-7").expect("it is kept");
        assert_eq!([made("a"), made("b")], ["nothing", "nothing"]);
        // Killed behind the order: the next start makes the run.
        data::write(&data.order("000-7"), &json!({ "runs": [] })).expect("a file");
        assert_eq!(made("a"), stream.to_string());
        assert_eq!(made("b"), "that Idempotency-Key made another run: each one has its own");
        // By an older version, which wrote it behind the order.
        data::write(&key("a").path(&data), &json!({ "stream": stream })).expect("a file");
        data::remove(&data.order("000-7")).expect("it goes");
        assert_eq!(made("a"), stream.to_string());
    }
}
