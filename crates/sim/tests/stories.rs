//! Some hundred stories in every build; the soak tier plays as many as it is told to.

use sim::{Visits, run_seed};

/// Stories of a plain build: a few seconds.
const STORIES: u64 = 150;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

// proves: conformance 41, 44, 96, 138
#[test]
fn every_story_keeps_the_invariants_and_comes_to_its_end() {
    if let Some(seed) = number("LAUNCHWAY_SIM_SEED") {
        run_seed(seed).map_or_else(|failure| panic!("{failure}"), |_| ());
        return;
    }
    let stories = number("LAUNCHWAY_SIM_STORIES").unwrap_or(STORIES);
    let mut visits = Visits::default();
    let mut crashes = 0;
    for seed in 0..stories {
        let story = run_seed(seed).unwrap_or_else(|failure| panic!("{failure}"));
        visits.add(&story.visits);
        crashes += story.crashes;
    }
    assert!(crashes > stories, "a crash for each second act, and those of the first");
    // What only real workers or a re-run bring.
    let elsewhere = ["SummaryWritten", "ArtifactUploaded", "ImageBuilt", "JobCarried"];
    let missing: Vec<&&str> = <event::RunEvent as event::Fact>::KINDS
        .iter()
        .filter(|kind| !elsewhere.contains(kind) && visits.of_kind(kind) == 0)
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}\n{}", visits.table());
}
