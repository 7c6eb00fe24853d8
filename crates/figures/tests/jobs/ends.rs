//! How deployments by jobs ended: what failed, was gone back on, was carried over, and what goes on.

use expect_test::expect;

use crate::journal::{Journal, check};

#[test]
fn going_back_is_seen_by_what_was_there_before() {
    // An old run that is run again; forward again; an older commit that never was alone; the same once more.
    check(
        "push main c1: production=success
         push main c2 c3: production=success
         again 1: production=success
         again 2: production=success
         tag v2 c2: production=success
         again 3: production=success",
        expect![[r#"
            production deploy.yml: 3 deployed, failed 2/6, rework 2
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c3 +c2 2.75h +c3 2.75h, mended by 1.2
              run/1/2 rollback succeeded of c1
              run/2/2 release succeeded of c3 -c3 came_before, mended by 3.1
              run/3/1 rollback succeeded of v2
              run/3/2 redeploy succeeded of v2
              2.1 recovered after 10h
              2.2 recovered after 10h
        "#]],
    );
}

#[test]
fn what_failed_is_in_doubt_until_somebody_goes_back() {
    check(
        "push main c1: production=success
         push main c2: production=failure
         again 2: production=cancelled
         again 1: production=success
         push main c3: production=failure
         push main c4: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 1/4, rework 1
              run/1/1 release succeeded of c1
              run/2/2 release cancelled of c2, mended by 1.2
              run/1/2 rollback succeeded of c1
              run/4/1 release succeeded of c4 +c2 42.75h +c3 12.75h +c4 2.75h
              2.2 recovered after 10h
              in doubt: 2.1 failed
              in doubt: 3.1 failed
        "#]],
    );
    // Going back further takes back what ran, not what was tried.
    check(
        "push main c1: production=success
         push main c2: production=success
         push main c3: production=failure
         again 1: production=failure
         again 1: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 1/3, rework 1
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c2 +c2 2.75h, mended by 1.3
              run/1/3 rollback succeeded of c1
              2.1 recovered after 30h
              in doubt: 3.1 failed
              in doubt: 1.2 failed
        "#]],
    );
}

#[test]
fn all_jobs_of_an_environment_say_how_it_ended() {
    for (ends, expect) in [
        ("production=success production=success", "release succeeded"),
        ("production=success production=skipped", "in doubt: 1.1 cancelled"),
        ("production=success Production=failure", "in doubt: 1.1 failed"),
        ("production=cancelled production=timed_out", "in doubt: 1.1 failed"),
        ("production=success production=no", "in doubt: 1.1 cancelled"),
        ("production=no", ""),
        ("-=failure production=success", "release succeeded"),
    ] {
        let told = Journal::of(&format!("push main c1: {ends}")).told();
        assert!(told.contains(expect) && expect.is_empty() == told.is_empty(), "{ends}: {told}");
    }
}

#[test]
fn a_job_that_was_carried_over_is_not_among_them_and_holds_back_no_other() {
    // A chain: the first job is carried over before the second is planned. Legs of a matrix: all are planned, then
    // some are carried over.
    for again in [
        "production=carried production=success",
        "production=planned production=planned production=carried production=success",
        "production=planned production=planned production=success production=carried",
    ] {
        check(
            &format!(
                "push main c1: production=success
                 push main c2: production=success production=failure
                 again 2: {again}"
            ),
            expect![[r#"
                production deploy.yml: 2 deployed, failed 0/2, rework 0
                  run/1/1 release succeeded of c1
                  run/2/2 release succeeded of c2 +c2 12.75h
                  in doubt: 2.1 failed
            "#]],
        );
    }
    // All of them were: it shipped nothing.
    check("push main c1: -=failure\nagain 1: production=carried -=success", expect![""]);
}

#[test]
fn a_job_that_never_came_to_an_end_holds_back_no_other() {
    check(
        "push main c1: production=planned production=success staging=planned",
        expect![[r#"
            production deploy.yml: 1 deployed, failed 0/1, rework 0
              run/1/1 release succeeded of c1
        "#]],
    );
}

#[test]
fn what_ended_in_the_same_millisecond_stands_in_the_order_of_the_journal() {
    // As texts, `run/10/1` stands before `run/9/1`.
    let before: String = (1..=7).map(|at| format!("push main a{at}: -=success\n")).collect();
    check(
        &format!(
            "push main a0: production=success
             {before}
             push main b1: production=success
             & push main b2: production=success
             again 10: production=success"
        ),
        expect![[r#"
            production deploy.yml: 3 deployed, failed 0/4, rework 0
              run/1/1 release succeeded of a
              run/9/1 release succeeded of b1 +a1 72.75h +a2 62.75h +a3 52.75h +a4 42.75h +a5 32.75h +a6 22.75h +a7 12.75h +b1 2.75h
              run/10/1 release succeeded of b2 +b2 2.75h
              run/10/2 redeploy succeeded of b2
        "#]],
    );
}

#[test]
fn jobs_count_when_they_are_over_whatever_else_their_run_does() {
    // The first run waits for production while the second one goes to staging, and fails there.
    check(
        "push main c1: staging=success production=planned ...
         push main c2: staging=success production=planned ...
         push main c3: staging=failure
         later 2: production=success
         later 1: production=success",
        expect![[r#"
            production deploy.yml: 1 deployed, failed 1/2, rework 1
              run/2/1 release succeeded of c2, mended by 1.1
              run/1/1 rollback succeeded of c1
              2.1 recovered after 10h
        "#]],
    );
    // Staging alone: what came later there is not what the run that waits brought.
    check(
        "push main c1: qa=success
         push main c2: qa=success -=planned ...
         push main c3: qa=success
         later 2: -=success
         push main c4: qa=success",
        expect![[r#"
            qa deploy.yml: 4 deployed, failed 0/4, rework 0
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c2 +c2 2.75h
              run/3/1 release succeeded of c3 +c3 2.75h
              run/4/1 release succeeded of c4 +c4 2.75h
        "#]],
    );
    let journal = Journal::of(
        "push main c1: staging=success production=planned ...
         push main c2: staging=success production=planned ...",
    );
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let newest = figures.newest_by_jobs("octo/app").expect("a journal of ours");
    let newest: Vec<String> =
        newest.newest.iter().map(|it| format!("{} {}", it.environment, it.by)).collect();
    assert_eq!(newest, ["staging 2.1"]);
}

#[test]
fn a_later_job_of_the_same_environment_says_how_it_ended() {
    for (later, expect) in [
        ("production=success", "release succeeded of c2 +c2 12.75h"),
        ("production=failure", "in doubt: 2.1 failed"),
        ("production=no", "in doubt: 2.1 cancelled"),
        ("-=failure", "release succeeded of c2 +c2 2.75h"),
    ] {
        let first = "push main c1: production=success\npush main c2: production=success ...";
        let journal = Journal::of(first);
        let told = journal.told();
        assert!(told.contains("release succeeded of c2 +c2 2.75h"), "{later}: {told}");
        let journal = Journal::of(&format!("{first}\nlater 2: {later}"));
        let told = journal.told();
        assert!(told.contains(expect), "{later}: {told}");
    }
    // What it had brought comes with the next one.
    check(
        "push main c1: production=success
         push main c2: production=success ...
         later 2: production=failure
         push main c3: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of c3 +c2 22.75h +c3 2.75h
              in doubt: 2.1 failed
        "#]],
    );
}

#[test]
fn while_a_further_job_of_the_environment_runs_it_is_in_no_figure_and_told_as_running() {
    let before = "production deploy.yml: 1 deployed, failed 0/1, rework 0\n  run/1/1 release succeeded of c1\n";
    let after = "production deploy.yml: 2 deployed, failed 0/2, rework 0\n  run/1/1 release succeeded of c1\n  run/2/1 release succeeded of c2 +c2 ";
    for (script, expect, standing) in [
        ("", format!("{after}2.75h\n"), "production 2.1 succeeded"),
        ("production=planned ...", before.to_owned(), "production 2.1 running"),
        ("production=planned -=success ...", before.to_owned(), "production 2.1 running"),
        (
            "production=planned ...\nlater 2: production=success",
            format!("{after}22.75h\n"),
            "production 2.1 succeeded",
        ),
        (
            "production=planned ...\nlater 2: production=skip",
            format!("{after}2.75h\n"),
            "production 2.1 succeeded",
        ),
        // It never came to its end, and its run did.
        (
            "production=planned ...\nlater 2: -=success",
            format!("{after}2.75h\n"),
            "production 2.1 succeeded",
        ),
        (
            "production=planned ...\nlater 2: production=failure",
            format!("{before}  in doubt: 2.1 failed\n"),
            "production 2.1 failed",
        ),
    ] {
        let journal = Journal::of(&format!(
            "push main c1: production=success\npush main c2: production=success ...\nlater 2: {script}"
        ));
        assert_eq!(journal.told(), expect, "{script}");
        let newest = journal.figures().newest_by_jobs("octo/app").expect("a journal of ours");
        let told =
            |it: &figures::NewestByJobs| format!("{} {} {}", it.environment, it.by, it.standing());
        let newest: Vec<String> = newest.newest.iter().map(told).collect();
        assert_eq!(newest, [standing], "{script}");
    }
    // The first one that ever went there.
    let first = "push main c1: production=success production=planned ...";
    assert_eq!(Journal::of(first).told(), "");
}

#[test]
fn an_older_commit_of_the_branch_that_one_was_cut_from_goes_back() {
    // What runs came from a branch; the commit came with it, or with the first one, and never by itself.
    check(
        "push main m1: -=success
         push main m2: -=success
         push release~m2 r1: production=success
         tag v1 m1: production=success",
        expect![[r#"
            production deploy.yml: 1 deployed, failed 1/2, rework 1
              run/3/1 release succeeded of r1, mended by 4.1
              run/4/1 rollback succeeded of v1
              3.1 recovered after 10h
        "#]],
    );
    check(
        "push main c1 c2: production=success
         dispatch other d1: production=success
         tag v1 c1: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 1/3, rework 1
              run/1/1 release succeeded of c2
              run/2/1 release succeeded of d1 +d1 2.75h, mended by 3.1
              run/3/1 rollback succeeded of v1
              2.1 recovered after 10h
        "#]],
    );
}

#[test]
fn what_was_taken_back_failed_wherever_it_ended() {
    // It ended once more behind what took it back.
    check(
        "push main c1: production=success
         push main c2: production=failure ...
         again 1: production=success
         later 2: production=success",
        expect![[r#"
            production deploy.yml: 1 deployed, failed 1/3, rework 1
              run/1/1 release succeeded of c1
              run/1/2 rollback succeeded of c1
              run/2/1 release failed of c2, mended by 1.2
        "#]],
    );
}

#[test]
fn a_job_that_lost_its_worker_behind_the_command_is_none() {
    let mut journal = Journal::of("");
    journal.deployed_by_a_job(10);
    journal.line("push main c1: production=lost");
    let expect = expect![[r#"
        production api: 1 deployed, failed 0/1, rework 0
          deployment/1 release succeeded of 1
    "#]];
    expect.assert_eq(&journal.told());
}
