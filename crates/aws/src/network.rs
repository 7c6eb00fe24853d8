//! What a service stands on in the network: subnets and security groups of EC2, target groups of
//! load balancers.

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;

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

/// It is there, unless AWS says this.
fn unless<T>(asked: Result<T, Fault>, not_found: &str) -> Result<bool, Fault> {
    match asked {
        Err(fault) if fault.is(not_found) => Ok(false),
        other => other.map(|_| true),
    }
}
