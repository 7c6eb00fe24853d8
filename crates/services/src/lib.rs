//! Service containers without containers: PostgreSQL, Redis, MySQL and MariaDB as local programs.
//!
//! A job that says `services:` gets a fresh program for each, with its data in the job's folder, the
//! environment variables of the image honoured, health waited for, and GitHub's rule of
//! reachability (conformance 163): from the host a service is reached through its mapped `ports`
//! and in no other way. Everything else needs Docker and is refused by name.
//!
//! ```text
//!   plan.rs      what the workflow says of a service -> ServicePlan, or why not     (pure)
//!   options.rs   the `options` string: health and env, the rest said aloud           (pure)
//!   programs/    one file for each program: how it is set up, started and asked
//!   running.rs   starts them, waits for health, stops them
//!   owner.rs     who has a port
//! ```

mod options;
mod owner;
mod plan;
mod programs;
mod running;

pub use owner::port_owner;
pub use plan::{Health, PortMapping, ServicePlan, plan};
pub use programs::Program;
pub use running::{Environment, Running, start};

/// Why a service cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The workflow asks for what a local program cannot do.
    #[error("service {id}: {reason}")]
    Refused {
        /// The service's id.
        id: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The program is not installed.
    #[error("service {id} ({image}) needs the program {program}, which is not on this machine")]
    ProgramMissing {
        /// The service's id.
        id: String,
        /// The image it stands for.
        image: String,
        /// What was looked for.
        program: String,
        /// The Debian package.
        package: &'static str,
    },
    /// Somebody else has the port.
    #[error("service {id}: port {port} of this machine is taken by {owner}")]
    PortTaken {
        /// The service's id.
        id: String,
        /// Which port.
        port: u16,
        /// Who has it.
        owner: String,
    },
    /// It did not start, or never became healthy. The log is the program's own.
    #[error("service {id} {problem}")]
    Failed {
        /// The service's id.
        id: String,
        /// What went wrong.
        problem: String,
        /// The last lines of its log.
        log: String,
    },
    /// The job was cancelled while it started.
    #[error("cancelled while services were starting")]
    Cancelled,
    /// The disk, a process.
    #[error("service {id}: {action}")]
    System {
        /// The service's id.
        id: String,
        /// What was tried.
        action: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl ServiceError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ServiceError::Refused { hint, .. } => Some(hint.clone()),
            ServiceError::ProgramMissing { package, .. } => {
                Some(format!("install it: apt-get install {package}"))
            }
            ServiceError::PortTaken { port, .. } => Some(format!(
                "stop it, or let the runner choose a port: `ports: [{port}]` and job.services.<id>.ports"
            )),
            _ => None,
        }
    }
}
