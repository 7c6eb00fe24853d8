//! What every table needs: a reader, and findings as lines of text.

use syntax::{Diagnostic, Source};

/// A finding as `line:column severity[rule] message | hint`.
pub(crate) fn say(source: &Source, diagnostic: &Diagnostic) -> String {
    let place = diagnostic.labels.first().map_or_else(String::new, |label| {
        let place = source.place(label.span.start);
        format!("{}:{} `{}` ", place.line, place.column, source.slice(label.span).escape_debug())
    });
    let hint = diagnostic.hint.as_ref().map_or_else(String::new, |hint| format!(" | {hint}"));
    format!("{place}{}[{}] {}{hint}", diagnostic.severity, diagnostic.rule, diagnostic.message)
}

/// All findings, one a line.
pub(crate) fn say_all(source: &Source, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|it| format!("{}\n", say(source, it))).collect()
}
