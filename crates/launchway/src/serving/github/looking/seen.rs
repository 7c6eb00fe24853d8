//! What branches and tags led to, and which of them moved without anybody telling.

use std::collections::BTreeMap;
use std::time::Duration;

use event::Timestamp;
use repository::{RefUpdate, Refs};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::TakenWebhook;

use crate::serving::arriving::moved::{NOTHING, called, moved};

/// Where more tags are pushed at once GitHub tells of none, and no workflow runs there.
pub(super) const TAGS_TOLD_MAX: usize = 3;
/// What the ids of what is found begin with. No webhook has a point in its id.
const FOUND: &str = "found.";

/// Whether this was found by a look, and no webhook told it.
pub(crate) fn is_found(id: &str) -> bool {
    id.starts_with(FOUND)
}

/// What is known of a repository's branches and tags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// What they led to when they were last acted upon, by their whole names.
    refs: Refs,
    /// Those that lead elsewhere by now, and nobody told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    missed: BTreeMap<String, Missed>,
    /// When it was looked, of those whose last push was found: pushes before are past.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    found: BTreeMap<String, Timestamp>,
    /// Which push of those that webhooks told of lately was the last one: they come in any order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    told: BTreeMap<String, Told>,
}

/// When a push happened, and what its branch led to before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    before: String,
}

/// A push that was acted upon.
pub(crate) struct Move<'a> {
    pub(crate) git_ref: &'a str,
    /// What its branch led to before, and leads to since.
    pub(crate) before: &'a str,
    pub(crate) after: &'a str,
    pub(crate) at: When,
}

/// When it was, as far as is known.
#[derive(Clone, Copy)]
pub(crate) enum When {
    /// A look found it then: what was pushed before is past.
    Looked(Timestamp),
    /// So says the webhook; none where it does not.
    Said(Option<Timestamp>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Missed {
    /// What it leads to,
    new: String,
    /// and since when that is known,
    since: Timestamp,
    /// and what it is called among the webhooks.
    id: String,
}

impl Seen {
    /// Nothing is missed of what is there when it begins.
    pub(super) fn of(refs: Refs) -> Seen {
        Seen { refs, ..Seen::default() }
    }

    /// What a branch or tag led to when it was last acted upon; zeros where it was not there.
    pub(super) fn led_to(&self, git_ref: &str) -> String {
        self.refs.get(git_ref).cloned().unwrap_or_else(|| NOTHING.to_owned())
    }

    /// Whether a push of then is one that a look found, or came before that.
    pub(super) fn is_past(&self, git_ref: &str, pushed_at: Timestamp) -> bool {
        // GitHub counts seconds. What was pushed in that of the look and was not seen is found by the next one.
        self.found.get(git_ref).is_some_and(|found| pushed_at <= *found)
    }

    /// Whether something moved of which nobody told yet.
    pub(super) fn misses_something(&self) -> bool {
        !self.missed.is_empty()
    }

    pub(super) fn take(&mut self, push: &Move<'_>) {
        let Move { git_ref, before, after, at } = *push;
        if self.missed.get(git_ref).is_some_and(|it| it.new == after) {
            self.missed.remove(git_ref);
        }
        match at {
            When::Looked(at) => {
                self.found.insert(git_ref.to_owned(), at);
            }
            When::Said(Some(at)) => {
                // Its branch has gone on since, and that was told first.
                if self.told.get(git_ref).is_some_and(|last| last.is_behind(at, after)) {
                    return;
                }
                self.told.insert(git_ref.to_owned(), Told { at, before: before.to_owned() });
            }
            When::Said(None) => {}
        }
        self.refs.insert(git_ref.to_owned(), after.to_owned());
    }

    /// Tags of which GitHub tells nobody, for they came all at once, are known from now on, and not found. Gives how many.
    pub(super) fn settle_tags(&mut self, at: Timestamp, found: &mut Vec<Found>) -> usize {
        let is_new = |git_ref: &str, it: &Missed| {
            it.since == at && git_ref.starts_with("refs/tags/") && !self.refs.contains_key(git_ref)
        };
        let new = self.missed.iter().filter(|(git_ref, it)| is_new(git_ref, it));
        let new: Refs = new.map(|(git_ref, it)| (git_ref.clone(), it.new.clone())).collect();
        if new.len() <= TAGS_TOLD_MAX {
            return 0;
        }
        self.missed.retain(|git_ref, _| !new.contains_key(git_ref));
        found.retain(|it| !new.contains_key(&it.update.git_ref));
        let count = new.len();
        self.refs.extend(new);
        count
    }

    /// All that was found but for one branch is known from now on, and not found.
    pub(super) fn settle_all_but(&mut self, branch: Option<&str>, found: &mut Vec<Found>) {
        for it in found.extract_if(.., |it| Some(&*it.update.git_ref) != branch) {
            self.missed.remove(&it.update.git_ref);
            self.refs.insert(it.update.git_ref, it.update.new);
        }
    }

    /// What is there now is compared. Gives what nobody told of in that time, and since when it is known.
    pub(super) fn compare(
        &mut self,
        name: &str,
        there: &Refs,
        patience: Duration,
        at: Timestamp,
    ) -> Vec<Found> {
        let is_fresh = |it: &Timestamp| it.0 + forge::FRESH_MS > at.0;
        self.found.retain(|_, it| is_fresh(it));
        self.told.retain(|_, it| is_fresh(&it.at));
        // What is gone runs nothing.
        self.refs.retain(|git_ref, _| there.contains_key(git_ref));
        let moved = moved(&self.refs, there);
        let mut missed = BTreeMap::new();
        for update in moved {
            let known = self.missed.remove(&update.git_ref).filter(|it| it.new == update.new);
            let missing = known.unwrap_or_else(|| Missed {
                new: update.new.clone(),
                since: at,
                id: format!("{FOUND}{}", called(name, &update)),
            });
            missed.insert(update.git_ref, missing);
        }
        self.missed = missed;
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let is_due = |it: &Missed| it.since.0.saturating_add(patience) <= at.0;
        let due = self.missed.iter().filter(|(_, it)| is_due(it));
        due.map(|(git_ref, it)| Found {
            id: it.id.clone(),
            update: RefUpdate {
                old: self.led_to(git_ref),
                new: it.new.clone(),
                git_ref: git_ref.clone(),
            },
        })
        .collect()
    }
}

impl Told {
    /// Whether this push came behind one that led to `after` then. GitHub counts seconds.
    fn is_behind(&self, at: Timestamp, after: &str) -> bool {
        at < self.at || (at == self.at && after == self.before)
    }
}

/// A push of which nobody told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    id: String,
    pub(super) update: RefUpdate,
}

impl Found {
    /// As much of a webhook as decides whose turn it is: the rest is asked for then.
    pub(super) fn webhook(&self, name: &str, at: Timestamp) -> TakenWebhook {
        let RefUpdate { old, new, git_ref } = &self.update;
        let body = json!({
            "ref": git_ref, "before": old, "after": new, "repository": { "full_name": name },
        });
        TakenWebhook {
            id: self.id.clone(),
            digest: None,
            event: "push".to_owned(),
            at,
            body: body.to_string().into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::UNDER_WAY;
    use super::*;

    fn refs(text: &str) -> Refs {
        let pairs = text.split_whitespace().filter_map(|it| it.split_once('='));
        pairs.map(|(name, at)| (name.to_owned(), at.to_owned())).collect()
    }

    /// What each look finds, a minute after the other.
    fn check(seen: &str, looks: &[&str], expected: &Expect) {
        let mut seen = Seen::of(refs(seen));
        let mut text = String::new();
        for (minute, there) in (1..).zip(looks) {
            let at = Timestamp(minute * 60_000);
            for it in seen.compare("octo/app", &refs(there), UNDER_WAY, at) {
                let RefUpdate { old, new, git_ref } = &it.update;
                let old = if old == NOTHING { "-" } else { old };
                text += &format!("{minute}: {git_ref} {old} {new}\n");
            }
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn what_is_not_told_by_the_next_look_is_found() {
        check("main=a", &["main=a", "main=a"], &expect![""]);
        check(
            "main=a",
            &["main=b", "main=b", "main=b"],
            &expect![[r#"
                2: main a b
                3: main a b
            "#]],
        );
        // It moves on, and is new from then.
        check(
            "main=a",
            &["main=b", "main=c", "main=c"],
            &expect![[r#"
                3: main a c
            "#]],
        );
        check(
            "main=a",
            &["main=a v1=a", "main=a v1=a"],
            &expect![[r#"
                2: v1 - a
            "#]],
        );
        // Gone, or back where it was.
        check("main=a old=a", &["main=b", "main=a"], &expect![""]);
    }

    #[test]
    fn of_many_tags_at_once_none_is_missed() {
        let mut seen = Seen::of(refs("main=a refs/tags/v0=a"));
        let mut look = |minute: u64, there: &str| {
            let at = Timestamp(minute * 60_000);
            let mut found = seen.compare("octo/app", &refs(there), UNDER_WAY, at);
            let tags = seen.settle_tags(at, &mut found);
            let found = found.into_iter().map(|it| it.update.git_ref).collect::<Vec<_>>();
            (tags, found.join(" "))
        };
        let three = "main=a refs/tags/v0=a refs/tags/v1=a refs/tags/v2=a refs/tags/v3=a";
        assert_eq!(look(1, three), (0, String::new()));
        assert_eq!(look(2, three), (0, "refs/tags/v1 refs/tags/v2 refs/tags/v3".to_owned()));
        let more = ["v4", "v5", "v6", "v7"].map(|it| format!(" refs/tags/{it}=b")).concat();
        let more = three.replace("main=a", "main=b") + &more;
        let known = "refs/tags/v1 refs/tags/v2 refs/tags/v3";
        assert_eq!(look(3, &more), (4, known.to_owned()));
        assert_eq!(look(4, &more), (0, format!("main {known}")));
    }

    #[test]
    fn what_is_found_again_has_the_name_that_it_had() {
        let mut seen = Seen::of(refs("main=a"));
        let mut look = |minute: u64| {
            seen.compare("octo/app", &refs("main=b"), UNDER_WAY, Timestamp(minute * 60_000))
        };
        assert_eq!(look(1), []);
        let first = look(2);
        assert_eq!((first.len(), &first), (1, &look(3)));
        assert!(is_found(&first[0].id));
    }
}
