//! Which commits came with a deployment by jobs, by branch, tag and push.

use event::{Attempt, RunId, ShippedBy};
use expect_test::expect;

use crate::journal::{Journal, check};

#[test]
fn what_did_not_come_with_its_own_push_comes_with_the_next_one() {
    // Jobs that failed, that were never reached, and a run that still waits.
    check(
        "push main c1: production=success
         push main c2: production=failure
         push main c3: -=failure
         push main c4
         push main c5: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/5/1 release succeeded of c5 +c2 32.75h +c3 22.75h +c4 12.75h +c5 2.75h
              in doubt: 2.1 failed
        "#]],
    );
}

#[test]
fn whatever_made_the_run_its_commit_is_looked_for_among_what_was_pushed() {
    check(
        "push main c1: staging=success
         dispatch main c1: production=success
         push main c2 c3: staging=success
         push main c4: staging=success
         tag v2 c3: production=success
         dispatch main c4: production=success
         schedule main c9: production=success",
        expect![[r#"
            production deploy.yml: 4 deployed, failed 0/4, rework 0
              run/2/1 release succeeded of c1
              run/5/1 release succeeded of v2 +c2 22.75h +c3 2.75h
              run/6/1 release succeeded of c4 +c4 2.75h
              run/7/1 release succeeded of c9 +c9 2.75h
        "#]],
    );
}

#[test]
fn what_came_with_more_commits_than_are_counted_is_named() {
    let check = |commits: usize, counted: usize, at_limit: &[ShippedBy]| {
        let names: Vec<String> = (0..commits).map(|at| format!("b{at:04}")).collect();
        let script = format!(
            "push main a1: production=success\npush main {}: production=success",
            names.join(" ")
        );
        let journal = Journal::of(&script);
        let told = journal.deliveries(&journal.figures());
        let lead_time = &told[0].lead_time;
        assert_eq!((lead_time.total.count, &*lead_time.at_limit), (counted, at_limit));
    };
    check(999, 999, &[]);
    check(1_200, 1_000, &[ShippedBy::Jobs(RunId(2), Attempt(1))]);
}

#[test]
fn a_commit_without_a_date_is_left_out_and_told() {
    check(
        "push main c1: production=success
         push main c2? c3: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c3 +c3 2.75h -c2 no_date
        "#]],
    );
}

#[test]
fn a_branch_that_never_came_there_brings_what_was_pushed_to_it_since_the_last_one() {
    check(
        "push develop d1: production=success
         push main c1: -=success
         push main c2: -=success
         push develop d2: production=success
         push main c3: -=success
         push main c4: production=success",
        expect![[r#"
            production deploy.yml: 3 deployed, failed 0/3, rework 0
              run/1/1 release succeeded of d1
              run/4/1 release succeeded of d2 +d2 2.75h
              run/6/1 release succeeded of c4 +c3 12.75h +c4 2.75h
        "#]],
    );
}

#[test]
fn what_came_with_jobs_that_fail_later_came_with_the_next_that_had_it() {
    check(
        "push main c1: staging=success
         push main c2: staging=success ...
         push main c3: staging=success
         later 2: staging=failure
         push main c4: staging=success",
        expect![[r#"
            staging deploy.yml: 3 deployed, failed 0/3, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of c3 +c2 12.75h +c3 2.75h
              run/4/1 release succeeded of c4 +c4 2.75h
              in doubt: 2.1 failed
        "#]],
    );
    // The same commit once more; a branch that was cut behind it. One that went back does not have it.
    check(
        "push main c1: staging=success
         push main c2: staging=success ...
         dispatch main c2: staging=success
         later 2: staging=no
         push main c3: staging=success",
        expect![[r#"
            staging deploy.yml: 3 deployed, failed 0/3, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of c2 +c2 12.75h
              run/4/1 release succeeded of c3 +c3 2.75h
              in doubt: 2.1 cancelled
        "#]],
    );
    check(
        "push main c1: staging=success
         push main c2: staging=success ...
         push release~c2 r1: staging=success
         later 2: staging=failure
         push main c3: staging=success",
        expect![[r#"
            staging deploy.yml: 3 deployed, failed 0/3, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of r1 +c2 12.75h +r1 2.75h
              run/4/1 release succeeded of c3 +c3 2.75h
              in doubt: 2.1 failed
        "#]],
    );
    check(
        "push main c1: staging=success
         push main c2: staging=success ...
         again 1: staging=success
         later 2: staging=failure
         push main c3: staging=success",
        expect![[r#"
            staging deploy.yml: 2 deployed, failed 1/4, rework 1
              run/1/1 release succeeded of c1
              run/1/2 rollback succeeded of c1
              run/2/1 release failed of c2, mended by 1.2
              run/3/1 release succeeded of c3 +c2 32.75h +c3 2.75h
              2.1 recovered after 10h
        "#]],
    );
}

#[test]
fn a_branch_that_was_cut_brings_what_the_default_branch_had_then() {
    check(
        "push main m1: production=success
         push main m2: -=success
         push main m3: -=success
         push release~m3 r1: production=success
         push main m4: production=success
         push release~m3 r2: production=success
         push main m5: -=success",
        expect![[r#"
            production deploy.yml: 4 deployed, failed 0/4, rework 0
              run/1/1 release succeeded of m1
              run/4/1 release succeeded of r1 +m2 22.75h +m3 12.75h +r1 2.75h
              run/5/1 release succeeded of m4 +m4 2.75h
              run/6/1 release succeeded of r2 +r2 2.75h
        "#]],
    );
}

#[test]
fn a_commit_that_is_pushed_behind_the_end_was_not_there() {
    // However late the journal is read.
    check(
        "push main c1: production=success
         push main c2: -=success
         dispatch main c3: production=success
         push main c3: -=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of c3 +c3 2.75h
        "#]],
    );
}

#[test]
fn a_tag_that_is_called_like_the_name_of_another_is_not_that() {
    let journal = Journal::of(
        "
        tag v1.0.0 c1: production=success
        tag refs/tags/v1.0.0 c1: production=failure
        ",
    );
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let runs = |tag| {
        let found = figures.tag_runs("octo/app", tag).expect("a journal of ours");
        found.into_iter().map(|it| (it.run.0, it.tag)).collect::<Vec<_>>()
    };
    let (one, other) = ((1, "v1.0.0".to_owned()), (2, "refs/tags/v1.0.0".to_owned()));
    assert_eq!(runs(None), [other, one.clone()]);
    assert_eq!(runs(Some("v1.0.0")), [one]);
}
