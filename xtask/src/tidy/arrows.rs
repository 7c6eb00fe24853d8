//! Which crate may import which: the floors of ARCHITECTURE.md as a table. Arrows point down only;
//! the machines never import one another; views never import a machine.

use anyhow::{Context, Result};
use serde_json::Value as Json;

use crate::shell;

/// A crate and all of ours that it may depend on. A new arrow is a decision: it is made here, with
/// the floors in view.
const ARROWS: &[(&str, &[&str])] = &[
    // Floor 1: text, and text free of secrets.
    ("syntax", &[]),
    ("mask", &[]),
    ("https", &[]),
    ("sandbox", &[]),
    // Floor 2: the language, the facts, what steps say.
    ("expr", &[]),
    ("event", &["mask"]),
    ("commands", &[]),
    ("markdown", &[]),
    ("reports", &[]),
    // Floor 3: what files say, what parts say to each other, what people see.
    ("workflow", &["expr", "syntax"]),
    ("settings", &["syntax"]),
    ("protocol", &["event", "mask"]),
    ("ports", &["event", "mask", "protocol"]),
    ("views", &["event", "mask"]),
    ("versions", &["event"]),
    // Floor 4: the machines, the rules, and the hands.
    // What counts as an agreement is one rule for the machines that ask for one.
    ("approval", &["event"]),
    ("scheduler", &["approval", "event", "expr", "mask", "protocol", "syntax", "workflow"]),
    ("sequencer", &["event", "expr", "mask", "protocol", "syntax", "workflow"]),
    ("deployment", &["approval", "event", "mask"]),
    ("incident", &["event", "mask", "views"]),
    ("check", &["syntax"]),
    ("probe", &["event", "https", "mask", "ports"]),
    ("store", &["event", "https", "mask", "ports"]),
    ("outbox", &["event", "ports", "store"]),
    ("notifier", &["event", "https", "mask", "outbox", "ports", "store", "views"]),
    ("figures", &["event", "ports", "reports", "store", "views"]),
    ("repository", &["event"]),
    (
        "actions",
        &["aws", "commands", "expr", "https", "mask", "sandbox", "store", "syntax", "workflow"],
    ),
    ("docker", &[]),
    ("services", &["docker"]),
    // The two crates with an async runtime; the one knows nothing of the others, the other folds.
    ("proxy", &[]),
    (
        "server",
        &[
            "event", "figures", "markdown", "mask", "ports", "protocol", "store", "versions",
            "views",
        ],
    ),
    ("target-host", &["docker", "event", "mask", "ports", "proxy"]),
    ("model-cloud", &[]),
    ("model-github", &[]),
    ("forge", &["event", "https", "mask", "versions", "views"]),
    ("aws", &["event", "https", "mask"]),
    ("registry", &["https", "mask"]),
    ("bucket", &["aws", "event", "iam", "ports", "store"]),
    ("backup", &["aws", "event", "iam", "mask", "ports"]),
    ("iam", &[]),
    ("issuer", &["mask"]),
    ("sign-in", &["https", "mask"]),
    ("target-ecs", &["aws", "event", "iam", "mask", "ports"]),
    // Floor 5: what moves.
    (
        "driver",
        &[
            "deployment",
            "docker",
            "event",
            "mask",
            "ports",
            "protocol",
            // Workers alone have the rights that it takes to have jobs be another user's.
            "sandbox",
            "scheduler",
            "syntax",
            "workflow",
        ],
    ),
    (
        "worker",
        &[
            "actions",
            "commands",
            "docker",
            "event",
            "expr",
            "https",
            "mask",
            "ports",
            "protocol",
            "sandbox",
            "sequencer",
            "services",
            "store",
            "syntax",
            "workflow",
        ],
    ),
    // Both ends of a connection: its runner's end starts the driver's own workers.
    ("runners", &["driver", "event", "https", "mask", "ports", "protocol", "scheduler", "store"]),
    // Floor 6: the binary, the simulated world, and what fuzzers look for.
    (
        "properties",
        &[
            "actions",
            "approval",
            "check",
            "commands",
            "docker",
            "event",
            "expr",
            "forge",
            "iam",
            "markdown",
            "mask",
            "notifier",
            "protocol",
            "registry",
            "reports",
            "services",
            "settings",
            "sign-in",
            "syntax",
            "target-host",
            "workflow",
        ],
    ),
    (
        "sim",
        &[
            "deployment",
            "driver",
            "event",
            "mask",
            "ports",
            "protocol",
            "scheduler",
            "syntax",
            "views",
            "workflow",
        ],
    ),
    (
        "launchway",
        &[
            "actions",
            "approval",
            "aws",
            "backup",
            "bucket",
            "check",
            "deployment",
            "docker",
            "driver",
            "event",
            "expr",
            "figures",
            "forge",
            "https",
            "iam",
            "incident",
            "issuer",
            "mask",
            "notifier",
            "outbox",
            "ports",
            "probe",
            "protocol",
            "proxy",
            "registry",
            "repository",
            "runners",
            "sandbox",
            "scheduler",
            "server",
            "services",
            "sign-in",
            "settings",
            "store",
            "syntax",
            "target-ecs",
            "target-host",
            "versions",
            "views",
            "worker",
            "workflow",
        ],
    ),
    ("xtask", &[]),
];

/// Arrows that the table does not allow, and crates that it does not know.
pub(super) fn breaches() -> Result<Vec<String>> {
    let output =
        shell::command("cargo", &["metadata", "--no-deps", "--offline", "--format-version=1"])
            .output()
            .context("cannot start cargo")?;
    let metadata: Json = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata has packages")?;
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut breaches = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            breaches
                .push(format!("{name}: has no row in xtask/src/tidy/arrows.rs; give it a floor"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if ours.contains(&target) && !for_tests && !allowed.contains(&target) {
                breaches.push(format!("{name} -> {target}: this arrow is not in the table"));
            }
        }
    }
    Ok(breaches)
}
