//! The mutants: where, what stands there, what is planted instead, and whose tests must notice.

/// One planted fault.
pub(super) struct Mutant {
    /// The item of `docs/conformance.items` that it breaks.
    pub(super) item: u32,
    /// The crate whose tests must notice.
    pub(super) package: &'static str,
    /// Its file, from the root.
    pub(super) file: &'static str,
    /// The text, once in that file.
    pub(super) find: &'static str,
    /// What is put in its place.
    pub(super) replace: &'static str,
}

/// Breaks an item in a file of a crate.
pub(super) const fn mutant(
    item: u32,
    package: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
) -> Mutant {
    Mutant { item, package, file, find, replace }
}

/// By item.
pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        3,
        "syntax",
        "crates/syntax/src/yaml/build.rs",
        r#"Some("bool") if plain => scalar"#,
        r#"Some("bool") => scalar"#,
    ),
    mutant(
        8,
        "syntax",
        "crates/syntax/src/yaml.rs",
        "pub const DEPTH_MAX: usize = 50;",
        "pub const DEPTH_MAX: usize = 51;",
    ),
    mutant(
        12,
        "workflow",
        "crates/workflow/src/step.rs",
        r#"control: &["wait", "wait-all", "cancel", "parallel"],"#,
        r#"control: &["wait", "wait-all", "cancel"],"#,
    ),
    mutant(
        18,
        "workflow",
        "crates/workflow/src/condition.rs",
        r#"self.report(warning.hint("put the whole condition inside one `${{ .. }}`, or use none"));"#,
        "drop(warning);",
    ),
    mutant(
        29,
        "workflow",
        "crates/workflow/src/filter.rs",
        r#"regex.push_str("[^/]*");"#,
        r#"regex.push_str(".*");"#,
    ),
    mutant(
        35,
        "repository",
        "crates/repository/src/changes.rs",
        "pub(crate) const FILES_MAX: usize = 300;",
        "pub(crate) const FILES_MAX: usize = 3_000;",
    ),
    mutant(
        41,
        "scheduler",
        "crates/scheduler/src/group.rs",
        "newer_takes_all |= !member.lets_wait;",
        "newer_takes_all |= member.lets_wait;",
    ),
    mutant(
        42,
        "scheduler",
        "crates/scheduler/src/limits.rs",
        "pub(crate) const GROUP_PENDING_MAX: usize = 100;",
        "pub(crate) const GROUP_PENDING_MAX: usize = 1_000;",
    ),
    mutant(
        49,
        "expr",
        "crates/expr/src/scope.rs",
        r#"const STATIC: &[&str] = &["github", "inputs", "vars", "needs", "strategy", "matrix"];"#,
        r#"const STATIC: &[&str] = &["github", "inputs", "vars", "needs", "strategy"];"#,
    ),
    mutant(
        53,
        "workflow",
        "crates/workflow/src/job.rs",
        "self.written_scalars(node, &scope::CONTAINER_ENV, Want::String)",
        "self.written_scalars(node, &scope::JOB, Want::String)",
    ),
    mutant(
        55,
        "workflow",
        "crates/workflow/src/job.rs",
        "self.scalar(&entry.value, &scope::JOB_OUTPUTS, Want::String)",
        "self.scalar(&entry.value, &scope::STEP, Want::String)",
    ),
    mutant(
        58,
        "workflow",
        "crates/workflow/src/step.rs",
        "shell: scope::LITERAL,",
        "shell: scope::JOB_DEFAULTS,",
    ),
    mutant(
        64,
        "workflow",
        "crates/workflow/src/action.rs",
        "self.scalar(it, &scope::ACTION_INPUT, Want::String)",
        "self.scalar(it, &scope::COMPOSITE_STEP, Want::String)",
    ),
    mutant(
        80,
        "expr",
        "crates/expr/src/evaluator.rs",
        "_ => Evaluated::plain(Value::Null),",
        r#"_ => Evaluated::plain(""),"#,
    ),
    mutant(
        81,
        "expr",
        "crates/expr/src/evaluator.rs",
        "index.to_number().floor();",
        "index.to_number().round();",
    ),
    mutant(
        84,
        "expr",
        "crates/expr/src/functions.rs",
        "other => return Err(EvalError::CasePredicate(other.kind())),",
        "_ => {}",
    ),
    mutant(
        88,
        "scheduler",
        "crates/scheduler/src/contexts.rs",
        "!self.cancelled && !before.failed && !before.cancelled && !before.skipped",
        "!self.cancelled && !before.failed && !before.cancelled",
    ),
    mutant(
        89,
        "sequencer",
        "crates/sequencer/src/evaluate.rs",
        "match (self.state.is_cancelled, scope.has_failed) {",
        "match (self.state.is_cancelled, self.state.has_failed) {",
    ),
    mutant(
        93,
        "workflow",
        "crates/workflow/src/matrix.rs",
        "for combination in &mut combinations[..multiplied] {",
        "for combination in &mut combinations[multiplied * 0..] {",
    ),
    mutant(
        106,
        "worker",
        "crates/worker/src/gather.rs",
        "self.collect(steps, Some(&action), depth + 1, found)?;",
        "let _ = (steps, &action);",
    ),
    mutant(
        118,
        "scheduler",
        "crates/scheduler/src/limits.rs",
        "pub(crate) const CALL_DEPTH_MAX: usize = 10;",
        "pub(crate) const CALL_DEPTH_MAX: usize = 11;",
    ),
    mutant(
        119,
        "scheduler",
        "crates/scheduler/src/plan/call.rs",
        "InputKind::Number => Value::Number(0.0),",
        "InputKind::Number => Value::Null,",
    ),
    mutant(
        130,
        "sequencer",
        "crates/sequencer/src/evolve.rs",
        "let failed = ended.conclusion == Conclusion::Failure;",
        "let failed = ended.outcome == Conclusion::Failure;",
    ),
    mutant(
        134,
        "worker",
        "crates/worker/src/command_line.rs",
        r#"let path = env.get("PATH").map_or("", String::as_str);"#,
        r#"let path = self.host.get("PATH").map_or("", String::as_str);"#,
    ),
    mutant(
        136,
        "worker",
        "crates/worker/src/process.rs",
        "self.drain_until.get_or_insert(now + DRAIN_GRACE);",
        "self.drain_until.get_or_insert(now + 100 * DRAIN_GRACE);",
    ),
    mutant(
        148,
        "sequencer",
        "crates/sequencer/src/limits.rs",
        "pub const COMPOSITE_DEPTH_MAX: usize = 10;",
        "pub const COMPOSITE_DEPTH_MAX: usize = 11;",
    ),
    mutant(
        153,
        "worker",
        "crates/worker/src/gather.rs",
        "if matches!(uses, Uses::Local { .. }) || found.contains_key(&*key) {",
        "if found.contains_key(&*key) {",
    ),
    mutant(
        166,
        "commands",
        "crates/commands/src/workflow_command/parse.rs",
        r#"const DATA_ESCAPES: &[(&str, &str)] = &[("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];"#,
        r#"const DATA_ESCAPES: &[(&str, &str)] = &[("%25", "%"), ("%0D", "\r"), ("%0A", "\n")];"#,
    ),
    mutant(
        172,
        "commands",
        "crates/commands/src/workflow_command/state.rs",
        "const TOKEN_MASKED_ABOVE: usize = 6;",
        "const TOKEN_MASKED_ABOVE: usize = 7;",
    ),
    mutant(
        174,
        "worker",
        "crates/worker/src/output.rs",
        r#"Effect::Failure { message, reason } => {
                self.voice.has_failed = true;"#,
        "Effect::Failure { message, reason } => {",
    ),
    mutant(
        177,
        "worker",
        "crates/worker/src/job/attend.rs",
        "let mut read = files::read(&deed.files);",
        "let mut read = if exit == Exit::Code(0) { files::read(&deed.files) } else { Default::default() };",
    ),
    mutant(
        179,
        "commands",
        "crates/commands/src/file_command/pairs.rs",
        "Some((text, rest)) => (text, rest, true),",
        r#"Some((text, rest)) => (text.trim_end_matches('\r'), rest, true),"#,
    ),
    mutant(
        181,
        "commands",
        "crates/commands/src/file_command.rs",
        r#"name.eq_ignore_ascii_case("NODE_OPTIONS")"#,
        r#"name == "NODE_OPTIONS""#,
    ),
    mutant(
        186,
        "worker",
        "crates/worker/src/job/attend.rs",
        "if error.kind() == io::ErrorKind::ArgumentListTooLong {",
        "if error.kind() == io::ErrorKind::NotFound {",
    ),
    mutant(
        222,
        "scheduler",
        "crates/scheduler/src/state.rs",
        "} else if self.success > 0 || self.skipped == 0 {",
        "} else if self.success > 0 || self.skipped > 0 {",
    ),
    mutant(
        234,
        "commands",
        "crates/commands/src/workflow_command/annotation.rs",
        "pub const PER_LEVEL_LIMIT: u32 = 10;",
        "pub const PER_LEVEL_LIMIT: u32 = 11;",
    ),
    mutant(
        238,
        "workflow",
        "crates/workflow/src/trigger/read.rs",
        "const DISPATCH_INPUTS_MAX: usize = 25;",
        "const DISPATCH_INPUTS_MAX: usize = 26;",
    ),
    mutant(
        253,
        "sequencer",
        "crates/sequencer/src/decide.rs",
        "(Ok(false), _) => {",
        "(Ok(false), Ok(_)) => {",
    ),
    mutant(
        256,
        "sequencer",
        "crates/sequencer/src/evolve.rs",
        r#"// Conformance 256.
        state.has_failed |= failed;"#,
        "state.has_failed |= false;",
    ),
    mutant(
        257,
        "sequencer",
        "crates/sequencer/src/evolve.rs",
        "Decided::Entered { task, prefix, scope, .. } => {",
        r#"Decided::Entered { task, prefix, scope, .. } => {
            state.env.extend(scope.caller.iter().flat_map(|caller| caller.env.clone()));"#,
    ),
];
