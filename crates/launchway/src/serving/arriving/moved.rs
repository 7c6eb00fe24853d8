//! Which branches and tags moved between two looks at a repository.

use std::collections::BTreeMap;

use event::Digest;
use repository::RefUpdate;

use crate::terminal::time::now;

/// Somebody who moves more branches and tags than that in one go has copied a repository.
pub(crate) const MOVED_MAX: usize = 100;
/// What a branch or tag was that was not there.
pub(crate) const NOTHING: &str = "0000000000000000000000000000000000000000";

/// What runs: branches and tags that are new or lead elsewhere. One that is gone runs nothing.
pub(crate) fn moved(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<RefUpdate> {
    let update = |(git_ref, new): (&String, &String)| {
        let old = before.get(git_ref);
        (old != Some(new)).then(|| RefUpdate {
            old: old.cloned().unwrap_or_else(|| NOTHING.to_owned()),
            new: new.clone(),
            git_ref: git_ref.clone(),
        })
    };
    after.iter().filter_map(update).collect()
}

pub(crate) fn line(RefUpdate { old, new, git_ref }: &RefUpdate) -> String {
    format!("{old} {new} {git_ref}")
}

pub(crate) fn called(name: &str, update: &RefUpdate) -> String {
    let digest = Digest::of(format!("{name} {}", line(update)).as_bytes()).to_string();
    let end: String = digest.chars().rev().take(16).collect();
    format!("{:015}-{end}", now().0)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn refs(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split_whitespace().filter_map(|it| it.split_once('='));
        pairs.map(|(name, at)| (name.to_owned(), at.to_owned())).collect()
    }

    fn check(before: &str, after: &str, expected: &Expect) {
        let moved = moved(&refs(before), &refs(after));
        let lines = moved.iter().map(|it| {
            let old = if it.old == NOTHING { "-" } else { &it.old };
            format!("{} {old} {}\n", it.git_ref, it.new)
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn what_is_new_or_leads_elsewhere_runs() {
        check("main=1", "main=1", &expect![""]);
        check(
            "main=1",
            "main=2 v1=2",
            &expect![[r#"
            main 1 2
            v1 - 2
        "#]],
        );
        check(
            "main=2 old=1",
            "main=1",
            &expect![[r#"
            main 2 1
        "#]],
        );
        check(
            "",
            "main=1",
            &expect![[r#"
            main - 1
        "#]],
        );
    }
}
