//! An expression, parsed.

use std::sync::Arc;

use crate::contexts::Contexts;
use crate::error::{EvalError, ParseError};
use crate::scope::Scope;
use crate::tree::Node;
use crate::value::Value;
use crate::walk::{self, Call, Reference};
use crate::{evaluator, parser};

/// An expression that fits its place. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expr {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    text: String,
    /// None: the text is empty, and the value is null (conformance 87).
    tree: Option<Node>,
}

impl Expr {
    /// Reads an expression (without its `${{ }}`) that stands in a place with this scope.
    ///
    /// # Errors
    /// GitHub's own sentence when it is no expression or names what the place does not have.
    pub fn parse(text: &str, scope: &Scope) -> Result<Self, ParseError> {
        let tree = parser::parse(text, scope)?;
        Ok(Self { inner: Arc::new(Inner { text: text.to_owned(), tree }) })
    }

    /// The expression's value. An empty expression is null.
    ///
    /// # Errors
    /// The function that failed and why (conformance 90: the step fails with it).
    pub fn evaluate(&self, contexts: &dyn Contexts) -> Result<Value, EvalError> {
        match &self.inner.tree {
            Some(tree) => evaluator::evaluate(tree, &self.inner.text, contexts),
            None => Ok(Value::Null),
        }
    }

    /// The text it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The syntax tree; none when the text is empty.
    #[must_use]
    pub fn tree(&self) -> Option<&Node> {
        self.inner.tree.as_ref()
    }

    /// Whether a status function occurs anywhere: if not, an `if` gets `success() &&` before it
    /// (conformance 88).
    #[must_use]
    pub fn uses_status_function(&self) -> bool {
        self.calls().iter().any(|call| call.function.is_status())
    }

    /// Every path into a context, in the order of the text.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        self.tree().map(walk::references).unwrap_or_default()
    }

    /// Every function call, in the order of the text.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.tree().map(walk::calls).unwrap_or_default()
    }
}
