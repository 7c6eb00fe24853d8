//! Workflows for a repository that has none, or wants ours: tests of what was seen, and one for each
//! environment that ships with this program. What is done stands in the settings; they only begin it.

use std::fmt::Write as _;

use super::compose::Seen;
use super::look::{Language, SeenService, Tests};
use super::propose::Proposed;
use crate::running::files;

const ACTION: &str = include_str!("workflows/action.yml");
const CI: &str = include_str!("workflows/ci.yml");
const DEPLOY: &str = include_str!("workflows/deploy.yml");
const PROMOTE: &str = include_str!("workflows/promote.yml");
const ROLLBACK: &str = include_str!("workflows/rollback.yml");
const TERRAFORM: &str = include_str!("workflows/terraform.yml");

/// What tests of Python find a PostgreSQL by, as most frameworks read it.
const POSTGRES: &str = "      postgres:
        image: postgres:15
        env:
          POSTGRES_PASSWORD: test
          POSTGRES_DB: test
        ports: ['5432:5432']
        options: --health-cmd pg_isready --health-interval 5s --health-retries 10
";
const REDIS: &str = "      redis:
        image: redis:7
        ports: ['6379:6379']
        options: --health-cmd \"redis-cli ping\" --health-interval 5s --health-retries 10
";

/// The whole set. Only what goes to a cloud is shipped by a workflow: this machine is no place that
/// a job of another reaches.
pub(crate) fn files(seen: &Seen) -> Vec<Proposed> {
    let workflow = |name: &str, text: String, why: &str| Proposed {
        path: format!("{}/{name}.yml", files::WORKFLOWS),
        text,
        why: vec![why.to_owned()],
    };
    let mut all = vec![
        Proposed {
            path: ".github/actions/launchway/action.yml".to_owned(),
            text: ACTION.to_owned(),
            why: vec!["puts launchway on the PATH of a job".to_owned()],
        },
        workflow("ci", ci(seen), "tests, for every pull request"),
    ];
    if !seen.is_on_ecs() {
        return all;
    }
    let names: Vec<String> = seen.environments().into_iter().map(|it| it.name).collect();
    for (at, name) in names.iter().enumerate() {
        let below = at.checked_sub(1).map(|it| &names[it]);
        let template = if below.is_some() { PROMOTE } else { DEPLOY };
        let text = template.replace("<environment>", name);
        let text = below.map_or(text.clone(), |below| text.replace("<below>", below));
        let why = match below {
            Some(below) => format!("brings to {name} what ran well in {below}"),
            None => format!("builds, and ships to {name}"),
        };
        all.push(workflow(&format!("cd-{name}"), text, &why));
    }
    let text = ROLLBACK.replace("<environments>", &names.join(", "));
    all.push(workflow("rollback", text, "goes back"));
    all
}

fn ci(seen: &Seen) -> String {
    let mut text = CI.to_owned();
    for service in &seen.services {
        if let Some(tests) = &service.tests {
            text += &tested(service, tests);
        }
    }
    if let Some(folder) = &seen.terraform {
        text += &TERRAFORM.replace("<folder>", folder);
    }
    text
}

/// The job that tests one service.
fn tested(service: &SeenService, tests: &Tests) -> String {
    let mut text = format!(
        "\n  test-{}:\n    runs-on: ubuntu-latest\n    timeout-minutes: 20\n",
        service.name
    );
    if service.folder != "." {
        let _ = write!(
            text,
            "    defaults:\n      run:\n        working-directory: {}\n",
            service.folder
        );
    }
    if tests.postgres || tests.redis {
        text += "    services:\n";
        text += if tests.postgres { POSTGRES } else { "" };
        text += if tests.redis { REDIS } else { "" };
        text += "    env:\n";
        if tests.postgres {
            text += "      DATABASE_URL: postgresql://postgres:test@localhost:5432/test\n";
        }
        if tests.redis {
            text += "      REDIS_URL: redis://localhost:6379/0\n";
        }
    }
    text += "    steps:\n      - uses: actions/checkout@v4\n";
    text += match tests.language {
        Language::Python => {
            "      - uses: actions/setup-python@v5\n        with:\n          python-version: '3.12'\n"
        }
        Language::Node => {
            "      - uses: actions/setup-node@v4\n        with:\n          node-version: '22'\n"
        }
    };
    for command in &tests.commands {
        let _ = writeln!(text, "      - run: {command}");
    }
    text
}
