//! What `launchway check` costs: from process start, over thousands of files, over the largest file
//! that GitHub takes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::bench::Bench;
use crate::bench::measure::{Row, alone, quiet, time};

/// Files that are to be checked in a second.
const FILES: usize = 3_000;

/// GitHub takes workflow files up to 500 KB.
const LARGE_BYTES: usize = 495_000;

/// One file, many files, a large file: all rules on.
pub(crate) fn check(bench: &Bench) -> Result<Vec<Row>> {
    let folder = bench.scratch.path("check");
    let many = folder.join("many");
    fs::create_dir_all(&many)?;
    for number in 0..FILES {
        fs::write(many.join(format!("workflow-{number}.yml")), workflow(number, 3))?;
    }
    let one = folder.join("one.yml");
    fs::write(&one, workflow(0, 3))?;
    let large = folder.join("large.yml");
    let jobs = LARGE_BYTES / job(LARGE_BYTES).len();
    fs::write(&large, workflow(0, jobs))?;
    let rounds = bench.effort.rounds;
    let measured = |path: &Path| alone(rounds, &mut || checked(bench, path));
    let bytes = |path: &Path| fs::metadata(path).map(|it| it.len() / 1000);
    Ok(vec![
        Row::within(format!("check of one file ({} KB)", bytes(&one)?), &measured(&one)?, 20.0),
        Row::within(
            format!("check of {FILES} files ({} KB each)", bytes(&one)?),
            &measured(&many)?,
            1000.0,
        ),
        Row::within(format!("check of a file of {} KB", bytes(&large)?), &measured(&large)?, 150.0),
    ])
}

fn checked(bench: &Bench, path: &Path) -> Result<Duration> {
    time(quiet(&bench.launchway).arg("check").arg(path))
}

/// A workflow as people write them, with so many jobs.
fn workflow(number: usize, jobs: usize) -> String {
    let mut text = format!(
        "name: CI {number}
on:
  push:
    branches: [main, 'release/**']
    paths-ignore: ['docs/**']
  pull_request:
permissions:
  contents: read
concurrency:
  group: ci-{number}-${{{{ github.ref }}}}
  cancel-in-progress: true
env:
  REGION: eu-central-1
jobs:
"
    );
    for at in 0..jobs {
        text += &job(at);
    }
    text
}

fn job(at: usize) -> String {
    let mut text = String::new();
    let needs = if at == 0 { String::new() } else { format!("    needs: job-{}\n", at - 1) };
    write!(
        text,
        "  job-{at}:
    runs-on: ubuntu-latest
{needs}    timeout-minutes: 20
    strategy:
      fail-fast: false
      matrix:
        python: ['3.11', '3.12']
        include:
          - python: '3.13'
            experimental: true
    outputs:
      version: ${{{{ steps.version.outputs.version }}}}
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-python@v5
        with:
          python-version: ${{{{ matrix.python }}}}
          cache: pip
      - id: version
        name: Find the version
        run: echo \"version=$(git describe --always)\" >> \"$GITHUB_OUTPUT\"
      - name: Test
        if: github.event_name == 'push' || contains(github.head_ref, 'fix')
        env:
          DATABASE_URL: postgres://localhost:5432/${{{{ github.run_id }}}}
        run: |
          python -m pip install --requirement requirements.txt
          python -m pytest --junitxml report.xml tests
      - if: failure()
        uses: actions/upload-artifact@v4
        with:
          name: report-${{{{ matrix.python }}}}
          path: report.xml
"
    )
    .expect("writing to a text does not fail");
    text
}
