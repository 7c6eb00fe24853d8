//! A tree and contexts to a value. The tree is at most [`crate::DEPTH_MAX`] deep, so evaluating may
//! recurse.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::contexts::Contexts;
use crate::error::EvalError;
use crate::tree::{Comparison, Logical, Node, NodeKind, Selector};
use crate::value::Value;
use crate::{MEMORY_BYTES_MAX, functions};

pub(crate) fn evaluate(
    tree: &Node,
    text: &str,
    contexts: &dyn Contexts,
) -> Result<Value, EvalError> {
    Evaluator { text, contexts }.value(tree)
}

/// A value on its way. What a star gave is an array that later steps look through (conformance 82);
/// parentheses and operators that choose an operand leave that as it is.
pub(crate) struct Evaluated {
    pub(crate) value: Value,
    pub(crate) filtered: bool,
}

impl Evaluated {
    fn plain(value: impl Into<Value>) -> Self {
        Self { value: value.into(), filtered: false }
    }
}

pub(crate) struct Evaluator<'a> {
    text: &'a str,
    pub(crate) contexts: &'a dyn Contexts,
}

impl Evaluator<'_> {
    pub(crate) fn value(&self, node: &Node) -> Result<Value, EvalError> {
        Ok(self.evaluated(node)?.value)
    }

    pub(crate) fn evaluated(&self, node: &Node) -> Result<Evaluated, EvalError> {
        match &node.kind {
            NodeKind::Literal(value) => Ok(Evaluated::plain(value.clone())),
            NodeKind::Context(name) => {
                let value = self.contexts.context(&name.to_ascii_lowercase());
                Ok(Evaluated::plain(value.unwrap_or_default()))
            }
            NodeKind::Index { base, selector } => self.index(node, base, selector),
            NodeKind::Call { function, arguments } => {
                functions::call(self, node, *function, arguments)
            }
            NodeKind::Not(operand) => Ok(Evaluated::plain(!self.value(operand)?.is_truthy())),
            NodeKind::Compare { comparison, left, right } => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                Ok(Evaluated::plain(compares(*comparison, &left, &right)))
            }
            NodeKind::Logical { operator, operands } => self.logical(*operator, operands),
        }
    }

    /// The error for a value that grew too big, naming the piece that made it.
    pub(crate) fn too_big(&self, node: &Node) -> EvalError {
        EvalError::Memory(self.text[node.span.clone()].to_owned())
    }

    fn logical(&self, operator: Logical, operands: &[Node]) -> Result<Evaluated, EvalError> {
        let mut result = Evaluated::plain(Value::Null);
        for operand in operands {
            result = self.evaluated(operand)?;
            if result.value.is_truthy() == (operator == Logical::Or) {
                break;
            }
        }
        Ok(result)
    }

    fn index(&self, node: &Node, base: &Node, selector: &Selector) -> Result<Evaluated, EvalError> {
        let base = self.evaluated(base)?;
        if base.value.kind().is_primitive() {
            // The index is not even evaluated.
            return Ok(match selector {
                Selector::Wildcard => Evaluated { value: Vec::new().into(), filtered: true },
                _ => Evaluated::plain(Value::Null),
            });
        }
        let part = match selector {
            Selector::Wildcard => Part::All,
            Selector::Property(name) => Part::One(Value::from(name.as_str())),
            Selector::Index(index) => Part::One(self.value(index)?),
        };
        if let (true, Value::Array(items)) = (base.filtered, &base.value) {
            let mut found = Vec::new();
            items.iter().for_each(|item| part.take_from(item, &mut found));
            return self.filtered(node, found);
        }
        let mut found = Vec::new();
        part.take_from(&base.value, &mut found);
        match part {
            Part::All => self.filtered(node, found),
            Part::One(_) => Ok(Evaluated::plain(found.pop().unwrap_or_default())),
        }
    }

    fn filtered(&self, node: &Node, items: Vec<Value>) -> Result<Evaluated, EvalError> {
        /// What the runner counts for an item of a filtered array: one pointer.
        const ITEM_BYTES: usize = 8;
        if items.len() * ITEM_BYTES > MEMORY_BYTES_MAX {
            return Err(self.too_big(node));
        }
        Ok(Evaluated { value: Value::Array(Arc::new(items)), filtered: true })
    }
}

/// Which part of a collection is meant.
enum Part {
    All,
    One(Value),
}

impl Part {
    /// Adds what `value` has of this part; nothing, if it has none.
    fn take_from(&self, value: &Value, found: &mut Vec<Value>) {
        match (self, value) {
            (Self::All, Value::Object(object)) => {
                found.extend(object.iter().map(|(_, it)| it.clone()));
            }
            (Self::All, Value::Array(items)) => found.extend(items.iter().cloned()),
            (Self::One(index), Value::Object(object)) if index.kind().is_primitive() => {
                found.extend(object.get(&index.to_text()).cloned());
            }
            (Self::One(index), Value::Array(items)) => {
                let item = array_index(index).and_then(|it| items.get(it));
                found.extend(item.cloned());
            }
            _ => {}
        }
    }
}

/// Conformance 81: floored; below zero and beyond 32 bits there is nothing.
fn array_index(index: &Value) -> Option<usize> {
    let number = index.to_number().floor();
    if !(0.0..=f64::from(i32::MAX)).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let whole = number as usize;
    Some(whole)
}

fn compares(comparison: Comparison, left: &Value, right: &Value) -> bool {
    let order = || left.loosely_compares(right);
    match comparison {
        Comparison::Equal => left.loosely_equals(right),
        Comparison::NotEqual => !left.loosely_equals(right),
        Comparison::Less => order() == Some(Ordering::Less),
        Comparison::LessOrEqual => order().is_some_and(Ordering::is_le),
        Comparison::Greater => order() == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
    }
}
