//! Every story of a deployment, killed at its points: the same end as without the kill.

use std::collections::{BTreeMap, BTreeSet};

use event::{DeploymentEvent, Fact as _};
use sim::deployment::{prove, scripts};

/// Of the points of a story, every so many in a plain build, from another one on in each story.
/// `LAUNCHWAY_SIM_STRIDE=1` plays them all: some minutes.
const STRIDE: usize = 40;

#[test]
fn killed_at_any_point_a_deployment_ends_as_without() {
    let stride = std::env::var("LAUNCHWAY_SIM_STRIDE").ok();
    let stride = stride.map_or(STRIDE, |text| text.parse().expect("a number"));
    let (mut points, mut kinds, mut verdicts) = (0, BTreeSet::new(), BTreeMap::new());
    let scripts = scripts();
    for (number, script) in scripts.iter().enumerate() {
        let (played, clean) =
            prove(script, stride, number % stride).unwrap_or_else(|what| panic!("{what}"));
        points += played;
        kinds.extend(clean.kinds);
        *verdicts.entry(clean.end.verdict.as_str()).or_insert(0) += 1;
    }
    println!("{} stories, {points} kill points, verdicts {verdicts:?}", scripts.len());
    let known: BTreeSet<&str> = DeploymentEvent::KINDS.iter().copied().collect();
    assert_eq!(kinds, known, "every kind of event is seen");
    assert_eq!(verdicts.len(), 7, "every verdict is seen: {verdicts:?}");
}
