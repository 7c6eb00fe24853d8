//! One diagnostic, three faces: under the user's own text, as JSON, as GitHub annotations.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;
use syntax::{Diagnostic, Severity};

use crate::cli::Format;
use crate::terminal::plural::plural;
use crate::terminal::style::Style;

/// Everything that was found, in the wanted form, a text per finding.
pub(crate) fn render<'d>(
    found: impl IntoIterator<Item = &'d Diagnostic>,
    format: Format,
    style: Style,
) -> Vec<String> {
    found
        .into_iter()
        .map(|diagnostic| match format {
            Format::Human => human(diagnostic, style),
            Format::Json => machine(diagnostic),
            Format::Github => annotation(diagnostic),
        })
        .collect()
}

/// As the compiler would show it.
pub(crate) fn human(diagnostic: &Diagnostic, style: Style) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.rule);
    let mut group = Group::with_title(title);
    for (at, label) in diagnostic.labels.iter().enumerate() {
        let kind = if at == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let text = label.source.text();
        let end = label.span.range().end.min(text.len());
        let start = label.span.range().start.min(end);
        let mark = kind.span(start..end).label(label.text.as_str());
        let snippet = Snippet::source(text).path(label.source.name()).annotation(mark);
        group = group.element(snippet);
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    let renderer = if style.is_coloured() { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]) + "\n"
}

/// The documented JSON line.
fn machine(diagnostic: &Diagnostic) -> String {
    let mut line = json!({
        "file": null, "line": null, "column": null, "end_line": null, "end_column": null,
        "severity": diagnostic.severity.to_string(),
        "rule": diagnostic.rule,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    });
    if let Some(label) = diagnostic.labels.first() {
        let (start, end) =
            (label.source.place(label.span.start), label.source.place(label.span.end));
        line["file"] = json!(label.source.name());
        line["line"] = json!(start.line);
        line["column"] = json!(start.column);
        line["end_line"] = json!(end.line);
        line["end_column"] = json!(end.column);
    }
    line.to_string()
}

/// A workflow command that GitHub turns into an annotation.
fn annotation(diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let hint = diagnostic.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
    let message = escape_data(&format!("{}{hint}", diagnostic.message));
    let title = escape_property(diagnostic.rule);
    match diagnostic.labels.first() {
        Some(label) => {
            let (start, end) =
                (label.source.place(label.span.start), label.source.place(label.span.end));
            let file = escape_property(label.source.name());
            format!(
                "::{command} file={file},line={},endLine={},col={},title={title}::{message}",
                start.line, end.line, start.column
            )
        }
        None => format!("::{command} title={title}::{message}"),
    }
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// `2 errors, 1 warning`; none where there is nothing to count.
pub(crate) fn summary(found: &[Diagnostic]) -> Option<String> {
    let count =
        |severity| found.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let parts: Vec<String> = [
        (count(Severity::Error), "error"),
        (count(Severity::Warning), "warning"),
        (count(Severity::Note), "note"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| plural(count, word))
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use syntax::{Source, Span};

    fn sample() -> Diagnostic {
        let source = Source::new("ci.yml", "on: push\njobs:\n  build:\n    steps: []\n");
        Diagnostic::error(
            "missing-key",
            &source,
            Span::new(17, 22),
            "Required property is missing: runs-on",
        )
        .hint("add `runs-on: ubuntu-latest`")
    }

    fn check(format: Format, expect: Expect) {
        expect.assert_eq(&render(&[sample()], format, Style::plain()).join("\n"));
    }

    #[test]
    fn three_faces_of_one_finding() {
        check(
            Format::Human,
            expect![[r#"
                error[missing-key]: Required property is missing: runs-on
                 --> ci.yml:3:3
                  |
                3 |   build:
                  |   ^^^^^
                  |
                  = help: add `runs-on: ubuntu-latest`
            "#]],
        );
        check(
            Format::Json,
            expect![[
                r#"{"file":"ci.yml","line":3,"column":3,"end_line":3,"end_column":8,"severity":"error","rule":"missing-key","message":"Required property is missing: runs-on","hint":"add `runs-on: ubuntu-latest`"}"#
            ]],
        );
        check(
            Format::Github,
            expect![[
                r#"::error file=ci.yml,line=3,endLine=3,col=3,title=missing-key::Required property is missing: runs-on%0Aadd `runs-on: ubuntu-latest`"#
            ]],
        );
    }

    #[test]
    fn findings_are_counted_by_severity() {
        assert_eq!(summary(&[sample(), sample()]).as_deref(), Some("2 errors"));
        assert_eq!(summary(&[]), None);
    }
}
