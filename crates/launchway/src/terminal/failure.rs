//! Why a command could not do it: the error with its reasons, and each hint on its own line.

use crate::cli::pasted;
use crate::exit::Failure;
use crate::terminal::github;
use crate::terminal::style::{Style, talk};

/// Shows it on standard error.
pub(crate) fn show(failure: &Failure) {
    // In a job it stands on the run's page, too.
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|it| it == "true") {
        let hints = failure.hints.iter().map(|hint| format!("\n{}", pasted::whole(hint)));
        let message = format!("{}{}", words(failure), hints.collect::<String>());
        talk(&github::annotation(github::Level::Error, "launchway", &message));
        return;
    }
    for line in lines(failure, Style::stderr()) {
        talk(&line);
    }
}

/// The same in one line, without what to do about it.
pub(crate) fn words(failure: &Failure) -> String {
    let mut words: Vec<String> = Vec::new();
    for reason in failure.error.chain().map(ToString::to_string) {
        // A library that wraps its error says the same once more.
        if words.last().is_none_or(|before| !before.contains(&reason)) {
            words.push(reason);
        }
    }
    words.join(": ")
}

fn lines(failure: &Failure, style: Style) -> Vec<String> {
    let mut lines = vec![format!("{} {}", style.red("error:"), failure.error)];
    let mut before = failure.error.to_string();
    for reason in failure.error.chain().skip(1).map(ToString::to_string) {
        // A library that wraps its error says the same once more.
        if !reason.contains(&before) {
            lines.push(format!("  because: {reason}"));
        }
        before = reason;
    }
    let hint = |hint: &String| format!("{} {}", style.cyan("hint:"), pasted::whole(hint));
    lines.extend(failure.hints.iter().map(hint));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let cause = std::io::Error::other("disk on fire");
        let error = anyhow::Error::from(cause).context("cannot open the journal");
        let failure = Failure::caused(Exit::Missing, error).hint("put it out");
        let shown = lines(&failure, Style::plain()).join("\n");
        assert_eq!(
            shown,
            "error: cannot open the journal\n  because: disk on fire\nhint: put it out"
        );
    }
}
