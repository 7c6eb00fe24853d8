//! Pages of AWS's console about what was deployed: the service, and what its containers print.

use std::collections::BTreeSet;

use aws::Console;
use event::ServiceRequest;
use serde_json::{Value as Json, json};

use crate::config::EcsConfig;

/// Log groups of one service that are told of.
const GROUPS_MAX: usize = 10;

/// A page of the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsolePage {
    /// Of what: `ecs_service`, `log_group`.
    pub what: &'static str,
    /// What that is called.
    pub name: String,
    /// Where it is.
    pub url: String,
}

/// The pages about a service that was wanted; `effects` are those of its steps: the one that registered says what the
/// containers print to. Nothing where it is none of ECS.
pub fn console<'e>(
    wanted: &ServiceRequest,
    effects: impl Iterator<Item = &'e Json>,
) -> Vec<ConsolePage> {
    let config = (&*wanted.target == "ecs").then(|| EcsConfig::of(wanted).ok()).flatten();
    let Some(config) = config else { return Vec::new() };
    let Some(console) = Console::of(&config.region) else { return Vec::new() };
    let mut pages = vec![ConsolePage {
        what: "ecs_service",
        url: console.ecs_service(&config.cluster, &config.service),
        name: config.service,
    }];
    for it in effects.filter_map(|it| it["log_groups"].as_array()).flatten().take(GROUPS_MAX) {
        let (Some(region), Some(group)) = (it["region"].as_str(), it["group"].as_str()) else {
            continue;
        };
        pages.extend(Console::of(region).map(|it| ConsolePage {
            what: "log_group",
            name: group.to_owned(),
            url: it.log_group(group),
        }));
    }
    pages
}

/// What the containers of a revision print to, as the effect of registering it keeps it.
pub(crate) fn log_groups(definition: &Json, region: &str) -> Json {
    let containers = definition["containerDefinitions"].as_array().into_iter().flatten();
    let groups = containers.filter_map(|it| {
        let log = &it["logConfiguration"];
        let options = &log["options"];
        let group = options["awslogs-group"].as_str().filter(|_| log["logDriver"] == "awslogs")?;
        Some((options["awslogs-region"].as_str().unwrap_or(region), group))
    });
    let groups: BTreeSet<(&str, &str)> = groups.collect();
    let few = groups.iter().take(GROUPS_MAX);
    few.map(|(region, group)| json!({ "region": region, "group": group })).collect()
}
