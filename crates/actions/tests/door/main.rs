//! Actions as the worker meets them: resolved from real repositories, run as real processes.

mod bench;
mod checkout;
mod resolve;
