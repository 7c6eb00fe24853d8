//! What a role must be allowed to do for backups: snapshots of our own names, of this database.

use iam::{Policy, Statement};

use crate::body::{Dump, Rds, secret_call};

/// The policy for backups of a database in this account. Restoring is not in it: a person does that,
/// with a role of their own.
pub fn permissions(rds: &Rds, account: &str) -> Policy {
    let Rds { database, is_cluster, region, .. } = rds;
    let partition = if region.starts_with("cn-") { "aws-cn" } else { "aws" };
    let arn = |what: &str| format!("arn:{partition}:rds:{region}:{account}:{what}");
    let (kind, snapshot, actions) = if *is_cluster {
        let actions =
            ["DescribeDBClusters", "DescribeDBClusterSnapshots", "CreateDBClusterSnapshot"];
        ("cluster", "cluster-snapshot", actions)
    } else {
        ("db", "snapshot", ["DescribeDBInstances", "DescribeDBSnapshots", "CreateDBSnapshot"])
    };
    let snapshots = arn(&format!("{snapshot}:launchway-*"));
    let statement = |name: &str, actions: &[String], resources: Vec<String>| Statement {
        name: name.to_owned(),
        actions: actions.to_vec(),
        resources,
        conditions: Vec::new(),
    };
    let actions = actions.map(|it| format!("rds:{it}"));
    let database = arn(&format!("{kind}:{database}"));
    Policy {
        statements: vec![
            statement("Backups", &actions, vec![database, snapshots.clone()]),
            statement("TagsOfBackups", &["rds:AddTagsToResource".to_owned()], vec![snapshots]),
        ],
    }
}

/// The policy for dumps into a bucket: objects of our own names, and the addresses that AWS keeps.
pub fn dump_permissions(dump: &Dump, account: &str) -> Policy {
    let Dump { url, bucket, prefix, region, scratch, .. } = dump;
    let partition = if region.starts_with("cn-") { "aws-cn" } else { "aws" };
    let of_bucket = format!("arn:{partition}:s3:::{bucket}");
    let statement = |name: &str, actions: &[&str], resource: String| Statement {
        name: name.to_owned(),
        actions: actions.iter().map(|it| (*it).to_owned()).collect(),
        resources: vec![resource],
        conditions: Vec::new(),
    };
    let objects = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"];
    let mut statements = vec![
        statement("Dumps", &objects, format!("{of_bucket}/{prefix}launchway-*")),
        // Without the first nobody is told that there is no such object.
        statement(
            "BucketOfDumps",
            &["s3:ListBucket", "s3:ListBucketMultipartUploads"],
            of_bucket.clone(),
        ),
    ];
    let names = ["AddressOfDatabase", "AddressOfScratch"];
    for (name, reference) in names.iter().zip([Some(url), scratch.as_ref()]) {
        let Some((reference, call)) = reference.and_then(|it| Some((it, secret_call(it)?))) else {
            continue;
        };
        let id = reference.split_once(':').map_or(reference.as_str(), |it| it.1);
        let id = id.split('#').next().unwrap_or(id);
        let resource = match call {
            _ if id.starts_with("arn:") => id.to_owned(),
            _ if reference.starts_with("arn:") => reference.clone(),
            // AWS puts six letters behind a name.
            "secretsmanager:GetSecretValue" => {
                format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{id}-??????")
            }
            _ => {
                let id = id.trim_start_matches('/');
                format!("arn:{partition}:ssm:{region}:{account}:parameter/{id}")
            }
        };
        statements.push(statement(name, &[call], resource));
    }
    Policy { statements }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a step's plan names is allowed.
    #[test]
    fn every_call_of_a_step_is_allowed() {
        for is_cluster in [false, true] {
            let rds = Rds {
                database: "planner-db".to_owned(),
                is_cluster,
                region: "eu-central-1".to_owned(),
                account: None,
            };
            let policy = permissions(&rds, "111122223333");
            let allowed = policy.actions();
            let step = rds.step("api", std::time::Duration::from_secs(60));
            for call in step.calls.iter().filter(|it| !it.starts_with("sts:")) {
                assert!(allowed.contains(&&**call), "{call}");
            }
        }
    }

    #[test]
    fn every_call_of_a_dump_is_allowed() {
        let check = |url: &str, resource: &str| {
            let dump = Dump {
                name: "planner-production".to_owned(),
                url: url.to_owned(),
                bucket: "backups".to_owned(),
                prefix: "planner/".to_owned(),
                region: "eu-central-1".to_owned(),
                account: None,
                scratch: None,
            };
            let policy = dump_permissions(&dump, "111122223333");
            let allowed = policy.actions();
            let step = dump.step("api", std::time::Duration::from_secs(60), None);
            for call in step.calls.iter().filter(|it| !it.starts_with("sts:")) {
                assert!(allowed.contains(&&**call), "{call}");
            }
            let resources = policy.statements.iter().flat_map(|it| &it.resources);
            let named: Vec<&String> = resources.skip(2).collect();
            assert_eq!(named, Vec::from_iter(Some(resource).filter(|it| !it.is_empty())), "{url}");
        };
        check("local:DATABASE_URL", "");
        check(
            "secretsmanager:planner/db#url",
            "arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-??????",
        );
        check("ssm:/planner/url", "arn:aws:ssm:eu-central-1:111122223333:parameter/planner/url");
        let arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf";
        check(&format!("secretsmanager:{arn}#url"), arn);
    }
}
