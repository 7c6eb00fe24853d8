//! Places lie in the text they speak of.

use std::ops::Range;
use std::sync::Arc;

use syntax::{Diagnostic, Source, Span};

/// Fails where a span does not cut its text between characters.
pub(crate) fn span_in(source: &Source, span: Span) {
    range_in(source.text(), span.range());
}

/// Fails where a range does not cut the text between characters.
pub(crate) fn range_in(text: &str, range: Range<usize>) {
    assert!(text.get(range.clone()).is_some(), "{range:?} is no part of the text");
}

/// Fails where a finding points outside of the file, or says nothing.
pub(crate) fn diagnostics_in(source: &Arc<Source>, found: &[Diagnostic]) {
    for diagnostic in found {
        assert!(!diagnostic.message.trim().is_empty(), "a finding says something");
        assert!(!diagnostic.labels.is_empty(), "there is a text to point at");
        for label in &diagnostic.labels {
            assert!(Arc::ptr_eq(&label.source, source), "it is about this file");
            span_in(source, label.span);
        }
    }
}
