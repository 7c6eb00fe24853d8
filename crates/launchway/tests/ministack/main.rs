//! The real binary against ministack, a server that speaks AWS's API and runs ECS tasks as containers:
//! the tier `ministack` of `cargo xtask test`.
//!
//! ```text
//!   play.rs      releases, failures, migrations, ways back: what the command says, what is there then
//!   access.rs    tokens, roles, policies: who may, who may not, and what is said then
//!   kills.rs     kill -9 at instants that a seed chooses (100 with the feature `soak`)
//!   official.rs  the official action beside ours (feature `real-actions`, which needs it at hand)
//! ```
//!
//! Where ministack is not like AWS, the test says so and names where it is proven instead:
//! `crates/target-ecs/tests`, on the model cloud.

mod access;
#[path = "../e2e/harness.rs"]
#[expect(dead_code, reason = "the other tests' harness; these need half of it")]
mod harness;
mod kills;
#[cfg(feature = "real-actions")]
mod official;
mod play;
mod project;
mod server;
#[path = "../e2e/serving.rs"]
#[expect(dead_code, reason = "the other tests' harness; these need half of it")]
mod serving;

/// Where the other tests' harness has it.
mod kill {
    use rustix::process::{Pid, Signal, kill_process};

    pub(crate) fn signal(pid: u32, signal: Signal) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the process is there");
    }
}
