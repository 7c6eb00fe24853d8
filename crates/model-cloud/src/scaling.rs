//! Application Auto Scaling, as far as it says that it has a service. It changes no number by itself.

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, needed, texts, time};
use crate::cloud::Cloud;

/// A service that is scaled by itself.
#[derive(Clone, Debug)]
pub(crate) struct Scalable {
    resource: String,
    least: u64,
    most: u64,
    since: u64,
}

pub(crate) fn answer(cloud: &mut Cloud, operation: &str, body: &Json) -> Given {
    if needed(body, "ServiceNamespace")? != "ecs" {
        return Err(Refused::new("ValidationException", "the model scales services of ECS only"));
    }
    match operation {
        "RegisterScalableTarget" => register(cloud, body),
        "DescribeScalableTargets" => Ok(list(cloud, body)),
        _ => Err(Refused::new("UnknownOperationException", "")),
    }
}

fn register(cloud: &mut Cloud, body: &Json) -> Given {
    let resource = needed(body, "ResourceId")?.to_owned();
    cloud.scalable.retain(|it| it.resource != resource);
    cloud.scalable.push(Scalable {
        resource,
        least: body["MinCapacity"].as_u64().unwrap_or(0),
        most: body["MaxCapacity"].as_u64().unwrap_or(0),
        since: cloud.now,
    });
    Ok(json!({}))
}

fn list(cloud: &Cloud, body: &Json) -> Json {
    let wanted = texts(body, "ResourceIds");
    let is_wanted = |it: &&Scalable| wanted.is_empty() || wanted.contains(&it.resource);
    let shown = cloud.scalable.iter().filter(is_wanted).map(|it| {
        json!({"ServiceNamespace": "ecs", "ResourceId": it.resource,
            "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": it.least,
            "MaxCapacity": it.most, "RoleARN": "arn:aws:iam::1:role/scaling",
            "CreationTime": time(it.since)})
    });
    json!({ "ScalableTargets": shown.collect::<Vec<_>>() })
}
