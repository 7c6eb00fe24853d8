//! The target at its door: the real machine and the real loop, with the model cloud behind it.

#[path = "target/access.rs"]
mod access;
#[path = "target/alarms.rs"]
mod alarms;
#[path = "target/backups.rs"]
mod backups;
#[path = "target/crashes.rs"]
mod crashes;
#[path = "target/feasibility.rs"]
mod feasibility;
#[path = "target/generated.rs"]
mod generated;
#[path = "target/plans.rs"]
mod plans;
#[path = "target/scale.rs"]
mod scale;
#[path = "target/secrets.rs"]
mod secrets;
#[path = "target/verdicts.rs"]
mod verdicts;
#[path = "target/world.rs"]
mod world;
