//! The small languages inside of workflows: filters and `uses`.

use syntax::Span;
use workflow::{Pattern, Uses};

/// An input is lines: a pattern or a `uses`, then texts that the pattern is held against.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    check_uses(first);
    let Ok(pattern) = Pattern::parse(first, Span::default()) else { return };
    assert_eq!(pattern.text(), first);
    assert_eq!(pattern.is_negative(), first.starts_with('!'));
    let body = first.strip_prefix('!').unwrap_or(first);
    if !body.contains(['*', '?', '+', '[', ']', '\\']) {
        assert!(pattern.fits(body), "a plain text fits itself");
    }
    for line in lines {
        let fits = pattern.fits(line);
        if !body.contains(['*', '?', '+', '[', ']', '\\']) {
            assert_eq!(fits, line == body, "a plain text fits nothing else");
        }
        assert!(body != "**" || fits, "two stars fit all");
        assert!(body != "*" || fits != line.contains('/'), "a star ends at a slash");
    }
}

/// What a `uses` names, written out, names the same.
fn check_uses(text: &str) {
    for parse in [Uses::parse_action, Uses::parse_workflow] {
        if let Ok(uses) = parse(text) {
            let again = parse(&uses.to_string());
            assert_eq!(again.as_ref(), Ok(&uses), "{uses}");
        }
    }
}
