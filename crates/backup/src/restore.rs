//! A snapshot becomes a new database, beside the one it was taken of, which is never touched.

use aws::DatabaseState;
use event::CauseCode;
use ports::{Order, Progress};
use serde_json::json;

use crate::body::Restore;
use crate::rds::{Backups, Stop, because, failed, kind, underway};

/// Which deployment a database comes from.
const DEPLOYMENT_TAG: &str = "launchway:deployment";
/// When, so that deployments of two journals with one number are two.
const INTENDED_TAG: &str = "launchway:intended";

pub(crate) fn carry(
    backups: &mut Backups,
    order: &Order<'_>,
    restore: &Restore,
) -> Result<Progress, Stop> {
    let rds = &restore.of;
    backups.guard(rds)?;
    let over = |said: String| Err(failed(rds, because(CauseCode::TargetRefused, said)).into());
    if restore.new == rds.database {
        return over(format!("{} is the one that runs: name another", restore.new));
    }
    let own =
        [(DEPLOYMENT_TAG, order.deployment.to_string()), (INTENDED_TAG, order.since.0.to_string())];
    let (of, client) = (kind(rds), backups.client(&rds.region));
    if let Some(found) = client.database(of, &restore.new)? {
        let has = |(key, value): &(&str, String)| {
            found.tags.iter().any(|it| it.0 == *key && it.1 == *value)
        };
        if !own.iter().all(has) {
            return over(format!(
                "{} is there already, and not from here: name another",
                restore.new
            ));
        }
        return Ok(match found.status.as_str() {
            "available" => Progress::Done { effect: json!({"restored": restore.new}) },
            "failed" | "incompatible-restore" | "incompatible-parameters" | "deleting" => {
                return over(format!("{} is {}", restore.new, found.status));
            }
            status => underway(format!("{} is {status}", restore.new)),
        });
    }
    let Some(snapshot) = client.snapshot(of, &restore.snapshot)? else {
        return over(format!("there is no snapshot {} any more", restore.snapshot));
    };
    if snapshot.status != "available" {
        return over(format!("the snapshot {} is {}", restore.snapshot, snapshot.status));
    }
    // By itself RDS makes it with the account's usual network and parameters: that is what is left
    // where the one it was taken of is gone.
    let like = client.database(of, &rds.database)?;
    let gone = || DatabaseState { engine: snapshot.engine.clone(), ..DatabaseState::default() };
    let like = like.unwrap_or_else(gone);
    let tags = own.each_ref().map(|(key, value)| (*key, value.as_str()));
    client.restore_snapshot(of, (&restore.snapshot, &restore.new), &like, &tags)?;
    Ok(underway(format!("{} is being made", restore.new)))
}
