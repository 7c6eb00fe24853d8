//! The group that a step's log begins with: what runs, with what (conformance 140).

use sequencer::Shown;

/// Colours a script's lines in the log, as GitHub does.
const SCRIPT_COLOUR: (&str, &str) = ("\u{1b}[36;1m", "\u{1b}[0m");

/// Its lines, not masked yet.
pub(crate) fn text(shown: &Shown, script: Option<&str>, shell: Option<&str>) -> String {
    let mut text = format!("##[group]{}\n", shown.title);
    let (on, off) = SCRIPT_COLOUR;
    for line in script.iter().flat_map(|script| script.lines()) {
        text.extend([on, line, off, "\n"]);
    }
    push_entries(&mut text, "with", shown.with.iter());
    if let Some(shell) = shell {
        text.extend(["shell: ", shell, "\n"]);
    }
    push_entries(&mut text, "env", shown.env.iter());
    text.push_str("##[endgroup]");
    text
}

fn push_entries<'a>(
    text: &mut String,
    heading: &str,
    entries: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) {
    if entries.len() > 0 {
        text.extend([heading, ":\n"]);
    }
    for (name, value) in entries {
        text.extend(["  ", name, ": ", value, "\n"]);
    }
}
