//! Says of each workflow whether it is accepted: the Rust side of the differential test.
//!
//! Reads names of files, one a line, and writes a line of JSON for each.

use std::io::{self, BufRead, Write};

use syntax::{Severity, Source};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for name in io::stdin().lock().lines() {
        let name = name?;
        let bytes = read_file(&name)?;
        let source = Source::new(name.clone(), String::from_utf8_lossy(&bytes).into_owned());
        let (_, diagnostics) = workflow::read(&source);
        let errors: Vec<String> = diagnostics
            .iter()
            .filter(|it| it.severity == Severity::Error)
            .map(|it| {
                let place = it.labels.first().map(|label| source.place(label.span.start));
                let (line, column) = place.map_or((0, 0), |place| (place.line, place.column));
                format!("{line}:{column} [{}] {}", it.rule, it.message)
            })
            .collect();
        let verdict = serde_json::json!({
            "file": name, "accepted": errors.is_empty(), "errors": errors,
        });
        writeln!(out, "{verdict}")?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the crate is pure, this program around it is not")]
fn read_file(name: &str) -> io::Result<Vec<u8>> {
    std::fs::read(name)
}
