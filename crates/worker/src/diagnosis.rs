//! What `ACTIONS_RUNNER_DEBUG` adds to the log of the set-up (conformance 114): how the worker came
//! to what it does. GitHub keeps such lines in a log of its own; here there is one log.

use sequencer::{ActionHome, Plan};

use crate::command_line::Workbench;

/// The lines, without their mark.
pub(crate) fn of_setup(bench: &Workbench<'_>, plan: &Plan) -> Vec<String> {
    let spec = bench.spec;
    let mut lines = vec![
        format!("launchway {}, process {}", env!("CARGO_PKG_VERSION"), std::process::id()),
        format!(
            "run {}, attempt {}, job {}, lease {}",
            spec.run, spec.attempt, spec.job, spec.fence
        ),
        format!("workspace: {}", bench.folders.workspace.display()),
        format!("home: {}", bench.folders.home.display()),
        format!("caches: {}", spec.paths.caches),
        format!("tools: {}", spec.paths.tools),
        format!("offline: {}, no native: {}", spec.options.offline, spec.options.no_native),
        format!(
            "limits: {} minutes, {} to clean up",
            spec.timeout_minutes, spec.cancel_timeout_minutes
        ),
    ];
    let names: Vec<&str> = bench.host.keys().map(String::as_str).collect();
    lines.push(format!("variables of the machine: {}", names.join(" ")));
    lines.extend(bench.host.get("PATH").map(|path| format!("PATH: {path}")));
    for (name, action) in &plan.actions {
        let place = match &action.home {
            ActionHome::Folder(folder) => format!("in {folder}"),
            ActionHome::Native(native) => format!("native version {native}"),
        };
        lines.push(format!("action {name}: {place}"));
    }
    lines.extend(bench.nodes.lines());
    lines
}
