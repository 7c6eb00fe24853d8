//! A file against its example: what is missing, what the example does not know, what nobody filled in.

use syntax::{Diagnostic, RuleId, Span};

use super::EnvFile;

const MISSING: RuleId = "env-missing";
const EXTRA: RuleId = "env-extra";
const PLACEHOLDER: RuleId = "env-placeholder";

/// What stands in examples for a value that somebody has to fill in: a value that is one of these, or
/// begins or ends so.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "replaceme",
    "replace-me",
    "replace_me",
    "fixme",
    "todo",
    "tbd",
    "xxx",
];
const PLACEHOLDER_STARTS: &[&str] = &[
    "your-",
    "your_",
    "<",
    "replace-with",
    "replace_with",
    "insert-",
    "insert_",
    "changeme",
    "change-this",
    "change_this",
];

/// Compares a file with its example. `also` are names that the service gets otherwise: from `env`,
/// `secrets`, or another file.
pub fn compare(file: &EnvFile, example: &EnvFile, also: &[&str]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let end = file.variables.last().map_or(Span::new(0, 0), |it| it.name.span);
    for wanted in &example.variables {
        let name = &*wanted.name.value;
        if file.get(name).is_none() && !also.contains(&name) {
            let message = format!("`{name}` is missing");
            let finding = Diagnostic::error(MISSING, &file.source, end, message)
                .label(&example.source, wanted.name.span, "the example has it")
                .hint(format!(
                    "add `{name}=`, or make it a comment in the example if it may be missing"
                ));
            finding.keep(&mut found);
        }
    }
    for variable in &file.variables {
        let name = &*variable.name.value;
        let span = variable.name.span;
        match example.get(name) {
            None => {
                let message = format!("the example does not know `{name}`");
                let hint = format!("add `{name}=` to {}", example.source.name());
                Diagnostic::warning(EXTRA, &file.source, span, message).hint(hint).keep(&mut found);
            }
            Some(same)
                if same.value.expose() == variable.value.expose()
                    && is_placeholder(variable.value.expose()) =>
            {
                let message = format!("`{name}` still has the value of the example");
                let finding = Diagnostic::error(PLACEHOLDER, &file.source, span, message)
                    .label(&example.source, same.name.span, "nobody has changed it")
                    .hint("fill it in");
                finding.keep(&mut found);
            }
            Some(_) => {}
        }
    }
    found.sort_by_key(|it| it.labels.first().map(|label| label.span));
    found
}

fn is_placeholder(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let one_of = PLACEHOLDERS.iter().any(|it| value == *it || value.ends_with(&format!("-{it}")));
    one_of || PLACEHOLDER_STARTS.iter().any(|it| value.starts_with(it))
}

/// Where the example of a file is looked for, the first that exists counts:
/// `settings/staging.env.example`, `settings/staging.example.env`, `settings/.env.example`,
/// `settings/example.env`.
pub fn examples_of(path: &str) -> Vec<String> {
    let (folder, name) = match path.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name),
        None => (String::new(), path),
    };
    let mut names = vec![format!("{name}.example")];
    if let Some(stem) = name.strip_suffix(".env").filter(|stem| !stem.is_empty()) {
        names.push(format!("{stem}.example.env"));
    }
    names.extend([".env.example".to_owned(), "example.env".to_owned()]);
    names.dedup();
    names.retain(|it| it != name);
    names.into_iter().map(|name| format!("{folder}{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_stand_beside() {
        assert_eq!(examples_of(".env"), [".env.example", "example.env"]);
        assert_eq!(
            examples_of("settings/staging.env"),
            [
                "settings/staging.env.example",
                "settings/staging.example.env",
                "settings/.env.example",
                "settings/example.env"
            ]
        );
    }

    #[test]
    fn what_nobody_filled_in() {
        for text in ["changeme", "CHANGE_ME", "your-api-key", "<token>", "TODO", "db-changeme"] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["", "5432", "info", "https://example.com", "yours"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
