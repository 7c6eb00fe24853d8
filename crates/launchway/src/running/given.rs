//! Secrets, variables, inputs and mirrors as they are given: `KEY=VALUE` flags, files, the
//! environment, a question on the terminal.

mod gh;
mod person;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use docker::Engine;
use event::Terms;
use mask::Secret;
use server::VALUE_BYTES_MAX;

use crate::exit::{Exit, Failure};
use crate::running::files;

pub(crate) use gh::{token_for, token_of_gh};
pub(crate) use person::from_person;

/// Variables that a run can have: a thousand of the organization, five hundred of the repository, a
/// hundred of the environment (conformance 242).
const VARS_MAX: usize = 1_600;

/// `KEY=VALUE` as its parts.
pub(crate) fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| Failure::new(Exit::Usage, format!("{flag} takes KEY=VALUE, not `{text}`")))
}

/// Variables of `--var`.
pub(crate) fn vars(flags: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut vars = BTreeMap::new();
    for flag in flags {
        let (key, value) = pair("--var", flag)?;
        vars.insert(checked_name("variable", key)?, checked_value("variable", key, value)?);
    }
    if vars.len() > VARS_MAX {
        let message = format!("{} variables were given; a run has at most {VARS_MAX}", vars.len());
        return Err(Failure::new(Exit::Refused, message));
    }
    Ok(vars)
}

/// `--environment NAME`, and `--label gpu=host` or `--label ubuntu-latest=node:24`.
pub(crate) fn terms(
    environments: &[String],
    labels: &[String],
    committed: bool,
) -> Result<Terms, Failure> {
    let environments = environments.to_vec();
    let mut terms = Terms { environments, committed, ..Terms::default() };
    for flag in labels {
        let (label, place) = pair("--label", flag)?;
        terms.labels.push(label.to_owned());
        if place != "host" {
            terms.images.insert(label.to_lowercase(), image("--label", place)?);
        }
    }
    has_docker(&terms)?;
    Ok(terms)
}

/// Where a label means an image, Docker has to answer.
fn has_docker(terms: &Terms) -> Result<(), Failure> {
    let Some((label, image)) = terms.images.first_key_value() else { return Ok(()) };
    let looked = Engine::of(None).and_then(|it| it.look().map_err(|error| error.to_string()));
    looked.map_err(|why| {
        Failure::new(Exit::Missing, format!("the label {label} cannot be the image {image}: {why}"))
            .hint(format!("--label {label}=host runs such jobs on this machine"))
    })
}

/// `--label gpu` and `--label ubuntu-latest=IMAGE` of a machine that takes jobs: its labels, and the images
/// of those, in lower case, that have one.
pub(crate) fn labels_of_machine(
    flags: &[String],
) -> Result<(Vec<String>, BTreeMap<String, String>), Failure> {
    let (mut labels, mut images) = (Vec::new(), BTreeMap::new());
    for flag in flags {
        let (label, place) = flag.split_once('=').unwrap_or((flag, "host"));
        labels.push(label.to_owned());
        if place != "host" {
            images.insert(label.to_lowercase(), image("--label", place)?);
        }
    }
    Ok((labels, images))
}

/// The name of an image, as it was given.
pub(crate) fn image(flag: &str, name: &str) -> Result<String, Failure> {
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.starts_with('-') || name.contains(is_odd) {
        let message = format!("{flag}: `{name}` names no image");
        return Err(Failure::new(Exit::Usage, message)
            .hint(format!("{flag} LABEL=host, or an image: {flag} ubuntu-latest=node:24")));
    }
    Ok(name.to_owned())
}

/// Secrets of `--secret-file` and `--secret`; a flag wins over the file. A flag without a value is
/// taken from the environment, else asked for where a person is there.
pub(crate) fn secrets(
    flags: &[String],
    file: Option<&Path>,
) -> Result<BTreeMap<String, Secret>, Failure> {
    let mut secrets = BTreeMap::new();
    if let Some(path) = file {
        let source = files::read(path, &path.display().to_string())?;
        for (number, line) in source.text().lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The line itself is not shown: it may be the secret.
            let Some((key, value)) = line.split_once('=') else {
                let place = format!("{}:{}", path.display(), number + 1);
                return Err(Failure::new(Exit::Refused, format!("{place} is not KEY=VALUE"))
                    .hint("one secret a line; lines that begin with # are comments"));
            };
            let value = unquoted(value);
            insert(&mut secrets, key.trim(), value)?;
        }
    }
    for flag in flags {
        match flag.split_once('=') {
            Some((key, value)) => insert(&mut secrets, key, value)?,
            None => {
                let value = from_environment_or_person(flag)?;
                insert(&mut secrets, flag, &value)?;
            }
        }
    }
    Ok(secrets)
}

fn insert(secrets: &mut BTreeMap<String, Secret>, key: &str, value: &str) -> Result<(), Failure> {
    let name = checked_name("secret", key)?;
    secrets.insert(name, Secret::new(checked_value("secret", key, value)?));
    Ok(())
}

/// A value in one pair of matching quotes means what is inside.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value)
}

fn from_environment_or_person(name: &str) -> Result<String, Failure> {
    if let Ok(value) = std::env::var(name) {
        return Ok(value);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            Exit::Usage,
            format!("secret {name} has no value, and the environment has no {name}"),
        )
        .hint(format!("--secret {name}=VALUE, or {name}=VALUE launchway run --secret {name}")));
    }
    let hint =
        format!("give it in the environment: {name}=\"$(cat FILE)\" launchway ... --secret {name}");
    from_person(name, &hint)
}

/// The text of a secret.
pub(crate) fn text(name: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| {
        let message = format!("secret {name} is no text: it has bytes that are not UTF-8");
        Failure::new(Exit::Refused, message)
            .hint("base64 writes it as text, and a step reads it back with `base64 --decode`")
    })
}

/// GitHub's rule for names: letters, digits, `_`; no digit first; not `GITHUB_`, save its token.
pub(crate) fn checked_name(kind: &str, name: &str) -> Result<String, Failure> {
    let name = name.to_uppercase();
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let first = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if !letters || !first {
        return Err(Failure::new(Exit::Usage, format!("`{name}` cannot be the name of a {kind}"))
            .hint("letters, digits and _, not a digit first"));
    }
    if name.starts_with("GITHUB_") && name != "GITHUB_TOKEN" {
        return Err(Failure::new(
            Exit::Usage,
            format!("a {kind} cannot be called {name}: GITHUB_ is reserved"),
        ));
    }
    Ok(name)
}

pub(crate) fn checked_value(kind: &str, name: &str, value: &str) -> Result<String, Failure> {
    if value.len() > VALUE_BYTES_MAX {
        let size = value.len();
        return Err(Failure::new(
            Exit::Refused,
            format!("{kind} {name} has {size} bytes; GitHub takes {VALUE_BYTES_MAX}"),
        ));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_quotes_go() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = folder.path().join("secrets");
        std::fs::write(&path, "# ours\nTOKEN=from-file\nURL=\"https://example.com\"\n\n")
            .expect("file");
        let secrets = secrets(&["token=from-flag".to_owned()], Some(&path)).expect("readable");
        assert_eq!(secrets.keys().collect::<Vec<_>>(), ["TOKEN", "URL"]);
        assert_eq!(secrets["TOKEN"].expose(), "from-flag");
        assert_eq!(secrets["URL"].expose(), "https://example.com");
    }

    #[test]
    fn a_bad_line_is_named_without_its_text() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = folder.path().join("secrets");
        std::fs::write(&path, "hunter2hunter2\n").expect("file");
        let failure = secrets(&[], Some(&path)).expect_err("no KEY=VALUE");
        let text = failure.error.to_string();
        assert!(
            text.ends_with("secrets:1 is not KEY=VALUE") && !text.contains("hunter2"),
            "{text}"
        );
    }

    /// Variables with the longest value that is taken, and with one more byte.
    // proves: conformance 242
    #[test]
    fn c242_variables_have_48_kilobytes_each_and_are_counted() {
        let flag = |bytes: usize| format!("REGION={}", "x".repeat(bytes));
        assert!(vars(&[flag(48 << 10)]).is_ok());
        let failure = vars(&[flag((48 << 10) + 1)]).expect_err("a byte too many");
        expect_test::expect!["variable REGION has 49153 bytes; GitHub takes 49152"]
            .assert_eq(&failure.error.to_string());
        assert_eq!(failure.exit, Exit::Refused);
        let many = |count: usize| (0..count).map(|it| format!("V{it}=x")).collect::<Vec<_>>();
        assert!(vars(&many(1_600)).is_ok());
        let failure = vars(&many(1_601)).expect_err("one too many");
        expect_test::expect!["1601 variables were given; a run has at most 1600"]
            .assert_eq(&failure.error.to_string());
    }

    // proves: conformance 243
    #[test]
    fn c243_secrets_have_48_kilobytes_each() {
        let flag = |bytes: usize| format!("KEY={}", "x".repeat(bytes));
        assert!(secrets(&[flag(48 << 10)], None).is_ok());
        let failure = secrets(&[flag((48 << 10) + 1)], None).expect_err("a byte too many");
        expect_test::expect!["secret KEY has 49153 bytes; GitHub takes 49152"]
            .assert_eq(&failure.error.to_string());
        assert_eq!(failure.exit, Exit::Refused);
    }

    #[test]
    fn names_are_checked() {
        for name in ["1A", "A-B", "", "GITHUB_REF"] {
            assert!(vars(&[format!("{name}=x")]).is_err(), "{name}");
        }
        assert!(vars(&["region=eu".to_owned()]).is_ok());
    }
}
