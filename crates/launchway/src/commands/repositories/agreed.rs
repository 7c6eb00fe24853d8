//! What whoever connects a repository agrees to. Called again it is added to; what goes is named.

use std::path::PathBuf;

use crate::cli::GrantsArgs;
use crate::exit::{Exit, Failure};
use crate::running::given;
use crate::serving::repositories::Connected;

/// A repository as it was known, if it was, with what is agreed to now.
pub(super) fn merged(
    known: Option<&Connected>,
    (name, path): (String, PathBuf),
    args: &GrantsArgs,
) -> Result<Connected, Failure> {
    let GrantsArgs { environments, no_environments, labels, no_labels } = args;
    let mut connected = known.cloned().unwrap_or_default();
    (connected.name, connected.path) = (name, path);
    if environments.iter().any(|it| it.trim().is_empty()) {
        let message = "--environment takes the name of an environment";
        return Err(Failure::new(Exit::Usage, message).hint("such as --environment staging"));
    }
    // Names of environments are the same in any case.
    let is_one = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    add(&mut connected.environments, environments, is_one);
    take(&mut connected.environments, ("--no-environment", no_environments), is_one)?;
    let is_one = |one: &str, other: &str| one == other;
    add(&mut connected.labels, &labels_here(labels)?, is_one);
    take(&mut connected.labels, ("--no-label", no_labels), is_one)?;
    Ok(connected)
}

fn add(kept: &mut Vec<String>, more: &[String], is_one: impl Fn(&str, &str) -> bool) {
    for name in more.iter().map(|it| it.trim()) {
        if !kept.iter().any(|it| is_one(it, name)) {
            kept.push(name.to_owned());
        }
    }
}

fn take(
    kept: &mut Vec<String>,
    (flag, gone): (&str, &[String]),
    is_one: impl Fn(&str, &str) -> bool,
) -> Result<(), Failure> {
    for name in gone {
        let before = kept.len();
        kept.retain(|it| !is_one(it, name));
        if kept.len() == before {
            let message = format!("{flag} {name}: nobody agreed to that");
            let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") };
            return Err(Failure::new(Exit::Usage, message)
                .hint(format!("agreed to, with what this call adds: {kept}")));
        }
    }
    Ok(())
}

/// Labels that mean the server's machine. Images are the server's to say.
fn labels_here(flags: &[String]) -> Result<Vec<String>, Failure> {
    let wanted = flags.iter().map(|flag| given::pair("--label", flag));
    wanted
        .map(|pair| match pair? {
            (label, "host") => Ok(label.to_owned()),
            (label, image) => {
                let message = format!(
                    "--label {label}={image}: a repository's labels mean the server's machine"
                );
                Err(Failure::new(Exit::Usage, message)
                    .hint(format!("launchway serve --label {label}={image}")))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn check(known: &Connected, args: GrantsArgs, expect: &Expect) -> Connected {
        let place = (known.name.clone(), known.path.clone());
        let merged = merged(Some(known), place, &args);
        let text = match &merged {
            Ok(it) => format!("{} / {}", it.environments.join(" "), it.labels.join(" ")),
            Err(failure) => format!("{:#}: {}", failure.error, failure.hints.join(", ")),
        };
        expect.assert_eq(&text);
        merged.unwrap_or_default()
    }

    fn args(
        environments: &str,
        no_environments: &str,
        labels: &str,
        no_labels: &str,
    ) -> GrantsArgs {
        GrantsArgs {
            environments: words(environments),
            no_environments: words(no_environments),
            labels: words(labels),
            no_labels: words(no_labels),
        }
    }

    #[test]
    fn what_was_agreed_to_stays_until_it_is_taken_away_by_name() {
        let known = Connected { name: "octo/app".to_owned(), ..Connected::default() };
        let first = args("staging", "", "gpu=host", "");
        let first = check(&known, first, &expect!["staging / gpu"]);
        let more = args("production Staging", "", "", "");
        let more = check(&first, more, &expect!["staging production / gpu"]);
        check(&more, args("", "", "", ""), &expect!["staging production / gpu"]);
        check(&more, args("", "STAGING", "", "gpu"), &expect!["production / "]);
        check(
            &more,
            args("", "prod", "", ""),
            &expect![
                "--no-environment prod: nobody agreed to that: agreed to, with what this call adds: staging, production"
            ],
        );
        let empty = GrantsArgs { environments: vec![" ".to_owned()], ..args("", "", "", "") };
        check(
            &more,
            empty,
            &expect![
                "--environment takes the name of an environment: such as --environment staging"
            ],
        );
    }
}
