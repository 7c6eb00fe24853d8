//! Command lines that make no sense.

use super::Section;
use crate::harness::Place;

const WORKFLOW: &str = "
on: { push: , workflow_dispatch: { inputs: { dry: { type: boolean } } } }
jobs:
  build: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  test:
    strategy: { matrix: { python: ['3.11', '3.12'] } }
    runs-on: ubuntu-latest
    steps: [{ run: 'true' }]
";

pub(super) fn section() -> Section {
    let mut section = Section::new("Command lines");
    let place = Place::workflow(WORKFLOW);
    for line in [
        "run -j tset",
        "run --matrix os:linux",
        "run --matrix python",
        "run --matrix python:2.7",
        "run --input dry=true",
        "run workflow_dispatch --input dry=maybe",
        "run workflow_dispatch --input wet=true",
        "run --base main",
        "run pull_request --base nowhere",
        "run tag",
        "run tag --tag v9",
        "run pull_request --tag v9",
        "run release",
        "run release --event-path nowhere.json",
        "run -W nowhere.yml",
        "run -W .github",
        "run --var 1A=x",
        "run --secret GITHUB_SHA=x",
        "run --secret TOKEN",
        "run --label gpu=node:20",
        "run --width 0",
        "run --executor docker",
        "run --format xml",
        "runn",
        "runs show 99",
        "check nowhere.yml",
        "check --deny everything",
        "eval 1+",
        "eval --context nowhere.json 1",
        "workflows disable nowhere.yml",
        "prune --days many",
        "completions tcsh",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        section.row(&format!("`launchway {line}`"), &place, &place.run(&words));
    }
    assert_ne!(place.run(&["run", "-j", "build"]).exit, 2);
    for line in ["runs show --attempt 7", "runs logs -j nope", "runs cancel", "runs resume"] {
        let words: Vec<&str> = line.split(' ').collect();
        let tried = format!("`launchway {line}`, after a run");
        section.row(&tried, &place, &place.run(&words));
    }
    section
}
