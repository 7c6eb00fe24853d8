//! `launchway eval`: one expression over contexts from a file.

use std::path::Path;

use expr::{Contexts, Expr, Object, Scope, Value};
use syntax::{Diagnostic, Source, Span};

use crate::cli::EvalArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::diagnostics;
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(args: &EvalArgs) -> Outcome {
    let contexts = match &args.context {
        Some(path) => GivenContexts(read_contexts(path)?),
        None => GivenContexts(Object::new()),
    };
    let text = bare(&args.expression);
    let expr = match Expr::parse(text, &Scope::everything()) {
        Ok(expr) => expr,
        Err(error) => {
            let source = Source::new("expression", text);
            let at = error.offset.min(text.len());
            let mut finding =
                Diagnostic::error("expression", &source, Span::new(at, at + 1), error.message);
            finding.hint = error.hint;
            talk(&diagnostics::human(&finding, Style::stderr()));
            return Ok(Exit::Refused);
        }
    };
    let value = expr
        .evaluate(&contexts)
        .map_err(|error| Failure::caused(Exit::Refused, anyhow::Error::new(error)))?;
    out(&serde_json::to_string(&value.to_json()).expect("JSON values have string keys"));
    Ok(Exit::Done)
}

/// The expression without `${{ }}`, where it has them.
fn bare(text: &str) -> &str {
    let trimmed = text.trim();
    trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).map_or(trimmed, str::trim)
}

fn read_contexts(path: &Path) -> Result<Object, Failure> {
    let shown = path.display().to_string();
    let source = crate::running::files::read(path, &shown)?;
    let json: serde_json::Value = serde_json::from_str(source.text()).map_err(|error| {
        let error = anyhow::Error::from(error).context(format!("{shown} is not JSON"));
        Failure::caused(Exit::Refused, error)
    })?;
    match Value::from_json(&json) {
        Value::Object(object) => Ok((*object).clone()),
        _ => Err(Failure::new(Exit::Refused, format!("{shown} is not a JSON object"))
            .hint("it maps context names to values: {\"github\": {\"ref\": \"refs/heads/main\"}}")),
    }
}

/// The contexts of the file. Job status is success: there is no job.
struct GivenContexts(Object);

impl Contexts for GivenContexts {
    fn context(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn status(&self, function: expr::StatusFunction, _names: &[String]) -> Result<bool, String> {
        Ok(matches!(function, expr::StatusFunction::Always | expr::StatusFunction::Success))
    }
}
