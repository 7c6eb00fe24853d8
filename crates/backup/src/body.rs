//! What a step of the kind backup says, as the plan writes it.

use std::time::Duration;

use event::{DeployStepKey, DeployStepKind, PlannedStep, Undo};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::postgres::Survey;
use crate::words::{size, text};

/// The body of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "backup", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// A snapshot of a database of RDS.
    Rds(Rds),
    /// A snapshot becomes a new database.
    Restore(Restore),
    /// A dump of a database of PostgreSQL.
    Dump(Dump),
    /// A dump becomes a new database.
    RestoreDump(RestoreDump),
}

/// A database of PostgreSQL that is dumped into a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dump {
    /// Which project and environment it is of, for the dump's name.
    pub name: String,
    /// Where the database's address lies, as the settings name it.
    pub url: String,
    /// The bucket.
    pub bucket: String,
    /// What names in it begin with: empty, or with a slash at its end.
    pub prefix: String,
    /// The bucket's region.
    pub region: String,
    /// The account that the credentials must be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Where the address of a server lies on which it is restored once, to prove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<String>,
}

/// A dump that is restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreDump {
    /// What it was taken of.
    pub of: Dump,
    /// Its name in the bucket, behind the prefix.
    pub object: String,
    /// Its digest.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// What the new database is called.
    pub new: String,
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

impl Dump {
    /// Of where the settings want it: `s3://bucket/prefix`.
    pub fn place(to: &str) -> (String, String) {
        let rest = to.strip_prefix("s3://").unwrap_or(to);
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        (bucket.to_owned(), format!("{prefix}{slash}"))
    }

    /// As a step before a service's change. `seen` is what the server said of the database, where it
    /// was asked.
    pub fn step(&self, service: &str, within: Duration, seen: Option<&Survey>) -> PlannedStep {
        let Dump { url, bucket, prefix, scratch, .. } = self;
        let seen = seen.map_or_else(String::new, |it| {
            format!(" (PostgreSQL {}, {} on its disk)", it.version, size(it.size_bytes))
        });
        let proof = match scratch {
            None => "reads it back",
            Some(_) => "reads it back, restores it once on a scratch server",
        };
        PlannedStep {
            key: DeployStepKey::new(service, "backup"),
            kind: DeployStepKind::Backup,
            what: text(format!(
                "dumps the database of {url}{seen} to s3://{bucket}/{prefix}, and {proof}; one is \
                 enough for all services"
            )),
            calls: self.calls(),
            undo: Undo::Nothing,
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1),
            body: json!(Body::Dump(self.clone())),
        }
    }

    fn calls(&self) -> Vec<std::sync::Arc<str>> {
        let secrets = [Some(&self.url), self.scratch.as_ref()];
        let mut calls: Vec<std::sync::Arc<str>> = vec!["sts:GetCallerIdentity".into()];
        for call in secrets.into_iter().flatten().filter_map(|it| secret_call(it)) {
            if !calls.iter().any(|it| **it == *call) {
                calls.push(call.into());
            }
        }
        calls.extend(DUMP_CALLS.iter().map(|it| (*it).into()));
        calls
    }
}

/// What S3 is asked for a dump.
const DUMP_CALLS: &[&str] =
    &["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucketMultipartUploads", "s3:PutObject"];

/// What AWS is asked for an address, where that lies there.
pub(crate) fn secret_call(reference: &str) -> Option<&'static str> {
    let is = |scheme: &str, arn: &str| {
        reference.starts_with(scheme)
            || reference.starts_with("arn:") && reference.split(':').nth(2) == Some(arn)
    };
    if is("secretsmanager:", "secretsmanager") {
        Some("secretsmanager:GetSecretValue")
    } else if is("ssm:", "ssm") {
        Some("ssm:GetParameters")
    } else {
        None
    }
}

impl RestoreDump {
    /// As a step of its own. The database that runs is never touched.
    pub fn step(&self, service: &str, within: Duration) -> PlannedStep {
        let RestoreDump { of, object, new, .. } = self;
        let reads = of.calls().into_iter();
        let reads = reads.filter(|it| !it.starts_with("s3:") || **it == *"s3:GetObject");
        PlannedStep {
            key: DeployStepKey::new(service, "restore"),
            kind: DeployStepKind::Backup,
            what: text(format!(
                "makes the new database {new} of {object}, on the server of {}; the one that runs \
                 stays as it is",
                of.url
            )),
            calls: reads.collect(),
            undo: Undo::Nothing,
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1),
            body: json!(Body::RestoreDump(self.clone())),
        }
    }

    /// What a person does to let the new database take the place of the old one, in order. What the
    /// old one is called only its address says.
    pub fn steps_to_switch(&self, environment: &str) -> Vec<String> {
        let RestoreDump { of, new, .. } = self;
        let url = &of.url;
        let new = format!("\"{}\"", new.replace('"', "\"\""));
        vec![
            format!("look at what is in it: it is on the server of {url}, beside the old one"),
            format!(
                "stop what writes to the old one: launchway scale {environment} --to 0 (what comes \
                 after this is lost)"
            ),
            "put the old one aside, connected to the database postgres: alter database OLD rename \
             to OLD_before (OLD is the name in the address)"
                .to_owned(),
            format!("let the new one take its name: alter database {new} rename to OLD"),
            format!("start what writes to it: launchway scale {environment} --to N"),
            "when everything is well, and not before: drop database OLD_before".to_owned(),
        ]
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
