//! What a step of the kind backup says, as the plan writes it.

use std::time::Duration;

use event::{DeployStepKey, DeployStepKind, PlannedStep, Undo};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::words::text;

/// The body of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "backup", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// A snapshot of a database of RDS.
    Rds(Rds),
    /// A snapshot becomes a new database.
    Restore(Restore),
}

/// A snapshot that is restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The database that it was taken of.
    pub of: Rds,
    /// The snapshot.
    pub snapshot: String,
    /// What the new database is called.
    pub new: String,
}

/// A database of RDS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rds {
    /// Its name.
    pub database: String,
    /// It is a cluster of Aurora.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cluster: bool,
    /// Its region.
    pub region: String,
    /// The account it is in. With credentials of another one, nothing is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Body {
    /// Of a step's body.
    ///
    /// # Errors
    /// When it is not one of ours.
    pub fn read(body: &Json) -> Result<Body, serde_json::Error> {
        Body::deserialize(body)
    }
}

impl Rds {
    /// As a step before a service's change.
    pub fn step(&self, service: &str, within: Duration) -> PlannedStep {
        let Rds { database, .. } = self;
        PlannedStep {
            key: DeployStepKey::new(service, "backup"),
            kind: DeployStepKind::Backup,
            what: text(format!(
                "takes a snapshot of {database} and waits until it is available; one is enough for \
                 all services"
            )),
            calls: self.calls(),
            undo: Undo::Nothing,
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1),
            body: json!(Body::Rds(self.clone())),
        }
    }

    fn word(&self) -> &'static str {
        if self.is_cluster { "cluster" } else { "instance" }
    }

    fn calls(&self) -> Vec<std::sync::Arc<str>> {
        let own: [&str; 3] = if self.is_cluster {
            ["DescribeDBClusterSnapshots", "DescribeDBClusters", "CreateDBClusterSnapshot"]
        } else {
            ["DescribeDBSnapshots", "DescribeDBInstances", "CreateDBSnapshot"]
        };
        let own = own.map(|it| format!("rds:{it}").into());
        ["sts:GetCallerIdentity".into()].into_iter().chain(own).collect()
    }
}

impl Restore {
    /// As a step of its own. The database that runs is looked at, and never touched.
    pub fn step(&self, service: &str, within: Duration) -> PlannedStep {
        let Restore { of, snapshot, new } = self;
        let restore = if of.is_cluster {
            "rds:RestoreDBClusterFromSnapshot"
        } else {
            "rds:RestoreDBInstanceFromDBSnapshot"
        };
        // Whoever restores looks as whoever takes one does, and takes none.
        let looks = of.calls().into_iter().filter(|it| !it.contains(":Create"));
        PlannedStep {
            key: DeployStepKey::new(service, "restore"),
            kind: DeployStepKind::Backup,
            what: text(format!(
                "makes the new {} {new} of {snapshot}; {} stays as it is",
                of.word(),
                of.database
            )),
            calls: looks.chain([restore.into()]).collect(),
            undo: Undo::Nothing,
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1),
            body: json!(Body::Restore(self.clone())),
        }
    }

    /// What a person does to let the new database take the place of the old one, in order.
    pub fn steps_to_switch(&self, environment: &str) -> Vec<String> {
        let Restore { of, new, .. } = self;
        let (word, old, region) = (of.word(), &of.database, &of.region);
        let rename = |from: &str, to: &str| {
            format!(
                "aws rds modify-db-{word} --region {region} --db-{word}-identifier {from} \
                 --new-db-{word}-identifier {to} --apply-immediately"
            )
        };
        let mut steps = Vec::new();
        if of.is_cluster {
            steps.push(format!(
                "give it an instance: aws rds create-db-instance --region {region} \
                 --db-cluster-identifier {new} --db-instance-identifier {new}-1 --engine ENGINE \
                 --db-instance-class CLASS (as those of {old} have it)"
            ));
        }
        steps.extend([
            format!(
                "look at what is in it, at the address that aws rds describe-db-{word}s says; it has \
                 network and parameters of {old}, or the account's usual ones where that is gone"
            ),
            format!(
                "stop what writes to {old}: launchway scale {environment} --to 0 (what comes after \
                 this is lost)"
            ),
            format!("put the old one aside: {}", rename(old, &format!("{old}-before"))),
            format!("when that is done, let the new one take its name: {}", rename(new, old)),
            format!("start what writes to it: launchway scale {environment} --to N"),
            format!("when everything is well, and not before, delete {old}-before"),
        ]);
        steps
    }
}
