//! Databases of RDS and their snapshots: of instances, and of Aurora's clusters.

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;
use crate::xml::{child, element, elements};

/// What a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// An instance.
    Instance,
    /// A cluster of Aurora.
    Cluster,
}

/// How AWS's words differ between the two.
struct Words {
    /// `DBInstance`, `DBCluster`.
    what: &'static str,
    /// `DBSnapshot`, `DBClusterSnapshot`.
    snapshot: &'static str,
    /// What is said where there is no such snapshot.
    no_snapshot: &'static str,
    /// What is said where there is no such database.
    no_database: &'static str,
    status: &'static str,
}

impl Database {
    fn words(self) -> &'static Words {
        match self {
            Database::Instance => &Words {
                what: "DBInstance",
                snapshot: "DBSnapshot",
                no_snapshot: "DBSnapshotNotFound",
                no_database: "DBInstanceNotFound",
                status: "DBInstanceStatus",
            },
            Database::Cluster => &Words {
                what: "DBCluster",
                snapshot: "DBClusterSnapshot",
                no_snapshot: "DBClusterSnapshotNotFoundFault",
                no_database: "DBClusterNotFoundFault",
                status: "Status",
            },
        }
    }
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// The database that it is of.
    pub database: String,
    /// `creating`, `available` and so on.
    pub status: String,
    /// `postgres`, `aurora-postgresql` and so on.
    pub engine: String,
    /// How much of it is done.
    pub percent: u32,
    /// When it was begun, as AWS writes it; none while it waits.
    pub created_at: Option<String>,
}

/// A database, as far as one that takes its place would be like it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseState {
    /// `available`, `backing-up` and so on.
    pub status: String,
    /// `postgres`, `aurora-postgresql` and so on.
    pub engine: String,
    /// The class of its machine; none for a cluster.
    pub class: Option<String>,
    /// Its group of subnets.
    pub subnet_group: Option<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Its group of parameters.
    pub parameter_group: Option<String>,
    /// It has a second one in another zone.
    pub is_multi_zone: bool,
    /// The instances of a cluster.
    pub members: Vec<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

impl Client {
    /// A snapshot by its name; none where there is none.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn snapshot(&mut self, of: Database, id: &str) -> Result<Option<Snapshot>, Fault> {
        let words = of.words();
        let operation = format!("Describe{}s", words.snapshot);
        let member = format!("{}Identifier", words.snapshot);
        let reply = match self.ask(Service::Rds, &operation, &[(&member, id)]) {
            Err(fault) if fault.is(words.no_snapshot) => return Ok(None),
            other => other?,
        };
        Ok(element(&reply.body, words.snapshot).map(|it| snapshot(words, it)))
    }

    /// A snapshot is to be taken, with these tags.
    ///
    /// # Errors
    /// When AWS refuses it, or does not answer: then it may have been done.
    pub fn create_snapshot(
        &mut self,
        of: Database,
        (id, database): (&str, &str),
        tags: &[(&str, &str)],
    ) -> Result<Snapshot, Fault> {
        let words = of.words();
        let operation = format!("Create{}", words.snapshot);
        let (snapshot_member, database_member) =
            (format!("{}Identifier", words.snapshot), format!("{}Identifier", words.what));
        let keys = tag_members(tags);
        let mut members =
            vec![(snapshot_member.as_str(), id), (database_member.as_str(), database)];
        members.extend(keys.iter().map(|(key, value)| (key.as_str(), *value)));
        let reply = self.ask(Service::Rds, &operation, &members)?;
        Ok(snapshot(words, element(&reply.body, words.snapshot).unwrap_or_default()))
    }

    /// A database by its name; none where there is none.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn database(&mut self, of: Database, id: &str) -> Result<Option<DatabaseState>, Fault> {
        let words = of.words();
        let operation = format!("Describe{}s", words.what);
        let member = format!("{}Identifier", words.what);
        let reply = match self.ask(Service::Rds, &operation, &[(&member, id)]) {
            Err(fault) if fault.is(words.no_database) => return Ok(None),
            other => other?,
        };
        Ok(element(&reply.body, words.what).map(|it| state(of, words, it)))
    }

    /// A database of another name is to be made of a snapshot, like the one it was taken of, with
    /// these tags.
    ///
    /// # Errors
    /// When AWS refuses it, or does not answer: then it may have been done.
    pub fn restore_snapshot(
        &mut self,
        of: Database,
        (snapshot, new): (&str, &str),
        like: &DatabaseState,
        tags: &[(&str, &str)],
    ) -> Result<(), Fault> {
        let keys = tag_members(tags);
        let groups: Vec<String> = (1..=like.security_groups.len())
            .map(|at| format!("VpcSecurityGroupIds.VpcSecurityGroupId.{at}"))
            .collect();
        let (operation, mut members) = match of {
            Database::Instance => (
                "RestoreDBInstanceFromDBSnapshot",
                vec![("DBSnapshotIdentifier", snapshot), ("DBInstanceIdentifier", new)],
            ),
            Database::Cluster => (
                "RestoreDBClusterFromSnapshot",
                vec![
                    ("SnapshotIdentifier", snapshot),
                    ("DBClusterIdentifier", new),
                    ("Engine", &like.engine),
                ],
            ),
        };
        if let Some(class) = &like.class {
            members.push(("DBInstanceClass", class));
        }
        if let Some(group) = &like.subnet_group {
            members.push(("DBSubnetGroupName", group));
        }
        match (&like.parameter_group, of) {
            (Some(group), Database::Instance) => members.push(("DBParameterGroupName", group)),
            (Some(group), Database::Cluster) => {
                members.push(("DBClusterParameterGroupName", group));
            }
            (None, _) => {}
        }
        if like.is_multi_zone && of == Database::Instance {
            members.push(("MultiAZ", "true"));
        }
        members.extend(
            groups.iter().map(String::as_str).zip(like.security_groups.iter().map(String::as_str)),
        );
        members.extend(keys.iter().map(|(key, value)| (key.as_str(), *value)));
        self.ask(Service::Rds, operation, &members).map(drop)
    }
}

/// Tags as members of a request.
fn tag_members<'a>(tags: &[(&'a str, &'a str)]) -> Vec<(String, &'a str)> {
    let both = |(at, (key, value)): (usize, &(&'a str, &'a str))| {
        let member = |word: &str| format!("Tags.Tag.{}.{word}", at + 1);
        [(member("Key"), *key), (member("Value"), *value)]
    };
    tags.iter().enumerate().flat_map(both).collect()
}

/// What is in a snapshot's element.
fn snapshot(words: &Words, xml: &str) -> Snapshot {
    let of = |name: &str| child(xml, name);
    Snapshot {
        id: of(&format!("{}Identifier", words.snapshot)).unwrap_or_default(),
        arn: of(&format!("{}Arn", words.snapshot)).unwrap_or_default(),
        database: of(&format!("{}Identifier", words.what)).unwrap_or_default(),
        status: of("Status").unwrap_or_default(),
        engine: of("Engine").unwrap_or_default(),
        percent: of("PercentProgress").and_then(|it| it.parse().ok()).unwrap_or(0),
        created_at: of("SnapshotCreateTime"),
    }
}

/// What is in a database's element.
fn state(of: Database, words: &Words, xml: &str) -> DatabaseState {
    let inside = |it: &str, name: &str| element(xml, it).and_then(|it| child(it, name));
    let (subnet_group, parameter_group) = match of {
        Database::Instance => (
            inside("DBSubnetGroup", "DBSubnetGroupName"),
            inside("DBParameterGroup", "DBParameterGroupName"),
        ),
        Database::Cluster => (child(xml, "DBSubnetGroup"), child(xml, "DBClusterParameterGroup")),
    };
    let groups = element(xml, "VpcSecurityGroups").unwrap_or_default();
    let members = element(xml, "DBClusterMembers").unwrap_or_default();
    let named = |it: &str| child(it, "DBInstanceIdentifier");
    let tags = elements(element(xml, "TagList").unwrap_or_default(), "Tag");
    let tags = tags.into_iter().filter_map(|it| Some((child(it, "Key")?, child(it, "Value")?)));
    DatabaseState {
        status: child(xml, words.status).unwrap_or_default(),
        engine: child(xml, "Engine").unwrap_or_default(),
        class: child(xml, "DBInstanceClass"),
        subnet_group,
        security_groups: elements(groups, "VpcSecurityGroupId")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        parameter_group,
        is_multi_zone: child(xml, "MultiAZ").as_deref() == Some("true"),
        members: elements(members, "DBClusterMember").into_iter().filter_map(named).collect(),
        tags: tags.collect(),
    }
}
