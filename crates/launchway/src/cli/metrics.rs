//! `launchway metrics`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Format, examples};

/// `launchway metrics`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::METRICS)]
pub(crate) struct MetricsArgs {
    /// From when on: 90d, 12w, 48h, or a day such as 2026-03-01 [default: 90 days before the end]
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Up to when: 7d, 4w, 48h ago, or a day such as 2026-03-31, which is counted [default: now]
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    /// Deployments to this environment [default: those whose names say production, else all]
    #[arg(short = 'e', long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Deployments of this service
    #[arg(short = 's', long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    /// Runs of this repository, as owner/name [default: the one you stand in, if any]
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repository: Option<String>,
    /// Every repository, and every project
    #[arg(long, conflicts_with_all = ["repository", "file"])]
    pub(crate) all: bool,
    /// Open one figure into what it was counted from
    #[arg(long, value_enum, value_name = "FIGURE")]
    pub(crate) of: Option<Figure>,
    /// The settings [default: launchway.yml of this repository, if any]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Those of a server
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// A figure that opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Figure {
    /// Releases and hotfixes
    Frequency,
    /// Commits, with what brought them
    LeadTime,
    /// Deployments that failed
    Failures,
    /// Failures, with what mended them
    Recovery,
    /// Unplanned deployments that mended
    Rework,
    /// Runs that failed on the default branch, and what mended it
    Pipelines,
    /// Tests that do not always say the same, with the runs that show it
    Flaky,
    /// The newest runs of the default branch, one after the other: tests, coverage, time
    Tests,
    /// The images of the newest runs of the default branch: size, time to build
    Images,
    /// What scanners found on the default branch when they looked last, and since when it is there
    Scans,
}
