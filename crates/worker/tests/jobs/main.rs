//! Real jobs with real workers: one test binary, so that what starts a worker is built once.

mod actions;
mod background;
mod conformance;
mod ending;
mod harness;
mod hooks;
mod job_user;
mod limits;
mod outlive;
mod packages;
mod steps;
mod walls;
