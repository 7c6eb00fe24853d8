//! Which services there are, how their calls are spoken, and where they are.

use std::collections::BTreeMap;

/// A service, as far as anything here calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    AutoScaling,
    CloudWatch,
    Ec2,
    Ecr,
    EcrPublic,
    Ecs,
    Iam,
    LoadBalancing,
    Logs,
    Rds,
    S3,
    SecretsManager,
    Ssm,
    Sts,
}

/// How a service is spoken to.
struct Api {
    /// As signatures and policies name it.
    name: &'static str,
    /// The first part of its host, where it is not the name.
    host: &'static str,
    /// Before an operation's name in `x-amz-target`; empty for the query protocol.
    target: &'static str,
    /// Of its API, where that speaks the query protocol.
    version: &'static str,
    /// What AWS's own tools call it in `AWS_ENDPOINT_URL_...`.
    variable: &'static str,
}

const fn json(name: &'static str, target: &'static str, variable: &'static str) -> Api {
    Api { name, host: name, target, version: "", variable }
}

const fn query(name: &'static str, version: &'static str, variable: &'static str) -> Api {
    Api { name, host: name, target: "", version, variable }
}

static AUTO_SCALING: Api =
    json("application-autoscaling", "AnyScaleFrontendService", "APPLICATION_AUTO_SCALING");
static CLOUD_WATCH: Api =
    Api { name: "monitoring", ..query("monitoring", "2010-08-01", "CLOUDWATCH") };
static EC2: Api = query("ec2", "2016-11-15", "EC2");
static ECR: Api =
    Api { host: "api.ecr", ..json("ecr", "AmazonEC2ContainerRegistry_V20150921", "ECR") };
static ECR_PUBLIC: Api =
    Api { host: "api.ecr-public", ..json("ecr-public", "SpencerFrontendService", "ECR") };
static ECS: Api = json("ecs", "AmazonEC2ContainerServiceV20141113", "ECS");
static IAM: Api = query("iam", "2010-05-08", "IAM");
static LOAD_BALANCING: Api =
    query("elasticloadbalancing", "2015-12-01", "ELASTIC_LOAD_BALANCING_V2");
static LOGS: Api = json("logs", "Logs_20140328", "CLOUDWATCH_LOGS");
static RDS: Api = query("rds", "2014-10-31", "RDS");
static S3: Api = query("s3", "2006-03-01", "S3");
static SECRETS_MANAGER: Api = json("secretsmanager", "secretsmanager", "SECRETS_MANAGER");
static SSM: Api = json("ssm", "AmazonSSM", "SSM");
static STS: Api = query("sts", "2011-06-15", "STS");

/// Those with an endpoint that can be another.
const ALL: &[Service] = &[
    Service::AutoScaling,
    Service::CloudWatch,
    Service::Ec2,
    Service::Ecr,
    Service::EcrPublic,
    Service::Ecs,
    Service::Iam,
    Service::LoadBalancing,
    Service::Logs,
    Service::Rds,
    Service::S3,
    Service::SecretsManager,
    Service::Ssm,
    Service::Sts,
];

impl Service {
    fn api(self) -> &'static Api {
        match self {
            Service::AutoScaling => &AUTO_SCALING,
            Service::CloudWatch => &CLOUD_WATCH,
            Service::Ec2 => &EC2,
            Service::Ecr => &ECR,
            Service::EcrPublic => &ECR_PUBLIC,
            Service::Ecs => &ECS,
            Service::Iam => &IAM,
            Service::LoadBalancing => &LOAD_BALANCING,
            Service::Logs => &LOGS,
            Service::Rds => &RDS,
            Service::S3 => &S3,
            Service::SecretsManager => &SECRETS_MANAGER,
            Service::Ssm => &SSM,
            Service::Sts => &STS,
        }
    }

    /// As signatures name it.
    pub(crate) fn as_str(self) -> &'static str {
        self.api().name
    }

    /// Before an operation's name in `x-amz-target`.
    pub(crate) fn target(self) -> &'static str {
        self.api().target
    }

    /// Of its API, where that speaks the query protocol.
    pub(crate) fn version(self) -> &'static str {
        self.api().version
    }

    /// As policies name a call of it.
    pub(crate) fn action(self, operation: &str) -> String {
        // CloudWatch is signed by one name and allowed by another.
        let name = if self == Service::CloudWatch { "cloudwatch" } else { self.as_str() };
        format!("{name}:{operation}")
    }

    /// The region that its calls are signed for: IAM has one for the whole world.
    pub(crate) fn region(self, region: &str) -> &str {
        match self {
            Service::Iam if region.starts_with("cn-") => "cn-north-1",
            Service::Iam => "us-east-1",
            _ => region,
        }
    }
}

/// Where services are, where not at their usual places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    all: Option<String>,
    own: BTreeMap<Service, String>,
}

impl Endpoints {
    /// All of them at one place.
    pub fn at(url: &str) -> Endpoints {
        Endpoints { all: Some(url.to_owned()), own: BTreeMap::new() }
    }

    /// As AWS's own tools are told: `AWS_ENDPOINT_URL` for all, `AWS_ENDPOINT_URL_ECS` and its like
    /// for one. Empty is as good as none.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Endpoints {
        let variable = |name: &str| variable(name).filter(|it| !it.is_empty());
        let own = ALL.iter().filter_map(|service| {
            let url = variable(&format!("AWS_ENDPOINT_URL_{}", service.api().variable))?;
            Some((*service, url))
        });
        Endpoints { all: variable("AWS_ENDPOINT_URL"), own: own.collect() }
    }

    /// Sign-in is at another place.
    pub fn with_sign_in_at(mut self, url: String) -> Endpoints {
        self.own.insert(Service::Sts, url);
        self
    }

    pub(crate) fn url(&self, service: Service, region: &str) -> String {
        if let Some(url) = self.own.get(&service).or(self.all.as_ref()) {
            return format!("{}/", url.trim_end_matches('/'));
        }
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let host = service.api().host;
        match service {
            Service::Iam => format!("https://{host}.{suffix}/"),
            _ => format!("https://{host}.{region}.{suffix}/"),
        }
    }
}

impl Endpoints {
    /// Where an object is, or its bucket where the key is empty: `(https://host, /path)`.
    ///
    /// At AWS a bucket has a host of its own, but for names with a full stop: no certificate fits
    /// those. Elsewhere names under names are not to be counted on.
    pub(crate) fn object(&self, region: &str, bucket: &str, key: &str) -> (String, String) {
        let key = encoded_path(key);
        let told = self.own.get(&Service::S3).or(self.all.as_ref());
        if let Some(url) = told {
            return (url.trim_end_matches('/').to_owned(), format!("/{bucket}/{key}"));
        }
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        if bucket.contains('.') {
            return (format!("https://s3.{region}.{suffix}"), format!("/{bucket}/{key}"));
        }
        (format!("https://{bucket}.s3.{region}.{suffix}"), format!("/{key}"))
    }
}

/// A key as a URL has it: what parts it stays.
fn encoded_path(key: &str) -> String {
    key.split('/').map(crate::client::encoded).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_host_of_its_own_where_a_certificate_fits() {
        let usual = Endpoints::default();
        let at = |endpoints: &Endpoints, region, bucket, key| {
            let (host, path) = endpoints.object(region, bucket, key);
            format!("{host} {path}")
        };
        assert_eq!(
            at(&usual, "eu-central-1", "planner", "a b/ä+1.json"),
            "https://planner.s3.eu-central-1.amazonaws.com /a%20b/%C3%A4%2B1.json"
        );
        assert_eq!(
            at(&usual, "cn-north-1", "planner.dumps", ""),
            "https://s3.cn-north-1.amazonaws.com.cn /planner.dumps/"
        );
        let told = Endpoints::of(|name| match name {
            "AWS_ENDPOINT_URL" => Some("http://all:1".to_owned()),
            "AWS_ENDPOINT_URL_S3" => Some("http://s3:2/".to_owned()),
            _ => None,
        });
        assert_eq!(at(&told, "r", "planner", "k"), "http://s3:2 /planner/k");
    }

    #[test]
    fn services_are_at_their_usual_places_or_where_the_environment_says() {
        let usual = Endpoints::default();
        let url = |service| usual.url(service, "eu-central-1");
        assert_eq!(url(Service::Ecr), "https://api.ecr.eu-central-1.amazonaws.com/");
        assert_eq!(url(Service::CloudWatch), "https://monitoring.eu-central-1.amazonaws.com/");
        assert_eq!(url(Service::Iam), "https://iam.amazonaws.com/");
        assert_eq!(
            usual.url(Service::Ecs, "cn-north-1"),
            "https://ecs.cn-north-1.amazonaws.com.cn/"
        );
        let told = Endpoints::of(|name| match name {
            "AWS_ENDPOINT_URL" => Some("http://all:1/".to_owned()),
            "AWS_ENDPOINT_URL_RDS" => Some("http://rds:2".to_owned()),
            "AWS_ENDPOINT_URL_ECS" => Some(String::new()),
            _ => None,
        });
        assert_eq!(told.url(Service::Rds, "r"), "http://rds:2/");
        assert_eq!(told.url(Service::Ecs, "r"), "http://all:1/");
    }
}
