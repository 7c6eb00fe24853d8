//! Addresses of pages of AWS's console, for people. Each partition of AWS has a console of its own, and each region a
//! host there. What stands in an address is coded, as the parts of names are that an ARN has before them.

use crate::client::encoded;

/// The console of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console<'r> {
    region: &'r str,
}

impl<'r> Console<'r> {
    /// Of a region; none where that is no name of one, for it is a part of the host, or it is of a partition whose
    /// console is not known here.
    pub fn of(region: &'r str) -> Option<Console<'r>> {
        let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        let is_name = !region.is_empty() && region.chars().all(is_plain);
        let is_elsewhere = region.contains("-iso") || region.starts_with("eusc-");
        (is_name && !is_elsewhere && !region.starts_with('-') && !region.ends_with('-'))
            .then_some(Console { region })
    }

    /// A service of ECS.
    pub fn ecs_service(&self, cluster: &str, service: &str) -> String {
        self.of_service(cluster, service, "health")
    }

    /// The deployments of a service of ECS.
    pub fn ecs_deployments(&self, cluster: &str, service: &str) -> String {
        self.of_service(cluster, service, "deployments")
    }

    /// A log group of CloudWatch.
    pub fn log_group(&self, group: &str) -> String {
        let (host, region) = (self.host(), self.region);
        // Behind the `#` the console codes twice, and has a `$` for each `%` of it.
        let coded = encoded(&encoded(group)).replace('%', "$");
        format!(
            "https://{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{coded}"
        )
    }

    fn of_service(&self, cluster: &str, service: &str, tab: &str) -> String {
        let (host, region) = (self.host(), self.region);
        let (cluster, service) = (encoded(name(cluster)), encoded(name(service)));
        format!("https://{host}/ecs/v2/clusters/{cluster}/services/{service}/{tab}?region={region}")
    }

    fn host(&self) -> String {
        let console = match self.region {
            it if it.starts_with("cn-") => "console.amazonaws.cn",
            it if it.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
            _ => "console.aws.amazon.com",
        };
        format!("{}.{console}", self.region)
    }
}

/// The name that an ARN ends in; a name is that itself.
fn name(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_a_console_of_its_own() {
        let check = |region: &str, expect: &str| {
            let console = Console::of(region).expect("a region");
            assert_eq!(console.ecs_service("main", "web"), expect);
        };
        check(
            "eu-central-1",
            "https://eu-central-1.console.aws.amazon.com/ecs/v2/clusters/main/services/web/health?region=eu-central-1",
        );
        check(
            "cn-north-1",
            "https://cn-north-1.console.amazonaws.cn/ecs/v2/clusters/main/services/web/health?region=cn-north-1",
        );
        check(
            "us-gov-west-1",
            "https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2/clusters/main/services/web/health?region=us-gov-west-1",
        );
        for other in
            ["", "example.com/", "a@b", "eu-central-1.example", "-eu", "eu-", "EU", "us-iso-east-1"]
        {
            assert_eq!(Console::of(other), None, "{other}");
        }
    }

    #[test]
    fn what_stands_in_an_address_is_coded() {
        let console = Console::of("eu-central-1").expect("a region");
        assert_eq!(
            console.log_group("/ecs/web app"),
            "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:log-groups/log-group/$252Fecs$252Fweb$2520app"
        );
        assert_eq!(
            console.ecs_deployments("arn:aws:ecs:eu-central-1:111122223333:cluster/main", "a?b#c"),
            "https://eu-central-1.console.aws.amazon.com/ecs/v2/clusters/main/services/a%3Fb%23c/deployments?region=eu-central-1"
        );
    }
}
