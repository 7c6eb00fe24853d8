//! CloudWatch Logs, as far as tasks write there.

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, needed};
use crate::cloud::Cloud;

/// A line of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: u64,
    pub(crate) text: String,
}

/// The most lines of one answer.
const LINES_MAX: usize = 10_000;

pub(crate) fn answer(cloud: &Cloud, operation: &str, body: &Json) -> Given {
    match operation {
        "GetLogEvents" => get_log_events(cloud, body),
        "DescribeLogGroups" => Ok(groups(cloud, body)),
        _ => Err(Refused::new("UnknownOperationException", "")),
    }
}

/// Groups are there that task definitions name, unless they were taken away.
fn groups(cloud: &Cloud, body: &Json) -> Json {
    let prefix = body["logGroupNamePrefix"].as_str().unwrap_or_default();
    let arn = |name: &str| {
        let names = &cloud.names;
        format!("arn:aws:logs:{}:{}:log-group:{name}:*", names.region, names.account)
    };
    let definitions = cloud.families.values().flatten();
    let containers = definitions.flat_map(crate::definitions::Definition::containers);
    let named =
        containers.filter_map(|it| it["logConfiguration"]["options"]["awslogs-group"].as_str());
    let mut names: Vec<&str> = named.filter(|it| it.starts_with(prefix)).collect();
    names.sort_unstable();
    names.dedup();
    let there = names.into_iter().filter(|it| !cloud.gone.contains(*it));
    let groups = there.map(|it| json!({"logGroupName": it, "arn": arn(it), "storedBytes": 0}));
    json!({ "logGroups": groups.collect::<Vec<_>>() })
}

fn get_log_events(cloud: &Cloud, body: &Json) -> Given {
    let group = needed(body, "logGroupName")?;
    let stream = needed(body, "logStreamName")?;
    let found = cloud.logs.get(&(group.to_owned(), stream.to_owned()));
    let Some(lines) = found else {
        let said = "The specified log stream does not exist.";
        return Err(Refused::new("ResourceNotFoundException", said));
    };
    let limit = body
        .get("limit")
        .and_then(Json::as_u64)
        .map_or(LINES_MAX, |it| usize::try_from(it).unwrap_or(LINES_MAX).clamp(1, LINES_MAX));
    let token = body.get("nextToken").and_then(Json::as_str);
    let from = match token.and_then(|it| it.split_once('/')) {
        Some(("f", at)) => at.parse().unwrap_or(lines.len()).min(lines.len()),
        Some((_, _)) => lines.len(),
        None if body.get("startFromHead").and_then(Json::as_bool) == Some(true) => 0,
        // Without a token and from the tail: the last ones.
        None => lines.len().saturating_sub(limit),
    };
    let until = (from + limit).min(lines.len());
    let events = lines[from..until]
        .iter()
        .map(|line| json!({"timestamp": line.at, "message": line.text, "ingestionTime": line.at}));
    Ok(json!({
        "events": events.collect::<Vec<_>>(),
        "nextForwardToken": format!("f/{until}"),
        "nextBackwardToken": format!("b/{from}"),
    }))
}
