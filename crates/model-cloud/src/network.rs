//! What services of ECS stand on, and never make: roles of IAM, subnets and security groups of EC2.
//! All that is named is there, until it is taken away.

use crate::answer::Refused;
use crate::cloud::Cloud;
use crate::identity::{Form, iso, member};

/// The account's network.
pub(crate) const VPC: &str = "vpc-0model";
/// The security group of every load balancer.
pub(crate) const BALANCER_GROUP: &str = "sg-balancer";

pub(crate) fn unknown(operation: &str) -> Refused {
    Refused::new(
        "InvalidAction",
        format!("The action {operation} is not valid for this web service."),
    )
}

/// IAM.
pub(crate) fn iam(cloud: &Cloud, operation: &str, form: &Form) -> Result<String, Refused> {
    match operation {
        "GetRole" => {}
        "ListAccessKeys" => return Ok(access_keys(cloud)),
        _ => return Err(unknown(operation)),
    }
    let name = member(form, "RoleName")?;
    let arn = format!("arn:aws:iam::{}:role/{name}", cloud.names.account);
    if cloud.gone.contains(&arn) {
        let said = format!("The role with name {name} cannot be found.");
        return Err(Refused::new("NoSuchEntity", said).with_status(404));
    }
    Ok(format!(
        "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role>\
         <Path>/</Path><RoleName>{name}</RoleName><RoleId>AROAMODEL</RoleId><Arn>{arn}</Arn>\
         <CreateDate>2026-01-01T00:00:00Z</CreateDate></Role></GetRoleResult></GetRoleResponse>"
    ))
}

/// The one key of whoever asks.
fn access_keys(cloud: &Cloud) -> String {
    let made = iso(cloud.keys_made / 1000);
    format!(
        "<ListAccessKeysResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListAccessKeysResult>\
         <AccessKeyMetadata><member><UserName>deployer</UserName><AccessKeyId>AKIA{}</AccessKeyId>\
         <Status>Active</Status><CreateDate>{made}</CreateDate></member></AccessKeyMetadata>\
         <IsTruncated>false</IsTruncated></ListAccessKeysResult></ListAccessKeysResponse>",
        cloud.names.account
    )
}

/// EC2: its answers have no element around their result.
pub(crate) fn ec2(cloud: &Cloud, operation: &str, form: &Form) -> Result<String, Refused> {
    let xml = match operation {
        "DescribeSubnets" => {
            let id =
                there(cloud, member(form, "SubnetId.1")?, "InvalidSubnetID.NotFound", "subnet ID")?;
            format!(
                "<subnetSet><item><subnetId>{id}</subnetId><vpcId>{VPC}</vpcId>\
                 <state>available</state></item></subnetSet>"
            )
        }
        "DescribeSecurityGroups" => {
            let id = there(
                cloud,
                member(form, "GroupId.1")?,
                "InvalidGroup.NotFound",
                "security group",
            )?;
            let rules = if cloud.closed.contains(id) {
                String::new()
            } else {
                format!(
                    "<item><ipProtocol>tcp</ipProtocol><fromPort>0</fromPort><toPort>65535</toPort>\
                     <groups><item><groupId>{BALANCER_GROUP}</groupId></item></groups><ipRanges/>\
                     <ipv6Ranges/><prefixListIds/></item>"
                )
            };
            format!(
                "<securityGroupInfo><item><groupId>{id}</groupId><groupName>{id}</groupName>\
                 <vpcId>{VPC}</vpcId><ipPermissions>{rules}</ipPermissions></item></securityGroupInfo>"
            )
        }
        _ => return Err(unknown(operation)),
    };
    Ok(format!(
        "<{operation}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">{xml}\
         </{operation}Response>"
    ))
}

fn there<'a>(cloud: &Cloud, id: &'a str, code: &str, what: &str) -> Result<&'a str, Refused> {
    if cloud.gone.contains(id) {
        return Err(Refused::new(code, format!("The {what} '{id}' does not exist")));
    }
    Ok(id)
}

impl Cloud {
    /// The access key of whoever asks was made then, in milliseconds since 1970.
    pub fn keys_made(&mut self, at: u64) {
        self.keys_made = at;
    }

    /// From now on this security group takes no request of a load balancer.
    pub fn close(&mut self, group: &str) {
        self.closed.insert(group.to_owned());
    }
}

/// A refusal as EC2 writes it.
pub(crate) fn refusal(refused: &Refused, request_id: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>\
         <RequestID>{request_id}</RequestID></Response>",
        refused.code, refused.message
    )
}
