//! Application Auto Scaling: who else has a say in how many tasks a service has.

use serde_json::json;

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;

/// Between how many tasks a service is scaled by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaledBetween {
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
}

impl Client {
    /// Whether a service of ECS is scaled by itself, and how far.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn scaled_between(
        &mut self,
        cluster: &str,
        service: &str,
    ) -> Result<Option<ScaledBetween>, Fault> {
        let body = json!({
            "ServiceNamespace": "ecs",
            "ResourceIds": [format!("service/{cluster}/{service}")],
            "ScalableDimension": "ecs:service:DesiredCount",
        });
        let answer = self.call(Service::AutoScaling, "DescribeScalableTargets", &body)?;
        let found = &answer["ScalableTargets"][0];
        let (least, most) = (found["MinCapacity"].as_u64(), found["MaxCapacity"].as_u64());
        Ok(least.zip(most).map(|(least, most)| ScaledBetween { least, most }))
    }
}
