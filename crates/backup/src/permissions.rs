//! What a role must be allowed to do for backups: snapshots of our own names, of this database.

use iam::{Policy, Statement};

use crate::body::Rds;

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
}
