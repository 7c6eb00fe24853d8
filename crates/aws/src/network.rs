//! What a service stands on in the network: subnets and security groups of EC2, target groups of
//! load balancers.

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;
use crate::xml::{child, children, element};

/// A task behind a target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// Its address or instance.
    pub id: String,
    /// `initial`, `healthy`, `unhealthy`, `unused`, `draining`, `unavailable`.
    pub state: String,
    /// Why it is not healthy, as a word of AWS: `Target.Timeout`.
    pub reason: Option<String>,
    /// The same in a sentence.
    pub description: Option<String>,
}

/// What a security group lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// The ports, both ends within; none for every port.
    pub ports: Option<(u16, u16)>,
    /// From security groups.
    pub groups: Vec<String>,
    /// From addresses.
    pub addresses: Vec<String>,
}

impl Client {
    /// Whether there is such a subnet.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn has_subnet(&mut self, id: &str) -> Result<bool, Fault> {
        let asked = self.ask(Service::Ec2, "DescribeSubnets", &[("SubnetId.1", id)]);
        unless(asked, "InvalidSubnetID.NotFound")
    }

    /// Whether there is such a security group.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn has_security_group(&mut self, id: &str) -> Result<bool, Fault> {
        let asked = self.ask(Service::Ec2, "DescribeSecurityGroups", &[("GroupId.1", id)]);
        unless(asked, "InvalidGroup.NotFound")
    }

    /// Whether there is such a target group.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn has_target_group(&mut self, arn: &str) -> Result<bool, Fault> {
        let members = [("TargetGroupArns.member.1", arn)];
        let asked = self.ask(Service::LoadBalancing, "DescribeTargetGroups", &members);
        unless(asked, "TargetGroupNotFound")
    }
}

impl Client {
    /// How the tasks behind a target group are, as its load balancer sees them.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn target_health(&mut self, target_group: &str) -> Result<Vec<TargetHealth>, Fault> {
        let members = [("TargetGroupArn", target_group)];
        let reply = self.ask(Service::LoadBalancing, "DescribeTargetHealth", &members)?;
        let list = element(&reply.body, "TargetHealthDescriptions").unwrap_or_default();
        Ok(children(list, "member").into_iter().filter_map(target).collect())
    }

    /// The security groups of the load balancers in front of a target group; none where they have
    /// none, as those of the network layer may.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn groups_before(&mut self, target_group: &str) -> Result<Vec<String>, Fault> {
        let members = [("TargetGroupArns.member.1", target_group)];
        let reply = self.ask(Service::LoadBalancing, "DescribeTargetGroups", &members)?;
        let balancers = element(&reply.body, "LoadBalancerArns").unwrap_or_default();
        let mut groups = Vec::new();
        for arn in children(balancers, "member") {
            let members = [("LoadBalancerArns.member.1", arn)];
            let reply = self.ask(Service::LoadBalancing, "DescribeLoadBalancers", &members)?;
            let list = element(&reply.body, "SecurityGroups").unwrap_or_default();
            groups.extend(children(list, "member").into_iter().map(str::to_owned));
        }
        Ok(groups)
    }

    /// What a security group lets in by TCP.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn ingress(&mut self, security_group: &str) -> Result<Vec<Ingress>, Fault> {
        let members = [("GroupId.1", security_group)];
        let reply = self.ask(Service::Ec2, "DescribeSecurityGroups", &members)?;
        let list = element(&reply.body, "ipPermissions").unwrap_or_default();
        let tcp = |xml: &&str| {
            child(xml, "ipProtocol").is_some_and(|it| ["tcp", "6", "-1"].contains(&it.as_str()))
        };
        Ok(children(list, "item").into_iter().filter(tcp).map(ingress).collect())
    }
}

fn target(xml: &str) -> Option<TargetHealth> {
    let health = element(xml, "TargetHealth")?;
    Some(TargetHealth {
        id: child(element(xml, "Target")?, "Id")?,
        state: child(health, "State")?,
        reason: child(health, "Reason"),
        description: child(health, "Description"),
    })
}

fn ingress(xml: &str) -> Ingress {
    let port = |name: &str| child(xml, name)?.parse().ok();
    let all = |list: &str, name: &str| -> Vec<String> {
        let list = element(xml, list).unwrap_or_default();
        children(list, "item").into_iter().filter_map(|it| child(it, name)).collect()
    };
    let mut addresses = all("ipRanges", "cidrIp");
    addresses.extend(all("ipv6Ranges", "cidrIpv6"));
    addresses.extend(all("prefixListIds", "prefixListId"));
    let ports = port("fromPort").zip(port("toPort"));
    Ingress { ports, groups: all("groups", "groupId"), addresses }
}

/// It is there, unless AWS says this.
fn unless<T>(asked: Result<T, Fault>, not_found: &str) -> Result<bool, Fault> {
    match asked {
        Err(fault) if fault.is(not_found) => Ok(false),
        other => other.map(|_| true),
    }
}
