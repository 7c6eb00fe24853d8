//! The command line of incidents.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use event::{Severity, ShippedBy};

use super::values::whole;
use super::{Format, examples};

/// `launchway incidents`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum IncidentsCommand {
    /// List incidents, newest first
    #[command(after_help = examples::INCIDENTS_LIST)]
    List {
        /// Only in this environment
        #[arg(value_name = "ENVIRONMENT")]
        environment: Option<String>,
        /// Only those that are open
        #[arg(long)]
        open: bool,
        /// How many, of the newest 200
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
        limit: usize,
        #[command(flatten)]
        at: IncidentsAt,
    },
    /// Show one incident: when users met it, and what was shipped that has to do with it
    #[command(after_help = examples::INCIDENTS_SHOW)]
    Show {
        /// The incident's number
        #[arg(value_name = "INCIDENT", value_parser = whole::<u64>)]
        id: u64,
        #[command(flatten)]
        at: IncidentsAt,
    },
    /// Open one: users meet something that is wrong
    #[command(after_help = examples::INCIDENTS_OPEN)]
    Open {
        /// What is wrong, in a line
        #[arg(value_name = "TITLE")]
        title: String,
        /// What brought it: a deployment (41), or a run whose jobs shipped (12.1: run 12, attempt 1)
        #[arg(long, value_name = "SHIPPED")]
        caused_by: Option<ShippedBy>,
        /// Where [default: where that went]
        #[arg(short = 'e', long, value_name = "NAME", required_unless_present = "caused_by")]
        environment: Option<String>,
        /// Only this service; of jobs their workflow file [default: all]
        #[arg(short = 's', long, value_name = "SERVICE")]
        service: Option<String>,
        /// How bad it is
        #[arg(long, value_enum, default_value_t = HowBad::Major)]
        severity: HowBad,
        #[command(flatten)]
        when: WhenArg,
        #[command(flatten)]
        at: IncidentsAt,
    },
    /// Say that it is over
    #[command(after_help = examples::INCIDENTS_RESOLVE)]
    Resolve {
        /// The incident's number
        #[arg(value_name = "INCIDENT", value_parser = whole::<u64>)]
        id: u64,
        /// What was made to end it: a deployment (42), or a run whose jobs shipped (14.1)
        #[arg(long, value_name = "SHIPPED")]
        fixed_by: Option<ShippedBy>,
        /// Why, or by what
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        when: WhenArg,
        #[command(flatten)]
        at: IncidentsAt,
    },
    /// Say that it is not over after all
    #[command(after_help = examples::INCIDENTS_REOPEN)]
    Reopen {
        /// The incident's number
        #[arg(value_name = "INCIDENT", value_parser = whole::<u64>)]
        id: u64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        when: WhenArg,
        #[command(flatten)]
        at: IncidentsAt,
    },
    /// Say what brought it, or was made to end it: a deployment, or jobs of a run
    #[command(after_help = examples::INCIDENTS_LINK)]
    Link {
        /// The incident's number
        #[arg(value_name = "INCIDENT", value_parser = whole::<u64>)]
        id: u64,
        #[command(flatten)]
        shipped: LinkedShipment,
        /// It has nothing to do with it after all
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        at: IncidentsAt,
    },
}

/// What was shipped, and what it has to do with an incident.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct LinkedShipment {
    /// What brought it; one at most: a deployment (41), or a run whose jobs shipped (12.1)
    #[arg(long, value_name = "SHIPPED")]
    pub(crate) caused_by: Option<ShippedBy>,
    /// What was made to end it
    #[arg(long, value_name = "SHIPPED")]
    pub(crate) fixed_by: Option<ShippedBy>,
}

/// When something was so.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhenArg {
    /// When that was: 20m, 3h or 2d ago, or 2026-03-01T12:00:00Z [default: now]
    #[arg(long = "at", value_name = "WHEN")]
    pub(crate) when: Option<String>,
}

/// Whose incidents, and how they are written.
#[derive(Clone, Debug, Args)]
pub(crate) struct IncidentsAt {
    /// The settings [default: launchway.yml of this repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Those of a server
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    pub(crate) server: Option<String>,
    /// Of this project of the server
    #[arg(long, value_name = "NAME", requires = "server")]
    pub(crate) project: Option<String>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// How bad an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HowBad {
    /// Few notice, or there is a way around it
    Minor,
    /// Many notice
    Major,
    /// What the service is for cannot be done
    Critical,
}

impl From<HowBad> for Severity {
    fn from(it: HowBad) -> Severity {
        match it {
            HowBad::Minor => Severity::Minor,
            HowBad::Major => Severity::Major,
            HowBad::Critical => Severity::Critical,
        }
    }
}
