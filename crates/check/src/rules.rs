//! The list of rules. One line here, one file below, one page in `docs/rules`.

use syntax::RuleId;

use crate::findings::Findings;
use crate::subject::Subject;

mod call_circle;
mod call_inputs;
mod case_ignored;
mod cloud_command_without_credentials;
mod concurrency_deadlock;
mod condition_always_true;
mod deprecated_command;
mod empty_scan;
mod hidden_failure;
mod image_not_loaded;
mod matrix_too_large;
mod missing_checkout;
mod missing_required_input;
mod missing_timeout;
mod never_runs;
mod outsider_text_in_run;
mod plan_without_backend;
mod refused_action_version;
mod secret_on_command_line;
mod service_database_missing;
mod token_without_permission;
mod unchecked_pipe;
mod unknown_input;
mod unknown_need;
mod unknown_output;
mod unknown_shell;
mod unknown_variable;
mod unpinned_action;
mod unreachable_service;
mod version_as_number;

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its name, also that of its file and of its page.
    pub(crate) id: RuleId,
    /// Looks at one file.
    pub(crate) look: fn(&Subject<'_>, &mut Findings<'_>),
}

/// Found while the comments are read (`ignores.rs`), so its `look` has nothing to do.
pub(crate) const IGNORE_WITHOUT_REASON: RuleId = "ignore-without-reason";

/// Every rule, in the order of the docs' index.
pub(crate) const RULES: &[Rule] = &[
    Rule { id: "token-without-permission", look: token_without_permission::look },
    Rule { id: "unreachable-service", look: unreachable_service::look },
    Rule { id: "service-database-missing", look: service_database_missing::look },
    Rule { id: "unknown-input", look: unknown_input::look },
    Rule { id: "missing-required-input", look: missing_required_input::look },
    Rule { id: "unknown-output", look: unknown_output::look },
    Rule { id: "unknown-variable", look: unknown_variable::look },
    Rule { id: "cloud-command-without-credentials", look: cloud_command_without_credentials::look },
    Rule { id: "refused-action-version", look: refused_action_version::look },
    Rule { id: "unpinned-action", look: unpinned_action::look },
    Rule { id: "outsider-text-in-run", look: outsider_text_in_run::look },
    Rule { id: "condition-always-true", look: condition_always_true::look },
    Rule { id: "never-runs", look: never_runs::look },
    Rule { id: "missing-checkout", look: missing_checkout::look },
    Rule { id: "secret-on-command-line", look: secret_on_command_line::look },
    Rule { id: "hidden-failure", look: hidden_failure::look },
    Rule { id: "missing-timeout", look: missing_timeout::look },
    Rule { id: "concurrency-deadlock", look: concurrency_deadlock::look },
    Rule { id: "deprecated-command", look: deprecated_command::look },
    Rule { id: "unchecked-pipe", look: unchecked_pipe::look },
    Rule { id: "version-as-number", look: version_as_number::look },
    Rule { id: "call-inputs", look: call_inputs::look },
    Rule { id: "call-circle", look: call_circle::look },
    Rule { id: "unknown-need", look: unknown_need::look },
    Rule { id: "image-not-loaded", look: image_not_loaded::look },
    Rule { id: "plan-without-backend", look: plan_without_backend::look },
    Rule { id: "case-ignored", look: case_ignored::look },
    Rule { id: "empty-scan", look: empty_scan::look },
    Rule { id: "unknown-shell", look: unknown_shell::look },
    Rule { id: "matrix-too-large", look: matrix_too_large::look },
    Rule { id: IGNORE_WITHOUT_REASON, look: |_, _| {} },
];

/// Whether a rule has this name.
pub(crate) fn exists(name: &str) -> bool {
    RULES.iter().any(|rule| rule.id == name)
}
