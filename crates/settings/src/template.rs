//! Names with gaps: `{service}-{env}`. What may stand in braces is known when the file is read.

use std::sync::Arc;

/// What the gaps of one service in one environment are filled with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'n> {
    pub(crate) project: &'n str,
    pub(crate) environment: &'n str,
    pub(crate) service: &'n str,
}

/// Why a text is no template over these placeholders.
pub(crate) fn check(text: &str, placeholders: &[&str]) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let Some(inside) = rest[at..].strip_prefix('{') else {
            return Err("a `}` closes nothing".to_owned());
        };
        let Some(end) = inside.find('}') else {
            return Err("a `{` is never closed".to_owned());
        };
        let name = &inside[..end];
        if !placeholders.contains(&name) {
            let meant = syntax::nearest(name, placeholders);
            let meant = meant.map(|it| format!(", did you mean `{{{it}}}`?"));
            let there = placeholders.iter().map(|it| format!("{{{it}}}")).collect::<Vec<_>>();
            let other = || format!("; there are {}", there.join(", "));
            return Err(format!("there is no `{{{name}}}`{}", meant.unwrap_or_else(other)));
        }
        rest = &inside[end + 1..];
    }
    Ok(())
}

/// The text with every gap filled; what [`check`] refused stays as it is.
pub(crate) fn fill(text: &Arc<str>, names: Names<'_>) -> Arc<str> {
    if !text.contains('{') {
        return Arc::clone(text);
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = &**text;
    while let Some(at) = rest.find('{') {
        filled += &rest[..at];
        let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
        filled += match &rest[at..end] {
            "{project}" => names.project,
            "{env}" => names.environment,
            "{service}" => names.service,
            other => other,
        };
        rest = &rest[end..];
    }
    Arc::from(filled + rest)
}
