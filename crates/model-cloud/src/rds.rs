//! RDS, as far as backups meet it: databases and their snapshots, which take their time. The query
//! protocol, answered in XML.

use std::fmt::Write as _;

use crate::answer::Refused;
use crate::cloud::Cloud;
use crate::identity::{Form, iso, member};

/// How long a snapshot takes, unless it says otherwise.
const SNAPSHOT_MS: u64 = 120_000;
/// How long it waits before anything of it is done.
const BEGINS_MS: u64 = 10_000;

/// What the words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Instance,
    Cluster,
}

/// A database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    kind: Kind,
    id: String,
    engine: String,
    class: String,
    subnet_group: String,
    security_group: String,
    /// Set from outside: `backing-up`, `stopped`.
    status: Option<String>,
    /// From then on it is there.
    available_at: u64,
    tags: Vec<(String, String)>,
}

/// A snapshot of one.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    kind: Kind,
    id: String,
    database: String,
    asked_at: u64,
    takes_ms: u64,
    /// It comes to nothing.
    fails: bool,
    tags: Vec<(String, String)>,
    engine: String,
}

/// How snapshots go from now on.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    pub(crate) takes_ms: u64,
    pub(crate) fail: bool,
    pub(crate) quota: usize,
}

impl Default for Snapshots {
    fn default() -> Snapshots {
        Snapshots { takes_ms: SNAPSHOT_MS, fail: false, quota: 100 }
    }
}

impl Cloud {
    /// A database of this name is there; a cluster of Aurora where that is wanted.
    pub fn add_database(&mut self, id: &str, is_cluster: bool) {
        let kind = if is_cluster { Kind::Cluster } else { Kind::Instance };
        let engine = if is_cluster { "aurora-postgresql" } else { "postgres" };
        self.databases.push(Database {
            kind,
            id: id.to_owned(),
            engine: engine.to_owned(),
            class: "db.t4g.medium".to_owned(),
            subnet_group: "planner-private".to_owned(),
            security_group: "sg-0database".to_owned(),
            status: None,
            available_at: self.now,
            tags: Vec::new(),
        });
    }

    /// How a database is: `backing-up`, `stopped`; `available` lets it be as it is.
    pub fn set_database_status(&mut self, id: &str, status: &str) {
        for it in self.databases.iter_mut().filter(|it| it.id == id) {
            it.status = (status != "available").then(|| status.to_owned());
        }
    }

    /// How long snapshots and new databases take that are asked for from now on, and whether they come to nothing.
    pub fn snapshots_take(&mut self, milliseconds: u64, fail: bool) {
        self.snapshotting.takes_ms = milliseconds;
        self.snapshotting.fail = fail;
    }

    /// How many snapshots the account may have.
    pub fn set_snapshot_quota(&mut self, quota: usize) {
        self.snapshotting.quota = quota;
    }

    /// A database is gone.
    pub fn delete_database(&mut self, id: &str) {
        self.databases.retain(|it| it.id != id);
    }

    /// The names of all databases.
    pub fn databases(&self) -> Vec<&str> {
        self.databases.iter().map(|it| it.id.as_str()).collect()
    }

    /// The names of all snapshots.
    pub fn snapshots(&self) -> Vec<&str> {
        self.snapshots.iter().map(|it| it.id.as_str()).collect()
    }
}

impl Kind {
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Kind::Instance => ("DBInstance", "DBSnapshot", "snapshot"),
            Kind::Cluster => ("DBCluster", "DBClusterSnapshot", "cluster-snapshot"),
        }
    }

    fn no_database(self) -> &'static str {
        match self {
            Kind::Instance => "DBInstanceNotFound",
            Kind::Cluster => "DBClusterNotFoundFault",
        }
    }

    fn no_snapshot(self) -> &'static str {
        match self {
            Kind::Instance => "DBSnapshotNotFound",
            Kind::Cluster => "DBClusterSnapshotNotFoundFault",
        }
    }
}

/// Answers in XML.
pub(crate) fn answer(cloud: &mut Cloud, operation: &str, form: &Form) -> Result<String, Refused> {
    use Kind::{Cluster, Instance};
    let result = match operation {
        "CreateDBSnapshot" => create(cloud, Instance, form)?,
        "CreateDBClusterSnapshot" => create(cloud, Cluster, form)?,
        "DescribeDBSnapshots" => list(cloud, Instance, form)?,
        "DescribeDBClusterSnapshots" => list(cloud, Cluster, form)?,
        "DescribeDBInstances" => databases(cloud, Instance, form)?,
        "DescribeDBClusters" => databases(cloud, Cluster, form)?,
        "RestoreDBInstanceFromDBSnapshot" => restore(cloud, Instance, form)?,
        "RestoreDBClusterFromSnapshot" => restore(cloud, Cluster, form)?,
        _ => {
            let said = format!("Could not find operation {operation} for version 2014-10-31");
            return Err(Refused::new("InvalidAction", said));
        }
    };
    Ok(format!(
        "<{operation}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
         <{operation}Result>{result}</{operation}Result></{operation}Response>"
    ))
}

fn status_of(cloud: &Cloud, it: &Database) -> String {
    match &it.status {
        Some(status) => status.clone(),
        None if cloud.now < it.available_at => "creating".to_owned(),
        None => "available".to_owned(),
    }
}

fn database<'a>(cloud: &'a Cloud, kind: Kind, id: &str) -> Result<&'a Database, Refused> {
    let found = cloud.databases.iter().find(|it| it.kind == kind && it.id == id);
    found.ok_or_else(|| {
        Refused::new(kind.no_database(), format!("{id} not found.")).with_status(404)
    })
}

fn create(cloud: &mut Cloud, kind: Kind, form: &Form) -> Result<String, Refused> {
    let (what, snapshot, _) = kind.words();
    let id = member(form, &format!("{snapshot}Identifier"))?.to_owned();
    let of = member(form, &format!("{what}Identifier"))?.to_owned();
    let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '-';
    let begins = id.chars().next().is_some_and(|it| it.is_ascii_alphabetic());
    if id.len() > 255
        || !begins
        || !id.chars().all(is_plain)
        || id.contains("--")
        || id.ends_with('-')
    {
        let said = format!("The parameter {snapshot}Identifier is not a valid identifier.");
        return Err(Refused::new("InvalidParameterValue", said));
    }
    if cloud.snapshots.iter().any(|it| it.kind == kind && it.id == id) {
        let code = match kind {
            Kind::Instance => "DBSnapshotAlreadyExists",
            Kind::Cluster => "DBClusterSnapshotAlreadyExistsFault",
        };
        let said = format!(
            "Cannot create the snapshot because one with the identifier {id} already exists."
        );
        return Err(Refused::new(code, said));
    }
    let found = database(cloud, kind, &of)?;
    let (status, engine) = (status_of(cloud, found), found.engine.clone());
    if status != "available" {
        let code = match kind {
            Kind::Instance => "InvalidDBInstanceState",
            Kind::Cluster => "InvalidDBClusterStateFault",
        };
        let said = format!("{of} is not in the available state: {status}.");
        return Err(Refused::new(code, said));
    }
    if cloud.snapshots.len() >= cloud.snapshotting.quota {
        let said = "Cannot create more than the allowed number of manual snapshots.";
        return Err(Refused::new("SnapshotQuotaExceeded", said));
    }
    let made = Snapshot {
        kind,
        id,
        database: of,
        asked_at: cloud.now,
        takes_ms: cloud.snapshotting.takes_ms,
        fails: cloud.snapshotting.fail,
        tags: tags(form),
        engine,
    };
    let xml = xml(cloud, &made);
    cloud.snapshots.push(made);
    Ok(xml)
}

/// The tags of a request.
fn tags(form: &Form) -> Vec<(String, String)> {
    let tag = |at: usize| {
        let of = |word: &str| {
            let key = format!("Tags.Tag.{at}.{word}");
            form.iter().find(|(it, _)| *it == key).map(|(_, value)| value.clone())
        };
        Some((of("Key")?, of("Value").unwrap_or_default()))
    };
    (1..).map_while(tag).collect()
}

fn tags_xml(tags: &[(String, String)]) -> String {
    let mut xml = String::new();
    for (key, value) in tags {
        let _ = write!(xml, "<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    }
    format!("<TagList>{xml}</TagList>")
}

fn xml(cloud: &Cloud, it: &Snapshot) -> String {
    let (what, snapshot, resource) = it.kind.words();
    let elapsed = cloud.now - it.asked_at;
    let is_over = elapsed >= it.takes_ms;
    let status = match (is_over, it.fails) {
        (false, _) => "creating",
        (true, true) => "failed",
        (true, false) => "available",
    };
    let percent = if is_over && !it.fails {
        100
    } else {
        (elapsed * 100).checked_div(it.takes_ms).unwrap_or(0).min(99)
    };
    let (region, account) = (&cloud.names.region, &cloud.names.account);
    let tags = tags_xml(&it.tags);
    // What waits has not begun.
    let created = if elapsed >= BEGINS_MS.min(it.takes_ms) {
        let at = iso(it.asked_at / 1000);
        format!("<SnapshotCreateTime>{at}</SnapshotCreateTime>")
    } else {
        String::new()
    };
    format!(
        "<{snapshot}>{tags}\
         <{snapshot}Identifier>{}</{snapshot}Identifier><{what}Identifier>{}</{what}Identifier>\
         <{snapshot}Arn>arn:aws:rds:{region}:{account}:{resource}:{}</{snapshot}Arn>\
         <Status>{status}</Status><PercentProgress>{percent}</PercentProgress>{created}\
         <SnapshotType>manual</SnapshotType><Engine>{}</Engine></{snapshot}>",
        it.id, it.database, it.id, it.engine
    )
}

fn list(cloud: &Cloud, kind: Kind, form: &Form) -> Result<String, Refused> {
    let (_, snapshot, _) = kind.words();
    let id = member(form, &format!("{snapshot}Identifier"))?;
    let found = cloud.snapshots.iter().find(|it| it.kind == kind && it.id == id);
    let found = found.ok_or_else(|| {
        Refused::new(kind.no_snapshot(), format!("{snapshot} {id} not found.")).with_status(404)
    })?;
    Ok(format!("<{snapshot}s>{}</{snapshot}s>", xml(cloud, found)))
}

fn databases(cloud: &Cloud, kind: Kind, form: &Form) -> Result<String, Refused> {
    let (what, ..) = kind.words();
    let it = database(cloud, kind, member(form, &format!("{what}Identifier"))?)?;
    Ok(format!("<{what}s>{}</{what}s>", database_xml(cloud, it)))
}

fn database_xml(cloud: &Cloud, it: &Database) -> String {
    let (region, account) = (&cloud.names.region, &cloud.names.account);
    let status = status_of(cloud, it);
    let tags = tags_xml(&it.tags);
    let Database { id, engine, class, subnet_group, security_group, .. } = it;
    let groups = format!(
        "<VpcSecurityGroups><VpcSecurityGroupMembership>\
         <VpcSecurityGroupId>{security_group}</VpcSecurityGroupId><Status>active</Status>\
         </VpcSecurityGroupMembership></VpcSecurityGroups>"
    );
    match it.kind {
        Kind::Instance => format!(
            "<DBInstance>{tags}<DBInstanceIdentifier>{id}</DBInstanceIdentifier>{groups}\
             <DBInstanceClass>{class}</DBInstanceClass><Engine>{engine}</Engine>\
             <DBInstanceStatus>{status}</DBInstanceStatus><MultiAZ>true</MultiAZ>\
             <DBSubnetGroup><DBSubnetGroupName>{subnet_group}</DBSubnetGroupName></DBSubnetGroup>\
             <DBParameterGroups><DBParameterGroup><DBParameterGroupName>planner-pg\
             </DBParameterGroupName></DBParameterGroup></DBParameterGroups>\
             <DBInstanceArn>arn:aws:rds:{region}:{account}:db:{id}</DBInstanceArn></DBInstance>"
        ),
        Kind::Cluster => format!(
            "<DBCluster>{tags}{groups}<DBClusterIdentifier>{id}</DBClusterIdentifier>\
             <Status>{status}</Status><Engine>{engine}</Engine><MultiAZ>true</MultiAZ>\
             <DBSubnetGroup>{subnet_group}</DBSubnetGroup>\
             <DBClusterParameterGroup>planner-aurora</DBClusterParameterGroup>\
             <DBClusterMembers><DBClusterMember><DBInstanceIdentifier>{id}-1</DBInstanceIdentifier>\
             <IsClusterWriter>true</IsClusterWriter></DBClusterMember></DBClusterMembers>\
             <DBClusterArn>arn:aws:rds:{region}:{account}:cluster:{id}</DBClusterArn></DBCluster>"
        ),
    }
}

/// A new database, like the one that the snapshot was taken of, but for what is not said.
fn restore(cloud: &mut Cloud, kind: Kind, form: &Form) -> Result<String, Refused> {
    let (what, snapshot, _) = kind.words();
    let key = match kind {
        Kind::Instance => "DBSnapshotIdentifier",
        Kind::Cluster => "SnapshotIdentifier",
    };
    let from = member(form, key)?.to_owned();
    let new = member(form, &format!("{what}Identifier"))?.to_owned();
    let found = cloud.snapshots.iter().find(|it| it.kind == kind && it.id == from);
    let found = found.ok_or_else(|| {
        Refused::new(kind.no_snapshot(), format!("{snapshot} {from} not found.")).with_status(404)
    })?;
    if found.fails || cloud.now < found.asked_at + found.takes_ms {
        let code = match kind {
            Kind::Instance => "InvalidDBSnapshotState",
            Kind::Cluster => "InvalidDBClusterSnapshotStateFault",
        };
        return Err(Refused::new(code, format!("{from} is not available.")));
    }
    if cloud.databases.iter().any(|it| it.kind == kind && it.id == new) {
        let code = match kind {
            Kind::Instance => "DBInstanceAlreadyExists",
            Kind::Cluster => "DBClusterAlreadyExistsFault",
        };
        return Err(Refused::new(code, format!("{new} already exists.")));
    }
    let of = |key: &str, usual: &str| {
        let found = form.iter().find(|(it, _)| it == key);
        found.map_or(usual.to_owned(), |(_, value)| value.clone())
    };
    let made = Database {
        kind,
        id: new,
        engine: of("Engine", "postgres"),
        class: of("DBInstanceClass", "db.t4g.medium"),
        subnet_group: of("DBSubnetGroupName", "default"),
        security_group: of("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-0default"),
        status: None,
        available_at: cloud.now + cloud.snapshotting.takes_ms,
        tags: tags(form),
    };
    let xml = database_xml(cloud, &made);
    cloud.databases.push(made);
    Ok(xml)
}
