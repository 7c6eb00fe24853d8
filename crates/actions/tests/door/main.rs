//! Actions as the worker meets them: resolved from real repositories, run as real processes.

mod artifacts;
mod bench;
mod cache;
mod checkout;
mod conformance;
mod deliver;
mod resolve;
mod scans;
mod setup;
