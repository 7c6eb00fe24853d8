//! Actions as the worker meets them: resolved from real repositories, run as real processes.

mod artifacts;
mod bench;
mod cache;
mod checkout;
mod conformance;
mod deliver;
#[cfg(feature = "docker")]
mod docker;
mod docker_arguments;
mod ecs;
mod resolve;
mod sarif;
mod scans;
mod setup;
mod sign_in;
