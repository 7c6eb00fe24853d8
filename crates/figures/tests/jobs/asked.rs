//! Whose deployments by jobs are told, and how many in one answer.

use event::{Fact as _, IncidentEvent, Seq, Timestamp};
use expect_test::expect;
use figures::{Asked, NewestByJobs, NewestOfEach};
use serde_json::json;

use crate::journal::{HOUR, Journal, asked};

#[test]
fn the_newest_of_each_environment_is_told_of_one_repository() {
    let mut script = "push main c1: staging=success production=failure".to_owned();
    for at in 0..250 {
        script += &format!("\npush main d{at}: review/{at}=success");
    }
    script += "\npush main c2: production=success";
    let journal = Journal::of(&script);
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let newest = figures.newest_by_jobs("octo/app").expect("a journal of ours");
    assert!(newest.is_cut);
    let newest = newest.newest;
    let names: Vec<&str> = newest.iter().map(|it| &*it.environment).collect();
    assert_eq!((names.len(), names[0], names[1]), (200, "production", "review/249"));
    assert_eq!(newest[0].verdict, event::Verdict::Succeeded);
    // All that was done anywhere, and not only what was the last in its environment.
    let last = figures.last_by_jobs(300).expect("a journal of ours");
    let told = |it: &NewestByJobs| format!("{} {} {}", it.environment, it.by, it.standing());
    let ends = [0, 1, 251, 252].map(|at| told(&last[at]));
    let expect = ["production 252.1 succeeded", "review/249 251.1 succeeded"];
    assert_eq!((last.len(), &ends[..2]), (253, &expect.map(str::to_owned)[..]));
    let oldest = ["staging 1.1 succeeded", "production 1.1 failed"];
    assert!(ends[2..].iter().all(|it| oldest.contains(&it.as_str())), "{ends:?}");
    assert_eq!(figures.last_by_jobs(1).expect("a journal of ours"), last[..1]);
    // What ran `launchway deploy` after all was nothing of the jobs' own.
    let mut journal =
        Journal::of("push main c1: staging=success\npush main c2: Staging=success ...");
    let told = |journal: &Journal| {
        let figures = journal.figures();
        figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
        let newest = figures.newest_by_jobs("octo/app").expect("a journal of ours").newest;
        newest.iter().map(|it| format!("{} {}", it.environment, it.by)).collect::<Vec<_>>()
    };
    assert_eq!(told(&journal), ["Staging 2.1"]);
    journal.deployed(30, json!({ "job": "track-30-job-1", "environment": "staging" }), false);
    journal.line("later 2: staging=success");
    assert_eq!(told(&journal), ["staging 1.1"]);
    assert_eq!(figures.newest_by_jobs("octo/other").unwrap(), NewestOfEach::default());
}

#[test]
fn of_more_services_than_one_answer_holds_the_count_is_told() {
    let ends: Vec<String> = (0..203).map(|at| format!("review/{at:03}=success")).collect();
    let journal = Journal::of(&format!("push main c1: {}", ends.join(" ")));
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let all = figures.delivery(&asked(Some("octo/app"))).expect("a journal of ours");
    assert_eq!((all.told.len(), all.left_out), (200, 3));
    // What is counted elsewhere is not left out.
    let besides = ["Review/007", "review/201", "review/202"].map(str::to_owned).to_vec();
    let told = |asked: &Asked| {
        let all = figures.delivery(asked).expect("a journal of ours");
        (all.told.len(), all.left_out)
    };
    let asked = Asked { besides, ..asked(Some("octo/app")) };
    assert_eq!(told(&asked), (200, 0));
    assert_eq!(told(&Asked { only_production: true, ..asked }), (0, 0));
}

#[test]
fn whose_jobs_are_told_is_for_whoever_asks() {
    let journal = Journal::of("push main c1: production=success");
    journal.deployed_by_a_job(990);
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let of = |asked: &Asked| -> Vec<(String, bool)> {
        let all = figures.delivery(asked).expect("a journal of ours").told;
        all.into_iter().map(|it| (it.project, it.by_jobs)).collect()
    };
    let (project, jobs) = (("planner".to_owned(), false), ("octo/app".to_owned(), true));
    assert_eq!(of(&asked(Some("octo/app"))), [project.clone(), jobs.clone()]);
    assert_eq!(of(&asked(Some("octo/other"))), vec![project.clone()]);
    assert_eq!(of(&asked(None)), vec![project.clone()]);
    let all = Asked { project: None, ..asked(None) };
    assert_eq!(of(&all), [project, jobs.clone()]);
    let named = Asked { project: Some("octo/app".to_owned()), ..asked(None) };
    assert_eq!(of(&named), vec![jobs.clone()]);
    assert_eq!(of(&Asked { only_jobs: true, ..all }), [jobs]);
}

#[test]
fn a_projects_incident_counts_for_who_sees_its_jobs_and_is_read_by_who_sees_it() {
    let journal = Journal::of("push main c1: production=success\npush main c2: production=success");
    let opened = |project: &str, title: &str, cause: Option<&str>| {
        let id = journal.store.allocate_incident(project, None).expect("a journal of ours");
        let record = json!({ "type": "IncidentOpened", "project": project,
            "environment": "PRODUCTION", "service": null, "title": title, "severity": "major",
            "source": "person", "key": null, "link": null, "caused_by": cause,
            "by": { "name": "mona", "proof": "local" }, "opened_at": 15 * HOUR, "at": 15 * HOUR });
        let event = IncidentEvent::decode(record.to_string().as_bytes()).expect("it is one");
        let at = Timestamp(15 * HOUR);
        journal.store.append_incident(id, Seq(0), at, &[event]).expect("a journal of ours");
    };
    opened("planner", "of the project", Some("1.1"));
    opened("octo/app", "of the repository", None);
    opened("octo/other", "of another", Some("9.1"));
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let told = |only_jobs: bool| {
        let asked = Asked { only_jobs, ..asked(Some("octo/app")) };
        let it = figures.delivery(&asked).expect("a journal of ours").told.remove(0);
        let titles: Vec<String> = it.incidents.into_iter().map(|it| it.title).collect();
        let brought: Vec<String> =
            it.deployments.iter().map(|it| format!("{:?}", it.incidents)).collect();
        let failed = it.change_failures.rate.part;
        format!("{}: {failed} failed by {}\n", titles.join(", "), brought.join(", "))
    };
    expect![[r#"
        of the repository, of the project: 1 failed by [IncidentId(1)], []
        of the repository: 1 failed by [IncidentId(1)], []
    "#]]
    .assert_eq(&format!("{}{}", told(false), told(true)));
}
