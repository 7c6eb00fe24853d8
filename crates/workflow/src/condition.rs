//! `if`: the whole text is an expression, with or without `${{ }}` (conformance 18, 87, 88).

use std::sync::Arc;

use expr::{Expr, Scope};
use syntax::{Diagnostic, Node, NodeKind};

use crate::model::{Condition, Text};
use crate::reader::{Reader, scalar_text};
use crate::template::{Piece, pieces, string_literal};

impl Reader<'_> {
    /// Reads an `if` in which the status functions of the scope count: where none is written,
    /// `success()` is meant.
    pub(crate) fn condition(&mut self, node: &Node, scope: &Scope) -> Option<Condition> {
        if matches!(node.kind, NodeKind::Mapping(_) | NodeKind::Sequence(_)) {
            self.unexpected(node, "an expression is expected here");
            return None;
        }
        let text = scalar_text(node).expect("lists and mappings are refused above");
        let written = Text { value: Arc::clone(&text), span: node.span };
        let expr = self.condition_expression(&text, node, scope)?;
        let expr = if expr.uses_status_function() {
            expr
        } else {
            let wrapped = match expr.text().trim() {
                "" => "success()".to_owned(),
                inner => format!("success() && ({inner})"),
            };
            // Depth and length have a little less room with the wrapping; its fault is the user's.
            match Expr::parse(&wrapped, scope) {
                Ok(expr) => expr,
                Err(error) => {
                    self.error("expression", node.span, error.to_string());
                    return None;
                }
            }
        };
        Some(Condition { expr, text: written })
    }

    /// The expression as it is meant, without anything put before it.
    pub(crate) fn condition_expression(
        &mut self,
        text: &str,
        node: &Node,
        scope: &Scope,
    ) -> Option<Expr> {
        if !text.contains("${{") {
            let inner = text.trim();
            let start = text.len() - text.trim_start().len();
            return self.expression(inner, scope, |range| {
                (node.place(), start + range.start..start + range.end, text)
            });
        }
        let Some(pieces) = pieces(text) else {
            // The template reader says where it is not closed.
            self.template(node, scope);
            return None;
        };
        if let [Piece::Expression(inner, at)] = pieces.as_slice() {
            let start = at + (inner.len() - inner.trim_start().len());
            if inner.trim().is_empty() {
                // `${{ }}` is a mistake, while an `if` with nothing at all means `success()`.
                self.template(node, scope);
                return None;
            }
            // A quoted text alone is that text, and the text of a condition is an expression.
            if let Some(literal) = string_literal(inner.trim()) {
                let whole = 0..text.len();
                return self.expression(literal.trim(), scope, |_| (node.place(), whole, text));
            }
            return self.expression(inner.trim(), scope, |range| {
                (node.place(), start + range.start..start + range.end, text)
            });
        }
        self.mixed(&pieces, node, scope)
    }

    /// Text around an expression makes text, and text that is not empty is true.
    fn mixed(&mut self, pieces: &[Piece<'_>], node: &Node, scope: &Scope) -> Option<Expr> {
        let before = self.diagnostics.len();
        self.template(node, scope);
        if self.diagnostics.len() > before {
            return None;
        }
        let mut format = String::from("format('");
        let mut arguments = String::new();
        let mut count = 0;
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    let escaped = text.replace('\'', "''").replace('{', "{{").replace('}', "}}");
                    format.push_str(&escaped);
                }
                Piece::Expression(inner, _) => {
                    format.push_str(&format!("{{{count}}}"));
                    arguments.push_str(&format!(", {}", inner.trim()));
                    count += 1;
                }
            }
        }
        let text = format!("{format}'{arguments})");
        let warning = Diagnostic::warning(
            "condition-always-true",
            self.source,
            node.span,
            "this condition is always true: text stands around its expression",
        );
        self.report(warning.hint("put the whole condition inside one `${{ .. }}`, or use none"));
        match Expr::parse(&text, scope) {
            Ok(expr) => Some(expr),
            Err(error) => {
                self.error("expression", node.span, error.to_string());
                None
            }
        }
    }
}
