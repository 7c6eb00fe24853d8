//! Snapshots of RDS.
//!
//! ```text
//!   no snapshot ──▶ database available? ──▶ CreateDBSnapshot ──▶ creating ──▶ available
//!                     │ busy: waited for        │ exists: ours, adopted  │
//!                     └ stopped, gone: over     └ quota: over            └ failed: over
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws::{Client, Database, Fault, FaultKind, Snapshot};
use event::{Cause, CauseCode, Way};
use ports::{Order, Performer, Progress};
use serde_json::{Value as Json, json};

use crate::body::{Body, Rds};
use crate::dumps::{Dumps, Outside, Task};
use crate::effect::Kept;
use crate::restore;
use crate::words::text;

/// How often RDS is asked: snapshots take minutes to hours.
const POLL: Duration = Duration::from_secs(10);
/// The longest wait after calls that failed.
const BACK_OFF_MAX_MS: u64 = 60_000;
/// The longest name of a snapshot.
const NAME_MAX: usize = 255;
/// What a database is that will be available by itself.
const BUSY: &[&str] = &[
    "backing-up",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "converting-to-vpc",
    "creating",
    "failing-over",
    "maintenance",
    "modifying",
    "moving-to-vpc",
    "rebooting",
    "renaming",
    "resetting-master-credentials",
    "starting",
    "storage-config-upgrade",
    "upgrading",
];

/// Clients of regions, for whoever takes backups.
pub type Clients = Box<dyn FnMut(&str) -> Client>;

/// Takes backups. It holds clients, and nothing that an order needs.
pub struct Backups {
    clients: Clients,
    opened: BTreeMap<String, Client>,
    /// The account that the credentials were found to be of.
    guarded: Option<String>,
    /// Calls that failed one after the other.
    misses: u32,
    dumps: Dumps,
}

/// Why an order cannot be carried on now.
pub(crate) enum Stop {
    Fault(Fault),
    Over(Progress),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl From<Progress> for Stop {
    fn from(progress: Progress) -> Stop {
        Stop::Over(progress)
    }
}

pub(crate) fn failed(rds: &Rds, because: Cause) -> Progress {
    let said = format!("the backup of {} failed: nothing that runs was changed", rds.database);
    Progress::Failed(Cause::new(CauseCode::BackupFailed, text(said)).because(because))
}

pub(crate) fn because(code: CauseCode, said: String) -> Cause {
    Cause::new(code, text(said))
}

pub(crate) fn underway(seen: String) -> Progress {
    Progress::Underway { seen: text(seen), again_in: POLL }
}

impl Backups {
    /// With clients of regions, opened when they are needed.
    pub fn new(clients: Clients) -> Backups {
        let dumps = Dumps::default();
        Backups { clients, opened: BTreeMap::new(), guarded: None, misses: 0, dumps }
    }

    /// Dumps, too: with what only the outside knows.
    pub fn with_dumps(mut self, outside: Arc<dyn Outside>) -> Backups {
        self.dumps = Dumps::new(outside);
        self
    }

    pub(crate) fn client(&mut self, region: &str) -> &mut Client {
        let clients = &mut self.clients;
        self.opened.entry(region.to_owned()).or_insert_with(|| clients(region))
    }

    /// Not the expected account: nothing is asked for.
    pub(crate) fn guard(&mut self, rds: &Rds) -> Result<(), Stop> {
        let account = match &self.guarded {
            Some(account) => account.clone(),
            None => self.client(&rds.region).caller_identity()?.account,
        };
        if let Some(expected) = rds.account.as_ref().filter(|it| **it != account) {
            let said = format!(
                "the credentials are of the AWS account {account}, and the settings want \
                 {expected}: sign in to that one, or correct `account`"
            );
            return Err(failed(rds, because(CauseCode::TargetRefused, said)).into());
        }
        self.guarded = Some(account);
        Ok(())
    }

    fn carry(&mut self, order: &Order<'_>, rds: &Rds) -> Result<Progress, Stop> {
        self.guard(rds)?;
        let (of, id) = (kind(rds), name(order, rds));
        let client = self.client(&rds.region);
        if let Some(found) = client.snapshot(of, &id)? {
            return Ok(judge(rds, &found));
        }
        let Some(state) = client.database(of, &rds.database)? else {
            let said = format!(
                "there is no database {} in {}: correct `backup.rds`",
                rds.database, rds.region
            );
            return Err(failed(rds, because(CauseCode::TargetRefused, said)).into());
        };
        if BUSY.contains(&state.status.as_str()) {
            return Ok(underway(format!(
                "waits until {} is available ({})",
                rds.database, state.status
            )));
        }
        if !matches!(state.status.as_str(), "available" | "storage-optimization") {
            let said = format!(
                "{} is {}, and RDS takes snapshots of what is available: start it, or mend it",
                rds.database, state.status
            );
            return Err(failed(rds, because(CauseCode::TargetRefused, said)).into());
        }
        let deployment = order.deployment.to_string();
        let tags = [("launchway:deployment", deployment.as_str())];
        match client.create_snapshot(of, (&id, &rds.database), &tags) {
            Ok(made) => Ok(judge(rds, &made)),
            // Somebody of this deployment was faster: it is looked at again.
            Err(fault) if is_there(&fault) => Ok(underway(format!("{id} is there"))),
            Err(fault) if is_busy(&fault) => {
                Ok(underway(format!("waits until {} is available", rds.database)))
            }
            Err(fault) if fault.is("SnapshotQuotaExceeded") => {
                let said =
                    "the account has as many snapshots as it may: delete old ones, or ask AWS \
                            for more"
                        .to_owned();
                let cause = because(CauseCode::TargetRefused, said).because(fault.cause());
                Err(failed(rds, cause).into())
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// What becomes of an order whose call failed.
    fn missed(&mut self, rds: &Rds, fault: &Fault) -> Progress {
        self.misses += 1;
        // Credentials that ended may be renewed by whoever brings them.
        if fault.may_pass() || fault.kind == FaultKind::SignIn {
            let poll = u64::try_from(POLL.as_millis()).unwrap_or(u64::MAX);
            let doubled = poll.saturating_mul(1 << self.misses.min(5).saturating_sub(1));
            let again_in = Duration::from_millis(doubled.min(BACK_OFF_MAX_MS));
            return Progress::Unreachable { cause: fault.cause(), again_in };
        }
        failed(rds, fault.cause())
    }

    /// How a backup is, for whoever lists them; none where it is gone.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn look(&mut self, kept: &Kept) -> Result<Option<String>, Fault> {
        match kept {
            Kept::Rds { of, snapshot, .. } => {
                let found = self.client(&of.region).snapshot(kind(of), snapshot)?;
                Ok(found.map(|it| it.status))
            }
            Kept::Dump { of, object, bytes, etag, .. } => {
                let key = format!("{}{object}", of.prefix);
                let found = self.client(&of.region).head_object(&of.bucket, &key)?;
                Ok(found.map(|it| {
                    let is_it = it.length == Some(*bytes) && it.etag == *etag;
                    if is_it { "available" } else { "changed" }.to_owned()
                }))
            }
        }
    }
}

impl Performer for Backups {
    fn advance(&mut self, order: &Order<'_>) -> Progress {
        if order.way == Way::Back {
            // What was put aside stays.
            return Progress::Done { effect: Json::Null };
        }
        let body = match Body::read(&order.step.body) {
            Ok(body) => body,
            Err(error) => {
                let said = format!("the body of {} is not a backup's: {error}", order.step.key);
                return Progress::Failed(because(CauseCode::Fault, said));
            }
        };
        if let Some(effect) = Kept::of_others(order.effects, &body) {
            return Progress::Done { effect };
        }
        let rds = match &body {
            Body::Rds(rds) => rds.clone(),
            Body::Restore(it) => it.of.clone(),
            Body::Dump(dump) => return self.dumps.advance(order, &Task::Dump(dump.clone())),
            Body::RestoreDump(it) => return self.dumps.advance(order, &Task::Restore(it.clone())),
        };
        self.client(&rds.region).call_as(format!("launchway/{}", order.deployment));
        let carried = match &body {
            Body::Rds(rds) => self.carry(order, rds),
            Body::Restore(it) => restore::carry(self, order, it),
            Body::Dump(_) | Body::RestoreDump(_) => unreachable!("they were done above"),
        };
        match carried {
            Ok(progress) | Err(Stop::Over(progress)) => {
                self.misses = 0;
                progress
            }
            Err(Stop::Fault(fault)) => self.missed(&rds, &fault),
        }
    }
}

pub(crate) fn kind(rds: &Rds) -> Database {
    if rds.is_cluster { Database::Cluster } else { Database::Instance }
}

fn is_there(fault: &Fault) -> bool {
    fault.is("DBSnapshotAlreadyExists") || fault.is("DBClusterSnapshotAlreadyExistsFault")
}

fn is_busy(fault: &Fault) -> bool {
    fault.is("InvalidDBInstanceState") || fault.is("InvalidDBClusterStateFault")
}

/// The same for the same order, whoever carries it on. Deployments of two journals may have one
/// number; that both were intended in one millisecond is not expected.
fn name(order: &Order<'_>, rds: &Rds) -> String {
    let end = format!("-{}-{}", order.deployment, order.since.0);
    let begin: String = format!("launchway-{}", rds.database);
    let begin: String = begin.chars().take(NAME_MAX - end.len()).collect();
    let begin = begin.trim_end_matches('-');
    format!("{begin}{end}")
}

/// How far a snapshot is.
fn judge(rds: &Rds, found: &Snapshot) -> Progress {
    if found.database != rds.database {
        let said = format!("{} is a snapshot of {}", found.id, found.database);
        return failed(rds, because(CauseCode::TargetRefused, said));
    }
    match found.status.as_str() {
        "available" => {
            let (snapshot, arn) = (found.id.clone(), found.arn.clone());
            Progress::Done { effect: json!(Kept::Rds { of: rds.clone(), snapshot, arn }) }
        }
        "creating" | "copying" | "pending" => {
            underway(format!("{} % of the snapshot {}", found.percent, found.id))
        }
        other => {
            let said = format!(
                "the snapshot {} is {other}: RDS's events of {} say why (`aws rds describe-events \
                 --source-identifier {}`)",
                found.id, rds.database, found.id
            );
            failed(rds, because(CauseCode::TargetRefused, said))
        }
    }
}
