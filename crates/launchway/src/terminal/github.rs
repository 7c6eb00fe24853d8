//! Inside GitHub Actions: lines that its runner reads, and the files that it gives a step.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::style::out;

/// How much an annotation weighs.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Notice,
    Warning,
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// A line that the run's page shows.
pub(crate) fn annotation(level: Level, title: &str, message: &str) -> String {
    let title =
        if title.is_empty() { String::new() } else { format!(" title={}", property(title)) };
    format!("::{}{title}::{}", level.word(), escape(message))
}

/// Lines that are folded away under a title.
pub(crate) fn group(title: &str, lines: &str) {
    out(&format!("::group::{}", escape(title)));
    for line in lines.lines() {
        out(&inert(line));
    }
    out("::endgroup::");
}

/// A line that is no command, whatever is in it.
pub(crate) fn inert(line: &str) -> String {
    line.replace("::", ":\u{200b}:")
}

/// The value of a command.
pub(crate) fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
pub(crate) fn property(text: &str) -> String {
    escape(text).replace(':', "%3A").replace(',', "%2C")
}

/// Adds to the summary of the step, where there is one.
pub(crate) fn summary(markdown: &str) {
    append("GITHUB_STEP_SUMMARY", &format!("{markdown}\n"));
}

/// An output of the step, for the steps behind it. Nobody can guess where it ends.
pub(crate) fn output(name: &str, value: &str) {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    let end = bytes.iter().fold("end_".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    append("GITHUB_OUTPUT", &format!("{name}<<{end}\n{value}\n{end}\n"));
}

/// Outside of a step there is no such file, and nobody who would read it.
fn append(variable: &str, text: &str) {
    let Some(path) = std::env::var_os(variable).filter(|it| !it.is_empty()) else { return };
    let file = OpenOptions::new().append(true).create(true).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
        let message = format!("{variable} cannot be written: {error}");
        out(&annotation(Level::Warning, "", &message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_command_of_its_own() {
        assert_eq!(
            annotation(Level::Error, "api/health: x", "it says\n::error::no, 5%"),
            "::error title=api/health%3A x::it says%0A::error::no, 5%25"
        );
        assert_eq!(inert("::set-output name=a::b"), ":\u{200b}:set-output name=a:\u{200b}:b");
    }
}
