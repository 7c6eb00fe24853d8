//! `cargo xtask lint`: what a reader would otherwise have to say in review.

use anyhow::Result;

use crate::{conformance, shell, tidy};

/// Formatting, clippy, the house rules, and the generated table of conformance.
pub(crate) fn run() -> Result<()> {
    shell::run("cargo", &["fmt", "--all", "--check"])?;
    let strict = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ];
    shell::run("cargo", &strict)?;
    tidy::run()?;
    conformance::check()
}
